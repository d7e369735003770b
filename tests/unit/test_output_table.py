"""What a table looks like when it leaves: order, marks, numbers, the chart."""

import datetime
import json
from decimal import Decimal

import altair as alt
import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import Cell, ReleaseLimits
from integrated_data.output import chart
from integrated_data.output.check import shape_of
from integrated_data.output.table import Table, figure, has_keys, of_result, of_shape, to_csv, value
from tests.output_world import KEY, repeated, views_of

LIMITS = ReleaseLimits()


def table_of(engine: DuckDB, sql: str, t: pa.Table) -> Table:
    engine.load("t", Held(t))
    shape = shape_of(sql, views_of({"t": t}))
    return of_shape(engine.rows(shape.result), shape)


@pytest.mark.parametrize(
    ("held", "written"),
    [
        (0, "0"), (None, "[x]"), (12, "12"), (1_234_567, "1234567"), (0.123456789, "0.123457"), (12.5, "12.5"),
        (1234567.89, "1234568"), (-0.00001234567, "-0.0000123457"), (2.0, "2"), (99.99999999, "100"),
        ("North", "North"), ("=1+1", "'=1+1"), ("-9", "-9"), ("@SUM(A1)", "'@SUM(A1)"),
    ],
)  # fmt: skip
def test_a_figure_is_written_with_six_significant_figures(held: str | float | None, written: str) -> None:
    assert figure(held) == written


@pytest.mark.parametrize(("held", "written"), [(0, "0"), (12, "10"), (13, "15"), (17.5, "20"), (None, "[x]")])
def test_a_count_is_rounded_to_the_base(held: float | None, written: str) -> None:
    assert figure(held, rounding=5) == written


@pytest.mark.parametrize(
    ("raw", "made"),
    [
        (Decimal("12.00"), 12), (Decimal("12.5"), 12.5), (float("nan"), None), (True, "true"),
        (datetime.date(2026, 3, 31), "2026-03-31"), ([1, 2], "[1, 2]"),
    ],
)  # fmt: skip
def test_values_of_an_engine_become_plain(raw: object, made: object) -> None:
    assert value(raw) == made


def test_rows_stand_in_the_order_of_their_keys_and_not_of_their_figures(engine: DuckDB) -> None:
    t = repeated((3, (10, "b")), (9, (9, "a")), (4, (None, "a")), columns="age kind")
    table = table_of(engine, "SELECT age, count(*) AS n FROM t GROUP BY ROLLUP (age) ORDER BY n DESC", t)
    assert to_csv(table, limits=LIMITS).decode().split("\r\n") == [
        "age,n", "9,9", "10,3", "Not recorded,4", "All,16", "",
    ]  # fmt: skip


def test_a_withheld_cell_keeps_its_keys_and_loses_every_figure(engine: DuckDB) -> None:
    t = repeated((3, ("N", 5)), (9, ("S", 6)), columns="area pay")
    table = table_of(engine, "SELECT area, 'GBP' AS unit, count(*) AS n, avg(pay) AS pay FROM t GROUP BY area", t)
    held = frozenset({Cell((False,), ("N",))})
    assert to_csv(table, withheld=held, limits=LIMITS).decode().split() == [
        "area,unit,n,pay", "N,GBP,[c],[c]", "S,GBP,9,6",
    ]  # fmt: skip


def test_text_that_a_spreadsheet_would_run_is_made_harmless(engine: DuckDB) -> None:
    t = repeated((3, ("=HYPERLINK()",)), (3, ("+1",)), columns="area")
    table = table_of(engine, "SELECT area, count(*) AS n FROM t GROUP BY area", t)
    assert to_csv(table, limits=LIMITS).decode().split("\r\n")[1:3] == ["+1,3", "'=HYPERLINK(),3"]


@pytest.mark.parametrize(
    ("column", "found"),
    [([1, KEY], ("x",)), ([str(KEY)], ("x",)), ([float(KEY)], ("x",)), ([2**53 - 1], ()), (["N"], ()), ([None], ())],
)
def test_keys_are_known_by_their_size(column: list[object], found: tuple[str, ...]) -> None:
    assert has_keys(of_result(pa.table({"x": column}))) == found


@pytest.mark.parametrize(
    ("columns", "plan"),
    [
        ("region", chart.Plan("region", "n")),
        ("region, sex", chart.Plan("region", "n", colour="sex")),
        ("year, sex", chart.Plan("year", "n", colour="sex", ordered=True)),
        ("region, area", chart.Plan("region", "n", across="area")),
        ("region, sex, year", chart.Plan("year", "n", colour="sex", panel="region", ordered=True)),
    ],
)
def test_the_chart_suits_the_keys(engine: DuckDB, columns: str, plan: chart.Plan) -> None:
    groups = [(1, (f"R{n % 12:02}", f"A{n % 11:02}", "FM"[n % 2], 2020 + n % 3)) for n in range(400)]
    t = repeated(*groups, columns="region area sex year")
    table = table_of(engine, f"SELECT {columns}, count(*) AS n FROM t GROUP BY ALL", t)
    assert chart.plan_of(table) == plan
    drawn = chart.specification(table, withheld=frozenset(), title="T", limits=LIMITS)
    assert drawn is not None
    assert alt.Chart.from_dict(drawn, validate=True).to_dict(validate=True) == drawn
    assert chart.svg(drawn).startswith(b"<svg")


def test_a_single_total_has_no_chart(engine: DuckDB) -> None:
    t = repeated((20, ("N",)), columns="region")
    table = table_of(engine, "SELECT count(*) AS n FROM t", t)
    assert chart.specification(table, withheld=frozenset(), title="T", limits=LIMITS) is None


def test_the_chart_knows_no_figure_of_a_withheld_cell(engine: DuckDB) -> None:
    t = repeated((7, ("N",)), (20, ("S",)), columns="region")
    table = table_of(engine, "SELECT region, count(*) AS n FROM t GROUP BY region", t)
    held = frozenset({Cell((False,), ("N",))})
    drawn = json.dumps(chart.specification(table, withheld=held, title="T", limits=LIMITS))
    assert '"n": null' in drawn
    assert '"n": 7' not in drawn


def test_names_with_signs_of_vega_are_columns_all_the_same(engine: DuckDB) -> None:
    t = repeated((20, ("N",)), (20, ("S",)), columns="region")
    table = table_of(engine, 'SELECT region, count(*) AS "a.b[c]" FROM t GROUP BY region', t)
    drawn = chart.specification(table, withheld=frozenset(), title="T", limits=LIMITS)
    assert drawn is not None
    assert b"20" in chart.svg(drawn)
