"""Tokens on record: the digest of each, whose it is, and until when it counts."""

from datetime import date, datetime

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.errors import SignInRefusal
from integrated_data.model.event import Event
from integrated_data.model.people import Action
from integrated_data.model.signing_in import SignInMethod, Token


def add(store: Store, token: Token, *, sha256: str, by: str) -> None:
    """Write a new token down by the SHA-256 of its secret."""
    facts = {"token": token.id, "how": token.how.value, "expires": token.expires.isoformat()}
    if token.project is not None:
        facts["project"] = token.project
    with store.change(Event("token.made", by, f"person/{token.person}", facts)) as change:
        change.connection.execute(
            sa.insert(t.token).values(
                id=token.id, sha256=sha256, person=token.person, name=token.name, how=token.how.value,
                project=token.project, actions=None if token.actions is None else [a.value for a in token.actions],
                expires=token.expires.isoformat(), at=change.at,
            )
        )  # fmt: skip


def find(connection: sa.Connection, sha256: str) -> Token | None:
    """The token whose secret has that digest, or None."""
    row = connection.execute(sa.select(t.token).where(t.token.c.sha256 == sha256)).first()
    return None if row is None else _read(row)


def get(connection: sa.Connection, token: str) -> Token | None:
    """The token of that id, or None."""
    row = connection.execute(sa.select(t.token).where(t.token.c.id == token)).first()
    return None if row is None else _read(row)


def of(connection: sa.Connection, person: str | None = None) -> list[Token]:
    """Tokens of a person or of everybody, newest first."""
    query = sa.select(t.token).order_by(t.token.c.at.desc())
    if person is not None:
        query = query.where(t.token.c.person == person)
    return [_read(row) for row in connection.execute(query)]


def revoke(store: Store, token: str, *, by: str) -> Token:
    """End a token at once; refuses one that is not on record. Revoking twice changes nothing."""
    with store.read() as connection:
        known = get(connection, token)
    if known is None:
        raise SignInRefusal(f"There is no token {token}", next_step="List them with: ids person token list")
    with store.change(Event("token.revoked", by, f"person/{known.person}", {"token": token})) as change:
        change.connection.execute(
            sa.update(t.token).where(t.token.c.id == token, t.token.c.revoked_at.is_(None)).values(revoked_at=change.at)
        )
    return known


def used(store: Store, token: Token, *, day: date) -> None:
    """Note the day on which a token is used; one event a day."""
    facts = {"token": token.id, "how": token.how.value}
    with store.change(Event("token.used", token.person, f"person/{token.person}", facts)) as change:
        change.connection.execute(sa.update(t.token).where(t.token.c.id == token.id).values(last_used=day.isoformat()))


def _read(row: sa.Row[tuple[object, ...]]) -> Token:
    return Token(
        row.id, row.person, row.name, SignInMethod(row.how), datetime.fromisoformat(row.expires), row.project,
        None if row.actions is None else tuple(Action(a) for a in row.actions),
        None if row.last_used is None else date.fromisoformat(row.last_used), row.revoked_at is not None,
    )  # fmt: skip
