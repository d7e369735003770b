"""Memory as a control group bounds it, and what engines spill: a folder each, gone with its process."""

import subprocess
import sys
from pathlib import Path

import pytest

from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.site import machine

MB = 1 << 20


def drawn(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def group(most: str, used: int, *, cached: int = 0) -> dict[str, str]:
    stat = f"anon 5\ninactive_file {cached}\nactive_file 7\n"
    return {"memory.max": most, "memory.current": str(used), "memory.stat": stat}


@pytest.mark.parametrize(
    ("bounds", "memory", "free"),
    [
        ({"a/b": group("max", 5)}, None, 900),
        ({"a/b": group(str(100 * MB), 60 * MB, cached=20 * MB)}, 100, 60),
        ({"a/b": group("max", 5), "a": group(str(50 * MB), 49 * MB)}, 50, 1),
        ({"a/b": group(str(10 * MB), 12 * MB)}, 10, 0),
    ],
    ids=["no bound", "cached files can be given up", "of the group above", "over its bound"],
)
def test_memory_is_what_the_control_group_leaves(
    tmp_path: Path, bounds: dict[str, dict[str, str]], memory: int | None, free: int
) -> None:
    files = {f"{place}/{name}": text for place, of in bounds.items() for name, text in of.items()}
    groups = drawn(tmp_path / "groups", files)
    told = {"self/cgroup": "0::/a/b\n", "meminfo": f"MemTotal: 99 kB\nMemAvailable: {900 << 10} kB\n"}
    processes = drawn(tmp_path / "proc", told)
    whole = machine.memory(tmp_path / "none", tmp_path / "none")
    assert machine.memory(groups, processes) == (memory * MB if memory else whole)
    assert machine.free_memory(groups, processes) == free * MB


def test_memory_that_nothing_tells_is_not_known(tmp_path: Path) -> None:
    assert machine.free_memory(tmp_path, tmp_path) is None


def test_two_engines_spill_beside_each_other_and_leave_nothing(tmp_path: Path) -> None:
    engines = [DuckDB(Limits(memory="40MB", scratch=tmp_path)) for _ in range(2)]
    assert list(tmp_path.iterdir()) == []
    for engine in engines:
        engine.create("many", "SELECT md5(range::VARCHAR) AS word FROM range(3000000)")
    told = {engine.rows("SELECT current_setting('temp_directory') AS t")["t"][0].as_py() for engine in engines}
    assert told == {str(place) for place in tmp_path.glob("spill-*") if any(place.iterdir())}
    assert len(told) == 2
    for engine in engines:
        engine.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_spilled_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / f"spill-{gone.pid}-0").mkdir()
    (tmp_path / "spill-1-0").mkdir()  # the first process of a machine lives
    DuckDB(Limits(scratch=tmp_path)).close()
    assert [p.name for p in tmp_path.iterdir()] == ["spill-1-0"]
