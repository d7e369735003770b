"""What the store knows of agreements, people, projects and decisions."""

from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa

from integrated_data.control import bodies, frameworks, freezes, releases
from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.access import PROJECT_MOVES, Decision, Person, Project, ProjectState, World
from integrated_data.model.agreement import Agreement, Annex, Law
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event

T = TypeVar("T")


def add_agreement(store: Store, agreement: Agreement | Annex, *, by: str) -> None:
    """Write an agreement or an annex down, or its new version under the same id; it takes effect at once.

    Refuses an annex whose framework is not on record.
    """
    event = Event("agreement.written", by, f"dataset/{agreement.dataset}", {"agreement": agreement.id})
    with store.change(event) as change:
        body = bodies.write(agreement)
        frameworks.read_agreement(body, frameworks.known(change.connection))
        about = sa.select(t.agreement.c.dataset).where(t.agreement.c.id == agreement.id)
        before = change.connection.execute(about).scalar()
        _put(change, t.agreement, key=agreement.id, body=body, dataset=agreement.dataset)
        for dataset in {agreement.dataset, before or agreement.dataset}:
            frameworks.restate(change.connection, dataset)


def agreements(connection: sa.Connection, dataset: str | None = None) -> list[Agreement]:
    """Agreements on record, of one dataset or of all, by id, as they stand under their frameworks."""
    return frameworks.agreements(connection, dataset)


def get_agreement(connection: sa.Connection, agreement: str) -> Agreement:
    """The agreement of that id, as it stands under its framework; refuses when there is none."""
    found = _read_agreements(connection, sa.select(t.agreement.c.body).where(t.agreement.c.id == agreement))
    if not found:
        raise _unknown("agreement", agreement)
    return found[0]


def _read_agreements(connection: sa.Connection, query: sa.Select[Any]) -> list[Agreement]:
    known = frameworks.known(connection)
    return [frameworks.read_agreement(body, known) for body in connection.execute(query).scalars()]


def add_person(store: Store, person: Person, *, by: str) -> None:
    """Write a person down, or their new record under the same id; it takes effect at once."""
    with store.change(Event("person.written", by, f"person/{person.id}")) as change:
        _put(change, t.person, key=person.id, body=bodies.write(person))


def people(connection: sa.Connection) -> list[Person]:
    """Everybody on record, by id."""
    rows = connection.execute(sa.select(t.person.c.body).order_by(t.person.c.id)).scalars()
    return [bodies.read(Person, b, what="person") for b in rows]


def get_person(connection: sa.Connection, person: str) -> Person:
    """The person of that id; refuses when there is none."""
    return _get(connection, t.person, key=person, kind=Person)


def add_project(store: Store, project: Project, *, by: str) -> None:
    """Write an application down; one that is on record already is amended and must be decided again."""
    with store.change(Event("project.proposed", by, f"project/{project.id}")) as change:
        kept = _find_project(change.connection, project.id)
        if kept is not None and kept.state is ProjectState.CLOSED:
            raise AgreementRefusal(f"Project {project.id} is closed", next_step="Apply under a new id")
        body = bodies.write(replace(project, state=ProjectState.PROPOSED))
        _put(change, t.project, key=project.id, body=body, state=ProjectState.PROPOSED.value)


def projects(connection: sa.Connection) -> list[Project]:
    """Every project on record, by id."""
    rows = connection.execute(sa.select(t.project.c.body, t.project.c.state).order_by(t.project.c.id))
    return [_project(row.body, row.state) for row in rows]


def get_project(connection: sa.Connection, project: str) -> Project:
    """The project of that id; refuses when there is none."""
    found = _find_project(connection, project)
    if found is None:
        raise _unknown("project", project)
    return found


def close_project(store: Store, project: str, *, by: str) -> None:
    """Close a project for good; what was provisioned for it is destroyed by the loading side."""
    with store.change(Event("project.closed", by, f"project/{project}")) as change:
        _move(change, project, state=ProjectState.CLOSED)


def expire_project(store: Store, project: str, *, by: str) -> None:
    """Note that a project's last day is over; it can be extended, or closed."""
    with store.change(Event("project.expired", by, f"project/{project}")) as change:
        _move(change, project, state=ProjectState.EXPIRED)


def record_decision(store: Store, project: str, *, decision: Decision, by: str) -> int:
    """Write a decision down and move its project; returns the decision's number."""
    state = ProjectState.APPROVED if decision.allowed else ProjectState.REFUSED
    event = Event(f"project.{state.value}", by, f"project/{project}", {"policy": decision.policy_version})
    with store.change(event) as change:
        _move(change, project, state=state)
        body = bodies.write(decision)
        done = change.connection.execute(
            sa.insert(t.decision)
            .values(project=project, by=by, allowed=decision.allowed, body=body, at=change.at)
            .returning(t.decision.c.id)
        )
        number = int(done.scalar_one())
        change.note(decision=number, against=len(decision.reasons_against))
    return number


def decisions(connection: sa.Connection, project: str) -> list[tuple[int, str, Decision]]:
    """Decisions on a project, newest first: number, who signed, the decision."""
    rows = connection.execute(
        sa.select(t.decision).where(t.decision.c.project == project).order_by(t.decision.c.id.desc())
    )
    return [(r.id, r.by, bodies.read(Decision, r.body, what="decision")) for r in rows]


def world(connection: sa.Connection, law: Law, *, projects: tuple[str, ...]) -> World:
    """The facts that bear on some projects: the projects, their teams and supervisors, their agreements."""
    found = tuple(p for p in (_find_project(connection, each) for each in projects) if p is not None)
    return world_of(connection, law, found=found)


def world_of(connection: sa.Connection, law: Law, *, found: tuple[Project, ...]) -> World:
    """The facts that bear on projects, whether they are on record or not."""
    team = {person for p in found for person in p.team}
    asked = sorted({r.dataset for p in found for r in p.datasets})
    derived = releases.derivations(connection, asked)
    datasets = sorted({*asked, *(source for of in derived.values() for source in of)})
    bearing = sa.select(t.agreement.c.body).where(t.agreement.c.dataset.in_(datasets)).order_by(t.agreement.c.id)
    agreed = tuple(_read_agreements(connection, bearing))
    rows = connection.execute(sa.select(t.person.c.body).where(t.person.c.id.in_(sorted(team)))).scalars()
    known = tuple(bodies.read(Person, b, what="person") for b in rows)
    frozen = freezes.standing(connection)
    return World(law, agreed, known, found, tuple(sorted(derived.items())), frozen)


def with_person(connection: sa.Connection, facts: World, *, person: str) -> World:
    """The same facts, and what is on record of one more person (none, if nothing is)."""
    if facts.person(person) is not None:
        return facts
    body = connection.execute(sa.select(t.person.c.body).where(t.person.c.id == person)).scalar()
    if body is None:
        return facts
    return replace(facts, people=(*facts.people, bodies.read(Person, body, what="person")))


def _find_project(connection: sa.Connection, project: str) -> Project | None:
    row = connection.execute(sa.select(t.project.c.body, t.project.c.state).where(t.project.c.id == project)).first()
    return _project(row.body, row.state) if row else None


def _project(body: Any, state: str) -> Project:
    return replace(bodies.read(Project, body, what="project"), state=ProjectState(state))


def _move(change: Change, project: str, *, state: ProjectState) -> None:
    now = get_project(change.connection, project).state
    if now is state:
        return
    if state not in PROJECT_MOVES[now]:
        raise AgreementRefusal(
            f"Project {project} is {now.value} and cannot become {state.value}",
            next_step="Apply for it again under a new id",
        )
    change.connection.execute(sa.update(t.project).where(t.project.c.id == project).values(state=state.value))


def _get(connection: sa.Connection, table: sa.Table, *, key: str, kind: type[T]) -> T:
    body = connection.execute(sa.select(table.c.body).where(table.c.id == key)).scalar()
    if body is None:
        raise _unknown(table.name, key)
    return bodies.read(kind, body, what=table.name)


def _unknown(what: str, key: str) -> AgreementRefusal:
    return AgreementRefusal(f"There is no {what} {key}", next_step=f"List what is on record with: ids {what} list")


def _put(change: Change, table: sa.Table, *, key: str, body: dict[str, Any], **columns: str) -> None:
    """Insert or replace a body under its id; its digest goes into the event."""
    known = change.connection.execute(sa.select(table.c.id).where(table.c.id == key)).first()
    values = {"body": body, "at": change.at, **columns}
    if known is None:
        change.connection.execute(sa.insert(table).values(id=key, **values))
    else:
        change.connection.execute(sa.update(table).where(table.c.id == key).values(**values))
    change.note(sha256=bodies.digest(body), replaced=known is not None)
