"""Dissemination: definitions of outputs that are published anew, and their editions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Integer, String

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "output_definition",
        sa.Column("name", String(64), primary_key=True),
        sa.Column("project", String(64), nullable=False, index=True),
        sa.Column("state", String(16), nullable=False),
        sa.Column("sha256", String(64), nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "output_edition",
        sa.Column("definition", String(64), primary_key=True),
        sa.Column("number", Integer, primary_key=True, autoincrement=False),
        sa.Column("request", String(32), nullable=True, unique=True),
        sa.Column("body", JSON, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
