"""The gateway: a person's question, decided, checked, run and written down.

Each query is decided afresh on what is on record at that moment, so an ended agreement, a suspended
person or a revoked grant tells on the next one. Nothing is opened but what was provisioned.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from integrated_data.access import past, receipts, scratch, views
from integrated_data.access.asked import Asked, Question
from integrated_data.access.digests import digest
from integrated_data.access.gate import Objection, Parser, may_query
from integrated_data.access.running import Job, QueryFailure, Rows, Worker, Written, refusal
from integrated_data.access.shelf import Shelf, fulfil
from integrated_data.access.twins import Twins, labelled, objection
from integrated_data.access.watch import watched
from integrated_data.control import grants, projects, queries
from integrated_data.control.store import Store
from integrated_data.model.access import AccessRequest, Decision, Project, QueryState, World
from integrated_data.model.agreement import Law
from integrated_data.model.errors import AgreementRefusal, QueryRefusal, Refusal
from integrated_data.model.query import Kept, QueryLimits
from integrated_data.model.twins import LABEL, TWINS
from integrated_data.vocabulary import formula

T = TypeVar("T")


class Decide(Protocol):
    """The decision, handed in by the wiring."""

    def __call__(self, request: AccessRequest, world: World, *, at: datetime) -> Decision:
        """Allow or refuse, with every reason."""
        ...


@dataclass(frozen=True)
class Answer:
    """What the gateway says: a table or a refusal, the decisions behind it, and its signed receipt.

    `columns`: view name to the columns the query may have read. `told` is what `signature` signs.
    """

    query: str
    table: pa.Table | None = field(repr=False)
    refusal: Refusal | None
    decisions: tuple[Decision, ...]
    columns: Mapping[str, tuple[str, ...]]
    seconds: float
    told: Mapping[str, Any]
    signature: str


@dataclass(frozen=True)
class Gateway:
    """The door between a project's people and what was provisioned for them.

    `besides`: what else must hold while a query runs, such as the sign-in it was asked under: None, or why not.
    `shelf`: where projects' scratch tables are kept, `twins`: the synthetic twins; None where there are none.
    """

    store: Store
    law: Law
    decide: Decide
    parser: Parser
    worker: Worker
    key: Ed25519PrivateKey = field(repr=False)
    limits: QueryLimits = field(default_factory=QueryLimits)
    besides: Callable[[], Refusal | None] = field(default=lambda: None, repr=False)
    shelf: Shelf | None = None
    twins: Twins | None = None

    def query(self, question: Question) -> pa.Table:
        """The rows a question asks for; raises the refusal."""
        answer = self.ask(question)
        if answer.refusal is not None:
            raise answer.refusal
        assert answer.table is not None
        return answer.table

    def ask(
        self, question: Question, *, started: Callable[[Rows], None] | None = None, query: str | None = None
    ) -> Answer:
        """The same, as an answer that holds either.

        `started` gets the running rows, to watch and to cancel them. `query`: the id it is known by
        (`new_query()`), where somebody must know it before it is answered.
        """
        asked = _asked(question, query)
        return self._answer(asked, lambda job: self._fulfil(asked, job, started=started))

    def still(self, question: Question) -> Refusal | None:
        """Whether a question that was let through would be now: None, or why not. Nothing is written down."""
        out = self.besides()
        if out is not None:
            return out
        allowed = self._allow(_asked(question))
        return allowed if isinstance(allowed, Refusal) else None

    def tables(self, person: str, project: str) -> tuple[views.View, ...]:
        """What a person may name in a project's queries, by name; refuses who may not query it."""
        found = self._standing(_asked(Question(person, project, "")))
        if isinstance(found, Refusal):
            raise found
        kept = [table.view() for table in self._kept(project, at=found.at).values()]
        return (*(found.granted[name] for name in sorted(found.granted)), *kept)

    def repeat(self, question: Question, *, kept: Sequence[Kept]) -> tuple[Answer, tuple[pa.Table, ...]]:
        """One question, decided and checked once, then run as it is and once for each of `kept`.

        Returns the answer and, where it holds a table, those of the other runs, in order.
        """
        asked = _asked(question)
        tables: list[pa.Table] = []

        def each(job: Job) -> pa.Table:
            first = self._run(asked, job)
            tables.extend(self._run(asked, replace(job, kept=links)) for links in kept)
            return first

        asked.known["runs"] = 1 + len(kept)
        return self._answer(asked, each), tuple(tables)

    def _answer(self, asked: "Asked", run: Callable[[Job], pa.Table]) -> Answer:
        """Decide, check, run, and write down how it ended."""
        question = asked.question
        allowed = self._allow(asked)
        if not isinstance(allowed, Refusal):
            allowed = views.left(self.store, allowed.views) or allowed
        if isinstance(allowed, Refusal):
            return self._close(asked, QueryState.REFUSED, refused=allowed)
        asked.known["engine"] = self.worker.engine.value
        queries.begin(
            self.store, asked.query, project=question.project, person=question.person,
            state=QueryState.RUNNING, body=asked.known,
        )  # fmt: skip
        try:
            table = run(allowed)
        except QueryFailure as failure:
            asked.known["rule"] = "withdrawn" if asked.withdrawn else failure.failure.value
            why = asked.withdrawn or refusal(failure, self.limits)
            return self._close(asked, QueryState.FAILED, refused=why)
        except Refusal as refused:
            asked.known["rule"] = "scratch"
            return self._close(asked, QueryState.FAILED, refused=refused)
        except BaseException:
            self._close(asked, QueryState.FAILED, refused=QueryRefusal("The gateway stopped"))
            raise
        return self._close(asked, QueryState.DONE, table=table)

    def _allow(self, asked: "Asked") -> Job | Refusal:
        """Decide and check; notes on `asked` what was found."""
        try:
            standing = self._standing(asked)
            return standing if isinstance(standing, Refusal) else self._checked(asked, standing)
        except Refusal as refused:
            return refused

    def _checked(self, asked: "Asked", standing: "_Standing") -> Job | Refusal:
        question, project, granted = asked.question, standing.project, standing.granted
        unread = None if question.fit is None else formula.objection(question.fit.estimate.formula)
        if unread is not None:
            asked.known["rule"] = "formula"
            return unread
        wish = None if self.shelf is None or project is None else asked.wish
        if wish is not None and question.as_at:
            past.check_wish()
        if wish is not None:
            scratch.check_wish(wish, granted, alone=question.fit is None and "runs" not in asked.known)
            if wish.select is None:
                return Job(question.sql, (), self.limits)
        select = question.sql if wish is None else asked.select
        kept = {} if project is None or question.as_at else self._kept(project.id, at=standing.at)
        nameable = {views.lower(v.name): v for v in (*(t.view() for t in kept.values()), *granted.values())}
        checked = may_query(select, nameable, parser=self.parser)
        if isinstance(checked, Objection):
            asked.known |= {"rule": checked.gate.value, "named": checked.named}
            return checked.refusal() if project is not None else objection(checked, granted)
        if project is None and "runs" in asked.known:
            return QueryRefusal("The links of synthetic twins are made up", next_step="Ask it in a project")
        if project is None:
            asked.known |= {"synthetic": True, "twins": list(checked.tables)}
            return Job(select, tuple(granted[views.lower(n)] for n in checked.tables), self.limits, fit=question.fit)
        absent = next((v.absent for n in checked.tables if (v := nameable[views.lower(n)]).absent is not None), None)
        if absent is not None:
            asked.known["rule"] = "as at"
            return absent
        asked.reads(checked, columns=scratch.through(checked.columns, granted, tables=kept), kept=kept)
        read = [granted[views.lower(name)] for name in asked.columns]
        for view in read:
            payload, keys = view.asked(asked.columns[view.name])
            request = AccessRequest(question.person, project.id, project.purpose, view.dataset, payload, keys)
            asked.note(self.decide(request, standing.world, at=standing.at))
        if not all(d.allowed for d in asked.decisions):
            return asked.against(project.id)
        finer = views.finer(read, asked.decisions[-len(read) :] if read else [])
        if finer:
            return AgreementRefusal(
                f"View {', '.join(finer)} is finer than its agreements let it be now",
                why="They were changed since it was made",
                next_step=f"Have it made anew: ids project decide {project.id}",
            )
        if question.as_at:
            asked.known["releases"] = {view.name: view.release for view in read}
        asked.origins = tuple(scratch.Origin(v.name, v.place, asked.columns[v.name]) for v in read)
        return Job(select, tuple(nameable[views.lower(n)] for n in checked.tables), self.limits, fit=question.fit)

    def _kept(self, project: str, *, at: datetime) -> Mapping[str, scratch.Table]:
        """The scratch tables of a project."""
        return {} if self.shelf is None else self.shelf.tables(project, at=at)

    def _standing(self, asked: "Asked") -> "_Standing | Refusal":
        """Who asks in which project: whether they may query it at all, and what it may name."""
        question = asked.question
        if question.project == TWINS and self.twins is not None:
            if question.as_at:
                return QueryRefusal("Synthetic twins are of what is read now", next_step="Ask it in a project")
            return _Standing(None, self.twins.open_to(self.store, question.person), World(self.law), self.store.now())
        with self.store.read() as connection:
            world = projects.world(connection, self.law, projects=(question.project,))
            world = projects.with_person(connection, world, person=question.person)
            granted = views.of_grants(grants.active(connection, project=question.project))
            now = self.store.present(connection)
        project = world.project(question.project)
        if project is None:
            return AgreementRefusal(
                f"There is no project {_plain(question.project)}",
                next_step="Ask its lead for the project's id",
            )
        request = AccessRequest(question.person, project.id, project.purpose)
        if not asked.note(self.decide(request, world, at=now)):
            return asked.against(project.id)
        if not granted:
            return AgreementRefusal(
                f"Nothing is provisioned for project {project.id}",
                next_step=f"Have it decided and provisioned: ids project decide {project.id}",
            )
        if question.as_at:
            granted = past.views_as_at(self.store, project, granted=granted, as_at=question.as_at)
        return _Standing(project, granted, world, now)

    def _fulfil(self, asked: "Asked", job: Job, *, started: Callable[[Rows], None] | None) -> pa.Table:
        """Run a job; where it is about a scratch table, make or drop that and tell of it."""
        if asked.wish is None or self.shelf is None:
            return self._run(asked, job, started=started)

        def write(place: Path, left: int) -> Written:
            return self._watched(asked, replace(job, keep=left), read=lambda rows: rows.write(place), started=started)

        new = scratch.Table(asked.wish.name, asked.origins, asked.made, asked.question.person, self.store.now())
        known, told = fulfil(self.shelf, asked.wish, project=asked.question.project, new=new, write=write)
        asked.known |= known
        return told

    def _run(self, asked: "Asked", job: Job, *, started: Callable[[Rows], None] | None = None) -> pa.Table:
        """Run one job and give its rows."""
        table = self._watched(asked, job, read=_whole, started=started)
        return labelled(table) if asked.known.get("synthetic") else table

    def _watched(
        self, asked: "Asked", job: Job, *, read: Callable[[Rows], T], started: Callable[[Rows], None] | None
    ) -> T:
        """Run one job under watch: when access is withdrawn, it stops."""
        rows = self.worker.start(job)
        try:
            if started is not None:
                started(rows)
            waited = time.perf_counter() - asked.begun
            with watched(rows, lambda: self.still(asked.question), waited=waited) as watch:
                try:
                    return read(rows)
                finally:
                    asked.withdrawn = watch.withdrawn
        finally:
            rows.close()

    def _close(
        self, asked: "Asked", state: QueryState, *, refused: Refusal | None = None, table: pa.Table | None = None
    ) -> Answer:
        """Write down how it ended, sign the answer and give it."""
        seconds = round(time.perf_counter() - asked.begun, 4)
        body = dict(asked.known, seconds=seconds)
        if table is not None:
            body |= {"rows": table.num_rows, "result_sha256": digest(table)}
        if refused is not None:
            body["reason"] = str(refused)
        question = asked.question
        told = {
            "query": asked.query, "person": question.person, "project": question.project,
            "sql_sha256": body["sql_sha256"], "state": state.value, "at": self.store.now().isoformat(),
            "reason": body.get("reason", ""), "result_sha256": body.get("result_sha256", ""),
            "policy": [d.policy_version for d in asked.decisions],
        }  # fmt: skip
        if "synthetic" in body:
            told["synthetic"] = LABEL
        told |= {fact: body[fact] for fact in ("estimate", "as_at", "releases") if fact in body}
        signature = receipts.sign(told, self.key)
        body |= {"told": told, "signature": signature}
        if state is QueryState.REFUSED:
            queries.begin(
                self.store, asked.query, project=question.project, person=question.person, state=state, body=body
            )
        else:
            queries.end(self.store, asked.query, state=state, body=body)
        decisions, columns = tuple(asked.decisions), asked.columns
        return Answer(asked.query, table, refused, decisions, columns, seconds, told, signature)


@dataclass(frozen=True)
class _Standing:
    """Somebody who may query a project, what the project may name, and the world it was decided in.

    `project` None: they ask about synthetic twins, on which nothing is decided.
    """

    project: Project | None
    granted: Mapping[str, views.View]
    world: World
    at: datetime


def _whole(rows: Rows) -> pa.Table:
    return pa.Table.from_batches(list(rows), rows.schema)


def _asked(question: Question, query: str | None = None) -> Asked:
    return Asked(question, query or new_query(), time.perf_counter())


def new_query() -> str:
    """An id for a query: opaque, random, never used before."""
    return uuid.uuid4().hex[:16]


def _plain(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and len(name) <= 64 else "of that name"
