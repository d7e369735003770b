"""A table as the ledger remembers it: whose rows are in which cell, by ledger number, and what they add.

Every level that the query shows is kept once for the people of its cells, once for each measure for
those who add to it, and for a condition once more for those who do not: a share tells of both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from integrated_data.model.output import Cell
from integrated_data.output.differencing import SMALL, Codes, Level, Membership, Numbers, stacked, starts
from integrated_data.output.evidence import cells_of
from integrated_data.output.measures import Amounts
from integrated_data.output.members import Members
from integrated_data.output.prints import Prints, drawn
from integrated_data.output.shape import Shape

#: Beyond `SMALL` people, so that a cell which is a little larger is still kept whole; the largest minimum.
MARGIN = 128

#: The ledger number of a row that is linked to nobody.
NOBODY = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Figure:
    """What a level is about: everybody in its cells, those who add to a measure, or those who do not.

    `cells` of the level in order, and whether each is `published`. `measure` is a place in the table's
    measures, -1 for everybody.
    """

    cells: tuple[Cell, ...]
    published: tuple[bool, ...]
    measure: int = -1
    others: bool = False


@dataclass(frozen=True)
class Added:
    """What each person adds: an entry for each of a group, groups in order. Sums by measure; `rows` too.

    `number` is `NOBODY` for a row linked to nobody. `inside`: for each figure, cells × groups.
    """

    number: Numbers
    group: NDArray[np.int32]
    counted: NDArray[np.bool_]
    rows: NDArray[np.int64]
    sums: Mapping[int, NDArray[np.float64]]
    inside: tuple[csr_array, ...]

    def amount(self, measure: int) -> NDArray[np.float64]:
        """What each entry adds to a measure: its sum, or its rows where the measure counts them."""
        return self.sums[measure] if measure in self.sums else self.rows.astype(np.float64)


@dataclass(frozen=True)
class Told:
    """What a table says. `words` of each measure, and whether it `counts` rows or people.

    Each figure has a level of the membership, in the same order, and `prints`: cells × (1 + measures), a
    sum over the people of each cell of a number drawn for each by who they are and what they add.
    Two unions with the same prints are of the same people, who add the same.
    """

    figures: tuple[Figure, ...]
    words: tuple[str, ...]
    counts: tuple[bool, ...]
    prints: tuple[Prints, ...]


@dataclass(frozen=True)
class Remembered:
    """One table, for one unit of protection: whose rows are where, what it says, what each person adds.

    Most comparisons are over before more than the first is read.
    """

    membership: Membership
    told: Callable[[], Told]
    added: Callable[[], Added]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """See `Told`."""
        return self.told().figures

    @property
    def words(self) -> tuple[str, ...]:
        """See `Told`."""
        return self.told().words

    @property
    def counts(self) -> tuple[bool, ...]:
        """See `Told`."""
        return self.told().counts

    @property
    def prints(self) -> tuple[Prints, ...]:
        """See `Told`."""
        return self.told().prints


def remember(
    members: Members, shape: Shape, *, numbers: NDArray[np.uint32], people: int, published: frozenset[Cell]
) -> Remembered:
    """The table of these members. `numbers`: ledger number of each entry; `people`: numbers given so far."""
    inside = [_inside(members, kept) for kept in shape.sets]
    figures: list[Figure] = []
    groups: list[csr_array] = []
    for cells, everybody in inside:
        shown = tuple(cell in published for cell in cells)
        figures.append(Figure(tuple(cells), shown))
        groups.append(everybody)
        for number, measure in enumerate(shape.measures):
            if measure.kind is not Amounts.ROWS:
                adds = csr_array(everybody.multiply(members.adds[:, number]))
                figures.append(Figure(tuple(cells), shown, number))
                groups.append(adds)
                if measure.kind in (Amounts.INDICATOR, Amounts.PRESENT):
                    figures.append(Figure(tuple(cells), shown, number, others=True))
                    groups.append(csr_array(everybody - adds))
    for held in groups:
        held.eliminate_zeros()
    added = Added(numbers, members.group, members.counted, members.rows, members.sums, tuple(groups))
    words, counts = tuple(m.words for m in shape.measures), tuple(m.counts for m in shape.measures)
    return made_of(added, people=people, figures=tuple(figures), measures=(words, counts))


def made_of(
    added: Added, *, people: int, figures: tuple[Figure, ...], measures: tuple[tuple[str, ...], tuple[bool, ...]]
) -> Remembered:
    """A table from what each person adds. `measures`: the words of each, and whether it counts."""
    words, counts = measures
    codes, classes, counted = _classes(added, people=people)
    levels = tuple(_level(held, classes) for held in added.inside)
    told = Told(figures, words, counts, prints_of(added, measures=len(words)))
    membership = in_blocks(levels, codes, counted=counted, prints=told.prints)
    return Remembered(membership, lambda: told, lambda: added)


def prints_of(added: Added, *, measures: int) -> tuple[Prints, ...]:
    """The prints of each figure. Sums of one person are compared to nine figures."""
    alone = _alone(added.number)
    each = drawn(added.number[alone])
    amounts = [each, *(each * _drawn_sums(added.amount(m)[alone]) for m in range(measures))]
    groups = added.inside[0].shape[1] if added.inside else 0
    by_group = np.column_stack([_summed(a, added.group[alone], length=groups) for a in amounts])
    if isinstance(alone, slice):
        return tuple(csr_array(inside, dtype=np.uint64) @ by_group for inside in added.inside)
    several = _Entries(added.number[~alone], added.group[~alone])
    sums = [added.amount(m)[~alone] for m in range(measures)]
    return tuple(
        csr_array(inside, dtype=np.uint64) @ by_group + _prints(several, inside, sums=sums) for inside in added.inside
    )


def _alone(number: Numbers) -> NDArray[np.bool_] | slice:
    """The entries of rows linked to nobody and of people who have one entry; all of them where everybody has."""
    linked = number != NOBODY
    often = np.bincount(number if linked.all() else number[linked])
    if often.max(initial=0) <= 1:
        return slice(None)
    alone: NDArray[np.bool_] = ~linked | (often[np.where(linked, number, 0)] == 1)
    return alone


def _drawn_sums(sums: NDArray[np.float64]) -> Prints:
    """A number drawn by each sum; by one of them where all are the same."""
    same = len(sums) > 0 and sums.min() == sums.max()
    return drawn(_nine_figures(sums[:1] if same else sums))


@dataclass(frozen=True)
class _Entries:
    """Entries of people who have several: whose, and of which group."""

    number: Numbers
    group: NDArray[np.int32]


def _prints(entries: _Entries, inside: csr_array, *, sums: Sequence[NDArray[np.float64]]) -> Prints:
    """Of each cell, over the people of these entries, each once."""
    cells = csr_array(inside.T)
    lengths = np.diff(cells.indptr)[entries.group]
    entry = np.repeat(np.arange(len(entries.group)), lengths)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cell = cells.indices[np.repeat(cells.indptr[entries.group], lengths) + within].astype(np.int64)
    order = np.lexsort((entries.number[entry], cell))
    cell, entry = cell[order], entry[order]
    number = entries.number[entry].astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], (np.diff(cell) != 0) | (np.diff(number) != 0)])[: len(cell)])
    place, each = cell[first], drawn(number[first])
    columns = [_summed(each, place, length=inside.shape[0])]
    for amounts in sums:
        total = np.add.reduceat(amounts[entry], first) if len(first) else np.zeros(0)
        columns.append(_summed(each * drawn(_nine_figures(total)), place, length=inside.shape[0]))
    return np.column_stack(columns)


def _nine_figures(sums: NDArray[np.float64]) -> Prints:
    """The bits of amounts rounded to nine figures, so that adding in another order gives the same."""
    whole, power = np.frexp(sums)
    rounded: NDArray[np.float64] = np.ldexp(np.round(whole * 2**30), power - 30) + 0.0  # no minus nought
    return rounded.view(np.uint64)


def _summed(amounts: Prints, place: NDArray[Any], *, length: int) -> Prints:
    """Sums by place, modulo 2^64; places in order."""
    found = np.zeros(length, np.uint64)
    if len(place):
        first = np.flatnonzero(np.concatenate([[True], np.diff(place) != 0]))
        found[place[first]] = np.add.reduceat(amounts, first)
    return found


def in_blocks(
    levels: tuple[Level, ...], codes: Codes, *, counted: NDArray[np.bool_], prints: Sequence[Prints]
) -> Membership:
    """A membership that is held in memory. `codes`: of each ledger number its class, 0 for none."""
    sizes = np.bincount(codes, minlength=len(counted)) * counted
    codes = codes.astype(np.min_scalar_type(len(counted)), copy=False)
    edges = starts(len(codes))
    cells, where = stacked(levels, classes=len(counted))
    small = (cells @ sizes) < SMALL + MARGIN
    few = np.asarray(cells[small].sum(axis=0) > 0).ravel()
    few[0] = False
    who = (np.flatnonzero(few[codes]) if few.any() else np.zeros(0)).astype(np.uint32)
    everybody = np.concatenate([p[:, 0] for p in prints])
    return Membership(
        cells.indices, cells.indptr, where, tuple(level.disjoint for level in levels), sizes, counted,
        lambda n: codes[edges[n] : edges[n + 1]], len(edges) - 1, len(codes), (who, codes[who]), SMALL, MARGIN,
        lambda: everybody,
    )  # fmt: skip


def _inside(members: Members, kept: Sequence[int]) -> tuple[list[Cell], csr_array]:
    cells, cell_of = cells_of(members, kept)
    ones = np.ones(len(cell_of), np.int64)
    held = csr_array((ones, (cell_of, np.arange(len(cell_of)))), shape=(len(cells), len(cell_of)))
    return cells, held


def _level(groups: csr_array, classes: csr_array) -> Level:
    """The classes in each cell, from the groups in it. `classes`: classes × groups."""
    members = csr_array(groups @ classes.T)
    members.data = np.minimum(members.data, 1)
    members.eliminate_zeros()
    return Level(members, disjoint=int(members.sum(axis=0).max(initial=0)) <= 1)


def _classes(added: Added, *, people: int) -> tuple[Codes, csr_array, NDArray[np.bool_]]:
    """Of each ledger number its class; the groups of each class; and whether its people count.

    People of the same groups are of one class: found by a random number for each group, added up.
    """
    numbers, groups = added.number, added.inside[0].shape[1]
    alone = _alone(numbers)
    linked = numbers != NOBODY
    one = alone if isinstance(alone, slice) and linked.all() else np.flatnonzero(linked & _flags(alone, len(numbers)))
    several = np.flatnonzero(linked & ~_flags(alone, len(numbers)))
    codes = np.zeros(people, np.uint32)
    kind = added.group[one] * 2 + added.counted[one]
    there = np.flatnonzero(np.bincount(kind, minlength=2 * groups))
    place = np.zeros(2 * groups, np.uint32)
    place[there] = np.arange(1, len(there) + 1)
    codes[numbers[one]] = place[kind]
    rows, sure = _several(added, entries=several, codes=codes, after=len(there))
    rows = [np.array([k // 2]) for k in there] + rows
    row = np.repeat(np.arange(1, len(rows) + 1), [len(r) for r in rows])
    column = np.concatenate([*rows, np.zeros(0, np.int64)])
    held = csr_array((np.ones(len(column), np.int64), (row, column)), shape=(len(rows) + 1, groups))
    return codes, held, np.concatenate([[False], there % 2 == 1, sure])


def _flags(entries: NDArray[np.bool_] | slice, length: int) -> NDArray[np.bool_]:
    return np.ones(length, bool) if isinstance(entries, slice) else entries


def _several(
    added: Added, *, entries: NDArray[np.intp], codes: Codes, after: int
) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
    """Classes of people with several entries, into `codes` `after` others; groups of each, and if it counts."""
    if not len(entries):
        return [], np.zeros(0, bool)
    numbers = added.number
    order = entries[np.lexsort((added.group[entries], numbers[entries]))]
    again = (np.diff(numbers[order].astype(np.int64)) == 0) & (np.diff(added.group[order]) == 0)
    order = order[np.concatenate([[True], ~again])]
    who, first = np.unique(numbers[order], return_index=True)
    marks = np.random.default_rng(0).integers(1, 1 << 62, size=added.inside[0].shape[1] + 1, dtype=np.uint64)
    sure = added.counted[order[first]]
    kinds = np.add.reduceat(marks[added.group[order]], first) * np.uint64(2) + sure
    _, example, code = np.unique(kinds, return_index=True, return_inverse=True)
    codes[who] = code + (1 + after)
    ends = np.append(first, len(order))
    return [added.group[order[ends[e] : ends[e + 1]]] for e in example], sure[example]
