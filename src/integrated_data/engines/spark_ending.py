"""Ending a query on a Spark server: when it may be interrupted, and whether that ends what it does there."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

#: Seconds that stages must stay the same until a query counts as planned: longer than the two in which a server tells
#: of them.
STEADY = 2.5

#: What tells whether an Apache Spark ends tasks that are cancelled. Sail has none of these.
MASTER, REAPER, KILL = "spark.master", "spark.task.reaper.enabled", "spark.task.reaper.killTimeout"


def runs_on(master: str | None, *, reaper: str | None, kill: str | None) -> bool:
    """Whether a server of these settings lets tasks run on that are cancelled (see MASTER, REAPER, KILL).

    What Spark compiles of a join looks at no flag, so that only the end of its executor ends it. The reaper brings
    that about, but not in a server that is its own executor. False of a server that tells no master: no Apache Spark.
    """
    if master is None:
        return False
    alone = master == "local" or master.startswith("local[")
    return alone or reaper != "true" or (kill or "-1").startswith("-")


class Stage(Protocol):
    """What a server tells of a stage, as pyspark hands it on."""

    stage_id: int
    done: bool


class Planning:
    """Whether stages of a query may still be submitted, by what the server tells of it on the way.

    Apache Spark submits stages from threads of their own. An interrupt cancels those that are there; one that is
    submitted a moment later runs on for ever, and nobody can reach it. So an interrupt waits for `over`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun, self._at_work, self._since = False, frozenset[int](), 0.0

    def __call__(self, *, stages: Iterable[Stage] | None, **_: object) -> None:
        """What pyspark calls with the server's news."""
        at_work = frozenset(stage.stage_id for stage in stages or () if not stage.done)
        if at_work != self._at_work:
            self._at_work, self._since = at_work, self._clock()

    @contextlib.contextmanager
    def until_rows(self) -> Iterator[None]:
        """While a query is asked; `end` within, where its first rows are there."""
        self._at_work, self._since, self._begun = frozenset(), self._clock(), True
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Nothing is planned any more."""
        self._begun = False

    def over(self) -> bool:
        """Whether there is nothing left to submit: no query, or one whose stages have long been the same."""
        return not self._begun or (bool(self._at_work) and self._clock() - self._since > STEADY)
