"""Profile: what a table holds, column by column, in one scan; light enough for every load.

Counts and nulls of every column; distinct values (approximate, HyperLogLog) of all but measured
numbers, where they say nothing; least and greatest only of published numbers and dates; the
commonest values only of short code lists, from a sample, and only those that many rows share.
Identifiers and withheld columns show counts alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.sql import name, names, text

#: Code lists of at most so many values are shown, values from so many rows of a sample of so many.
MOST_CODES = 25
FEWEST_ROWS = 50
SAMPLE = 100_000

_CODED = (Meaning.CODE, Meaning.FLAG, Meaning.SEX, Meaning.ETHNIC_GROUP, Meaning.STRATUM)
_RANGED = (Kind.DATE, Kind.TIMESTAMP, Kind.INTEGER, Kind.NUMBER)


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a profile; `low`, `high` and `common` only where they may be shown.

    `rows` and `missing` are counts; `distinct` is approximate, and absent for measured numbers;
    `common` holds (value, share of rows).
    """

    name: str
    rows: int
    missing: int
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    common: tuple[tuple[str, float], ...] = ()


def _published(column: Column) -> bool:
    return column.handling is Handling.PAYLOAD


def profile_sql(contract: Contract, relation: str) -> str:
    """One row over the whole relation: `n`; per column k `c{k}`, and `d{k}`, `l{k}`, `h{k}` where shown."""
    parts = ["count(*) AS n"]
    for k, column in enumerate(contract.columns):
        value = name(column.name)
        parts.append(f"count({value}) AS c{k}")
        if column.kind is not Kind.NUMBER:
            parts.append(f"approx_count_distinct({value}) AS d{k}")
        if _published(column) and column.kind in _RANGED:
            parts += [f"CAST(min({value}) AS VARCHAR) AS l{k}", f"CAST(max({value}) AS VARCHAR) AS h{k}"]
    return f"SELECT {', '.join(parts)} FROM {name(relation)}"


def common_sql(columns: Sequence[Column], relation: str, *, rows: int) -> str | None:
    """Commonest values of short code lists: `column_name`, `value`, `share`; None when there is none.

    A long relation of `rows` rows is sampled by runs of rows, so that most of it need not be looked at.
    """
    if not columns:
        return None
    sampled = f"SELECT {names(c.name for c in columns)} FROM {name(relation)}"
    if rows > SAMPLE:
        sampled += f" USING SAMPLE {100 * SAMPLE / rows:.6f} PERCENT (system)"
    parts = [
        f"SELECT {text(c.name)} AS column_name, CAST({name(c.name)} AS VARCHAR) AS value, count(*) AS n "
        f"FROM s WHERE {name(c.name)} IS NOT NULL GROUP BY 2 HAVING count(*) >= {FEWEST_ROWS}"
        for c in columns
    ]
    return (
        f"WITH s AS MATERIALIZED ({sampled}) SELECT column_name, value, n / (SELECT count(*) FROM s) AS share "
        f"FROM ({' UNION ALL '.join(parts)}) ORDER BY column_name, n DESC, value"
    )


def profile(engine: Engine, contract: Contract, *, relation: str) -> tuple[ColumnProfile, ...]:
    """The profile of a relation with the contract's columns, in order."""
    row = engine.rows(profile_sql(contract, relation)).to_pylist()[0]
    coded = [
        c
        for k, c in enumerate(contract.columns)
        if _published(c) and c.meaning in _CODED and 0 < (row.get(f"d{k}") or 0) <= MOST_CODES
    ]
    common = _common(engine, coded, relation=relation, rows=row["n"])
    return tuple(_column_profile(c, k, row=row, common=common) for k, c in enumerate(contract.columns))


def _common(
    engine: Engine, coded: Sequence[Column], *, relation: str, rows: int
) -> dict[str, tuple[tuple[str, float], ...]]:
    sql = common_sql(coded, relation, rows=rows)
    found: dict[str, list[tuple[str, float]]] = {}
    for row in engine.rows(sql).to_pylist() if sql else ():
        found.setdefault(row["column_name"], []).append((row["value"], round(row["share"], 3)))
    return {column: tuple(values) for column, values in found.items()}


def _column_profile(
    column: Column, k: int, *, row: Mapping[str, Any], common: Mapping[str, tuple[tuple[str, float], ...]]
) -> ColumnProfile:
    return ColumnProfile(
        column.name, row["n"], row["n"] - row[f"c{k}"], row.get(f"d{k}"), row.get(f"l{k}"), row.get(f"h{k}"),
        common.get(column.name, ()),
    )  # fmt: skip
