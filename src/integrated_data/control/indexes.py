"""Index versions and link sets on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change
from integrated_data.model.errors import IndexRefusal


@dataclass(frozen=True)
class IndexVersion:
    """One version of an index: immutable files under `v<version>` of the index's folder."""

    index: str
    version: int
    source: str
    delivery: str
    report: dict[str, Any]
    at: str


@dataclass(frozen=True)
class LinkSet:
    """Links of one delivery to one version of an index: a sealed file at `place` of the identified zone.

    `whole`: of every record; else only of those that were matched again because the version changed
    what they were linked to.
    """

    delivery: str
    index: str
    index_version: int
    dataset: str
    whole: bool
    place: str
    report: Mapping[str, Any]
    at: str


def add_version(change: Change, *, index: str, version: int, source: str, about: dict[str, Any]) -> None:
    """Write an index version down inside a change; `about`: delivery, report."""
    change.connection.execute(
        sa.insert(t.index_version).values(
            index=index, version=version, source=source, delivery=about["delivery"],
            report=about["report"], at=change.at,
        )
    )  # fmt: skip


def versions(connection: sa.Connection, index: str | None = None) -> list[IndexVersion]:
    """All versions, of one index or of all, oldest first."""
    query = sa.select(t.index_version).order_by(t.index_version.c.index, t.index_version.c.version)
    if index is not None:
        query = query.where(t.index_version.c.index == index)
    return [IndexVersion(**row) for row in connection.execute(query).mappings()]


def current(connection: sa.Connection, index: str) -> IndexVersion | None:
    """The newest version of an index, or None when nothing was loaded."""
    found = versions(connection, index)
    return found[-1] if found else None


def get(connection: sa.Connection, index: str, *, version: int | None = None) -> IndexVersion:
    """A version of an index (the newest unless named); refuses when there is none."""
    known = versions(connection, index)
    for found in reversed(known):
        if version is None or found.version == version:
            return found
    if known:
        raise IndexRefusal(
            f"There is no version {version} of the {index} index",
            why=f"Its versions are {known[0].version} to {known[-1].version}",
            next_step=f"Choose one of them: ids reference show {index}",
        )
    raise IndexRefusal(
        f"There is no {index} index",
        why="No reference source has been loaded into it",
        next_step=f"Load one first: ids reference load {index} FILE --source NAME",
    )


def as_at(connection: sa.Connection, index: str, *, day: date, today: date) -> IndexVersion:
    """The version of an index as at a day: the newest one recorded before that day was over, in UTC.

    Refuses a day before the first version was recorded, and one that has not begun.
    """
    if day > today:
        raise IndexRefusal(
            f"The {index} index cannot be given as at {day}",
            why="That day has not come",
            next_step="Name a day up to today",
        )
    known = versions(connection, index)
    found = [v for v in known if date.fromisoformat(v.at[:10]) <= day]
    if found:
        return found[-1]
    newest = get(connection, index)
    raise IndexRefusal(
        f"The {index} index cannot be given as at {day}",
        why=f"It began on {known[0].at[:10]}: nothing was known before",
        next_step=f"Name a day from then on, or a version up to {newest.version}",
    )


def save_links(change: Change, *, delivery: str, dataset: str, index: str, about: dict[str, Any]) -> None:
    """Write a link set down inside a change, beside those of other versions; `about`: index_version, place,
    report, whole.

    A whole set is how the delivery is matched for the first time: sets that an earlier, unpublished attempt
    left are taken back. One of records matched again takes the place of itself alone.
    """
    key = [t.link_set.c.delivery == delivery, t.link_set.c.index == index]
    if not about["whole"]:
        key += [t.link_set.c.index_version == about["index_version"], ~t.link_set.c.whole]
    change.connection.execute(sa.delete(t.link_set).where(*key))
    change.connection.execute(
        sa.insert(t.link_set).values(delivery=delivery, dataset=dataset, index=index, at=change.at, **about)
    )


def link_sets(connection: sa.Connection, index: str) -> list[LinkSet]:
    """Link sets of an index, oldest first."""
    rows = connection.execute(sa.select(t.link_set).where(t.link_set.c.index == index).order_by(t.link_set.c.at))
    return [LinkSet(**row) for row in rows.mappings()]


def links_of(connection: sa.Connection, delivery: str, *, index: str | None = None) -> list[LinkSet]:
    """Link sets of a delivery, to one index or to all: by index, and the oldest version first."""
    query = sa.select(t.link_set).where(t.link_set.c.delivery == delivery)
    if index is not None:
        query = query.where(t.link_set.c.index == index)
    rows = connection.execute(query.order_by(t.link_set.c.index, t.link_set.c.index_version))
    return [LinkSet(**row) for row in rows.mappings()]


def newest_links(connection: sa.Connection, *, index: str | None = None) -> list[LinkSet]:
    """The newest delivery's whole link set of every dataset to every index, or to one."""
    query = sa.select(t.link_set).where(t.link_set.c.whole).order_by(t.link_set.c.at)
    if index is not None:
        query = query.where(t.link_set.c.index == index)
    rows = connection.execute(query).mappings()
    found = {(row["dataset"], row["index"]): LinkSet(**row) for row in rows}
    return [found[key] for key in sorted(found)]
