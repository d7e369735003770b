"""Projects: framework agreements, and the approvals that an application needs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Integer, String, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "framework",
        sa.Column("id", String(64), primary_key=True),
        sa.Column("body", JSON, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "approval",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("project", String(64), nullable=False, index=True),
        sa.Column("stage", String(32), nullable=False),
        sa.Column("organisation", String(128), nullable=False),
        sa.Column("scope", String(64), nullable=False),
        sa.Column("days", Integer, nullable=False),
        sa.Column("why", Text, nullable=False),
        sa.Column("asked_at", String(32), nullable=False),
        sa.Column("state", String(16), nullable=False),
        sa.Column("by", String(128), nullable=True),
        sa.Column("reason", Text, nullable=True),
        sa.Column("decided_at", String(32), nullable=True),
        sa.UniqueConstraint("project", "stage", "organisation", "scope", "asked_at"),
    )
