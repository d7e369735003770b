"""The lake: a snapshot holds what was committed on the version that readers see, and nothing else."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.lake import Lake


def _file(lake: Lake, delivery: str, **columns: list[object]) -> Path:
    place = lake.place("pay", delivery)
    pq.write_table(pa.table(columns), place)
    return place


def test_replace_then_append(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = lake.commit("pay", _file(lake, "d1", a=[1]), append=False, delivery="d1", base=None)
    second = lake.commit("pay", _file(lake, "d2", a=[2]), append=False, delivery="d2", base=first)
    third = lake.commit("pay", _file(lake, "d3", a=[3], b=["new"]), append=True, delivery="d3", base=second)
    assert [p.stem for p in lake.files("pay", first)] == ["d1"]
    assert [p.stem for p in lake.files("pay", second)] == ["d2"]
    assert [p.stem for p in lake.files("pay", third)] == ["d2", "d3"]


def test_the_same_delivery_is_committed_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    file = _file(lake, "d1", a=[1])
    first = lake.commit("pay", file, append=True, delivery="d1", base=None)
    assert lake.commit("pay", file, append=True, delivery="d1", base=None) == first


def test_an_orphan_of_a_killed_load_does_not_ride_along(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit("pay", _file(lake, "orphan0", a=[0]), append=True, delivery="orphan0", base=None)
    base = lake.commit("pay", _file(lake, "d1", a=[1]), append=True, delivery="d1", base=None)
    lake.commit("pay", _file(lake, "orphan1", a=[9]), append=True, delivery="orphan1", base=base)
    after = lake.commit("pay", _file(lake, "d2", a=[2]), append=True, delivery="d2", base=base)
    assert [p.stem for p in lake.files("pay", after)] == ["d1", "d2"]
