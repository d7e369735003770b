"""Laws of the check, from drawn people to the CSV that leaves, recounted the plain way."""

import csv
import io
import random
from collections.abc import Iterator
from itertools import product

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.model.output import Mark, ReleaseLimits, View
from integrated_data.output.check import check_table, shape_of
from integrated_data.output.linked import protect
from integrated_data.output.table import to_csv
from tests.output_world import key

LIMITS = ReleaseLimits(minimum_people=4)
VIEWS = {"t": View(("person_key", "region", "sex", "pay"), "person_key")}
TOTALS = "SELECT region, sex, count(*) AS n, sum(pay) AS pay FROM t GROUP BY CUBE (region, sex)"
PLAIN = "SELECT region, sex, count(DISTINCT person_key) AS people FROM t GROUP BY ALL"

#: One row: a person (None: unmatched), who may have several rows, a region, a sex, a pay.
Row = tuple[int | None, str, str, int]
rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 30)), st.sampled_from("NS"), st.sampled_from("FM"), st.integers(1, 9)
    ),
    min_size=1, max_size=70,
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    made = DuckDB(Limits(threads=1))
    yield made
    made.close()


def released(engine: DuckDB, drawn: list[Row], sql: str) -> dict[tuple[str, str], dict[str, str]]:
    """The table that would leave, by its keys."""
    people, regions, sexes, pay = zip(*drawn, strict=True)
    keys = pa.array([key(p) for p in people], pa.int64())
    engine.load("t", Held(pa.table({"person_key": keys, "region": regions, "sex": sexes, "pay": pay})))
    result = engine.rows(shape_of(sql, VIEWS).result)
    checked = check_table("q", sql, result=result, views=VIEWS, run=engine.rows, limits=LIMITS)
    (done,) = protect([checked], LIMITS)
    text = to_csv(done.table, withheld=done.withheld, limits=LIMITS).decode()
    return {(r["region"], r["sex"]): r for r in csv.DictReader(io.StringIO(text))}


def people_of(drawn: list[Row], cell: tuple[str, str]) -> set[int]:
    region, sex = cell
    return {p for p, r, s, _ in drawn if p is not None and region in (r, "All") and sex in (s, "All")}


def is_withheld(row: dict[str, str]) -> bool:
    return Mark.WITHHELD.value in row.values()


@settings(max_examples=25, deadline=None)
@given(rows)
def test_a_published_cell_has_enough_people(engine: DuckDB, drawn: list[Row]) -> None:
    for sql in (PLAIN, TOTALS):
        for cell, row in released(engine, drawn, sql).items():
            if len(people_of(drawn, cell)) < LIMITS.minimum_people:
                assert is_withheld(row)


@settings(max_examples=25, deadline=None)
@given(rows)
def test_no_sum_has_one_withheld_part(engine: DuckDB, drawn: list[Row]) -> None:
    table = released(engine, drawn, TOTALS)
    margins = [(("All", "All"), [(r, "All") for r in "NS"]), (("All", "All"), [("All", s) for s in "FM"])]
    margins += [((r, "All"), [(r, s) for s in "FM"]) for r in "NS"]
    margins += [(("All", s), [(r, s) for r in "NS"]) for s in "FM"]
    for total, parts in margins:
        members = [table[cell] for cell in (total, *parts) if cell in table]
        assert sum(map(is_withheld, members)) != 1


@settings(max_examples=15, deadline=None)
@given(rows, st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(engine: DuckDB, drawn: list[Row], seed: int) -> None:
    shuffled = list(drawn)
    random.Random(seed).shuffle(shuffled)
    assert released(engine, drawn, TOTALS) == released(engine, shuffled, TOTALS)


@settings(max_examples=15, deadline=None)
@given(rows)
def test_one_person_more_does_not_open_a_cell_of_few(engine: DuckDB, drawn: list[Row]) -> None:
    before = released(engine, drawn, PLAIN)
    for cell in product("NS", "FM"):
        if cell in before and len(people_of(drawn, cell)) + 1 < LIMITS.minimum_people:
            after = released(engine, [*drawn, (99, *cell, 5)], PLAIN)
            assert is_withheld(before[cell])
            assert is_withheld(after[cell])


@settings(max_examples=15, deadline=None)
@given(rows)
def test_unmatched_rows_never_help_a_cell_to_its_minimum(engine: DuckDB, drawn: list[Row]) -> None:
    table = released(engine, [*drawn, *[(None, "N", "F", 5)] * 20], PLAIN)
    if len(people_of(drawn, ("N", "F"))) < LIMITS.minimum_people:
        assert is_withheld(table[("N", "F")])
