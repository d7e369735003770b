"""One engine for many tests, one after the other: what a test leaves in it is dropped, or the engine is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

from integrated_data.engines.duckdb import DuckDB
from integrated_data.vocabulary.sql import name

#: What a test may leave that is dropped: its kind, and where it is listed. Registered tables are views.
LEFT = (("VIEW", "duckdb_views()", "view_name"), ("TABLE", "duckdb_tables()", "table_name"))

#: What else an engine is: with any of it changed, it goes. Nothing makes functions, which take long to list.
STANDING = (
    "SELECT name, value FROM duckdb_settings() ORDER BY ALL",
    "SELECT database_name FROM duckdb_databases() ORDER BY ALL",
    "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal ORDER BY ALL",
    "SELECT type_name FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "SELECT sequence_name FROM duckdb_sequences() ORDER BY ALL",
    "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY ALL",
)


class Emptied:
    """Engines made by `make`, of which the last is kept for the next who asks."""

    def __init__(self, make: Callable[[], DuckDB]) -> None:
        self._make = make
        self._kept: tuple[DuckDB, object] | None = None

    @contextmanager
    def engine(self) -> Iterator[DuckDB]:
        """An engine with nothing in it."""
        (made, standing), self._kept = self._kept or self._new(), None
        connection, held = made.connection, dict(vars(made))
        yield made
        with suppress(duckdb.Error):  # a test may close it, or leave it within a transaction that failed
            if vars(made) == held and _emptied(connection) and _standing(connection) == standing:
                self._kept = made, standing
                return
        made.close()

    def close(self) -> None:
        """Close the engine that is kept."""
        if self._kept is not None:
            self._kept[0].close()

    def _new(self) -> tuple[DuckDB, object]:
        made = self._make()
        return made, _standing(made.connection)


def _emptied(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether nothing is left once tables and views are dropped."""
    for kind, listed, called in LEFT:
        for schema, left in _rows(connection, f"SELECT schema_name, {called} FROM {listed} WHERE NOT internal"):
            connection.unregister(left)
            connection.execute(f"DROP {kind} IF EXISTS {name(schema)}.{name(left)}")
    return not any(_rows(connection, f"FROM {listed} WHERE NOT internal") for _, listed, _ in LEFT)


def _standing(connection: duckdb.DuckDBPyConnection) -> object:
    return [_rows(connection, question) for question in STANDING]


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
