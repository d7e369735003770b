"""Crosswalks: weights of each old code sum to one, totals are conserved, a year to itself changes nothing."""

import math

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.index.reference.crosswalk import Table, carried_sql, same_sql, shared_sql

ENGINE = DuckDB(Limits(threads=1, memory="1GB"))
CODES = st.sampled_from(["A", "B", "C", "D"])
SIZES = st.floats(0, 1e9, allow_nan=False, allow_infinity=False)
PAIRS = st.lists(st.tuples(CODES, st.sampled_from(["x", "y", "z"]), SIZES), min_size=1, max_size=12)
VALUES = st.floats(-1e9, 1e9, allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.tuples(st.one_of(CODES, st.sampled_from(["new", None])), VALUES), min_size=1, max_size=30)


def load(name: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    kinds = {"size": pa.float64(), "people": pa.float64()}
    held = {c: pa.array([row[i] for row in rows], kinds.get(c, pa.string())) for i, c in enumerate(columns)}
    ENGINE.load(name, Held(pa.table(held)))


@settings(max_examples=60, deadline=None)
@given(PAIRS, ROWS)
def test_weights_sum_to_one_and_totals_are_conserved(pairs, rows) -> None:
    load("counted", ("from_code", "to_code", "size"), pairs)
    ENGINE.create("weights", shared_sql("FROM counted"))
    sums = ENGINE.rows("SELECT from_code, sum(weight) AS whole, min(weight) AS least FROM weights GROUP BY from_code")
    assert {row["from_code"] for row in sums.to_pylist()} == {pair[0] for pair in pairs}
    assert all(math.isclose(r["whole"], 1.0, rel_tol=1e-12) and r["least"] >= 0 for r in sums.to_pylist())
    load("told", ("area", "people"), rows)
    carried = ENGINE.rows(carried_sql(Table("told", "area", ("people",)), "weights")).to_pylist()
    scale = math.fsum(abs(value) for _, value in rows) or 1.0
    assert abs(math.fsum(r["people"] for r in carried) - math.fsum(value for _, value in rows)) <= 1e-9 * scale
    assert len({r["area"] for r in carried}) == len(carried)


@settings(max_examples=20, deadline=None)
@given(ROWS)
def test_a_year_to_itself_changes_nothing(rows) -> None:
    load("told", ("area", "people"), rows)
    ENGINE.create("weights", same_sql("SELECT area AS code FROM told"))
    carried = ENGINE.rows(carried_sql(Table("told", "area", ("people",)), "weights")).to_pylist()
    before: dict[str | None, list[float]] = {}
    for code, value in rows:
        before.setdefault(code, []).append(value)
    assert {r["area"] for r in carried} == set(before)
    assert all(math.isclose(r["people"], math.fsum(before[r["area"]]), rel_tol=1e-9, abs_tol=1e-3) for r in carried)
