"""The linear programs of the attacker (`attacker.py`), over some of the equations, solved with HiGHS.

Atoms that the equations at hand do not tell apart are one. A *combination* of equations, cells with
weights, comes to a figure for each atom: how often it is counted in. Two programs are solved:

- the combination that counts the aim once, or a withheld cell's people once each, and of all others as few as can
  be, each as often as it is counted: minimise Σ nᵢ|vᵢ|. It is solved as its dual, the largest change of the
  aim that no equation sees while no other atom changes by more than its people;
- the interval of the aim's people where no number of people is below zero.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack, identity, vstack

from integrated_data.output.attack import Interval
from integrated_data.output.equations import Floats, Known

#: A weight or a distance this small is none.
NIL = 1e-6

#: Equations of which overlaps are solved to see how far an aim can change, how often, and what is added to solve them.
MOST_SQUARES, WEIGHED, RIDGE = 500, 6, 1e-11

#: How often a combination is sought again that is about fewer people.
SHARPENED = 3

#: Nodes of its search after which an integer program is left to people: work, which is the same on every machine. All
#: that real requests asked were decided by the first (decision 26).
MOST_NODES = 100

#: Seconds that all integer programs of one attack may take. None that is asked in earnest comes near, on a busy machine
#: either: it decides nothing but for how long somebody can keep the machine at it.
PATIENCE = 600.0

#: What the solver says of a program that the clock ended, and of one without a solution.
OUT_OF_TIME, INFEASIBLE = 1, 2


class BeyondBudgetError(Exception):
    """The equations are more than the attacker can solve: people look."""


@dataclass
class Patience:
    """The seconds that are left to the integer programs of one attack."""

    left: float = PATIENCE


@dataclass(frozen=True)
class Aim:
    """What a combination is sought about: one atom, or a withheld cell of that number. `wanted`: its atoms."""

    wanted: NDArray[np.intp]
    withheld: int | None = None


@dataclass(frozen=True)
class Program:
    """Some equations over atoms put together: `part` of each atom, -1 for none. `aim`: the parts wanted.

    `weight` of each part, and its `people`, all of them. `cell`: the aim is a withheld cell, else one part.
    """

    rows: csr_array
    part: NDArray[np.int64]
    weight: Floats
    people: Floats
    aim: NDArray[np.intp]
    cell: bool

    @classmethod
    def of(cls, held: Known, *, kept: NDArray[np.bool_], aim: Aim) -> "Program | None":
        """The program of the equations kept; None where they do not reach the aim."""
        rows = csr_array(held.rows[np.flatnonzero(kept)])
        drawn = np.random.default_rng(3).integers(1, 1 << 62, rows.shape[0] + 1, dtype=np.uint64)
        marks = np.asarray(rows.astype(np.uint64).T @ drawn[:-1], np.uint64)
        if not np.all(marks[aim.wanted]):
            return None
        if aim.withheld is not None or len(aim.wanted) > 1:
            marks[aim.wanted] += drawn[-1]
        there = np.flatnonzero(marks)
        _, first, part = np.unique(marks[there], return_index=True, return_inverse=True)
        of = np.full(rows.shape[1], -1, np.int64)
        of[there] = part.ravel()
        weight, people = (
            np.bincount(part.ravel(), weights=who[there], minlength=len(first)).astype(np.float64)
            for who in (held.weight, held.people + held.others)
        )
        columns = csr_array(csr_array(rows.T)[there[first]].T)
        return cls(columns, of, weight, people, np.unique(of[aim.wanted]).astype(np.intp), aim.withheld is not None)

    def changes(self, most: float) -> bool:
        """Whether the aim, one part, can change by so much that all combinations about it tell of more than `most`.

        By least squares, weighed anew where others change by too much. False where that finds no such change.
        """
        if self.cell or self.rows.shape[0] > MOST_SQUARES:
            return False
        aim = int(self.aim[0])
        turned = csr_array(self.rows.T)
        wanted = self.rows[:, [aim]].toarray().ravel()
        free = np.where(np.arange(len(self.weight)) == aim, 0.0, self.weight**1.5)
        for _ in range(WEIGHED):
            change = -free * (turned @ _solved(csr_array(self.rows.multiply(free[None, :])) @ turned, wanted))
            if np.abs(self.rows @ change + wanted).max(initial=0.0) > NIL:
                return False  # no others make up for it
            share = np.abs(change) / self.weight
            furthest = max(float(share.max(initial=0.0)), NIL)
            reach = float(self.weight[aim]) + 1 / furthest
            if reach > most or reach < most / 2:
                return reach > most
            free *= np.exp(-2 * np.maximum(share / furthest - 0.3, 0))
        return False

    def combination(self, sharp: Floats, *, most: float) -> tuple[Floats, float]:
        """Weights of the equations, and how many people the combination tells of, each weighed by `sharp`.

        Of a withheld cell: how many it is apart from it. Found up to `most`.
        """
        goal = np.zeros(len(self.weight))
        goal[self.aim] = -1.0
        bounds = np.column_stack([-self.weight * sharp, self.weight * sharp])
        own = 0.0
        if not self.cell:
            furthest = most * float(sharp.max())
            bounds[self.aim] = [-furthest, furthest]
            own = float(self.weight[self.aim].sum())
        solved = linprog(goal, A_eq=self.rows, b_eq=np.zeros(self.rows.shape[0]), bounds=bounds, method="highs")
        if solved.status != 0:  # nothing is cleared that the solver cannot decide
            raise BeyondBudgetError
        return self._clean(np.asarray(-solved.eqlin.marginals)), own - float(solved.fun)

    def sharpened(self, *, most: float) -> Iterator[tuple[Floats, float]]:
        """Combinations as `combination` finds them, weighed each time to leave out those who count for little.

        It ends where the weighing stays: the same would be found again.
        """
        sharp = np.ones(len(self.weight))
        for _ in range(SHARPENED):
            weights, apart = self.combination(sharp, most=most)
            yield weights, apart
            before, sharp = sharp, 1 / (np.abs(self.figures(weights)) + 0.05)
            if np.allclose(sharp, before):
                return

    def fewest(self, *, most: float, patience: Patience) -> tuple[Floats, bool]:
        """The combination that tells of the aim and of the fewest others, none of them counted more often.

        By integer programming, where the last two steps leave doubt. The weights are none where every
        combination tells of more than `most`; false with them where neither `MOST_NODES` nor `patience` decide that.
        """
        parts, equations = len(self.weight), self.rows.shape[0]
        goal = np.concatenate([np.zeros(equations), self.weight])
        sides = csr_array(hstack([vstack([self.rows.T, -self.rows.T]), vstack([-identity(parts), -identity(parts)])]))
        once = np.zeros((1, equations + parts))
        once[0, :equations] = self.rows[:, self.aim].toarray().ravel()
        within = np.concatenate([np.zeros(equations), self.weight])[None]
        limits = [LinearConstraint(sides, -np.inf, 0), LinearConstraint(once, 1, 1), LinearConstraint(within, 0, most)]
        bounds = Bounds(
            np.concatenate([np.full(equations, -np.inf), np.zeros(parts)]),
            np.concatenate([np.full(equations, np.inf), np.ones(parts)]),
        )
        whole = np.concatenate([np.zeros(equations), np.ones(parts)])
        # without presolving, which takes most of the time and saves little of it
        options = {"node_limit": MOST_NODES, "time_limit": max(patience.left, 0.0), "presolve": False}
        began = time.monotonic()
        solved = milp(goal, constraints=limits, bounds=bounds, integrality=whole, options=options)
        patience.left -= time.monotonic() - began
        if solved.x is None or solved.status == OUT_OF_TIME:  # what is found by then depends on the machine
            return np.zeros(equations), solved.status == INFEASIBLE
        return self._clean(solved.x[:equations]), True

    def _clean(self, weights: Floats) -> Floats:
        """Weights by which the aim is counted once, without those that are nearly none."""
        if not self.cell:
            once = float(self.figures(weights)[self.aim][0])
            weights = weights / once if abs(once) > NIL else np.zeros(len(weights))
        return np.where(np.abs(weights) > NIL, weights, 0.0)

    def figures(self, weights: Floats) -> Floats:
        """How often a combination counts each part; of a withheld cell, less what it should."""
        figures = np.asarray(self.rows.T @ weights)
        if self.cell:
            figures[self.aim] -= 1.0
        return figures

    def told(self, weights: Floats) -> NDArray[np.intp]:
        """The parts that a combination tells of, or by which it differs from a withheld cell."""
        return np.flatnonzero(np.abs(self.figures(weights)) > NIL)

    def atoms(self, parts: NDArray[np.intp]) -> NDArray[np.intp]:
        """The atoms of some parts."""
        return np.flatnonzero(np.isin(self.part, parts))

    def plainest(self, weights: Floats) -> Floats:
        """The weights of a combination that comes to the same with the fewest cells, earlier ones first."""
        cost = 1 + np.arange(len(weights)) / (2 * len(weights) + 1)
        both = csr_array(hstack([self.rows.T, -self.rows.T]))
        right = np.asarray(self.rows.T @ weights)
        solved = linprog(np.concatenate([cost, cost]), A_eq=both, b_eq=right, bounds=(0, None), method="highs")
        if solved.status != 0:
            return weights
        plain = solved.x[: len(weights)] - solved.x[len(weights) :]
        return np.where(np.abs(plain) > NIL, plain, 0.0)

    def interval(self, parts: NDArray[np.intp]) -> tuple[Floats, Interval]:
        """What the equations confine the people of some parts to, with what each equation has to do with it."""
        goal = np.zeros(len(self.weight))
        goal[parts] = 1.0
        right, ends, weights = np.asarray(self.rows @ self.people), [], np.zeros(self.rows.shape[0])
        for sign in (1.0, -1.0):
            solved = linprog(sign * goal, A_eq=self.rows, b_eq=right, bounds=(0, None), method="highs")
            if solved.status == 0:
                ends.append(sign * float(solved.fun))
                weights += np.abs(solved.eqlin.marginals)
            else:
                ends.append(math.inf if sign < 0 else 0.0)
        return np.where(weights > NIL, weights, 0.0), Interval(ends[0], ends[1])


def _solved(overlaps: csr_array, wanted: Floats) -> Floats:
    """The solution of a system of overlaps, brought to one scale first."""
    held = overlaps.toarray()
    sizes = held.diagonal()
    scale = 1 / np.sqrt(np.where(sizes > 0, sizes, 1.0))
    held = held * scale[:, None] * scale + RIDGE * np.eye(len(held))
    factor = np.linalg.cholesky(held)
    half = solve_triangular(factor, wanted * scale, lower=True)
    return np.asarray(scale * solve_triangular(factor, half, lower=True, trans="T"))
