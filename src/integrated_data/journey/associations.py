"""Associations: derived anew whenever a source has a newer release or an index merged or split, and published
like any table. Their ids are those of the index versions of the moment.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.approve.answers import answered
from integrated_data.control import deliveries, indexes, jobs, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Held, Stored
from integrated_data.journey import resolving
from integrated_data.journey.linking import version_folder
from integrated_data.journey.workshop import Workshop
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import Tally
from integrated_data.model.event import Event
from integrated_data.model.linkage import ASSOCIATION, EntityEvent
from integrated_data.publish import associations
from integrated_data.publish.associations import ASSOCIATIONS, Association, Observed
from integrated_data.publish.catalogue import Published, entry
from integrated_data.publish.lineage import run_event
from integrated_data.publish.periods import dated
from integrated_data.validate.profile import profile
from integrated_data.vocabulary.sql import texts

ROWS, EDGES, ATTRIBUTES, HEIRS = "association_rows", "association_edges", "attributes", "association_heirs"


def refresh(workshop: Workshop) -> tuple[str, ...]:
    """Publish every association that has a newer release of some source, or entities that merged or split
    since; returns their datasets.

    It compares what is published with what it was derived from, so that a refresh which was killed
    is made up for by the next one.
    """
    with workshop.store.read() as connection:
        every = releases.all_current(connection)
    made = []
    for association in ASSOCIATIONS:
        sources = [r for r in every if _links(r, association) and not r.dataset.startswith(ASSOCIATION)]
        base = next((r for r in every if r.dataset == association.dataset), None)
        derived = {"derived_from": {r.dataset: r.id for r in sources}, "as_of": _turned(workshop, association)}
        if sources and (base is None or {k: base.entry.get(k) for k in derived} != derived):
            _publish(workshop, association, sources=sources, base=base, derived=derived)
            made.append(association.dataset)
    return tuple(made)


def made_from(workshop: Workshop, datasets: Collection[str]) -> frozenset[str]:
    """The associations that are derived from any of these datasets."""
    with workshop.store.read() as connection:
        every = releases.all_current(connection)
    return frozenset(r.dataset for r in every if set(r.entry.get("derived_from", ())) & set(datasets))


def _turned(workshop: Workshop, association: Association) -> dict[str, int]:
    """By index, the newest version in which entities merged or split."""
    turned = {}
    for index in filter(None, map(partial(resolving.index_of, workshop.seats), association.keys)):
        with workshop.store.read() as connection:
            version = indexes.current(connection, index)
        if version is None:
            continue
        folder = version_folder(workshop.places.indexes, index, version=version.version)
        resolving.load_events(workshop.engine, index, folder=folder)
        events = texts((EntityEvent.ABSORBED, EntityEvent.SPLIT))
        newest = workshop.engine.rows(f"SELECT max(version) AS v FROM {resolving.EVENTS} WHERE event IN {events}")
        workshop.engine.drop(resolving.EVENTS)
        if newest["v"][0].as_py() is not None:
            turned[index] = int(newest["v"][0].as_py())
    return turned


def _links(release: Release, association: Association) -> bool:
    published = {variable["name"] for variable in release.entry["variables"]}
    return {f"{key}_entity" for key in association.keys} <= published


def _publish(
    workshop: Workshop, association: Association, *, sources: Sequence[Release], base: Release | None,
    derived: dict[str, Any],
) -> None:  # fmt: skip
    """Write the edges once, commit their snapshot, and name it."""
    engine, contract = workshop.engine, associations.contract_of(association)
    told = json.dumps([association.dataset, derived], sort_keys=True)
    delivery = hashlib.sha256(told.encode()).hexdigest()[:16]
    place = workshop.lake.place(association.dataset, delivery)
    views: list[str] = []
    try:
        observed = [one for release in sources for one in _observed(workshop, association, release=release, made=views)]
        engine.create(ROWS, " UNION ALL ".join(associations.rows_sql(association, one) for one in observed))
        _succeed(workshop, association)
        left_out = int(engine.rows(associations.contradictory_sql(ROWS))["n"][0].as_py())
        attributes = _attributes(workshop, association)
        edges = associations.edges_sql(association, ROWS, attributes=attributes)
        rows = engine.save(edges, place, sealed=False, compression="zstd")
        engine.load(EDGES, Stored((place,), sealed=False))
        made = _entry(workshop, contract, rows=rows)
    finally:
        engine.drop(EDGES, ROWS, ATTRIBUTES, HEIRS, *reversed(views))
    made |= derived | {"as_at": associations.AS_AT, "contradictory_rows_left_out": left_out}
    snapshot = workshop.lake.commit(
        association.dataset, place, append=False, delivery=delivery, base=base.snapshot if base else None
    )
    _name(workshop, contract, delivery=delivery, snapshot=snapshot, made=made)


def _succeed(workshop: Workshop, association: Association) -> None:
    """Entities that were absorbed give way to those that stand for them, in ROWS."""
    for end, key in zip(("l", "r"), association.keys, strict=True):
        index = resolving.index_of(workshop.seats, key)
        with workshop.store.read() as connection:
            version = indexes.current(connection, index) if index else None
        if index is None or version is None:
            continue
        folder = version_folder(workshop.places.indexes, index, version=version.version)
        heirs = resolving.succession(workshop.engine, index, folder=folder)
        if heirs is not None:
            workshop.engine.load(HEIRS, Held(heirs))
            workshop.engine.create(
                ROWS,
                f"SELECT o.* REPLACE (coalesce(h.new_id, o.{end}) AS {end}) FROM {ROWS} AS o "
                f"LEFT JOIN {HEIRS} AS h ON h.old_id = o.{end}",
            )


def _observed(workshop: Workshop, association: Association, *, release: Release, made: list[str]) -> list[Observed]:
    """The deliveries of a source that say something: all of them, each for its own days; views go to `made`.

    Where a delivery replaces the one before and its rows carry dates of their own, the newest alone:
    it corrects what was said before.
    """
    with workshop.store.read() as connection:
        contract = contracts.parse(deliveries.contract_body(connection, release.dataset) or "")
        received = {d["id"]: date.fromisoformat(d["received_at"][:10])
                    for d in deliveries.of_dataset(connection, release.dataset)}  # fmt: skip
        every = releases.of_dataset(connection, release.dataset)
    found: list[Observed] = []
    replaces, following = contract.mode is Mode.REPLACE, None
    for one in reversed(every):
        relation = f"association_{association.dataset}_{release.dataset}_{one.id}"
        place, first = workshop.lake.place(release.dataset, one.delivery), received[one.delivery]
        columns = _load(workshop, association, place=place, relation=relation, made=made)
        if not {f"{key}_entity" for key in association.keys} <= columns or first == following:
            continue
        when = dated(contract, published=columns)
        last = following - timedelta(days=1) if replaces and following else None
        found.append(Observed(relation, release.dataset, when, first, last))
        if replaces and when.own:
            break
        following = first if replaces else None
    return found


def _load(workshop: Workshop, association: Association, *, place: Path, relation: str, made: list[str]) -> set[str]:
    """Make view `relation` of a published file, with the records of split entities as they were matched again."""
    if not place.exists():
        return set()
    workshop.engine.load(relation, Stored((place,), sealed=False))
    made.append(relation)
    columns = set(workshop.engine.columns(relation))
    answers = {}
    for key in association.keys:
        index = resolving.index_of(workshop.seats, key)
        with workshop.store.read() as connection:
            version = indexes.current(connection, index) if index else None
        if index is not None and version is not None and f"{key}_entity" in columns:
            answers[key] = resolving.answer(workshop, index, version=version.version, files=[place])
    answered(workshop.engine, [place], answers=answers, relation=relation, made=made)
    return columns


def _attributes(workshop: Workshop, association: Association) -> tuple[str, ...]:
    """View `attributes` of what the right end's index publishes; returns its columns."""
    seat = next(seat for seat in workshop.seats.values() if seat.definition.key == association.keys[1])
    with workshop.store.read() as connection:
        version = indexes.current(connection, seat.definition.name)
    if version is None:
        return ()
    folder = version_folder(workshop.places.indexes, seat.definition.name, version=version.version)
    return seat.published(workshop.engine, folder=folder, relation=ATTRIBUTES)


def _entry(workshop: Workshop, contract: Contract, *, rows: int) -> dict[str, Any]:
    profiles = {
        p.name: {k: v for k, v in asdict(p).items() if k != "name" and v not in (None, ())}
        for p in profile(workshop.engine, contract, relation=EDGES)
    }
    columns = workshop.engine.columns(EDGES)
    return entry(contract, Published(columns, rows, Tally(rows, rows, 0), profile=profiles))


def _name(workshop: Workshop, contract: Contract, *, delivery: str, snapshot: int, made: dict[str, Any]) -> None:
    """From here on the release exists for readers."""
    dataset, job = contract.dataset, f"associate/{delivery}"
    facts = {"rows": made["rows"], "derived_from": made["derived_from"]}
    about = {"owner": contract.owner, "title": contract.title, "inferred": False}
    with workshop.store.change(Event("association.published", workshop.actor, f"dataset/{dataset}", facts)) as change:
        body = contracts.dump(contract)
        deliveries.save_contract(change, dataset=dataset, version=contract.version, body=body, about=about)
        releases.name_snapshot(change, dataset=dataset, delivery=delivery, snapshot=snapshot, entry=made)
        inputs = tuple(f"dataset/{source}" for source in made["derived_from"])
        event = run_event(
            job, "associate", at=change.at, inputs=inputs, outputs=(f"dataset/{dataset}",), facts={"rows": made["rows"]}
        )
        jobs.lineage(change, job, body=event)
