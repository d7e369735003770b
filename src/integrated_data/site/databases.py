"""Tables of databases as sources: the driver is an extra, and is asked for when a table is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from integrated_data.acquire.database import Address, address_of, checked, is_table
from integrated_data.model.errors import ContractRefusal, InstallationRefusal
from integrated_data.model.feed import Drop

if TYPE_CHECKING:
    from types import ModuleType

    from integrated_data.acquire.land import File
    from integrated_data.acquire.postgres import Database


def file_or_table(text: str) -> "File":
    """What a command is given to read: a file, or a table by its address. Passwords are libpq's own business: the
    environment (PGPASSWORD, PGPASSFILE) or ~/.pgpass."""
    if not is_table(text):
        return Path(text)
    address = address_of(text)
    return _postgres().Table(address)  # type: ignore[no-any-return]


def opened(drop: Drop, *, password: str) -> "Database":
    """The database of a feed, whose place is `database/schema.table`."""
    return _postgres().Database(address(drop), password=password, now=datetime.now(UTC))  # type: ignore[no-any-return]


def address(drop: Drop) -> Address:
    """Where the table of a feed is."""
    database, _, table = drop.place.strip("/").partition("/")
    schema, _, named = table.rpartition(".")
    if not database or not named or "/" in named:
        raise ContractRefusal(
            "Field drop.place of the feed is wrong",
            why="The place of a table is its database, schema and name",
            next_step="Write it as database/schema.table",
        )
    return checked(Address(drop.host, drop.port, drop.user, database, schema or "public", named))


def _postgres() -> "ModuleType":
    try:
        from integrated_data.acquire import postgres
    except ImportError:
        raise InstallationRefusal(
            "Reading tables of PostgreSQL is not part of this installation",
            next_step='Install it: pip install "integrated-data-service[postgres]"',
        ) from None
    return postgres
