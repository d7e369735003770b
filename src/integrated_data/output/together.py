"""What a request's tables give away together with several that have left: the attacker, in the words of people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from integrated_data.model.output import Cell
from integrated_data.output.attacker import Combination, combinations
from integrated_data.output.equations import Gathered, Stated, quantities
from integrated_data.output.programs import BeyondBudgetError
from integrated_data.output.remembered import Remembered
from integrated_data.output.table import TOTAL, UNNAMED

#: A table and the request that it is of.
Named: TypeAlias = tuple[str, Remembered]

#: Ledger numbers of all tables together that are read at most.
MOST_READ = 500_000_000

#: Cells that a finding names.
NAMED = 3


@dataclass(frozen=True)
class Weighed:
    """A cell of a table that left with a request, and how often it is added; below zero: taken away."""

    request: str
    cell: Cell
    weight: float = 0.0

    def words(self) -> str:
        """What a reader of the table knows it by."""
        named = zip(self.cell.values, self.cell.total, strict=True)
        return ", ".join(TOTAL if total else UNNAMED if value is None else value for value, total in named) or TOTAL


@dataclass(frozen=True)
class Joint:
    """What cells of several tables give away together. `quantity`: what they sum, none for counts.

    About `people` who count and `others` who do not; the reader's interval from `low` to `high`, where it is of
    people and ends. `withheld`: the cell that is told.
    """

    index: str
    quantity: str | None
    cells: tuple[Weighed, ...]
    people: int
    others: int
    low: float | None
    high: float | None
    withheld: Weighed | None

    @property
    def requests(self) -> tuple[str, ...]:
        """The requests that the tables left with, each once, in their order."""
        return tuple(dict.fromkeys(cell.request for cell in self.cells))


def together(new: Sequence[Named], left: Sequence[Named], *, index: str, least: Mapping[str, int]) -> list[Joint]:
    """What new tables give away with tables that left, or with each other; each with the request that it is of.

    `least`: of each request the fewest people that a combination with it may be about. Raises
    `BeyondBudgetError`.
    """
    left = list(_distinct(left, least=least))
    tables = [*left, *new]
    if len(tables) < 2:
        return []
    held = [table for _, table in tables]
    if sum(table.membership.numbers for table in held) > MOST_READ:
        raise BeyondBudgetError
    below = [least[request] for request, _ in tables]
    found: list[Joint] = []
    gathered = Gathered(held, new=len(new))
    for quantity in quantities([table for _, table in new]):
        equations = gathered.known(quantity, below=max(below))
        if equations is not None and len(np.unique(equations.tables())) > 1:
            given = combinations(equations, new=len(left), least=below, counts=quantity is None)
            found += [_joint(one, tables, index=index, quantity=quantity) for one in given]
    return found


def _distinct(left: Sequence[Named], *, least: Mapping[str, int]) -> Iterator[Named]:
    """Tables without those that earlier ones say all of, as their prints tell: the same groups come again and again."""
    seen: set[tuple[object, ...]] = set()
    for request, table in left:
        told = table.told()
        said = {
            (told.words, figure.measure, figure.others, shown, int(drawn), least[request])
            for figure, prints in zip(told.figures, told.prints, strict=True)
            for shown, drawn in zip(figure.published, prints[:, 0], strict=True)
        }
        if not said <= seen:
            seen |= said
            yield request, table


def _joint(given: Combination, tables: Sequence[Named], *, index: str, quantity: str | None) -> Joint:
    def named(told: Stated, weight: float = 0.0) -> Weighed:
        request, table = tables[told.table]
        return Weighed(request, table.figures[told.figure].cells[told.cell], weight)

    low, high = (None, None) if given.interval is None else (given.interval.low, given.interval.high)
    return Joint(
        index, quantity, tuple(named(*cell) for cell in given.cells), given.people, given.others,
        low, None if high is None or np.isinf(high) else high,
        None if given.withheld is None else named(given.withheld),
    )  # fmt: skip
