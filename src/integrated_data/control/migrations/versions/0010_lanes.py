"""Lanes of outputs: the automatic lane's settings, the sample of its releases, comments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Float, Integer, String, Text

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "lane_setting",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("subject", String(64), nullable=False, index=True),
        sa.Column("body", JSON, nullable=False),
        sa.Column("by", String(128), nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "output_sample",
        sa.Column("twin", String(32), primary_key=True),
        sa.Column("request", String(32), nullable=False, unique=True),
        sa.Column("share", Float, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "output_comment",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("request", String(32), nullable=False, index=True),
        sa.Column("person", String(64), nullable=False),
        sa.Column("side", String(16), nullable=False),
        sa.Column("sha256", String(64), nullable=False),
        sa.Column("text", Text, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
