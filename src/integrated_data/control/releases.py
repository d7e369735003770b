"""Published versions of datasets: only what is named here exists for readers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from integrated_data.control import catalogue, deliveries, frameworks
from integrated_data.control import tables as t
from integrated_data.control.store import Change, recorded
from integrated_data.model.delivery import ReleaseState
from integrated_data.model.errors import AgreementRefusal, UsageRefusal

#: Actions of the audit chain by which an earlier, or a withdrawn, release became what is read.
ROLLED_BACK, ROLLED_FORWARD = "release.rolled_back", "release.rolled_forward"

_NUMBER = re.compile("[0-9]{1,18}")
_STANDING = t.release.c.state == ReleaseState.STANDING.value


@dataclass(frozen=True)
class Release:
    """One published version: `snapshot` names the lake's snapshot, `entry` is the catalogue entry.

    `base`: the release it was built on (None: the first one, or on record without: the one before it).
    """

    id: int
    dataset: str
    delivery: str
    snapshot: int
    rows: int
    entry: dict[str, Any]
    at: str
    base: int | None = None
    state: ReleaseState = ReleaseState.STANDING


def _release(row: Any) -> Release:
    return Release(**{**row, "state": ReleaseState(row["state"])})


def name_snapshot(change: Change, *, dataset: str, delivery: str, snapshot: int, entry: dict[str, Any]) -> int:
    """Make a committed snapshot exist for readers; once per delivery. Returns the release's id."""
    connection = change.connection
    kept = connection.execute(sa.select(t.release.c.id).where(t.release.c.delivery == delivery)).scalar()
    if kept is not None:
        return int(kept)
    base = current(connection, dataset)
    done = connection.execute(
        sa.insert(t.release)
        .values(
            dataset=dataset, delivery=delivery, snapshot=snapshot, rows=entry["rows"], entry=entry, at=change.at,
            base=base.id if base else None, state=ReleaseState.STANDING.value,
        ).returning(t.release.c.id)
    )  # fmt: skip
    release = int(done.scalar_one())
    catalogue.put(connection, release, entry=entry, agreements=frameworks.agreements(connection, dataset))
    return release


def rewrite(change: Change, release: int, *, snapshot: int, entry: dict[str, Any]) -> None:
    """Name another snapshot, and tell other counts, of a release from which rows were taken, inside a change."""
    values = {"snapshot": snapshot, "rows": entry["rows"], "entry": entry}
    change.connection.execute(sa.update(t.release).where(t.release.c.id == release).values(**values))


def current(connection: sa.Connection, dataset: str) -> Release | None:
    """The release of a dataset that is read: the newest that stands; or None."""
    query = sa.select(t.release).where(t.release.c.dataset == dataset, _STANDING).order_by(t.release.c.id.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return _release(row) if row else None


def get(connection: sa.Connection, dataset: str) -> Release:
    """The release of a dataset that is read; refuses when nothing is published."""
    found = current(connection, dataset)
    if found is None:
        raise AgreementRefusal(
            f"Dataset {dataset} has no published version",
            next_step="See what is published: ids catalogue search; whoever supplies the dataset delivers it",
        )
    return found


def all_current(connection: sa.Connection) -> list[Release]:
    """The release of every dataset that is read, by dataset name."""
    newest = sa.select(sa.func.max(t.release.c.id)).where(_STANDING).group_by(t.release.c.dataset)
    rows = connection.execute(sa.select(t.release).where(t.release.c.id.in_(newest)).order_by(t.release.c.dataset))
    return [_release(row) for row in rows.mappings()]


def of_dataset(connection: sa.Connection, dataset: str) -> list[Release]:
    """Every release of a dataset whose data are held, withdrawn ones too, oldest first."""
    return [r for r in history(connection, dataset) if r.state is not ReleaseState.EXPIRED]


def history(connection: sa.Connection, dataset: str) -> list[Release]:
    """Every release that a dataset ever had, oldest first."""
    rows = connection.execute(sa.select(t.release).where(t.release.c.dataset == dataset).order_by(t.release.c.id))
    return [_release(row) for row in rows.mappings()]


def line(connection: sa.Connection, dataset: str) -> list[Release]:
    """The release of a dataset that is read and those it was built on, oldest first."""
    return [r for r in of_dataset(connection, dataset) if r.state is ReleaseState.STANDING]


def bases(every: Sequence[Release]) -> list[int | None]:
    """Of each release of a dataset, oldest first, the place in the list of the one it was built on."""
    places = {r.id: place for place, r in enumerate(every)}
    before = (place - 1 if place else None for place in range(len(every)))
    return [last if r.base is None else places.get(r.base, last) for r, last in zip(every, before, strict=True)]


#: What a catalogue entry still says of a release whose data were removed: nothing of their values.
_SAID = ("dataset", "title", "owner", "rows", "contract_version", "derived_from", "as_of", "without", "rewritten")


def expire(change: Change, dataset: str, *, besides: int | None = None) -> list[int]:
    """Note that the data of a dataset's releases are removed, `besides` one, inside a change; returns their numbers."""
    connection, gone = change.connection, []
    for one in of_dataset(connection, dataset):
        if one.id == besides:
            continue
        variables = [{k: v for k, v in variable.items() if k != "profile"} for variable in one.entry["variables"]]
        entry = {k: one.entry[k] for k in _SAID if k in one.entry} | {"variables": variables, "links": {}}
        values = {"state": ReleaseState.EXPIRED.value, "entry": entry}
        connection.execute(sa.update(t.release).where(t.release.c.id == one.id).values(**values))
        gone.append(one.id)
    if besides is None:
        catalogue.remove(connection, dataset)
    return gone


def withdrawn(connection: sa.Connection, numbers: Iterable[int]) -> frozenset[int]:
    """Those of some releases, by their numbers, that are not to be read now."""
    among = sa.select(t.release.c.id).where(t.release.c.id.in_(list(numbers)), ~_STANDING)
    return frozenset(connection.execute(among).scalars())


def stand(change: Change, dataset: str, *, release: int) -> None:
    """Make a release whose data are held the one that is read, inside a change; notes what that withdraws.

    Those it was built on stand with it; all others are withdrawn.
    """
    connection, every = change.connection, of_dataset(change.connection, dataset)
    built, held = bases(every), set[int]()
    at: int | None = next(place for place, r in enumerate(every) if r.id == release)
    while at is not None:
        held.add(every[at].id)
        at = built[at]
    for one in every:
        state = ReleaseState.STANDING if one.id in held else ReleaseState.WITHDRAWN
        connection.execute(sa.update(t.release).where(t.release.c.id == one.id).values(state=state.value))
    change.note(
        to=release, withdrawn=[r.id for r in every if r.id not in held and r.state is ReleaseState.STANDING],
        stands_again=[r.id for r in every if r.id in held and r.state is ReleaseState.WITHDRAWN],
    )  # fmt: skip
    entry = next(r.entry for r in every if r.id == release)
    catalogue.put(connection, release, entry=entry, agreements=frameworks.agreements(connection, dataset))


def as_at(connection: sa.Connection, dataset: str, *, when: str, today: date) -> Release:
    """The release of a dataset that was read when a day was over (UTC), or that has a number.

    `when`: an ISO day, or digits. Refuses a day that has not come, one before anything was published, and a release
    that was withdrawn or whose data are gone.
    """
    if _NUMBER.fullmatch(when):
        found = next((r for r in history(connection, dataset) if r.id == int(when)), None)
        missing = f"Dataset {dataset} has no release {when}", "A number is of one dataset's release"
    else:
        found = _read_on(connection, dataset, day=_day(when, today=today))
        missing = f"Nothing of dataset {dataset} was published by {when}", "The day is before its first release"
    if found is None:
        raise AgreementRefusal(missing[0], why=missing[1], next_step=f"See which it has: ids release list {dataset}")
    if found.state is not ReleaseState.STANDING:
        why = "The table was taken back from it" if found.state is ReleaseState.WITHDRAWN else "Its data were removed"
        raise AgreementRefusal(
            f"Dataset {dataset} cannot be read as at {when}: release {found.id} is {found.state.value}", why=why,
            next_step=f"Choose another day: ids release list {dataset}",
        )  # fmt: skip
    return found


def _day(when: str, *, today: date) -> date:
    try:
        day = date.fromisoformat(when)
    except ValueError:
        raise UsageRefusal(
            "A table is read as at a day or a release", next_step="Give a day as 2026-01-31, or a release's number"
        ) from None
    if day > today:
        raise AgreementRefusal(
            f"Nothing can be read as at {when}", why="That day has not come", next_step="Name a day up to today"
        )
    return day


def _read_on(connection: sa.Connection, dataset: str, *, day: date) -> Release | None:
    """The release that was read when a day was over: the last that was published, or rolled to, by then."""
    known = {r.id: r for r in history(connection, dataset)}
    rolled = [r for action in (ROLLED_BACK, ROLLED_FORWARD) for r in recorded(connection, action)]
    became = [(r.at, int(r.facts["to"])) for r in rolled if r.subject == f"dataset/{dataset}"]
    became += [(r.at, r.id) for r in known.values()]
    by_then = [(at, number) for at, number in became if date.fromisoformat(at[:10]) <= day]
    return known[max(by_then)[1]] if by_then else None


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
    """The release a delivery became, or was published with as a part of; or None."""
    its = deliveries.published_with(connection, delivery)
    row = connection.execute(sa.select(t.release).where(t.release.c.delivery == its)).mappings().first()
    return _release(row) if row else None
