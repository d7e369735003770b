"""Outputs of scratch tables: followed through to the people behind them, or left to people to decide."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_data.control import queries
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import QueryState
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Ask, CheckReport, Lane
from integrated_data.output import request
from integrated_data.output.derived import over_views
from integrated_data.output.tree import Unproven
from tests.output_desk import desk
from tests.output_world import AUTHOR, World

RICH = {"sql": "SELECT person_key, region FROM lfs WHERE pay > 90.5", "of": {}}
NORTH = {"sql": "SELECT * FROM scratch.rich AS r WHERE r.region = 'N'", "of": {"rich": RICH}}


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    yield from desk(engine, store, tmp_path)


def logged(world: World, sql: str, **body: Any) -> str:
    number = f"q-{len(sql)}"
    told = {"sql": sql, **body}
    queries.begin(world.store, number, project="P-1", person=AUTHOR, state=QueryState.DONE, body=told)
    return number


def checked(world: World, sql: str, made: dict[str, Any]) -> CheckReport:
    ask = Ask("P-1", AUTHOR, (logged(world, sql, scratch=made),), "Of kept rows")
    return world.check(request.request(world.store, world.run, ask=ask, folder=world.folder))


def test_a_kept_table_is_the_step_that_made_it() -> None:
    sql = over_views(
        "WITH lfs AS (SELECT 1 AS a) SELECT scratch.rich.region, n.region FROM scratch.rich, scratch.north AS n, lfs",
        {"rich": RICH, "north": NORTH},
    )
    assert sql == (
        "WITH scratch_rich AS (SELECT person_key, region FROM lfs WHERE pay > 90.5), "
        "scratch_rich_2 AS (SELECT person_key, region FROM lfs WHERE pay > 90.5), "
        "scratch_north AS (SELECT * FROM scratch_rich_2 AS r WHERE r.region = 'N'), "
        "lfs AS (SELECT 1 AS a) "
        "SELECT rich.region, n.region FROM scratch_rich AS rich, scratch_north AS n, lfs"
    )


def test_people_are_followed_through_a_kept_table(world: World) -> None:
    report = checked(world, "SELECT region, count(*) AS people FROM scratch.rich GROUP BY region", {"rich": RICH})
    assert (report.lane, report.cells, report.withheld) == (Lane.AUTOMATIC, 2, 0)
    [signature] = report.signatures
    assert signature.datasets == ("lfs",)
    few = {"sql": "SELECT person_key, region FROM lfs WHERE pay = 91", "of": {}}
    report = checked(world, "SELECT region, count(*) AS n FROM scratch.few GROUP BY region", {"few": few})
    assert report.withheld == 1 or report.lane is Lane.REFUSED


@pytest.mark.parametrize("made", [{"lfs": None}, {"other": RICH}])
def test_what_cannot_be_followed_is_not_taken_for_a_view(world: World, made: dict[str, Any]) -> None:
    sql = "SELECT region, count(*) AS people FROM scratch.lfs GROUP BY region"
    with pytest.raises(Unproven):
        over_views(sql, made)
    assert request.datasets_of(sql, world.store, project="P-1") == ["lfs"]
    assert request.proven(world.store, sql, project="P-1") is None


def test_making_a_table_is_no_result(world: World) -> None:
    query = logged(world, "CREATE TABLE scratch.x AS SELECT * FROM lfs", made="x")
    with pytest.raises(OutputRefusal, match="has no result"):
        request.request(world.store, world.run, ask=Ask("P-1", AUTHOR, (query,), "x"), folder=world.folder)
