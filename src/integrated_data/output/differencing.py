"""How near a released cell comes to what earlier tables add up to: differencing, over everybody at once.

A reader who knows a cell and an earlier table can take away from the cell the best union of that
table's cells; what is left is about the people in one and not in the other. For a table whose cells
share nobody, that best union is exact and simple: a cell belongs to it when more than half of its
people are in the new cell, so

    apart(A, table) = |A| − Σ max(0, 2·|A ∩ B| − |B|)   over the cells B of the table.

The same over a part of the people never gives more than over all of them. People are numbered in
random order, so the first numbers are a sample: a table is read in blocks that double, and no
further once every cell is known to be far away, or to be a union but for one person at most, which
its print tells. A cell of few people can only come near to cells of few people, and those are kept apart from the
blocks, so that they are compared at once and in full.

Differencing: Brandt and others, ESSnet guidelines (2010), section on linked tables; the bound by a
sample is ours (decisions/0023).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from integrated_data.output import prints
from integrated_data.output.prints import Prints

#: Ledger numbers in the first block; each next one holds as many as all before it.
FIRST = 1 << 14

#: A cell of fewer people is kept, and compared, in full from the start.
SMALL = 512

#: People of its smallest cell that a sample holds at least: so many are seldom fewer than a minimum.
SAMPLED = 28

Codes: TypeAlias = NDArray[np.unsignedinteger[Any]]
Numbers: TypeAlias = NDArray[np.uint32]

#: Pairs of classes that are counted in a full matrix.
FULL = 1 << 17

Said: TypeAlias = Callable[[int], NDArray[np.bool_] | None]

Both: TypeAlias = NDArray[np.int32] | csr_array


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

    People of the same cells share a class, from 1; class 0 is in no cell. `classes` of each cell, cell after
    cell up to its place in `ends`, and level after level: `where` each begins, and the end; `disjoint` as
    of a `Level`. `block(n)` gives the classes of the numbers in block n, as `starts` divides them, absent
    at the end for nobody; `numbers` had been given when the table was made. `sizes`: people of each class
    who count toward a minimum, so 0 for a class of those who do not (`counted`).
    `small`: number and class of everybody in a cell of fewer than `few` + `margin` people, by number.
    `prints`: of each cell a sum over its people of a number drawn by each; the same prints, the same people.
    """

    classes: NDArray[np.int32]
    ends: NDArray[np.int32]
    where: NDArray[np.intp]
    disjoint: tuple[bool, ...]
    sizes: NDArray[np.int64]
    counted: NDArray[np.bool_]
    block: Callable[[int], Codes]
    blocks: int
    numbers: int
    small: tuple[Numbers, Codes]
    few: int
    margin: int
    prints: Callable[[], Prints]

    @cached_property
    def cells(self) -> csr_array:
        """Cells × classes, level after level."""
        ones = np.ones(len(self.classes), np.int64)
        return csr_array((ones, self.classes, self.ends), shape=(len(self.ends) - 1, len(self.sizes)))

    @cached_property
    def whole(self) -> bool:
        """Whether every cell has a class."""
        return bool((self.ends[1:] > self.ends[:-1]).all())

    @cached_property
    def kinds(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Cells of one class, and of several."""
        alone = np.diff(self.ends) == 1
        return np.flatnonzero(alone), np.flatnonzero(~alone)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its levels, one by one."""
        edges = zip(self.where, self.where[1:], self.disjoint, strict=False)
        return tuple(Level(self.cells[first:end], disjoint) for first, end, disjoint in edges)

    @cached_property
    def people(self) -> NDArray[np.int64]:
        """People of each cell who count."""
        return self.summed(self.sizes)

    def summed(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of each cell the sum over its classes."""
        if not self.whole:
            return np.asarray(self.cells @ sizes)
        return np.asarray(np.add.reduceat(sizes[self.classes], self.ends[:-1]))

    @cached_property
    def sample(self) -> int:
        """How many of the first numbers hold some people of every cell that is not small; at most a block."""
        large = self.people[self.people >= self.few]
        return min(FIRST, SAMPLED * self.numbers // max(1, int(large.min(initial=self.numbers))) + 1)

    @cached_property
    def all_counted(self) -> bool:
        """Whether everybody counts."""
        return bool(self.counted[1:].all())

    @cached_property
    def small_class(self) -> Codes:
        """The class of each number of somebody in a small cell, 0 for others."""
        who, codes = self.small
        held = np.zeros(int(who[-1]) + 1 if len(who) else 0, codes.dtype)
        held[who] = codes
        return held


def stacked(levels: Sequence[Level], *, classes: int) -> tuple[csr_array, NDArray[np.intp]]:
    """Cells of all levels × classes, and where each level begins, and the end."""
    parts = [coo_array(level.members) for level in levels]
    where = np.cumsum([0, *(part.shape[0] for part in parts)]).astype(np.intp)
    row = np.concatenate([np.zeros(0, np.intp), *(p.coords[0] + f for p, f in zip(parts, where, strict=False))])
    column = np.concatenate([np.zeros(0, np.intp), *(part.coords[1] for part in parts)])
    return csr_array((np.ones(len(row), np.int64), (row, column)), shape=(int(where[-1]), classes)), where


@dataclass(frozen=True)
class Near:
    """A new cell that comes near to a union of the cells of one level of an earlier table.

    `level`, `cell` of the new table; `other` the earlier table's level and `union` its cells; `apart`:
    people in one and not in the other.
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


def near(
    one: Membership, other: Membership, *, below: int, said: Callable[[int], NDArray[np.bool_]] | None = None
) -> tuple[list[Near], list[Near]]:
    """Cells that differ by fewer than `below` people from a union of cells of one level of the other table.

    Those of the first table against the second, then those of the second against the first. A cell of
    which no part is in such a union is not among them. `said(side)`: cells of one that need not be looked
    at, asked when some are near.
    """
    tables, known = (one, other), cache(said or (lambda _side: None))
    few = min(table.few + min(0, table.margin - below) for table in tables)
    found: tuple[list[Near], list[Near]] = [], []
    small = _small(one, other)
    if small is not None:
        shared = _Shared(tables, (one.sizes, other.sizes), both=small)
        for side in (0, 1):
            among = _every(tables, side, cells=tables[side].people < few)
            found[side].extend(shared.near(side, among=among, below=below, said=known))
    still = [_every(tables, side, cells=tables[side].people >= few) for side in (0, 1)]
    for shared, last in _samples(tables):
        for side in (0, 1):
            if not last:
                waits = still[side] & (shared.people(side) < below)  # too few of its people were read
                still[side] &= ~waits
            closest = shared.near(side, among=still[side], below=below, said=known)
            still[side] = waits if not last else still[side] & False
            for close in closest:
                apart = close.apart if last else _settled(tables, side, close=close)
                if apart is not None:
                    found[side].append(replace(close, apart=apart))
                else:
                    still[side][close.other, tables[side].where[close.level] + close.cell] = True
        if not still[0].any() and not still[1].any():
            break
    mine, theirs = (sorted((n for n in side if n.union), key=_order) for side in found)
    return mine, theirs


def _order(found: Near) -> tuple[int, int, int]:
    return found.level, found.cell, found.other


def _every(tables: tuple[Membership, Membership], side: int, *, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Some cells of one table with every level of the other: levels × cells."""
    return np.tile(cells, (len(tables[1 - side].disjoint), 1))


def _settled(tables: tuple[Membership, Membership], side: int, *, close: Near) -> int | None:
    """How many people a cell and a union are apart, if both are of the same people but for one at most."""
    if not close.union:
        return None
    mine, other = tables[side], tables[1 - side]
    union = np.array(close.union, np.intp) + other.where[close.other]
    here = int(mine.prints()[mine.where[close.level] + close.cell])
    there = int(other.prints()[union].sum(dtype=np.uint64))
    return prints.apart(here, there, people=max(mine.numbers, other.numbers))


class _Shared:
    """How many people the cells of two tables share, so far as they were read, and what follows from it.

    `sizes` of each table's classes and `both`, classes × classes, are of the people read. What is small is
    kept as a full matrix, which costs the least.
    """

    def __init__(
        self,
        tables: tuple[Membership, Membership],
        sizes: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        both: Both,
    ) -> None:
        self._tables, self._sizes, self._both = tables, sizes, both

    def near(self, side: int, *, among: NDArray[np.bool_], below: int, said: Said) -> list[Near]:
        """Cells of one table, `among` levels of the other × cells, that come near to unions of the other's cells."""
        if not among.any():
            return []
        mine, other = self._tables[side], self._tables[1 - side]
        people, apart = self.people(side), self._apart(side)
        wanted = (apart < below) & among.any(axis=0)
        already = said(side) if wanted.any() else None
        rows = np.flatnonzero(wanted if already is None else wanted & ~already)
        if not len(rows):
            return []
        shared = csr_array(mine.cells[rows] @ self._pairs(side) @ other.cells.T)
        of_others = other.cells @ self._sizes[1 - side]
        gain = np.maximum(0, 2 * shared.data - of_others[shared.indices])
        return list(self._unions(side, rows, among=among, below=below, gain=(gain, shared, people)))

    def people(self, side: int) -> NDArray[np.int64]:
        """People of each cell of one table."""
        return self._tables[side].summed(self._sizes[side])

    def _apart(self, side: int) -> NDArray[np.int64]:
        """The fewest that each cell is apart from any union of classes, and so of cells, of the other table."""
        mine, sizes, people = self._tables[side], self._sizes[1 - side], self.people(side)
        if isinstance(self._both, np.ndarray) and mine.whole:
            both = self._both if side == 0 else np.ascontiguousarray(self._both.T)
            shared = np.empty((len(people), both.shape[1]), both.dtype)
            alone, several = mine.kinds
            shared[alone] = both[mine.classes[mine.ends[alone]]]
            for cell in several:
                shared[cell] = both[mine.classes[mine.ends[cell] : mine.ends[cell + 1]]].sum(axis=0)
            shared *= 2
            shared -= sizes
            np.maximum(shared, 0, out=shared)
            return np.asarray(people - shared.sum(axis=1))
        held = csr_array(mine.cells @ self._pairs(side))
        gain = np.maximum(0, 2 * held.data - sizes[held.indices])
        upto = np.concatenate([np.zeros(1, np.int64), np.cumsum(gain)])
        return np.asarray(people - (upto[held.indptr[1:]] - upto[held.indptr[:-1]]))

    def _pairs(self, side: int) -> csr_array:
        """Classes of one table × those of the other."""
        both = csr_array(self._both)
        return both if side == 0 else csr_array(both.T)

    def _unions(
        self,
        side: int,
        rows: NDArray[np.intp],
        *,
        among: NDArray[np.bool_],
        below: int,
        gain: tuple[NDArray[np.int64], csr_array, NDArray[np.int64]],
    ) -> Iterator[Near]:
        mine, other = self._tables[side], self._tables[1 - side]
        gained, shared, people = gain
        for number, row in enumerate(rows):
            held = slice(shared.indptr[number], shared.indptr[number + 1])
            cells, gains = shared.indices[held], gained[held]
            cells, gains = cells[gains > 0], gains[gains > 0]
            level = np.searchsorted(other.where, cells, side="right") - 1
            which = int(np.searchsorted(mine.where, row, side="right")) - 1
            for its in np.flatnonzero(among[:, row]):
                union, best = cells[level == its], gains[level == its]
                if not other.disjoint[its] and len(union):
                    most = int(np.argmax(best))
                    union, best = union[most : most + 1], best[most : most + 1]
                apart = int(people[row] - best.sum())
                if apart < below:
                    told = tuple(sorted(int(u - other.where[its]) for u in union))
                    yield Near(which, int(row - mine.where[which]), int(its), told, apart)


def _small(one: Membership, other: Membership) -> Both | None:
    """The people in small cells of both tables, by class."""
    who, theirs = other.small
    last = int(np.searchsorted(who, len(one.small_class)))
    mine = one.small_class[who[:last]]
    held = np.flatnonzero(mine)
    return _pairs(mine[held], theirs[:last][held], sure=(one, other)) if len(held) else None


def _samples(tables: tuple[Membership, Membership]) -> Iterator[tuple[_Shared, bool]]:
    """What the first numbers tell, then more and more of them; and whether those were all."""
    counts = [np.zeros(len(table.sizes), np.int64) for table in tables]
    both: Both | None = None
    for codes, last in _parts(tables):
        for side, table in enumerate(tables):
            counts[side] = counts[side] + np.bincount(codes[side], minlength=len(counts[side])) * table.counted
        pairs = _pairs(*codes, sure=tables)
        both = pairs if both is None else both + pairs
        yield _Shared(tables, (counts[0], counts[1]), both=both), last


def _parts(tables: tuple[Membership, Membership]) -> Iterator[tuple[tuple[Codes, Codes], bool]]:
    """The codes of both, block by block, of the first block as many first as tell of every cell that is not small."""
    one, other = tables
    blocks = max(one.blocks, other.blocks)
    for number in range(blocks):
        codes = _blocks(one, other, number=number)
        cut = max(one.sample, other.sample) if number == 0 else 0
        if 0 < cut < len(codes[0]):
            yield (codes[0][:cut], codes[1][:cut]), False
            codes = codes[0][cut:], codes[1][cut:]
        yield codes, number == blocks - 1


def _blocks(one: Membership, other: Membership, *, number: int) -> tuple[Codes, Codes]:
    """The same block of both, the shorter one filled up with nobody: it was made when there were fewer people."""
    mine = one.block(number) if number < one.blocks else np.zeros(0, np.uint32)
    theirs = other.block(number) if number < other.blocks else np.zeros(0, np.uint32)
    length = max(len(mine), len(theirs))
    return _filled(mine, length), _filled(theirs, length)


def _filled(codes: Codes, length: int) -> Codes:
    return codes if len(codes) == length else np.concatenate([codes, np.zeros(length - len(codes), codes.dtype)])


def _pairs(mine: Codes, theirs: Codes, *, sure: tuple[Membership, Membership]) -> Both:
    """How many people are in each class of the one and of the other; class 0 of either is left out.

    Somebody who counts in one of them only is no difference between the two: that errs on the near side.
    """
    shape = (len(sure[0].sizes), len(sure[1].sizes))
    held = mine.astype(np.intp) * shape[1]
    held += theirs
    all_sure = sure[0].all_counted or sure[1].all_counted
    if shape[0] * shape[1] <= FULL:
        both = np.bincount(held, minlength=shape[0] * shape[1]).astype(np.int32).reshape(shape)
        both[0] = 0
        both[:, 0] = 0
        if not all_sure:
            both *= sure[0].counted[:, None] | sure[1].counted
        return both
    places, number = np.unique(held, return_counts=True)
    first, second = np.divmod(places, shape[1])
    kept = (first > 0) & (second > 0)
    if not all_sure:
        kept &= sure[0].counted[first] | sure[1].counted[second]
    first, second, number = first[kept], second[kept], number[kept]
    return csr_array((number, second, np.searchsorted(first, np.arange(shape[0] + 1))), shape=shape)
