"""Releases that others were built on, and whether they stand: a table can go back to an earlier one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Integer, String

revision = "0014"
down_revision = "0015"


def upgrade() -> None:
    """Add the columns. There is no way back: restore the store from its backup instead."""
    op.add_column("release", sa.Column("base", Integer, nullable=True))
    op.add_column("release", sa.Column("state", String(16), nullable=False, server_default="standing"))
