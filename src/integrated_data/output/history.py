"""What earlier releases and a new table give away together: figures about the few people they do not share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integrated_data.output.differencing import Near, near
from integrated_data.output.evidence import SAME
from integrated_data.output.prints import Prints, drawn
from integrated_data.output.remembered import NOBODY, Figure, Remembered


@dataclass(frozen=True)
class Leak:
    """One cell that gives away figures about too few people, with cells of another table.

    `mine`, `cell`: the figure and its cell in the first table; `theirs`, `union` in the other. `apart`
    people who count differ (`contributors`: with those who do not); `reveals`: how many of the union's
    cells are withheld, so that it gives away their sum.
    """

    mine: int
    cell: int
    theirs: int
    union: tuple[int, ...]
    apart: int
    contributors: int
    reveals: int = 0


def leaks(one: Remembered, other: Remembered, *, below: int) -> tuple[list[Leak], list[Leak]]:
    """Published cells of one table that a union of the other's comes too near to, and the other way round."""
    sides = (one, other)
    mine, theirs = near(
        one.membership, other.membership, below=below, said=lambda side: _said(sides[side], sides[1 - side])
    )
    return _found(one, other, closest=mine, below=below), _found(other, one, closest=theirs, below=below)


def _said(one: Remembered, other: Remembered) -> NDArray[np.bool_]:
    """Cells of one table that the other publishes as they are: the same people, who add the same."""
    alike = (one.words, one.counts) == (other.words, other.counts)
    parts = []
    for figure, prints in zip(one.figures, one.prints, strict=True):
        known = [
            _together(held[np.array(f.published, bool)])
            for f, held in zip(other.figures, other.prints, strict=True)
            if alike and (f.measure, f.others) == (figure.measure, figure.others)
        ]
        parts.append(np.isin(_together(prints), np.concatenate([np.zeros(0, np.uint64), *known])))
    return np.concatenate(parts)


def _together(prints: Prints) -> Prints:
    """Several prints as one."""
    held = np.zeros(len(prints), np.uint64)
    for column in prints.T:
        held = drawn(held + column)
    return held


def _found(one: Remembered, other: Remembered, *, closest: Sequence[Near], below: int) -> list[Leak]:
    pairs: dict[tuple[int, int], list[Near]] = {}
    for close in closest:
        if one.figures[close.level].published[close.cell]:
            pairs.setdefault((close.level, close.other), []).append(close)
    found: dict[tuple[int, int], list[Leak]] = {}
    for together in pairs.values():
        for leak in _exactly(one, other, closest=together, below=below):
            found.setdefault((leak.mine, leak.cell), []).append(leak)
    return [leak for each in found.values() for leak in _leaks(each, below=below)]


def _leaks(found: list[Leak], *, below: int) -> Iterator[Leak]:
    if any(not leak.reveals and not leak.contributors for leak in found):
        return  # the other table says exactly this already
    yield from (leak for leak in found if leak.reveals or (leak.contributors and leak.apart < below))


def _exactly(one: Remembered, other: Remembered, *, closest: Sequence[Near], below: int) -> Iterator[Leak]:
    """For near cells of one figure and unions of another: how many people's part in the two differs.

    Where the two are of other people, that is known; where they are of the same, what they add is compared
    by prints, and person by person where those differ: each measure with each that it can be taken away from,
    and the two that are nearest count, since a reader takes those. Where one is of those who add an amount, and
    the few others add nothing to it, the amounts tell: no count can be taken from a sum of ages.
    """
    shown = other.figures[closest[0].other].published
    unlike, adding = [], []
    for close in closest:
        same = not close.apart and _alike(one, other, close=close)
        if close.apart and _nothing_added(one, other, close=close):
            adding.append(close)
        elif same or close.apart:
            hidden = sum(not shown[u] for u in close.union)
            yield Leak(close.level, close.cell, close.other, close.union, close.apart, close.apart, hidden)
        else:
            unlike.append(close)
    if unlike:
        yield from _by_person(one, other, closest=unlike)
    for close in adding:  # each by itself: what most of a cell add is a factor of its own
        yield from (leak for leak in _by_person(one, other, closest=[close], mixed=True) if leak.apart < below)


def _nothing_added(one: Remembered, other: Remembered, *, close: Near) -> bool:
    """Whether a cell and a union are of the same people but for those who add nothing to an amount of one of them.

    And the other counts only: two sums may be of one column (x, and 2021 - x), whose count makes them alike.
    """
    mine, its = one.figures[close.level], other.figures[close.other]
    if mine.others or its.others or _comparable(one, other, close=close):
        return False
    here = one.prints[_everybody(one, close.level)][close.cell, 0]
    there = other.prints[_everybody(other, close.other)][list(close.union), 0].sum(dtype=np.uint64)
    return bool(here == there)


def _everybody(table: Remembered, figure: int) -> int:
    """The figure of everybody in the cells of another figure: the last one before it."""
    return max(n for n, held in enumerate(table.figures[: figure + 1]) if held.measure < 0)


def _alike(one: Remembered, other: Remembered, *, close: Near) -> bool:
    """Whether a cell and a union are of the same people, who add the same to every figure of both."""
    mine = one.prints[close.level][close.cell]
    theirs = other.prints[close.other][list(close.union)].sum(axis=0, dtype=np.uint64)
    measures = _comparable(one, other, close=close)
    return bool(mine[0] == theirs[0]) and all(mine[1 + i] == theirs[1 + j] for i, j in measures)


def _by_person(one: Remembered, other: Remembered, *, closest: Sequence[Near], mixed: bool = False) -> Iterator[Leak]:
    """The people whose part differs, one by one. `mixed`: sums are held against counts too, which a sum may be."""
    disjoint = one.membership.disjoint[closest[0].level] and other.membership.disjoint[closest[0].other]
    if len(closest) > 1 and not disjoint:
        for close in closest:
            yield from _by_person(one, other, closest=[close], mixed=mixed)
        return
    mine = _Parts(one, closest[0].level, cells={c.cell: n for n, c in enumerate(closest)})
    theirs = _Parts(other, closest[0].other, cells={u: n for n, c in enumerate(closest) for u in c.union})
    people = max(mine.people, theirs.people)
    owner = mine.owners(people), theirs.owners(people)
    unlike = [
        _Unlike(
            _differ(mine.dense(ours, people), theirs.dense(others, people)),
            _differ(mine.loose(ours, len(closest)), theirs.loose(others, len(closest))),
        )
        for ours, others in _comparable(one, other, close=closest[0], mixed=mixed)
    ]
    unlike = unlike or [_Unlike(np.zeros(people, bool), np.zeros(len(closest), bool))]
    apart, loose = owner[0] != owner[1], mine.nobody(len(closest)) != theirs.nobody(len(closest))
    sure = mine.sure(people) | theirs.sure(people)
    told = []
    for pair in unlike:
        who = np.flatnonzero(apart | pair.people)
        everybody = _places(owner, who, length=len(closest)) + (loose | pair.nobody)
        told.append((_places(owner, who[sure[who]], length=len(closest)), everybody))
    shown = other.figures[closest[0].other].published
    for number, close in enumerate(closest):
        counts = [(int(counted[number]), int(everybody[number])) for counted, everybody in told]
        fewest = min((c for c in counts if c[1]), default=(0, 0))
        hidden = sum(not shown[u] for u in close.union)
        yield Leak(close.level, close.cell, close.other, close.union, *fewest, reveals=hidden)


def _places(owner: tuple[NDArray[np.int64], NDArray[np.int64]], who: NDArray[Any], *, length: int) -> NDArray[np.int64]:
    """How many of these people are at each place, of the one table or of the other."""
    mine, theirs = owner[0][who], owner[1][who]
    theirs = theirs[(theirs >= 0) & (theirs != mine)]
    return np.bincount(mine[mine >= 0], minlength=length) + np.bincount(theirs, minlength=length)


@dataclass(frozen=True)
class _Unlike:
    """Where one measure of each of two tables differs: by ledger number, and by place for rows linked to nobody."""

    people: NDArray[np.bool_]
    nobody: NDArray[np.bool_]


class _Parts:
    """The people of some cells of one figure of a table. `cells`: the cell and its place among those wanted."""

    def __init__(self, table: Remembered, figure: int, *, cells: Mapping[int, int]) -> None:
        self._added = added = table.added()
        places = np.full(added.inside[figure].shape[1], -1, np.int64)
        for cell, at in cells.items():
            places[added.inside[figure][[cell]].indices] = at
        place: NDArray[np.int64] = places[added.group]
        entries = np.flatnonzero(place >= 0)
        nobody = added.number[entries] == NOBODY
        self._held, self._loose = entries[~nobody], entries[nobody]
        self._place, self._loose_place = place[self._held], place[self._loose]
        self._number = added.number[self._held].astype(np.int64)
        self.people = int(self._number.max(initial=-1)) + 1

    def owners(self, people: int) -> NDArray[np.int64]:
        """Of each ledger number the place of its cell, -1 for none."""
        owner = np.full(people, -1, np.int64)
        owner[self._number] = self._place
        return owner

    def sure(self, people: int) -> NDArray[np.bool_]:
        """Whether each counts toward a minimum."""
        sure = np.zeros(people, bool)
        sure[self._number] = self._added.counted[self._held]
        return sure

    def dense(self, measure: int, people: int) -> NDArray[np.float64]:
        """What each adds to a measure."""
        amounts = self._added.amount(measure)[self._held]
        return np.bincount(self._number, weights=amounts, minlength=people).astype(np.float64)

    def nobody(self, places: int) -> NDArray[np.int64]:
        """How many rows are linked to nobody, by place."""
        return np.bincount(self._loose_place, minlength=places)

    def loose(self, measure: int, places: int) -> NDArray[np.float64]:
        """What rows linked to nobody add to a measure, by place."""
        amounts = self._added.amount(measure)[self._loose]
        return np.bincount(self._loose_place, weights=amounts, minlength=places).astype(np.float64)


def _differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where two differ; a constant factor between them (pounds and pence) is no difference."""
    both = (one != 0) & (other != 0)
    other = other * (np.median(one[both] / other[both]) if both.any() else 1.0)
    return np.asarray(np.abs(one - other) > SAME * (np.abs(one) + np.abs(other)))


def _comparable(one: Remembered, other: Remembered, *, close: Near, mixed: bool = False) -> list[tuple[int, int]]:
    """Measures of the two that a reader can take away from each other: counts, and sums of any two columns.

    Two columns may be alike but for a few people (what was claimed, what was paid). `mixed`: a sum and a count
    may be as well (of a column that is 0 or 1).
    """
    mine, its = one.figures[close.level], other.figures[close.other]
    return [
        (i, j)
        for i in _told(mine, len(one.words))
        for j in _told(its, len(other.words))
        if mixed or one.counts[i] == other.counts[j]
    ]


def _told(figure: Figure, measures: int) -> range:
    """The measures that a figure is about: every one of everybody, its own of those who add, none of the others."""
    if figure.others:
        return range(0)
    return range(measures) if figure.measure < 0 else range(figure.measure, figure.measure + 1)
