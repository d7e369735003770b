"""What the store knows of definitions and their editions; every change with its audit event."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies
from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.dissemination import DEFINITION_MOVES, Definition, DefinitionState, Edition
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event


def put_definition(store: Store, definition: Definition, *, by: str) -> Definition:
    """Write a definition down as proposed; one of that name that is on record is replaced, and approved anew."""
    made = replace(definition, state=DefinitionState.PROPOSED, approved_by="", sha256="")
    made = replace(made, sha256=bodies.digest(bodies.write(made)))
    facts = {"project": made.project, "request": made.request, "sha256": made.sha256}
    with store.change(Event("definition.proposed", by, _subject(made.name), facts)) as change:
        known = _find(change.connection, made.name)
        if known is None:
            row = {"name": made.name, "project": made.project, "at": change.at}
            change.connection.execute(sa.insert(t.output_definition).values(**row, **_columns(made)))
        else:
            if (known.project, known.person) != (made.project, made.person):
                raise OutputRefusal(
                    f"The name {made.name} is taken by another project or author", next_step="Choose another name"
                )
            _check_move(known, to=DefinitionState.PROPOSED)
            _write(change, made)
    return made


def approve(store: Store, name: str, *, sha256: str, by: str) -> Definition:
    """Write down that an output checker approves a definition as its hash says."""
    with store.change(Event("definition.approved", by, _subject(name), {"sha256": sha256})) as change:
        known = definition(change.connection, name)
        change.note(project=known.project)
        if known.sha256 != sha256:
            raise OutputRefusal(f"Definition {name} has changed since it was read", next_step="Read it again")
        _check_move(known, to=DefinitionState.APPROVED)
        made = replace(known, state=DefinitionState.APPROVED, approved_by=by)
        _write(change, made)
    return made


def end(store: Store, name: str, *, reason: str, by: str) -> Definition:
    """Write down that a definition is published no more."""
    with store.change(Event("definition.ended", by, _subject(name), {"reason": reason})) as change:
        known = definition(change.connection, name)
        change.note(project=known.project)
        _check_move(known, to=DefinitionState.ENDED)
        made = replace(known, state=DefinitionState.ENDED)
        _write(change, made)
    return made


def definition(connection: sa.Connection, name: str) -> Definition:
    """The definition of that name; refuses when there is none."""
    found = _find(connection, name)
    if found is None:
        raise OutputRefusal(
            f"There is no definition {name}", next_step="See what there is with: ids output definitions"
        )
    return found


def definitions(connection: sa.Connection) -> list[Definition]:
    """Every definition, by name."""
    rows = connection.execute(sa.select(t.output_definition).order_by(t.output_definition.c.name))
    return [_definition(row) for row in rows]


def put_edition(store: Store, edition: Edition, *, by: str) -> Edition:
    """Write an edition down as the next of its definition; returns it with its number and moment."""
    facts: dict[str, Any] = {
        "definition": edition.definition, "request": edition.request, "releases": dict(edition.releases),
    }  # fmt: skip
    action = "edition.asked" if edition.request else "edition.refused"
    with store.change(Event(action, by, _subject(edition.definition), facts)) as change:
        change.note(project=definition(change.connection, edition.definition).project)
        last = change.connection.execute(
            sa.select(sa.func.max(t.output_edition.c.number)).where(t.output_edition.c.definition == edition.definition)
        ).scalar()
        number = (last or 0) + 1
        change.note(number=number)
        body = {
            "releases": dict(edition.releases), "reason": edition.reason, "uncertainty": edition.uncertainty,
        }  # fmt: skip
        change.connection.execute(
            sa.insert(t.output_edition).values(
                definition=edition.definition, number=number, request=edition.request or None, body=body, at=change.at,
            )
        )  # fmt: skip
    return replace(edition, number=number, at=datetime.fromisoformat(change.at))


def note_reason(store: Store, edition: Edition, *, reason: str, by: str) -> Edition:
    """Write down why an edition that became a request did not leave."""
    facts = {"definition": edition.definition, "number": edition.number, "request": edition.request}
    with store.change(Event("edition.refused", by, _subject(edition.definition), facts)) as change:
        made = replace(edition, reason=reason)
        body = {"releases": dict(made.releases), "reason": reason, "uncertainty": made.uncertainty}
        change.connection.execute(
            sa.update(t.output_edition)
            .where(t.output_edition.c.definition == made.definition, t.output_edition.c.number == made.number)
            .values(body=body)
        )
    return made


def of_definition(connection: sa.Connection, name: str) -> list[Edition]:
    """The editions of a definition, oldest first."""
    rows = connection.execute(
        sa.select(t.output_edition).where(t.output_edition.c.definition == name).order_by(t.output_edition.c.number)
    )
    return [_edition(row) for row in rows]


def of_request(connection: sa.Connection, request: str) -> Edition | None:
    """The edition that a request is of, or None."""
    row = connection.execute(sa.select(t.output_edition).where(t.output_edition.c.request == request)).first()
    return None if row is None else _edition(row)


def _subject(name: str) -> str:
    return f"definition/{name}"


def _find(connection: sa.Connection, name: str) -> Definition | None:
    row = connection.execute(sa.select(t.output_definition).where(t.output_definition.c.name == name)).first()
    return None if row is None else _definition(row)


def _definition(row: Any) -> Definition:
    found: Definition = bodies.read(Definition, row.body, what="output definition")
    return found


def _edition(row: Any) -> Edition:
    body: Mapping[str, Any] = row.body
    return Edition(
        row.definition, row.number, row.request or "", dict(body["releases"]), datetime.fromisoformat(row.at),
        body["reason"], body["uncertainty"],
    )  # fmt: skip


def _check_move(known: Definition, *, to: DefinitionState) -> None:
    if to not in DEFINITION_MOVES[known.state]:
        raise OutputRefusal(
            f"Definition {known.name} is {known.state.value} and cannot become {to.value}",
            next_step="See where it stands with: ids output definitions",
        )


def _columns(made: Definition) -> dict[str, Any]:
    return {"state": made.state.value, "sha256": made.sha256, "body": bodies.write(made)}


def _write(change: Change, made: Definition) -> None:
    change.connection.execute(
        sa.update(t.output_definition).where(t.output_definition.c.name == made.name).values(**_columns(made))
    )
