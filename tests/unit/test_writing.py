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


def test_several_sealed_files_are_read_as_one_and_the_engine_lives_on(engine: DuckDB, tmp_path: Path) -> None:
    """The reader of DuckDB 1.5.5 breaks down, and the engine with it, where it binds encrypted files by name."""
    places = (tmp_path / "one", tmp_path / "two")
    for n, place in enumerate(places):
        engine.save(f"SELECT range AS n, 'f{n}' AS file FROM range({n + 2})", place)
    engine.load("held", Stored(places, row_column="_row"))
    rows = engine.rows("SELECT file, n, _row FROM held ORDER BY ALL").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("f0", 0, 0),
        ("f0", 1, 1),
        ("f1", 0, 0),
        ("f1", 1, 1),
        ("f1", 2, 2),
    ]
    assert engine.rows("SELECT 1 AS a").to_pylist() == [{"a": 1}]
