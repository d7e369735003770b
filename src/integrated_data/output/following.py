"""The ledger follows its indexes: of people found to be one, one number stays; of one found to be several, a doubt.

Released tables are not changed by it, only what is known of who is behind them. Somebody in two cells
of a table is compared as such. Of an entity that was split nobody can tell which of its rows were
whose, so that it counts toward no difference: that errs on the side of refusing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from integrated_data.output.history import Leak, leaks
from integrated_data.output.remembered import NOBODY, Remembered, made_of


@dataclass(frozen=True)
class Change:
    """What became of people. `now`: of each number the one that stands for it; `split`: those found to be several."""

    now: NDArray[np.uint32]
    split: NDArray[np.bool_]

    @property
    def merged(self) -> int:
        """How many numbers gave way to another."""
        return int(np.count_nonzero(self.now != np.arange(len(self.now))))

    @property
    def nothing(self) -> bool:
        """Whether nothing became of anybody."""
        return not self.merged and not self.split.any()


def followed(table: Remembered, change: Change) -> Remembered | None:
    """A table after a change of people; None where it is about none of them."""
    added = table.added()
    linked = np.flatnonzero(added.number != NOBODY)
    before = added.number[linked]
    number, counted = added.number.copy(), added.counted.copy()
    number[linked] = change.now[before]
    counted[linked] &= ~change.split[before]
    if np.array_equal(number, added.number) and np.array_equal(counted, added.counted):
        return None
    after = replace(added, number=number, counted=counted)
    people = max(len(change.now), table.membership.numbers)
    return made_of(after, people=people, figures=table.figures, measures=(table.words, table.counts))


@dataclass(frozen=True)
class Versions:
    """A table before and after a change; the same where it was not changed."""

    before: Remembered
    after: Remembered


def nearer(one: Versions, other: Versions, *, below: int) -> int:
    """How many cells two tables give away together after a change that they did not before."""
    after = _cells(leaks(one.after, other.after, below=below))
    return len(after - _cells(leaks(one.before, other.before, below=below))) if after else 0


def _cells(found: Iterable[list[Leak]]) -> set[tuple[int, int, int]]:
    return set(_named(found))


def _named(found: Iterable[list[Leak]]) -> Iterator[tuple[int, int, int]]:
    for side, given in enumerate(found):
        yield from ((side, leak.mine, leak.cell) for leak in given)
