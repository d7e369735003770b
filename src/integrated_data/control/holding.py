"""Holding a job: its lease is renewed while it runs, and who asks for it to stop is heard.

A thread beside the work looks again and again: whether the lease is still its own, whether somebody asked for the job
to stop, and whether what the job needs is still there. Whatever speaks against it ends the statement that the engine
runs, and is raised at the next safe point.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from integrated_data.control import jobs
from integrated_data.control.store import Store, StoreError
from integrated_data.model.errors import BusyRefusal, CancelledRefusal, Refusal

#: Seconds between looks, between renewals of the lease, and between two tries to end what runs.
LOOK, BEAT, INSIST = 0.5, 15.0, 0.2

#: Tells what speaks against going on, or None.
Watch = Callable[[], Refusal | None]

_HELD: set[tuple[str, str]] = set()
_LOCK = threading.Lock()


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Work:
    """A job to be done: see `jobs.take`. `interrupt` ends what an engine runs for it; `watches` look whether what it
    needs is there."""

    job: str
    kind: str
    subject: str
    actor: str
    interrupt: Callable[[], None] = _nothing
    watches: Sequence[Watch] = ()


@dataclass
class Held:
    """A job that this process holds. `lost`: another process has it now, so that nothing of it may be written."""

    store: Store
    work: Work
    attempt: int
    stopped: Refusal | None = None
    lost: bool = False
    _done: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """A safe point: raises what speaks against going on."""
        if self.stopped is not None:
            raise self.stopped

    def _watch(self) -> None:
        until = time.monotonic() + jobs.LEASE_SECONDS
        beat = time.monotonic() + BEAT
        while not self._done.wait(LOOK if self.stopped is None else INSIST):
            if self.stopped is not None:
                self.work.interrupt()
                continue
            now = time.monotonic()
            with suppress(StoreError):  # the store is busy, or the disk full: the next look tells
                if now >= beat and jobs.renew(self.store, self.work.job):
                    beat, until = now + BEAT, now + jobs.LEASE_SECONDS
                self.stopped = self._against()
            if now >= until and self.stopped is None:
                self.stopped = self._taken()

    def _against(self) -> Refusal | None:
        with self.store.read() as connection:
            mine, by = jobs.asked(connection, self.work.job)
        if not mine:
            return self._taken()
        if by is not None:
            return CancelledRefusal(
                f"Job {self.work.job} was stopped by {by}",
                why="What was published before is whole, and finished steps are kept",
                next_step="Give the same command again: it goes on where it stood",
            )
        return next((found for watch in self.work.watches if (found := watch()) is not None), None)

    def _taken(self) -> Refusal:
        self.lost = True
        return BusyRefusal(f"Job {self.work.job} was taken over by another process", next_step="Look at it there")


@contextmanager
def held(store: Store, work: Work, *, write: jobs.Taking | None = None) -> Iterator[Held]:
    """Take a job and hold it to the end of the block; refuses one that is being run, by this process too."""
    key = (str(store.engine.url), work.job)
    with _LOCK:
        if key in _HELD:
            raise BusyRefusal(f"Job {work.job} is being run already", next_step="Wait for it to finish")
        _HELD.add(key)
    watcher = None
    try:
        attempt = jobs.take(store, work.job, kind=work.kind, subject=work.subject, actor=work.actor, write=write)
        one = Held(store, work, attempt)
        watcher = threading.Thread(target=one._watch, name="holding", daemon=True)
        watcher.start()
        yield one
    finally:
        if watcher is not None:
            one._done.set()
            watcher.join()
        with _LOCK:
            _HELD.discard(key)
