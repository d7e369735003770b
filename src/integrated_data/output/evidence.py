"""The evidence of a table: what is behind every cell, from its members.

Figures about each cell that never leave: distinct accepted people, rows, and for each measure the
people who contribute, the largest, the total and the extremes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integrated_data.model.evidence import CellEvidence, Close, MeasureEvidence, Part
from integrated_data.model.output import MOST_TOP, Cell, ReleaseLimits
from integrated_data.output.measures import Amounts
from integrated_data.output.members import Members
from integrated_data.output.shape import Shape

#: Amounts of one person that differ by less, relatively, are the same.
SAME = 1e-9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def evidence(members: Members, shape: Shape, *, limits: ReleaseLimits) -> dict[Cell, CellEvidence]:
    """The evidence of each cell, of every level that the query shows.

    Where everybody has one entry, what is behind a cell is what is behind its groups, added up.
    """
    found: dict[Cell, CellEvidence] = {}
    groups = len(members.cells)
    by_group = None
    if members.alone and groups:
        by_group = _figures(_people(members, np.arange(groups), cells=groups), shape, limits=limits)
    for kept in shape.sets:
        cells, cell_of = cells_of(members, kept)
        if cells:
            figures = (
                _figures(_people(members, cell_of, cells=len(cells)), shape, limits=limits)
                if by_group is None
                else by_group.together(cell_of, cells=len(cells))
            )
            found.update(_told(figures, members, shape=shape, cells=cells, cell_of=cell_of))
    return found


def cells_of(members: Members, kept: Sequence[int]) -> tuple[list[Cell], Ints]:
    """The cells of a level that keeps these keys, and for each group the cell that it is in."""
    numbers: dict[Cell, int] = {}
    total = tuple(n not in kept for n in range(len(members.cells[0]) if members.cells else 0))
    cell_of = np.empty(len(members.cells), np.int64)
    for group, values in enumerate(members.cells):
        shown = tuple(None if t else v for v, t in zip(values, total, strict=True))
        cell_of[group] = numbers.setdefault(Cell(total, shown), len(numbers))
    return list(numbers), cell_of


def cell_of(row: Mapping[str, Any], columns: Sequence[str], *, prefix: str) -> Cell:
    """Which cell a row is: values of its key columns and the columns that say what is summed over."""
    total = tuple(bool(row.get(f"{prefix}{n}", 0)) for n in range(len(columns)))
    values = (row[column] for column in columns)
    return Cell(total, tuple(None if v is None or t else str(v) for v, t in zip(values, total, strict=True)))


@dataclass(frozen=True)
class _People:
    """Everybody of every cell, cell after cell. `ends`: where each cell's people begin, and the end.

    `of`: for each entry of `members`, in the order `order`, the person that it belongs to; None where every
    person has one entry, and the cells are the groups.
    """

    members: Members
    cell: Ints | NDArray[np.int32]
    ends: Ints
    order: NDArray[np.intp] | slice
    of: Ints | None
    counted: NDArray[np.bool_]
    rows: Ints

    def summed(self, amounts: NDArray[Any]) -> Floats:
        """What each person's entries come to."""
        if self.of is None:
            return np.asarray(amounts[self.order], np.float64)
        return np.bincount(self.of, weights=amounts[self.order], minlength=len(self.cell)).astype(np.float64)

    def any(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether it is so of some entry of a person."""
        if self.of is None:
            return np.asarray(flags[self.order])
        return np.bincount(self.of[flags[self.order]], minlength=len(self.cell)) > 0

    def per_cell(self, amounts: NDArray[Any]) -> Floats:
        """The sum over the people of each cell."""
        return np.asarray(np.add.reduceat(amounts, self.ends[:-1]), np.float64)

    def counts(self, flags: NDArray[np.bool_]) -> Ints:
        """How many people of each cell it is so of."""
        return np.add.reduceat(flags, self.ends[:-1], dtype=np.int64)

    def largest(self, amounts: NDArray[Any], most: int) -> Floats:
        """The largest absolute amounts of each cell, at most `most`; minus infinity where there are fewer people."""
        sizes, starts = np.diff(self.ends), self.ends[:-1]
        if amounts.min() == amounts.max():
            some = np.arange(most) < sizes[:, None]
            return np.where(some, abs(float(amounts[0])), -np.inf)
        left, found = np.abs(amounts).astype(np.float64, copy=False), []
        for _ in range(most):
            top = np.maximum.reduceat(left, starts)
            found.append(top)
            places = np.flatnonzero(left == np.repeat(top, sizes))
            first = np.concatenate([[True], np.diff(self.cell[places]) != 0])
            left[places[first]] = -np.inf
        return np.array(found).T


def _people(members: Members, cell_of: Ints, *, cells: int) -> _People:
    """Entries put together by cell and person; where nobody has two in a cell they stay as they are."""
    apart = members.alone and cells == len(members.cells)  # the cells are the groups
    cell = members.group if apart else cell_of[members.group]
    order: NDArray[np.intp] | slice = slice(None)
    of = None
    if members.alone:
        first, rows = order, members.rows
    else:
        person = members.person
        order = np.argsort(cell * (int(person.max(initial=0)) + 1) + person)
        new = np.concatenate([[True], (np.diff(cell[order]) != 0) | (np.diff(person[order]) != 0)])[: len(order)]
        of, first = np.cumsum(new) - 1, order[new]
        rows = np.bincount(of, weights=members.rows[order], minlength=len(first)).astype(np.int64)
    held = cell[first]
    ends = np.concatenate([[0], np.cumsum(np.bincount(held, minlength=cells))])
    return _People(members, held, ends, order, of, members.counted[first], rows)


@dataclass(frozen=True)
class _Amounts:
    """What is behind one measure in each cell: who adds to it (those who count) and who does not, and how much.

    `top`: cells × the largest absolute amounts, the largest first, minus infinity where there are fewer people.
    """

    people: Ints
    others: Ints
    total: Floats
    net: Floats
    top: Floats


@dataclass(frozen=True)
class _Figures:
    """What is behind each cell, an entry for each; `apart` as `_apart` gives it.

    `parts`: cells × `ways` of adding, how many people are of each, all of them and those who count.
    """

    contributors: Ints
    counted: Ints
    rows: Ints
    measures: tuple[_Amounts, ...]
    apart: tuple[tuple[Ints, Ints], ...]
    ways: NDArray[np.bool_]
    parts: tuple[Ints, Ints]

    def together(self, cell_of: Ints, *, cells: int) -> "_Figures":
        """The same of groups of these cells that share nobody. `cell_of`: of each cell its group."""

        def ints(of_each: Ints) -> Ints:
            return floats(of_each).astype(np.int64)

        def floats(of_each: NDArray[Any]) -> Floats:
            return np.bincount(cell_of, weights=of_each, minlength=cells).astype(np.float64)

        def top(of_each: Floats) -> Floats:
            most = of_each.shape[1]
            cell, amounts = np.repeat(cell_of, most), of_each.ravel()
            order = np.lexsort((-amounts, cell))
            ends = np.concatenate([[0], np.cumsum(np.bincount(cell_of, minlength=cells))]) * most
            return np.asarray(amounts[order][ends[:-1, None] + np.arange(most)])

        def columns(of_each: Ints) -> Ints:
            return np.column_stack([ints(column) for column in of_each.T])

        measures = tuple(
            _Amounts(ints(m.people), ints(m.others), floats(m.total), floats(m.net), top(m.top)) for m in self.measures
        )
        return _Figures(
            ints(self.contributors), ints(self.counted), ints(self.rows), measures,
            tuple((ints(apart), ints(sure)) for apart, sure in self.apart),
            self.ways, (columns(self.parts[0]), columns(self.parts[1])),
        )  # fmt: skip


def _figures(people: _People, shape: Shape, *, limits: ReleaseLimits) -> _Figures:
    most = min(max(limits.dominance_people, 2), MOST_TOP)
    sums = {n: people.summed(amounts) for n, amounts in people.members.sums.items()}
    rows, counted = people.per_cell(people.rows), people.counts(people.counted)
    ways, parts = _parts(people)
    measures = []
    for number, measure in enumerate(shape.measures):
        if number not in sums:  # rows
            top = people.largest(people.rows, most)
            measures.append(_Amounts(counted, np.zeros_like(counted), rows, rows, top))
            continue
        amounts = sums[number]
        net = people.per_cell(amounts)
        total = people.per_cell(np.abs(amounts)) if measure.kind is Amounts.AMOUNT else net
        adding, others = _adding(people, number, counted=counted)
        measures.append(_Amounts(adding, others, total, net, people.largest(amounts, most)))
    return _Figures(
        np.diff(people.ends), counted, rows.astype(np.int64), tuple(measures),
        tuple(_apart(people, sums[i], other=sums[j]) for i, j in shape.subtractable), ways, parts,
    )  # fmt: skip


def _adding(people: _People, measure: int, *, counted: Ints) -> tuple[Ints, Ints]:
    """How many people of each cell add to a measure and count, and how many do not add to it."""
    flags = people.members.adds[:, measure]
    if people.of is None:
        return counted * flags, np.diff(people.ends) * ~flags
    adds = people.any(flags[people.members.group])
    return people.counts(adds & people.counted), people.counts(~adds)


def _told(
    figures: _Figures, members: Members, *, shape: Shape, cells: Sequence[Cell], cell_of: Ints
) -> Iterator[tuple[Cell, CellEvidence]]:
    """What is behind each cell, cell by cell."""
    measures = [
        _measures(figures, members, n=n, kind=measure.kind, cell_of=cell_of) for n, measure in enumerate(shape.measures)
    ]
    ways = [tuple(bool(flag) for flag in way) for way in figures.ways]
    everybody, sure = (part.tolist() for part in figures.parts)
    close = [(*pair, a.tolist(), s.tolist()) for pair, (a, s) in zip(shape.subtractable, figures.apart, strict=True)]
    contributors, counted, rows = (a.tolist() for a in (figures.contributors, figures.counted, figures.rows))
    for number, cell in enumerate(cells):
        parts = zip(ways, everybody[number], sure[number], strict=True)
        yield cell, CellEvidence(
            counted[number], contributors[number], rows[number], tuple(m[number] for m in measures),
            tuple(Close(i, j, apart[number], counting[number]) for i, j, apart, counting in close),
            tuple(Part(way, people, counting) for way, people, counting in parts if people), shape.families,
        )  # fmt: skip


def _measures(figures: _Figures, members: Members, *, n: int, kind: Amounts, cell_of: Ints) -> list[MeasureEvidence]:
    """What is behind one measure in each cell."""
    held = figures.measures[n]
    tops = [tuple(v for v in row if v > -np.inf) for row in held.top.tolist()]
    told = zip(held.people.tolist(), held.total.tolist(), held.net.tolist(), tops, strict=True)
    if kind is Amounts.ROWS:
        return [MeasureEvidence(p, total=total, net=net, top=top) for p, total, net, top in told]
    amounts = kind is Amounts.AMOUNT
    low, high, flags = _extremes(members, n, cell_of=cell_of, cells=len(tops)) if amounts else ([], [], [])
    others, others_counted = held.others.tolist(), (figures.counted - held.people).tolist()
    return [
        MeasureEvidence(
            people=p, others=others[c], others_counted=others_counted[c], total=total, net=net, top=top,
            lowest=low[c] if amounts else None, highest=high[c] if amounts else None,
            indicator=kind is Amounts.INDICATOR or (amounts and flags[c]),
        )
        for c, (p, total, net, top) in enumerate(told)
    ]  # fmt: skip


def _extremes(
    members: Members, n: int, *, cell_of: Ints, cells: int
) -> tuple[list[float | None], list[float | None], list[bool]]:
    """Lowest and highest value of an amount in each cell, and whether all of them are 0 or 1."""
    low, high, flags = np.full(cells, np.inf), np.full(cells, -np.inf), np.ones(cells, bool)
    np.fmin.at(low, cell_of, members.lowest[n])
    np.fmax.at(high, cell_of, members.highest[n])
    np.logical_and.at(flags, cell_of, members.flags[n])
    there = np.isfinite(low)
    return (
        [float(v) if t else None for v, t in zip(low, there, strict=True)],
        [float(v) if t else None for v, t in zip(high, there, strict=True)],
        [bool(f and t) for f, t in zip(flags, there, strict=True)],
    )


def _apart(people: _People, one: Floats, *, other: Floats) -> tuple[Ints, Ints]:
    """In each cell, the contributors whose two sums differ: all of them, and those who count."""
    apart = np.abs(one - other) > SAME * (np.abs(one) + np.abs(other))
    return people.counts(apart), people.counts(apart & people.counted)


def _parts(people: _People) -> tuple[NDArray[np.bool_], tuple[Ints, Ints]]:
    """The ways of adding, and cells × ways the contributors of each, all and those who count.

    Somebody whose rows add in several ways is in each.
    """
    members, cells = people.members, len(people.ends) - 1
    ways, way_of = np.unique(members.adds, axis=0, return_inverse=True) if members.adds.size else (
        np.zeros((1, 0), bool), np.zeros(len(members.cells), np.int64)
    )  # fmt: skip
    if people.of is None:  # group by group, each of one way
        there = np.arange(len(ways)) == way_of.reshape(-1, 1)
        return ways, (there * np.diff(people.ends)[:, None], there * people.counts(people.counted)[:, None])
    way = way_of.ravel()[members.group][people.order]
    person, way = np.divmod(np.unique(people.of * len(ways) + way), len(ways))
    place, counted = people.cell[person] * len(ways) + way, people.counted[person]
    everybody, sure = (np.bincount(p, minlength=cells * len(ways)) for p in (place, place[counted]))
    return ways, (everybody.reshape(cells, -1), sure.reshape(cells, -1))
