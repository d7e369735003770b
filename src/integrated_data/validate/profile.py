"""Profile: what a table holds, column by column; light enough for every load.

Least and greatest of published numbers and dates are asked alone: a reader of Parquet finds them in the footer and
looks at no value. Then each column is read once. Where the first rows show few values, every value is counted, which a
reader does by dictionaries. Where they show many, the different ones are estimated from those with the smallest hashes
(Flajolet, "On adaptive sampling", Computing 43, 1990), which costs no more than to read them: two times in three it is
off by a twentieth at most. Measured numbers are not told apart. The commonest values only of short code lists, and only
those that many rows share. Identifiers and withheld columns show counts alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.sql import name, names, text

#: Code lists of at most so many values are shown, values of so many rows and of so large a share of all.
MOST_CODES = 25
FEWEST_ROWS = 50
LEAST_SHARE = 0.0005
#: In a relation of more rows than `FIRST`, a column of at most `FEW` values in the first ones has its values counted.
FIRST, FEW = 20_000, 1_000
#: Of another, values with the smallest hashes are counted: one in so many at most, and so many of the first rows' at
#: least, as far as those tell.
MOST_SPARED, LEAST_KEPT = 64, 500

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
    """One row over the whole relation: `n`, and for column k `l{k}` and `h{k}` where they may be shown."""
    parts = ["count(*) AS n"]
    for k, column in enumerate(contract.columns):
        value = name(column.name)
        if _published(column) and column.kind in _RANGED:
            parts += [f"CAST(min({value}) AS VARCHAR) AS l{k}", f"CAST(max({value}) AS VARCHAR) AS h{k}"]
    return f"SELECT {', '.join(parts)} FROM {name(relation)}"


def first_sql(columns: Sequence[Column], relation: str) -> str:
    """One row, of the first rows alone: for column k `c{k}`, how many values are there, and `d{k}`, about how many
    different ones."""
    counts = ", ".join(
        f"count({name(c.name)}) AS c{k}, approx_count_distinct({name(c.name)}) AS d{k}" for k, c in enumerate(columns)
    )
    return f"SELECT {counts} FROM (SELECT {names(c.name for c in columns)} FROM {name(relation)} LIMIT {FIRST})"


def present_sql(columns: Sequence[Column], relation: str) -> str:
    """Rows of `column_name`, `present`: how many values are there. Each by itself: where none is missing, and that
    stands in the footer, nothing is read."""
    return " UNION ALL ".join(
        f"SELECT {text(c.name)} AS column_name, count({name(c.name)}) AS present FROM {name(relation)}" for c in columns
    )


def few_sql(columns: Sequence[Column], relation: str, *, fewest: int) -> str:
    """Rows of `column_name`, `present`, `different` (values) and `common`: the commonest, as {value, n}, of those that
    `fewest` rows share."""
    shared = f"FILTER (WHERE v IS NOT NULL AND n >= {fewest})"
    return " UNION ALL ".join(
        f"SELECT {text(c.name)} AS column_name, coalesce(sum(n) FILTER (WHERE v IS NOT NULL), 0)::BIGINT AS present, "
        f"count(v) AS different, arg_max({{'value': CAST(v AS VARCHAR), 'n': n}}, n, {MOST_CODES}) {shared} AS common "
        f"FROM (SELECT {name(c.name)} AS v, count(*) AS n FROM {name(relation)} GROUP BY 1)"
        for c in columns
    )


def many_sql(columns: Mapping[str, int], relation: str) -> str:
    """Rows of `column_name`, `present` and `different`: how many values there are, approximately.

    `columns`: by name, how many hashes there are to each that is counted.
    """
    return " UNION ALL ".join(
        f"SELECT {text(column)} AS column_name, count({name(column)}) AS present, {every} * count(DISTINCT "
        f"hash({name(column)})) FILTER (WHERE {name(column)} IS NOT NULL AND hash({name(column)}) < {2**64 // every}) "
        f"AS different FROM {name(relation)}"
        for column, every in columns.items()
    )


def profile(engine: Engine, contract: Contract, *, relation: str) -> tuple[ColumnProfile, ...]:
    """The profile of a relation with the contract's columns, in order."""
    row = engine.rows(bounds_sql(contract, relation)).to_pylist()[0]
    found = (_short if row["n"] <= FIRST else _long)(engine, contract.columns, relation=relation, rows=row["n"])
    return tuple(
        ColumnProfile(
            c.name, row["n"], row["n"] - one.present, one.different, row.get(f"l{k}"), row.get(f"h{k}"),
            _shown(c, one, rows=row["n"]),
        )
        for k, (c, one) in enumerate((c, found[c.name]) for c in contract.columns)
    )  # fmt: skip


def ranges(engine: Engine, contract: Contract, *, relation: str) -> dict[str, dict[str, str]]:
    """`low` and `high` of the columns of a relation that may show them, by name: what the footers of files tell."""
    row = engine.rows(bounds_sql(contract, relation)).to_pylist()[0]
    found = {c.name: {"low": row.get(f"l{k}"), "high": row.get(f"h{k}")} for k, c in enumerate(contract.columns)}
    return {column: ends for column, ends in found.items() if ends["low"] is not None}


@dataclass(frozen=True)
class _Found:
    """How many values of a column are there, how many different ones, and the commonest with their rows."""

    present: int
    different: int | None = None
    common: tuple[tuple[str, int], ...] = ()


def _shown(column: Column, found: _Found, *, rows: int) -> tuple[tuple[str, float], ...]:
    """The commonest values with their shares, where they may be shown."""
    if not (_is_coded(column) and found.different is not None and found.different <= MOST_CODES):
        return ()
    return tuple((value, round(n / rows, 3)) for value, n in sorted(found.common, key=lambda one: (-one[1], one[0])))


def _is_coded(column: Column) -> bool:
    return _published(column) and column.meaning in _CODED


def _fewest(rows: int) -> int:
    return max(FEWEST_ROWS, ceil(LEAST_SHARE * rows))


def _short(engine: Engine, columns: Sequence[Column], *, relation: str, rows: int) -> dict[str, _Found]:
    """What is found in a relation that is as short as the first rows of a long one."""
    if not columns:
        return {}
    row = engine.rows(first_sql(columns, relation)).to_pylist()[0]
    found = {c.name: _Found(row[f"c{k}"], _told(c, row[f"d{k}"])) for k, c in enumerate(columns)}
    coded = [c for c in columns if _is_coded(c) and 0 < (found[c.name].different or 0) <= MOST_CODES]
    return found | _few(engine, coded, relation=relation, rows=rows)


def _told(column: Column, different: int) -> int | None:
    return None if column.kind is Kind.NUMBER else different


def _long(engine: Engine, columns: Sequence[Column], *, relation: str, rows: int) -> dict[str, _Found]:
    counted = [c for c in columns if c.kind is not Kind.NUMBER]
    first = engine.rows(first_sql(counted, relation)).to_pylist()[0] if counted else {}
    guessed = {c.name: first[f"d{k}"] for k, c in enumerate(counted)}
    found = _few(engine, [c for c in counted if guessed[c.name] <= FEW], relation=relation, rows=rows)
    many = {column: _spared(different) for column, different in guessed.items() if different > FEW}
    sql = many_sql(many, relation)
    found |= {r["column_name"]: _Found(r["present"], r["different"]) for r in _rows(engine, sql)}
    sql = present_sql([c for c in columns if c.kind is Kind.NUMBER], relation)
    return found | {r["column_name"]: _Found(r["present"]) for r in _rows(engine, sql)}


def _few(engine: Engine, columns: Sequence[Column], *, relation: str, rows: int) -> dict[str, _Found]:
    return {
        r["column_name"]: _Found(r["present"], r["different"], tuple((v["value"], v["n"]) for v in r["common"] or ()))
        for r in _rows(engine, few_sql(columns, relation, fewest=_fewest(rows)))
    }


def _rows(engine: Engine, sql: str) -> list[dict[str, Any]]:
    return engine.rows(sql).to_pylist() if sql else []


def _spared(different: int) -> int:
    """How many hashes there are to each that is counted, where the first rows hold so many different values."""
    return min(MOST_SPARED, 1 << (max(different // LEAST_KEPT, 1).bit_length() - 1))
