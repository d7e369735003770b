"""Taking a published table back to an earlier release, and forward again.

A release is never changed: going back makes an earlier one what is read, withdraws those that came after it, and is an
event of its own. The next delivery builds on what is read then. Copies of projects and what is derived from the
dataset follow, as after a new release; a query that runs ends on the copy it began with.
"""

from typing import Any

import sqlalchemy as sa

from integrated_data.control import freezes, indexes, releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Change, Store, recorded
from integrated_data.journey import branching, relinking
from integrated_data.model.delivery import ReleaseState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import DERIVED
from integrated_data.model.people import Action
from integrated_data.site import loads, owning
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite


def listed(store: Store, dataset: str, *, by: str) -> list[dict[str, Any]]:
    """Every release of a dataset, newest first: when it came, its rows, whether it stands, and which is read.

    The delivery it came by, and why it was withdrawn, are told to people of the dataset's owner, auditors, engineers.
    """
    with store.read() as connection:
        inside = owning.seen_by(connection, by, action=Action.SEE_LINEAGE)(dataset)
        read = releases.current(connection, dataset)
        every = releases.history(connection, dataset)
        rolled = _rolled(connection, dataset)
    if not every:
        raise _absent(dataset)
    return [
        {"release": r.id, "published": r.at, "delivery": r.delivery if inside else "", "rows": r.rows,
         "state": "read" if read is not None and r.id == read.id else r.state.value,
         "why": rolled.get(r.id, "") if inside else ""}
        for r in reversed(every)
    ]  # fmt: skip


def _rolled(connection: sa.Connection, dataset: str) -> dict[int, str]:
    """Why a release was withdrawn, or stands again, by its number: the last word on it."""
    told: dict[int, str] = {}
    found = [r for action in (releases.ROLLED_BACK, releases.ROLLED_FORWARD) for r in recorded(connection, action)]
    for record in sorted(found, key=lambda r: r.number):
        if record.subject == f"dataset/{dataset}":
            for number in (*record.facts["withdrawn"], *record.facts["stands_again"]):
                told[number] = f"{record.actor}: {record.facts['reason']}"
    return told


def roll(site: LoadingSite, dataset: str, *, to: int | None, back: bool, reason: str, acting: Acting) -> dict[str, Any]:
    """Make an earlier release of a dataset, or a withdrawn one, what is read; returns what followed.

    `to`: its number; None: the one that the present one was built on, or the one that was withdrawn last. Where it is
    read already, what follows is made up for.
    """
    _check(site.store, dataset, reason=reason, acting=acting)
    with site.lake.alone(dataset):
        with site.store.read() as connection:
            freezes.check(connection, f"Dataset {dataset} is not taken to another release", datasets=(dataset,))
            read = releases.get(connection, dataset)
            target = _target(connection, dataset, read=read, to=to, back=back)
        if target.id != read.id:
            _stand(site, target, read=read, reason=reason, by=acting.actor)
    return {"dataset": dataset, "was": read.id, "release": target.id, "published": target.at, "rows": target.rows,
            "matched_again": relinked(site, target),
            "projects_refreshed": loads.follow(site, dataset)}  # fmt: skip


def _check(store: Store, dataset: str, *, reason: str, acting: Acting) -> None:
    if not reason.strip():
        raise AgreementRefusal("No reason was given", next_step="Add --reason TEXT")
    if dataset.startswith(DERIVED):
        raise AgreementRefusal(
            f"Dataset {dataset} is made by the service", why="It follows the releases of its sources",
            next_step="Take one of those back: ids catalogue show tells them",
        )  # fmt: skip
    with store.read() as connection:
        releases.get(connection, dataset)
    owning.check(store, dataset, action=Action.ROLL, by=acting.actor)


def _target(connection: sa.Connection, dataset: str, *, read: Release, to: int | None, back: bool) -> Release:
    """The release meant; refuses one that is not there, that expired, or that lies in the other direction."""
    known = {r.id: r for r in releases.history(connection, dataset)}
    held = releases.of_dataset(connection, dataset)
    if to is None:
        return _nearest(held, read=read, back=back)
    if to not in known:
        raise AgreementRefusal(
            f"Dataset {dataset} has no release {to}", next_step=f"See which it has: ids release list {dataset}"
        )
    target = known[to]
    if target.state is ReleaseState.EXPIRED:
        raise AgreementRefusal(
            f"Release {to} of dataset {dataset} has expired", why="Its data were removed when their time was over",
            next_step=f"Choose another one: ids release list {dataset}",
        )  # fmt: skip
    if target.id != read.id and (target.state is ReleaseState.STANDING) is not back:
        raise AgreementRefusal(
            f"Release {to} of dataset {dataset} is {target.state.value}",
            why="Back leads to a release that the present one was built on, forward to one that was withdrawn",
            next_step=f"See them: ids release list {dataset}",
        )
    return target


def _nearest(held: list[Release], *, read: Release, back: bool) -> Release:
    wanted = ReleaseState.STANDING if back else ReleaseState.WITHDRAWN
    found = [r for r in held if r.state is wanted and r.id != read.id]
    if not found:
        raise AgreementRefusal(
            f"Dataset {read.dataset} has no {'earlier' if back else 'withdrawn'} release",
            next_step=f"See which it has: ids release list {read.dataset}",
        )
    return found[-1]


def _stand(site: LoadingSite, target: Release, *, read: Release, reason: str, by: str) -> None:
    action = releases.ROLLED_BACK if target.state is ReleaseState.STANDING else releases.ROLLED_FORWARD
    event = Event(action, by, f"dataset/{target.dataset}", {"from": read.id, "reason": reason})

    def check(change: Change) -> None:
        what = f"Dataset {target.dataset} is not taken to another release"
        freezes.check(change.connection, what, datasets=(target.dataset,))

    branching.stand(site.workshop, target, event=event, check=check)


def relinked(site: LoadingSite, release: Release) -> int:
    """Match again what merges and splits left in doubt while the release was not the one that was read."""
    matched = 0
    with site.store.read() as connection:
        newest = {v.index: v.version for v in indexes.versions(connection)}
    for index, version in newest.items():
        if version == 1 or index not in site.seats:
            continue
        for one in relinking.touched(site.workshop, index, version=version, of=(release,)):
            if not (one.again or one.decided) or _matched(site, one.delivery, index=index, version=version):
                continue
            facts, write = relinking.relink(site.workshop, index, version=version, delivery=one.delivery)
            event = Event("links.matched_again", site.actor, f"dataset/{release.dataset}", {
                "index": index, "version": version, "records": facts["records"],
            })  # fmt: skip
            with site.store.change(event) as change:
                write(change)
            matched += int(facts["records"])
    return matched


def _matched(site: LoadingSite, delivery: str, *, index: str, version: int) -> bool:
    with site.store.read() as connection:
        return any(s.index_version == version for s in indexes.links_of(connection, delivery, index=index))


def _absent(dataset: str) -> AgreementRefusal:
    return AgreementRefusal(
        f"Dataset {dataset} has no published version", next_step="See what is published: ids catalogue search"
    )
