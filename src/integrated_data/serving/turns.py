"""Turns: who may run a query now, so that many share few workers fairly and nobody waits for ever.

The next turn goes to the person with the fewest queries running, and among those to the one whose last
turn is longest ago: somebody who asks a hundred things at once delays others by one query, not a hundred.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from integrated_data.access.running import Job, Progress, QueryFailure, Rows, Worker, Written
from integrated_data.model.errors import BusyRefusal
from integrated_data.model.query import EngineName, Failure

EACH_WAITS = 20  # queries of one person
ALL_WAIT = 256


@dataclass(eq=False)
class Ticket:
    """A place in the queue, for one job after another. `left`: nobody wants its turns any more."""

    person: str
    called: bool = False
    left: bool = False


@dataclass
class Turns:
    """Turns of `most` at a time; safe to use from every thread."""

    most: int
    _change: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _waiting: dict[str, deque[Ticket]] = field(default_factory=dict, repr=False)
    _running: Counter[str] = field(default_factory=Counter, repr=False)
    _served: dict[str, int] = field(default_factory=dict, repr=False)
    _number: int = 0

    def check_room(self, person: str) -> None:
        """Refuse somebody who has too many queries waiting, or anybody when the whole queue is full."""
        with self._change:
            mine = len(self._waiting.get(person, ()))
            if mine >= EACH_WAITS or sum(map(len, self._waiting.values())) >= ALL_WAIT:
                whose = "Your queries" if mine >= EACH_WAITS else "Too many queries"
                raise BusyRefusal(f"{whose} are waiting already", next_step="Ask again when some are answered")

    def wait(self, ticket: Ticket) -> None:
        """Wait until it is the ticket's turn; raises QueryFailure (cancelled) where it left the queue."""
        with self._change:
            self._waiting.setdefault(ticket.person, deque()).append(ticket)
            self._call()
            self._change.wait_for(lambda: ticket.called or ticket.left)
            if not ticket.called:
                self._remove(ticket)
                raise QueryFailure(Failure.CANCELLED)

    def leave(self, ticket: Ticket) -> None:
        """Give up a place in the queue, from any thread."""
        with self._change:
            ticket.left = True
            self._change.notify_all()

    def done(self, ticket: Ticket) -> None:
        """Give a turn back; more than once does no harm."""
        with self._change:
            if ticket.called:
                ticket.called = False
                self._running[ticket.person] -= 1
                if not self._running[ticket.person]:
                    del self._running[ticket.person]
                self._call()

    def before(self, ticket: Ticket) -> int:
        """How many of the same person's queries are called before this one."""
        with self._change:
            mine = self._waiting.get(ticket.person, ())
            return list(mine).index(ticket) if ticket in mine else 0

    def _call(self) -> None:
        """Call those whose turn it is; the lock is held."""
        while self._waiting and sum(self._running.values()) < self.most:
            person = min(self._waiting, key=lambda p: (self._running[p], self._served.get(p, 0)))
            ticket = self._waiting[person][0]
            self._remove(ticket)
            if ticket.left:
                continue
            ticket.called = True
            self._number += 1
            self._running[person] += 1
            self._served[person] = self._number
        self._change.notify_all()

    def _remove(self, ticket: Ticket) -> None:
        mine = self._waiting.get(ticket.person)
        if mine is not None and ticket in mine:
            mine.remove(ticket)
            if not mine:
                del self._waiting[ticket.person]


@dataclass(frozen=True)
class PatientWorker:
    """A worker that starts each job when it is its ticket's turn."""

    worker: Worker
    turns: Turns
    ticket: Ticket

    @property
    def engine(self) -> EngineName:
        """See `access.running.Worker.engine`."""
        return self.worker.engine

    def start(self, job: Job) -> Rows:
        """See `access.running.Worker.start`; waits."""
        self.turns.wait(self.ticket)
        try:
            return _TurnRows(self.worker.start(job), self.turns, self.ticket)
        except BaseException:
            self.turns.done(self.ticket)
            raise


@dataclass(frozen=True)
class _TurnRows:
    """Rows that give the turn back when they are whole or closed."""

    rows: Rows
    turns: Turns
    ticket: Ticket

    @property
    def schema(self) -> pa.Schema:
        return self.rows.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            _ = self.rows.schema
        finally:
            self.turns.done(self.ticket)
        yield from self.rows

    def write(self, place: Path) -> Written:
        try:
            return self.rows.write(place)
        finally:
            self.turns.done(self.ticket)

    def progress(self) -> Progress:
        return self.rows.progress()

    def cancel(self) -> None:
        self.rows.cancel()

    def close(self) -> None:
        self.rows.close()
        self.turns.done(self.ticket)
