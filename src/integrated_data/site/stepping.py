"""Steps of a job: each is written down when it is done, so that a job which was killed goes on where it stood."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from integrated_data.control import holding, jobs
from integrated_data.control.holding import Held
from integrated_data.control.store import Change, Store
from integrated_data.journey.workshop import Facts
from integrated_data.model.errors import CancelledRefusal, Refusal
from integrated_data.model.event import Event

Write = Callable[[Change], None]


@dataclass(frozen=True)
class Steps:
    """The steps of one job, run by `actor`."""

    store: Store
    job: str
    subject: str
    actor: str

    def run(self, name: str, work: Callable[[], tuple[Facts, Write | None]]) -> Facts:
        """What a step left, from the record where it was done before."""
        with self.store.read() as connection:
            done = jobs.done_steps(connection, self.job)
        if name in done:
            return done[name]
        begun = time.perf_counter()
        facts, write = work()
        seconds = round(time.perf_counter() - begun, 3)
        event = Event("stage.done", self.actor, self.subject, {"job": self.job, "stage": name, "seconds": seconds})
        with self.store.change(event) as change:
            if write is not None:
                write(change)
            jobs.step_done(change, self.job, step=name, result=facts, seconds=seconds)
        return facts


@contextmanager
def taken(steps: Steps, *, kind: str) -> Iterator[Held]:
    """Take the job; a refusal inside is written down as its failure."""
    with holding.held(steps.store, holding.Work(steps.job, kind, steps.subject, steps.actor)) as held:
        try:
            yield held
        except Refusal as refusal:
            if not held.lost:
                _failed(steps, refusal)
            raise


def _failed(steps: Steps, refusal: Refusal) -> None:
    state = "cancelled" if isinstance(refusal, CancelledRefusal) else "failed"
    event = Event(f"job.{state}", steps.actor, steps.subject, {"job": steps.job, "reason": str(refusal)})
    with steps.store.change(event) as change:
        jobs.finish(change, steps.job, state=state, reason=str(refusal))
