"""What the store knows of feeds: their definitions, the files that came, and what people should know of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies
from integrated_data.control import tables as t
from integrated_data.control.deliveries import stands
from integrated_data.control.store import Change, Store
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import AbsentRefusal
from integrated_data.model.event import Event
from integrated_data.model.feed import Alert, AlertKind, FeedDefinition, FileState


@dataclass(frozen=True)
class Feed:
    """A feed on record: `failures` in a row to reach its store; `next_look`: seconds since the epoch."""

    definition: FeedDefinition
    failures: int
    next_look: float


@dataclass(frozen=True)
class FeedFile:
    """A file that came; `next_try`: seconds since the epoch."""

    id: int
    feed: str
    mark: str
    shown: str
    period: str
    number: int | None
    state: FileState
    attempts: int
    next_try: float
    delivery: str | None
    reason: str
    found_at: str


def put(store: Store, definition: FeedDefinition, *, by: str) -> None:
    """Write a feed down, or another definition of it; what came stays."""
    facts = {"dataset": definition.dataset, "store": definition.drop.kind.value}
    with store.change(Event("feed.written", by, f"feed/{definition.id}", facts)) as change:
        known = sa.select(t.feed.c.id).where(t.feed.c.id == definition.id)
        values = {
            "dataset": definition.dataset, "state": "active", "body": bodies.write(definition), "failures": 0,
            "next_look": 0.0, "at": change.at,
        }  # fmt: skip
        if change.connection.execute(known).first() is None:
            change.connection.execute(sa.insert(t.feed).values(id=definition.id, **values))
        else:
            change.connection.execute(sa.update(t.feed).where(t.feed.c.id == definition.id).values(**values))


def every(connection: sa.Connection) -> list[Feed]:
    """Every feed, by id."""
    return [_feed(row) for row in connection.execute(sa.select(t.feed).order_by(t.feed.c.id))]


def get(connection: sa.Connection, feed: str) -> Feed:
    """The feed of that id; refuses when there is none."""
    row = connection.execute(sa.select(t.feed).where(t.feed.c.id == feed)).first()
    if row is None:
        raise AbsentRefusal("There is no feed of this name", next_step="List them with: ids feed status")
    return _feed(row)


def _feed(row: Any) -> Feed:
    return Feed(bodies.read(FeedDefinition, row.body, what="feed"), row.failures, row.next_look)


def looked(store: Store, feed: str, *, failures: int, next_look: float, by: str) -> None:
    """Keep that a feed's store did not answer, and when it is asked again; or that it answers again (0 failures)."""
    action = "feed.unreachable" if failures else "feed.reached"
    with store.change(Event(action, by, f"feed/{feed}", {"failures": failures})) as change:
        change.connection.execute(
            sa.update(t.feed).where(t.feed.c.id == feed).values(failures=failures, next_look=next_look)
        )


_FILE = (
    t.feed_file.c.id, t.feed_file.c.feed, t.feed_file.c.mark, t.feed_file.c.shown, t.feed_file.c.period,
    t.feed_file.c.number, t.feed_file.c.state, t.feed_file.c.attempts, t.feed_file.c.next_try,
    t.feed_file.c.delivery, t.feed_file.c.reason, t.feed_file.c.found_at,
)  # fmt: skip


def files(connection: sa.Connection, feed: str) -> list[FeedFile]:
    """Every file of a feed that came, the oldest first."""
    rows = connection.execute(sa.select(*_FILE).where(t.feed_file.c.feed == feed).order_by(t.feed_file.c.id))
    return [_file(row) for row in rows]


def find(connection: sa.Connection, feed: str, *, mark: str) -> FeedFile | None:
    """A file of a feed by what it is known by, or None."""
    f = t.feed_file.c
    row = connection.execute(sa.select(*_FILE).where(f.feed == feed, f.mark == mark)).first()
    return None if row is None else _file(row)


def _file(row: Any) -> FeedFile:
    values = dict(row._mapping)
    return FeedFile(**{**values, "state": FileState(values["state"])})


def note(change: Change, feed: str, *, mark: str, values: dict[str, Any]) -> None:
    """Write down where a file stands, inside a change: any of the columns of the file; new ones need all."""
    f = t.feed_file.c
    known = change.connection.execute(sa.select(f.id).where(f.feed == feed, f.mark == mark)).scalar()
    if known is None:
        first = {"attempts": 0, "next_try": 0.0, "reason": "", "found_at": change.at, "at": change.at}
        change.connection.execute(sa.insert(t.feed_file).values(feed=feed, mark=mark, **first | values))
    else:
        change.connection.execute(sa.update(t.feed_file).where(f.id == known).values(at=change.at, **values))


def of_delivery(connection: sa.Connection, delivery: str) -> tuple[FeedDefinition, FeedFile] | None:
    """The feed and file that a delivery came by, or None; the file it first came as."""
    f = t.feed_file.c
    row = connection.execute(sa.select(*_FILE).where(f.delivery == delivery).order_by(f.id).limit(1)).first()
    if row is None:
        return None
    return get(connection, row.feed).definition, _file(row)


def of_period(connection: sa.Connection, feed: str, *, period: str) -> tuple[str, ...]:
    """Deliveries of a period that are published and were not withdrawn, the oldest first; none for a feed without
    periods."""
    if not period:
        return ()
    f, d = t.feed_file.c, t.delivery.c
    joined = sa.join(t.feed_file, t.delivery, f.delivery == d.id)
    published = (f.feed == feed, f.period == period, d.state == LoadState.PUBLISHED.value, stands(d.id))
    rows = connection.execute(sa.select(f.delivery).select_from(joined).where(*published).order_by(f.id))
    return tuple(dict.fromkeys(row.delivery for row in rows))


def alerts(connection: sa.Connection, feed: str | None = None) -> list[dict[str, Any]]:
    """Open alerts, the oldest first: id, feed, kind, period, about, told, at."""
    a = t.feed_alert.c
    asked = sa.select(a.id, a.feed, a.kind, a.period, a.about, a.told, a.at).where(a.closed_at.is_(None))
    if feed is not None:
        asked = asked.where(a.feed == feed)
    return [dict(row) for row in connection.execute(asked.order_by(a.id)).mappings()]


def untold(
    connection: sa.Connection, *, after: int, since: str, known: Iterable[int], most: int
) -> list[dict[str, Any]]:
    """Alerts beyond number `after`, but those that were over before `since`, and such of the `known` as are over.

    At most so many, by number: id, feed, kind, period, told, at, closed_at.
    """
    a = t.feed_alert.c
    new = sa.and_(a.id > after, sa.or_(a.closed_at.is_(None), a.closed_at > since))
    over = sa.and_(a.id.in_(sorted(known)), a.closed_at.is_not(None))
    asked = sa.select(a.id, a.feed, a.kind, a.period, a.told, a.at, a.closed_at).where(sa.or_(new, over))
    return [dict(row) for row in connection.execute(asked.order_by(a.id).limit(most)).mappings()]


def keep_measures(change: Change, delivery: str, *, measures: Any) -> None:
    """Keep what was measured of a delivery, inside a change."""
    change.connection.execute(
        sa.update(t.feed_file).where(t.feed_file.c.delivery == delivery).values(measures=measures)
    )


def measured(connection: sa.Connection, feed: str, *, before: str, most: int) -> list[tuple[str, Any]]:
    """Periods before one, the newest first, with what was measured of their newest published delivery
    that was not withdrawn. Without periods: every such delivery, the newest first.
    """
    f, d = t.feed_file.c, t.delivery.c
    published = [f.feed == feed, f.measures.is_not(None), d.state == LoadState.PUBLISHED.value, stands(d.id)]
    published += [f.period < before] if before else []
    rows = connection.execute(
        sa.select(f.period, f.measures).select_from(sa.join(t.feed_file, t.delivery, f.delivery == d.id))
        .where(*published).order_by(f.period.desc(), f.id.desc()).limit(2 * most)
    )  # fmt: skip
    found: dict[str, Any] = {}
    for number, row in enumerate(rows):
        found.setdefault(row.period or str(-number), row.measures)
    return list(found.items())[:most]


def newest_period(connection: sa.Connection, feed: str) -> str:
    """The newest period of which a file was loaded and not withdrawn; empty where there is none."""
    f, d = t.feed_file.c, t.delivery.c
    joined = sa.join(t.feed_file, t.delivery, f.delivery == d.id)
    there = (f.feed == feed, f.state == FileState.LOADED.value, stands(d.id))
    loaded = sa.select(sa.func.max(f.period)).select_from(joined).where(*there)
    return connection.execute(loaded).scalar() or ""


def raised(connection: sa.Connection, feed: str, *, open_only: bool) -> set[tuple[str, str, str]]:
    """Kind, period and subject of a feed's alerts: of those that are open, or of all that ever were."""
    a = t.feed_alert.c
    asked = sa.select(a.kind, a.period, a.about).where(a.feed == feed)
    rows = connection.execute(asked.where(a.closed_at.is_(None)) if open_only else asked)
    return {(row.kind, row.period, row.about) for row in rows}


def alert(change: Change, feed: str, *, found: Iterable[Alert]) -> None:
    """Raise alerts inside a change; one that is open already is not raised again."""
    opened = {(a["kind"], a["period"], a["about"]) for a in alerts(change.connection, feed)}
    told = []
    for one in found:
        key = (one.kind.value, one.period, one.about)
        if key not in opened:
            opened.add(key)
            told.append(one.kind.value)
            change.connection.execute(
                sa.insert(t.feed_alert).values(
                    feed=feed, kind=one.kind.value, period=one.period, about=one.about, told=one.told, at=change.at
                )
            )
    if told:
        change.note(alerts=told)


def close(change: Change, feed: str, *, kinds: Iterable[AlertKind], period: str | None = None, about: str = "") -> int:
    """Close open alerts of these kinds inside a change: of a period, about a file, or all; returns how many."""
    a = t.feed_alert.c
    which = [a.feed == feed, a.kind.in_([k.value for k in kinds]), a.closed_at.is_(None)]
    which += [] if period is None else [a.period == period]
    which += [a.about == about] if about else []
    closed = change.connection.execute(sa.update(t.feed_alert).where(*which).values(closed_at=change.at))
    return int(closed.rowcount)
