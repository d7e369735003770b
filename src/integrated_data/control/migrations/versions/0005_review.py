"""Clerical review: sets of cases, who holds one, the answers, the sessions and their reasons."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Boolean, Integer, String, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "review_set",
        _column("id", String(32), primary_key=True),
        _column("kind", String(16)),
        _column("index", String(32), index=True),
        _column("dataset", String(64), nullable=True, index=True),
        _column("delivery", String(32), nullable=True),
        _column("index_version", Integer()),
        _column("place", Text()),
        _column("body", JSON()),
        _column("by", String(128)),
        _column("at", String(32)),
    )
    op.create_table(
        "review_case",
        _column("set", String(32), primary_key=True),
        _column("number", Integer(), primary_key=True, autoincrement=False),
        _column("others", Integer()),
        _column("twice", Boolean()),
        _column("state", String(16)),
        _column("answer", String(32), nullable=True),
        _column("held_by", String(128), nullable=True),
        _column("held_until", String(32), nullable=True),
    )
    op.create_table(
        "review_answer",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("set", String(32), index=True),
        _column("number", Integer()),
        _column("person", String(128)),
        _column("answer", String(32)),
        _column("at", String(32)),
        sa.UniqueConstraint("set", "number", "person"),
    )
    op.create_table(
        "review_session",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("person", String(128), index=True),
        _column("reason", Text()),
        _column("at", String(32)),
        _column("until", String(32)),
    )


def _column(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})
