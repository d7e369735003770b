"""What to withhold besides the unsafe cells, at the least loss: the cheapest way for each of them to be something else.

A cell is hidden when a reader must think it possible that it is larger, and smaller, by its margin. For that
other withheld cells have to make up the difference in every sum: a flow over the table that starts at the
cell. The cheapest flow, where a cell that is withheld already costs nothing and any other what is behind
it, is a linear program; the cells that it goes through are withheld (Kelly, Golden and Assad, Cell suppression:
disclosure protection for sensitive tabular data, Networks 22, 1992; Castro, Minimum-distance controlled
perturbation and cell suppression heuristics, 2012). The attacker judges what comes of it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from integrated_data.output.attack import Equation

Id = TypeVar("Id")
Floats = NDArray[np.float64]

#: Flows smaller than this share of the margin are the solver's own error.
NOISE = 1e-6


class Flows(Generic[Id]):
    """The sums of a table as a program. `values`: every cell; `cost`: what is lost by withholding each."""

    def __init__(
        self, values: Mapping[Id, float], equations: Sequence[Equation[Id]], *, cost: Mapping[Id, float], positive: bool
    ) -> None:
        self.cells = list(values)
        self.place = {cell: n for n, cell in enumerate(self.cells)}
        self.cost = np.array([cost[c] for c in self.cells], float)
        entries = [
            (number, self.place[cell], weight)
            for number, e in enumerate(equations)
            for cell, weight in ((e.total, -1.0), *((part, 1.0) for part in e.parts))
        ]
        rows, columns, weights = zip(*entries, strict=True) if entries else ((), (), ())
        sums = csr_array((weights, (rows, columns)), shape=(len(equations), len(self.cells)))
        self.sums = hstack([sums, -sums], format="csr")
        most = [max(0.0, values[c]) if positive else math.inf for c in self.cells]
        self.most = np.concatenate([np.full(len(self.cells), np.inf), np.array(most)])

    def through(self, cell: Id, by: float, *, free: set[Id]) -> list[Id]:
        """The cells that the cheapest change of a cell by this much goes through; none where there is no way."""
        cells, at = len(self.cells), self.place[cell]
        cost = self.cost.copy()
        cost[[self.place[c] for c in free if c in self.place]] = 0.0
        lowest, most = np.zeros(2 * cells), self.most.copy()
        most[[at, cells + at]] = 0.0
        moved = at if by > 0 else cells + at
        lowest[moved] = most[moved] = abs(by)
        solved = linprog(
            np.concatenate([cost, cost]), A_eq=self.sums, b_eq=np.zeros(self.sums.shape[0]),
            bounds=np.column_stack([lowest, most]), method="highs",
        )  # fmt: skip
        if solved.status != 0:
            return []
        flow: Floats = solved.x[:cells] + solved.x[cells:]
        return [self.cells[n] for n in np.flatnonzero(flow > NOISE * abs(by))]
