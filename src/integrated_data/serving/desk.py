"""The desk behind both doors: takes questions, lets them run in turn, holds results for a while.

A result is held for the person and project that asked and for nobody else, within a quota, and is
looked at again under a fresh decision each time. Nothing of it lies on the disk under a name.
"""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum

import pyarrow as pa
import structlog

from integrated_data.access.asked import Question
from integrated_data.access.gateway import Answer, Gateway, new_query
from integrated_data.access.running import Progress, Rows
from integrated_data.approve.roles import check_asks, check_project
from integrated_data.model.errors import Refusal, SignInRefusal
from integrated_data.model.signing_in import SignedIn
from integrated_data.model.twins import TWINS
from integrated_data.serving.turns import PatientWorker, Ticket, Turns
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.signing_in import SignIn

LOOK_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Holding:
    """How long results are held, in seconds since they were last asked for, and how many bytes of them."""

    seconds: float = 600.0
    each: int = 4 * 2**30
    everybody: int = 16 * 2**30
    results: int = 100  # of one person


class Stage(StrEnum):
    """How far a question is at the desk."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Visit:
    """One question at the desk. `ended` gets the answer, which holds a table or a refusal."""

    query: str
    question: Question
    who: SignedIn
    ticket: Ticket
    begun: float = field(default_factory=time.monotonic)
    ended: "Future[Answer]" = field(default_factory=Future)
    rows: Rows | None = None
    seen: float = field(default_factory=time.monotonic)
    stopped: Refusal | None = None
    over: float | None = None
    taken: bool = False  # the answer to a prepared question was asked for

    @property
    def seconds(self) -> float:
        """How long it has taken, or took."""
        return (self.over or time.monotonic()) - self.begun

    @property
    def stage(self) -> Stage:
        """Where it is now."""
        if not self.ended.done():
            return Stage.WAITING if self.rows is None else Stage.RUNNING
        if self.ended.exception() is not None or self.ended.result().refusal is not None:
            return Stage.CANCELLED if self.ticket.left else Stage.REFUSED
        return Stage.DONE

    @property
    def bytes(self) -> int:
        """Size of what is held of it."""
        whole = self.ended.done() and self.ended.exception() is None
        return _size(self.ended.result()) if whole else 0

    def progress(self) -> Progress:
        """How far the worker is."""
        if self.stage is Stage.DONE:
            return Progress(1.0, self.bytes)
        return self.rows.progress() if self.rows is not None else Progress(0.0, 0)


class Desk:
    """Takes questions for one site; safe to use from every thread. `door` says whose sign-in still counts."""

    def __init__(self, site: AnalysisSite, door: SignIn, *, turns: Turns, holding: Holding | None = None) -> None:
        self.site, self.door, self.turns = site, door, turns
        self.holding = holding or Holding()
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._ending = threading.Lock()  # one question ends at a time, so that quotas count each
        self._over = threading.Event()
        threading.Thread(target=self._look_after, name="desk", daemon=True).start()

    def ask(self, question: Question, who: SignedIn) -> Visit:
        """Take a question; returns at once. Refuses roles, tokens for another project, and a full queue."""
        check_asks(who, question.project)
        self.turns.check_room(who.person)
        visit = Visit(new_query(), question, who, Ticket(who.person))
        with self._lock:
            self._visits[visit.query] = visit
        threading.Thread(target=self._answer, args=(visit,), name=f"query {visit.query}", daemon=True).start()
        return visit

    def gateway(self, ticket: Ticket, who: SignedIn) -> Gateway:
        """The gateway, with a worker that waits for a ticket's turn, for as long as somebody's sign-in counts."""
        gateway = self.site.gateway
        worker = PatientWorker(gateway.worker, self.turns, ticket)
        return replace(gateway, worker=worker, besides=lambda: self.out(who))

    def out(self, who: SignedIn) -> Refusal | None:
        """None while somebody's sign-in counts; then what they are told."""
        if self.door.still_valid(who):
            return None
        return SignInRefusal("The sign-in counts no more", next_step="Sign in again")

    def find(self, query: str, who: SignedIn, *, project: str) -> Visit | None:
        """A question that this person asked in this project; None for anybody else's."""
        if project != TWINS:
            check_project(who, project)
        with self._lock:
            visit = self._visits.get(query)
        if visit is None or (visit.question.person, visit.question.project) != (who.person, project):
            return None
        visit.seen = time.monotonic()
        return visit

    def table(self, visit: Visit) -> pa.Table:
        """The rows of an answered question, after asking again whether they may be read."""
        refused = self.site.gateway.still(visit.question)
        if refused is not None:
            raise refused
        return table_of(visit)

    def cancel(self, visit: Visit, *, why: Refusal | None = None) -> None:
        """Stop a question, waiting or running, and let go of its rows. `why`: where its asker did not wish it."""
        visit.stopped = visit.stopped or why
        self.turns.leave(visit.ticket)
        if visit.rows is not None:
            visit.rows.cancel()
        if visit.ended.done():
            self._forget(visit)

    def close(self) -> None:
        """Stop everything."""
        self._over.set()
        for visit in self._all():
            self.cancel(visit)

    def _answer(self, visit: Visit) -> None:
        def started(rows: Rows) -> None:
            visit.rows = rows
            if visit.ticket.left:
                rows.cancel()

        try:
            gateway = self.gateway(visit.ticket, visit.who)
            answer = gateway.ask(visit.question, started=started, query=visit.query)
        except BaseException as error:
            visit.ended.set_exception(error)
        else:
            if answer.refusal is not None and visit.stopped is not None:
                answer = replace(answer, refusal=visit.stopped)
            with self._ending:  # room first: whoever sees this answer sees the older ones gone
                self._make_room(visit.who.person, _size(answer))
                visit.rows, visit.over, visit.seen = None, time.monotonic(), time.monotonic()
                visit.ended.set_result(answer)

    def _all(self) -> list[Visit]:
        with self._lock:
            return list(self._visits.values())

    def _forget(self, visit: Visit) -> None:
        with self._lock:
            self._visits.pop(visit.query, None)

    def _make_room(self, person: str, bytes_: int) -> None:
        """Let go of the oldest results of whoever would hold too much with one more of so many bytes."""
        ended = sorted((v for v in self._all() if v.ended.done()), key=lambda v: v.seen)
        mine = [v for v in ended if v.who.person == person]
        for held, most in ((mine, self.holding.each), (ended, self.holding.everybody)):
            size = bytes_ + sum(v.bytes for v in held)
            for visit in held:
                if size <= most:
                    break
                size -= visit.bytes
                self._forget(visit)
        for visit in mine[: max(0, len(mine) + 1 - self.holding.results)]:
            self._forget(visit)

    def _look_after(self) -> None:
        """Each second: let go of what nobody asked for, stop what was asked by somebody who is out."""
        while not self._over.wait(LOOK_EVERY):
            for visit in self._all():
                try:
                    self._look_at(visit)
                except Exception as error:  # the next look may succeed; the gateway watches access by itself
                    structlog.get_logger().error("a visit was not looked after", kind=type(error).__name__)

    def _look_at(self, visit: Visit) -> None:
        if visit.ended.done():
            if time.monotonic() - visit.seen > self.holding.seconds:
                self._forget(visit)
        elif visit.stopped is None and visit.stage is Stage.WAITING:  # what runs, the gateway looks after
            out = self.out(visit.who)
            if out is not None:
                self.cancel(visit, why=out)


def _size(answer: Answer) -> int:
    return 0 if answer.table is None else answer.table.nbytes


def table_of(visit: Visit) -> pa.Table:
    """The rows of an answered question; raises its refusal."""
    answer = visit.ended.result()
    if answer.refusal is not None:
        raise answer.refusal
    assert answer.table is not None
    return answer.table
