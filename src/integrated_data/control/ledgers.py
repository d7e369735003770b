"""What the store knows of the release ledger: tables from elsewhere, retention, and what it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies, outputs
from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.output import Release, Signature

#: What the events of the ledger are about.
SUBJECT = "ledger"


@dataclass(frozen=True)
class Retention:
    """How many days after its release the people behind a table are kept; None for ever."""

    days: int | None
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Import:
    """A table that was published elsewhere. `proven`: who is behind it could be derived; `why` where not."""

    id: str
    title: str
    source: str
    sha256: str
    datasets: tuple[str, ...]
    signatures: tuple[Signature, ...]
    proven: bool
    why: str = ""


def retention(connection: sa.Connection) -> Retention | None:
    """The setting that holds; None where none was ever made, and everything is kept."""
    row = connection.execute(sa.select(t.ledger_retention).order_by(t.ledger_retention.c.id.desc()).limit(1)).first()
    return None if row is None else Retention(row.days, row.reason, row.by, datetime.fromisoformat(row.at))


def set_retention(store: Store, days: int | None, *, reason: str, by: str) -> None:
    """Set how long the people behind what left are kept; refuses a setting without a reason, or of less than a day."""
    if not reason.strip() or (days is not None and days < 1):
        raise OutputRefusal("Retention is a number of days with a reason", next_step="Give --days N --reason TEXT")
    with store.change(Event("ledger.retention_set", by, SUBJECT, {"days": days, "reason": reason})) as change:
        change.connection.execute(
            sa.insert(t.ledger_retention).values(days=days, reason=reason, by=by, at=change.at)
        )  # fmt: skip


def expired(connection: sa.Connection) -> frozenset[str]:
    """Releases of which people are kept no more."""
    return frozenset(connection.execute(sa.select(t.ledger_expiry.c.request)).scalars())


def put_expired(store: Store, release: Release, *, days: int, by: str, destroy: Callable[[], int]) -> int:
    """Write down that the people behind a release are kept no more, and destroy what is kept; how many tables."""
    facts = {"request": release.request, "left": release.at.isoformat(), "days": days}
    with store.change(Event("ledger.expired", by, SUBJECT, facts)) as change:
        tables = destroy()
        change.note(tables=tables)
        change.connection.execute(
            sa.insert(t.ledger_expiry).values(request=release.request, tables=tables, at=change.at)
        )  # fmt: skip
    return tables


def put_import(store: Store, table: Import, *, by: str) -> None:
    """Write a table from elsewhere down, after everything that has left."""
    facts: dict[str, Any] = {
        "import": table.id, "title": table.title, "source": table.source, "sha256": table.sha256,
        "datasets": list(table.datasets), "proven": table.proven,
    }  # fmt: skip
    with store.change(Event("ledger.imported", by, SUBJECT, facts)) as change:
        number = outputs.next_number(change.connection)
        change.connection.execute(
            sa.insert(t.ledger_import).values(id=table.id, number=number, body=bodies.write(table), at=change.at)
        )


def imports(connection: sa.Connection) -> list[tuple[Import, datetime]]:
    """Tables from elsewhere with the moment they came, oldest first."""
    rows = connection.execute(sa.select(t.ledger_import).order_by(t.ledger_import.c.number))
    return [(bodies.read(Import, row.body, what="import"), datetime.fromisoformat(row.at)) for row in rows]
