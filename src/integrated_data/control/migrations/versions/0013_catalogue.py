"""The catalogue as it is searched: items, their facets, their words; filled from what is published."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, String, Text

from integrated_data.control import catalogue, frameworks
from integrated_data.control.catalogue_tables import FULL_TEXT

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the tables. There is no way back: restore the store from its backup instead."""
    op.create_table(
        "catalogue_item",
        sa.Column("id", Integer, primary_key=True),
        sa.Column("release", Integer, nullable=False),
        sa.Column("dataset", String(64), nullable=False, unique=True),
        sa.Column("title", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("rows", BigInteger, nullable=False),
        sa.Column("width", Integer, nullable=False),
        sa.Column("indexes", JSON, nullable=False),
        sa.Column("first", String(10), nullable=True),
        sa.Column("last", String(10), nullable=True),
        sa.Column("variables", Text, nullable=False),
    )
    op.create_table(
        "catalogue_facet",
        sa.Column("facet", String(16), primary_key=True),
        sa.Column("value", String(256), primary_key=True),
        sa.Column("starts", String(10), primary_key=True),
        sa.Column("ends", String(10), primary_key=True),
        sa.Column("items", LargeBinary, nullable=False),
    )
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for statement in FULL_TEXT:
            op.execute(sa.text(statement))
    _fill(connection)


def _fill(connection: sa.Connection) -> None:
    release = sa.table("release", sa.column("id"), sa.column("dataset"), sa.column("entry", JSON))
    newest = sa.select(sa.func.max(release.c.id)).group_by(release.c.dataset)
    for row in connection.execute(sa.select(release).where(release.c.id.in_(newest))).all():
        agreements = frameworks.agreements(connection, row.dataset)
        catalogue.put(connection, row.id, entry=row.entry, agreements=agreements)
