"""What the store knows of organisations and operating procedures, and all that bears on one person's coming in."""

import hashlib
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies
from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.access import Person
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event
from integrated_data.model.freezing import Frozen
from integrated_data.model.people import Organisation
from integrated_data.model.signing_in import Admission, OperatingProcedures


def add_organisation(store: Store, organisation: Organisation, *, by: str) -> None:
    """Write an organisation down, or its new state; it takes effect at once."""
    facts = {"suspended": organisation.suspended}
    with store.change(Event("organisation.written", by, f"organisation/{organisation.name}", facts)) as change:
        known = sa.select(t.organisation.c.name).where(t.organisation.c.name == organisation.name)
        values = {"body": bodies.write(organisation), "at": change.at}
        if change.connection.execute(known).first() is None:
            change.connection.execute(sa.insert(t.organisation).values(name=organisation.name, **values))
        else:
            change.connection.execute(
                sa.update(t.organisation).where(t.organisation.c.name == organisation.name).values(**values)
            )


def organisations(connection: sa.Connection) -> list[Organisation]:
    """Every organisation on record, by name."""
    rows = connection.execute(sa.select(t.organisation.c.body).order_by(t.organisation.c.name)).scalars()
    return [bodies.read(Organisation, b, what="organisation") for b in rows]


def put_procedures(store: Store, version: str, *, text: str, by: str) -> OperatingProcedures:
    """Put operating procedures in force; everybody must accept them before they go on."""
    made = OperatingProcedures(version, hashlib.sha256(text.encode()).hexdigest(), text)
    event = Event("procedures.in_force", by, "procedures", {"version": version, "sha256": made.sha256})
    with store.change(event) as change:
        known = sa.select(t.procedures.c.number).where(t.procedures.c.version == version)
        if change.connection.execute(known).first() is not None:
            raise AgreementRefusal(
                f"Operating procedures of version {version} are on record already",
                why="What people accepted is never changed",
                next_step="Give the new text a new version",
            )
        change.connection.execute(sa.insert(t.procedures).values(**vars(made), at=change.at))
    return made


def procedures(connection: sa.Connection) -> OperatingProcedures | None:
    """The operating procedures in force, or None."""
    row = connection.execute(sa.select(t.procedures).order_by(t.procedures.c.number.desc()).limit(1)).first()
    return None if row is None else OperatingProcedures(row.version, row.sha256, row.text)


def accept(store: Store, person: str, *, procedures: OperatingProcedures) -> None:
    """Write down that a person accepted procedures; once for each version."""
    facts = {"version": procedures.version, "sha256": procedures.sha256}
    with store.change(Event("procedures.accepted", person, f"person/{person}", facts)) as change:
        known = sa.select(t.acceptance.c.at).where(
            t.acceptance.c.person == person, t.acceptance.c.version == procedures.version
        )
        if change.connection.execute(known).first() is None:
            change.connection.execute(sa.insert(t.acceptance).values(person=person, at=change.at, **facts))


def admission(connection: sa.Connection, person: str) -> Admission:
    """What bears on a person's coming in, in one question to the database: it is asked at every call."""
    row = connection.execute(_ADMISSION, {"person": person}).one()
    known = None if row.known is None else bodies.read(Person, row.known, what="person")
    organisation = None if row.its is None else bodies.read(Organisation, row.its, what="organisation")
    return Admission(known, organisation, row.version, row.accepted is not None, row.frozen is not None)


def _admission() -> sa.Select[Any]:
    asked = sa.select(sa.bindparam("person", type_=sa.String).label("person")).subquery()
    newest = sa.select(t.procedures.c.version).order_by(t.procedures.c.number.desc()).limit(1).subquery()
    of_it = t.organisation.c.name == t.person.c.body["organisation"].as_string()
    accepted = (t.acceptance.c.person == asked.c.person) & (t.acceptance.c.version == newest.c.version)
    f = t.freeze.c
    frozen = sa.select(f.number).where(
        f.kind == Frozen.PERSON.value, f.subject == asked.c.person, f.thawed_at.is_(None)
    )
    return sa.select(
        t.person.c.body.label("known"), t.organisation.c.body.label("its"), newest.c.version,
        t.acceptance.c.at.label("accepted"), frozen.limit(1).correlate(asked).scalar_subquery().label("frozen"),
    ).select_from(
        asked.outerjoin(t.person, t.person.c.id == asked.c.person).outerjoin(t.organisation, of_it)
        .outerjoin(newest, sa.true()).outerjoin(t.acceptance, accepted)
    )  # fmt: skip


_ADMISSION = _admission()
