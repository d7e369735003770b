"""Evidence: what a sample of rows shows about each column, in a few passes for all columns together.

The sample is turned into one long table of distinct values, column by column; every detector is one
aggregate over it. What comes back are shares, shapes and bounds: the values themselves stay in the
engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.vocabulary import dates, people
from integrated_data.vocabulary.detect import (
    CONDITIONS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    MISSING_NUMBERS,
    MISSING_TOKENS,
    MISSING_YEARS,
    shape_sql,
)
from integrated_data.vocabulary.sql import name, texts

#: Cells of the sample that are looked at, rows within that, and distinct values put to the detectors.
MOST_CELLS = 1_000_000
FEWEST_ROWS, MOST_ROWS = 2_000, 50_000
MOST_VALUES = 1_000
MOST_SHAPES = 40
#: Different whole numbers from which a column may be seen to count something.
FEWEST_COUNTED = 8
#: Years that dates of administrative data lie in, and the first for layouts of digits alone.
FIRST, FIRST_BARE, LAST = 1000, 1850, 2150
_FIRST_WORD, _LAST_WORD = "split_part(u, ' ', 1)", "split_part(u, ' ', -1)"
_BEFORE_COMMA = f"rtrim({_FIRST_WORD}, ',')"
#: Share of values with a date's shape from which a column's dates are read.
DATELIKE = 0.4


@cache
def _names() -> pa.Table:
    """Names to compare with, as a table: to read them in a statement each time takes longer than to use them."""
    given = [True] * len(GIVEN_NAMES) + [False] * len(FAMILY_NAMES)
    return pa.table({"name": [*GIVEN_NAMES, *FAMILY_NAMES], "given": given})


@dataclass(frozen=True)
class Ends:
    """First and last parts of dates of three short numbers, of which one is a day and one may be a year.

    `values`: distinct dates; `firsts` and `lasts`: distinct parts; `first_high` and `last_high`: the greatest ones.
    """

    values: int
    firsts: int
    lasts: int
    first_high: int
    last_high: int


@dataclass(frozen=True)
class Evidence:
    """What one column's sample shows. Shares are of present values that are no missing code, by rows.

    `rows` in the sample; `present` of them filled; `distinct` values; `longest` and `mean_length` in
    characters; `shapes` with their shares, commonest first; `layouts` that read dates, with their
    shares; `missing` codes that occur; `low` and `high` of numbers or of dates' years; `counting`: whole numbers from
    0 or 1 without a gap, whose frequencies rise and fall once, as those of counts do and those of codes do not;
    `named`: what share of the values may be people; `ends`: of dates with two-digit years.
    """

    heading: str
    rows: int
    present: int = 0
    distinct: int = 0
    longest: int = 0
    mean_length: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    shapes: tuple[tuple[str, float], ...] = ()
    layouts: Mapping[frozenset[str], float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    counting: bool = False
    named: people.Named = field(default_factory=people.Named)
    ends: Ends | None = None

    def share(self, detector: str) -> float:
        """The share of values that meet a detector; 0 where nothing is known."""
        return self.shares.get(detector, 0.0)

    @property
    def distinct_share(self) -> float:
        """Distinct values as a share of filled rows; 0 for an empty column."""
        return self.distinct / self.present if self.present else 0.0

    def reads(self, layout: str) -> float:
        """The share of values that a date layout reads."""
        return sum(share for read, share in self.layouts.items() if layout in read)


def sample_rows(columns: int) -> int:
    """How many rows of a table with so many columns are looked at."""
    return max(FEWEST_ROWS, min(MOST_ROWS, MOST_CELLS // max(1, columns)))


def gather(engine: Engine, relation: str) -> tuple[Evidence, ...]:
    """Evidence for every column of a relation of text, in order; at most `sample_rows` rows are used."""
    headings = list(engine.columns(relation))
    with _long_table(engine, relation, headings=headings) as rows:
        shapes = _shapes(engine)
        found = _Found(
            _facts(engine), _shares(engine), shapes, _layouts(engine, shapes), _counting(engine), _people(engine),
            _ends(engine, shapes),
        )  # fmt: skip
    return tuple(found.evidence(heading, i, rows=rows) for i, heading in enumerate(headings))


@dataclass(frozen=True)
class _Found:
    """Rows of the queries, by column number."""

    facts: Mapping[int, Mapping[str, Any]]
    shares: Mapping[int, Mapping[str, Any]]
    shapes: Mapping[int, tuple[tuple[str, float], ...]]
    layouts: Mapping[int, Mapping[frozenset[str], float]]
    counting: frozenset[int]
    people: Mapping[int, people.Named]
    ends: Mapping[int, Ends]

    def evidence(self, heading: str, number: int, *, rows: int) -> Evidence:
        """What was found of one column."""
        facts, shares = self.facts.get(number), self.shares.get(number, {})
        if facts is None:
            return Evidence(heading, rows)
        total = shares.get("total") or 0
        return Evidence(
            heading, rows, facts["present"], facts["distinct_values"], facts["longest"], facts["mean_length"],
            {k: (shares[k] or 0) / total for k in CONDITIONS} if total else {},
            self.shapes.get(number, ()), self.layouts.get(number, {}), tuple(sorted(facts["tokens"] or ())),
            shares.get("low"), shares.get("high"), number in self.counting,
            self.people.get(number, people.Named()), self.ends.get(number),
        )  # fmt: skip


@contextmanager
def _long_table(engine: Engine, relation: str, *, headings: Sequence[str]) -> Iterator[int]:
    """`_values(column_number, v, n, coded)`: distinct trimmed values; `coded`: a code for "no value"."""
    most = sample_rows(len(headings))
    engine.create("_sample", f"SELECT * FROM {name(relation)} USING SAMPLE reservoir({most} ROWS) REPEATABLE (7)")
    rows = int(engine.rows("SELECT count(*) AS n FROM _sample")["n"][0].as_py())
    narrow = ", ".join(f"trim({name(h)}) AS {name(str(i))}" for i, h in enumerate(headings))
    coded = f"upper(v) IN {texts(MISSING_TOKENS)} OR v IN {texts(MISSING_NUMBERS)}"
    engine.create(
        "_values",
        f"SELECT CAST(c AS INTEGER) AS column_number, v, count(*) AS n, ({coded}) AS coded "
        f"FROM (UNPIVOT (SELECT {narrow} FROM _sample) ON COLUMNS(*) INTO NAME c VALUE v) "
        "WHERE v <> '' GROUP BY ALL",
    )
    engine.load("_names", Held(_names()))
    engine.load(people.WORDS, Held(pa.table(people.known())))
    chosen = (
        "SELECT column_number, v, n, upper(v) AS u FROM _values WHERE NOT coded "
        f"QUALIFY row_number() OVER (PARTITION BY column_number ORDER BY hash(v)) <= {MOST_VALUES}"
    )
    engine.create(
        "_few",
        f"SELECT *, translate(u, ' -', '') AS b, {_plain_shape()} AS s, {_named(_FIRST_WORD)} AS given, "
        f"{_named(_LAST_WORD, given=False)} "
        f"OR {_named(_BEFORE_COMMA, given=False)} AS family FROM ({chosen})",
    )
    try:
        yield rows
    finally:
        engine.drop("_sample", "_values", "_few", "_names", people.WORDS)


def _named(word: str, *, given: bool = True) -> str:
    return f"{word} IN (SELECT name FROM _names WHERE given = {given})"


def _plain_shape() -> str:
    """Shapes hold no letter of a value: those outside ASCII become A too."""
    return f"regexp_replace({shape_sql('v')}, '[^\\x00-\\x7F£€]', 'A', 'g')"


def _by_column(engine: Engine, sql: str) -> dict[int, dict[str, Any]]:
    return {row["column_number"]: row for row in engine.rows(sql).to_pylist()}


def _facts(engine: Engine) -> dict[int, dict[str, Any]]:
    return _by_column(
        engine,
        "SELECT column_number, CAST(sum(n) AS BIGINT) AS present, count(*) AS distinct_values, "
        "max(length(v)) AS longest, CAST(sum(n * length(v)) AS DOUBLE) / sum(n) AS mean_length, "
        "list(v) FILTER (WHERE coded) AS tokens FROM _values GROUP BY column_number",
    )


def _shares(engine: Engine) -> dict[int, dict[str, Any]]:
    counted = ", ".join(
        f"CAST(sum(n) FILTER (WHERE {condition}) AS BIGINT) AS {name(key)}" for key, condition in CONDITIONS.items()
    )
    number = "TRY_CAST(v AS DOUBLE)"
    return _by_column(
        engine,
        f"SELECT column_number, CAST(sum(n) AS BIGINT) AS total, {counted}, "
        f"min({number}) FILTER (WHERE isfinite({number})) AS low, "
        f"max({number}) FILTER (WHERE isfinite({number})) AS high FROM _few GROUP BY column_number",
    )


def _counting(engine: Engine) -> frozenset[int]:
    """The columns of numbers that count something (see `Evidence.counting`).

    A step between two neighbours is noise where it is within three standard deviations of a difference of
    two Poisson counts.
    """
    steps = (
        "SELECT column_number, w, n, lag(w) OVER t AS before, n - lag(n) OVER t AS step, "
        "3 * sqrt(n + lag(n) OVER t) AS noise FROM whole WINDOW t AS (PARTITION BY column_number ORDER BY w)"
    )
    sql = (
        "WITH whole AS (SELECT column_number, TRY_CAST(v AS BIGINT) AS w, sum(n) AS n, "
        "count(*) AS spellings FROM _values WHERE NOT coded GROUP BY ALL), "
        f"steps AS ({steps}), "
        "falls AS (SELECT *, min(w) FILTER (WHERE step < -noise) OVER (PARTITION BY column_number) AS down FROM steps) "
        "SELECT column_number FROM falls GROUP BY column_number HAVING count(*) = count(w) "
        f"AND count(*) BETWEEN {FEWEST_COUNTED} AND {MOST_VALUES} AND min(w) IN (0, 1) "
        "AND count(*) >= 0.9 * (max(w) FILTER (WHERE n > 1) - min(w) + 1) AND count(down) > 0 "
        "AND NOT bool_or(step > noise AND w > down)"
    )
    return frozenset(row["column_number"] for row in engine.rows(sql).to_pylist())


def _people(engine: Engine) -> dict[int, people.Named]:
    rows = engine.rows(people.people_sql("_few")).to_pylist()
    return {row["column_number"]: people.named_of(row) for row in rows}


def _shapes(engine: Engine) -> dict[int, tuple[tuple[str, float], ...]]:
    rows = engine.rows(
        "SELECT column_number, s, CAST(sum(n) AS BIGINT) AS n, "
        "CAST(sum(sum(n)) OVER (PARTITION BY column_number) AS BIGINT) AS total "
        "FROM _few GROUP BY column_number, s "
        f"QUALIFY row_number() OVER (PARTITION BY column_number ORDER BY sum(n) DESC, s) <= {MOST_SHAPES} "
        "ORDER BY column_number, n DESC, s"
    ).to_pylist()
    found: dict[int, list[tuple[str, float]]] = {}
    for row in rows:
        found.setdefault(row["column_number"], []).append((row["s"], row["n"] / row["total"]))
    return {number: tuple(shapes) for number, shapes in found.items()}


def date_layouts(shapes: Sequence[tuple[str, float]]) -> tuple[tuple[str, ...], float]:
    """The layouts that a column's shapes allow, and the share of values whose shape allows any."""
    allowed: dict[str, None] = {}
    share = 0.0
    for shape, part in shapes:
        layouts = dates.layouts_of(shape)
        if layouts:
            allowed |= dict.fromkeys(layouts)
            share += part
    return tuple(allowed), share


def _layouts(
    engine: Engine, shapes: Mapping[int, Sequence[tuple[str, float]]]
) -> dict[int, dict[frozenset[str], float]]:
    """For each column with the shape of dates: which layouts read its values, together, and how often."""
    wanted: dict[tuple[str, ...], list[int]] = {}
    for number, seen in shapes.items():
        allowed, share = date_layouts(seen)
        if share >= DATELIKE:
            wanted.setdefault(tuple(sorted(allowed)), []).append(number)
    found: dict[int, dict[frozenset[str], float]] = {}
    for allowed, numbers in wanted.items():
        for row in engine.rows(_layouts_sql(allowed, numbers)).to_pylist():
            read = frozenset(layout for k, layout in enumerate(allowed) if row["mask"] >> k & 1)
            found.setdefault(row["column_number"], {})[read] = row["n"] / row["total"]
    return found


def _layouts_sql(allowed: Sequence[str], numbers: Sequence[int]) -> str:
    tests = " + ".join(
        f"CASE WHEN year({dates.moment_sql('v', (layout,))}) BETWEEN {FIRST_BARE if dates.bare(layout) else FIRST} "
        f"AND {LAST} THEN {1 << k} ELSE 0 END"
        for k, layout in enumerate(allowed)
    )
    return (
        f"SELECT column_number, {tests} AS mask, CAST(sum(n) AS BIGINT) AS n, "
        "CAST(sum(sum(n)) OVER (PARTITION BY column_number) AS BIGINT) AS total FROM _few "
        f"WHERE column_number IN ({', '.join(map(str, numbers))}) AND NOT ({_placeholder_sql('v')}) "
        "GROUP BY column_number, mask"
    )


def _ends(engine: Engine, shapes: Mapping[int, Sequence[tuple[str, float]]]) -> dict[int, Ends]:
    """The ends of dates in columns whose shapes allow a two-digit year at either."""
    numbers = []
    for number, seen in shapes.items():
        allowed, share = date_layouts(seen)
        if share >= DATELIKE and any(map(dates.year_first, allowed)):
            numbers.append(str(number))
    if not numbers:
        return {}
    digits = "regexp_full_match(v, '[0-9]+')"
    first = f"CASE WHEN {digits} THEN left(lpad(v, 6, '0'), 2) ELSE regexp_extract(v, '^[0-9]+') END"
    last = f"CASE WHEN {digits} THEN right(v, 2) ELSE regexp_extract(v, '[0-9]+$') END"
    rows = engine.rows(
        "SELECT column_number, count(*) AS n, count(DISTINCT f) AS firsts, count(DISTINCT l) AS lasts, "
        "max(f) AS first_high, max(l) AS last_high FROM "
        f"(SELECT column_number, CAST({first} AS INTEGER) AS f, CAST({last} AS INTEGER) AS l FROM _few "
        f"WHERE column_number IN ({', '.join(numbers)}) "
        "AND regexp_full_match(v, '[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{1,2}|[0-9]{5,6}')) GROUP BY column_number"
    ).to_pylist()
    return {r["column_number"]: Ends(r["n"], r["firsts"], r["lasts"], r["first_high"], r["last_high"]) for r in rows}


def _placeholder_sql(value: str) -> str:
    """Whether a date-like value stands for "no date"."""
    years = ", ".join(f"'{year}'" for year in MISSING_YEARS)
    ends = f"right({value}, 4) IN ({years}) AND left({value}, 2) NOT IN ('19', '20')"
    return f"left({value}, 4) IN ({years}) OR ({ends})"


def placeholders(engine: Engine, relation: str, *, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each date column, the values that occur in the sample and stand for "no date"."""
    found = {}
    for column in columns:
        value = f"trim({name(column)})"
        rows = engine.rows(
            f"SELECT {value} AS v, count(*) AS n FROM {name(relation)} WHERE {_placeholder_sql(value)} "
            "GROUP BY 1 HAVING count(*) > 1 ORDER BY n DESC, v LIMIT 4"
        ).to_pylist()
        if rows:
            found[column] = tuple(row["v"] for row in rows)
    return found
