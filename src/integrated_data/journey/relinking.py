"""Relinking: after a new index version, only the records it leaves in doubt are matched again.

A record that was linked to an entity which lost records to another one may be either of the two. It
is matched again, from its sealed row and with the model of its dataset, to the version that split
the entity; the links found are a set of their own beside the first one, which stays as it was. So
are the links of records on which a person decided since. Those that are nobody of the index now get
provisional entities, as they would in a delivery. Entities that merged need none of this:
succession answers for them.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, indexes, releases
from integrated_data.control.indexes import LinkSet
from integrated_data.control.store import Change
from integrated_data.engine import Held, Stored
from integrated_data.index import life
from integrated_data.index.records import Records
from integrated_data.index.seat import Matching, Tools
from integrated_data.journey import checking, provisional, resolving
from integrated_data.journey.binding import bind, decided_on
from integrated_data.journey.linking import (
    LINKS,
    TELLING,
    match_records,
    models_folder,
    records_by_row,
    version_folder,
)
from integrated_data.journey.workshop import Facts, Workshop
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.linkage import LINK_COLUMNS, Band, EntityEvent
from integrated_data.vocabulary.sql import name, names, text

#: Tables of the links a delivery stands with, of its records in doubt, and of links that people changed.
STANDING, AGAIN, DECIDED = "standing_links", "matched_again", "links_decided"
RELINKED = "relinked_links"
_NAMED, _UNBOUND = "records_decided_on", "links_before_decision"
_FREED, _ASKED = "records_freed", "links_of_freed"


@dataclass(frozen=True)
class Touched:
    """What an index version does to one delivery of a current release.

    `merged`: linked records whose entity another one stands for from this version on; `again`: records
    that must be matched again; `decided`: others whose link is not as people decided.
    """

    dataset: str
    delivery: str
    merged: int
    again: int
    decided: int


def touched(
    workshop: Workshop, index: str, *, version: int, of: Sequence[releases.Release] | None = None
) -> list[Touched]:
    """The deliveries behind what is published now, or behind releases `of`, that a version's changes touch."""
    folder = version_folder(workshop.places.indexes, index, version=version)
    resolving.load_events(workshop.engine, index, folder=folder)
    try:
        turned = _count(workshop, f"SELECT * FROM {resolving.EVENTS} WHERE event IN ({_TURNS})")
        if not turned and not workshop.rulings(index=index).num_rows:
            return []
        found = [
            _touched(workshop, release.dataset, sets=sets, version=version)
            for release, sets in _linked(workshop, index, version=version, of=of)
        ]
    finally:
        workshop.engine.drop(resolving.EVENTS)
    return [one for one in found if one.merged or one.again or one.decided]


_TURNS = ", ".join(text(event) for event in (EntityEvent.ABSORBED, EntityEvent.SPLIT))


def current(workshop: Workshop) -> frozenset[str]:
    """Deliveries behind what is published now."""
    with workshop.store.read() as connection:
        found = releases.all_current(connection)
    files = [f for r in found for f in workshop.lake.files(r.dataset, r.snapshot)]
    return frozenset(workshop.lake.delivery_of(f) for f in files)


def _linked(
    workshop: Workshop, index: str, *, version: int, of: Sequence[releases.Release] | None
) -> list[tuple[releases.Release, list[LinkSet]]]:
    """Deliveries of releases that were linked to an earlier version, with their link sets till then."""
    with workshop.store.read() as connection:
        found = []
        for release in releases.all_current(connection) if of is None else of:
            for file in workshop.lake.files(release.dataset, release.snapshot):
                known = indexes.links_of(connection, workshop.lake.delivery_of(file), index=index)
                before = [s for s in known if s.index_version < version]
                if before:
                    found.append((release, before))
    return found


def _touched(workshop: Workshop, dataset: str, *, sets: list[LinkSet], version: int) -> Touched:
    made = _load_standing(workshop, sets)
    try:
        merged = _count(workshop, f"SELECT * FROM {STANDING} SEMI JOIN ({_merging_sql(version)}) USING (entity_id)")
        workshop.engine.create(AGAIN, _again_sql(sets))
        again = _count(workshop, f"SELECT * FROM {AGAIN}")
        _load_decided(workshop, sets[0], version=version)
        decided = _count(workshop, f"SELECT * FROM {DECIDED}")
    finally:
        workshop.engine.drop(DECIDED, AGAIN, *reversed(made))
    return Touched(dataset, sets[0].delivery, merged, again, decided)


def _count(workshop: Workshop, select: str) -> int:
    return int(workshop.engine.rows(f"SELECT count(*) AS n FROM ({select})")["n"][0].as_py())


def _load_standing(workshop: Workshop, sets: list[LinkSet]) -> list[str]:
    """View STANDING (LINK_COLUMNS, since): each record's link, from its newest set; nothing is copied.

    Returns what it made, to be dropped from the end.
    """
    parts: list[str] = []
    made: list[str] = []
    for one in reversed(sets):
        passed = " ".join(f"ANTI JOIN {name(newer)} USING (record_id)" for newer in made)
        made.append(f"{STANDING}_{one.index_version}")
        workshop.engine.load(made[-1], Stored((resolving.place_of(workshop, one),)))
        parts.append(f"SELECT {names(LINK_COLUMNS)}, {one.index_version} AS since FROM {name(made[-1])} {passed}")
    workshop.engine.view(STANDING, " UNION ALL ".join(parts))
    return [*made, STANDING]


def _merging_sql(version: int) -> str:
    """Ids (entity_id) for which another entity stands from a version on, or another than before."""
    absorbed = f"SELECT entity_id, other_id, version FROM {resolving.EVENTS} WHERE event = {text(EntityEvent.ABSORBED)}"
    return (
        f"WITH RECURSIVE step AS ({absorbed}), back AS (SELECT entity_id FROM step WHERE version = {version} "
        "UNION SELECT s.entity_id FROM step AS s JOIN back AS b ON s.other_id = b.entity_id) SELECT * FROM back"
    )


def _again_sql(sets: list[LinkSet]) -> str:
    """Records (record_id) whose entity, or the one that stands for it, lost records since they were linked."""
    return " UNION ALL ".join(
        f"SELECT record_id FROM {STANDING} SEMI JOIN ({life.unsettled_sql(resolving.EVENTS, s.index_version)}) "
        f"USING (entity_id) WHERE since = {s.index_version}"
        for s in sets
    )


def _load_decided(workshop: Workshop, links: LinkSet, *, version: int) -> None:
    """Table DECIDED (LINK_COLUMNS): links that a decision changes, of records not in AGAIN.

    `links`: any set of the delivery. Decisions are held against STANDING as `version` has it.
    """
    engine, columns = workshop.engine, names(LINK_COLUMNS)
    folder = version_folder(workshop.places.indexes, links.index, version=version)
    ruled = decided_on(workshop.rulings(index=links.index), dataset=links.dataset)
    records = _records(workshop, links.index, delivery=links.delivery) if ruled.num_rows else None
    if records is None or records.own is None:
        engine.create(DECIDED, f"SELECT {columns} FROM {STANDING} WHERE FALSE")
        return
    try:
        engine.load(_NAMED, Held(ruled.select(["own_id"])))
        engine.create(
            _UNBOUND,
            f"SELECT {columns} FROM (SELECT s.* REPLACE (coalesce(n.new_id, s.entity_id) AS entity_id) "
            f"FROM {STANDING} AS s LEFT JOIN ({life.succession_sql(resolving.EVENTS)}) AS n ON n.old_id = s.entity_id) "
            f"SEMI JOIN (SELECT record_id FROM ({records.own}) SEMI JOIN {_NAMED} USING (own_id)) USING (record_id) "
            f"ANTI JOIN {AGAIN} USING (record_id)",
        )
        engine.create(DECIDED, f"SELECT * FROM {_UNBOUND}")
        bind(workshop, records, index=links.index, folder=folder, links=DECIDED)
        engine.create(DECIDED, f"SELECT {columns} FROM {DECIDED} EXCEPT SELECT {columns} FROM {_UNBOUND}")
    finally:
        engine.drop(_UNBOUND, _NAMED)


def _records(workshop: Workshop, index: str, *, delivery: str) -> Records:
    """A delivery's good rows as the index matches them, from the sealed checked file."""
    checked = workshop.places.deliveries / delivery / "checked.parquet"
    if not checked.exists():
        raise DeliveryRefusal(
            f"The checked rows of delivery {delivery} are not there, so its records cannot be matched again",
            next_step="Restore them from a backup, or deliver the dataset again",
        )
    contract = _contract(workshop, delivery)
    checking.load_good(workshop.engine, contract, place=checked)
    return records_by_row(workshop, contract, use=_use(contract, index), good=checking.GOOD)


def _contract(workshop: Workshop, delivery: str) -> Contract:
    with workshop.store.read() as connection:
        dataset, version = (
            deliveries.get(connection, delivery).dataset,
            deliveries.contract_version(connection, delivery),
        )
        return contracts.parse(deliveries.contract_body(connection, dataset, version=version) or "")


def relink(
    workshop: Workshop, index: str, *, version: int, delivery: str
) -> tuple[Facts, Callable[[Change], None]]:  # fmt: skip
    """Match a delivery's records in doubt to a version again and save their links, and those that people
    changed; they count once written down. Doing it twice leaves the same.
    """
    with workshop.store.read() as connection:
        sets = [s for s in indexes.links_of(connection, delivery, index=index) if s.index_version < version]
    folder = version_folder(workshop.places.indexes, index, version=version)
    resolving.load_events(workshop.engine, index, folder=folder)
    place = f"deliveries/{delivery}/links-{index}-v{version:04d}.parquet"
    made: list[str] = []
    try:
        made += _load_standing(workshop, sets)
        workshop.engine.create(AGAIN, _again_sql(sets))
        _load_decided(workshop, sets[0], version=version)
        use = _use(_contract(workshop, delivery), index)
        report = _match(workshop, sets[0], use=use, folder=folder)
        decided = f"SELECT {names(LINK_COLUMNS)} FROM {DECIDED}"
        workshop.engine.create(RELINKED, f"{_kept_sql(use)} UNION ALL {decided}")
        links, found = _place_freed(workshop, sets[0], use=use, version=version)
        rows = workshop.engine.save(f"SELECT * FROM {links}", workshop.places.deliveries.parent / place)
    finally:
        workshop.engine.drop(provisional.PLACED, RELINKED, LINKS, DECIDED, AGAIN, *reversed(made), resolving.EVENTS)
    report |= found.pop("report", {})
    facts: Facts = {"delivery": delivery, "dataset": sets[0].dataset, "records": rows, "report": report}

    def write(change: Change) -> None:
        known = deliveries.get(change.connection, delivery)
        provisional.write(change, workshop, delivery=known, made={index: found})
        about = {"index_version": version, "place": place, "report": report, "whole": False}
        indexes.save_links(change, delivery=delivery, dataset=sets[0].dataset, index=index, about=about)

    return facts, write


def _match(workshop: Workshop, links: LinkSet, *, use: IndexUse, folder: Path) -> Facts:
    """Make table LINKS of the records in AGAIN, by the stored model of their dataset.

    Where no stored model fits, one is trained on the whole delivery: a few records teach nothing.
    """
    if not _count(workshop, f"SELECT * FROM {AGAIN}"):
        workshop.engine.create(LINKS, f"SELECT {names(LINK_COLUMNS)} FROM {DECIDED} WHERE FALSE")
        return {"records": 0}
    records = _records(workshop, links.index, delivery=links.delivery)
    models = models_folder(workshop, links.index, dataset=links.dataset)
    doubtful = f"SELECT * FROM ({records.sql}) SEMI JOIN {AGAIN} USING (record_id)"
    with tempfile.TemporaryDirectory(prefix="relink-", dir=workshop.places.scratch) as aside:
        tried = Path(aside) / "models"
        if models.is_dir():
            shutil.copytree(models, tried)
        report = match_records(workshop, replace(records, sql=doubtful), use=use, folder=folder, models=tried)
    if report.get("trained_now"):
        report = match_records(workshop, records, use=use, folder=folder, models=models)
    return report


def _place_freed(workshop: Workshop, links: LinkSet, *, use: IndexUse, version: int) -> tuple[str, Facts]:
    """Give records of table RELINKED that are nobody of the index now provisional entities, as a delivery's are.

    Returns the table of links to keep, and what is to be written down (see `provisional.place`).
    """
    engine, seat = workshop.engine, workshop.seats.of(links.index)
    freed = f"SELECT record_id FROM {RELINKED} WHERE band = {text(Band.NONE)}"
    if not seat.definition.provisional or not _count(workshop, freed):
        return RELINKED, {}
    folder = version_folder(workshop.places.indexes, links.index, version=version)
    records, models = (
        _records(workshop, links.index, delivery=links.delivery),
        models_folder(workshop, links.index, dataset=links.dataset),
    )
    with workshop.store.read() as connection:
        delivery = deliveries.get(connection, links.delivery)
    try:
        engine.create(_FREED, f"SELECT * FROM ({records.sql}) SEMI JOIN ({freed}) USING (record_id)")
        matching = Matching(_FREED, _ASKED, models=models, columns=records.columns, residual=True, telling=TELLING)
        seat.match(Tools(engine, workshop.linker), matching, folder=folder)
        put = provisional.Put(delivery, use, records, _FREED, RELINKED, TELLING, folder, models, again=version)
        return provisional.PLACED, provisional.place(workshop, put)
    finally:
        engine.drop(_FREED, _ASKED, TELLING)


def _use(contract: Contract, index: str) -> IndexUse:
    return next((u for u in contract.indexes if u.index == index), IndexUse(index))


def _kept_sql(use: IndexUse) -> str:
    """The links of the records in AGAIN; where no two records may be one entity, none that another record holds."""
    links = f"SELECT {names(LINK_COLUMNS)} FROM {LINKS} SEMI JOIN {AGAIN} USING (record_id)"
    if not use.one_to_one:
        return links
    held = f"SELECT entity_id FROM {STANDING} ANTI JOIN {AGAIN} USING (record_id)"
    taken = f"entity_id IN (SELECT entity_id FROM ({held}))"
    return (
        f"SELECT * REPLACE (CASE WHEN {taken} THEN NULL ELSE entity_id END AS entity_id, "
        f"CASE WHEN {taken} THEN entity_id ELSE candidate_id END AS candidate_id, "
        f"CASE WHEN {taken} THEN {text(Band.CLERICAL)} ELSE band END AS band) FROM ({links})"
    )


def as_facts(found: list[Touched]) -> list[Facts]:
    """What was touched, as plain values."""
    return [asdict(one) for one in found]
