"""DuckDB as a reader of SQL: what a statement means, before anything runs.

Holds empty tables of the shape of what another engine has. Its parser and binder resolve names, stars,
aliases, overloads, implicit casts and the order of NULLs, so that no second reading of SQL can differ.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from integrated_data.vocabulary.sql import name

PLAN = (
    "SELECT json_serialize_plan($1::VARCHAR, skip_null := false, skip_empty := false, skip_default := false, "
    "optimize := false)"
)

_SHAPE = "_shape"


class Unbound(Exception):  # noqa: N818 - the statement is wrong, not the code
    """A statement that cannot be read or bound. `error_type`: as the engine calls it; `message` may quote the text."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(error_type)
        self.error_type, self.message = error_type, message


class Binder:
    """A DuckDB that holds shapes and no rows, opens no file and runs no query; safe to share between threads."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(
            config={
                "threads": 1, "memory_limit": "256MB", "enable_external_access": False,
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            }
        )  # fmt: skip
        self._connection.execute("SET lock_configuration = true")
        self._lock = threading.Lock()
        self._held: set[str] = set()

    @property
    def tables(self) -> frozenset[str]:
        """Names of what is held."""
        return frozenset(self._held)

    def hold(self, table: str, like: pa.Table) -> None:
        """Hold an empty table of the columns of another, in the types that DuckDB has for them."""
        with self._lock:
            self._connection.register(_SHAPE, like.slice(0, 0))
            self._connection.execute(f"CREATE OR REPLACE TABLE {name(table)} AS FROM {_SHAPE}")
            self._connection.unregister(_SHAPE)
            self._held.add(table)

    def declare(self, table: str, shape: dict[str, str]) -> None:
        """Hold an empty table: column names to DuckDB's type names."""
        columns = ", ".join(f"{name(c)} {kind}" for c, kind in shape.items())
        with self._lock:
            self._connection.execute(f"CREATE OR REPLACE TABLE {name(table)} ({columns})")
            self._held.add(table)

    def drop(self, table: str) -> None:
        """Forget a table, if it is held."""
        with self._lock:
            self._connection.execute(f"DROP TABLE IF EXISTS {name(table)}")
            self._held.discard(table)

    def shape(self, sql: str) -> dict[str, str]:
        """Column names of a SELECT with their types; raises Unbound."""
        with self._lock, _reading():
            told = self._connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {sql})").fetchall()
        return dict(told)

    def result(self, sql: str) -> pa.Schema:
        """The rows of a SELECT as DuckDB would hand them over, a name twice included; raises Unbound."""
        with self._lock, _reading():
            told = self._connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {sql})").fetchall()
            nulls = ", ".join(f"NULL::{kind}" for _, kind in told)
            types = self._connection.execute(f"SELECT {nulls}").to_arrow_table().schema.types
        return pa.schema([pa.field(column, kind) for (column, _), kind in zip(told, types, strict=True)])

    def plan(self, sql: str) -> dict[str, Any]:
        """The bound plan of one SELECT, before the optimiser; raises Unbound."""
        with self._lock, _reading():
            row = self._connection.execute(PLAN, [sql]).fetchone()
        assert row is not None
        told = json.loads(row[0])
        if told["error"]:
            raise Unbound(str(told.get("error_type", "")), str(told.get("error_message", "")))
        if len(told["plans"]) != 1:
            raise Unbound("parser", "")
        found: dict[str, Any] = told["plans"][0]
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


@contextmanager
def _reading() -> Iterator[None]:
    """Turn the engine's errors into Unbound."""
    try:
        yield
    except duckdb.Error as error:
        raise Unbound(type(error).__name__, str(error)) from None
