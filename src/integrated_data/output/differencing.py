"""How near a released cell comes to what earlier tables add up to: differencing, over everybody at once.

A reader who knows a cell and an earlier table can take away from the cell the best union of that
table's cells; what is left is about the people in one and not in the other. For a table whose cells
share nobody, that best union is exact and simple: a cell belongs to it when more than half of its
people are in the new cell, so

    apart(A, table) = |A| − Σ max(0, 2·|A ∩ B| − |B|)   over the cells B of the table.

The same over a part of the people never gives more than over all of them. People are numbered in
random order, so the first numbers are a sample: a table is read in blocks that double, and no
further once every cell is known to be far away. A cell of few people can only come near to cells of
few people, and those are kept apart from the blocks, so that they are compared at once and in full.

Differencing: Brandt and others, ESSnet guidelines (2010), section on linked tables; the bound by a
sample is ours (decisions/0023).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

#: Ledger numbers in the first block; each next one holds as many as all before it.
FIRST = 1 << 14

#: A cell of fewer people is kept, and compared, in full from the start.
SMALL = 512

Codes = NDArray[np.uint32]
Numbers = NDArray[np.uint32]


@dataclass(frozen=True)
class Level:
    """One published grouping of a table. `members`: cells × classes, 1 where a class of people is in a cell.

    `disjoint`: nobody is in two of its cells.
    """

    members: csr_array
    disjoint: bool


@dataclass(frozen=True)
class Membership:
    """Who is behind each cell of a table, by ledger number.

    People of the same cells share a class, from 1; class 0 is in no cell. `block(n)` gives the classes
    of the numbers in block n, as `starts` divides them, absent at the end for nobody. `sizes`: people
    of each class who count toward a minimum, so 0 for a class of those who do not (`counted`).
    `small`: number and class of everybody in a cell of fewer than `few` + `margin` people, by number.
    """

    levels: tuple[Level, ...]
    sizes: NDArray[np.int64]
    counted: NDArray[np.bool_]
    block: Callable[[int], Codes]
    blocks: int
    small: tuple[Numbers, Codes]
    few: int
    margin: int


@dataclass(frozen=True)
class Near:
    """A new cell that comes near to a union of the cells of one level of an earlier table.

    `level`, `cell` of the new table; `other` the earlier table's level and `union` its cells (none: the
    cell by itself is about few people); `apart`: people in one and not in the other.
    """

    level: int
    cell: int
    other: int
    union: tuple[int, ...]
    apart: int


def starts(people: int) -> list[int]:
    """Where blocks begin, and the end: 0, `FIRST`, twice that, … over so many numbers."""
    edges = [0]
    while edges[-1] < people:
        edges.append(min(people, max(FIRST, 2 * edges[-1])))
    return edges


def near(one: Membership, other: Membership, *, below: int) -> tuple[list[Near], list[Near]]:
    """Cells that differ by fewer than `below` people from a union of cells of one level of the other table.

    Those of the first table against the second, then those of the second against the first.
    """
    sides = _Side.of(one), _Side.of(other)
    few = min(table.few + min(0, table.margin - below) for table in (one, other))
    small = _Shared(sides, sizes=(one.sizes, other.sizes), both=_small(one, other))
    found = [list(small.near(side, wanted=sides[side].people < few, below=below)) for side in (0, 1)]
    far = [side.people < few for side in sides]
    counts = [np.zeros(len(one.sizes), np.int64), np.zeros(len(other.sizes), np.int64)]
    both = csr_array((len(one.sizes), len(other.sizes)), dtype=np.int64)
    shared = None
    for number in range(max(one.blocks, other.blocks)):
        if all(bool(done.all()) for done in far):
            break
        mine, theirs = _blocks(one, other, number=number)
        counts[0] += np.bincount(mine, minlength=len(counts[0])) * one.counted
        counts[1] += np.bincount(theirs, minlength=len(counts[1])) * other.counted
        both = both + _pairs(mine, theirs, sure=(one.counted, other.counted))
        shared = _Shared(sides, sizes=(counts[0], counts[1]), both=both)
        far = [done | (shared.apart(side).min(axis=0, initial=below) >= below) for side, done in enumerate(far)]
    if shared is not None:
        for side in (0, 1):
            found[side] += shared.near(side, wanted=~far[side], below=below)
    return sorted(found[0], key=_order), sorted(found[1], key=_order)


def _order(found: Near) -> tuple[int, int, int]:
    return found.level, found.cell, found.other


@dataclass(frozen=True)
class _Side:
    """All cells of all levels of one table. `cells` × classes; `where` each level begins; `people` of each cell."""

    cells: csr_array
    where: NDArray[np.intp]
    disjoint: tuple[bool, ...]
    people: NDArray[np.int64]

    @classmethod
    def of(cls, table: Membership) -> "_Side":
        parts = [coo_array(level.members) for level in table.levels]
        where = np.cumsum([0, *(part.shape[0] for part in parts)])
        row = np.concatenate([part.coords[0] + first for part, first in zip(parts, where, strict=False)])
        column = np.concatenate([part.coords[1] for part in parts])
        held = csr_array((np.ones(len(row), np.int64), (row, column)), shape=(int(where[-1]), len(table.sizes)))
        return cls(held, where, tuple(level.disjoint for level in table.levels), held @ table.sizes)


class _Shared:
    """How many people the cells of two tables share, so far as they were read, and what follows from it."""

    def __init__(
        self, sides: tuple[_Side, _Side], *, sizes: tuple[NDArray[np.int64], NDArray[np.int64]], both: csr_array
    ) -> None:
        self._sides = sides
        self._people = sides[0].cells @ sizes[0], sides[1].cells @ sizes[1]
        shared = csr_array(sides[0].cells @ both @ sides[1].cells.T)
        self._shared = shared, csr_array(shared.T)

    def _gain(self, side: int) -> csr_array:
        """What each cell of the other table brings nearer to each cell of this one; nothing below nothing."""
        gain = self._shared[side].copy()
        gain.data = np.maximum(0, 2 * gain.data - self._people[1 - side][gain.indices])
        return gain

    def apart(self, side: int) -> NDArray[np.int64]:
        """For each level of the other table, the people each cell of this one is apart from its best union."""
        other, gain = self._sides[1 - side], self._gain(side)
        cells = gain.shape[0]
        rows = np.repeat(np.arange(cells), np.diff(gain.indptr))
        level = np.searchsorted(other.where, gain.indices, side="right") - 1
        best = np.zeros((len(other.disjoint), cells), np.int64)
        for number, disjoint in enumerate(other.disjoint):
            held = level == number
            if disjoint:
                best[number] = np.bincount(rows[held], weights=gain.data[held], minlength=cells)
            else:
                np.maximum.at(best[number], rows[held], gain.data[held])
        return np.asarray(self._people[side][None, :] - best)

    def near(self, side: int, *, wanted: NDArray[np.bool_], below: int) -> Iterator[Near]:
        """The wanted cells of one table that come near to a union of the other's."""
        if not wanted.any():
            return
        mine, other, gain = self._sides[side], self._sides[1 - side], self._gain(side)
        apart = self.apart(side)
        for level, cell in np.argwhere((apart < below) & wanted[None, :]):
            held = slice(gain.indptr[cell], gain.indptr[cell + 1])
            within = (gain.indices[held] >= other.where[level]) & (gain.indices[held] < other.where[level + 1])
            within &= gain.data[held] > 0
            union, gained = gain.indices[held][within] - other.where[level], gain.data[held][within]
            if not other.disjoint[level]:
                union = union[np.argsort(-gained)][:1]
            which = int(np.searchsorted(mine.where, cell, side="right")) - 1
            yield Near(
                which, int(cell - mine.where[which]), int(level), tuple(sorted(int(u) for u in union)),
                int(apart[level, cell]),
            )  # fmt: skip


def _small(one: Membership, other: Membership) -> csr_array:
    """The people in small cells of both tables, by class."""
    _, mine, theirs = np.intersect1d(one.small[0], other.small[0], assume_unique=True, return_indices=True)
    return _pairs(one.small[1][mine], other.small[1][theirs], sure=(one.counted, other.counted))


def _blocks(one: Membership, other: Membership, *, number: int) -> tuple[Codes, Codes]:
    """The same block of both, the shorter one filled up with nobody: it was made when there were fewer people."""
    mine = one.block(number) if number < one.blocks else np.zeros(0, np.uint32)
    theirs = other.block(number) if number < other.blocks else np.zeros(0, np.uint32)
    length = max(len(mine), len(theirs))
    return _filled(mine, length), _filled(theirs, length)


def _filled(codes: Codes, length: int) -> Codes:
    return codes if len(codes) == length else np.concatenate([codes, np.zeros(length - len(codes), codes.dtype)])


def _pairs(mine: Codes, theirs: Codes, *, sure: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> csr_array:
    """How many people are in each class of the one and of the other; class 0 of either is left out.

    Somebody who counts in one of them only is no difference between the two: that errs on the near side.
    """
    shape = (len(sure[0]), len(sure[1]))
    held = mine.astype(np.int64) * shape[1] + theirs
    if shape[0] * shape[1] <= 4 * FIRST:
        counted = np.bincount(held, minlength=shape[0] * shape[1])
        places = np.flatnonzero(counted)
        number = counted[places]
    else:
        places, number = np.unique(held, return_counts=True)
    first, second = places // shape[1], places % shape[1]
    kept = (first > 0) & (second > 0) & (sure[0][first] | sure[1][second])
    return csr_array((number[kept], (first[kept], second[kept])), shape=shape)
