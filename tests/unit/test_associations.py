"""Edges between two indexes: a drawn published table in, dated edges out, on a real engine."""

from datetime import date

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.publish.associations import (
    ASSOCIATIONS,
    Observed,
    contract_of,
    contradictory_sql,
    edges_sql,
    rows_sql,
)
from integrated_data.publish.periods import Dated, dated
from tests.delivering import contract_of as contract_with

LIVES, WORKS = ASSOCIATIONS[:2]
START, END = "started", "ended"
OWN = Dated('"started"', '"ended"')


def day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def published(engine: DuckDB, name: str, right: str, *rows: tuple[object, ...]) -> str:
    """A published table of (person, the other end, started, ended, probabilities, method of the person's link)."""
    full = [(*row, *(None, None, 0.9, 1.0, "exact")[len(row) - 2 :]) for row in rows]
    people, others, starts, ends, lp, rp, methods = zip(*full, strict=True)
    held = pa.table({
        "person_entity": pa.array(people, pa.int64()), f"{right}_entity": pa.array(others, pa.int64()),
        START: pa.array([day(s) for s in starts], pa.date32()), END: pa.array([day(e) for e in ends], pa.date32()),
        "person_link_probability": pa.array(lp, pa.float32()), f"{right}_link_probability": pa.array(rp, pa.float32()),
        "person_link_method": methods, f"{right}_link_method": ["exact"] * len(rows),
    })  # fmt: skip
    engine.load(name, Held(held))
    return name


def edges(engine: DuckDB, *observed: Observed) -> list[tuple[object, ...]]:
    """(person, other end, from, to, source, rows) in order."""
    association = LIVES if "address_entity" in engine.columns(observed[0].relation) else WORKS
    engine.create("rows", " UNION ALL ".join(rows_sql(association, one) for one in observed))
    found = engine.rows(edges_sql(association, "rows")).to_pylist()
    right = association.keys[1]
    return [
        (e["person_entity"], e[f"{right}_entity"], str(e["valid_from"]), e["valid_to"] and str(e["valid_to"]),
         e["source"], e["row_count"])
        for e in found
    ]  # fmt: skip


def test_a_job_lasts_from_its_start_to_its_end_or_until_further_notice(engine: DuckDB) -> None:
    pay = published(engine, "pay", "business", (1, 70, "2019-01-01", "2019-12-31"), (1, 71, "2019-06-01"))
    assert edges(engine, Observed(pay, "pay", OWN, date(2021, 4, 6))) == [
        (1, 70, "2019-01-01", "2019-12-31", "pay", 1),
        (1, 71, "2019-06-01", None, "pay", 1),
    ]


def test_spells_that_overlap_or_follow_are_one_and_gaps_stay(engine: DuckDB) -> None:
    pay = published(
        engine, "pay", "business",
        (1, 70, "2019-01-01", "2019-01-31"), (1, 70, "2019-02-01", "2019-02-28"), (1, 70, "2019-02-10", "2019-02-11"),
        (1, 70, "2019-05-01", "2019-05-31"),
    )  # fmt: skip
    assert edges(engine, Observed(pay, "pay", OWN, date(2021, 4, 6))) == [
        (1, 70, "2019-01-01", "2019-02-28", "pay", 3),
        (1, 70, "2019-05-01", "2019-05-31", "pay", 1),
    ]


def test_a_new_address_ends_the_old_one(engine: DuckDB) -> None:
    moves = published(engine, "moves", "address", (1, 50, "2018-03-01"), (1, 50, "2019-03-01"), (1, 51, "2020-07-15"))
    assert edges(engine, Observed(moves, "moves", OWN, date(2021, 1, 1))) == [
        (1, 50, "2018-03-01", "2020-07-14", "moves", 2),
        (1, 51, "2020-07-15", None, "moves", 1),
    ]


def test_sources_do_not_end_each_others_edges(engine: DuckDB) -> None:
    one = published(engine, "one", "address", (1, 50, "2018-03-01"))
    other = published(engine, "other", "address", (1, 51, "2020-01-01"))
    found = edges(engine, Observed(one, "one", OWN, date(2021, 1, 1)), Observed(other, "other", OWN, date(2021, 1, 1)))
    assert found == [(1, 50, "2018-03-01", None, "one", 1), (1, 51, "2020-01-01", None, "other", 1)]


def test_rows_without_dates_hold_from_their_delivery_to_the_next(engine: DuckDB) -> None:
    first = published(engine, "first", "address", (1, 50), (2, 60))
    second = published(engine, "second", "address", (1, 51), (2, 60))
    found = edges(
        engine,
        Observed(first, "census", Dated(), date(2011, 3, 27), date(2021, 3, 20)),
        Observed(second, "census", Dated(), date(2021, 3, 21)),
    )
    assert found == [
        (1, 50, "2011-03-27", "2021-03-20", "census", 1),
        (1, 51, "2021-03-21", None, "census", 1),
        (2, 60, "2011-03-27", None, "census", 2),
    ]


def test_one_day_says_where_somebody_lives_from_then_on_and_whom_they_worked_for_on_it(engine: DuckDB) -> None:
    moment = Dated('"started"', moment=True)
    seen = published(engine, "seen", "address", (1, 50, "2018-03-01"), (1, 51, "2020-01-01"))
    assert edges(engine, Observed(seen, "seen", moment, date(2021, 1, 1))) == [
        (1, 50, "2018-03-01", "2019-12-31", "seen", 1),
        (1, 51, "2020-01-01", None, "seen", 1),
    ]
    worked = published(engine, "worked", "business", (1, 70, "2018-03-01"), (1, 70, "2020-01-01"))
    assert edges(engine, Observed(worked, "worked", moment, date(2021, 1, 1))) == [
        (1, 70, "2018-03-01", "2018-03-01", "worked", 1),
        (1, 70, "2020-01-01", "2020-01-01", "worked", 1),
    ]


def test_a_row_without_a_link_or_that_ends_before_it_starts_is_no_edge(engine: DuckDB) -> None:
    pay = published(
        engine,
        "pay",
        "business",
        (None, 70, "2019-01-01"),
        (1, None, "2019-01-01"),
        (1, 70, "2019-02-01", "2019-01-01"),
    )
    assert edges(engine, Observed(pay, "pay", OWN, date(2021, 4, 6))) == []
    assert engine.rows(contradictory_sql("rows"))["n"].to_pylist() == [1]


def test_an_address_has_its_area_at_each_boundary_year(engine: DuckDB) -> None:
    held = pa.table({
        "address_entity": [50, 51], "area_entity": [7, 8], START: [day("2009-05-01"), day("2015-03-01")],
        END: [None, day("2018-12-31")],
        **{f"{end}_link_{what}": [value] * 2 for end in ("address", "area")
           for what, value in (("probability", 1.0), ("method", "exact"))},
    })  # fmt: skip
    engine.load("sites", Held(held))
    engine.load("attributes", Held(pa.table({
        "entity_id": [7, 8], "lsoa_2011": ["E1", "E2"], "lsoa_2021": ["E9", "E2"], "district_2011": ["D1", "D2"],
        "region": ["R", "R"],
    })))  # fmt: skip
    lies = ASSOCIATIONS[3]
    engine.create("rows", rows_sql(lies, Observed("sites", "sites", OWN, date(2021, 4, 6))))
    attributes = ("lsoa_2011", "lsoa_2021", "district_2011", "region")
    found = engine.rows(edges_sql(lies, "rows", attributes=attributes)).to_pylist()
    shown = [
        (e["address_entity"], str(e["valid_from"]), str(e["valid_to"]), e["boundary_year"], e["lsoa"], e["district"])
        for e in found
    ]
    assert shown == [
        (50, "2009-05-01", "2010-12-31", None, None, None),
        (50, "2011-01-01", "2020-12-31", 2011, "E1", "D1"),
        (50, "2021-01-01", "None", 2021, "E9", "D1"),
        (51, "2015-03-01", "2018-12-31", 2011, "E2", "D2"),
    ]
    assert {e["region"] for e in found} == {"R"}


def test_an_edge_carries_both_links_probabilities_and_is_provisional_where_every_link_is(engine: DuckDB) -> None:
    new = "provisional: new"
    pay = published(
        engine, "pay", "business",
        (1, 70, "2019-01-01", None, 0.8, 0.5, new), (1, 70, "2019-01-01", None, 0.9, 1.0, "exact"),
        (2, 70, "2019-01-01", None, 1.0, 1.0, new),
    )  # fmt: skip
    edges(engine, Observed(pay, "pay", OWN, date(2021, 4, 6)))
    found = engine.rows(edges_sql(WORKS, "rows")).to_pylist()
    assert [(e["person_link_method"], round(e["probability"], 4)) for e in found] == [
        ("association", 0.9), ("provisional: association", 1.0),
    ]  # fmt: skip


def test_the_published_columns_are_the_contracts(engine: DuckDB) -> None:
    moves = published(engine, "moves", "address", (1, 50, "2018-03-01"))
    engine.create("rows", rows_sql(LIVES, Observed(moves, "moves", OWN, date(2021, 1, 1))))
    engine.create("edges", edges_sql(LIVES, "rows"))
    kinds = engine.columns("edges")
    assert {c.name for c in contract_of(LIVES).columns} <= set(kinds)
    assert {kinds["valid_from"], kinds["valid_to"]} == {"DATE"}


FROM, TO, EVENT, MONTH = Meaning.EFFECTIVE_FROM, Meaning.EFFECTIVE_TO, Meaning.EVENT_DATE, Meaning.MONTH


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([], Dated()),
        ([("since", FROM), ("till", TO), ("start", EVENT)], Dated('"since"::DATE', '"till"::DATE')),
        ([("start_date", EVENT), ("end_date", EVENT)], Dated('"start_date"::DATE', '"end_date"::DATE')),
        ([("claim_end", EVENT)], Dated(None, '"claim_end"::DATE')),
        ([("paid", MONTH)], Dated("date_trunc('month', \"paid\"::DATE)::DATE", 'last_day("paid"::DATE)')),
        ([("admitted", EVENT)], Dated('"admitted"::DATE', moment=True)),
        ([("tending", EVENT)], Dated('"tending"::DATE', moment=True)),
    ],
)
def test_how_rows_are_dated(columns: list[tuple[str, Meaning]], expected: Dated) -> None:
    made = [Column(n, n, Kind.DATE, meaning, Handling.PAYLOAD) for n, meaning in columns]
    assert dated(contract_with(*made), published={n for n, _ in columns}) == expected
    assert dated(contract_with(*made), published=set()) == Dated()


def test_rows_that_say_the_same_are_one_edge_in_whatever_order_they_come(engine: DuckDB) -> None:
    rows = [(n * 7919 % 1000, 70, "2021-03-21", None, 0.9, n / 2000, "exact") for n in range(2000)]
    found = edges(engine, Observed("pay", published(engine, "pay", "business", *rows), OWN, date(2021, 4, 1)))
    assert [(e[0], e[5]) for e in found] == [(n, 2) for n in range(1000)]
