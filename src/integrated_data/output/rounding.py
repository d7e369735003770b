"""Rounding counts instead of withholding them: to which base, so that the attacker still fails.

*Conventional*: every count to the nearest multiple of a base. A reader of r knows that the count lies between
r − b/2 and r + b/2, and that the true counts add up; what that confines each count to is found by linear
programming over those bounds. *Controlled* (Cox, A constructive procedure for unbiased controlled
rounding, Journal of the American Statistical Association 82, 1987): every count to one of the two multiples
next to it, such that the rounded table adds up too, as near to the truth as can be; found by integer
programming. Who knows that it is the nearest such table may guess which counts went to their nearest multiple,
so the attacker is told just that; and counts that must be hidden are rounded down.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from integrated_data.model.output import ReleaseLimits
from integrated_data.output.attack import Equation, Interval
from integrated_data.output.programs import OUT_OF_TIME
from integrated_data.output.protect import CellId

#: Bases tried, the smallest first.
BASES = (5, 10, 20, 25, 40, 50, 100, 200, 250, 500, 1_000)

#: Cells of one figure beyond which rounding is not tried, and unknowns over all programs of one judgement.
MOST_CELLS, MOST_UNKNOWNS = 5_000, 400_000

#: Nodes of the search after which a controlled rounding is taken as it stands, the same on every machine: two keys
#: never ask for more than this first one, and what more of them ask for in it takes seconds.
MOST_NODES = 1

#: Seconds after which a controlled rounding is given up, far more than the first node takes of `MOST_CELLS`.
SECONDS = 120.0


@dataclass(frozen=True)
class Counts:
    """One count over the cells of tables about the same rows. `unsafe`: cells that must not be told."""

    values: Mapping[CellId, int]
    equations: tuple[Equation[CellId], ...]
    unsafe: frozenset[CellId]


def nearest(value: float, base: int) -> int:
    """The nearest multiple; of two as near, the higher."""
    return base * math.floor(value / base + 0.5)


def conventional(counts: Counts, base: int) -> dict[CellId, int]:
    """Every count to the nearest multiple."""
    return {cell: nearest(value, base) for cell, value in counts.values.items()}


def controlled(counts: Counts, base: int) -> dict[CellId, int] | None:
    """Every count to a multiple next to it, so that the sums hold, the nearest found; None if none can be found."""
    cells = list(counts.values)
    place = {cell: n for n, cell in enumerate(cells)}
    floors = np.array([counts.values[c] // base for c in cells], float)
    rest = np.array([counts.values[c] % base for c in cells], float)
    most = np.array([float(counts.values[c] % base > 0 and c not in counts.unsafe) for c in cells])
    matrix = _matrix(counts.equations, place)
    sums = LinearConstraint(matrix, -(matrix @ floors), -(matrix @ floors)) if counts.equations else ()
    solved = milp(
        base - 2 * rest, constraints=sums, integrality=np.ones(len(cells)), bounds=Bounds(np.zeros(len(cells)), most),
        options={"node_limit": MOST_NODES, "time_limit": SECONDS},
    )  # fmt: skip
    if solved.x is None or solved.status == OUT_OF_TIME:
        return None
    return {cell: base * round(floors[n] + solved.x[n]) for cell, n in place.items()}


def hides(counts: Counts, told: Mapping[CellId, int], *, base: int, limits: ReleaseLimits) -> bool:
    """Whether the attacker can tell no unsafe count from the rounded ones, to within the minimum of people."""
    bounds = {cell: known(value, told[cell], base=base) for cell, value in counts.values.items()}
    slack = float(limits.minimum_people)
    unsafe = sorted(counts.unsafe & set(counts.values), key=lambda c: (-counts.values[c], sorted(map(str, c))))
    if not all(Interval(*map(float, bounds[c])).hides(counts.values[c], slack) for c in unsafe):
        return False
    equations = [e for e in counts.equations if {e.total, *e.parts} <= set(counts.values)]
    if not equations:
        return True
    if 2 * len(unsafe) * len(bounds) > MOST_UNKNOWNS:
        return False  # not judged, so not vouched for
    return all(
        interval.hides(counts.values[cell], slack)
        for cell, interval in confined(bounds, equations, wanted=unsafe).items()
    )


def confined(
    bounds: Mapping[CellId, tuple[int, int]], equations: Sequence[Equation[CellId]], *, wanted: Sequence[CellId]
) -> dict[CellId, Interval]:
    """What each wanted count lies between, from what is known of each and that the true counts add up."""
    cells = list(bounds)
    place = {cell: n for n, cell in enumerate(cells)}
    matrix, right = _matrix(equations, place), np.zeros(len(equations))

    def extreme(cell: CellId, sign: float) -> float:
        goal = np.zeros(len(cells))
        goal[place[cell]] = sign
        solved = linprog(goal, A_eq=matrix, b_eq=right, bounds=[bounds[c] for c in cells], method="highs")
        return sign * float(solved.fun) if solved.status == 0 else math.nan

    found = {}
    for cell in wanted:
        low, high = extreme(cell, 1.0), extreme(cell, -1.0)
        undecided = math.isnan(low) or math.isnan(high)  # what cannot be decided confines, as far as the judge goes
        found[cell] = Interval(math.inf, -math.inf) if undecided else Interval(low, high)
    return found


def known(value: int, told: int, *, base: int) -> tuple[int, int]:
    """What a reader of a rounded count knows of it, who knows whether it went to the nearest multiple."""
    if told == nearest(value, base):
        return max(0, math.ceil(told - base / 2)), math.ceil(told + base / 2) - 1
    if told > value:
        return max(0, told - base), math.ceil(told - base / 2) - 1
    return math.ceil(told + base / 2), told + base


def _matrix(equations: Sequence[Equation[CellId]], place: Mapping[CellId, int]) -> csr_array:
    """A row for each sum: its parts less its total."""
    entries = [
        (number, place[cell], weight)
        for number, equation in enumerate(equations)
        for cell, weight in ((equation.total, -1.0), *((part, 1.0) for part in equation.parts))
    ]
    rows, columns, weights = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_array((weights, (rows, columns)), shape=(len(equations), len(place)))
