"""Tables of the same people: chosen by other conditions they tell more, asked again they do not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import Lane, Signature
from integrated_data.output import release
from integrated_data.output.narrowed import otherwise
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, repeated

BY_REGION = "SELECT region, count(*) AS people FROM lfs WHERE {} GROUP BY region"


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    """Everybody in the north works, and was asked in both years."""
    parser = DuckDBParser()
    lfs = repeated((40, ("N", 1, 30)), (30, ("S", 1, 20)), (25, ("S", 0, 20)), columns="region works hours")
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    parser.close()


@pytest.mark.parametrize(
    ("first", "then", "lane"),
    [
        ("hours > 0", "hours > 0 AND works = 1", Lane.REVIEW),
        ("works = 1 AND hours > 0", "hours > 0", Lane.REVIEW),
        ("hours > 0", "hours > 10", Lane.REVIEW),
        ("hours > 0 AND works = 1", "works = 1 AND lfs.hours > 0", Lane.AUTOMATIC),
        ("hours > 0", "hours > 25 AND region = 'S'", Lane.AUTOMATIC),  # nobody: nothing is said of the same people
    ],
)
def test_a_cell_of_the_same_people_under_another_condition_is_looked_at(
    world: World, first: str, then: str, lane: Lane
) -> None:
    earlier = world.checked(BY_REGION.format(first))
    release.release(world.store, request=earlier.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    report = world.checked(BY_REGION.format(then))
    found = [f for f in report.findings if f.rule == "class between releases"]
    assert (report.lane, bool(found)) == (lane, lane is Lane.REVIEW)
    assert all(f"release {earlier.request}" in f.reason for f in found)


def test_two_tables_of_one_request_are_held_together_too(world: World) -> None:
    report = world.checked(BY_REGION.format("hours > 0"), BY_REGION.format("hours > 0 AND works = 1"))
    assert "class between releases" in {f.rule for f in report.findings}


def test_what_left_after_the_check_is_compared_when_it_leaves(world: World) -> None:
    one, two = (world.checked(BY_REGION.format(c)) for c in ("hours > 0", "hours > 0 AND works = 1"))
    assert (one.lane, two.lane) == (Lane.AUTOMATIC, Lane.AUTOMATIC)
    release.release(world.store, request=one.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    with pytest.raises(Exception, match=f"checked before {one.request} left"):
        release.release(world.store, request=two.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)


YEAR_A, YEAR_B, WORKS, NORTH = ("1", "year", "year"), ("2", "year", "year"), ("3", "", "works"), ("4", "", "region")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((YEAR_A,), (YEAR_B,), False),  # a panel seen twice
        ((YEAR_A, WORKS), (YEAR_B,), True),
        ((YEAR_A,), (), True),
        ((NORTH,), (), False),  # by region, which the table shows
        ((("5", "", "region", "works"),), (), True),
        ((("6", ""),), (), True),  # of another dataset
        ((), (), False),
        (None, (), True),  # not known: other rows are chosen otherwise
    ],
)
def test_which_conditions_tell_more(
    one: tuple[tuple[str, ...], ...] | None, other: tuple[tuple[str, ...], ...], expected: bool
) -> None:
    signed = [Signature(("lfs",), base, ("count",), ("lfs.region",), "", c) for base, c in (("x", one), ("y", other))]
    assert otherwise(*signed) is expected
    assert otherwise(*reversed(signed)) is expected
