"""The release ledger: releases in the order they left, tables from elsewhere, retention and what it ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Integer, String, Text

revision = "0009"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables, and number what has left. There is no way back: restore the store from its backup instead."""
    with op.batch_alter_table("output_release") as changed:
        changed.add_column(sa.Column("number", Integer, nullable=False, server_default="0"))
    _number()
    with op.batch_alter_table("output_release") as changed:
        changed.alter_column("number", server_default=None)
        changed.create_index("ix_output_release_number", ["number"])
    op.create_table(
        "ledger_import",
        sa.Column("id", String(32), primary_key=True),
        sa.Column("number", Integer, nullable=False, index=True),
        sa.Column("body", JSON, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "ledger_retention",
        sa.Column("id", Integer, primary_key=True, autoincrement=True),
        sa.Column("days", Integer, nullable=True),
        sa.Column("reason", Text, nullable=False),
        sa.Column("by", String(128), nullable=False),
        sa.Column("at", String(32), nullable=False),
    )
    op.create_table(
        "ledger_expiry",
        sa.Column("request", String(32), primary_key=True),
        sa.Column("tables", Integer, nullable=False),
        sa.Column("at", String(32), nullable=False),
    )


def _number() -> None:
    """Number releases by their moment; requests say the number they were compared up to, and no list of releases."""
    release = sa.table("output_release", sa.column("request"), sa.column("number"), sa.column("at"))
    request = sa.table("output_request", sa.column("id"), sa.column("body", JSON))
    connection = op.get_bind()
    left = connection.execute(sa.select(release.c.request).order_by(release.c.at, release.c.request)).scalars().all()
    numbers = {each: number for number, each in enumerate(left, start=1)}
    for each, number in numbers.items():
        connection.execute(sa.update(release).where(release.c.request == each).values(number=number))
    for row in connection.execute(sa.select(request.c.id, request.c.body)).all():
        body = dict(row.body)
        seen = body.pop("seen", [])
        body["compared"] = max((numbers.get(each, 0) for each in seen), default=0)
        connection.execute(sa.update(request).where(request.c.id == row.id).values(body=body))
