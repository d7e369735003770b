"""Crosswalks: how much of each old code goes to each new one, and a table carried over with its totals.

A crosswalk is a relation (from_code, to_code, weight). Of each old code the weights sum to one, so that a
total is carried over whole: what has no new code stays, under no code. The remainder that dividing leaves
goes to the largest share, so that shares sum to one to the last bits of a double.

Source of the method: areal and dasymetric weighting (Goodchild and Lam 1980; Office for National
Statistics, guidance on best-fit lookups).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.vocabulary.sql import name


@dataclass(frozen=True)
class Crosswalk:
    """A crosswalk asked for. `source`, `target`: `lsoa_2011` or `SOC 2010`; `by`: what its weights count."""

    source: str
    target: str
    by: str | None = None


@dataclass(frozen=True)
class Table:
    """A table to carry over: its relation, the column of old codes, columns of totals, columns to keep apart by."""

    relation: str
    code: str
    values: tuple[str, ...]
    by: tuple[str, ...] = ()


def shared_sql(counted: str) -> str:
    """Crosswalk of a relation (from_code, to_code, size): sizes that are not positive count for nothing.

    An old code all of whose sizes are zero is divided evenly.
    """
    return f"""
        WITH pairs AS (
            SELECT from_code, to_code, sum(greatest(coalesce(size, 0), 0))::DOUBLE AS size FROM ({counted})
            WHERE from_code IS NOT NULL AND to_code IS NOT NULL GROUP BY from_code, to_code),
        whole AS (SELECT from_code, sum(size) AS total, count(*) AS n FROM pairs GROUP BY from_code),
        parts AS (
            SELECT from_code, to_code, CASE WHEN total > 0 THEN size / total ELSE 1.0 / n END AS part,
                   row_number() OVER (PARTITION BY from_code ORDER BY size DESC, to_code) AS place
            FROM pairs JOIN whole USING (from_code) WHERE total = 0 OR size > 0),
        others AS (SELECT from_code, sum(part) FILTER (place > 1) AS part FROM parts GROUP BY from_code)
        SELECT p.from_code, p.to_code,
               CASE WHEN p.place = 1 THEN 1.0::DOUBLE - coalesce(o.part, 0.0) ELSE p.part END AS weight
        FROM parts AS p JOIN others AS o ON o.from_code = p.from_code"""


def same_sql(codes: str) -> str:
    """Crosswalk of a year to itself: every code of the relation (code) is itself."""
    return (
        "SELECT code AS from_code, code AS to_code, 1.0::DOUBLE AS weight "
        f"FROM (SELECT DISTINCT code FROM ({codes}) WHERE code IS NOT NULL)"
    )


def carried_sql(table: Table, weights: str) -> str:
    """The table under new codes: columns of `by`, the column of codes, the totals (DOUBLE).

    A row whose code the crosswalk does not know keeps its totals under no code (NULL). Missing totals
    count for nothing; a group that has none at all stays missing.
    """
    by = [f"t.{name(column)}" for column in table.by]
    totals = [f"sum(t.{name(column)}::DOUBLE * coalesce(x.weight, 1.0)) AS {name(column)}" for column in table.values]
    listed = ", ".join([*by, f"x.to_code AS {name(table.code)}", *totals])
    groups = ", ".join([*by, "x.to_code"])
    return (
        f"SELECT {listed} FROM {name(table.relation)} AS t LEFT JOIN {name(weights)} AS x "
        f"ON x.from_code = t.{name(table.code)}::VARCHAR GROUP BY {groups} ORDER BY ALL"
    )


def unknown_sql(table: Table, weights: str) -> str:
    """One row: `rows` of the table whose code the crosswalk does not know, and `codes` so missing."""
    code = f"{name(table.code)}::VARCHAR"
    return (
        f"SELECT count(*) AS rows, count(DISTINCT {code}) AS codes FROM {name(table.relation)} "
        f"WHERE {code} IS NULL OR {code} NOT IN (SELECT from_code FROM {name(weights)})"
    )


def totals_sql(relation: str, values: Sequence[str]) -> str:
    """One row with the total of each column."""
    totals = (f"coalesce(sum({name(v)}::DOUBLE), 0.0) AS {name(v)}" for v in values)
    return f"SELECT {', '.join(totals)} FROM {name(relation)}"
