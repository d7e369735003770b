"""Signed heads of the audit chain, on record."""

from collections.abc import Iterator

import sqlalchemy as sa

from integrated_data.audit import chain
from integrated_data.audit.heads import Head
from integrated_data.control import tables as t
from integrated_data.control.store import records


def last_record(connection: sa.Connection) -> tuple[int, str] | None:
    """Number and hash of the newest audit record, or None."""
    row = connection.execute(
        sa.select(t.audit_event.c.number, t.audit_event.c.hash).order_by(t.audit_event.c.number.desc()).limit(1)
    ).first()
    return (row.number, row.hash) if row else None


def hash_at(connection: sa.Connection, number: int) -> str | None:
    """Hash of one audit record, or None when it is not there."""
    found = connection.execute(sa.select(t.audit_event.c.hash).where(t.audit_event.c.number == number)).scalar()
    return None if found is None else str(found)


def keep(engine: sa.Engine, head: Head) -> None:
    """Keep a signed head; one for each record at most. It signs the chain, so it is not part of it."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        known = sa.select(t.audit_head.c.number).where(t.audit_head.c.number == head.number)
        if connection.execute(known).first() is None:
            connection.execute(sa.insert(t.audit_head).values(**vars(head)))
        connection.commit()


def heads(connection: sa.Connection) -> list[Head]:
    """All signed heads, oldest first."""
    rows = connection.execute(sa.select(t.audit_head).order_by(t.audit_head.c.number))
    return [Head(**row) for row in rows.mappings()]


def walk(connection: sa.Connection) -> tuple[chain.Record | None, dict[int, str]]:
    """Verify the whole chain; returns its last record and the hash of each signed record."""
    signed = {h.number: "" for h in heads(connection)}

    def noted() -> Iterator[chain.Record]:
        for record in records(connection):
            if record.number in signed:
                signed[record.number] = record.hash
            yield record

    return chain.verify(noted()), signed
