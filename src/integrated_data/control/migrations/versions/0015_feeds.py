"""Feeds: deliveries that come by themselves, their files and what people should know of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, BigInteger, Float, Integer, String, Text

revision = "0015"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "feed",
        sa.Column("id", String(64), primary_key=True),
        sa.Column("dataset", String(64), nullable=False, index=True),
        sa.Column("state", String(16), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("failures", Integer, nullable=False),
        sa.Column("next_look", Float, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "feed_file",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("feed", String(64), nullable=False, index=True),
        sa.Column("mark", String(64), nullable=False),
        sa.Column("shown", String(256), nullable=False),
        sa.Column("period", String(16), nullable=False),
        sa.Column("number", BigInteger, nullable=True),
        sa.Column("state", String(16), nullable=False),
        sa.Column("attempts", Integer, nullable=False),
        sa.Column("next_try", Float, nullable=False),
        sa.Column("delivery", String(32), nullable=True, index=True),
        sa.Column("reason", Text, nullable=False),
        sa.Column("measures", JSON, nullable=True),
        sa.Column("found_at", String(32), nullable=False),
        sa.Column("at", String(32), nullable=False),
        sa.UniqueConstraint("feed", "mark"),
    )
    op.create_table(
        "feed_alert",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("feed", String(64), nullable=False, index=True),
        sa.Column("kind", String(16), nullable=False),
        sa.Column("period", String(16), nullable=False),
        sa.Column("about", String(256), nullable=False),
        sa.Column("told", Text, nullable=False),
        sa.Column("at", String(32), nullable=False),
        sa.Column("closed_at", String(32), nullable=True),
    )
