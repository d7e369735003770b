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

#: Measures of which one number says to which of them a row adds.
FLAGS = 60

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

    Columns: k<i> the keys, a<i> numbers of which each bit says whether a row adds to a measure; and lists of one
    length: `units`, `n` rows (absent where each entry is one) and s<i> sums (absent where a row adds one or nothing,
    which a<i> says). A condition adds the same for each row of a group: s<i> and t<i> are the least and the most of
    it, instead of a list. Where rows of one person are added up, l<i>, h<i> and i<i> of amounts are told of each
    group; else s<i> tells, null where there is no value. A last row without a0 holds the provisional `units`.
    """
    steps = f"{shape.steps}, " if shape.steps else ""
    many = sum(views[table].rows for table in shape.tables) > MANY_ROWS
    person = _added_sql(shape) if many else "SELECT *, 1 AS n FROM __rows"
    return f"WITH {steps}__rows AS ({_rows_sql(shape, unit)}), __person AS ({person}) " + _groups_sql(
        shape, unit=unit, views=views
    )


def read(table: pa.Table, shape: Shape) -> Members:
    """The members from the rows of a members query."""
    provisional = None
    if table.num_rows and not table.column("a0")[-1].is_valid:  # in order, so that it is the last
        provisional = table.column("units").slice(table.num_rows - 1).combine_chunks().flatten()
        table = table.slice(0, table.num_rows - 1)
    lists = {c: _whole(table.column(c)) for c in table.column_names if pa.types.is_list(table.schema.field(c).type)}
    keys = [table.column(f"k{n}").to_pylist() for n in range(len(shape.keys))]
    cells = tuple(zip(*keys, strict=True)) if keys else ((),) * table.num_rows
    units = lists["units"].flatten()
    linked = np.asarray(pc.is_valid(units)) if units.null_count else np.ones(len(units), bool)
    unit = np.asarray(pc.fill_null(units, 0) if units.null_count else units).astype(np.int64, copy=False)
    adds = _adds(table, measures=len(shape.measures))
    lengths = np.asarray(pc.list_value_length(lists["units"]))
    group = np.repeat(np.arange(table.num_rows, dtype=np.int32), lengths)
    rows = (
        np.asarray(lists["n"].flatten()).astype(np.int64, copy=False) if "n" in lists else np.ones(len(units), np.int64)
    )
    sums = {n: lists[f"s{n}"].flatten() for n in range(len(shape.measures)) if f"s{n}" in lists}
    constant = [n for n in range(len(shape.measures)) if n not in sums and f"s{n}" in table.column_names]
    present = [n for n, m in enumerate(shape.measures) if m.kind is Amounts.PRESENT]
    extremes = {
        n: _extremes(table, sums[n], lengths=lengths, measure=n)
        for n, m in enumerate(shape.measures) if m.kind is Amounts.AMOUNT
    }  # fmt: skip
    return Members(
        cells=tuple(tuple(None if v is None else str(v) for v in cell) for cell in cells),
        adds=adds, group=group, unit=unit, linked=linked, counted=linked & _sure(unit, provisional), rows=rows,
        sums={n: np.asarray(pc.fill_null(held, 0.0) if held.null_count else held) for n, held in sums.items()}
        | {n: np.repeat(_constant(table, n), lengths) for n in constant}
        | {n: np.repeat(adds[:, n].astype(np.float64), lengths) * rows for n in present},
        lowest={n: low for n, (low, _, _) in extremes.items()},
        highest={n: high for n, (_, high, _) in extremes.items()},
        flags={n: flags for n, (_, _, flags) in extremes.items()},
    )  # fmt: skip


def _whole(column: pa.ChunkedArray) -> pa.ListArray:
    """A column in one piece, as it lies where it is one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _adds(table: pa.Table, *, measures: int) -> NDArray[np.bool_]:
    """Groups × measures, from the bits of the numbers."""
    numbers = [np.asarray(table.column(f"a{n}")) for n in range(max(1, -(-measures // FLAGS)))]
    flags = [(numbers[n // FLAGS] >> (n % FLAGS)) & 1 for n in range(measures)]
    return np.array(flags, bool).T.reshape(table.num_rows, measures)


def _extremes(
    table: pa.Table, held: pa.Array, *, lengths: NDArray[np.int64], measure: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Of each group the lowest and the highest value, not a number where it has none, and whether all are 0 or 1."""
    if f"l{measure}" in table.column_names:
        flags = np.asarray(pc.fill_null(table.column(f"i{measure}"), True))
        return _numbers(table, f"l{measure}"), _numbers(table, f"h{measure}"), flags
    if not len(held):
        return np.zeros(0), np.zeros(0), np.zeros(0, bool)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    values = np.asarray(pc.fill_null(held, float("nan")) if held.null_count else held)
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    flags = np.isnan(low) | ((low >= 0) & (high <= 1))
    if flags.any():
        odd = (values != 0) & (values != 1) & np.asarray(pc.is_valid(held))
        flags &= np.add.reduceat(odd, starts, dtype=np.int64) == 0
    return low, high, flags


def _sure(unit: NDArray[np.int64], provisional: pa.Array | None) -> NDArray[np.bool_]:
    """Of each entry whether its unit is linked to an accepted entity."""
    if provisional is None or not len(provisional):
        return np.ones(len(unit), bool)
    # an absent key among them would make all of them floats, of which 63 bits are too many
    held = np.sort(np.asarray(pc.drop_null(provisional)).astype(np.int64, copy=False))
    return places(held, unit) < 0


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
    return f"SELECT *, {', '.join(_adds_sql(shape))} FROM (SELECT {', '.join(columns)} {shape.rows})"


def _adds_sql(shape: Shape) -> list[str]:
    """To which measures a row adds, a bit for each."""
    bits = [
        f"{1 << n % FLAGS}" if m.kind is Amounts.ROWS else f"CASE WHEN m{n} <> 0 THEN {1 << n % FLAGS} ELSE 0 END"
        for n, m in enumerate(shape.measures)
    ]
    parts = [bits[start : start + FLAGS] for start in range(0, max(1, len(bits)), FLAGS)]
    return [f"CAST({' + '.join(part) or '0'} AS BIGINT) AS a{n}" for n, part in enumerate(parts)]


def _by(shape: Shape) -> list[str]:
    """The columns of which the values are a group."""
    flags = range(max(1, -(-len(shape.measures) // FLAGS)))
    return [*(f"k{n}" for n in range(len(shape.keys))), *(f"a{n}" for n in flags)]


def _added_sql(shape: Shape) -> str:
    """The rows of one person, cell and way of adding as one; rows linked to nobody stay apart."""
    by = [*_by(shape), "unit"]
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
    by = _by(shape)
    many = sum(views[table].rows for table in shape.tables) > MANY_ROWS
    columns = [*by, "list(p.unit) AS units", *(["list(p.n) AS n"] if many else [])]
    for n, measure in enumerate(shape.measures):
        if measure.kind is Amounts.INDICATOR and not many:
            columns.append(f"min(coalesce(m{n}, 0)) AS s{n}, max(coalesce(m{n}, 0)) AS t{n}")
        elif measure.kind not in (Amounts.ROWS, Amounts.PRESENT):
            columns.append(f"list(m{n}) AS s{n}")
        if many and measure.kind is Amounts.AMOUNT:
            columns.append(f"min(lo{n}) AS l{n}, max(hi{n}) AS h{n}, bool_and(fl{n}) AS i{n}")
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
        there = f"{name(column)} IS NOT NULL AND {where}"  # a row linked to nobody has nobody who is provisional
        return " UNION ALL ".join(f"SELECT {name(column)} AS unit FROM {name(table)} WHERE {there}" for table in tables)

    sure = units(f"NOT {only} AND {name(column)} IN ({units(only)})")
    return f"({units(only)}) EXCEPT ({sure})"
