"""A table of PostgreSQL, through ADBC (the extra `postgres`): a stream of Parquet that lands like a file.

Rows come by COPY in batches of about 16 MB, each of which becomes a row group; so memory does not grow with the table.
Columns and rows are read in one transaction that sees one moment and changes nothing. A connection that breaks is a
StoreRefusal: nothing of the table is kept.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, cast

import adbc_driver_postgresql.dbapi as driver
import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.acquire.carried import field
from integrated_data.acquire.database import Address, Attribute, check_columns
from integrated_data.model.errors import DeliveryRefusal, StoreRefusal
from integrated_data.model.feed import Found
from integrated_data.vocabulary.sql import name

#: What a secret for such a database may hold.
SECRET = ("password",)
SUFFIX = ".parquet"

_COLUMNS = """
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, t.typcategory::text AS category,
  coalesce(col_description(a.attrelid, a.attnum), '') AS comment,
  ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder) AS values
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(format('%I.%I', $1::text, $2::text))::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


class Table:
    """A table, as `land` takes a file. `moment`: what tells this reading from others, where they are to differ."""

    suffixes: Sequence[str] = (SUFFIX,)

    def __init__(self, address: Address, *, password: str = "", moment: str = "") -> None:
        self._address, self._password, self._moment = address, password, moment
        self.name = f"{address.table}{SUFFIX}"

    def open(self, _mode: Literal["rb"] = "rb") -> BinaryIO:
        """Its rows as they are now, as bytes of Parquet."""
        with answering("reached", unnamed=not self._address.host):
            connection = driver.connect(self._address.uri(self._password))
        try:
            return cast(BinaryIO, io.BufferedReader(_Stream(connection, self._address, moment=self._moment), 1 << 20))
        except BaseException:
            connection.close()
            raise


class Database:
    """A database as the store of a feed: one file, the table as it is on the day, under the day's name."""

    def __init__(self, address: Address, *, password: str, now: datetime) -> None:
        self._address, self._password = address, password
        self._day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def listing(self) -> list[Found]:
        """The table, as one file of today; its size is not known."""
        return [Found(f"{self._address.shown}_{self._day:%Y%m%d}{SUFFIX}", -1, self._day)]

    def read(self, name: str) -> BinaryIO:
        """The table's rows as they are now."""
        return Table(self._address, password=self._password, moment=name).open()

    def close(self) -> None:
        """A connection is held while the table is read, and no longer."""


class _Sink(io.RawIOBase):
    """Takes what is written to it, to be given on."""

    def __init__(self) -> None:
        self.held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += memoryview(data).cast("B")
        return memoryview(data).nbytes


class _Stream(io.RawIOBase):
    """A table that is being read, as bytes of Parquet."""

    def __init__(self, connection: driver.Connection, address: Address, *, moment: str) -> None:
        self._connection, self._sink = connection, _Sink()
        self._cursor = connection.cursor()
        with answering("read"):
            self._cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            columns = _columns(self._cursor, address)
            self._schema = pa.schema([field(c.name, c.label) for c in columns], {"ids:moment": moment})
            values = ", ".join(f"{c.sql} AS {name(c.name)}" for c in columns)
            self._cursor.execute(f"SELECT {values} FROM {name(address.schema)}.{name(address.table)}")
            self._rows = self._cursor.fetch_record_batch()
        self._writer: pq.ParquetWriter | None = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._sink.held) < len(buffer) and self._writer is not None:
            self._next(self._writer)
        taken = bytes(self._sink.held[: len(buffer)])
        del self._sink.held[: len(buffer)]
        buffer[: len(taken)] = taken
        return len(taken)

    def _next(self, writer: pq.ParquetWriter) -> None:
        try:
            with answering("read"):
                batch = self._rows.read_next_batch()
        except StopIteration:
            writer.close()
            self._writer = None
            return
        writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))

    def close(self) -> None:
        if not self.closed:
            for held in (self._cursor, self._connection):
                with suppress(driver.Error, pa.ArrowException, OSError):  # they may be broken already
                    held.close()
        super().close()


def _columns(cursor: driver.Cursor, address: Address) -> list[Attribute]:
    """The columns of a table or view; refuses one that is not there, or has none."""
    cursor.execute(_COLUMNS, parameters=[address.schema, address.table])
    found = [Attribute(**{**row, "values": tuple(row["values"])}) for row in cursor.fetch_arrow_table().to_pylist()]
    if not found:
        raise DeliveryRefusal(
            "There is no such table in the database, or it has no columns",
            why="Names are case-sensitive, and a table that the user may not see is not there for them",
            next_step="Check the schema and the table in the address",
        )
    check_columns(found)
    return found


@contextmanager
def answering(what: str, *, unnamed: bool = False) -> Iterator[None]:
    """Errors of a database inside become one sentence that holds nothing of theirs: no value, name or password.

    `unnamed`: its address names no host.
    """
    try:
        yield
    except (driver.Error, pa.ArrowException, OSError) as error:
        code = str(getattr(error, "sqlstate", None) or "")
        unknown = what == "reached" and any(word in str(error) for word in ("authentication", "no password"))
        raise _told(what, code="28000" if unknown else code, unnamed=unnamed) from None


def _told(what: str, *, code: str, unnamed: bool) -> DeliveryRefusal | StoreRefusal:
    if code == "42501":
        return DeliveryRefusal(
            "The table may not be read by the user of the database",
            why="A privilege, or a rule of rows that would hide some of them, stands against it",
            next_step="Grant SELECT on the table, or on a view of what is to be delivered",
        )
    if code[:2] == "28":
        return StoreRefusal(
            "The database did not accept the user and password",
            next_step="Give the password in PGPASSWORD or ~/.pgpass, or in the feed's secret",
        )
    return StoreRefusal(
        f"The database did not let itself be {what if what != 'read' else 'read to the end'}",
        why=f"It answered with {code}" if code else "The connection could not be made, or broke off",
        next_step="Check that it runs, and its host, port and name; nothing was kept, the same may be asked again"
        + (
            ". Without a host, what PGHOST names must show a certificate: for this machine write localhost"
            if unnamed
            else ""
        ),
    )
