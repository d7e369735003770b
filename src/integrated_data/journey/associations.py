"""Associations: derived anew whenever one of their sources has a newer release, and published like any table."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, indexes, jobs, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Stored
from integrated_data.index.registry import SEATS
from integrated_data.journey.linking import version_folder
from integrated_data.journey.workshop import Workshop
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import Tally
from integrated_data.model.event import Event
from integrated_data.model.linkage import ASSOCIATION
from integrated_data.publish import associations
from integrated_data.publish.associations import ASSOCIATIONS, Association, Observed
from integrated_data.publish.catalogue import Published, entry
from integrated_data.publish.lineage import run_event
from integrated_data.publish.periods import dated
from integrated_data.validate.profile import profile

ROWS, EDGES, ATTRIBUTES = "association_rows", "association_edges", "attributes"


def refresh(workshop: Workshop) -> tuple[str, ...]:
    """Publish every association that some source has a newer release for; returns their datasets.

    It compares what is published with what it was derived from, so that a refresh which was killed
    is made up for by the next one.
    """
    with workshop.store.read() as connection:
        every = releases.all_current(connection)
    made = []
    for association in ASSOCIATIONS:
        sources = [r for r in every if _links(r, association) and not r.dataset.startswith(ASSOCIATION)]
        derived_from = {release.dataset: release.id for release in sources}
        base = next((r for r in every if r.dataset == association.dataset), None)
        if sources and (base is None or base.entry.get("derived_from") != derived_from):
            _publish(workshop, association, sources=sources, base=base)
            made.append(association.dataset)
    return tuple(made)


def _links(release: Release, association: Association) -> bool:
    published = {variable["name"] for variable in release.entry["variables"]}
    return {f"{key}_entity" for key in association.keys} <= published


def _publish(workshop: Workshop, association: Association, *, sources: Sequence[Release], base: Release | None) -> None:
    """Write the edges once, commit their snapshot, and name it."""
    engine, contract = workshop.engine, associations.contract_of(association)
    derived_from = {release.dataset: release.id for release in sources}
    told = json.dumps([association.dataset, derived_from], sort_keys=True)
    delivery = hashlib.sha256(told.encode()).hexdigest()[:16]
    place = workshop.lake.place(association.dataset, delivery)
    observed = [one for release in sources for one in _observed(workshop, association, release=release)]
    try:
        engine.create(ROWS, " UNION ALL ".join(associations.rows_sql(association, one) for one in observed))
        left_out = int(engine.rows(associations.contradictory_sql(ROWS))["n"][0].as_py())
        attributes = _attributes(workshop, association)
        text = associations.edges_sql(association, ROWS, attributes=attributes)
        rows = engine.save(text, place, sealed=False, compression="zstd")
        engine.load(EDGES, Stored((place,), sealed=False))
        made = _entry(workshop, contract, rows=rows)
    finally:
        engine.drop(EDGES, ROWS, ATTRIBUTES, *(one.relation for one in observed))
    made |= {"derived_from": derived_from, "as_at": associations.AS_AT, "contradictory_rows_left_out": left_out}
    snapshot = workshop.lake.commit(
        association.dataset, place, append=False, delivery=delivery, base=base.snapshot if base else None
    )
    _name(workshop, contract, delivery=delivery, snapshot=snapshot, made=made)


def _observed(workshop: Workshop, association: Association, *, release: Release) -> list[Observed]:
    """The deliveries of a source that say something: all of them, each for its own days.

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
        columns = _columns(workshop, place, relation=relation)
        if not {f"{key}_entity" for key in association.keys} <= columns or first == following:
            workshop.engine.drop(relation)
            continue
        when = dated(contract, published=columns)
        last = following - timedelta(days=1) if replaces and following else None
        found.append(Observed(relation, release.dataset, when, first, last))
        if replaces and when.own:
            break
        following = first if replaces else None
    return found


def _columns(workshop: Workshop, place: Path, *, relation: str) -> set[str]:
    if not place.exists():
        return set()
    workshop.engine.load(relation, Stored((place,), sealed=False))
    return set(workshop.engine.columns(relation))


def _attributes(workshop: Workshop, association: Association) -> tuple[str, ...]:
    """View `attributes` of what the right end's index publishes; returns its columns."""
    seat = next(seat for seat in SEATS.values() if seat.definition.key == association.keys[1])
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
