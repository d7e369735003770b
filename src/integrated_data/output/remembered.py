"""A table as the ledger remembers it: whose rows are in which cell, by ledger number, and what they add.

Every level that the query shows is kept once for the people of its cells, once for each measure for
those who add to it, and for a condition once more for those who do not: a share tells of both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from integrated_data.model.output import Cell
from integrated_data.output.differencing import SMALL, Codes, Level, Membership, Numbers, starts
from integrated_data.output.evidence import cells_of
from integrated_data.output.measures import Amounts
from integrated_data.output.members import Members
from integrated_data.output.shape import Shape

Prints: TypeAlias = NDArray[np.uint64]

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
class Remembered:
    """One table, for one unit of protection. `words` of each measure, and whether it `counts` rows or people.

    Each figure has a level of the membership, in the same order, and `prints`: cells × (1 + measures), a
    sum over the people of each cell of a number drawn for each by who they are and what they add.
    Two unions with the same prints are of the same people, who add the same.
    """

    figures: tuple[Figure, ...]
    words: tuple[str, ...]
    counts: tuple[bool, ...]
    prints: tuple[Prints, ...]
    membership: Membership
    added: Callable[[], Added]


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
    codes, classes, counted = _classes(members, numbers=numbers, people=people)
    levels = tuple(_level(held, classes) for held in groups)
    added = Added(numbers, members.group, members.counted, members.rows, members.sums, tuple(groups))
    words, counts = tuple(m.words for m in shape.measures), tuple(m.counts for m in shape.measures)
    membership = in_blocks(levels, codes, counted=counted)
    prints = prints_of(added, measures=len(words))
    return Remembered(tuple(figures), words, counts, prints, membership, lambda: added)


def prints_of(added: Added, *, measures: int) -> tuple[Prints, ...]:
    """The prints of each figure. Sums of one person are compared to nine figures."""
    return tuple(_prints(added, inside, measures=measures) for inside in added.inside)


def _prints(added: Added, inside: csr_array, *, measures: int) -> Prints:
    """Of each cell, over its people, each once, and over every row linked to nobody."""
    cells = csr_array(inside.T)
    lengths = np.diff(cells.indptr)[added.group]
    entry = np.repeat(np.arange(len(added.group)), lengths)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cell = cells.indices[np.repeat(cells.indptr[added.group], lengths) + within].astype(np.int64)
    order = np.lexsort((added.number[entry], cell))
    cell, entry = cell[order], entry[order]
    number = added.number[entry]
    new = np.concatenate([[True], (np.diff(cell) != 0) | (np.diff(number.astype(np.int64)) != 0)])[: len(cell)]
    first = np.flatnonzero(new | (number == NOBODY))
    place, drawn = cell[first], _drawn(number[first])
    columns = [_summed(drawn, place, length=inside.shape[0])]
    for measure in range(measures):
        sums = np.add.reduceat(added.amount(measure)[entry], first) if len(first) else np.zeros(0)
        columns.append(_summed(drawn * _drawn(_nine_figures(sums)), place, length=inside.shape[0]))
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


def _drawn(numbers: NDArray[Any]) -> Prints:
    """A number drawn by each (Steele, Lea and Flood, SplitMix64, 2014)."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def in_blocks(levels: tuple[Level, ...], codes: Codes, *, counted: NDArray[np.bool_]) -> Membership:
    """A membership that is held in memory. `codes`: of each ledger number its class, 0 for none."""
    sizes = np.bincount(codes, minlength=len(counted)) * counted
    edges = starts(len(codes))
    few = np.zeros(len(counted), bool)
    for level in levels:
        small = np.asarray(level.members @ sizes) < SMALL + MARGIN
        few |= np.asarray(level.members[small].sum(axis=0) > 0).ravel()
    few[0] = False
    who = np.flatnonzero(few[codes]).astype(np.uint32)
    blocks = len(edges) - 1
    return Membership(
        levels, sizes, counted, lambda n: codes[edges[n] : edges[n + 1]], blocks, (who, codes[who]), SMALL, MARGIN
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


def _classes(
    members: Members, *, numbers: NDArray[np.uint32], people: int
) -> tuple[Codes, csr_array, NDArray[np.bool_]]:
    """Of each ledger number its class; the groups of each class; and whether its people count.

    People of the same groups are of one class: found by a random number for each group, added up.
    """
    linked = np.flatnonzero(numbers != NOBODY)
    order = linked[np.argsort(numbers[linked], kind="stable")]
    who, first = np.unique(numbers[order], return_index=True)
    marks = np.random.default_rng(0).integers(1, 1 << 62, size=(2, len(members.cells) + 1), dtype=np.uint64)
    sums = [np.add.reduceat(mark[members.group[order]], first) if len(first) else mark[:0] for mark in marks]
    sure = members.counted[order[first]] if len(first) else np.zeros(0, bool)
    kinds = np.stack([*sums, sure.astype(np.uint64)], axis=1)
    _, example, code = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
    codes = np.zeros(people, np.uint32)
    codes[who] = code.ravel() + 1
    ends = np.append(first, len(order))
    rows = [members.group[order[ends[e] : ends[e + 1]]] for e in example]
    place = np.repeat(np.arange(1, len(rows) + 1), [len(r) for r in rows])
    column = np.concatenate([*rows, np.zeros(0, np.int32)])
    held = csr_array((np.ones(len(column), np.int64), (place, column)), shape=(len(rows) + 1, len(members.cells)))
    return codes, held, np.concatenate([[False], sure[example]])
