"""Medians and percentiles: which leave at once, and what the evidence behind them is."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.control.store import Store
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import CheckReport, Lane, Outcome, ReleaseLimits, View
from integrated_data.output.check import check_table
from integrated_data.site.parser import DuckDBParser
from tests.output_world import World, key, people, repeated

#: In the north half of the people have about 1,000, in the south nobody has anybody's amount but at 2,000.
PAY = repeated(
    (20, ("N", 500)), *[(1, ("N", 980 + n)) for n in range(30)], (20, ("N", 1_500)),
    (15, ("S", 700)), *[(1, ("S", 1_000 + 11 * n)) for n in range(40)], (15, ("S", 2_000)),
    columns="region pay",
)  # fmt: skip


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": PAY})
    parser.close()


def csv(world: World, report: CheckReport) -> list[str]:
    place = world.folder / "requests" / report.request / "package" / "table.csv"
    return place.read_text(encoding="utf-8").split()


@pytest.mark.parametrize(
    ("figure", "leaves"),
    [
        ("median(round(pay, -2))", True),
        ("quantile_cont(round(pay, -2), 0.5)", True),
        ("quantile_disc(round(pay, -3), 0.4)", True),
        ("median(pay)", False),
        ("quantile_disc(round(pay, -2), 0.3)", False),
    ],
)
def test_a_percentile_leaves_where_no_few_could_move_it(world: World, figure: str, leaves: bool) -> None:
    report = world.checked(f"SELECT region, {figure} AS pay FROM lfs WHERE region = 'N' GROUP BY region")
    assert report.lane is (Lane.AUTOMATIC if leaves else Lane.REFUSED)
    assert (("quantiles", Outcome.WITHHOLD) in {(f.rule, f.outcome) for f in report.findings}) is not leaves
    assert not leaves or csv(world, report) == ["region,pay", "N,1000"]


def test_a_group_whose_median_few_could_move_is_withheld(world: World) -> None:
    report = world.checked("SELECT region, median(round(pay, -2)) AS pay FROM lfs GROUP BY region")
    (finding,) = (f for f in report.findings if f.rule == "quantiles")
    assert (report.lane, finding.cells) == (Lane.AUTOMATIC, 1)
    assert csv(world, report)[1:] == ["N,1000", "S,[c]"]
    report = world.checked("SELECT region, median(round(pay, -3)) AS pay, count(*) AS n FROM lfs GROUP BY region")
    assert report.lane is Lane.AUTOMATIC
    assert csv(world, report)[1] == "N,1000,70"


def test_a_percentile_of_the_last_few_is_withheld(world: World) -> None:
    report = world.checked("SELECT region, quantile_cont(pay, 0.99) AS pay, count(*) AS n FROM lfs GROUP BY region")
    assert "tail" not in {f.rule for f in report.findings}, "20 and 15 people share it"
    top = "SELECT region, quantile_cont(pay, 0.95) AS pay FROM lfs WHERE pay < 1400 GROUP BY region"
    report = world.checked(top)
    assert ("tail", Outcome.WITHHOLD) in {(f.rule, f.outcome) for f in report.findings}
    assert report.lane is Lane.REFUSED


def test_people_with_several_rows_need_more_that_are_alike(world: World) -> None:
    rows = [(n, "N", pay) for n, pay in enumerate([100] * 15 + [200] * 32 + [300] * 15)]
    sql = "SELECT region, median(pay) AS pay FROM lfs GROUP BY region"
    world.provision("lfs", people(*rows, columns="region pay"), release=2)
    assert world.checked(sql).lane is Lane.AUTOMATIC
    world.provision("lfs", people(*rows, (20, "N", 200), columns="region pay"), release=3)
    assert world.checked(sql).lane is Lane.REFUSED


def test_a_second_median_of_one_person_less_does_not_leave(world: World) -> None:
    sql = "SELECT median(round(pay, -2)) AS pay FROM lfs WHERE region = 'N' AND pay <> {}"
    world.released(sql.format(1))
    assert world.checked(sql.format(985)).lane is Lane.REFUSED


#: How many have each of three amounts; and nine of them, neighbours in that order, who all get another amount or none.
ALIKE = st.lists(st.integers(0, 40), min_size=3, max_size=3)
CHANGES = st.tuples(st.integers(0, 119), st.sampled_from([None, -5, 0, 1, 2, 9]))
FIGURES = st.sampled_from(["median(pay)", "quantile_disc(pay, 0.25)", "quantile_cont(pay, 0.7)"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ALIKE, CHANGES, FIGURES)
def test_fewer_people_than_the_minimum_never_move_what_leaves(
    engine: DuckDB, alike: list[int], changes: tuple[int, int | None], figure: str
) -> None:
    """Law: with other amounts of up to nine people, or none, a figure that passes is the very same."""
    pays: list[int | None] = [pay for pay, often in enumerate(alike) for _ in range(often)]
    if len(pays) < 30 or quantile_and_rules(engine, figure, pays)[1]:
        return
    other = list(pays)
    for person in range(9):
        other[(changes[0] + person) % len(pays)] = changes[1]
    assert quantile_and_rules(engine, figure, other)[0] == quantile_and_rules(engine, figure, pays)[0]


def quantile_and_rules(engine: DuckDB, figure: str, pays: list[int | None]) -> tuple[object, set[str]]:
    keys = [key(n) for n in range(len(pays))]
    engine.load("lfs", Held(pa.table({"person_key": keys, "pay": pa.array(pays, pa.int64())})))
    sql = f"SELECT {figure} AS pay FROM lfs"
    result = engine.rows(sql)
    views = {"lfs": View(("person_key", "pay"), "person_key")}
    checked = check_table(
        "q-1", sql, result=result, views=views, run=lambda sql, _=None: engine.rows(sql), limits=ReleaseLimits()
    )
    assert checked.shape is not None
    return result.column("pay")[0].as_py(), {f.rule for f in checked.findings}
