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

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack
from scipy.sparse.csgraph import connected_components

from integrated_data.output.remembered import Remembered

#: What somebody weighs who does not count toward a minimum: nothing to speak of, but not nothing.
FAINT = 1e-3

Floats = NDArray[np.float64]


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

    def only(self, kept: NDArray[np.bool_]) -> "Known":
        """Some of the equations, atoms that they do not tell apart put together."""
        rows = csr_array(self.rows[np.flatnonzero(kept)])
        told = tuple(t for t, k in zip(self.told, kept, strict=True) if k)
        return _together(replace(self, rows=rows, told=told))

    def tables(self) -> NDArray[np.int64]:
        """Of each equation its table."""
        return np.array([told.table for told in self.told], np.int64)


def quantities(tables: Sequence[Remembered]) -> list[str | None]:
    """What is summed in any of these tables: None for counts, else the words of a measure."""
    words = {w for t in tables for w, counts in zip(t.words, t.counts, strict=True) if not counts}
    return [None, *sorted(words)]


def known(tables: Sequence[Remembered], *, quantity: str | None, new: int, below: int) -> Known | None:
    """The equations of one quantity; the last `new` of the tables are new. None where no combination can matter.

    `below`: the fewest people that a combination may be about.
    """
    pieces = [_pieces(table, quantity) for table in tables]
    if not any(piece.rows.shape[0] for piece in pieces[len(tables) - new :]):
        return None
    held = _once(_atoms(tables, pieces))
    while True:
        crowded = _alone(held) >= below
        if not crowded.any():
            break
        held = held.only(~crowded)
    return _touched(held, first=len(tables) - new)


@dataclass(frozen=True)
class _Pieces:
    """The equations of one table by its classes: published cells, less what others of it tell, and withheld cells."""

    rows: csr_array
    told: tuple[tuple[int, int], ...]
    hidden: csr_array
    withheld: tuple[tuple[int, int], ...]


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


def _atoms(tables: Sequence[Remembered], pieces: Sequence[_Pieces]) -> Known:
    """Everybody put together by the classes that they are in."""
    dice = np.random.default_rng(0)
    used = [n for n, piece in enumerate(pieces) if piece.rows.shape[0]]
    length = max((tables[n].membership.numbers for n in used), default=0)
    marks, counted, codes = np.zeros(length, np.uint64), np.zeros(length, bool), {}
    for n in used:
        patterns = _patterns(pieces[n], dice)
        held = _codes(tables[n])
        counted[: len(held)] |= tables[n].membership.counted[held]
        codes[n] = held
        marks[: len(held)] += patterns[held]
    there = np.flatnonzero(marks)
    _, first, atom = np.unique(marks[there], return_index=True, return_inverse=True)
    people, others = (
        np.bincount(atom.ravel(), weights=who[there], minlength=len(first)).astype(np.float64)
        for who in (counted, ~counted)
    )
    columns = [_columns(codes[n], there[first]) for n in used]
    empty = csr_array((len(first), 0))
    rows = hstack([empty, *(pieces[n].rows.T.tocsr()[c] for n, c in zip(used, columns, strict=True))])
    hidden = hstack([empty, *(pieces[n].hidden.T.tocsr()[c] for n, c in zip(used, columns, strict=True))])
    told = tuple(Stated(n, *place) for n in used for place in pieces[n].told)
    withheld = tuple(Stated(n, *place) for n in used for place in pieces[n].withheld)
    return Known(csr_array(rows.T), told, people, others, csr_array(hidden.T), withheld)


def _codes(table: Remembered) -> NDArray[np.int64]:
    """Of each ledger number its class."""
    blocks = [table.membership.block(n) for n in range(table.membership.blocks)]
    return np.concatenate([np.zeros(0, np.int64), *blocks]).astype(np.int64)


def _columns(codes: NDArray[np.int64], people: NDArray[np.intp]) -> NDArray[np.int64]:
    """The class of each of some people; a table may have been made when there were fewer."""
    return np.where(people < len(codes), codes[np.minimum(people, len(codes) - 1)], 0)


def _patterns(piece: _Pieces, dice: np.random.Generator) -> NDArray[np.uint64]:
    """A number drawn for each way in which classes are in cells; 0 for those that are in none."""
    cells = csr_array(vstack([piece.rows, piece.hidden])).astype(np.uint64)
    drawn = dice.integers(1, 1 << 62, cells.shape[0], dtype=np.uint64)
    return np.asarray(cells.T @ drawn, np.uint64)


def _once(held: Known) -> Known:
    """Each set of people once, from the first table that told it."""
    drawn = np.random.default_rng(1).integers(1, 1 << 62, held.rows.shape[1], dtype=np.uint64)
    _, first = np.unique(held.rows.astype(np.uint64) @ drawn, return_index=True)
    kept = np.zeros(len(held.told), bool)
    kept[first] = True
    return held.only(kept & (np.diff(held.rows.indptr) > 0))


def _together(held: Known) -> Known:
    """Atoms in the same equations are one; those in none are gone, and so are withheld cells that atoms cut across."""
    drawn = np.random.default_rng(2).integers(1, 1 << 62, held.rows.shape[0], dtype=np.uint64)
    marks = np.asarray(held.rows.astype(np.uint64).T @ drawn, np.uint64)
    there = np.flatnonzero(marks)
    _, first, atom = np.unique(marks[there], return_index=True, return_inverse=True)
    people, others = (
        np.bincount(atom.ravel(), weights=who[there], minlength=len(first)).astype(np.float64)
        for who in (held.people, held.others)
    )
    rows = csr_array(held.rows.T.tocsr()[there[first]].T)
    join = csr_array((np.ones(len(there)), (there, atom.ravel())), shape=(held.rows.shape[1], len(first)))
    whole = np.bincount(atom.ravel(), minlength=len(first))
    cells = csr_array(held.hidden @ join)
    inside = np.asarray(cells.sum(axis=1)).ravel() == np.asarray(held.hidden.sum(axis=1)).ravel()
    cells.data = np.where(cells.data == whole[cells.indices], 1.0, np.nan)
    inside &= ~np.isnan(np.asarray(cells.sum(axis=1)).ravel())
    withheld = tuple(t for t, i in zip(held.withheld, inside, strict=True) if i)
    return Known(rows, held.told, people, others, csr_array(cells[np.flatnonzero(inside)]), withheld)


def _alone(held: Known) -> Floats:
    """How many people of each equation are in no other, and in no withheld cell."""
    covered = np.diff(csr_array(held.rows.T).indptr) + np.diff(csr_array(held.hidden.T).indptr)
    return np.asarray(held.rows @ (held.weight * (covered == 1)))


def _touched(held: Known, *, first: int) -> Known | None:
    """The equations that share people with those of the new tables, from place `first`, over whatever others."""
    if not len(held.told):
        return None
    _, part = connected_components(csr_array(held.rows @ held.rows.T), directed=False)
    new = np.unique(part[held.tables() >= first])
    return held.only(np.isin(part, new)) if len(new) else None
