"""Every function allowed on Spark gives what DuckDB gives: the cases of `spark_functions.txt` on both, and laws.

Sail runs with the other tests; Apache Spark with `make test-spark`.
"""

import math
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held, Stored
from integrated_data.engines.binder import Binder, Unbound
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.spark import Spark, SparkFailure
from integrated_data.engines.spark_aggregates import AGGREGATES, OVER, QUANTILES, WINDOWS
from integrated_data.engines.spark_functions import SCALARS
from integrated_data.engines.spark_relations import Translation
from integrated_data.engines.spark_values import Untranslated
from tests import sparks

NAN, INF = math.nan, math.inf

SHAPE = pa.schema([
    ("id", pa.int32()), ("i", pa.int32()), ("b", pa.int64()), ("x", pa.float64()), ("y", pa.float64()),
    ("c", pa.decimal128(10, 2)), ("k", pa.bool_()), ("g", pa.string()), ("s", pa.string()), ("t", pa.string()),
    ("d", pa.date32()), ("e", pa.date32()), ("m", pa.timestamp("us")),
])  # fmt: skip

ROWS = [
    (1, 1, 10, 2.5, 0.0, "1.25", True, "n", "abc", "b", "2020-02-29", "2021-03-01", "2020-02-29 12:30:00"),
    (2, 2, -7, -2.5, 3.0, "-1.25", False, "n", "", "", "2020-12-31", "2020-01-01", "2019-12-31 23:59:59.5"),
    (3, None, None, None, None, None, None, None, None, None, None, None, None),
    (4, -7, 5_000_000_000, 0.285, -1.0, "99999999.99", True, "S", " é ", "é", "1999-01-03", "2000-01-03", "1970-01-01"),
    (5, 2, 0, NAN, 1.5, "0.50", None, "S", "it's", "\u00a0", "2021-01-03", "2021-01-04", "2020-02-29"),
    (6, 100, 3, INF, -INF, "2.50", False, "S", "back\\slash", "a", "2024-02-29", "2023-02-28", "2020-03-01 00:00:00"),
    (7, 0, 4, 1e300, 2.675, "-0.01", True, "n", "𝒳b\ne", "e", "2020-01-31", "2020-01-31", "2038-01-19 03:14:08"),
]  # fmt: skip


def drawn(rows: list[tuple[Any, ...]]) -> pa.Table:
    made = [
        (*r[:5], r[5] and Decimal(r[5]), *r[6:10], *(v and date.fromisoformat(v) for v in r[10:12]),
         r[12] and datetime.fromisoformat(r[12])) for r in rows
    ]  # fmt: skip
    return pa.Table.from_pylist([dict(zip(SHAPE.names, r, strict=True)) for r in made], SHAPE)


def cases() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    text = Path(__file__).with_name("spark_functions.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            found[next(reversed(found))].append(line)
    return found


CASES = cases()

#: Figures beside each other in one statement, so that a slow engine is asked less often.
AT_ONCE = 25


def statements() -> list[str]:
    """Every case as a statement, values and figures many at once."""
    made = []
    for start in range(0, len(CASES["values"]), AT_ONCE):
        shown = ", ".join(f"{e} AS v{n}" for n, e in enumerate(CASES["values"][start : start + AT_ONCE]))
        made.append(f"SELECT id, {shown} FROM drawn")
    for start in range(0, len(CASES["figures"]), AT_ONCE):
        shown = ", ".join(f"{e} AS v{n}" for n, e in enumerate(CASES["figures"][start : start + AT_ONCE]))
        made += [f"SELECT g, {shown} FROM drawn GROUP BY g", f"SELECT {shown} FROM drawn"]
    return made + CASES["queries"]


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.spark)])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    folder = tmp_path_factory.mktemp("server")
    with sparks.sail() if request.param == "sail" else sparks.spark(folder) as url:
        engine = Spark(url)
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def ours() -> Iterator[DuckDB]:
    engine = DuckDB(Limits(threads=1, memory="1GB"))
    yield engine
    engine.close()


def plain(value: object) -> object:
    """A value that can be compared: floating points to ten digits, NaN as a word."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else "0" if value == 0 else f"{value:.10g}"
    return value


def same(theirs: pa.Table, expected: pa.Table, *, sql: str) -> None:
    assert theirs.schema == expected.schema, sql
    rows = [
        [tuple(map(plain, r)) for r in zip(*(c.to_pylist() for c in t.columns), strict=True)]
        for t in (theirs, expected)
    ]
    if "ORDER BY" not in sql or "OVER" in sql:
        rows = [sorted(r, key=repr) for r in rows]
    if rows[0] != rows[1]:
        pairs = [(i, a[i], b[i]) for a, b in zip(*rows, strict=False) for i in range(len(a)) if a[i] != b[i]]
        differ = [f"{expected.schema.names[i]}: {a!r} is not {b!r}" for i, a, b in pairs]
        raise AssertionError("\n".join([sql, f"{len(rows[0])} rows against {len(rows[1])}", *differ[:20]]))


def hold(engines: tuple[Spark, DuckDB], table: pa.Table, folder: Path) -> None:
    """Give both the same table, in a file that DuckDB wrote, as a project's copies are."""
    place, (_, ours) = folder / "drawn.parquet", engines
    ours.load("given", Held(table))
    ours.save("FROM given", place, sealed=False)
    for engine in engines:
        engine.load("drawn", Stored((place,), sealed=False))


@pytest.fixture(scope="module")
def both(other: Spark, ours: DuckDB, tmp_path_factory: pytest.TempPathFactory) -> tuple[Spark, DuckDB]:
    folder = tmp_path_factory.mktemp("drawn")
    hold((other, ours), drawn(ROWS), folder)
    return other, ours


@pytest.mark.parametrize("sql", statements(), ids=lambda s: s[:70])
def test_the_same_rows(sql: str, both: tuple[Spark, DuckDB]) -> None:
    theirs, expected = (engine.rows(sql) for engine in both)
    same(theirs, expected, sql=sql)


def test_files_that_differ_in_their_columns_are_one_relation(both: tuple[Spark, DuckDB], tmp_path: Path) -> None:
    places = tuple(tmp_path / f"{n}.parquet" for n in range(2))
    both[1].save("SELECT k, 'a' AS a FROM range(2) t(k)", places[0], sealed=False)
    both[1].save("SELECT k + 2 AS k, 'b' AS b FROM range(2) t(k)", places[1], sealed=False)
    for order in (places, places[::-1]):
        for engine in both:
            engine.load("unlike", Stored(order, sealed=False))
        sql = "SELECT k, a, b FROM unlike"
        theirs, expected = (engine.rows(sql) for engine in both)
        same(theirs, expected, sql=sql)
        assert expected.num_rows == 4


def test_every_function_on_the_list_has_a_case() -> None:
    text = Path(__file__).with_name("spark_functions.txt").read_text(encoding="utf-8")
    words = {w.lower() for w in re.findall(r"[A-Za-z_]+", text)}
    spoken = {"to_days": "day", "to_weeks": "weeks", "to_months": "month", "to_years": "year"}
    names = {n for n in {*SCALARS, *AGGREGATES, *OVER, *QUANTILES} if n.isidentifier()} - {"character_length"}
    windows = {w.removeprefix("WINDOW_").lower().replace("rank_dense", "dense_rank") for w in WINDOWS}
    missing = {n for n in names | windows if spoken.get(n, n) not in words | {"count_star"}}
    assert missing == set()


def test_the_page_for_people_names_every_function() -> None:
    page = (Path(__file__).parents[2] / "docs" / "spark.md").read_text(encoding="utf-8")
    told = {word.lower() for span in re.findall(r"`([^`]+)`", page) for word in span.split()}
    names = {*SCALARS, *AGGREGATES, *QUANTILES} - {"~~", "!~~"}
    assert names - told == set()


STOPPED = [
    "2147483647 + i", "b + 9223372036854775807", "b * 9223372036854775807", "(i * 3)::TINYINT",
    "sqrt(x)", "ln(i - 1)", "(x * 1e300)::INT", "x::BIGINT",
]  # fmt: skip


@pytest.mark.parametrize("expression", STOPPED)
def test_what_ends_in_an_error_ends_in_one_everywhere(expression: str, both: tuple[Spark, DuckDB]) -> None:
    other, ours = both
    for ends, engine in ((Exception, ours), (SparkFailure, other)):
        with pytest.raises(ends):
            engine.rows(f"SELECT {expression} FROM drawn")


REFUSED = {
    "regexp_full_match(s, 'a.*')": "function regexp_full_match",
    "jaro_winkler_similarity(s, t)": "function jaro_winkler_similarity",
    "strftime(d, '%Y')": "function strftime",
    "quantile_cont(i, [0.1, 0.2])": "function quantile_cont of several places, or of other than numbers",
    "string_agg(s, ',')": "function string_agg", "any_value(i)": "function any_value", "first(i)": "function first",
    "corr(i, b)": "function corr", "mode(i)": "function mode", "random()": "function random",
    "s::INT": "a cast from VARCHAR to INTEGER", "x::VARCHAR": "a cast from DOUBLE to VARCHAR",
    "m::TIMESTAMPTZ": "a cast from TIMESTAMP to TIMESTAMP WITH TIME ZONE", "[i]": "function list_value",
    "date_diff('hour', d, e)": "date_diff other than in days, weeks, months, quarters or years",
    "substring(s, i)": "function substring other than of given places from 1 on",
    "s LIKE t": "LIKE with a pattern that is not given, or holds a backslash",
    "i IN (SELECT id FROM drawn) OR k": "a subquery beside OR or inside an expression",
}  # fmt: skip


@pytest.mark.parametrize(("expression", "named"), REFUSED.items())
def test_what_is_not_known_to_be_the_same_is_refused(expression: str, named: str) -> None:
    binder = Binder()
    binder.hold("drawn", drawn(ROWS))
    sql = f"SELECT {expression} FROM drawn" if " OR " not in expression else f"SELECT id FROM drawn WHERE {expression}"
    with pytest.raises(Untranslated) as caught:
        Translation(binder.tables).query(binder.plan(sql))
    assert named in str(caught.value)
    binder.close()


def test_letters_of_several_forms_end_the_query(both: tuple[Spark, DuckDB]) -> None:
    with pytest.raises(SparkFailure, match="letters"):
        both[0].rows("SELECT upper(s) FROM drawn")


def test_nothing_of_the_text_is_passed_on() -> None:
    binder = Binder()
    binder.hold("drawn", drawn(ROWS))
    sql = "SELECT 'x'' OR \\1\\ --' AS \"a`b\", i AS \"drop table\" FROM drawn /* marked */ WHERE s = 'marked;\n'"
    asked = Translation(binder.tables).query(binder.plan(sql), rows=11)
    assert "marked" not in asked
    assert "drop" not in asked
    assert re.fullmatch(r"[A-Za-z0-9_ .,()'`=]+", asked)
    assert asked.endswith("LIMIT 11")
    for other in (
        "SELECT 1; SELECT 2",
        "DROP TABLE drawn",
        "SELECT * FROM read_csv('x.csv')",
        "SELECT * FROM elsewhere",
    ):
        with pytest.raises((Unbound, Untranslated)):
            Translation(binder.tables).query(binder.plan(other))
    binder.close()


WHOLE = st.one_of(st.none(), st.integers(-50, 50))
REAL = st.one_of(st.none(), st.just(NAN), st.floats(-1e6, 1e6).map(lambda f: round(f, 4) + 0.0))
WORDS = st.one_of(st.none(), st.text("aAbé '\\%_\n\u00a0", max_size=4))
DAYS = st.one_of(st.none(), st.dates(date(1901, 1, 1), date(2099, 12, 31)))

TABLES = st.lists(
    st.fixed_dictionaries({
        "i": WHOLE, "b": WHOLE, "x": REAL, "y": REAL, "k": st.one_of(st.none(), st.booleans()),
        "c": st.one_of(st.none(), st.decimals(-9999, 9999, places=2)),
        "g": st.one_of(st.none(), st.sampled_from(["n", "S"])), "s": WORDS, "t": WORDS, "d": DAYS, "e": DAYS,
        "m": st.one_of(st.none(), st.datetimes(datetime(1901, 1, 1), datetime(2099, 1, 1))),
    }),
    max_size=6,
)  # fmt: skip


@given(rows=TABLES, which=st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_engines_agree(
    rows: list[dict[str, Any]], which: Any, both: tuple[Spark, DuckDB], tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbered = [{"id": n, **r} for n, r in enumerate(rows)]
    table = pa.Table.from_pylist(numbered, SHAPE)
    folder = tmp_path_factory.mktemp("law")
    asked = which.sample(statements(), 4)
    hold(both, table, folder)
    for sql in asked:
        same(*(engine.rows(sql) for engine in both), sql=sql)


def test_a_table_in_memory_and_a_view_are_read_like_files(both: tuple[Spark, DuckDB]) -> None:
    for engine in both:
        engine.load("held", Held(pa.table({"a": [1, 2, None], "B": ["x", "y", "z"]})))
        engine.view("seen", "SELECT a * 2 AS twice, b FROM held WHERE a IS NOT NULL")
        assert engine.columns("seen") == {"twice": "BIGINT", "B": "VARCHAR"}
        assert sorted(engine.rows("SELECT twice FROM seen")["twice"].to_pylist()) == [2, 4]
        engine.drop("seen", "held")
