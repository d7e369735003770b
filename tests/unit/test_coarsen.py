"""Coarsening, drawn, and its law: the strictest of two rules is coarser than both."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.approve.coarsen import check_shape, column_sql, rows_sql
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.shaping import (
    Coarsening,
    Period,
    PostcodePart,
    RowFilter,
    Window,
    as_coarse,
    strictest,
)

DAY = date(2021, 3, 21)


def seen(engine: DuckDB, values: list[Any], rule: Coarsening | None) -> list[Any]:
    engine.load("t", Held(pa.table({"n": range(len(values)), "v": values})))
    type_ = engine.columns("t")["v"]
    found: list[Any] = engine.rows(f"SELECT {column_sql('v', rule, type_=type_)} AS v FROM t ORDER BY n")[
        "v"
    ].to_pylist()
    return found


@pytest.mark.parametrize(
    ("values", "rule", "wanted"),
    [
        ([date(1990, 3, 21), date(1990, 3, 22), None], Coarsening(age_at=DAY, band=5), ["30-34", "30-34", None]),
        ([date(1991, 3, 21), date(1991, 3, 22)], Coarsening(age_at=DAY, band=5), ["30-34", "25-29"]),
        ([1930, 1936, 2000], Coarsening(age_at=DAY, band=5, top=85), ["85+", "85+", "20-24"]),
        ([date(1990, 3, 22)], Coarsening(age_at=DAY), ["30"]),
        (["SW1A 1AA", "m1 1ae", None], Coarsening(postcode=PostcodePart.AREA), ["SW", "M", None]),
        (["SW1A 1AA", "M11AE"], Coarsening(postcode=PostcodePart.DISTRICT), ["SW1A", "M1"]),
        (["SW1A 1AA", "M11AE"], Coarsening(postcode=PostcodePart.SECTOR), ["SW1A 1", "M1 1"]),
        ([10, 99_999, 100_001, None], Coarsening(top=100_000), [10, 99_999, 100_000, None]),
        ([3, 17, 20], Coarsening(band=10, bottom=5), [0, 10, 20]),
        ([12.7, 150.0], Coarsening(band=10, top=100), [10.0, 100.0]),
        ([date(2021, 5, 17)], Coarsening(period=Period.QUARTER), [date(2021, 4, 1)]),
        ([date(2021, 5, 17)], Coarsening(period=Period.YEAR), [date(2021, 1, 1)]),
        (["E11.9", None], Coarsening(first=3), ["E11", None]),
        (["x"], None, ["x"]),
        (["x"], Coarsening(withheld=True), [None]),
    ],
)
def test_a_value_is_seen_as_coarse_as_agreed(
    engine: DuckDB, values: list[Any], rule: Coarsening | None, wanted: list[Any]
) -> None:
    assert seen(engine, values, rule) == wanted


SOME = st.none() | st.integers(1, 30)
NUMBERS = st.builds(Coarsening, band=SOME, top=SOME, bottom=SOME).filter(lambda c: bool(c.ways))
AGES = st.builds(Coarsening, band=SOME, top=st.none() | st.integers(60, 90), age_at=st.sampled_from([DAY]))
PERIODS = st.builds(Coarsening, period=st.sampled_from(Period))
POSTCODES = st.builds(Coarsening, postcode=st.sampled_from(PostcodePart))
FIRSTS = st.builds(Coarsening, first=st.integers(1, 6))
KINDS: dict[str, tuple[Any, Any]] = {
    "number": (NUMBERS, st.integers(-50, 120)),
    "age": (AGES, st.dates(date(1920, 1, 1), date(2021, 1, 1))),
    "period": (PERIODS, st.dates(date(2019, 1, 1), date(2021, 12, 31))),
    "postcode": (POSTCODES, st.sampled_from(["SW1A 1AA", "SW1A 1AB", "SW1A 2AA", "SW1B 1AA", "M1 1AA"])),
    "first": (FIRSTS, st.text("AB1", min_size=1, max_size=6)),
}


@given(st.sampled_from(sorted(KINDS)), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_strictest_of_two_is_coarser_than_both(engine: DuckDB, kind: str, data: st.DataObject) -> None:
    rules, values = KINDS[kind]
    one, two = data.draw(rules), data.draw(rules)
    drawn = data.draw(st.lists(values, min_size=2, max_size=25))
    both = one.joined(two)
    assert both == two.joined(one)
    assert as_coarse({"v": both}, {"v": one}, columns=["v"])
    joint = seen(engine, drawn, both)
    for rule in (one, two):
        alone: dict[Any, Any] = {}
        for own, together in zip(seen(engine, drawn, rule), joint, strict=True):
            assert alone.setdefault(own, together) == together, "what one rule takes for one is one"


@pytest.mark.parametrize(
    "other",
    [Coarsening(first=2), Coarsening(age_at=date(2022, 1, 1), band=5), Coarsening(band=5), Coarsening(withheld=True)],
)
def test_rules_that_cannot_be_held_together_show_nothing(other: Coarsening) -> None:
    assert Coarsening(age_at=DAY, band=10).joined(other) == Coarsening(withheld=True)


def test_rules_of_several_agreements_hold_together() -> None:
    found = strictest(
        [{"income": Coarsening(top=100)}, {}, {"income": Coarsening(band=10), "sic": Coarsening(first=2)}]
    )
    assert found == {"income": Coarsening(band=10, top=100), "sic": Coarsening(first=2)}
    assert not as_coarse({}, found, columns=["income"])
    assert as_coarse({}, found, columns=["sex"])


REQUEST = DatasetRequest(
    "pay", ("income",), rows=(RowFilter("region", ("North", "O'Hare")),), window=Window("paid", DAY, date(2021, 12, 31))
)
PAID = [DAY, date(2021, 12, 31), date(2022, 1, 1), date(2021, 6, 1), None]


def test_rows_and_windows_leave_the_others_out(engine: DuckDB) -> None:
    regions = ["North", "O'Hare", "North", "South", "North"]
    engine.load("pay", Held(pa.table({"income": range(5), "region": regions, "paid": PAID})))
    where = rows_sql(REQUEST, "r", types=engine.columns("pay"))
    assert engine.rows(f"SELECT income FROM pay r {where}")["income"].to_pylist() == [0, 1]
    assert REQUEST.used == ("income", "region", "paid")


@pytest.mark.parametrize(
    ("types", "rules"),
    [
        ({"income": "VARCHAR", "paid": "DATE"}, {"income": Coarsening(band=5)}),
        ({"income": "INTEGER", "paid": "DATE"}, {"income": Coarsening(first=5)}),
        ({"income": "INTEGER", "paid": "DATE"}, {"income": Coarsening(withheld=True)}),
        ({"income": "INTEGER", "paid": "VARCHAR"}, {}),
    ],
)
def test_a_shape_that_does_not_fit_the_columns_is_refused(types: dict[str, str], rules: dict[str, Coarsening]) -> None:
    with pytest.raises(AgreementRefusal):
        check_shape(REQUEST, rules, types=types)
