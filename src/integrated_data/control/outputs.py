"""What the store knows of outputs: requests, reviews, releases; every change with its audit event."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.audit.chain import Record
from integrated_data.control import bodies, freezes
from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.output import (
    ELSEWHERE,
    OUTPUT_MOVES,
    Ask,
    CheckReport,
    Finding,
    Lane,
    OutputRequest,
    OutputState,
    Release,
    Review,
    Signature,
    Vote,
)


@dataclass(frozen=True)
class _Body:
    """What is kept of a request beside its columns. No value from the data is in it."""

    title: str
    purpose: str
    queries: tuple[str, ...]
    datasets: tuple[str, ...]
    lane: Lane | None = None
    findings: tuple[Finding, ...] = ()
    signatures: tuple[Signature, ...] = ()
    cells: int = 0
    withheld: int = 0
    similar: tuple[str, ...] = ()
    compared: int = 0
    asked: int = 1
    brought: tuple[str, ...] = ()


def put_request(store: Store, request: str, *, ask: Ask, sha256: str, datasets: Iterable[str]) -> None:
    """Write a request down; one that is on record already starts again, and its votes count no more."""
    facts = {
        "project": ask.project, "queries": list(ask.queries), "datasets": sorted(datasets), "sha256": sha256,
    }  # fmt: skip
    brought = tuple(sorted(file.name for file in ask.brought))
    body = _Body(ask.title, ask.purpose, ask.queries, tuple(facts["datasets"]), brought=brought)
    with store.change(Event("output.requested", ask.person, _subject(request), facts)) as change:
        _check_not_frozen(change, request, datasets=body.datasets, person=ask.person)
        known = _find(change.connection, request)
        if known is not None:
            _move(change, request, to=OutputState.REQUESTED)
            body = replace(body, asked=known.asked + 1)
            _update(change, request, body=bodies.write(body), sha256=sha256)
            return
        change.connection.execute(
            sa.insert(t.output_request).values(
                id=request, project=ask.project, person=ask.person, state=OutputState.REQUESTED.value,
                sha256=sha256, body=bodies.write(body), at=change.at,
            )
        )  # fmt: skip


def get_request(connection: sa.Connection, request: str) -> OutputRequest:
    """The request of that id; refuses when there is none."""
    found = _find(connection, request)
    if found is None:
        raise OutputRefusal(
            f"There is no output request {request}", next_step="See what there is with: ids output list"
        )
    return found


def requests(
    connection: sa.Connection, *, project: str | None = None, state: OutputState | None = None
) -> list[OutputRequest]:
    """Requests of a project, in a state, or all; oldest first."""
    query = sa.select(t.output_request).order_by(t.output_request.c.at, t.output_request.c.id)
    if project is not None:
        query = query.where(t.output_request.c.project == project)
    if state is not None:
        query = query.where(t.output_request.c.state == state.value)
    return [_request(row) for row in connection.execute(query)]


def put_check(store: Store, report: CheckReport, *, actor: str, asked: str) -> None:
    """Write a check down and move the request to its lane; votes on other files count no more.

    `asked`: the hash of what was checked; refuses when something else is asked for by now.
    """
    to = {
        Lane.AUTOMATIC: OutputState.RELEASABLE,
        Lane.REVIEW: OutputState.IN_REVIEW,
        Lane.REFUSED: OutputState.REFUSED,
    }[report.lane]
    with store.read() as connection:
        known = get_request(connection, report.request)
    facts = {
        "project": known.project, "datasets": list(known.datasets), "lane": report.lane.value,
        "sha256": report.sha256, "cells": report.cells, "withheld": report.withheld,
        "rules": sorted({f"{f.rule}: {f.outcome.value}" for f in report.findings}),
    }  # fmt: skip
    with store.change(Event("output.checked", actor, _subject(report.request), facts)) as change:
        if get_request(change.connection, report.request).sha256 != asked:
            raise OutputRefusal(f"Request {report.request} has changed since it was read", next_step="Check it again")
        _move(change, report.request, to=to)
        kept = _body(change.connection, report.request)
        body = replace(
            kept, lane=report.lane, findings=report.findings, signatures=report.signatures,
            cells=report.cells, withheld=report.withheld, similar=report.similar,
            compared=_last(change.connection, report.seen),
        )  # fmt: skip
        _update(change, report.request, body=bodies.write(body), sha256=report.sha256)


def put_review(store: Store, review: Review, *, outcome: Callable[[Sequence[Vote]], OutputState | None]) -> None:
    """Write a vote down, and move the request if the votes together decide; `outcome` says whether."""
    facts = {"vote": review.vote.value, "sha256": review.sha256}  # a reason is free text: it stays out
    event = Event("output.reviewed", review.reviewer, _subject(review.request), facts)
    with store.change(event) as change:
        now = get_request(change.connection, review.request)
        cast = reviews(change.connection, now)
        to = outcome([*(r.vote for r in cast), review.vote])
        change.note(project=now.project, datasets=list(now.datasets), state=(to or now.state).value)
        if now.sha256 != review.sha256:
            raise OutputRefusal(
                f"Request {review.request} has changed since it was read",
                next_step="Read it again, then vote",
            )
        if any(r.reviewer == review.reviewer for r in cast):
            raise OutputRefusal(
                f"{review.reviewer} has voted on request {review.request} already",
                next_step="A vote stands until the request changes",
            )
        change.connection.execute(
            sa.insert(t.output_review).values(
                request=review.request, reviewer=review.reviewer, vote=review.vote.value,
                sha256=review.sha256, reason=review.reason, at=change.at,
            )
        )  # fmt: skip
        if to is not None:
            _move(change, review.request, to=to)


def reviews(connection: sa.Connection, request: OutputRequest) -> list[Review]:
    """Votes on the files as they are now, oldest first; votes on earlier files are not among them."""
    rows = connection.execute(
        sa.select(t.output_review)
        .where(t.output_review.c.request == request.id, t.output_review.c.sha256 == request.sha256)
        .order_by(t.output_review.c.id)
    )
    return [Review(r.request, r.reviewer, Vote(r.vote), r.sha256, r.reason, datetime.fromisoformat(r.at)) for r in rows]


def put_release(
    store: Store,
    request: OutputRequest,
    *,
    actor: str,
    files: Iterable[str],
    guard: Callable[[OutputRequest, Sequence[Release]], None],
) -> None:
    """Write a release down: the files with the request's hash have left.

    `guard` is asked inside the transaction, with everything that has left, so that two releases at
    once cannot pass each other unseen; it refuses by raising.
    """
    facts = {
        "project": request.project, "datasets": list(request.datasets), "queries": list(request.queries),
        "sha256": request.sha256, "files": sorted(files),
        "lane": request.lane.value if request.lane else None, "withheld": request.withheld,
    }  # fmt: skip
    with store.change(Event("output.released", actor, _subject(request.id), facts)) as change:
        now = get_request(change.connection, request.id)
        if now.sha256 != request.sha256:
            raise OutputRefusal(f"Request {request.id} has changed since it was checked", next_step="Check it again")
        gone = left(change.connection)
        guard(replace(now, seen=tuple(r.request for r, n in gone if n <= now.compared)), [r for r, _ in gone])
        _check_not_frozen(change, request.id, datasets=now.datasets, person=now.person)
        _move(change, request.id, to=OutputState.RELEASED)
        body = {
            "title": request.title, "project": request.project, "datasets": list(request.datasets),
            "signatures": [asdict(s) for s in request.signatures], "files": facts["files"], "reason": "",
        }  # fmt: skip
        change.connection.execute(
            sa.insert(t.output_release).values(
                request=request.id, sha256=request.sha256, state=OutputState.RELEASED.value, body=body,
                at=change.at, number=next_number(change.connection),
            )
        )  # fmt: skip


def revoke_release(store: Store, request: str, *, actor: str, reason: str) -> None:
    """Write down that a release is withdrawn from use."""
    with store.change(Event("output.revoked", actor, _subject(request), {"reason": reason})) as change:
        now = get_request(change.connection, request)
        change.note(project=now.project, datasets=list(now.datasets))
        _move(change, request, to=OutputState.REVOKED)
        body = change.connection.execute(
            sa.select(t.output_release.c.body).where(t.output_release.c.request == request)
        ).scalar_one()
        change.connection.execute(
            sa.update(t.output_release)
            .where(t.output_release.c.request == request)
            .values(state=OutputState.REVOKED.value, body={**body, "reason": reason})
        )


def withdraw(store: Store, request: str, *, actor: str) -> None:
    """Write down that its author takes a request back."""
    with store.change(Event("output.withdrawn", actor, _subject(request), {})) as change:
        now = get_request(change.connection, request)
        change.note(project=now.project, datasets=list(now.datasets))
        _move(change, request, to=OutputState.WITHDRAWN)


def stop(store: Store, request: str, *, actor: str) -> None:
    """Write down that nothing of a request leaves, because its files are not those that were checked."""
    with store.change(Event("output.stopped", actor, _subject(request), {})) as change:
        now = get_request(change.connection, request)
        change.note(project=now.project, datasets=list(now.datasets), sha256=now.sha256)
        _move(change, request, to=OutputState.STOPPED)


def releases(connection: sa.Connection, *, project: str | None = None) -> list[Release]:
    """What has left, revoked or not, oldest first."""
    query = sa.select(t.output_release).order_by(t.output_release.c.at, t.output_release.c.request)
    found = [_release(row) for row in connection.execute(query)]
    return [r for r in found if project is None or r.project == project]


def history(connection: sa.Connection, request: str) -> tuple[Record, ...]:
    """The audit records of a request up to its release, oldest first; refuses one that has not left."""
    query = sa.select(t.audit_event).where(t.audit_event.c.subject == _subject(request))
    found = [Record(**row) for row in connection.execute(query.order_by(t.audit_event.c.number)).mappings()]
    left = next((place for place, record in enumerate(found) if record.action == "output.released"), None)
    if left is None:
        raise OutputRefusal(
            f"Request {request} has not been released", next_step=f"Release it: ids output release {request}"
        )
    return tuple(found[: left + 1])


def left(connection: sa.Connection) -> list[tuple[Release, int]]:
    """Everything that a request is compared with, tables from elsewhere too, in the order it came, and its number."""
    own = connection.execute(sa.select(t.output_release))
    found = [(_release(row), int(row.number)) for row in own]
    for row in connection.execute(sa.select(t.ledger_import)):
        signatures = tuple(bodies.read(Signature, s, what="import") for s in row.body["signatures"])
        at = datetime.fromisoformat(row.at)
        table = Release(
            row.id, ELSEWHERE, row.body["title"], row.body["sha256"], OutputState.RELEASED,
            tuple(row.body["datasets"]), signatures, at,
        )  # fmt: skip
        found.append((table, int(row.number)))
    return sorted(found, key=lambda each: each[1])


def next_number(connection: sa.Connection) -> int:
    """The number of what leaves, or comes from elsewhere, next."""
    lasts = (connection.execute(sa.select(sa.func.max(c))).scalar() for c in _NUMBERS)
    return 1 + max(last or 0 for last in lasts)


def _last(connection: sa.Connection, seen: Sequence[str]) -> int:
    """The number of the last of some releases: what a request was compared with is all up to that."""
    return max((number for release, number in left(connection) if release.request in set(seen)), default=0)


_NUMBERS = (t.output_release.c.number, t.ledger_import.c.number)


def _check_not_frozen(change: Change, request: str, *, datasets: Sequence[str], person: str) -> None:
    what = f"Nothing of request {request} leaves now"
    freezes.check(change.connection, what, datasets=datasets, people=(person,), refused=OutputRefusal)


def _subject(request: str) -> str:
    return f"output/{request}"


def _find(connection: sa.Connection, request: str) -> OutputRequest | None:
    row = connection.execute(sa.select(t.output_request).where(t.output_request.c.id == request)).first()
    return None if row is None else _request(row)


def _request(row: Any) -> OutputRequest:
    body = bodies.read(_Body, row.body, what="output request")
    return OutputRequest(
        id=row.id, project=row.project, person=row.person, state=OutputState(row.state), sha256=row.sha256,
        at=datetime.fromisoformat(row.at), **{name: getattr(body, name) for name in vars(body)},
    )  # fmt: skip


def _release(row: Any) -> Release:
    body = row.body
    signatures = tuple(bodies.read(Signature, s, what="output release") for s in body["signatures"])
    return Release(
        request=row.request, project=body["project"], title=body["title"], sha256=row.sha256,
        state=OutputState(row.state), datasets=tuple(body["datasets"]), signatures=signatures,
        at=datetime.fromisoformat(row.at), reason=body["reason"],
    )  # fmt: skip


def _body(connection: sa.Connection, request: str) -> _Body:
    body = connection.execute(sa.select(t.output_request.c.body).where(t.output_request.c.id == request)).scalar_one()
    return bodies.read(_Body, body, what="output request")


def _move(change: Change, request: str, *, to: OutputState) -> None:
    now = get_request(change.connection, request).state
    if to not in OUTPUT_MOVES[now]:
        raise OutputRefusal(
            f"Request {request} is {now.value} and cannot become {to.value}",
            next_step="See where it stands with: ids output list",
        )
    change.connection.execute(
        sa.update(t.output_request).where(t.output_request.c.id == request).values(state=to.value)
    )


def _update(change: Change, request: str, *, body: dict[str, Any], sha256: str) -> None:
    change.connection.execute(
        sa.update(t.output_request).where(t.output_request.c.id == request).values(body=body, sha256=sha256)
    )
