"""Freezes: datasets and people that nothing is done with for a time."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Integer, String, Text

revision = "0012"
down_revision = "0009"


def upgrade() -> None:
    """Make the table. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "freeze",
        sa.Column("number", Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", String(16), nullable=False),
        sa.Column("subject", String(128), nullable=False, index=True),
        sa.Column("by", String(128), nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("at", String(32), nullable=False),
        sa.Column("thawed_by", String(128), nullable=True),
        sa.Column("thawed_at", String(32), nullable=True),
        sa.Column("thaw_reason", Text, nullable=True),
    )
