"""What is behind a quantile: how many people have the very same value on either side of its place.

A median is one person's amount, or lies between two persons', so it is no figure about a group by itself. It becomes
one where enough people share it, as amounts do that the query rounds before it puts them in order. Sources:
Griffiths and others, Handbook on Statistical Disclosure Control for Outputs (2019), and Brandt and others, ESSnet
SDC (2010): percentiles that enough units share or surround; ONS, Secure Research Service: rounded.

The rule is stricter than theirs, so that it can be proven. Put the n rows in order; the quantile of a share p stands
at a place between pn − 1 and pn + 1. With one row more, one row less or another value in one row, the place moves by
at most one row against the first and the last row of a value. So where r rows of the same value are on either side of
the place, the quantile is the same whatever up to r rows hold and whether they are there. Where r is as many rows as
the minimum of people can have (`most` each, and every row of somebody who may be another person), then

- nobody learns from it of fewer people than the minimum, even who knows everybody else;
- two sets that differ by fewer people give the same quantile, so a difference of quantiles tells nothing of them;
- it holds for any number of such quantiles at once, and beside any counts and sums: none of them changes.

This takes that a row's value and its being there rest on its own person's rows, which the shape of the query proves
(`output/people.py`: no condition or window looks at other people's rows; `measures.Quantile`: an amount, rounded row
by row). The ledger still compares who is behind it, as for a count. Whether a quantile passes is itself told, as it
is by every rule with a threshold.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, floor, isclose
from typing import Any, Protocol

import pyarrow as pa

from integrated_data.model.evidence import CellEvidence, QuantileEvidence
from integrated_data.model.output import Cell, View
from integrated_data.output.measures import Quantile
from integrated_data.output.members import provisional_sql
from integrated_data.output.shape import Shape
from integrated_data.output.table import Table
from integrated_data.output.tree import Unproven

#: Below which two computations of one quantile, relatively, agree.
AGREE = 1e-9


class Run(Protocol):
    """Runs one SELECT for a request's author."""

    def __call__(self, sql: str, /) -> pa.Table:
        """The rows."""
        ...


def with_quantiles(
    known: dict[Cell, CellEvidence], table: Table, *, shape: Shape, unit: int, views: Mapping[str, View], run: Run
) -> dict[Cell, CellEvidence]:
    """The evidence of each cell with what is behind its quantiles, for the unit of protection of one class.

    Raises `Unproven` where the table's quantiles are not those of the rows that are looked at.
    """
    provisional = provisional_sql(shape, unit=unit, views=views)
    behind: dict[Cell, list[QuantileEvidence]] = {}
    for number, quantile in enumerate(shape.quantiles):
        values: dict[Cell, float] = {}
        for kept in shape.sets:
            rows = run(behind_sql(shape, quantile, unit=unit, kept=kept, provisional=provisional)).to_pylist()
            for row in (r for r in rows if r["n"]):
                cell = _cell(row, kept, keys=len(shape.keys))
                values[cell] = row["stands"]
                behind.setdefault(cell, []).append(_evidence(row, quantile.share))
        _check_same(table, number, values=values)
    return {cell: replace(held, quantiles=tuple(behind.get(cell, ()))) for cell, held in known.items()}


def behind_sql(shape: Shape, quantile: Quantile, *, unit: int, kept: tuple[int, ...], provisional: str) -> str:
    """One row for each cell of a level that has a value: k<i>, the quantile `stands`, and counts of rows and people.

    `provisional`: SQL of the units that add nothing to the minimum, empty where there are none.
    """
    steps = f"{shape.steps}, " if shape.steps else ""
    keys = [f"k{n}" for n in kept]
    held = "".join(f"{shape.keys[n]} AS k{n}, " for n in kept)
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    same = " AND ".join(f"t.{k} IS NOT DISTINCT FROM q.{k}" for k in keys) or "true"
    computed = f"{'quantile_disc' if quantile.discrete else 'quantile_cont'}(v, {quantile.share!r})"
    joined = f" LEFT JOIN ({provisional}) AS p ON t.unit = p.unit" if provisional else ""
    sure = "t.unit IS NOT NULL" + (" AND p.unit IS NULL" if provisional else "")
    shown, owned = "".join(f"{k}, " for k in keys), ", ".join([*keys, "unit"])

    def people(where: str) -> str:
        return f"count(DISTINCT CASE WHEN sure AND {where} THEN unit END)"

    return (
        f"WITH {steps}__rows AS (SELECT {held}CAST({quantile.sql} AS DOUBLE) AS v, {shape.units[unit]} AS unit "
        f"{shape.rows}), __there AS (SELECT * FROM __rows WHERE v IS NOT NULL), "
        f"__at AS (SELECT {shown}{computed} AS stands FROM __there{by}), "
        f"__own AS (SELECT {shown}max(n) AS most FROM (SELECT {owned}, count(*) AS n FROM __there "
        f"WHERE unit IS NOT NULL GROUP BY {owned}) AS o{by}), "
        f"__side AS (SELECT {''.join(f't.{k}, ' for k in keys)}t.v, t.unit, q.stands, {sure} AS sure "
        f"FROM __there AS t JOIN __at AS q ON {same}{joined}), "
        f"__told AS (SELECT {shown}max(stands) AS stands, count(*) AS n, count_if(v < stands) AS below, "
        f"count_if(v = stands) AS alike, count_if(NOT sure) AS unsure, "
        f"{people('v <= stands')} AS lower, {people('v >= stands')} AS upper, "
        f"{people('v <> stands')} AS others FROM __side{by}) "
        f"SELECT t.*, coalesce(q.most, 1) AS most FROM __told AS t LEFT JOIN __own AS q ON {same}"
    )


def _evidence(row: Mapping[str, Any], share: float) -> QuantileEvidence:
    """Counts of rows as distances from the places, from 0, between which any way to compute it puts the quantile."""
    n, below, alike = (int(row[name]) for name in ("n", "below", "alike"))
    first, last = floor(share * n) - 1, ceil(share * n)
    return QuantileEvidence(
        int(row["lower"]), int(row["upper"]), int(row["others"]), before=first - below,
        after=below + alike - 1 - last, most=int(row["most"]), unsure=int(row["unsure"]),
    )  # fmt: skip


def _cell(row: Mapping[str, Any], kept: tuple[int, ...], *, keys: int) -> Cell:
    total = tuple(n not in kept for n in range(keys))
    held = (None if t else row[f"k{n}"] for n, t in enumerate(total))
    return Cell(total, tuple(None if v is None else str(v) for v in held))


def _check_same(table: Table, number: int, *, values: Mapping[Cell, float]) -> None:
    """Refuse to vouch for a quantile that the data, or another way of computing, do not give again."""
    for place, column in enumerate(table.columns):
        if column.quantile != number:
            continue
        for row in table.rows:
            held, again = row.values[place], values.get(row.cell)
            if (held is None) == (again is None) and (held is None or _near(held, again)):
                continue
            raise Unproven("A quantile of it is not what the data give now", rule="quantiles")


def _near(held: object, again: float | None) -> bool:
    return isinstance(held, int | float) and again is not None and isclose(held, again, rel_tol=AGREE, abs_tol=AGREE)
