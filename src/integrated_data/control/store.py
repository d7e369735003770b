"""The control store: reads, and changes that carry their audit event in the same transaction.

SQLite (WAL, BEGIN IMMEDIATE: several processes write) or PostgreSQL, by URL.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from integrated_data.audit import chain
from integrated_data.control import tables
from integrated_data.model.errors import is_disk_full
from integrated_data.model.event import Event

_LAST_AT = sa.select(tables.audit_event.c.at).order_by(tables.audit_event.c.number.desc()).limit(1)

#: What a store raises that cannot be read or written just now.
StoreError = sa.exc.SQLAlchemyError

CHAIN_LOCK = 5_047_001  # PostgreSQL advisory lock: one writer of the chain at a time


@dataclass
class Change:
    """A write in progress: its connection, its moment, and facts to add to its event."""

    connection: sa.Connection
    at: str
    facts: dict[str, Any]
    others: list[Event] = field(default_factory=list)

    def also(self, event: Event) -> None:
        """Record another event with this change, before its own."""
        self.others.append(event)

    def note(self, **facts: Any) -> None:
        """Add facts to the audit event of this change."""
        self.facts.update(facts)


class Store:
    """One control store. `clock` gives the present moment in UTC."""

    def __init__(self, engine: sa.Engine, *, clock: Callable[[], datetime] | None = None) -> None:
        self.engine = engine
        self._clock = clock or (lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._clock()

    def present(self, connection: sa.Connection) -> datetime:
        """The moment to decide at: the clock's, or the newest record's where the clock went back.

        What ended once is not revived by a clock that is set back.
        """
        last = connection.execute(_LAST_AT).scalar()
        return self.now() if last is None else max(self.now(), datetime.fromisoformat(last))

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def change(self, event: Event) -> Iterator[Change]:
        """A write transaction; its event joins the audit chain when the block ends without error."""
        with self.engine.connect() as connection:
            self._lock(connection)
            change = Change(connection, self.now().isoformat(timespec="microseconds"), dict(event.facts))
            try:
                yield change
                for other in change.others:
                    _append(connection, change.at, event=other)
                _append(connection, change.at, event=replace(event, facts=change.facts))
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def refresh(self, statement: sa.Update) -> int:
        """A write that changes nothing anybody may ask about: a lease that goes on. No event; returns the rows."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            rows = connection.execute(statement).rowcount
            connection.commit()
            return rows

    def record(self, event: Event) -> None:
        """Write an audit event that changes nothing else."""
        with self.change(event):
            pass

    def rewrite(self) -> None:
        """Write a SQLite store anew, so that what rows once held is in none of its pages; waits for who reads it.

        Any other database sees to its own pages.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self.engine.connect() as connection:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.exec_driver_sql(statement).close()

    def _lock(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CHAIN_LOCK)))


def _append(connection: sa.Connection, at: str, *, event: Event) -> None:
    last = connection.execute(
        sa.select(tables.audit_event.c.number, tables.audit_event.c.hash)
        .order_by(tables.audit_event.c.number.desc())
        .limit(1)
    ).first()
    number, previous = (last.number + 1, last.hash) if last else (1, chain.GENESIS)
    record = chain.Record(number, at, event.action, event.actor, event.subject, event.facts, previous, "")
    connection.execute(sa.insert(tables.audit_event).values(**{**vars(record), "hash": chain.seal(record)}))


def records(connection: sa.Connection) -> Iterator[chain.Record]:
    """The whole audit chain, in order."""
    result = connection.execution_options(yield_per=1000).execute(
        sa.select(tables.audit_event).order_by(tables.audit_event.c.number)
    )
    for row in result.mappings():
        yield chain.Record(**row)


def recorded(connection: sa.Connection, action: str) -> list[chain.Record]:
    """The records of one action, in order."""
    event = tables.audit_event
    rows = connection.execute(sa.select(event).where(event.c.action == action).order_by(event.c.number))
    return [chain.Record(**row) for row in rows.mappings()]


def record_at(connection: sa.Connection, action: str, *, fact: tuple[str, Any]) -> chain.Record | None:
    """The first record of an action that tells a fact, or None."""
    told, value = fact
    return next((r for r in recorded(connection, action) if r.facts.get(told) == value), None)


def sqlite(place: Path) -> sa.Engine:
    """An engine on a SQLite file in WAL mode; transactions begin when the store says so."""
    engine = sa.create_engine(f"sqlite:///{place}", creator=lambda: _connected(place))

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _connected(place: Path) -> sqlite3.Connection:
    """A connection in WAL mode, on a full disk by whatever needs no room.

    Whoever opens the file first makes one beside it, for what processes that have it open tell each other. Where there
    is no room for that, none has it open, and this process keeps it to itself and tells its own threads in memory.
    """
    try:
        return _in_wal_mode(str(place))
    except sqlite3.OperationalError as error:
        if not is_disk_full(error):
            raise
        return _in_wal_mode(f"{place.absolute().as_uri()}?vfs=unix-excl", uri=True)


def _in_wal_mode(place: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=30, check_same_thread=False, uri=uri)
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
