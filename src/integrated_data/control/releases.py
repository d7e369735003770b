"""Published versions of datasets: only what is named here exists for readers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integrated_data.control import catalogue, frameworks
from integrated_data.control import tables as t
from integrated_data.control.store import Change
from integrated_data.model.errors import AgreementRefusal


@dataclass(frozen=True)
class Release:
    """One published version: `snapshot` names the lake's snapshot, `entry` is the catalogue entry."""

    id: int
    dataset: str
    delivery: str
    snapshot: int
    rows: int
    entry: dict[str, Any]
    at: str


def name_snapshot(change: Change, *, dataset: str, delivery: str, snapshot: int, entry: dict[str, Any]) -> int:
    """Make a committed snapshot exist for readers; once per delivery. Returns the release's id."""
    connection = change.connection
    kept = connection.execute(sa.select(t.release.c.id).where(t.release.c.delivery == delivery)).scalar()
    if kept is not None:
        return int(kept)
    done = connection.execute(
        sa.insert(t.release)
        .values(dataset=dataset, delivery=delivery, snapshot=snapshot, rows=entry["rows"], entry=entry, at=change.at)
        .returning(t.release.c.id)
    )
    release = int(done.scalar_one())
    catalogue.put(connection, release, entry=entry, agreements=frameworks.agreements(connection, dataset))
    return release


def rewrite(change: Change, release: int, *, snapshot: int, entry: dict[str, Any]) -> None:
    """Name another snapshot, and tell other counts, of a release from which rows were taken, inside a change."""
    values = {"snapshot": snapshot, "rows": entry["rows"], "entry": entry}
    change.connection.execute(sa.update(t.release).where(t.release.c.id == release).values(**values))


def current(connection: sa.Connection, dataset: str) -> Release | None:
    """The newest release of a dataset, or None."""
    row = (
        connection.execute(
            sa.select(t.release).where(t.release.c.dataset == dataset).order_by(t.release.c.id.desc()).limit(1)
        )
        .mappings()
        .first()
    )
    return Release(**row) if row else None


def get(connection: sa.Connection, dataset: str) -> Release:
    """The newest release of a dataset; refuses when nothing is published."""
    found = current(connection, dataset)
    if found is None:
        raise AgreementRefusal(
            f"Dataset {dataset} has no published version",
            next_step="See what is published: ids catalogue search; whoever supplies the dataset delivers it",
        )
    return found


def all_current(connection: sa.Connection) -> list[Release]:
    """The newest release of every dataset, by dataset name."""
    newest = sa.select(sa.func.max(t.release.c.id)).group_by(t.release.c.dataset)
    rows = connection.execute(sa.select(t.release).where(t.release.c.id.in_(newest)).order_by(t.release.c.dataset))
    return [Release(**row) for row in rows.mappings()]


def of_dataset(connection: sa.Connection, dataset: str) -> list[Release]:
    """Every release of a dataset, oldest first."""
    rows = connection.execute(sa.select(t.release).where(t.release.c.dataset == dataset).order_by(t.release.c.id))
    return [Release(**row) for row in rows.mappings()]


def sources(connection: sa.Connection, dataset: str) -> tuple[str, ...]:
    """The datasets that a derived one was made from; none for one that was delivered."""
    release = current(connection, dataset)
    return tuple(sorted(release.entry.get("derived_from", ()))) if release else ()


def derivations(connection: sa.Connection, datasets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What some datasets, and what they are derived from in turn, are derived from; delivered ones are not among them.

    Ends also where the record goes in a circle; who decides refuses that.
    """
    found: dict[str, tuple[str, ...]] = {}
    ahead, seen = list(datasets), set[str]()
    while ahead:
        dataset = ahead.pop()
        if dataset not in seen:
            seen.add(dataset)
            if of := sources(connection, dataset):
                found[dataset] = of
                ahead += of
    return found


def derived_from(connection: sa.Connection, datasets: Iterable[str]) -> frozenset[str]:
    """Some datasets and everything of which any release, current or not, was derived from them, in turn too."""
    made: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(t.release.c.dataset, t.release.c.entry)):
        made.setdefault(row.dataset, set()).update(row.entry.get("derived_from", ()))
    found, ahead = set[str](), set(datasets)
    while ahead:
        found |= ahead
        ahead = {name for name, sources in made.items() if sources & ahead} - found
    return frozenset(found)


def of_delivery(connection: sa.Connection, delivery: str) -> Release | None:
    """The release a delivery became, or None."""
    row = connection.execute(sa.select(t.release).where(t.release.c.delivery == delivery)).mappings().first()
    return Release(**row) if row else None
