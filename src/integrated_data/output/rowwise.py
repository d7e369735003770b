"""Counts of rows, where people have several: whether published counts, weighted and added, may tell of few people.

The attacker (`attacker.py`) takes a cell for the people in it. A count of rows is another equation where
somebody has several: people who are in two cells that are taken from a third cancel in it by their rows, not by
themselves. So those tables are looked at once more with each person's rows as what they add. Here it is only
asked who may be told: by leverage, a second solution and a linear program, as the attacker clears nearly
everybody; where somebody is left, people look.

Everybody's rows are put on one scale, their most in any cell, which changes no combination's people: then one
of a group that is told has the largest share of it, so that the bounds of `attacker.py` hold for that one.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

from integrated_data.output.equations import FAINT, Floats
from integrated_data.output.leverage import RIDGE
from integrated_data.output.programs import NIL, BeyondBudgetError, Patience, Program
from integrated_data.output.remembered import NOBODY, Remembered

#: Published cells, and cells times ways to have rows in them, beyond which people look.
MOST_CELLS, MOST_ENTRIES = 2_500, 60_000_000

#: Ways to have rows of which each is looked at by itself; beyond, people look.
MOST_SUSPECTS = 200

#: Ways to have rows in one integer program; beyond, people look.
MOST_DECIDED = 10_000

#: Share of their leverage that new tables bring to those who are looked at.
RISEN = 0.01

#: Entries that are held at once.
AT_ONCE = 4_000_000


def tells_by_rows(tables: Sequence[Remembered], *, new: int, below: int) -> bool:
    """Whether the last `new` tables may tell of fewer people than `below` by counts of rows, with the others.

    False where nobody has several rows in any of them. Raises `BeyondBudgetError`.
    """
    if not any(_repeats(table) for table in tables):
        return False
    length = max(table.membership.numbers for table in tables)
    blocks = [_counted(table, length) for table in tables]
    counted = np.zeros(length, bool)
    for table in tables:
        added = table.added()
        linked = added.number != NOBODY
        counted[added.number[linked]] |= added.counted[linked]
    of = np.repeat(np.arange(len(tables)), [block.shape[0] for block in blocks])
    cells = csr_array(vstack(blocks))
    kept = _touching(cells, first=of >= len(tables) - new)
    cells, of = csr_array(cells[kept]), of[kept]
    ways, weight = _ways(cells, counted)
    if not ways.shape[0] or not ways.shape[1] or len(np.unique(of)) < 2:
        return False
    if ways.shape[0] > MOST_CELLS or ways.shape[0] * ways.shape[1] > MOST_ENTRIES:
        raise BeyondBudgetError
    earlier = int((of < len(tables) - new).sum())  # those come first
    suspects = _suspects(ways, weight, below=below, earlier=earlier)
    if len(suspects) > MOST_SUSPECTS:
        raise BeyondBudgetError
    before, patience = csr_array(ways[:earlier]), Patience()
    return any(
        tells_more(ways, before, weight=weight, way=int(way), below=below, patience=patience) for way in suspects
    )


def _repeats(table: Remembered) -> bool:
    """Whether somebody has several rows in it, and it says how many rows there are."""
    added = table.added()
    if not any(table.counts):
        return False
    linked = added.number != NOBODY
    return bool(np.bincount(added.number[linked], weights=added.rows[linked]).max(initial=0) > 1)


def _counted(table: Remembered, length: int) -> csr_array:
    """The rows of each person in each published cell that counts rows: cells × ledger numbers."""
    added, blocks = table.added(), [csr_array((0, length))]
    linked = np.flatnonzero(added.number != NOBODY)
    for figure, inside in zip(table.figures, added.inside, strict=True):
        if figure.others or (figure.measure >= 0 and not table.counts[figure.measure]):
            continue
        amount = added.rows if figure.measure < 0 else added.amount(figure.measure)
        entries = csr_array(
            (amount[linked].astype(np.float64), (added.group[linked], added.number[linked].astype(np.int64))),
            shape=(inside.shape[1], length),
        )
        shown = np.flatnonzero(np.array(figure.published, bool))
        blocks.append(csr_array(csr_array(inside, dtype=np.float64)[shown] @ entries))
    return csr_array(vstack(blocks))


def _touching(cells: csr_array, *, first: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The cells that share people with those of the new tables, over whatever others; each once, none empty."""
    rows, people = cells.shape
    links = cells.tocoo()
    size = rows + people
    ones = np.ones(len(links.data))
    whole = csr_array((ones, (links.coords[0], links.coords[1] + rows)), shape=(size, size))
    _, part = connected_components(whole, directed=False)
    near = np.isin(part[:rows], np.unique(part[:rows][first])) & (np.diff(cells.indptr) > 0)
    drawn = np.random.default_rng(4).integers(1, 1 << 62, people, dtype=np.uint64)
    marks = cells.astype(np.uint64) @ drawn
    kept = np.flatnonzero(near)
    _, once = np.unique(marks[kept], return_index=True)
    return kept[np.sort(once)]


def _ways(cells: csr_array, counted: NDArray[np.bool_]) -> tuple[csr_array, Floats]:
    """People with the same rows in the same cells together, on one scale: cells × ways, and what each way weighs."""
    drawn = np.random.default_rng(5).integers(1, 1 << 62, cells.shape[0], dtype=np.uint64)
    turned = csr_array(cells.T)
    there = np.flatnonzero(np.diff(turned.indptr) > 0)
    marks = np.asarray(turned.astype(np.uint64) @ drawn)[there]
    _, first, way = np.unique(marks, return_index=True, return_inverse=True)
    weight = np.bincount(way.ravel(), weights=np.where(counted[there], 1.0, FAINT), minlength=len(first))
    held = csr_array(turned[there[first]])
    most = np.asarray(held.max(axis=1).todense()).ravel() if len(first) else np.zeros(0)
    scaled = csr_array(held.multiply(1 / np.maximum(most, NIL)[:, None]))
    _, first, way = np.unique(scaled @ (drawn / 2.0**62), return_index=True, return_inverse=True)
    together: Floats = np.bincount(way.ravel(), weights=weight, minlength=len(first)).astype(np.float64)
    return csr_array(scaled[first].T), together


def _suspects(ways: csr_array, weight: Floats, *, below: int, earlier: int) -> NDArray[np.intp]:
    """The ways of people of whom a combination may tell that is about fewer than `below`.

    Whom the cells after the `earlier` ones hardly make stand out more is left out: what is told of those with
    a combination of so few, was told before but for a chance cancelling.
    """
    most = below - 0.5
    overlaps = (ways.multiply(weight[None, :]) @ ways.T).toarray()
    scale = 1 / np.sqrt(np.maximum(overlaps.diagonal(), NIL))
    factor = np.linalg.cholesky(overlaps * scale[:, None] * scale + RIDGE * np.eye(len(overlaps)))
    turned = csr_array(csr_array(ways.multiply(scale[:, None])).T)
    step = max(1, AT_ONCE // len(overlaps))
    parts = [
        solve_triangular(factor, turned[start : start + step].toarray().T, lower=True)
        for start in range(0, turned.shape[0], step)
    ]
    spread = np.concatenate(parts, axis=1)
    high = np.square(spread).sum(axis=0)
    risen = np.square(spread[earlier:]).sum(axis=0)  # the factor is triangular: what the first cells tell comes first
    near = np.flatnonzero((high * most >= 1) & (risen > RISEN * high))
    left = []
    for start in range(0, len(near), max(1, AT_ONCE // max(1, spread.shape[1]))):
        some = near[start : start + max(1, AT_ONCE // max(1, spread.shape[1]))]
        shared = np.abs(spread[:, some].T @ spread)
        shared[np.arange(len(some)), some] = 0.0
        reach = weight[some] + (1 - weight[some] * high[some]) / np.maximum(shared.max(axis=1, initial=0.0), NIL)
        left.append(some[reach <= most])
    return np.concatenate([np.zeros(0, np.intp), *left])


def tells_more(ways: csr_array, before: csr_array, *, weight: Floats, way: int, below: int, patience: Patience) -> bool:
    """Whether those with rows in one way are told, or may be, among fewer people than by the tables of before.

    Integer programs decide where the tables of now bring down the bound of the linear ones; where they do not,
    what is told counts if it was not told before.
    """
    most = below - 0.5
    now = _Told(ways, weight, way=way, most=most)
    if now.least > most:
        return False
    then = _Told(before, weight, way=way, most=most) if before[:, [way]].nnz else None
    if then is None or then.least > now.least + NIL:
        return now.found() or now.decided(patience) is not False
    return now.found() and not then.found() and then.decided(patience) is not True


class _Told:
    """What tables tell of those with rows in one way; people count as often as they are counted in."""

    def __init__(self, ways: csr_array, weight: Floats, *, way: int, most: float) -> None:
        """`least`: the fewest people that a combination is about; infinite where that is more than `most`."""
        self._program = Program(ways, np.arange(ways.shape[1]), weight, weight, np.array([way], np.intp), cell=False)
        self._most, self._sought = most, self._program.sharpened(most=most + 0.5)
        self.least, self._first = np.inf, np.zeros(0)
        if not self._program.changes(most):
            self._first, apart = next(self._sought)
            self.least = apart if apart <= most else np.inf

    def found(self) -> bool:
        """Whether linear programs come upon a combination of so few."""
        return self.least <= self._most and any(map(self._few, chain([self._first], (w for w, _ in self._sought))))

    def _few(self, weights: Floats) -> bool:
        told = self._program.told(weights)
        return bool(weights.any()) and float(self._program.weight[told].sum()) <= self._most

    def decided(self, patience: Patience) -> bool | None:
        """Whether an integer program comes upon one; None where that is not decided."""
        if len(self._program.weight) > MOST_DECIDED:
            return None
        weights, decided = self._program.fewest(most=self._most, patience=patience)
        return bool(weights.any()) if decided else None
