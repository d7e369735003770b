"""Proposals for unsafe tables: drawn people in, ways to make them safe with their loss out; and taking one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import CheckReport, Lane
from integrated_data.model.proposal import Proposal
from integrated_data.output import alternatives
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, repeated

#: People of four ages in two regions; 3 of them are 80 in the north.
AGES = repeated(
    (20, ("N", 30, "4711")), (12, ("N", 40, "4719")), (11, ("N", 70, "5210")), (3, ("N", 80, "4720")),
    (22, ("S", 30, "4711")), (20, ("S", 40, "4719")), (15, ("S", 70, "5210")), (12, ("S", 80, "4720")),
    columns="region age sic",
)  # fmt: skip


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": AGES})
    parser.close()


def proposed(world: World, *sql: str) -> tuple[str, dict[str, Proposal]]:
    asked = world.ask(*sql)
    found = alternatives.alternatives(world.store, world.run, request=asked.id, actor=AUTHOR, folder=world.folder)
    assert [p.loss for p in found] == sorted(p.loss for p in found)
    return asked.id, {p.id: p for p in found}


def taken(world: World, request: str, proposal: str) -> tuple[CheckReport, list[str]]:
    made = alternatives.accept(
        world.store, world.run, request=request, proposal=proposal, actor=AUTHOR, folder=world.folder
    )
    report = world.check(made)
    table = world.folder / "requests" / made.id / "package" / "table.csv"
    return report, table.read_text(encoding="utf-8").splitlines() if table.exists() else []


def test_ages_are_merged_with_their_neighbours(world: World) -> None:
    request, found = proposed(world, "SELECT age, region, count(*) AS n FROM lfs GROUP BY ALL")
    way = found["regroup-age"]
    assert way.what == "age: neighbours merged, 4 values to 3"
    assert way.loss == round(41 / 2 / 115, 6), "half of the people of 70 and 80"
    report, rows = taken(world, request, "regroup-age")
    assert (report.lane, report.withheld) == (Lane.AUTOMATIC, 0)
    assert rows == ["age,region,n", "30,N,20", "30,S,22", "40,N,12", "40,S,20", "70 or more,N,14", "70 or more,S,27"]


def test_codes_are_merged_under_their_parents(world: World) -> None:
    request, found = proposed(world, "SELECT sic, region, count(*) AS n FROM lfs GROUP BY ALL")
    (mark,) = (m for m, p in found.items() if "parents" in p.what)
    _, rows = taken(world, request, mark)
    assert rows == ["sic,region,n", "47,N,35", "47,S,54", "5210,N,11", "5210,S,15"]


def test_values_without_an_order_are_merged_from_the_smallest(world: World) -> None:
    table = repeated((30, ("nurse",)), (20, ("clerk",)), (12, ("smith",)), (3, ("diver",)), columns="job")
    world.provision("lfs", table, release=2)
    request, found = proposed(world, "SELECT job, count(*) AS n FROM lfs GROUP BY job")
    assert found["regroup-job"].loss == round(15 / 2 / 65, 6)
    assert found["withhold"].loss == round(3 / 65, 6)
    report, rows = taken(world, request, "regroup-job")
    assert (report.lane, rows) == (Lane.AUTOMATIC, ["job,n", "Others,15", "clerk,20", "nurse,30"])
    assert ("accepted form", "job: the smallest merged, 4 values to 3") in {(f.rule, f.reason) for f in report.findings}


def test_areas_are_merged_into_those_that_they_belong_to(world: World) -> None:
    districts = (("E06000001", "E12000001", 20), ("E06000002", "E12000001", 4), ("E06000003", "E12000002", 30))
    table = repeated(*((n, (d, r)) for d, r, n in districts), columns="district region")
    world.provision("lfs", table, release=2)
    request, found = proposed(world, "SELECT district, count(*) AS n FROM lfs GROUP BY district")
    (mark,) = (m for m, p in found.items() if "belong to" in p.what)
    assert taken(world, request, mark)[1] == ["district,n", "E12000001,24", "E12000002,30"]


def test_counts_are_rounded_until_the_attacker_fails(world: World) -> None:
    request, found = proposed(world, "SELECT region, age, count(*) AS n FROM lfs GROUP BY CUBE (region, age)")
    assert found["round"].what == "Counts rounded to multiples of 40"
    report, rows = taken(world, request, "round")
    assert (report.lane, report.withheld) == (Lane.AUTOMATIC, 0)
    assert {"N,80,0", "S,30,40", "All,All,120"} <= set(rows)


def test_a_rounded_table_adds_up_where_that_is_proposed(world: World) -> None:
    request, found = proposed(world, "SELECT region, age, count(*) AS n FROM lfs GROUP BY CUBE (region, age)")
    assert "add up" in found["round-additive"].what
    _, rows = taken(world, request, "round-additive")
    cells = {tuple(row.split(",")[:2]): int(row.split(",")[2]) for row in rows[1:]}
    for region in ("N", "S", "All"):
        assert cells[region, "All"] == sum(n for (r, age), n in cells.items() if r == region and age != "All")
    assert cells["All", "All"] == cells["N", "All"] + cells["S", "All"]


def test_no_rounding_is_proposed_for_figures_that_are_no_counts(world: World) -> None:
    several = [(r, a, p) for r in "NS" for a in (30, 40, 50) for p in range(1, a // 10 + 1)]
    pay = repeated(*((3, values) for values in several), columns="region age pay")
    world.provision("lfs", pay, release=2)
    _, found = proposed(world, "SELECT region, age, avg(pay) AS pay FROM lfs GROUP BY ALL")
    assert {"withhold", "regroup-age"} <= set(found)
    assert not any(mark.startswith("round") for mark in found)


def test_a_refused_request_is_asked_for_again_under_a_new_id(world: World) -> None:
    table = repeated(*((4, (age,)) for age in range(20, 60)), columns="age")
    world.provision("lfs", table, release=2)
    sql = "SELECT age, count(*) AS n FROM lfs GROUP BY age"
    refused = world.checked(sql)
    assert refused.lane is Lane.REFUSED, "every cell would be withheld"
    found = alternatives.alternatives(
        world.store, world.run, request=refused.request, actor=AUTHOR, folder=world.folder
    )
    assert {p.id for p in found} == {"round", "round-additive", "regroup-age"}
    report, rows = taken(world, refused.request, "regroup-age")
    assert report.request != refused.request
    assert rows[1] == "22 or less,12"


def test_a_safe_table_needs_no_proposal(world: World) -> None:
    assert proposed(world, "SELECT region, count(*) AS n FROM lfs GROUP BY region")[1] == {}


def test_only_the_author_takes_a_proposal_that_there_is(world: World) -> None:
    request, _ = proposed(world, "SELECT age, region, count(*) AS n FROM lfs GROUP BY ALL")
    with pytest.raises(OutputRefusal, match="no proposal of that name"):
        taken(world, request, "perturb")
    with pytest.raises(OutputRefusal, match="is not rob's"):
        alternatives.accept(world.store, world.run, request=request, proposal="round", actor="rob", folder=world.folder)
    taken(world, request, "regroup-age")
    with pytest.raises(OutputRefusal, match="Nothing has been proposed"):
        taken(world, request, "regroup-age")
