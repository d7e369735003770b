"""Freezing a dataset or a person's access at once: who and what it affects, and what it stopped."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integrated_data.approve import freezing
from integrated_data.control import deliveries, freezes, grants, lanes, outputs, projects, queries, releases
from integrated_data.control.store import Store
from integrated_data.model.access import Person, Project, ProjectState, QueryState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.output import OutputRequest, OutputState
from integrated_data.model.people import Role
from integrated_data.site import owning
from integrated_data.site.acting import Acting

#: How long freezing waits to see the running queries stop; they are asked about again every second.
WAIT = 10.0  # seconds

#: States of requests of which something may still leave.
PENDING = (
    OutputState.REQUESTED, OutputState.RELEASABLE, OutputState.IN_REVIEW, OutputState.DISPUTED, OutputState.APPROVED,
    OutputState.RETURNED, OutputState.STOPPED,
)  # fmt: skip

_LIVE = (ProjectState.PROPOSED, ProjectState.APPROVED)


@dataclass(frozen=True)
class Subject:
    """What is frozen: its kind, what it is called, and other names that go with it."""

    kind: Frozen
    names: tuple[str, ...]
    owners: frozenset[str]


def freeze(store: Store, kind: Frozen, *, name: str, reason: str, acting: Acting) -> dict[str, Any]:
    """Freeze a dataset or a person's access; returns who and what is affected, and which queries it stopped.

    From then on it is refused in queries, loads, provisioning and releases. Queries that run stop within
    seconds; those that were not seen to stop in time are told apart.
    """
    with store.read() as connection:
        subject = _subject(connection, kind, name=name)
        if acting.signed_in is not None:
            organisation = projects.get_person(connection, acting.actor).organisation
            freezing.check_may_freeze(acting.signed_in, organisation, owners=subject.owners)
    _check_reason(reason)

    def affected(connection: sa.Connection) -> dict[str, Any]:
        return _of_dataset(connection, name) if kind is Frozen.DATASET else _of_people(connection, subject.names)

    told = freezes.put(store, kind, subjects=subject.names, by=acting.actor, reason=reason, affected=affected)
    running = _stopped(store, [q["query"] for q in told["running_queries"]])
    return {"frozen": f"{kind.value} {name}", **told, "still_running": running, **_warning(store, kind)}


def thaw(store: Store, kind: Frozen, *, name: str, reason: str, acting: Acting) -> dict[str, Any]:
    """Let a frozen dataset or person go on."""
    with store.read() as connection:
        subject = _subject(connection, kind, name=name)
        if acting.signed_in is not None:
            organisation = projects.get_person(connection, acting.actor).organisation
            freezing.check_may_thaw(acting.signed_in, organisation, kind=kind, owners=subject.owners)
    _check_reason(reason)
    freezes.lift(store, kind, subjects=subject.names, by=acting.actor, reason=reason)
    return {"thawed": f"{kind.value} {name}"}


def _warning(store: Store, kind: Frozen) -> dict[str, str]:
    """What to know when nobody who may thaw people is left: the freeze holds, for what it guards against is worse."""
    with store.read() as connection:
        frozen = {f.subject for f in freezes.standing(connection) if f.kind is Frozen.PERSON}
        approvers = {p.id for p in projects.people(connection) if Role.APPROVER in p.roles}
    if kind is not Frozen.PERSON or not approvers or approvers - frozen:
        return {}
    return {
        "warning": "No approver is left who is not frozen, so nobody may thaw anybody or decide on projects; "
        "who runs the service records another one: ids person add FILE"
    }


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise AgreementRefusal("No reason was given", next_step="Add --reason TEXT")


def _subject(connection: sa.Connection, kind: Frozen, *, name: str) -> Subject:
    """What a name stands for; refuses one that is not on record, for a slip must not look like a freeze."""
    if kind is Frozen.PERSON:
        known = projects.get_person(connection, name)
        same = [p.id for p in projects.people(connection) if _same(p, known)]
        return Subject(kind, (name, *sorted(same)), frozenset({known.organisation}))
    owners, published = owning.owners(connection, name), releases.current(connection, name)
    if not owners and published is None and not any(d["dataset"] == name for d in deliveries.unpublished(connection)):
        raise AgreementRefusal(
            f"There is no dataset {name}: nothing was frozen", next_step="List them with: ids catalogue search"
        )
    return Subject(kind, (name,), owners)


def _same(other: Person, known: Person) -> bool:
    return other.id != known.id and (other.id in known.accounts or known.id in other.accounts)


def _of_dataset(connection: sa.Connection, dataset: str) -> dict[str, Any]:
    reach = releases.derived_from(connection, (dataset,))
    views = {(g.project, g.view): g.dataset for g in grants.active(connection)}
    named = {d.replace("-", "_").lower() for d in reach}

    def concerned(datasets: Iterable[str]) -> bool:
        return any(d.replace("-", "_").lower() in named for d in datasets)

    def reads(query: dict[str, Any]) -> bool:
        return concerned(views.get((query["project"], v), v) for v in query["body"].get("tables", ()))

    told = _told(
        connection,
        project=lambda p: concerned(r.dataset for r in p.datasets),
        query=reads,
        request=lambda r: concerned(r.datasets),
    )
    loads = [
        {"delivery": d["id"], "state": str(d["state"])}
        for d in deliveries.unpublished(connection)
        if d["dataset"] in reach and d["state"] != "rejected"
    ]
    return {"datasets": sorted(reach), **told, "loads": loads}


def _of_people(connection: sa.Connection, names: tuple[str, ...]) -> dict[str, Any]:
    told = _told(
        connection,
        project=lambda p: bool({*p.team, p.lead} & set(names)),
        query=lambda q: q["person"] in names,
        request=lambda r: r.person in names,
    )
    supervised = [
        p.id for p in projects.people(connection) if p.accreditation is not None and p.accreditation.supervisor in names
    ]
    return {"accounts": list(names), **told, "supervised": supervised}


def _told(
    connection: sa.Connection,
    *,
    project: Callable[[Project], bool],
    query: Callable[[dict[str, Any]], bool],
    request: Callable[[OutputRequest], bool],
) -> dict[str, Any]:
    """Who and what is affected, by what picks out projects, queries and requests."""
    found = [p for p in projects.projects(connection) if p.state in _LIVE and project(p)]
    asked = [r for r in outputs.requests(connection) if request(r)]
    return {
        "projects": [{"project": p.id, "state": p.state.value} for p in found],
        "people": sorted({person for p in found for person in (p.lead, *p.team)}),
        "running_queries": [
            {"query": q["id"], "project": q["project"], "person": q["person"]}
            for q in queries.running(connection)
            if query(q)
        ],
        "pending_outputs": [_output(r) for r in asked if r.state in PENDING],
        "released_outputs": [
            {**_output(r), "copied_out_by": sorted({who for who, _ in lanes.fetched(connection, r.id)})}
            for r in asked
            if r.state is OutputState.RELEASED
        ],
    }


def _output(request: OutputRequest) -> dict[str, Any]:
    return {
        "output": request.id, "project": request.project, "person": request.person, "state": request.state.value,
    }  # fmt: skip


def _stopped(store: Store, running: list[str]) -> list[str]:
    """Wait for queries to stop; those that still run, or whose gateway died, are returned."""
    until = time.monotonic() + WAIT
    left = running
    while left and time.monotonic() < until:
        time.sleep(0.2)
        with store.read() as connection:
            left = [q for q in left if queries.get(connection, q)["state"] == QueryState.RUNNING.value]
    return left
