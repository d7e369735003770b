"""DuckDB's parser for the gate: one locked connection that holds no table and opens no file."""

import json
import threading
from typing import Any

import duckdb

SERIALISE = "SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"


class DuckDBParser:
    """Reads SQL with the parser that will run it; safe to share between threads."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(
            config={
                "threads": 1,
                "memory_limit": "256MB",
                "enable_external_access": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        self._connection.execute("SET lock_configuration = true")
        self._lock = threading.Lock()

    def parse(self, sql: str) -> dict[str, Any]:
        """See `access.gate.Parser.parse`."""
        with self._lock:
            row = self._connection.execute(SERIALISE, [sql]).fetchone()
        assert row is not None
        tree: dict[str, Any] = json.loads(row[0])
        return tree

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
