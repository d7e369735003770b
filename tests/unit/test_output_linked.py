"""Tables of one request that share sums: by common keys, and by keys that tell each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import CheckReport, Outcome
from integrated_data.output.protect import levels
from integrated_data.site.parser import DuckDBParser
from tests.output_world import World, repeated

#: Districts in regions in a country: N2 holds 4 people.
PLACES = repeated(
    (30, ("A", "N", "N1", "F")), (4, ("A", "N", "N2", "M")), (20, ("A", "N", "N3", "M")), (25, ("A", "S", "S1", "F")),
    (40, ("A", "S", "S2", "M")), (50, ("B", "W", "W1", "F")), (60, ("B", "W", "W2", "M")),
    columns="country region district sex",
)  # fmt: skip


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"t": PLACES})
    parser.close()


def tables(world: World, report: CheckReport) -> list[list[str]]:
    place = world.folder / "requests" / report.request / "package"
    files = ["table.csv", *(f"table-{n}.csv" for n in range(2, 9))]
    return [(place / f).read_text(encoding="utf-8").splitlines()[1:] for f in files if (place / f).exists()]


def said(report: CheckReport) -> set[str]:
    return {f.rule for f in report.findings}


def by(*keys: str) -> str:
    return f"SELECT {', '.join(keys)}, count(*) AS n FROM t GROUP BY ALL"


def test_a_region_does_not_give_its_district_away(world: World) -> None:
    report = world.checked(by("district"), by("region"))
    districts, regions = tables(world, report)
    assert regions == ["N,54", "S,65", "W,110"]
    assert said(report) == {"minimum people", "secondary suppression", "rare value"}
    assert districts == ["N1,30", "N2,[c]", "N3,[c]", "S1,25", "S2,40", "W1,50", "W2,60"]


def test_three_levels_are_one_system_of_sums(world: World) -> None:
    report = world.checked(by("district"), by("region"), by("country"))
    districts, regions, countries = tables(world, report)
    assert "N2,[c]" in districts
    assert sum(row.endswith("[c]") for row in districts) == 2
    assert (regions, countries) == (["N,54", "S,65", "W,110"], ["A,119", "B,110"])
    assert "difference between releases" not in said(report)


def test_levels_of_one_query_that_are_no_totals_of_each_other_in_words(world: World) -> None:
    report = world.checked(
        "SELECT region, district, count(*) AS n FROM t GROUP BY GROUPING SETS ((region), (district))"
    )
    (rows,) = tables(world, report)
    assert [row for row in rows if "[c]" in row] == ["All,N2,[c]", "All,N3,[c]"]


def test_a_table_by_two_keys_is_linked_to_one_by_the_coarser(world: World) -> None:
    more = repeated(
        *((n + 12, (r, d, s)) for n, (r, d) in enumerate([("N", "N1"), ("N", "N2"), ("S", "S1"), ("S", "S2")])
          for s in "FM"), (5, ("N", "N1", "X")), (15, ("N", "N2", "X")), (15, ("S", "S1", "X")), (16, ("S", "S2", "X")),
        columns="region district sex",
    )  # fmt: skip
    world.provision("t", more, release=2)
    report = world.checked(by("district", "sex"), by("region", "sex"), by("region"))
    finest, *_ = tables(world, report)
    assert "N1,X,[c]" in finest
    assert sum("[c]" in row for row in finest) > 1


def test_without_a_rule_broken_nothing_is_withheld(world: World) -> None:
    report = world.checked(by("region", "sex"), by("region"))
    assert (report.withheld, {f.outcome for f in report.findings} <= {Outcome.NOTE, Outcome.REVIEW}) == (0, True)


def test_sums_go_by_keys_that_tell_others() -> None:
    north, south = frozenset({("region", "N")}), frozenset({("region", "S")})
    districts = [frozenset({("district", d)}) for d in ("N1", "N2", "S1")]
    kin = {"district": {"region": {"N1": "N", "N2": "N", "S1": "S"}}}
    sums = {e.total: set(e.parts) for e in levels([north, south, *districts], kin)}
    assert sums == {north: set(districts[:2]), south: {districts[2]}}
    assert levels([north, south, *districts]) == ()
