"""What datasets that the service derives share: the deliveries they read, their identity, how they are named."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.approve.answers import answered
from integrated_data.control import deliveries, indexes, jobs, releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Change, recorded
from integrated_data.engine import Stored
from integrated_data.journey import branching, profiling, resolving
from integrated_data.journey.workshop import Workshop
from integrated_data.lake import Step
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import ReleaseState, Tally
from integrated_data.model.event import Event
from integrated_data.publish import lineage
from integrated_data.publish.associations import Observed
from integrated_data.publish.catalogue import Published, entry
from integrated_data.publish.periods import dated
from integrated_data.validate.profile import profile

#: Action of the audit chain by which the removal of a dataset whose time is over begins.
EXPIRY_BEGUN = "retention.begun"


def contract_of(workshop: Workshop, dataset: str) -> Contract:
    """The contract of a published dataset."""
    with workshop.store.read() as connection:
        return contracts.parse(deliveries.contract_body(connection, dataset) or "")


def links(release: Release, keys: Sequence[str]) -> bool:
    """Whether the rows of a release link to the indexes of all these keys."""
    published = {variable["name"] for variable in release.entry["variables"]}
    return {f"{key}_entity" for key in keys} <= published


def delivery_of(dataset: str, derived: dict[str, Any]) -> str:
    """What stands for the delivery of a derived dataset: the same for the same sources."""
    told = json.dumps([dataset, derived], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def observed(
    workshop: Workshop, keys: Sequence[str], *, dataset: str, release: Release, made: list[str]
) -> list[Observed]:
    """The deliveries of a source that say something of all `keys`, each for its own days; views, named after the
    `dataset` derived from them, go to `made`.

    Where a delivery replaces the one before and its rows carry dates of their own, the newest alone:
    it corrects what was said before.
    """
    contract = contract_of(workshop, release.dataset)
    with workshop.store.read() as connection:
        received = {d["id"]: date.fromisoformat(d["received_at"][:10])
                    for d in deliveries.of_dataset(connection, release.dataset)}  # fmt: skip
        every = releases.line(connection, release.dataset)
    found: list[Observed] = []
    replaces, following = contract.mode in (Mode.REPLACE, Mode.SNAPSHOT), None
    restated = {name for r in every for name in r.entry.get("without", ())} if contract.mode is not Mode.CHANGES else ()
    for group in reversed(_groups(every)):
        known, first = len(found), received[group[0]]
        if first == following:
            continue
        last = following - timedelta(days=1) if replaces and following else None
        for delivery in group:
            if f"{delivery}.parquet" in restated:
                continue
            place, relation = (
                workshop.lake.place(release.dataset, delivery),
                f"{dataset}_of_{release.dataset}_{delivery}",
            )
            columns = _load(workshop, keys, place=place, relation=relation, made=made)
            if {f"{key}_entity" for key in keys} <= columns:
                when = dated(contract, published=columns)
                found.append(Observed(relation, release.dataset, when, first, last))
        if len(found) == known:
            continue
        if contract.mode is Mode.REPLACE and found[-1].dated.own:
            break
        following = first if replaces else None
    return found


def _groups(every: Sequence[Release]) -> list[list[str]]:
    """Deliveries of the releases of a table, oldest first: each with those that completed it, for its day."""
    groups: dict[str, list[str]] = {}
    for one in every:
        groups.setdefault(one.entry.get("completes", one.delivery), []).append(one.delivery)
    return [[first, *(d for d in group if d != first)] for first, group in groups.items()]


def _load(workshop: Workshop, keys: Sequence[str], *, place: Path, relation: str, made: list[str]) -> set[str]:
    """Make view `relation` of a published file, with the records of split entities as they were matched again."""
    if not place.exists():
        return set()
    workshop.engine.load(relation, Stored((place,), sealed=False))
    made.append(relation)
    columns = set(workshop.engine.columns(relation))
    answers = {}
    for key in keys:
        index = resolving.index_of(workshop.seats, key)
        with workshop.store.read() as connection:
            version = indexes.current(connection, index) if index else None
        if index is not None and version is not None and f"{key}_entity" in columns:
            answers[key] = resolving.answer(workshop, index, version=version.version, files=[place])
    answered(workshop.engine, [place], answers=answers, relation=relation, made=made)
    return columns


def profiles_of(
    workshop: Workshop, dataset: str, *, files: Sequence[Path], newest: Sequence[Path], withheld: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The profile of every column of a table's files, as a catalogue entry tells it (see `profiling.profiles`)."""
    relation, rows = "profiled_table", workshop.lake.rows(dataset, [file.name for file in files])
    workshop.engine.load(relation, Stored(tuple(files), sealed=False))
    try:
        table = profiling.Table(relation, rows, files, newest)
        return profiling.profiles(workshop.engine, contract_of(workshop, dataset), table=table, withheld=withheld)
    finally:
        workshop.engine.drop(relation)


def entry_of(workshop: Workshop, contract: Contract, *, relation: str, rows: int) -> dict[str, Any]:
    """The catalogue entry of a derived dataset whose rows are in `relation`."""
    profiles = profiling.plain(profile(workshop.engine, contract, relation=relation))
    columns = workshop.engine.columns(relation)
    return entry(contract, Published(columns, rows, Tally(rows, rows, 0), profile=profiles))


def expired(workshop: Workshop) -> dict[str, Any]:
    """What a derived dataset is made without: how often data of a dataset that indexes held were removed."""
    with workshop.store.read() as connection:
        begun = [r for r in recorded(connection, EXPIRY_BEGUN) if r.facts.get("indexed")]
    counts = Counter(r.subject.partition("/")[2] for r in begun)
    return {"without_expired": dict(sorted(counts.items()))} if counts else {}


def stands_again(workshop: Workshop, dataset: str, *, delivery: str, base: Release | None) -> bool:
    """Whether a derived release of the same sources is published already: then it is what is read from here on.

    So it is where a source was taken back to an earlier release, and forward again.
    """
    with workshop.store.read() as connection:
        found = releases.of_delivery(connection, delivery)
    if found is None or found.state is ReleaseState.EXPIRED or base is None:
        return False
    action = releases.ROLLED_BACK if found.id < base.id else releases.ROLLED_FORWARD
    facts = {"from": base.id, "reason": "its sources are at another release"}
    with workshop.lake.alone(dataset):
        branching.stand(workshop, found, event=Event(action, workshop.actor, f"dataset/{dataset}", facts))
    return True


def publish(workshop: Workshop, contract: Contract, *, delivery: str, made: dict[str, Any]) -> None:
    """Make what was written at the delivery's place the dataset's next release, with this catalogue entry."""
    dataset = contract.dataset
    with branching.adding(workshop, dataset):
        with workshop.store.read() as connection:
            base = releases.current(connection, dataset)
        if base is not None and base.delivery == delivery:
            return  # somebody who made the same was sooner
        snapshot = workshop.lake.commit(dataset, Step(delivery), base=base.snapshot if base else None)
        _name(workshop, contract, delivery=delivery, snapshot=snapshot, made=made)


def _name(workshop: Workshop, contract: Contract, *, delivery: str, snapshot: int, made: dict[str, Any]) -> None:
    """From here on the release exists for readers."""
    dataset, job = contract.dataset, f"derive/{delivery}"
    facts = {"rows": made["rows"], "derived_from": made["derived_from"]}
    about = {"owner": contract.owner, "title": contract.title, "inferred": False}
    with workshop.store.change(Event("derived.published", workshop.actor, f"dataset/{dataset}", facts)) as change:
        body = contracts.dump(contract)
        deliveries.save_contract(change, dataset=dataset, version=contract.version, body=body, about=about)
        releases.name_snapshot(change, dataset=dataset, delivery=delivery, snapshot=snapshot, entry=made)
        _tell(change, lineage.Run(job, f"derive/{dataset}"), made=made)


def _tell(change: Change, run: lineage.Run, *, made: dict[str, Any]) -> None:
    """Tell lineage from what a derived dataset was made."""
    columns = {v["name"]: v["type"] for v in made["variables"]}
    facets = {"schema": lineage.schema(columns)}
    did = {"outputStatistics": lineage.statistics(made["rows"])}
    read = [lineage.Table(f"dataset/{source}") for source in made["derived_from"]]
    out = [lineage.Table(f"dataset/{made['dataset']}", facets, did)]
    start, end = lineage.of_step(run, "derive", times=(change.at, change.at), tables=(read, out))
    began, ended = (lineage.of_run(run, kind, at=change.at) for kind in (lineage.Kind.START, lineage.Kind.COMPLETE))
    jobs.lineage(change, run.job, bodies=[began, start, end, ended])
