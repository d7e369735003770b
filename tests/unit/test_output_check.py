"""The check from a query to what would leave: tables drawn in, lane and CSV out."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import QueryState
from integrated_data.model.agreement import Conditions
from integrated_data.model.errors import OutputRefusal, QueryRefusal
from integrated_data.model.output import Ask, CheckReport, Lane, Outcome, OutputState
from integrated_data.output import listing, request
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, people, repeated

#: Region, sex and pay: the north has 9 women.
LFS = repeated(
    (9, ("N", "F", 100)), (1, ("N", "M", 90)), (40, ("N", "M", 110)),
    (30, ("S", "F", 120)), (1, ("S", "F", 80)), (35, ("S", "M", 130)), (1, ("S", "M", 20)),
    columns="region sex pay",
)  # fmt: skip
GP = repeated((12, ("asthma",)), (12, ("angina",)), columns="condition")


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": LFS, "gp": GP})
    parser.close()


def csv(world: World, report: CheckReport, name: str = "table.csv") -> list[str]:
    place = world.folder / "requests" / report.request / "package" / name
    return place.read_text(encoding="utf-8").split()


def said(report: CheckReport) -> set[tuple[str, Outcome]]:
    return {(f.rule, f.outcome) for f in report.findings}


def test_a_safe_table_may_leave_at_once(world: World) -> None:
    report = world.checked("SELECT region, count(*) AS people, avg(pay) AS pay FROM lfs GROUP BY region")
    assert (report.lane, report.withheld) == (Lane.AUTOMATIC, 0)
    assert csv(world, report) == ["region,people,pay", "N,50,107.8", "S,67,123.134"]


def test_a_small_cell_is_withheld_and_the_rest_leaves(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people FROM lfs GROUP BY ALL")
    assert (report.lane, report.withheld) == (Lane.AUTOMATIC, 1)
    assert csv(world, report) == ["region,sex,people", "N,F,[c]", "N,M,41", "S,F,31", "S,M,36"]


def test_totals_do_not_give_a_withheld_cell_away(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people FROM lfs GROUP BY ROLLUP (region, sex)")
    assert ("secondary suppression", Outcome.WITHHOLD) in said(report)
    assert csv(world, report) == [
        "region,sex,people", "N,F,[c]", "N,M,[c]", "N,All,50", "S,F,31", "S,M,36", "S,All,67", "All,All,117",
    ]  # fmt: skip


def test_margins_on_both_sides_take_a_square_of_cells(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people FROM lfs GROUP BY CUBE (region, sex)")
    rows = csv(world, report)
    assert [r for r in rows if "[c]" in r] == ["N,F,[c]", "N,M,[c]", "S,F,[c]", "S,M,[c]"]
    assert "All,F,40" in rows


def test_totals_in_another_table_of_the_request_count_as_well(world: World) -> None:
    report = world.checked(
        "SELECT region, sex, count(*) AS people FROM lfs GROUP BY ALL",
        "SELECT region, count(*) AS people FROM lfs GROUP BY region",
    )
    assert (report.lane, report.files[-2:]) == (Lane.AUTOMATIC, ("table-2.csv", "table.csv"))
    assert csv(world, report)[1:3] == ["N,F,[c]", "N,M,[c]"]
    assert csv(world, report, "table-2.csv") == ["region,people", "N,50", "S,67"]


def test_tables_of_one_request_that_differ_by_two_people_do_not_leave(world: World) -> None:
    report = world.checked(
        "SELECT region, count(*) AS people FROM lfs GROUP BY region",
        "SELECT region, count(*) AS people FROM lfs WHERE pay > 85 GROUP BY region",
    )
    assert report.lane is Lane.REFUSED
    assert ("difference between releases", Outcome.REFUSE) in said(report)


def test_a_derived_figure_goes_with_its_cell(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people, avg(pay) AS pay FROM lfs GROUP BY ALL")
    assert csv(world, report)[1] == "N,F,[c],[c]"


def test_zero_missing_and_withheld_stay_apart(world: World) -> None:
    table = repeated((12, ("a", 1)), (12, ("a", 0)), (12, ("b", None)), (3, ("c", 1)), columns="area works")
    world.provision("lfs", table, release=2)
    report = world.checked("SELECT area, sum(works) AS works, count(*) AS n FROM lfs GROUP BY area")
    assert csv(world, report) == ["area,works,n", "a,12,24", "b,[x],12", "c,[c],[c]"]


def test_every_figure_of_a_nought_is_a_zero(world: World) -> None:
    table = repeated((20, ("a", 7)), (20, ("a", 0)), (15, ("b", 9)), (15, ("b", 0)), columns="area pay")
    world.provision("lfs", table, release=2)
    sql = "SELECT area, count(*) AS n, sum(pay) FILTER (WHERE area = 'b') AS pay FROM lfs GROUP BY area"
    report = world.checked(sql)
    assert csv(world, report)[1:] == ["a,40,[x]", "b,30,135"]


def test_one_person_who_dominates_a_total_is_withheld(world: World) -> None:
    table = repeated((1, ("N", 1_000_000)), (30, ("N", 100)), (15, ("S", 100)), (15, ("S", 110)), columns="region pay")
    world.provision("lfs", table, release=2)
    report = world.checked("SELECT region, sum(pay) AS pay FROM lfs GROUP BY region")
    assert {r for r, _ in said(report)} >= {"dominance (n, k)", "p-ratio"}
    assert csv(world, report) == ["region,pay", "N,[c]", "S,3150"]


def test_one_person_with_most_rows_of_a_count_is_withheld(world: World) -> None:
    visits = people(
        *[(1, "N")] * 200, *[(n, "N") for n in range(2, 14)], *[(n, "S") for n in range(20, 60)], columns="region"
    )
    world.provision("gp", visits, release=2)
    report = world.checked("SELECT region, count(*) AS visits FROM gp GROUP BY region")
    assert csv(world, report) == ["region,visits", "N,[c]", "S,40"]


def test_third_category_is_not_left_over_from_the_columns(world: World) -> None:
    table = repeated(
        (20, ("N", "A")), (20, ("N", "B")), (3, ("N", "C")), (30, ("S", "A")), (30, ("S", "B")), columns="region kind"
    )
    world.provision("lfs", table, release=2)
    report = world.checked("""SELECT region, count(*) AS n, count(*) FILTER (WHERE kind = 'A') AS a,
                              count(*) FILTER (WHERE kind = 'B') AS b FROM lfs GROUP BY region""")
    assert ("difference", Outcome.WITHHOLD) in said(report)
    assert csv(world, report)[1:] == ["N,[c],[c],[c]", "S,60,30,30"]


def test_missing_pay_of_a_few_does_not_withhold_a_mean(world: World) -> None:
    table = repeated((20, ("N", 100)), (20, ("N", 90)), (3, ("N", None)), columns="region pay")
    world.provision("lfs", table, release=2)
    report = world.checked("SELECT region, avg(pay) AS pay FROM lfs GROUP BY region")
    assert csv(world, report) == ["region,pay", "N,95"]


def test_everything_withheld_is_refused(world: World) -> None:
    report = world.checked("SELECT pay, sex, count(*) FROM lfs WHERE pay < 100 GROUP BY ALL")
    assert report.lane is Lane.REFUSED
    assert ("nothing left", Outcome.REFUSE) in said(report)
    assert report.files == ()
    assert any("ask for coarser groups" in f.reason for f in report.findings)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM lfs WHERE pay > 999",
        "SELECT sex, count(*) AS n FROM lfs WHERE pay < 81 GROUP BY ROLLUP (sex)",
    ],
)
def test_a_total_that_breaks_a_rule_is_not_sent_to_coarser_groups(world: World, sql: str) -> None:
    report = world.checked(sql)
    assert report.lane is Lane.REFUSED
    (reason,) = (f.reason for f in report.findings if f.rule == "nothing left")
    assert reason.startswith("The total of all breaks a rule itself: ask about more people")


def test_a_list_of_rare_values_is_looked_at_by_people(world: World) -> None:
    report = world.checked("SELECT pay, count(*) FROM lfs GROUP BY pay")
    assert report.lane is Lane.REVIEW
    assert ("rare value", Outcome.REVIEW) in said(report)


def test_a_group_all_in_one_class_is_looked_at_by_people(world: World) -> None:
    table = repeated((20, ("N", "ill")), (20, ("S", "ill")), (20, ("S", "well")), columns="region state")
    world.provision("lfs", table, release=2)
    report = world.checked("SELECT region, state, count(*) FROM lfs GROUP BY ALL")
    assert report.lane is Lane.REVIEW
    assert {("class disclosure", Outcome.REVIEW), ("zeros", Outcome.NOTE)} <= said(report)


def test_a_hierarchy_is_not_a_class(world: World) -> None:
    table = repeated((20, ("N", "N1")), (20, ("N", "N2")), (20, ("S", "S1")), columns="region district")
    world.provision("lfs", table, release=2)
    assert world.checked("SELECT region, district, count(*) FROM lfs GROUP BY ALL").lane is Lane.AUTOMATIC


@pytest.mark.parametrize(
    ("sql", "lane", "rule"),
    [
        ("SELECT person_key, count(*) FROM lfs GROUP BY person_key", Lane.REFUSED, "identifiers"),
        ("SELECT * FROM lfs", Lane.REFUSED, "microdata"),
        ("SELECT region, max(pay) FROM lfs GROUP BY region", Lane.REFUSED, "extremes"),
        ("SELECT region, stddev(pay) FROM lfs GROUP BY region", Lane.REVIEW, "shape"),
        ("SELECT stddev(pay), first(person_key) FROM lfs", Lane.REFUSED, "extremes"),
        ("SELECT stddev(pay), avg(person_key) FROM lfs", Lane.REFUSED, "identifiers"),
        ("SELECT max(person_key)::VARCHAR AS k FROM lfs", Lane.REFUSED, "extremes"),
        ("SELECT region, count(*) FROM lfs GROUP BY region LIMIT 1", Lane.REVIEW, "shape"),
    ],
)
def test_other_shapes_take_other_lanes(world: World, sql: str, lane: Lane, rule: str) -> None:
    report = world.checked(sql)
    assert (report.lane, rule in {f.rule for f in report.findings}) == (lane, True)


def test_a_second_table_about_one_person_less_does_not_leave(world: World) -> None:
    world.released("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    again = world.checked("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    assert again.lane is Lane.AUTOMATIC, "the very same table tells nothing new"
    other = world.checked("SELECT region, count(*) AS n FROM lfs WHERE pay <> 20 GROUP BY region")
    assert other.lane is Lane.REFUSED
    (finding,) = (f for f in other.findings if f.rule == "difference between releases")
    assert f"release {other.seen[0]}" in finding.reason
    most = world.checked("SELECT region, count(*) AS n FROM lfs WHERE sex = 'M' AND region = 'S' GROUP BY region")
    assert most.lane is Lane.AUTOMATIC, "a difference of many people tells of nobody"


def test_a_third_table_that_tells_nothing_with_the_others_leaves(world: World) -> None:
    world.released("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    world.released("SELECT region, avg(pay) AS pay FROM lfs GROUP BY region")
    assert world.checked("SELECT region, sum(pay) AS pay FROM lfs GROUP BY region").lane is Lane.AUTOMATIC


def test_a_third_table_that_tells_of_one_person_with_the_others_does_not_leave(world: World) -> None:
    """Everybody less the south less the north above 90 is one man; no two of the three are near."""
    world.released("SELECT count(*) AS n FROM lfs")
    world.released("SELECT sex, count(*) AS n FROM lfs GROUP BY sex")
    world.released("SELECT count(*) AS n FROM lfs WHERE region = 'S'")
    third = world.checked("SELECT region, count(*) AS n FROM lfs WHERE region = 'N' AND pay > 90 GROUP BY region")
    assert third.lane is Lane.REFUSED
    (finding,) = (f for f in third.findings if f.rule == "difference between releases")
    with world.store.read() as connection:
        everybody, by_sex, south = (release.request for release in outputs.releases(connection))
    assert f"release {everybody} and release {south} it tells of too few people" in finding.reason
    assert by_sex not in finding.reason
    assert finding.reason.endswith("does not: N")


def test_the_stricter_minimum_of_both_tables_counts(world: World) -> None:
    ten = "SELECT region, count(*) AS n FROM lfs WHERE region = 'N' AND NOT (sex = 'F' OR pay = 90) GROUP BY region"
    every = "SELECT region, count(*) AS n FROM lfs {} GROUP BY region"
    world.released(every.format(""))
    assert world.checked(ten).lane is Lane.AUTOMATIC, "ten people less, and ten are enough"
    world.agree("gp", Conditions(minimum_people=15))
    world.released(every.format("LEFT JOIN gp USING (person_key)"))
    assert world.checked(ten).lane is Lane.REFUSED, "the table with gp asks for fifteen"


def test_a_later_table_does_not_show_what_an_earlier_one_withheld(world: World) -> None:
    world.released("SELECT region, sex, count(*) AS n FROM lfs GROUP BY ROLLUP (region, sex)")  # N: both held back
    assert world.checked("SELECT region, count(*) AS n FROM lfs WHERE sex = 'M' GROUP BY region").lane is Lane.REFUSED


def test_another_dataset_has_nothing_to_do_with_it(world: World) -> None:
    world.released("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    assert world.checked("SELECT condition, count(*) AS n FROM gp GROUP BY condition").lane is Lane.AUTOMATIC


def test_the_strictest_condition_of_any_dataset_counts(world: World) -> None:
    world.agree("gp", Conditions(minimum_people=30, rounding=5))
    report = world.checked("SELECT region, sex, count(*) AS n FROM lfs LEFT JOIN gp USING (person_key) GROUP BY ALL")
    assert csv(world, report) == ["region,sex,n", "N,F,[c]", "N,M,40", "S,F,30", "S,M,35"]


def test_data_that_changed_since_the_request_stop_the_check(world: World) -> None:
    asked = world.ask("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    world.provision("lfs", LFS.slice(5), release=2)
    with pytest.raises(OutputRefusal, match="data behind this request have changed"):
        world.check(asked)


def test_evidence_that_cannot_be_had_goes_to_people(world: World) -> None:
    asked = world.ask("SELECT region, count(*) AS n FROM lfs GROUP BY region")

    def broken(sql: str) -> pa.Table:
        raise QueryRefusal("The query ran longer than it may")

    report = request.check(
        world.store, broken, request=asked.id, actor="service", folder=world.folder, ledger=world.ledger
    )
    assert report.lane is Lane.REVIEW


def test_only_finished_queries_of_the_project_can_be_asked_for(world: World) -> None:
    other = world.log("SELECT count(*) FROM lfs", project="P-2")
    failed = world.log("SELECT count(*) FROM lfs", state=QueryState.FAILED)
    for query, why in ((other, "not of project"), (failed, "no result"), ("q-none", "no query")):
        ask = Ask("P-1", AUTHOR, (query,), "Mine")
        with pytest.raises((OutputRefusal, QueryRefusal), match=why):
            request.request(world.store, world.run, ask=ask, folder=world.folder)
    with pytest.raises(OutputRefusal, match="1 to 20"):
        request.request(world.store, world.run, ask=Ask("P-1", AUTHOR, (), "Mine"), folder=world.folder)


def test_people_inside_see_which_cells_are_held_back_and_why(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people FROM lfs GROUP BY ROLLUP (region, sex)")
    held = {(r["region"], r["sex"]): r["why"] for r in listing.withheld_rows(world.folder, report.request)}
    assert held == {("N", "F"): "minimum people", ("N", "M"): "hides another cell"}
    with world.store.read() as connection:
        (row,) = listing.request_rows(outputs.requests(connection, project="P-1"))
    assert (row["state"], row["lane"], row["cells"], row["withheld"]) == ("releasable", "automatic", 7, 2)


def test_a_result_that_is_a_data_set_is_no_output(world: World) -> None:
    with pytest.raises(OutputRefusal, match="more than 100,000 cells"):
        world.ask("SELECT a.pay, b.pay FROM lfs a, lfs b, gp c, gp d")


def test_evidence_stays_with_the_service(world: World) -> None:
    report = world.checked("SELECT region, sex, count(*) AS people FROM lfs GROUP BY ALL")
    place = world.folder / "requests" / report.request
    files = [f for f in place.rglob("*") if f.is_file()]
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    assert {f.stat().st_mode & 0o777 for f in (place, place / "package")} == {0o700}
    assert '"people": 9' in (place / "evidence.json").read_text()
    leaving = "".join(f.read_text() for f in (place / "package").iterdir() if f.suffix in (".json", ".csv", ".txt"))
    leaving += (place / "package" / "queries.sql").read_text()
    assert '"people": 9' not in leaving
    assert ",9" not in leaving


def test_a_checked_request_is_checked_once(world: World) -> None:
    asked = world.ask("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    world.check(asked)
    with pytest.raises(OutputRefusal, match="is releasable and cannot become"):
        world.check(asked)


def test_an_author_takes_a_request_back(world: World) -> None:
    asked = world.ask("SELECT region, count(*) AS n FROM lfs GROUP BY region")
    with pytest.raises(OutputRefusal, match="is not rob's"):
        request.withdraw(world.store, request=asked.id, actor="rob")
    request.withdraw(world.store, request=asked.id, actor=AUTHOR)
    with world.store.read() as connection:
        assert outputs.get_request(connection, asked.id).state is OutputState.WITHDRAWN
