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
    """The evidence of each cell, of every level that the query shows."""
    found: dict[Cell, CellEvidence] = {}
    for kept in shape.sets:
        cells, cell_of = cells_of(members, kept)
        if cells:
            found.update(_of_level(members, shape, limits=limits, cells=cells, cell_of=cell_of))
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
    """Everybody of every cell of a level, cell after cell. `ends`: where each cell's people begin, and the end.

    `of`: for each entry of `members`, in the order `order`, the person that it belongs to; `cell_of`: for
    each of their groups, its cell.
    """

    members: Members
    cell_of: Ints
    cell: Ints
    ends: Ints
    order: NDArray[np.intp]
    of: Ints
    counted: NDArray[np.bool_]
    rows: Ints

    @property
    def alone(self) -> bool:
        """Whether every person has one entry."""
        return len(self.of) == len(self.cell)

    def summed(self, amounts: NDArray[Any]) -> Floats:
        """What each person's entries come to."""
        if self.alone:
            return np.asarray(amounts[self.order], np.float64)
        return np.bincount(self.of, weights=amounts[self.order], minlength=len(self.cell)).astype(np.float64)

    def any(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether it is so of some entry of a person."""
        if self.alone:
            return np.asarray(flags[self.order])
        return np.bincount(self.of[flags[self.order]], minlength=len(self.cell)) > 0

    def per_cell(self, amounts: NDArray[Any]) -> Floats:
        """The sum over the people of each cell."""
        return np.asarray(np.add.reduceat(amounts, self.ends[:-1]), np.float64)

    def counts(self, flags: NDArray[np.bool_]) -> list[int]:
        """How many people of each cell it is so of."""
        return [int(n) for n in np.add.reduceat(flags, self.ends[:-1], dtype=np.int64)]

    def largest(self, amounts: Floats, most: int) -> list[tuple[float, ...]]:
        """The largest absolute amounts of each cell, at most `most`."""
        left, starts = np.abs(amounts), self.ends[:-1]
        found: list[Floats] = []
        for _ in range(min(most, int(np.diff(self.ends).max(initial=0)))):
            top = np.maximum.reduceat(left, starts)
            found.append(top)
            places = np.flatnonzero(left == top[self.cell])
            first = np.concatenate([[True], np.diff(self.cell[places]) != 0])
            left[places[first]] = -np.inf
        columns = np.array(found).T
        return [tuple(float(v) for v in row if np.isfinite(v)) for row in columns]


def _people(members: Members, cell_of: Ints, *, cells: int) -> _People:
    """Entries put together by cell and person; where nobody has two in a cell they stay as they are."""
    cell = cell_of[members.group]
    if members.alone:
        order = np.argsort(cell.astype(np.uint16 if cells < 1 << 16 else np.uint32), kind="stable")
        of = np.arange(len(cell))
        first = order
    else:
        order = np.lexsort((members.person, cell))
        new = np.concatenate([[True], (np.diff(cell[order]) != 0) | (np.diff(members.person[order]) != 0)])[
            : len(order)
        ]
        of = np.cumsum(new) - 1
        first = order[new]
    held = cell[first]
    rows = np.bincount(of, weights=members.rows[order], minlength=len(first)).astype(np.int64)
    ends = np.searchsorted(held, np.arange(cells + 1))
    return _People(members, cell_of, held, ends, order, of, members.counted[first], rows)


def _of_level(
    members: Members, shape: Shape, *, limits: ReleaseLimits, cells: Sequence[Cell], cell_of: Ints
) -> Iterator[tuple[Cell, CellEvidence]]:
    people = _people(members, cell_of, cells=len(cells))
    sums = {n: people.summed(amounts) for n, amounts in members.sums.items()}
    counted = people.counts(people.counted)
    measures = [
        _measures(people, n, kind=m.kind, sums=sums.get(n), limits=limits) for n, m in enumerate(shape.measures)
    ]
    close = [(i, j, *_apart(people, sums[i], other=sums[j])) for i, j in shape.subtractable]
    parts = _parts(people)
    rows = people.per_cell(people.rows)
    for number, cell in enumerate(cells):
        yield cell, CellEvidence(
            counted[number], int(people.ends[number + 1] - people.ends[number]), int(rows[number]),
            tuple(m[number] for m in measures),
            tuple(Close(i, j, apart[number], sure[number]) for i, j, apart, sure in close),
            tuple(parts[number]), shape.families,
        )  # fmt: skip


def _measures(
    people: _People, n: int, *, kind: Amounts, sums: Floats | None, limits: ReleaseLimits
) -> list[MeasureEvidence]:
    """What is behind one measure in each cell."""
    most = min(max(limits.dominance_people, 2), MOST_TOP)
    counted = people.counts(people.counted)
    if sums is None:  # rows
        rows, top = people.per_cell(people.rows), people.largest(people.rows.astype(float), most)
        return [
            MeasureEvidence(c, total=float(r), net=float(r), top=t) for c, r, t in zip(counted, rows, top, strict=True)
        ]
    adds = people.any(people.members.adds[people.members.group, n])
    adding, others = people.counts(adds & people.counted), people.counts(~adds)
    net, top = people.per_cell(sums), people.largest(sums, most)
    amounts = kind is Amounts.AMOUNT
    total = people.per_cell(np.abs(sums)) if amounts else net
    low, high, flags = _extremes(people, n) if amounts else ([], [], [])
    return [
        MeasureEvidence(
            people=adding[c], others=others[c], others_counted=counted[c] - adding[c], total=float(total[c]),
            net=float(net[c]), top=top[c], lowest=low[c] if amounts else None, highest=high[c] if amounts else None,
            indicator=kind is Amounts.INDICATOR or (amounts and flags[c]),
        )
        for c in range(len(net))
    ]  # fmt: skip


def _extremes(people: _People, n: int) -> tuple[list[float | None], list[float | None], list[bool]]:
    """Lowest and highest value of an amount in each cell, and whether all of them are 0 or 1."""
    members, cell_of, cells = people.members, people.cell_of, len(people.ends) - 1
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


def _apart(people: _People, one: Floats, *, other: Floats) -> tuple[list[int], list[int]]:
    """In each cell, the contributors whose two sums differ: all of them, and those who count."""
    apart = np.abs(one - other) > SAME * (np.abs(one) + np.abs(other))
    return people.counts(apart), people.counts(apart & people.counted)


def _parts(people: _People) -> list[list[Part]]:
    """The contributors of each way of adding; somebody whose rows add in several ways is in each."""
    members, cells = people.members, len(people.ends) - 1
    ways, way_of = np.unique(members.adds, axis=0, return_inverse=True) if members.adds.size else (
        np.zeros((1, 0), bool), np.zeros(len(members.cells), np.int64)
    )  # fmt: skip
    way = way_of.ravel()[members.group][people.order]
    held = people.of * len(ways) + way
    once = held if people.alone else np.unique(held)
    person, way = once // len(ways), once % len(ways)
    place = people.cell[person] * len(ways) + way
    everybody = np.bincount(place, minlength=cells * len(ways))
    counted = np.bincount(place[people.counted[person]], minlength=cells * len(ways))
    found: list[list[Part]] = [[] for _ in range(cells)]
    for held_place in np.flatnonzero(everybody):
        cell, which = divmod(int(held_place), len(ways))
        adds = tuple(bool(flag) for flag in ways[which])
        found[cell].append(Part(adds, int(everybody[held_place]), int(counted[held_place])))
    return found
