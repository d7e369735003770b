"""Who is behind a cell: small tables in, the people and sums of each cell out, on a real engine."""

from dataclasses import replace

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.evidence import CellEvidence, Part
from integrated_data.model.output import Cell, ReleaseLimits, View
from integrated_data.output.check import shape_of
from integrated_data.output.evidence import evidence as evidence_of
from integrated_data.output.members import MANY_ROWS, members_sql, read
from integrated_data.output.shape import Shape
from tests.output_world import key, people, views_of

Found = dict[tuple[str | None, ...], CellEvidence]


def evidence(engine: DuckDB, sql: str, *, views: dict[str, View] | None = None, **tables: pa.Table) -> list[Found]:
    """Evidence of each class by the values of the keys (`All` where a key is summed over)."""
    for name, table in tables.items():
        engine.load(name, Held(table))
    known = views_of(tables) | (views or {})
    shape = shape_of(sql, known)
    found = []
    for unit in range(len(shape.units)):
        cells = at_once(engine, shape, unit=unit, views=known)
        large = {name: replace(view, rows=MANY_ROWS + 1) for name, view in known.items()}
        assert at_once(engine, shape, unit=unit, views=large) == cells  # one person's rows added up by the engine
        found.append(
            {tuple("All" if t else v for t, v in zip(c.total, c.values, strict=True)): e for c, e in cells.items()}
        )
    return found


def at_once(engine: DuckDB, shape: Shape, *, unit: int, views: dict[str, View]) -> dict[Cell, CellEvidence]:
    members = read(engine.rows(members_sql(shape, unit=unit, views=views)), shape)
    found = evidence_of(members, shape, limits=ReleaseLimits())
    if members.alone:  # level by level it is the same as by group
        members.__dict__["alone"] = False
        assert evidence_of(members, shape, limits=ReleaseLimits()) == found
    return found


LFS = people((1, "N", 10), (2, "N", 30), (3, "S", 5), (None, "S", 7), (None, "S", 9), columns="region pay")
GP = people((1, "asthma"), (1, "asthma"), (1, "angina"), (2, "asthma"), columns="condition")


def test_people_are_counted_once_however_many_rows_they_have(engine: DuckDB) -> None:
    (found,) = evidence(
        engine, "SELECT condition, count(*) FROM lfs JOIN gp USING (person_key) GROUP BY condition", lfs=LFS, gp=GP
    )
    assert {k: (e.people, e.rows) for k, e in found.items()} == {("asthma",): (2, 3), ("angina",): (1, 1)}


def test_unmatched_rows_count_no_people_but_are_contributors_of_their_own(engine: DuckDB) -> None:
    (found,) = evidence(engine, "SELECT region, sum(pay) FROM lfs GROUP BY region", lfs=LFS)
    south = found[("S",)]
    assert (south.people, south.contributors, south.rows) == (1, 3, 3)
    assert (south.measures[0].total, south.measures[0].top) == (21, (9, 7))


def test_provisional_people_count_for_nothing_but_differences(engine: DuckDB) -> None:
    methods = pa.array(["exact", "provisional: new", "exact", None, None])
    table = LFS.append_column("person_link_method", methods)
    (found,) = evidence(engine, "SELECT region, count(*) FROM lfs GROUP BY region", lfs=table)
    assert (found[("N",)].people, found[("N",)].contributors) == (1, 2)


def test_a_provisional_person_stays_so_through_a_step_that_drops_the_method(engine: DuckDB) -> None:
    table = LFS.append_column("person_link_method", pa.array(["exact", "provisional: new", "exact", None, None]))
    sql = "WITH p AS (SELECT DISTINCT person_key, region FROM lfs) SELECT region, count(*) FROM p GROUP BY region"
    (found,) = evidence(engine, sql, lfs=table)
    assert (found[("N",)].people, found[("N",)].contributors) == (1, 2)


def test_somebody_whom_another_table_links_to_the_index_counts(engine: DuckDB) -> None:
    lfs = LFS.append_column(
        "person_link_method", pa.array(["exact", "provisional: new", "provisional: new", None, None])
    )
    gp = GP.append_column("person_link_method", pa.array(["exact", "exact", "exact", "model"]))
    sql = "SELECT region, count(*) FROM lfs LEFT JOIN gp USING (person_key) GROUP BY region"
    (found,) = evidence(engine, sql, lfs=lfs, gp=gp)
    assert {k: e.people for k, e in found.items()} == {("N",): 2, ("S",): 0}


def test_every_level_of_totals_has_its_own_people(engine: DuckDB) -> None:
    sql = "SELECT region, condition, count(*) FROM lfs JOIN gp USING (person_key) GROUP BY CUBE (region, condition)"
    (found,) = evidence(engine, sql, lfs=LFS, gp=GP)
    assert {k: e.people for k, e in found.items()} == {
        ("N", "asthma"): 2, ("N", "angina"): 1, ("N", "All"): 2,
        ("All", "asthma"): 2, ("All", "angina"): 1, ("All", "All"): 2,
    }  # fmt: skip


def test_a_group_without_a_name_is_not_a_total(engine: DuckDB) -> None:
    table = people((1, "N"), (2, None), (3, None), columns="region")
    (found,) = evidence(engine, "SELECT region, count(*) FROM lfs GROUP BY ROLLUP (region)", lfs=table)
    assert {k: e.people for k, e in found.items()} == {("N",): 1, (None,): 2, ("All",): 3}


def test_the_largest_two_are_people_not_rows(engine: DuckDB) -> None:
    pay = people((1, 50), (1, 60), (2, 100), (3, 1), columns="pay")
    (found,) = evidence(engine, "SELECT sum(pay) FROM pay", pay=pay)
    (measure,) = found[()].measures
    assert (measure.top, measure.total, measure.people) == ((110, 100), 211, 3)
    assert (measure.lowest, measure.highest, measure.indicator) == (1, 100, False)


def test_amounts_that_cancel_show_in_the_absolute_total(engine: DuckDB) -> None:
    pay = people((1, -50), (2, 60), columns="pay")
    (found,) = evidence(engine, "SELECT sum(pay) FROM pay", pay=pay)
    (measure,) = found[()].measures
    assert (measure.total, measure.net, measure.negative) == (110, 10, True)


def test_a_share_knows_both_sides(engine: DuckDB) -> None:
    sql = "SELECT avg(CASE WHEN region = 'N' THEN 1 ELSE 0 END) FROM lfs"
    (found,) = evidence(engine, sql, lfs=LFS)
    share = found[()].measures[0]
    assert (share.people, share.others, share.others_counted, share.indicator) == (2, 3, 1, True)


def test_parts_are_those_who_add_to_the_same_counts(engine: DuckDB) -> None:
    sql = """SELECT count(*) AS n, count(*) FILTER (WHERE region = 'N') AS north,
                    count(*) FILTER (WHERE pay > 8) AS well_paid FROM lfs"""
    (found,) = evidence(engine, sql, lfs=LFS)
    assert sorted(found[()].parts, key=lambda p: p.adds) == [
        Part((True, False, False), contributors=2, counted=1),
        Part((True, False, True), contributors=1, counted=0),
        Part((True, True, True), contributors=2, counted=2),
    ]


def test_sums_of_one_column_are_compared_person_by_person(engine: DuckDB) -> None:
    sql = "SELECT sum(pay) AS everybody, sum(pay) FILTER (WHERE region = 'N') AS north FROM lfs"
    (found,) = evidence(engine, sql, lfs=LFS)
    (pair,) = found[()].close
    assert (pair.apart, pair.counted) == (3, 1)


def test_tables_that_are_not_joined_by_the_key_are_each_counted(engine: DuckDB) -> None:
    doctors = people((8, "N"), (9, "N"), columns="area")
    sql = "SELECT l.region, count(*) FROM lfs l JOIN doctors d ON d.area = l.region GROUP BY l.region"
    patients, treated = evidence(engine, sql, lfs=LFS, doctors=doctors)
    assert (patients[("N",)].people, treated[("N",)].people) == (2, 2)
    assert patients[("N",)].rows == 4


def test_businesses_are_the_unit_of_a_table_about_businesses(engine: DuckDB) -> None:
    firms = pa.table({"business_key": [key(1), key(1), key(2)], "sector": ["A"] * 3, "turnover": [1, 2, 3]})
    views = {"firms": View(("business_key", "sector", "turnover"), "business_key")}
    sql = "SELECT sector, sum(turnover) FROM firms GROUP BY sector"
    (found,) = evidence(engine, sql, views=views, firms=firms)
    assert found[("A",)].people == 2


def test_people_of_stacked_records_are_counted_once(engine: DuckDB) -> None:
    sql = """WITH seen AS (SELECT person_key, condition FROM gp UNION SELECT person_key, 'asthma' FROM lfs)
             SELECT condition, count(DISTINCT person_key) FROM seen GROUP BY condition"""
    (found,) = evidence(engine, sql, lfs=LFS, gp=GP)
    assert {k: e.people for k, e in found.items()} == {("asthma",): 3, ("angina",): 1}


def test_an_empty_table_has_no_cells(engine: DuckDB) -> None:
    assert evidence(engine, "SELECT count(*) FROM lfs WHERE pay > 1000", lfs=LFS) == [{}]


@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
def test_a_person_is_known_from_whichever_side_is_there(engine: DuckDB, join: str) -> None:
    other = people((2, 1), (7, 1), columns="seen")
    sql = f"SELECT count(*) FROM lfs l {join} other o ON l.person_key = o.person_key"
    (found,) = evidence(engine, sql, lfs=LFS, other=other)
    expected = {"JOIN": 1, "LEFT JOIN": 3, "RIGHT JOIN": 2, "FULL JOIN": 4}
    assert found[()].people == expected[join]


def test_a_provisional_person_stays_so_through_a_step_that_drops_the_key(engine: DuckDB) -> None:
    table = LFS.append_column("person_link_method", pa.array(["exact", "provisional: new", "exact", None, None]))
    sql = "WITH p AS (SELECT region FROM lfs WHERE pay > 1) SELECT region, count(*) FROM p GROUP BY region"
    (found,) = evidence(engine, sql, lfs=table)
    assert (found[("N",)].people, found[("N",)].contributors) == (1, 2)


def test_a_cube_of_people_with_one_row_each_is_the_same_by_group_and_level_by_level(engine: DuckDB) -> None:
    rows = [(n, "NSW"[n % 3], "FM"[n % 2], (n * 37) % 11 - 2) for n in range(60)]
    sql = "SELECT region, sex, sum(pay) AS pay, count(*) FILTER (pay > 3) AS more FROM t GROUP BY CUBE (region, sex)"
    (found,) = evidence(engine, sql, t=people(*rows, (None, "S", "F", 4), columns="region sex pay"))
    total = found[("All", "All")]
    assert (total.people, total.contributors, total.measures[0].top) == (60, 61, (8, 8))
    assert total.measures[0].net == sum(e.measures[0].net for key, e in found.items() if "All" not in key)


@pytest.mark.filterwarnings("error")
def test_rows_linked_to_nobody_change_nothing_of_who_is_provisional(engine: DuckDB) -> None:
    table = people(*((n, "N") for n in range(1, 13)), (None, "N"), columns="region")
    methods = ["exact"] * 4 + ["provisional: new"] * 9  # the row linked to nobody says so too
    table = table.append_column("person_link_method", pa.array(methods))
    (found,) = evidence(engine, "SELECT region, count(*) FROM lfs GROUP BY region", lfs=table)
    assert (found[("N",)].people, found[("N",)].contributors) == (4, 13)


@pytest.mark.filterwarnings("error")
def test_an_absent_key_among_the_provisional_makes_no_other_one_inexact(engine: DuckDB) -> None:
    lfs = people((1, "N"), (2, "N"), (3, "N"), columns="region")
    table = lfs.append_column("person_link_method", pa.array(["exact", "provisional: new", "provisional: new"]))
    engine.load("lfs", Held(table))
    views = views_of({"lfs": table})
    shape = shape_of("SELECT region, count(*) FROM lfs GROUP BY region", views)
    rows = engine.rows(members_sql(shape, unit=0, views=views))
    units = [[*r["units"], None] if r["a0"] is None else r["units"] for r in rows.to_pylist()]
    again = rows.set_column(rows.column_names.index("units"), "units", pa.array(units, rows.schema.field("units").type))
    members = read(again, shape)
    assert sorted(zip(members.unit.tolist(), members.counted.tolist(), strict=True)) == [
        (key(1), True), (key(2), False), (key(3), False)
    ]  # fmt: skip
