"""How much of a combination of published cells can be about one atom: leverage, over everybody at once.

The overlap of two cells is how many people they share. The cells of the table with most of them share
nobody, so that they are taken out first, at no cost, and what is left of the others is factorised. The
leverage of an atom is the length of its column in the coordinates of that factor; of everybody it is
bounded by lengths in a few random directions, and computed for those who may be suspect.

Random directions: Johnson and Lindenstrauss (1984); for leverages, Drineas and others, Fast approximation of
matrix coherence and statistical leverage, Journal of Machine Learning Research 13 (2012).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array, vstack

from integrated_data.output.equations import Floats, Known
from integrated_data.output.programs import BeyondBudgetError

#: Equations besides those of the largest table, atoms times tables squared: beyond either, people look.
MOST_EQUATIONS, MOST_PRODUCTS = 5_000, 2e9

#: Added to the overlaps, so that equations which say the same in several ways can be factorised.
RIDGE = 1e-7

#: Random directions; a length in them is less than `SHORT` of the true one in one of a million.
DIRECTIONS, SHORT = 64, 0.4

#: Atoms times atoms that are held against each other at once.
AT_ONCE = 2_000_000

#: Ways to be in the cells of some tables that are counted together.
TOGETHER = 256


class Overlaps:
    """The overlaps of all equations, factorised. Raises `BeyondBudgetError` where they are too many."""

    def __init__(self, held: Known) -> None:
        self._weight, tables = held.weight, held.tables()
        numbers, counts = np.unique(tables, return_counts=True)
        apart = [_shares_nobody(csr_array(held.rows[np.flatnonzero(tables == n)])) for n in numbers]
        largest = numbers[np.argmax(counts * apart)]
        inside = (tables == largest) & bool(apart[int(np.argmax(counts * apart))])
        rest = int(np.count_nonzero(~inside))
        if rest > MOST_EQUATIONS or len(self._weight) * float(len(numbers)) ** 2 > MOST_PRODUCTS:
            raise BeyondBudgetError
        each = {
            int(n): _Ways.of(held.rows[np.flatnonzero((tables == n) & ~inside)]) for n in numbers[numbers != largest]
        }
        if not inside.any():
            each[int(largest)] = _Ways.of(held.rows[np.flatnonzero(tables == largest)])
        bundles = _bundles({n: ways.cells.shape[1] for n, ways in each.items()})
        order = [np.flatnonzero(tables == n) for bundle in bundles for n in bundle]
        outside = np.concatenate([np.zeros(0, np.intp), *order])
        self._first, self._others = csr_array(held.rows[np.flatnonzero(inside)]), csr_array(held.rows[outside])
        self._of_first, self._of_others = tables[inside], tables[outside]
        self._size = np.asarray(self._first @ self._weight) + RIDGE
        ways = [reduce(_Ways.joined, (each[n] for n in bundle)) for bundle in bundles]
        base = _Ways.of(self._first)
        across = [np.zeros((0, len(self._size))), *(way.across(base, self._weight) for way in ways)]
        self._across = np.concatenate(across)
        self._among = _among(ways, self._weight, size=rest)
        self._factor = _factor(self._among, self._across, size=self._size)

    @cached_property
    def _atoms_of_first(self) -> csr_array:
        return csr_array(self._first.T)

    @cached_property
    def _atoms_of_others(self) -> csr_array:
        return csr_array(self._others.T)

    def tables(self) -> NDArray[np.int64]:
        """The tables that have equations."""
        return np.unique(np.concatenate([self._of_first, self._of_others]))

    def leverage(self, atom: int, *, tables: NDArray[np.int64]) -> float:
        """The leverage of an atom in the equations of some tables alone."""
        kept = np.flatnonzero(np.isin(self._of_others, tables))
        base = np.isin(self._of_first, tables)
        size, across = self._size[base], self._across[np.ix_(kept, np.flatnonzero(base))]
        first = self._first[:, [atom]].toarray().ravel()[base]
        rest = self._others[:, [atom]].toarray().ravel()[kept] - across @ (first / size)
        factor = _factor(self._among[np.ix_(kept, kept)], across, size=size)
        told = solve_triangular(factor, rest, lower=True) if len(factor) else rest
        return float((np.square(first) / size).sum() + np.square(told).sum())

    def atmost(self) -> Floats:
        """Of each atom what its leverage is at most."""
        alone = np.asarray(self._first.T @ (1 / self._size))
        rest = len(self._factor)
        if not rest:
            return alone
        if rest <= DIRECTIONS:
            lengths = np.square(self._spread(np.arange(len(self._weight)))[1]).sum(axis=0)
            return np.asarray(alone + lengths)
        drawn = np.random.default_rng(2).standard_normal((rest, DIRECTIONS)) / np.sqrt(DIRECTIONS)
        turned = solve_triangular(self._factor, drawn, lower=True, trans="T")
        lengths = self._atoms_of_others @ turned - self._atoms_of_first @ ((self._across / self._size).T @ turned)
        return np.asarray(alone + np.square(lengths).sum(axis=1) / SHORT)

    def shared(self, atoms: NDArray[np.intp]) -> Floats:
        """Of each pair of some atoms how much of a combination about the one is about the other; own leverages."""
        first, rest = self._spread(atoms)
        return np.asarray((first.T @ first).toarray() + rest.T @ rest)

    def nearest(self, atoms: NDArray[np.intp]) -> Floats:
        """Of each of some atoms, how much of a combination about it is about another one, whichever is nearest."""
        found, most = [], max(1, AT_ONCE // max(1, len(self._weight)))
        for start in range(0, len(atoms), most):
            some = atoms[start : start + most]
            first, rest = self._spread(some)
            turned = solve_triangular(self._factor, rest, lower=True, trans="T") if len(self._factor) else rest
            base = first.multiply(1 / np.sqrt(self._size)[:, None]).toarray() - (self._across / self._size).T @ turned
            shared = np.abs(self._atoms_of_others @ turned + self._atoms_of_first @ base)
            shared[some, np.arange(len(some))] = 0.0
            found.append(shared.max(axis=0, initial=0.0))
        return np.concatenate([np.zeros(0), *found])

    def explained(self, cells: csr_array) -> Floats:
        """Of each of some sets of atoms, how many of its people the nearest combination of equations accounts for."""
        weighed = csr_array(csr_array(cells.multiply(self._weight)).T)
        first = (self._first @ weighed).toarray()
        rest = (self._others @ weighed).toarray() - self._across @ (first / self._size[:, None])
        told = solve_triangular(self._factor, rest, lower=True) if len(self._factor) else rest
        return np.asarray((np.square(first) / self._size[:, None]).sum(axis=0) + np.square(told).sum(axis=0))

    def _spread(self, atoms: NDArray[np.intp]) -> tuple[csr_array, Floats]:
        """Atoms in coordinates in which a combination is as long as its figures."""
        first = csr_array(self._atoms_of_first[atoms].T)
        rest = self._atoms_of_others[atoms].T.toarray() - (self._across / self._size) @ first
        rest = solve_triangular(self._factor, rest, lower=True) if len(self._factor) else rest
        return csr_array(first.multiply(1 / np.sqrt(self._size)[:, None])), np.asarray(rest)


def _factor(among: Floats, across: Floats, *, size: Floats) -> Floats:
    """The factor of overlaps, less what the equations of the largest table account for."""
    told = across / np.sqrt(size)
    left = among - told @ told.T if len(size) else among
    return np.asarray(np.linalg.cholesky(left + RIDGE * np.eye(len(left))))


def _shares_nobody(rows: csr_array) -> bool:
    """Whether no atom is in two of these equations."""
    return int(np.bincount(rows.indices).max(initial=0)) <= 1


@dataclass(frozen=True)
class _Ways:
    """The ways in which atoms are in some equations: of each atom its way, and equations × ways."""

    way: NDArray[np.intp]
    cells: csr_array

    @classmethod
    def of(cls, rows: csr_array) -> "_Ways":
        """The ways of some equations."""
        cells = rows.shape[0]
        if _shares_nobody(rows):
            alone = csr_array((np.ones(cells), (np.arange(cells), np.arange(1, cells + 1))), shape=(cells, cells + 1))
            return cls(np.asarray(rows.T @ np.arange(1.0, cells + 1)).astype(np.intp), alone)
        drawn = np.random.default_rng(3).integers(1, 1 << 62, cells, dtype=np.uint64)
        marks = np.asarray(rows.astype(np.uint64).T @ drawn, np.uint64)
        _, first, way = np.unique(marks, return_index=True, return_inverse=True)
        return cls(way.ravel().astype(np.intp), csr_array(csr_array(rows.T)[first].T))

    def joined(self, other: "_Ways") -> "_Ways":
        """The ways of both."""
        here, there = self.cells.shape[1], other.cells.shape[1]
        pair = np.arange(here * there)
        cells = vstack([csr_array(self.cells[:, pair // there]), csr_array(other.cells[:, pair % there])])
        return _Ways(self.way * there + other.way, csr_array(cells))

    def across(self, other: "_Ways", weight: Floats) -> Floats:
        """Overlaps of these equations with others."""
        here, there = self.cells.shape[1], other.cells.shape[1]
        both = np.bincount(self.way * there + other.way, weights=weight, minlength=here * there).reshape(here, there)
        return np.asarray((other.cells @ (self.cells @ both).T).T)


def _bundles(ways: Mapping[int, int]) -> list[list[int]]:
    """Tables whose ways are counted together, the largest first, each where there is room. `ways`: of each table."""
    bundles: list[list[int]] = []
    sizes: list[int] = []
    for table in sorted(ways, key=lambda n: (-ways[n], n)):
        fits = (place for place, size in enumerate(sizes) if size * ways[table] <= TOGETHER)
        place = next(fits, len(sizes))
        if place == len(sizes):
            bundles.append([])
            sizes.append(1)
        bundles[place].append(table)
        sizes[place] *= ways[table]
    return bundles


def _among(ways: Sequence[_Ways], weight: Floats, *, size: int) -> Floats:
    """Overlaps of all equations with each other."""
    found, ends = np.zeros((size, size)), np.cumsum([0, *(way.cells.shape[0] for way in ways)])
    for n, one in enumerate(ways):
        for m, other in enumerate(ways[: n + 1]):
            block = one.across(other, weight)
            found[ends[n] : ends[n + 1], ends[m] : ends[m + 1]] = block
            found[ends[m] : ends[m + 1], ends[n] : ends[n + 1]] = block.T
    return found
