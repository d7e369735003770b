"""What a reader knows from many tables at once: every published cell as an equation over classes of people.

A published cell is the sum of what its people add. People of the same cells, over all tables, are an
*atom*: no table tells them apart. So everything that has left is a matrix of published cells by atoms,
and what can be worked out from it are the sums of its rows with any weights (`attacker.py`).

Kept small, without leaving out a combination that tells of few people:

- of one table, a total whose parts are published is none of its own; of a total with withheld parts,
  the sum of those parts is what it tells;
- a cell that has left before is an equation once, however many tables say it;
- a cell with at least the minimum of people who are in no other equation can be in no combination about
  fewer; without it, others may be left alone in the same way;
- what shares nobody with the new tables, over however many others, has no part in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

from integrated_data.output.remembered import Remembered

#: What somebody weighs who does not count toward a minimum: nothing to speak of, but not nothing.
FAINT = 1e-3

Floats = NDArray[np.float64]

#: What a cell's people are known by, whatever table it is of.
Mark: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Stated:
    """A cell of a table. `table`: its place among those compared; `figure` and `cell` as it is remembered."""

    table: int
    figure: int
    cell: int


@dataclass(frozen=True)
class Known:
    """Equations. `rows`: published cells × atoms; `told` which they are.

    `people` of each atom who count toward a minimum, and `others` who do not. `hidden`: withheld cells ×
    atoms, which `withheld` names.
    """

    rows: csr_array
    told: tuple[Stated, ...]
    people: Floats
    others: Floats
    hidden: csr_array
    withheld: tuple[Stated, ...]

    @property
    def weight(self) -> Floats:
        """What each atom weighs."""
        return self.people + FAINT * self.others

    def tables(self) -> NDArray[np.int64]:
        """Of each equation its table."""
        return np.array([told.table for told in self.told], np.int64)


def quantities(tables: Sequence[Remembered]) -> list[str | None]:
    """What is summed in any of these tables: None for counts, else the words of a measure."""
    words = {w for t in tables for w, counts in zip(t.words, t.counts, strict=True) if not counts}
    return [None, *sorted(words)]


@dataclass(frozen=True)
class _Pieces:
    """The equations of one table by its classes: published cells, less what others of it tell, and withheld cells."""

    rows: csr_array
    told: tuple[tuple[int, int], ...]
    hidden: csr_array
    withheld: tuple[tuple[int, int], ...]

    @property
    def degree(self) -> NDArray[np.int32]:
        """Of each class, in how many cells it is."""
        return np.asarray(self.rows.sum(axis=0) + self.hidden.sum(axis=0)).ravel().astype(np.int32)

    def only(self, kept: NDArray[np.bool_]) -> "_Pieces":
        """Some of the equations."""
        told = tuple(t for t, k in zip(self.told, kept, strict=True) if k)
        return replace(self, rows=csr_array(self.rows[np.flatnonzero(kept)]), told=told)


class Gathered:
    """Tables read once: of each, by ledger number, the class of everybody. The last `new` of them are new."""

    def __init__(self, tables: Sequence[Remembered], *, new: int) -> None:
        self._tables, self._new = tables, new
        self._length = max(table.membership.numbers for table in tables)
        self._codes = [_codes(table, self._length) for table in tables]
        self._counted = np.zeros(self._length, bool)
        for table, codes in zip(tables, self._codes, strict=True):
            self._counted |= table.membership.counted[codes]
        bits = 52 - int(self._length).bit_length()
        drawn = np.random.default_rng(0).integers(1, 1 << bits, (2, self._length)).astype(np.float64)
        self._sums = [
            [np.bincount(codes, weights=d, minlength=len(table.membership.sizes)) for d in drawn]
            for table, codes in zip(tables, self._codes, strict=True)
        ]
        self._said: set[Mark] = set()

    def known(self, quantity: str | None, *, below: int) -> Known | None:
        """The equations of one quantity; None where no combination can matter, or all were asked for before.

        `below`: the fewest people that a combination may be about.
        """
        pieces = [_pieces(table, quantity) for table in self._tables]
        marks = [self._marks(n, piece.rows) for n, piece in enumerate(pieces)]
        every = {m for each in marks for m in each}
        every |= {m for n, piece in enumerate(pieces) for m in self._marks(n, piece.hidden)}
        if every <= self._said:
            return None
        self._said |= every
        seen: set[Mark] = set()
        for n, piece in enumerate(pieces):
            first = [mark[0] > 0 and mark not in seen for mark in marks[n]]
            seen |= set(marks[n])
            pieces[n] = piece.only(np.array(first, bool))
        self._thin(pieces, below=below)
        first_new = len(pieces) - self._new
        if not any(piece.told for piece in pieces[first_new:]):
            return None
        return _touched(self._atoms(pieces), first=first_new)

    def _marks(self, table: int, cells: csr_array) -> list[Mark]:
        """Of each cell two sums over its people of numbers drawn by each, whole and exact: equal for equal cells."""
        one, other = (np.asarray(cells @ sums) for sums in self._sums[table])
        return [(int(a), int(b)) for a, b in zip(one, other, strict=True)]

    def _thin(self, pieces: list[_Pieces], *, below: int) -> None:
        """Leave out cells with enough people who are in no other equation and in no withheld cell, again and again."""
        again = True
        while again:
            again = False
            degree = np.zeros(self._length, np.int32)
            for codes, piece in zip(self._codes, pieces, strict=True):
                if piece.told:
                    degree += piece.degree[codes]
            weight = np.where(self._counted, 1.0, FAINT) * (degree == 1)
            for n, piece in enumerate(pieces):
                if piece.told:
                    sums = np.bincount(self._codes[n], weights=weight, minlength=piece.rows.shape[1])
                    alone = np.asarray(piece.rows @ sums)
                    if (alone >= below).any():
                        pieces[n], again = piece.only(alone < below), True

    def _atoms(self, pieces: Sequence[_Pieces]) -> Known:
        """Everybody put together by the cells that they are in."""
        dice = np.random.default_rng(1)
        used = [n for n, piece in enumerate(pieces) if piece.told]
        marks = np.zeros(self._length, np.uint64)
        for n in used:
            marks += _patterns(pieces[n], dice)[self._codes[n]]
        there = np.flatnonzero(marks)
        _, first, atom = np.unique(marks[there], return_index=True, return_inverse=True)
        people, others = (
            np.bincount(atom.ravel(), weights=who[there], minlength=len(first)).astype(np.float64)
            for who in (self._counted, ~self._counted)
        )
        columns = [self._codes[n][there[first]] for n in used]
        rows, hidden = (
            csr_array(
                vstack([csr_array((0, len(first))), *(_spread(c, at) for c, at in zip(cells, columns, strict=True))])
            )
            for cells in ([pieces[n].rows for n in used], [pieces[n].hidden for n in used])
        )
        told = tuple(Stated(n, *place) for n in used for place in pieces[n].told)
        withheld = tuple(Stated(n, *place) for n in used for place in pieces[n].withheld)
        return _together(Known(rows, told, people, others, hidden, withheld))


def _pieces(table: Remembered, quantity: str | None) -> _Pieces:
    classes = len(table.membership.sizes)
    rows, told, hidden, withheld = [csr_array((0, classes))], [], [csr_array((0, classes))], []
    levels = table.membership.levels
    base: csr_array | None = None
    for figure in sorted(_told(table, quantity), key=lambda f: -len(table.figures[f].cells)):
        members = csr_array(levels[figure].members, dtype=np.float64)
        shown = np.array(table.figures[figure].published, bool)
        said = csr_array(members[np.flatnonzero(shown)])
        if base is None and levels[figure].disjoint:
            base = said
        elif base is not None:
            inside = csr_array(said @ base.T)
            inside.data = (inside.data == np.asarray(base.sum(axis=1)).ravel()[inside.indices]).astype(np.float64)
            said = csr_array(said - inside @ base)
            said.eliminate_zeros()
        left = np.diff(said.indptr) > 0
        rows.append(csr_array(said[np.flatnonzero(left)]))
        told += [(figure, int(cell)) for cell in np.flatnonzero(shown)[left]]
        hidden.append(csr_array(members[np.flatnonzero(~shown)]))
        withheld += [(figure, int(cell)) for cell in np.flatnonzero(~shown)]
    return _Pieces(csr_array(vstack(rows)), tuple(told), csr_array(vstack(hidden)), tuple(withheld))


def _told(table: Remembered, quantity: str | None) -> Iterator[int]:
    """The figures of a table that tell a quantity."""
    of_their_own = {figure.measure for figure in table.figures}
    rows = any(counts and number not in of_their_own for number, counts in enumerate(table.counts))
    for place, figure in enumerate(table.figures):
        if figure.others:
            continue
        if figure.measure < 0:
            if quantity is None and rows:
                yield place
        elif table.counts[figure.measure] if quantity is None else table.words[figure.measure] == quantity:
            yield place


def _codes(table: Remembered, length: int) -> NDArray[np.unsignedinteger[Any]]:
    """Of each ledger number its class; a table may have been made when there were fewer."""
    blocks = [table.membership.block(n) for n in range(table.membership.blocks)]
    codes = np.concatenate([np.zeros(0, np.uint8), *blocks])
    return np.concatenate([codes, np.zeros(length - len(codes), codes.dtype)]) if len(codes) < length else codes


def _spread(cells: csr_array, classes: NDArray[np.unsignedinteger[Any]]) -> csr_array:
    """Cells × classes as cells × atoms."""
    return csr_array(csr_array(csr_array(cells.T)[classes]).T)


def _patterns(piece: _Pieces, dice: np.random.Generator) -> NDArray[np.uint64]:
    """A number drawn for each way in which classes are in cells; 0 for those that are in none."""
    cells = csr_array(vstack([piece.rows, piece.hidden])).astype(np.uint64)
    drawn = dice.integers(1, 1 << 62, cells.shape[0], dtype=np.uint64)
    return np.asarray(cells.T @ drawn, np.uint64)


def _together(held: Known) -> Known:
    """Atoms in the same equations are one; those in none are gone, and so are withheld cells that atoms cut across."""
    drawn = np.random.default_rng(2).integers(1, 1 << 62, held.rows.shape[0], dtype=np.uint64)
    marks = np.asarray(held.rows.astype(np.uint64).T @ drawn, np.uint64)
    _, first, atom = np.unique(marks, return_index=True, return_inverse=True)
    join = csr_array((np.ones(len(marks)), (np.arange(len(marks)), atom.ravel())), shape=(len(marks), len(first)))
    inside = csr_array(held.hidden @ join)
    inside.data = (inside.data == np.bincount(atom.ravel())[inside.indices]).astype(np.float64)
    whole = np.asarray(held.hidden.sum(axis=1) == inside @ join.sum(axis=0)).ravel()
    told = np.flatnonzero(marks[first])
    whole &= np.asarray(inside @ (marks[first] == 0).astype(np.float64)) == 0
    return Known(
        csr_array(held.rows[:, first[told]]), held.told, (held.people @ join)[told], (held.others @ join)[told],
        csr_array(inside[np.flatnonzero(whole)][:, told]),
        tuple(t for t, w in zip(held.withheld, whole, strict=True) if w),
    )  # fmt: skip


def _touched(held: Known, *, first: int) -> Known | None:
    """The equations that share people with those of the new tables, from place `first`, over whatever others."""
    cells, atoms = held.rows.shape
    new = np.asarray((held.tables() >= first).astype(np.float64) @ held.rows) > 0
    if np.all(held.rows @ new.astype(np.float64)):
        return held
    links = held.rows.tocoo()
    whole = csr_array((links.data, (links.coords[0], links.coords[1] + cells)), shape=(cells + atoms, cells + atoms))
    _, part = connected_components(whole, directed=False)
    kept = np.isin(part[:cells], np.unique(part[:cells][held.tables() >= first]))
    if not kept.any():
        return None
    if kept.all():
        return held
    near = np.isin(part[cells:], np.unique(part[:cells][kept]))
    inside = np.asarray(held.hidden @ (~near).astype(float)) == 0
    return Known(
        csr_array(held.rows[np.flatnonzero(kept)][:, np.flatnonzero(near)]),
        tuple(t for t, k in zip(held.told, kept, strict=True) if k), held.people[near], held.others[near],
        csr_array(held.hidden[np.flatnonzero(inside)][:, np.flatnonzero(near)]),
        tuple(t for t, k in zip(held.withheld, inside, strict=True) if k),
    )  # fmt: skip
