"""The members query: whose rows are behind every cell of a proven query, in one pass through the gateway.

One row comes back for each finest cell and each way in which rows add to the figures, with everybody
behind it as a list. What a cell rests on (`evidence.py`) and what the ledger remembers of it
(`ledger.py`) are both computed from that, and none of it ever leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.linkage import PROVISIONAL
from integrated_data.model.output import View
from integrated_data.output.lookup import places
from integrated_data.output.measures import Amounts
from integrated_data.output.shape import Shape
from integrated_data.vocabulary.sql import name, text

#: Rows of the views beyond which one person's rows are added up before they come back.
MANY_ROWS = 5_000_000


@dataclass(frozen=True)
class Members:
    """Whose rows are behind the cells: an entry for each person of a group (or for each of their rows).

    A *group* is a finest cell (all keys kept, whatever levels the query shows) and one way of adding:
    `cells` the values of its keys, `adds` (groups × measures) to which measures its rows add. Of each
    entry: `group`, `unit` (0 where the row is linked to nobody, `linked` says so), `counted` toward
    the minimum, `rows`, and `sums` of each measure but counts of rows. `lowest`, `highest` and `flags`
    (all 0 or 1) are of the values in a group, for measures that are amounts. Groups are in order.
    """

    cells: tuple[tuple[str | None, ...], ...]
    adds: NDArray[np.bool_]
    group: NDArray[np.int32]
    unit: NDArray[np.int64]
    linked: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    rows: NDArray[np.int64]
    sums: Mapping[int, NDArray[np.float64]]
    lowest: Mapping[int, NDArray[np.float64]]
    highest: Mapping[int, NDArray[np.float64]]
    flags: Mapping[int, NDArray[np.bool_]]

    @cached_property
    def person(self) -> NDArray[np.int64]:
        """Of each entry whose it is: people from 0, and every row linked to nobody a contributor of its own."""
        person = np.empty(len(self.unit), np.int64)
        units = pa.array(self.unit[self.linked]).dictionary_encode()
        person[self.linked] = np.asarray(units.indices)
        person[~self.linked] = np.arange(len(units.dictionary), len(units.dictionary) + np.count_nonzero(~self.linked))
        return person

    @cached_property
    def alone(self) -> bool:
        """Whether everybody has one entry."""
        units = np.sort(self.unit if self.linked.all() else self.unit[self.linked])
        return not np.any(units[1:] == units[:-1])


def members_sql(shape: Shape, *, unit: int, views: Mapping[str, View]) -> str:
    """One SELECT for the unit of protection of one class.

    Columns: k<i> the keys, `adds` a text of 1 and 0 for each measure, l<i>, h<i> and i<i> of amounts;
    and lists of one length: `units`, `n` rows (absent where each entry is one) and s<i> sums (absent where a row adds
    one or nothing, which `adds` says). A condition adds the same for each row of a group: s<i> and t<i> are the
    least and the most of it, instead of a list. A last row without `adds` holds the provisional `units`.
    """
    steps = f"{shape.steps}, " if shape.steps else ""
    many = sum(views[table].rows for table in shape.tables) > MANY_ROWS
    person = _added_sql(shape) if many else "SELECT *, 1 AS n FROM __rows"
    return f"WITH {steps}__rows AS ({_rows_sql(shape, unit)}), __person AS ({person}) " + _groups_sql(
        shape, unit=unit, views=views
    )


def read(table: pa.Table, shape: Shape) -> Members:
    """The members from the rows of a members query."""
    there = np.asarray(pc.is_valid(table.column("adds")))
    provisional = table.filter(pa.array(~there)).column("units").combine_chunks().flatten() if not there.all() else None
    table = table if provisional is None else table.filter(pa.array(there))
    lists = {
        c: table.column(c).combine_chunks() for c in table.column_names if pa.types.is_list(table.schema.field(c).type)
    }
    keys = [table.column(f"k{n}").to_pylist() for n in range(len(shape.keys))]
    cells = tuple(zip(*keys, strict=True)) if keys else ((),) * table.num_rows
    units = lists["units"].flatten()
    linked = np.asarray(pc.is_valid(units)) if units.null_count else np.ones(len(units), bool)
    unit = np.asarray(pc.fill_null(units, 0) if units.null_count else units).astype(np.int64, copy=False)
    amounts = [n for n, m in enumerate(shape.measures) if m.kind is Amounts.AMOUNT]
    adds = np.array([[flag == "1" for flag in adds] for adds in table.column("adds").to_pylist()], bool)
    adds = adds.reshape(table.num_rows, len(shape.measures))
    lengths = np.asarray(pc.list_value_length(lists["units"]))
    group = np.repeat(np.arange(table.num_rows, dtype=np.int32), lengths)
    rows = (
        np.asarray(lists["n"].flatten()).astype(np.int64, copy=False) if "n" in lists else np.ones(len(units), np.int64)
    )
    present = [n for n, m in enumerate(shape.measures) if m.kind is Amounts.PRESENT]
    return Members(
        cells=tuple(tuple(None if v is None else str(v) for v in cell) for cell in cells),
        adds=adds, group=group, unit=unit, linked=linked, counted=linked & _sure(unit, provisional), rows=rows,
        sums={
            n: np.asarray(lists[f"s{n}"].flatten()) if f"s{n}" in lists else np.repeat(_constant(table, n), lengths)
            for n in range(len(shape.measures)) if f"s{n}" in table.column_names
        } | {n: np.repeat(adds[:, n].astype(np.float64), lengths) * rows for n in present},
        lowest={n: _numbers(table, f"l{n}") for n in amounts}, highest={n: _numbers(table, f"h{n}") for n in amounts},
        flags={n: np.asarray(pc.fill_null(table.column(f"i{n}"), True)) for n in amounts},
    )  # fmt: skip


def _sure(unit: NDArray[np.int64], provisional: pa.Array | None) -> NDArray[np.bool_]:
    """Of each entry whether its unit is linked to an accepted entity."""
    if provisional is None or not len(provisional):
        return np.ones(len(unit), bool)
    return places(np.sort(np.asarray(provisional)).astype(np.int64, copy=False), unit) < 0


def _constant(table: pa.Table, measure: int) -> NDArray[np.float64]:
    """What each row of a group adds to a measure."""
    least, most = _numbers(table, f"s{measure}"), _numbers(table, f"t{measure}")
    if not np.array_equal(least, most):
        raise QueryRefusal("A condition adds different amounts for rows of one kind")
    return least


def _numbers(table: pa.Table, column: str) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(table.column(column), float("nan")))


def _rows_sql(shape: Shape, unit: int) -> str:
    columns = [f"{key} AS k{n}" for n, key in enumerate(shape.keys)]
    columns += [f"CAST({m.sql} AS DOUBLE) AS m{n}" for n, m in enumerate(shape.measures) if m.kind is not Amounts.ROWS]
    columns.append(f"{shape.units[unit]} AS unit")
    return f"SELECT *, {_adds_sql(shape)} AS adds FROM (SELECT {', '.join(columns)} {shape.rows})"


def _adds_sql(shape: Shape) -> str:
    """To which measures a row adds, as a text of 1 and 0."""
    flags = [
        "'1'" if m.kind is Amounts.ROWS else f"CASE WHEN m{n} <> 0 THEN '1' ELSE '0' END"
        for n, m in enumerate(shape.measures)
    ]
    return " || ".join(flags) or "''"


def _added_sql(shape: Shape) -> str:
    """The rows of one person, cell and way of adding as one; rows linked to nobody stay apart."""
    by = [*(f"k{n}" for n in range(len(shape.keys))), "adds", "unit"]
    columns = [*by, "count(*) AS n"]
    for n, measure in enumerate(shape.measures):
        if measure.kind is not Amounts.ROWS:
            columns.append(f"coalesce(sum(m{n}), 0) AS m{n}")
        if measure.kind is Amounts.AMOUNT:
            columns.append(f"min(m{n}) AS lo{n}, max(m{n}) AS hi{n}, bool_and(m{n} = 0 OR m{n} = 1) AS fl{n}")
    alone = [*by, "1 AS n"]
    for n, measure in enumerate(shape.measures):
        if measure.kind is not Amounts.ROWS:
            alone.append(f"m{n}")
        if measure.kind is Amounts.AMOUNT:
            alone.append(f"m{n} AS lo{n}, m{n} AS hi{n}, (m{n} = 0 OR m{n} = 1) AS fl{n}")
    return (
        f"SELECT {', '.join(columns)} FROM __rows WHERE unit IS NOT NULL GROUP BY {', '.join(by)} "
        f"UNION ALL SELECT {', '.join(alone)} FROM __rows WHERE unit IS NULL"
    )


def _groups_sql(shape: Shape, *, unit: int, views: Mapping[str, View]) -> str:
    by = [*(f"k{n}" for n in range(len(shape.keys))), "adds"]
    many = sum(views[table].rows for table in shape.tables) > MANY_ROWS
    columns = [*by, "list(p.unit) AS units", *(["list(p.n) AS n"] if many else [])]
    for n, measure in enumerate(shape.measures):
        if measure.kind is Amounts.INDICATOR and not many:
            columns.append(f"min(coalesce(m{n}, 0)) AS s{n}, max(coalesce(m{n}, 0)) AS t{n}")
        elif measure.kind not in (Amounts.ROWS, Amounts.PRESENT):
            columns.append(f"list(coalesce(m{n}, 0)) AS s{n}")
        if measure.kind is Amounts.AMOUNT:
            low, high, flag = (f"lo{n}", f"hi{n}", f"fl{n}") if many else (f"m{n}", f"m{n}", f"m{n} = 0 OR m{n} = 1")
            columns.append(f"min({low}) AS l{n}, max({high}) AS h{n}, bool_and({flag}) AS i{n}")
    groups = f"SELECT {', '.join(columns)} FROM __person AS p GROUP BY {', '.join(by)}"
    provisional = provisional_sql(shape, unit=unit, views=views)
    if provisional:
        groups += f" UNION ALL BY NAME (SELECT list(q.unit) AS units FROM ({provisional}) AS q)"
    return f"{groups} ORDER BY {', '.join(by)}"


def provisional_sql(shape: Shape, *, unit: int, views: Mapping[str, View]) -> str:
    """Those whose every link in the tables is provisional; empty where no table tells.

    A provisional entity (seen in deliveries only) may be somebody who is counted already under another
    id, so it adds nothing to the minimum.
    """
    column = shape.unit_columns[unit]
    method = column.removesuffix("_key") + "_link_method"
    tables = [table for table in shape.tables if {column, method} <= set(views[table].columns)]
    if not tables:
        return ""
    only = f"starts_with({name(method)}, {text(PROVISIONAL)})"

    def units(where: str) -> str:
        return " UNION ALL ".join(f"SELECT {name(column)} AS unit FROM {name(table)} WHERE {where}" for table in tables)

    sure = units(f"NOT {only} AND {name(column)} IN ({units(only)})")
    return f"({units(only)}) EXCEPT ({sure})"
