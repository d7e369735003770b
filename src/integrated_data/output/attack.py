"""The attacker: what the published cells and totals confine a withheld one to, by linear programming.

A table with totals is a set of equations (a total is the sum of its parts), with the published
figures known and the withheld ones unknown. Minimising and maximising each unknown under those
equations gives the interval that any reader can compute (Fischetti and Salazar, Solving the cell
suppression problem on tabular data with linear constraints, Management Science 47, 2001). Solved
with HiGHS through SciPy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

Id = TypeVar("Id")


@dataclass(frozen=True)
class Equation(Generic[Id]):
    """A total and the parts that sum to it; a part that does not exist is zero."""

    total: Id
    parts: tuple[Id, ...]


@dataclass(frozen=True)
class Interval:
    """What a value is confined to; `high` may be infinite, `low` minus infinite."""

    low: float
    high: float

    def hides(self, value: float, slack: float) -> bool:
        """Whether the reader cannot come within `slack` of a value, on either side, down to zero."""
        near = 1e-6 * max(1.0, abs(value))
        lowest = value - slack if self.low < 0 else max(0.0, value - slack)
        return self.low <= lowest + near and self.high >= value + slack - near


def intervals(
    values: Mapping[Id, float],
    equations: Sequence[Equation[Id]],
    *,
    withheld: frozenset[Id],
    wanted: Sequence[Id],
    positive: bool = True,
) -> dict[Id, Interval]:
    """The interval that each wanted cell is confined to. `values`: every cell, withheld ones too.

    `positive`: the reader knows that no value is below zero, as for counts.
    """
    found: dict[Id, Interval] = {}
    for cells, related in _parts(equations, withheld):
        here = [cell for cell in wanted if cell in cells]
        if here:
            found.update(_solve(values, related, unknown=cells, wanted=here, positive=positive))
    free = Interval(0.0 if positive else -math.inf, math.inf)
    return {cell: found.get(cell, free) for cell in wanted}


def _parts(equations: Sequence[Equation[Id]], withheld: frozenset[Id]) -> list[tuple[list[Id], list[Equation[Id]]]]:
    """Unknown cells that share equations, directly or through others, with those equations."""
    up: dict[Id, Id] = {}

    def root(cell: Id) -> Id:
        while up.setdefault(cell, cell) != cell:
            cell = up[cell]
        return cell

    used: list[tuple[Equation[Id], Id]] = []
    for equation in equations:
        unknown = [c for c in (equation.total, *equation.parts) if c in withheld]
        for cell in unknown[1:]:
            up[root(cell)] = root(unknown[0])
        if unknown:
            used.append((equation, unknown[0]))
    cells: dict[Id, list[Id]] = {}
    for cell in list(up):
        cells.setdefault(root(cell), []).append(cell)
    for _, first in used:
        cells.setdefault(root(first), [first])
    related: dict[Id, list[Equation[Id]]] = {}
    for equation, first in used:
        related.setdefault(root(first), []).append(equation)
    return [(members, related.get(top, [])) for top, members in cells.items()]


def _solve(
    values: Mapping[Id, float],
    equations: Sequence[Equation[Id]],
    *,
    unknown: Sequence[Id],
    wanted: Sequence[Id],
    positive: bool,
) -> dict[Id, Interval]:
    place = {cell: n for n, cell in enumerate(unknown)}
    rows, columns, weights, right = [], [], [], []
    for number, equation in enumerate(equations):
        known = 0.0
        for cell, weight in ((equation.total, -1.0), *((part, 1.0) for part in equation.parts)):
            if cell in place:
                rows.append(number)
                columns.append(place[cell])
                weights.append(weight)
            else:
                known += weight * values[cell]
        right.append(-known)
    matrix = csr_array((weights, (rows, columns)), shape=(len(equations), len(unknown)))
    bounds = (0.0, None) if positive else (None, None)

    def extreme(cell: Id, sign: float) -> float:
        goal = np.zeros(len(unknown))
        goal[place[cell]] = sign
        solved = linprog(goal, A_eq=matrix, b_eq=np.array(right), bounds=bounds, method="highs")
        if solved.status == 4:  # "unbounded or infeasible": the plain algorithm can tell
            plain = {"presolve": False}
            solved = linprog(goal, A_eq=matrix, b_eq=np.array(right), bounds=bounds, method="highs", options=plain)
        if solved.status == 3:  # unbounded: nothing confines it on that side
            return math.inf
        # a program that the solver cannot decide confines the cell, as far as the judge is concerned
        return sign * float(solved.fun) if solved.status == 0 else math.nan

    found = {}
    for cell in wanted:
        low, high = extreme(cell, 1.0), extreme(cell, -1.0)
        if math.isnan(low) or math.isnan(high):
            low = high = values[cell]
        found[cell] = Interval(-math.inf if low == math.inf else low, high)
    return found
