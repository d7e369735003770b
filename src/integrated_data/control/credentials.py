"""Passwords and one-time codes on record, and attempts to use them: a lock-out that doubles and outlives a restart."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.event import Event

#: Attempts that are free; each further one that fails doubles the wait.
FREE = 5
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True)
class Credential:
    """What is on record of a person: an argon2id hash, a sealed secret of codes, the last step that was used."""

    password: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    code_step: int = 0


@dataclass(frozen=True)
class Claimed:
    """Who somebody says they are: a keyed digest of what was typed, and the person if there is one."""

    subject: str
    person: str | None

    @property
    def about(self) -> str:
        """The subject of events; what a stranger typed is not kept."""
        return f"person/{self.person}" if self.person is not None else "person"


class LockedOut(Exception):  # noqa: N818 - an answer between the store and the door, never shown
    """Too many attempts failed; no further one is looked at yet."""


def get(connection: sa.Connection, person: str) -> Credential:
    """What is on record of a person; empty where nothing is."""
    row = connection.execute(sa.select(t.credential).where(t.credential.c.person == person)).first()
    return Credential() if row is None else Credential(row.password, row.code, row.code_step)


def set_password(store: Store, person: str, *, hashed: str, by: str) -> None:
    """Keep the hash of a new password."""
    with store.change(Event("credential.password_set", by, f"person/{person}")) as change:
        _put(change, person, password=hashed)


def set_code(store: Store, person: str, *, sealed: str, by: str) -> None:
    """Keep the sealed secret of a person's one-time codes; codes of an earlier one count no more."""
    with store.change(Event("credential.code_set", by, f"person/{person}")) as change:
        _put(change, person, code=sealed, code_step=0)


def begin_attempt(store: Store, claimed: Claimed) -> None:
    """Count an attempt before it is looked at, so that many at once gain nothing; raises `LockedOut`."""
    with store.change(Event("sign_in.attempted", "sign-in", claimed.about)) as change:
        now = datetime.fromisoformat(change.at)
        row = change.connection.execute(sa.select(t.attempt).where(t.attempt.c.subject == claimed.subject)).first()
        if row is not None and row.locked_until is not None and now < datetime.fromisoformat(row.locked_until):
            raise LockedOut
        failures = 1 if row is None else row.failures + 1
        until = None
        if failures >= FREE:
            until = (now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - FREE, 20))).isoformat()
        _forget_strangers(change, now)
        change.connection.execute(sa.delete(t.attempt).where(t.attempt.c.subject == claimed.subject))
        change.connection.execute(
            sa.insert(t.attempt).values(
                subject=claimed.subject, failures=failures, locked_until=until, known=claimed.person is not None,
                at=change.at,
            )
        )  # fmt: skip
        change.note(attempt=failures)


def succeed(store: Store, claimed: Claimed, *, step: int) -> bool:
    """Use up a one-time code and forget failed attempts; False where the code was used already."""
    assert claimed.person is not None
    fresh = (t.credential.c.person == claimed.person) & (t.credential.c.code_step < step)
    try:
        with store.change(Event("sign_in.succeeded", claimed.person, claimed.about, {"how": "password"})) as change:
            used = change.connection.execute(sa.update(t.credential).where(fresh).values(code_step=step))
            if used.rowcount != 1:
                raise LockedOut
            change.connection.execute(sa.delete(t.attempt).where(t.attempt.c.subject == claimed.subject))
    except LockedOut:
        return False
    return True


def _forget_strangers(change: Change, now: datetime) -> None:
    """Attempts under names that nobody bears are forgotten after a day, so that they do not pile up."""
    old = (t.attempt.c.known.is_(False)) & (t.attempt.c.at < (now - 2 * LONGEST_WAIT).isoformat())
    change.connection.execute(sa.delete(t.attempt).where(old))


def _put(change: Change, person: str, **values: str | int) -> None:
    known = sa.select(t.credential.c.person).where(t.credential.c.person == person)
    if change.connection.execute(known).first() is None:
        first = {"password": None, "code": None, "code_step": 0, **values}
        change.connection.execute(sa.insert(t.credential).values(person=person, at=change.at, **first))
    else:
        change.connection.execute(
            sa.update(t.credential).where(t.credential.c.person == person).values(at=change.at, **values)
        )
