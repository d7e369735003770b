"""Tables about the release ledger: what came from elsewhere, how long people are kept, of what no more."""

from sqlalchemy import JSON, Column, Integer, String, Table, Text

from integrated_data.control.metadata import METADATA

ledger_import = Table(
    "ledger_import", METADATA,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, nullable=False, index=True),  # among releases, in the order of their coming
    Column("body", JSON, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

ledger_retention = Table(
    "ledger_retention", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("days", Integer, nullable=True),  # absent: for ever
    Column("reason", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

ledger_expiry = Table(
    "ledger_expiry", METADATA,
    Column("request", String(32), primary_key=True),
    Column("tables", Integer, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip
