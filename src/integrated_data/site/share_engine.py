"""What opens an engine where a share of a statement is done; apart, so that tasks start with little else imported.

It reads the keyring of the installation, which is under the same path where tasks run, so that no key is ever sent.
"""

from pathlib import Path

from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.vault import Vault


def open_share(keyring: Path, scratch: Path, *, memory: str) -> DuckDB:
    """An engine for one task: one thread, and the installation's sealed files."""
    return DuckDB(Limits(threads=1, memory=memory, scratch=scratch), parquet_key=Vault(keyring).parquet_key())
