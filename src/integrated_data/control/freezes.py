"""What the store knows of freezes: what is frozen now, and what was.

Whatever opens, publishes or lets out something asks here inside its own transaction, so that nothing passes
a freeze by having been asked a moment before.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.control import releases
from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.errors import AgreementRefusal, Refusal
from integrated_data.model.event import Event
from integrated_data.model.freezing import Freeze, Frozen

#: What is told of who and what a freeze affects, read inside its transaction.
Affected = Callable[[sa.Connection], dict[str, Any]]


def standing(connection: sa.Connection) -> tuple[Freeze, ...]:
    """Every freeze that was not lifted, oldest first."""
    f = t.freeze.c
    rows = connection.execute(sa.select(t.freeze).where(f.thawed_at.is_(None)).order_by(f.number))
    return tuple(_freeze(row) for row in rows)


def history(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every freeze there ever was, newest first, with who lifted it, when and why."""
    rows = connection.execute(sa.select(t.freeze).order_by(t.freeze.c.number.desc()))
    return [dict(row) for row in rows.mappings()]


def put(
    store: Store, kind: Frozen, *, subjects: Sequence[str], by: str, reason: str, affected: Affected
) -> dict[str, Any]:
    """Freeze the first of `subjects`, and the others with it (another account of the same human being).

    It holds from the moment this returns. Returns who and what is affected, as the audit chain has it.
    """
    subject = subjects[0]
    facts = {"reason": reason, "with_it": list(subjects[1:])}
    with store.change(Event(f"{kind.value}.frozen", by, f"{kind.value}/{subject}", facts)) as change:
        already = {f.subject for f in standing(change.connection) if f.kind is kind}
        if subject in already:
            raise AgreementRefusal(
                f"The {kind.value} {subject} is frozen already", next_step="See since when: ids freeze list"
            )
        for each in subjects:
            if each not in already:
                change.connection.execute(
                    sa.insert(t.freeze).values(kind=kind.value, subject=each, by=by, reason=reason, at=change.at)
                )
        told = affected(change.connection)
        change.note(affected=told)
    return told


def lift(store: Store, kind: Frozen, *, subjects: Sequence[str], by: str, reason: str) -> None:
    """Thaw the first of `subjects`, and the others with it; refuses when it is not frozen."""
    subject = subjects[0]
    facts = {"reason": reason, "with_it": list(subjects[1:])}
    with store.change(Event(f"{kind.value}.thawed", by, f"{kind.value}/{subject}", facts)) as change:
        if subject not in {f.subject for f in standing(change.connection) if f.kind is kind}:
            raise AgreementRefusal(
                f"The {kind.value} {subject} is not frozen", next_step="See what is: ids freeze list"
            )
        f = t.freeze.c
        change.connection.execute(
            sa.update(t.freeze)
            .where(f.kind == kind.value, f.subject.in_(list(subjects)), f.thawed_at.is_(None))
            .values(thawed_by=by, thawed_at=change.at, thaw_reason=reason)
        )


def against(connection: sa.Connection, *, datasets: Iterable[str] = (), people: Iterable[str] = ()) -> Freeze | None:
    """The first freeze of these people, of these datasets, or of what a dataset is derived from."""
    found = standing(connection)
    if not found:
        return None
    named = set(datasets)
    named |= {source for of in releases.derivations(connection, named).values() for source in of}
    wanted = {Frozen.DATASET: named, Frozen.PERSON: set(people)}
    return next((f for f in found if f.subject in wanted[f.kind]), None)


def check(
    connection: sa.Connection,
    what: str,
    *,
    datasets: Iterable[str] = (),
    people: Iterable[str] = (),
    refused: type[Refusal] = AgreementRefusal,
) -> None:
    """Refuse `what` while one of the datasets or people is frozen."""
    freeze = against(connection, datasets=datasets, people=people)
    if freeze is not None:
        raise refused(what, why=freeze.told, next_step=freeze.change)


def _freeze(row: Any) -> Freeze:
    return Freeze(row.number, Frozen(row.kind), row.subject, row.by, row.reason, datetime.fromisoformat(row.at))
