"""Published tables registered anew, from the files of their deliveries as they are and where they lie now."""

from collections.abc import Sequence

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Change
from integrated_data.lake import Step
from integrated_data.model.contract import Mode
from integrated_data.model.delivery import ReleaseState
from integrated_data.model.event import Event
from integrated_data.site.loading import LoadingSite


def register(site: LoadingSite) -> int:
    """Register every published file where it lies now: a lake names its files by paths. Returns how many tables."""
    with site.store.read() as connection:
        datasets = sorted({r.dataset for r in releases.all_current(connection)})
        every = {dataset: releases.of_dataset(connection, dataset) for dataset in datasets}
    for dataset, known in every.items():
        snapshots = site.lake.rebuild(dataset, [step_of(site, r) for r in known], on=releases.bases(known))
        stand(site, known, snapshots=snapshots)
        event = Event("table.registered", site.actor, f"dataset/{dataset}", {"releases": len(known)})
        with site.store.change(event) as change:
            _name(change, known, snapshots=snapshots)
    return len(every)


def stand(site: LoadingSite, known: Sequence[Release], *, snapshots: Sequence[int]) -> None:
    """Make the snapshot of the release that is read the lake's own; `known`: every release of a table, oldest first."""
    held = [s for s, r in zip(snapshots, known, strict=True) if r.state is ReleaseState.STANDING]
    site.lake.stand(known[-1].dataset, held[-1])


def step_of(site: LoadingSite, release: Release) -> Step:
    """What a release did to its table: as it is on record, else as its delivery's contract says."""
    if "without" in release.entry:
        return Step(release.delivery, tuple(release.entry["without"]), tuple(release.entry.get("rewritten", ())))
    with site.store.read() as connection:
        version = deliveries.contract_version(connection, release.delivery)
        body = deliveries.contract_body(connection, release.dataset, version=version)
    whole = body is None or contracts.parse(body).mode is Mode.REPLACE
    return Step(release.delivery, None if whole else (), tuple(release.entry.get("rewritten", ())))


def _name(change: Change, known: list[Release], *, snapshots: list[int]) -> None:
    for release, snapshot in zip(known, snapshots, strict=True):
        releases.rewrite(change, release.id, snapshot=snapshot, entry=release.entry)
