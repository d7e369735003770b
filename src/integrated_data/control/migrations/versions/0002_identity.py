"""Identity over time: what people decided about links."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Integer, String, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of decisions. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "link_decision",
        sa.Column("number", Integer(), primary_key=True, autoincrement=True),
        sa.Column("index", String(32), nullable=False, index=True),
        sa.Column("kind", String(16), nullable=False),
        sa.Column("left_source", String(64), nullable=False),
        sa.Column("left_record", Text(), nullable=False),
        sa.Column("left_entity", BigInteger(), nullable=True),
        sa.Column("right_source", String(64), nullable=False),
        sa.Column("right_record", Text(), nullable=False),
        sa.Column("right_entity", BigInteger(), nullable=True),
        sa.Column("by", String(128), nullable=False),
        sa.Column("reason", Text(), nullable=False),
        sa.Column("at", String(32), nullable=False),
        sa.Column("withdrawn_by", String(128), nullable=True),
        sa.Column("withdrawn_at", String(32), nullable=True),
    )
