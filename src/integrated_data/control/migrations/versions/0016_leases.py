"""Jobs: when their attempt began, and who asked it to stop."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Float, String

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns. There is no way back: restore the store from its backup instead."""
    op.add_column("job", sa.Column("taken_at", Float, nullable=True))
    op.add_column("job", sa.Column("asked_to_stop", String(128), nullable=True))
