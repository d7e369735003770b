"""The attacker over everything that has left: what published cells of many tables, weighted and added, give away.

A reader may add and subtract published cells with any weights (`equations.py`). The result tells of the
people on whom the weights do not cancel; if they are fewer than the minimum, it gives them away. Who could
be among them is found in three steps, each exact where it clears somebody and each dearer than the last:

1. *Leverage.* If some combination v is about fewer than k people, one of them has a leverage
   h = max v²/‖v‖² of at least 1/(k − 1): ‖v‖² is no more than (k − 1) times its largest square. The
   leverages of everybody come from one factorisation of the cells' overlaps.
2. *A second solution.* If figures can be changed so that no published cell changes, no group by more than
   its people and the group in question by t, then every combination that tells of the group tells of at
   least t + its own people. The least-squares change often does.
3. *Linear programming* (HiGHS) finds the largest such t. Where it is small, its dual is the combination.

What remains is confirmed: the combination's people are counted, the interval of the group under all its
equations is computed, and the tables are left out one by one while the finding stands, so that those
that are named give it away together and no fewer of them do.

Leverage: Hoaglin and Welsch, The hat matrix in regression and ANOVA, American Statistician 32 (1978).
Intervals: Fischetti and Salazar, Management Science 47 (2001). Irreducible sets by deletion: Chinneck and
Dravnieks, Locating minimal infeasible constraint sets in linear programs, ORSA J. Computing 3 (1991).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from integrated_data.output.attack import Interval
from integrated_data.output.equations import Floats, Known, Stated
from integrated_data.output.leverage import Overlaps
from integrated_data.output.programs import NIL, SHARPENED, Aim, BeyondBudgetError, Patience, Program

#: Linear programs in one attack, and entries of one of them.
MOST_PROGRAMS, MOST_ENTRIES = 400, 2_000_000

#: Atoms of much leverage that are looked at one by one.
MOST_SUSPECTS = 4_000

#: Suspects times entries of the equations beyond which they are held against each other alone.
MOST_HELD = 1_000_000_000

#: Entries of the equations among which the plainest combination is sought.
MOST_PLAIN = 100_000

#: What is found and told at most.
MOST_FOUND = 20

#: The share of a leverage that tables hold up among which a combination is looked for, where they are many.
HELD_UP = 0.9

#: Parts of the people in one integer program.
MOST_DECIDED = 3_000


@dataclass(frozen=True)
class Combination:
    """Published cells that give a group away together. `cells` with their weights.

    `people` who count in the group, `others` who do not; `interval` that the group's number is confined to.
    `withheld`: the cell that is told, where it is one that was held back.
    """

    cells: tuple[tuple[Stated, float], ...]
    people: int
    others: int
    interval: Interval | None
    withheld: Stated | None = None

    @property
    def tables(self) -> frozenset[int]:
        """The tables whose cells they are."""
        return frozenset(told.table for told, _ in self.cells)


@dataclass(frozen=True)
class _Found:
    """The weights of equations, the atoms that they tell of, and how many people: the group, or apart from a cell.

    `confined`: not the sum of the equations, but the interval under all of them.
    """

    weights: Floats
    group: NDArray[np.intp]
    apart: float
    confined: bool = False


def combinations(held: Known, *, new: int, least: Sequence[int], counts: bool) -> list[Combination]:
    """What the tables from place `new` give away with others: groups of too few people, and withheld cells.

    `least`: of each table the fewest people that a combination with it may be about. `counts`: the equations
    count people, so that none is below zero. Raises `BeyondBudgetError`.
    """
    attack = _Attack(held, new=new, least=least, counts=counts)
    found: list[Combination] = []
    handled: set[int] = set()
    for aim in (*attack.suspects(), *attack.nearly_told()):
        if len(found) == (MOST_FOUND if held.rows.nnz <= MOST_ENTRIES else 1):
            break
        if aim.withheld is not None or not handled.issuperset(int(a) for a in aim.wanted):
            given = attack.given(aim)
            if given is not None:
                found.append(given[0])
                handled |= given[1]
    return found


class _Attack:
    """One set of equations under attack."""

    def __init__(self, held: Known, *, new: int, least: Sequence[int], counts: bool) -> None:
        self._held, self._new, self._least, self._counts, self._programs = held, new, least, counts, 0
        self._below, self._patience = max(least), Patience()
        self._overlaps = Overlaps(held)

    def suspects(self) -> list[Aim]:
        """Atoms that may be in a combination about few people, those of most leverage first."""
        weight, most = self._held.weight, self._below - 0.5
        atmost = self._overlaps.atmost()
        near = np.flatnonzero(atmost * most >= 1)
        if len(near) > MOST_SUSPECTS:
            raise BeyondBudgetError
        shared = np.abs(self._overlaps.shared(near))
        high = np.diag(shared).copy()
        np.fill_diagonal(shared, 0.0)
        far = np.delete(atmost, near).max(initial=0.0)
        largest = np.maximum(shared.max(axis=0, initial=0.0), np.sqrt(far * high))
        reach = weight[near] + (1 - weight[near] * high) / np.maximum(largest, NIL)
        left = (reach <= most) & (high * most >= 1)
        near, high = near[left], high[left]
        if len(near) * self._held.rows.nnz <= MOST_HELD:
            reach = weight[near] + (1 - weight[near] * high) / np.maximum(self._overlaps.nearest(near), NIL)
            near, high = near[reach <= most], high[reach <= most]
        return [Aim(np.array([atom])) for atom in near[np.argsort(-high, kind="stable")]]

    def nearly_told(self) -> list[Aim]:
        """Withheld cells of enough people that a combination may come near to."""
        held = self._held
        people = np.asarray(held.hidden @ held.people)
        told = self._overlaps.explained(held.hidden)
        near = np.flatnonzero((people >= self._below) & (people - told < self._below))
        return [Aim(held.hidden[[cell]].indices, int(cell)) for cell in near]

    def given(self, aim: Aim) -> tuple[Combination, set[int]] | None:
        """What is given away about an aim, and the atoms that it tells of; None where nothing, or nothing new."""
        held, tables = self._held, self._held.tables()
        kept = self._enough(aim)
        found = self._seek(kept, aim)
        if found is None:
            return None
        before = self._seek(kept & (tables < self._new), aim)
        if before is not None and before.apart <= found.apart + NIL:
            return None
        found = self._fewest(found, aim)
        cells = tuple((held.told[r], float(found.weights[r])) for r in np.flatnonzero(found.weights))
        group = found.group if aim.withheld is None else aim.wanted
        people, others = (round(float(who[group].sum())) for who in (held.people, held.others))
        told = None if aim.withheld is None else held.withheld[aim.withheld]
        given = Combination(cells, people, others, self._interval(found, group), told)
        least = max(self._least[table] for table in given.tables)
        if len(given.tables) == 1 or found.apart > least - 0.5:
            return None  # a table by itself is judged by its rules
        return given, {int(a) for a in found.group}

    def _enough(self, aim: Aim) -> NDArray[np.bool_]:
        """The equations among which to look: all, or, where they are many, those of tables that hold a leverage up."""
        tables = self._held.tables()
        kept = np.ones(len(tables), bool)
        if self._held.rows.nnz <= MOST_ENTRIES or aim.withheld is not None:
            return kept
        atom, held = int(aim.wanted[0]), self._overlaps.tables()
        least = max(HELD_UP * self._overlaps.leverage(atom, tables=held), 1 / (self._below - 0.5))
        step = len(held) // 2
        while step:
            for first in range(0, len(held), step)[::-1]:
                fewer = np.delete(held, slice(first, first + step))
                if len(fewer) and self._overlaps.leverage(atom, tables=fewer) >= least:
                    held = fewer
            step //= 2
        kept = np.isin(tables, held)
        if self._seek(kept, aim) is None:
            raise BeyondBudgetError  # it is held up by more than can be solved
        return kept

    def _fewest(self, found: _Found, aim: Aim) -> _Found:
        """The same from as few cells and tables as it takes: each table is left out that it stands without."""
        tables = self._held.tables()
        if self._held.rows.nnz <= MOST_PLAIN and not found.confined:
            program = Program.of(self._held, kept=np.ones(len(tables), bool), aim=aim)
            found = found if program is None else replace(found, weights=program.plainest(found.weights))
        for table in np.unique(tables[np.flatnonzero(found.weights)])[::-1]:
            fewer = self._seek((found.weights != 0) & (tables != table), aim)
            if fewer is not None and fewer.apart <= found.apart + NIL:
                found = fewer
        return found

    def _seek(self, kept: NDArray[np.bool_], aim: Aim) -> _Found | None:
        """A combination of some equations about few people and the aim, or that comes near to the aim's."""
        program = Program.of(self._held, kept=kept, aim=aim)
        if program is None:
            return None
        if program.changes(self._below - 0.5):
            return None
        sought = program.sharpened(most=self._below)
        for again in range(SHARPENED):
            self._spend(program)
            sharper = next(sought, None)
            if sharper is None:
                break
            weights, apart = sharper
            if not again and apart > self._below - 0.5:
                return None
            found = self._small(program, weights, kept=kept)
            if found is not None:
                return found
        return None if aim.withheld is not None else self._decide(program, kept=kept)

    def _small(self, program: Program, weights: Floats, *, kept: NDArray[np.bool_]) -> _Found | None:
        """A combination where it tells of few people."""
        told = program.told(weights)
        people = float(program.weight[told].sum())
        if not weights.any() or people > self._below - 0.5:
            return None
        return _Found(_placed(weights, kept), program.atoms(told), people)

    def _decide(self, program: Program, *, kept: NDArray[np.bool_]) -> _Found | None:
        """What no linear program has shown: a combination about few people, else a narrow interval."""
        self._spend(program)
        if len(program.weight) > MOST_DECIDED:
            raise BeyondBudgetError
        weights, decided = program.fewest(most=self._below - 0.5, patience=self._patience)
        if not decided:
            raise BeyondBudgetError
        found = self._small(program, weights, kept=kept)
        if found is not None or not self._counts:
            return found
        weights, interval = program.interval(program.aim)
        if math.ceil(interval.low - NIL) <= 0 or interval.high >= self._below - NIL:
            return None
        return _Found(_placed(weights, kept), program.atoms(program.aim), interval.high, confined=True)

    def _spend(self, program: Program) -> None:
        self._programs += 1
        if self._programs > MOST_PROGRAMS or program.rows.nnz > MOST_ENTRIES:
            raise BeyondBudgetError

    def _interval(self, found: _Found, group: NDArray[np.intp]) -> Interval | None:
        """What the equations found confine the number of people in a group to, where they count people."""
        if not self._counts:
            return None
        program = Program.of(self._held, kept=found.weights != 0, aim=Aim(group))
        return None if program is None else program.interval(program.aim)[1]


def _placed(weights: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Weights of the equations kept among all."""
    placed = np.zeros(len(kept))
    placed[np.flatnonzero(kept)] = weights
    return placed
