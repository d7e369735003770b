"""The engine seam: SQL in, Arrow out.

Rooms are handed an `Engine` and speak DuckDB's dialect to it; they never open or import one.
Adapters live in `engines/`; only `site/` imports them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

from integrated_data.model.contract import Layout


@dataclass(frozen=True)
class Landed:
    """Delivered bytes, sealed in the identified zone, all of one layout.

    Read as text: every column is VARCHAR, an empty field is NULL. `columns` are the delivered names
    in order (needed where the layout has no header). `places` are sealed files of UTF-8 text (an
    Excel sheet arrives as CSV) or Parquet. A line of JSON that is no object becomes a row of NULLs.
    `rejects`: for CSV, the table that receives rows which do not split into the columns, with at
    least `file_id`, `line` BIGINT, `error_type` and `csv_line` (a value; at most 10,000 characters).
    It is there once the relation has been read to its end; every further reading adds the same again.
    `empty`: for CSV, names of columns after `columns` that hold nothing; the relation is without them.
    """

    places: tuple[Path, ...]
    layout: Layout
    columns: tuple[str, ...] = ()
    rejects: str | None = None
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """Parquet files written by `Engine.save`. `row_column` adds the 0-based row number of a file.

    Of several files that are not sealed the relation has every column that any has, by name; the rows of one without
    it have NULL. Sealed ones have the same columns.
    """

    places: tuple[Path, ...]
    sealed: bool = True
    row_column: str | None = None


@dataclass(frozen=True)
class Held:
    """An Arrow table held in memory."""

    table: pa.Table = field(compare=False)


Source = Landed | Stored | Held


class Reader(Protocol):
    """What an engine that answers questions can do. Names are unquoted identifiers; SQL is DuckDB's dialect."""

    @property
    def name(self) -> str:
        """The engine's name: duckdb, spark or sail."""
        ...

    def load(self, table: str, source: Source) -> None:
        """Make `table` a view over `source`; nothing is copied."""
        ...

    def view(self, table: str, sql: str) -> None:
        """Make `table` a view on a SELECT, replacing one of that name."""
        ...

    def rows(self, sql: str) -> pa.Table:
        """Run a SELECT to its end and return its rows."""
        ...

    def columns(self, table: str) -> dict[str, str]:
        """Column names of a table or view, in order, with the engine's type names."""
        ...

    def drop(self, *tables: str) -> None:
        """Drop tables and views that exist; others are passed over."""
        ...


class Engine(Reader, Protocol):
    """What an engine that also makes tables can do."""

    def create(self, table: str, sql: str) -> None:
        """Make `table` from a SELECT, replacing one of that name."""
        ...

    def prepare(self, sql: str, types: Sequence[str] = ()) -> Callable[[Sequence[object]], pa.Table]:
        """Plan a SELECT with parameters `$1`, `$2`, … once; what is returned runs it with their values.

        Values are text, whole numbers, lists of them, or None. `types` of the parameters, where told, keep
        the plan from being made anew; a plan goes when the engine does.
        """
        ...

    def save(self, sql: str, place: Path, *, sealed: bool = True, reread: bool = False, ordered: bool = False) -> int:
        """Write a SELECT to one Parquet file in one atomic step; returns the rows written.

        `sealed`: encrypted with the engine's own vault key, for the identified zone; else smaller, for whoever
        reads it. `reread`: a sealed file that is read again and again, so that it may take longer to write. `ordered`:
        rows stay in the order in which they are read, which tells their numbers.
        """
        ...

    def interrupt(self) -> None:
        """End the statement that runs now, from another thread: whoever ran it gets an error."""
        ...

    def apart(self) -> AbstractContextManager["Engine"]:
        """The same engine for another thread: what is made there has names of its own, and goes at the end."""
        ...


class Sealer(Protocol):
    """Writes and reads sealed files: AES-GCM in chunks, under a key the caller never sees."""

    def write(self, place: Path) -> BinaryIO:
        """A binary file to write to; sealed under `place` when closed, absent if never closed."""
        ...

    def read(self, place: Path) -> BinaryIO:
        """A seekable binary file that reads the plain bytes of the sealed file at `place`."""
        ...

    def size(self, place: Path) -> int:
        """Plain size in bytes of the sealed file at `place`."""
        ...
