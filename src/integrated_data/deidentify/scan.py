"""A look at what is left: values that still identify somebody withhold their column.

No scan finds everything, which is why free text and columns of low confidence are withheld
before it runs. Every string column that would be published is looked at: all distinct values of
a short code list, a spread sample of a longer one. Where nobody has confirmed what a column is, words
that are people's names withhold it too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.vocabulary import people, sql
from integrated_data.vocabulary.marks import spread_sql

#: Runs of rows drawn from a long relation, and the rows of each.
PLACES, RUN = 10, 10_000
#: Distinct values of each column looked at among them.
SAMPLE = 20_000
#: Table of the rows drawn.
DRAWN = "drawn_to_scan"
#: Table of the distinct values of columns that nobody has confirmed.
GUESSED = "guessed_to_scan"
#: Share of looked-at values that may look like an identifier by chance (check digits: 1 in 11).
TOLERATED = 0.01
#: A text column of more rows than this in which nearly every value differs is a reference, not a code.
UNIQUE_ROWS, UNIQUE_SHARE = 100, 0.9

#: What identifies: name to a regular expression over the whole or part of a value.
SIGNS = {
    "postcode": r"\b[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}\b",
    "national insurance number": r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
    "electronic mail address": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "telephone number": r"^(\+44|0)[0-9 ]{9,12}$",
    "NHS number": r"^[0-9]{3} ?[0-9]{3} ?[0-9]{4}$",
    "title and name": r"^(MR|MRS|MISS|MS|DR) [A-Z]+",
}


@dataclass(frozen=True)
class Finding:
    """One column that must not be published, and why (never a value)."""

    column: str
    reason: str


def scan(
    engine: Engine, relation: str, *, columns: Sequence[str], rows: int, guessed: Mapping[str, bool] | None = None
) -> tuple[Finding, ...]:
    """Look at string columns of a relation of `rows` rows; returns those that must be withheld.

    `guessed`: of these columns, the ones of whose meaning no person is sure, and whether that is a mere code.
    """
    if not columns:
        return ()
    engine.create(DRAWN, drawn_sql(relation, columns, rows=rows))
    try:
        found = [_judge(c, engine.rows(scan_sql(DRAWN, c)).to_pylist()[0]) for c in columns]
        named = _named(engine, [c for c in columns if c in (guessed or {})], codes=guessed or {})
    finally:
        engine.drop(DRAWN)
    return (*(f for f in found if f is not None), *named)


def _named(engine: Engine, columns: Sequence[str], *, codes: Mapping[str, bool]) -> list[Finding]:
    """The columns whose values are people's names, or may be."""
    if not columns:
        return []
    values = " UNION ALL ".join(
        f"(SELECT {k} AS column_number, trim({sql.name(c)}) AS v FROM {sql.name(DRAWN)} "
        f"WHERE {sql.name(c)} IS NOT NULL GROUP BY ALL LIMIT {SAMPLE})"
        for k, c in enumerate(columns)
    )
    engine.create(GUESSED, values)
    engine.load(people.WORDS, Held(pa.table(people.known())))
    try:
        rows = engine.rows(people.people_sql(GUESSED)).to_pylist()
    finally:
        engine.drop(GUESSED, people.WORDS)
    told = {columns[row["column_number"]]: people.named_of(row) for row in rows}
    return [Finding(c, "values look like names of people") for c, n in told.items() if n.hides(code=codes[c])]


def drawn_sql(relation: str, columns: Sequence[str], *, rows: int) -> str:
    """Rows from places spread evenly over a long relation, by its row number; a short one whole."""
    taken = f"SELECT {sql.names(columns)} FROM {sql.name(relation)}"
    if rows <= PLACES * RUN:
        return taken
    return f"{taken} WHERE {spread_sql(rows, places=PLACES, run=RUN)}"


def scan_sql(relation: str, column: str) -> str:
    """One row of counts: rows, looked_at (distinct values), and one count per sign."""
    quoted = sql.name(column)
    signs = ", ".join(
        f"count(*) FILTER (regexp_matches(v, {sql.text(pattern)})) AS {sql.name(sign)}"
        for sign, pattern in SIGNS.items()
    )
    return (
        f"WITH looked AS (SELECT upper({quoted}) AS v, count(*) AS n FROM {sql.name(relation)} "
        f"WHERE {quoted} IS NOT NULL GROUP BY {quoted} LIMIT {SAMPLE}) "
        f"SELECT sum(n)::BIGINT AS rows, count(*) AS looked_at, {signs} FROM looked"
    )


def _judge(column: str, counts: dict[str, int | None]) -> Finding | None:
    looked = counts["looked_at"] or 0
    rows = counts["rows"] or 0
    for sign in SIGNS:
        if looked and (counts[sign] or 0) / looked > TOLERATED:
            return Finding(column, f"values look like a {sign}")
    if rows > UNIQUE_ROWS and looked > UNIQUE_SHARE * rows:
        return Finding(column, "nearly every value differs, as in a reference number")
    return None
