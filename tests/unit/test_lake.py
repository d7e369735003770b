"""The lake: a snapshot holds what was committed on the version that readers see, and nothing else."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.lake import Lake, Step
from integrated_data.model.errors import DeliveryRefusal


def _file(lake: Lake, delivery: str, **columns: list[object]) -> Path:
    place = lake.place("pay", delivery)
    pq.write_table(pa.table(columns), place)
    return place


def names(lake: Lake, snapshot: int) -> list[str]:
    return [p.stem for p in lake.files("pay", snapshot)]


def test_replace_then_append(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for delivery, columns in (("d1", {"a": [1]}), ("d2", {"a": [2]}), ("d3", {"a": [3], "b": ["new"]})):
        _file(lake, delivery, **columns)
    first = lake.commit("pay", Step("d1"), base=None)
    second = lake.commit("pay", Step("d2"), base=first)
    third = lake.commit("pay", Step("d3", ()), base=second)
    assert [names(lake, s) for s in (first, second, third)] == [["d1"], ["d2"], ["d2", "d3"]]


def test_a_step_leaves_out_some_files_and_the_table_is_rebuilt_alike(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for delivery in ("d1", "d2", "d3", "d4"):
        _file(lake, delivery, a=[delivery, "more"])
    pq.write_table(pa.table({"a": ["more"]}), lake.rewritten("pay", lake.place("pay", "d1"), by="d4"))
    steps = [Step("d1"), Step("d2", ()), Step("d3", ("d2.parquet",)), Step("d4", ("d1.parquet",), ("d1.d4.parquet",))]
    held = [["d1"], ["d1", "d2"], ["d1", "d3"], ["d1.d4", "d3", "d4"]]
    made: list[int] = []
    for step in steps:
        made.append(lake.commit("pay", step, base=made[-1] if made else None))
    assert [names(lake, s) for s in made] == held
    assert [names(lake, s) for s in lake.rebuild("pay", steps)] == held
    there: tuple[str, ...] = ()
    for step, files in zip(steps, held, strict=True):
        there = step.after(there)
        assert sorted(there) == [f"{f}.parquet" for f in files]
    assert lake.rows("pay", there) == 5
    assert [lake.delivery_of(Path(n)) for n in sorted(there)] == ["d1", "d3", "d4"]


def test_the_same_delivery_is_committed_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    _file(lake, "d1", a=[1])
    first = lake.commit("pay", Step("d1", ()), base=None)
    assert lake.commit("pay", Step("d1", ()), base=None) == first


def test_an_orphan_of_a_killed_load_does_not_ride_along(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for delivery in ("orphan0", "d1", "orphan1", "d2"):
        _file(lake, delivery, a=[1])
    lake.commit("pay", Step("orphan0", ()), base=None)
    base = lake.commit("pay", Step("d1", ()), base=None)
    lake.commit("pay", Step("orphan1", ("d1.parquet",)), base=base)
    after = lake.commit("pay", Step("d2", ()), base=base)
    assert names(lake, after) == ["d1", "d2"]


def test_a_column_changes_its_type_with_the_whole_table_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for delivery, values in (("d1", [1]), ("d2", [2.5]), ("d3", ["many"])):
        _file(lake, delivery, a=[1], pay=values)
    first = lake.commit("pay", Step("d1"), base=None)
    with pytest.raises(DeliveryRefusal, match="Column pay of dataset pay has another type"):
        lake.commit("pay", Step("d2", ()), base=first)
    second = lake.commit("pay", Step("d2"), base=first)
    assert [names(lake, s) for s in (first, second)] == [["d1"], ["d2"]]
    assert [names(lake, s) for s in lake.rebuild("pay", [Step("d1"), Step("d3")])] == [["d1"], ["d3"]]
