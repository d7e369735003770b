"""Associations: derived anew whenever a source has a newer release, an index merged or split, or boundaries have a
new edition, and published like any table. Their ids are those of the index versions of the moment.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from integrated_data.control import indexes, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Held, Stored
from integrated_data.journey import derived, resolving
from integrated_data.journey.linking import version_folder
from integrated_data.journey.workshop import Workshop
from integrated_data.model.linkage import DERIVED, EntityEvent
from integrated_data.publish import associations
from integrated_data.publish.associations import ASSOCIATIONS, Association
from integrated_data.vocabulary.sql import texts

ROWS, EDGES, ATTRIBUTES, HEIRS = "association_rows", "association_edges", "attributes", "association_heirs"


def refresh(workshop: Workshop) -> tuple[str, ...]:
    """Publish every association that has a newer release of some source, entities that merged or split, or areas
    that changed since; returns their datasets.

    It compares what is published with what it was derived from, so that a refresh which was killed
    is made up for by the next one.
    """
    with workshop.store.read() as connection:
        every = releases.all_current(connection)
    made = []
    for association in ASSOCIATIONS:
        sources = [r for r in every if derived.links(r, association.keys) and not r.dataset.startswith(DERIVED)]
        base = next((r for r in every if r.dataset == association.dataset), None)
        made_of: dict[str, Any] = {
            "derived_from": {r.dataset: r.id for r in sources}, "as_of": _turned(workshop, association),
            "editions_of": _editions(workshop, association), **derived.expired(workshop),
        }  # fmt: skip
        if sources and (base is None or {k: base.entry.get(k) for k in made_of} != made_of):
            _publish(workshop, association, sources=sources, base=base, made_of=made_of)
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


def _editions(workshop: Workshop, association: Association) -> dict[str, int]:
    """By index, the version whose editions of areas date the edges."""
    index = resolving.index_of(workshop.seats, association.keys[1])
    if not association.editions or index is None:
        return {}
    with workshop.store.read() as connection:
        version = indexes.current(connection, index)
    return {index: version.version} if version is not None else {}


def _publish(
    workshop: Workshop, association: Association, *, sources: Sequence[Release], base: Release | None,
    made_of: dict[str, Any],
) -> None:  # fmt: skip
    """Write the edges once, and publish them."""
    engine, contract = workshop.engine, associations.contract_of(association)
    delivery = derived.delivery_of(association.dataset, made_of)
    if derived.stands_again(workshop, association.dataset, delivery=delivery, base=base):
        return
    place = workshop.lake.place(association.dataset, delivery)
    views: list[str] = []
    try:
        observed = [
            one
            for r in sources
            for one in derived.observed(workshop, association.keys, dataset=association.dataset, release=r, made=views)
        ]
        engine.create(ROWS, " UNION ALL ".join(associations.rows_sql(association, one) for one in observed))
        _succeed(workshop, association)
        left_out = int(engine.rows(associations.contradictory_sql(ROWS))["n"][0].as_py())
        attributes = _attributes(workshop, association)
        edges = associations.edges_sql(association, ROWS, attributes=attributes)
        rows = engine.save(edges, place, sealed=False)
        engine.load(EDGES, Stored((place,), sealed=False))
        made = derived.entry_of(workshop, contract, relation=EDGES, rows=rows)
    finally:
        engine.drop(EDGES, ROWS, ATTRIBUTES, HEIRS, *reversed(views))
    made |= made_of | {"as_at": associations.AS_AT, "contradictory_rows_left_out": left_out}
    derived.publish(workshop, contract, delivery=delivery, made=made)


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


def _attributes(workshop: Workshop, association: Association) -> tuple[str, ...]:
    """View `attributes` of what the right end's index publishes; returns its columns."""
    seat = next(seat for seat in workshop.seats.values() if seat.definition.key == association.keys[1])
    with workshop.store.read() as connection:
        version = indexes.current(connection, seat.definition.name)
    if version is None:
        return ()
    folder = version_folder(workshop.places.indexes, seat.definition.name, version=version.version)
    return seat.published(workshop.engine, folder=folder, relation=ATTRIBUTES)
