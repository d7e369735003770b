"""What a write may take: a share of the memory while it lasts, and everything again when it ends, however it ends."""

from pathlib import Path

import duckdb
import pytest

from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB, Limits

LIMIT = "current_setting('memory_limit') AS m"


def test_a_write_takes_a_share_of_the_memory_and_gives_it_back(tmp_path: Path) -> None:
    engine = DuckDB(Limits(memory="64GB", scratch=tmp_path))

    def limit() -> str:
        return str(engine.rows(f"SELECT {LIMIT}")["m"][0].as_py())

    assert limit() == "59.6 GiB"
    engine.save(f"SELECT {LIMIT}", tmp_path / "written", sealed=False)
    engine.load("written", Stored((tmp_path / "written",), sealed=False))
    assert engine.rows("SELECT m FROM written")["m"].to_pylist() == ["3.7 GiB"]
    assert limit()[:4] == "59.5"
    with pytest.raises(duckdb.Error):
        engine.save("SELECT 1 AS a FROM nothing", tmp_path / "never", sealed=False)
    assert limit()[:4] == "59.5"
