"""Who is alive and resident when: derived anew whenever a source has a newer release or the Demographic Index
a newer version, and published like any table. The ids are those of that version.
"""

from typing import Any

from integrated_data.control import indexes, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Held, Stored
from integrated_data.journey import derived, resolving
from integrated_data.journey.linking import version_folder
from integrated_data.journey.workshop import Workshop
from integrated_data.model.linkage import DERIVED, PRESENCE
from integrated_data.publish import associations, presence
from integrated_data.publish.presence import KEY, Days, Witness
from integrated_data.vocabulary.sql import name

EVIDENCE, HEIRS, SPANS, INDEXED = "presence_evidence", "presence_heirs", "presence_spans", "presence_index"


def refresh(workshop: Workshop) -> tuple[str, ...]:
    """Publish the dataset where it is not of the newest version and releases; returns its name then."""
    index = resolving.index_of(workshop.seats, KEY)
    with workshop.store.read() as connection:
        every = releases.all_current(connection)
        version = indexes.current(connection, index) if index else None
    if index is None or version is None:
        return ()
    sources = [r for r in every if derived.links(r, (KEY,)) and not r.dataset.startswith(DERIVED) and _dates(r)]
    base = next((r for r in every if r.dataset == PRESENCE), None)
    made_of = {"derived_from": {r.dataset: r.id for r in sources}, "as_of": {index: version.version}}
    made_of |= derived.expired(workshop)
    if base is not None and {k: base.entry.get(k) for k in made_of} == made_of:
        return ()
    return (PRESENCE,) if _publish(workshop, index, sources=sources, base=base, made_of=made_of) else ()


def _dates(release: Release) -> bool:
    """Whether rows of a release say when."""
    return any(variable["meaning"] in presence.TELLING for variable in release.entry["variables"])


def _publish(
    workshop: Workshop, index: str, *, sources: list[Release], base: Release | None, made_of: dict[str, Any]
) -> bool:
    """Write the spans once, and publish them; nothing where no source ever said anything."""
    engine, contract = workshop.engine, presence.contract()
    delivery = derived.delivery_of(PRESENCE, made_of)
    if derived.stands_again(workshop, PRESENCE, delivery=delivery, base=base):
        return True
    place = workshop.lake.place(PRESENCE, delivery)
    folder = version_folder(workshop.places.indexes, index, version=made_of["as_of"][index])
    laid = workshop.seats.of(index).laid(engine, folder=folder, prefix=INDEXED)
    views: list[str] = []
    try:
        said = [_indexed(laid.attributes)]
        for release in sources:
            said += _delivered(workshop, release, made=views)
        told = [sql for witness in said if (sql := presence.evidence_sql(witness))]
        engine.create(EVIDENCE, " UNION ALL ".join(told) or presence.NO_EVIDENCE)
        if base is None and not engine.rows(f"SELECT 1 FROM {EVIDENCE} LIMIT 1").num_rows:
            return False
        _succeed(workshop, index)
        rows = engine.save(presence.presence_sql(EVIDENCE), place, sealed=False)
        engine.load(SPANS, Stored((place,), sealed=False))
        made = derived.entry_of(workshop, contract, relation=SPANS, rows=rows)
    finally:
        laid.drop(engine)
        engine.drop(SPANS, EVIDENCE, HEIRS, *reversed(views))
    made |= made_of | {"as_at": associations.AS_AT}
    derived.publish(workshop, contract, delivery=delivery, made=made)
    return True


def _indexed(held: tuple[str, ...]) -> Witness:
    """What sources of the index say now of people's records."""
    death, start, end, contact = (
        str(m) if str(m) in held else None
        for m in ("date_of_death", "registered_from", "registered_to", "last_contact")
    )
    spoken = "CASE WHEN recorded_to IS NULL THEN try_cast(left(recorded_from, 10) AS DATE) END"
    return Witness(f"{INDEXED}_attributes", "entity_id", spoken, Days(death, start, end, contact))


def _delivered(workshop: Workshop, release: Release, *, made: list[str]) -> list[Witness]:
    """What published rows of a dataset say of the people they link to."""
    promised = derived.contract_of(workshop, release.dataset)
    return [
        Witness(
            one.relation, f"{KEY}_entity", presence.first_day(one.first),
            presence.published_days(promised, columns=set(workshop.engine.columns(one.relation))), one.dated,
            name(f"{KEY}_link_probability"), name(f"{KEY}_link_method"),
        )
        for one in derived.observed(workshop, (KEY,), dataset=PRESENCE, release=release, made=made)
    ]  # fmt: skip


def _succeed(workshop: Workshop, index: str) -> None:
    """People who were absorbed give way to those who stand for them."""
    with workshop.store.read() as connection:
        version = indexes.get(connection, index)
    folder = version_folder(workshop.places.indexes, index, version=version.version)
    heirs = resolving.succession(workshop.engine, index, folder=folder)
    if heirs is not None:
        workshop.engine.load(HEIRS, Held(heirs))
        workshop.engine.create(
            EVIDENCE,
            f"SELECT e.* REPLACE (coalesce(h.new_id, e.entity) AS entity) FROM {EVIDENCE} AS e "
            f"LEFT JOIN {HEIRS} AS h ON h.old_id = e.entity",
        )
