"""The evidence query: what is behind every cell of a proven query, in one pass through the gateway.

The people's rows are grouped once by cell and person, then by cell. It returns figures about each
cell that never leave: distinct accepted people, rows, and for each measure the people who
contribute, the largest two, the total and the extremes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from integrated_data.model.linkage import PROVISIONAL
from integrated_data.model.output import Cell, CellEvidence, Close, MeasureEvidence, Part, ReleaseLimits, View
from integrated_data.output.measures import Amounts
from integrated_data.output.shape import Shape
from integrated_data.vocabulary.sql import name, text

#: Amounts of one person that differ by less, relatively, are the same.
SAME = "1e-9"

#: Largest contributors kept of a cell.
MOST_TOP = 10


def evidence_sql(shape: Shape, *, unit: int, views: Mapping[str, View], limits: ReleaseLimits) -> str:
    """One SELECT for the unit of protection of one class, with a row per cell and part of it.

    Columns: k<i> the keys, t<i> 1 where key i is summed over, `parts` the ways in which the rows of
    these contributors add to the measures (a text of 1 and 0 for each way); `people`, `contributors`,
    `rows_`, b the most rows of a contributor; and per measure i but counts of rows: p<i> people, o<i>
    others, n<i> net sum, b<i> the largest totals, s<i> sum of absolute totals, l<i> and h<i> extremes,
    i<i> whether all values are 0 or 1; c<i>_<j> and d<i>_<j> contributors whose totals of two sums
    differ (all, accepted).
    """
    steps = f"{shape.steps}, " if shape.steps else ""
    return (
        f"WITH {steps}__rows AS ({_rows_sql(shape, unit)}), "
        f"__person AS ({_person_sql(shape)}), "
        f"__counted AS ({_counted_sql(shape, unit=unit, views=views)}) "
        f"{_cell_sql(shape, limits)}"
    )


def read(table: pa.Table, shape: Shape) -> dict[Cell, CellEvidence]:
    """The evidence of each cell from the rows of an evidence query."""
    parts: dict[Cell, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        cell = cell_of(row, [f"k{n}" for n in range(len(shape.keys))], prefix="t")
        parts.setdefault(cell, []).append(row)
    return {cell: _cell(rows, shape) for cell, rows in parts.items()}


def cell_of(row: Mapping[str, Any], columns: Sequence[str], *, prefix: str) -> Cell:
    """Which cell a row is: values of its key columns and the columns that say what is summed over."""
    total = tuple(bool(row.get(f"{prefix}{n}", 0)) for n in range(len(columns)))
    values = (row[column] for column in columns)
    return Cell(total, tuple(None if v is None or t else str(v) for v, t in zip(values, total, strict=True)))


def _rows_sql(shape: Shape, unit: int) -> str:
    columns = [f"{key} AS k{n}" for n, key in enumerate(shape.keys)]
    columns += [f"CAST({m.sql} AS DOUBLE) AS m{n}" for n, m in enumerate(shape.measures) if m.kind is not Amounts.ROWS]
    who = shape.units[unit]
    columns.append(f"{who} AS unit, CASE WHEN {who} IS NULL THEN row_number() OVER () END AS nobody")
    return f"SELECT *, {_adds_sql(shape)} AS adds FROM (SELECT {', '.join(columns)} {shape.rows})"


def _adds_sql(shape: Shape) -> str:
    """To which measures a row adds, as a text of 1 and 0."""
    flags = [
        "'1'" if m.kind is Amounts.ROWS else f"CASE WHEN m{n} <> 0 THEN '1' ELSE '0' END"
        for n, m in enumerate(shape.measures)
    ]
    return " || ".join(flags) or "''"


def _level_sql(shape: Shape, *more: str) -> str:
    """GROUP BY over every level of totals, `more` columns kept in each."""
    levels = [", ".join([*(f"k{k}" for k in level), *more]) for level in shape.sets]
    if len(levels) == 1:
        return f"GROUP BY {levels[0]}" if levels[0] else ""
    return f"GROUP BY GROUPING SETS ({', '.join(f'({level})' for level in levels)})"


def _totals_sql(shape: Shape) -> list[str]:
    if len(shape.sets) == 1:
        return [f"0 AS t{n}" for n in range(len(shape.keys))]
    return [f"grouping(k{n}) AS t{n}" for n in range(len(shape.keys))]


def _person_sql(shape: Shape) -> str:
    columns = [f"k{n}" for n in range(len(shape.keys))] + _totals_sql(shape)
    columns.append("unit, nobody, count(*) AS n, list_sort(list(DISTINCT adds)) AS parts")
    for n, measure in enumerate(shape.measures):
        if measure.kind is Amounts.ROWS:
            continue
        columns.append(f"coalesce(sum(m{n}), 0) AS s{n}, coalesce(bool_or(m{n} <> 0), false) AS u{n}")
        if measure.kind is Amounts.AMOUNT:
            columns.append(f"min(m{n}) AS l{n}, max(m{n}) AS h{n}, bool_and(m{n} = 0 OR m{n} = 1) AS i{n}")
    return f"SELECT {', '.join(columns)} FROM __rows {_level_sql(shape, 'unit', 'nobody')}"


def _counted_sql(shape: Shape, *, unit: int, views: Mapping[str, View]) -> str:
    """Each person of each cell, with 1 where the person counts toward the minimum.

    A provisional entity (seen in deliveries only) may be somebody who is counted already under another
    id, so it adds nothing: somebody whose every link in the tables is provisional.
    """
    column = shape.unit_columns[unit]
    method = column.removesuffix("_key") + "_link_method"
    tables = [table for table in shape.tables if {column, method} <= set(views[table].columns)]
    if not tables:
        return "SELECT p.*, p.unit IS NOT NULL AS counted FROM __person AS p"
    only = f"starts_with({name(method)}, {text(PROVISIONAL)})"

    def units(where: str) -> str:
        return " UNION ALL ".join(f"SELECT {name(column)} AS unit FROM {name(table)} WHERE {where}" for table in tables)

    sure = units(f"NOT {only} AND {name(column)} IN ({units(only)})")
    provisional = f"({units(only)}) EXCEPT ({sure})"
    return (
        "SELECT p.*, p.unit IS NOT NULL AND q.unit IS NULL AS counted "
        f"FROM __person AS p LEFT JOIN ({provisional}) AS q ON p.unit = q.unit"
    )


def _cell_sql(shape: Shape, limits: ReleaseLimits) -> str:
    by = [f"k{n}" for n in range(len(shape.keys))] + [f"t{n}" for n in range(len(shape.keys))]
    by.append("parts")
    columns = [*by, "count(*) FILTER (WHERE counted) AS people", "count(*) AS contributors"]
    columns.append(f"CAST(sum(n) AS BIGINT) AS rows_, {_largest('n', limits)} AS b")
    for n, measure in enumerate(shape.measures):
        if measure.kind is Amounts.ROWS:
            continue
        columns.append(
            f"count(*) FILTER (WHERE counted AND u{n}) AS p{n}, count(*) FILTER (WHERE NOT u{n}) AS o{n}, "
            f"sum(s{n}) AS n{n}, {_largest(f's{n}', limits)} AS b{n}"
        )
        if measure.kind is Amounts.AMOUNT:
            columns.append(f"sum(abs(s{n})) AS s{n}, min(l{n}) AS l{n}, max(h{n}) AS h{n}, bool_and(i{n}) AS i{n}")
    for i, j in shape.subtractable:
        apart = f"abs(s{i} - s{j}) > {SAME} * (abs(s{i}) + abs(s{j}))"
        columns.append(
            f"count(*) FILTER (WHERE {apart}) AS c{i}_{j}, count(*) FILTER (WHERE counted AND {apart}) AS d{i}_{j}"
        )
    return f"SELECT {', '.join(columns)} FROM __counted GROUP BY {', '.join(by)}"


def _largest(column: str, limits: ReleaseLimits) -> str:
    return f"max(abs({column}), {max(limits.dominance_people, 2)})"


def _cell(parts: Sequence[Mapping[str, Any]], shape: Shape) -> CellEvidence:
    def summed(column: str) -> int:
        return sum(part[column] for part in parts)

    measures = tuple(_measure(parts, n, kind=m.kind) for n, m in enumerate(shape.measures))
    close = tuple(Close(i, j, summed(f"c{i}_{j}"), summed(f"d{i}_{j}")) for i, j in shape.subtractable)
    return CellEvidence(
        summed("people"), summed("contributors"), summed("rows_"), measures, close, _parts(parts), shape.families
    )


def _parts(parts: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    """The contributors of each way of adding; somebody whose rows add in several ways is in each."""
    found: dict[str, tuple[int, int]] = {}
    for part in parts:
        for adds in part["parts"]:
            contributors, people = found.get(adds, (0, 0))
            found[adds] = (contributors + part["contributors"], people + part["people"])
    return tuple(Part(tuple(flag == "1" for flag in adds), *counts) for adds, counts in found.items())


def _measure(parts: Sequence[Mapping[str, Any]], n: int, *, kind: Amounts) -> MeasureEvidence:
    if kind is Amounts.ROWS:
        rows = float(sum(part["rows_"] for part in parts))
        people = sum(part["people"] for part in parts)
        return MeasureEvidence(people, total=rows, net=rows, top=_top(part["b"] for part in parts))

    def held(column: str) -> list[Any]:
        return [part[f"{column}{n}"] for part in parts if part.get(f"{column}{n}") is not None]

    people, amounts = sum(held("p")), kind is Amounts.AMOUNT
    return MeasureEvidence(
        people=people, others=sum(held("o")), others_counted=sum(part["people"] for part in parts) - people,
        total=float(sum(held("s" if amounts else "n"))), net=float(sum(held("n"))), top=_top(held("b")),
        lowest=min(held("l"), default=None) if amounts else None,
        highest=max(held("h"), default=None) if amounts else None,
        indicator=kind is Amounts.INDICATOR or (amounts and bool(held("i")) and all(held("i"))),
    )  # fmt: skip


def _top(largest: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """The largest of the parts' largest."""
    return tuple(sorted((float(v) for values in largest for v in values or ()), reverse=True)[:MOST_TOP])
