"""Sign-in: organisations, credentials, tokens, operating procedures and who accepted them, attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Boolean, Integer, String, Text

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "organisation",
        _column("name", String(128), primary_key=True),
        _column("body", JSON()),
        _column("at", String(32)),
    )
    op.create_table(
        "credential",
        _column("person", String(64), primary_key=True),
        _column("password", Text(), nullable=True),
        _column("code", Text(), nullable=True),
        _column("code_step", Integer()),
        _column("at", String(32)),
    )
    op.create_table(
        "token",
        _column("id", String(32), primary_key=True),
        _column("sha256", String(64), unique=True),
        _column("person", String(64), index=True),
        _column("name", String(64)),
        _column("how", String(16)),
        _column("project", String(64), nullable=True),
        _column("actions", JSON(), nullable=True),
        _column("expires", String(32)),
        _column("last_used", String(10), nullable=True),
        _column("revoked_at", String(32), nullable=True),
        _column("at", String(32)),
    )
    op.create_table(
        "operating_procedures",
        _column("number", Integer(), primary_key=True, autoincrement=True),
        _column("version", String(64), unique=True),
        _column("sha256", String(64)),
        _column("text", Text()),
        _column("at", String(32)),
    )
    op.create_table(
        "procedures_acceptance",
        _column("person", String(64), primary_key=True),
        _column("version", String(64), primary_key=True),
        _column("sha256", String(64)),
        _column("at", String(32)),
    )
    op.create_table(
        "sign_in_attempt",
        _column("subject", String(64), primary_key=True),
        _column("failures", Integer()),
        _column("locked_until", String(32), nullable=True),
        _column("known", Boolean()),
        _column("at", String(32)),
    )


def _column(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})
