"""Profile: what a table holds, column by column; light enough for every load.

Counts and nulls of every column, and least and greatest of published numbers and dates, are asked alone: a
reader of Parquet finds them in the footer and looks at no value. Distinct values of all but measured numbers,
where they say nothing: counted where the first rows show few, which a reader finds in dictionaries, else
approximate (HyperLogLog). The commonest values only of short code lists, from a sample, and only those that
many rows share. Identifiers and withheld columns show counts alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.sql import name, names, text

#: Code lists of at most so many values are shown, values from so many rows of a sample of so many.
MOST_CODES = 25
FEWEST_ROWS = 50
SAMPLE = 100_000
#: A column of at most so many values in the first rows has its values counted one by one in a long relation.
FEW = 1_000

_CODED = (Meaning.CODE, Meaning.FLAG, Meaning.SEX, Meaning.ETHNIC_GROUP, Meaning.STRATUM)
_RANGED = (Kind.DATE, Kind.TIMESTAMP, Kind.INTEGER, Kind.NUMBER)


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a profile; `low`, `high` and `common` only where they may be shown.

    `rows` and `missing` are counts; `distinct` is approximate where there are many, and absent for measured numbers;
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


def bounds_sql(contract: Contract, relation: str) -> str:
    """One row over the whole relation: `n`; per column k `c{k}`, and `l{k}` and `h{k}` where they may be shown."""
    parts = ["count(*) AS n"]
    for k, column in enumerate(contract.columns):
        value = name(column.name)
        parts.append(f"count({value}) AS c{k}")
        if _published(column) and column.kind in _RANGED:
            parts += [f"CAST(min({value}) AS VARCHAR) AS l{k}", f"CAST(max({value}) AS VARCHAR) AS h{k}"]
    return f"SELECT {', '.join(parts)} FROM {name(relation)}"


def many_sql(columns: Sequence[Column], relation: str, *, most: int | None = None) -> str:
    """One row: the distinct values of each column, by its name, approximately; of the first `most` rows."""
    counts = ", ".join(f"approx_count_distinct({name(c.name)}) AS {name(c.name)}" for c in columns)
    looked = name(relation)
    if most is not None:
        looked = f"(SELECT {names(c.name for c in columns)} FROM {looked} LIMIT {most})"
    return f"SELECT {counts} FROM {looked}"


def few_sql(columns: Sequence[Column], relation: str) -> str:
    """Rows of `column_name` and `n`: the distinct values of each column, counted one by one."""
    return " UNION ALL ".join(
        f"SELECT {text(c.name)} AS column_name, count({name(c.name)}) AS n "
        f"FROM (SELECT DISTINCT {name(c.name)} FROM {name(relation)})"
        for c in columns
    )


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
    row = engine.rows(bounds_sql(contract, relation)).to_pylist()[0]
    counted = [c for c in contract.columns if c.kind is not Kind.NUMBER]
    distinct = _distinct(engine, counted, relation=relation, rows=row["n"])
    coded = [c for c in counted if _published(c) and c.meaning in _CODED and 0 < distinct[c.name] <= MOST_CODES]
    common = _common(engine, coded, relation=relation, rows=row["n"])
    return tuple(
        ColumnProfile(
            c.name, row["n"], row["n"] - row[f"c{k}"], distinct.get(c.name), row.get(f"l{k}"), row.get(f"h{k}"),
            common.get(c.name, ()),
        )
        for k, c in enumerate(contract.columns)
    )  # fmt: skip


def _distinct(engine: Engine, columns: Sequence[Column], *, relation: str, rows: int) -> dict[str, int]:
    """How many values each column has, by name."""
    if not columns:
        return {}
    first = many_sql(columns, relation, most=SAMPLE if rows > SAMPLE else None)
    found: dict[str, int] = engine.rows(first).to_pylist()[0]
    if rows <= SAMPLE:
        return found
    few = [c for c in columns if found[c.name] <= FEW]
    many = [c for c in columns if found[c.name] > FEW]
    if many:
        found |= engine.rows(many_sql(many, relation)).to_pylist()[0]
    if few:
        found |= {r["column_name"]: r["n"] for r in engine.rows(few_sql(few, relation)).to_pylist()}
    return found


def _common(
    engine: Engine, coded: Sequence[Column], *, relation: str, rows: int
) -> dict[str, tuple[tuple[str, float], ...]]:
    sql = common_sql(coded, relation, rows=rows)
    found: dict[str, list[tuple[str, float]]] = {}
    for row in engine.rows(sql).to_pylist() if sql else ():
        found.setdefault(row["column_name"], []).append((row["value"], round(row["share"], 3)))
    return {column: tuple(values) for column, values in found.items()}
