"""What the past of a feed explains, and what it does not; and what is measured of a delivery."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.feed import Every, Measures
from integrated_data.specimen.mobility import write_year
from integrated_data.specimen.mobility.days import bank_holidays
from integrated_data.validate.measures import measure
from integrated_data.validate.unlike import ENOUGH, Past, surprises
from tests.feeding import contract

WEEK = (1.0, 1.0, 1.0, 1.0, 1.1, 0.9, 0.6)
FIRST = date(2024, 1, 1)  # a Monday


def day(number: int, codes: Mapping[str, float] | None = None, *, scale: float = 1.0, **more: Any) -> Past:
    """A day of a feed with three areas, of 6,000, 3,000 and 1,000 journeys."""
    share = WEEK[number % 7] * scale * (1 + 0.01 * (number * 7919 % 5 - 2))
    volumes = codes if codes is not None else {"A": 6000.0, "B": 3000.0, "C": 1000.0}
    held = {c: round(v * share) for c, v in volumes.items()}
    exempt = more.pop("exempt", False)
    values = {"rows": 300, "volume": float(sum(held.values())), "repeated": 0, "outside": 0, "contents": f"{number}"}
    return Past((FIRST + timedelta(number)).isoformat(), Measures(**values | more, codes={"area": held}), exempt)


PAST = [day(n) for n in range(56)]


def said(today: Past, past: list[Past] = PAST) -> list[tuple[str, bool]]:
    return [(s.kind.value, s.grave) for s in surprises(today, past, every=Every.DAY)]


PICTURES = [
    ("a day like the others", day(56), []),
    ("a Sunday", day(62), []),
    ("a fifth more: told", day(56, scale=1.2), [("volume", False)]),
    ("less than half of any Sunday", day(56, scale=0.25), [("volume", True)]),
    ("more than twice of any Friday", day(56, scale=2.4), [("volume", True)]),
    ("the same on a public holiday", day(56, scale=0.25, exempt=True), []),
    ("the masts of B are out", day(56, {"A": 6000, "B": 200, "C": 1000}), [("volume", False), ("volume", True)]),
    ("B is gone and others came", day(56, {"A": 6000, "B1": 1500, "B2": 1500, "C": 1000}), [("codes", True)]),
    ("B is merged into A", day(56, {"A": 9000, "C": 1000}), [("codes", True)]),
    ("a code that few are behind came", day(56, {"A": 6000, "B": 3000, "C": 1000, "D": 9}), []),
    ("a festival in C", day(56, {"A": 6000, "B": 3000, "C": 4000}), [("volume", False), ("volume", False)]),
    ("yesterday's rows", day(56, contents="55"), [("contents", True)]),
    ("every row twice", day(56, repeated=150), [("repeated", True)]),
    ("one row twice of many", day(56, repeated=2), [("repeated", False)]),
    ("another day's rows", day(56, outside=300), [("period", True)]),
]


@pytest.mark.parametrize(("what", "today", "expected"), PICTURES, ids=[p[0] for p in PICTURES])
def test_what_the_past_does_not_explain(what: str, today: Past, expected: list[tuple[str, bool]]) -> None:
    assert sorted(said(today)) == sorted(expected)


def test_a_short_past_says_nothing_of_how_much_there_is() -> None:
    assert said(day(13, scale=0.1), PAST[: ENOUGH - 1]) == []
    assert said(day(13, contents="12"), PAST[: ENOUGH - 1]) == [("contents", True)]


def test_dates_of_long_ago_hold_no_first_delivery_and_stay_what_is_usual() -> None:
    joined = day(0, outside=300)  # a list of staff: its dates are when people began
    assert said(joined, []) == [("period", False)]
    assert said(day(1, outside=290), [joined]) == []
    assert said(day(1, outside=3), [day(0)]) == [("period", False)]
    assert said(day(1, outside=300), [day(0)]) == [("period", True)]
    assert said(day(0, repeated=150), []) == [("repeated", True)]


def test_new_codes_are_usual_once_they_were_accepted() -> None:
    halves = {"A": 6000, "B1": 1500, "B2": 1500, "C": 1000}
    assert said(day(57, halves), [*PAST[1:], day(56, halves)]) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(50, 5_000), st.floats(0.0, 0.25))
def test_a_day_that_is_within_the_past_is_never_grave(seed: int, size: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    areas = size * rng.lognormal(0, 1, 12)

    def drawn(number: int) -> Past:
        moved = areas * WEEK[number % 7] * np.exp(rng.normal(0, spread, 12))
        codes = {f"A{i}": float(v) for i, v in enumerate(rng.poisson(moved)) if v}
        values = Measures(100, sum(codes.values()), 0, 0, f"{number}", {"area": codes})
        return Past((FIRST + timedelta(number)).isoformat(), values)

    past = [drawn(n) for n in range(56)]
    again = Past("2024-02-26", Measures(**{**vars(past[rng.integers(0, 56)].measures), "contents": "new"}))
    assert not [s for s in surprises(again, past, every=Every.DAY) if s.grave]


def test_measures_of_a_table(engine: DuckDB) -> None:
    rows = pa.table({
        "day": [date(2024, 3, 1)] * 3 + [date(2024, 3, 2)], "origin": ["A", "A", "B", None], "trips": [10, 10, 5, 1]
    })  # fmt: skip
    period = (datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC))

    def measured(table: pa.Table) -> Measures:
        engine.load("t", Held(table))
        return measure(engine, contract(), relation="t", volume="", period=period)

    found = measured(rows)
    assert (found.rows, found.volume, found.repeated, found.outside) == (4, 26.0, 1, 1)
    assert found.codes == {"origin": {"A": 20.0, "B": 5.0}}
    dated_anew = rows.set_column(0, "day", pa.array([date(2024, 3, 9)] * 4)).take([3, 1, 0, 2])
    assert measured(dated_anew).contents == found.contents
    assert measured(rows.slice(0, 3)).contents != found.contents


def test_the_operators_year_is_the_same_each_time_and_has_its_holidays(tmp_path: Path) -> None:
    one, two = (write_year(tmp_path / name, people=5_000, seed=3, year=2023) for name in ("one", "two"))
    files = sorted(p.name for p in one.drop.iterdir())
    assert all((one.drop / f).read_bytes() == (two.drop / f).read_bytes() for f in files)
    assert all((one.drop / f).stat().st_mtime == (two.drop / f).stat().st_mtime for f in files)
    planted = [p for w in one.planted for p in w.periods]
    assert (len(one.planted), len(planted)) == (9, len(set(planted)))
    easter = [d for d in sorted(bank_holidays(2024)) if 3 <= d.month <= 4]
    assert easter == [date(2024, 3, 29), date(2024, 4, 1)]
    assert date(2022, 1, 3) in bank_holidays(2022)  # New Year's Day was a Saturday
    assert {date(2021, 12, 27), date(2021, 12, 28)} <= bank_holidays(2021)
