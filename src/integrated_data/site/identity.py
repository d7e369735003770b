"""Identity over time, on the loading side: an entity's history, what changed between versions, decisions on links."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.control import decisions, deliveries, grants, indexes, projects
from integrated_data.control.decisions import Side
from integrated_data.control.indexes import IndexVersion, LinkSet
from integrated_data.engine import Stored
from integrated_data.index.past import TIMES, History
from integrated_data.journey import deciding, relinking, resolving
from integrated_data.journey.linking import version_folder
from integrated_data.journey.provisional import chain_of
from integrated_data.model.errors import IndexRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import EntityEvent, LinkDecision
from integrated_data.model.meanings import Meaning
from integrated_data.site.loading import LoadingSite
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.rulings import seal
from integrated_data.vocabulary.sql import name, text

CHANGES, MEMBERS, LINKS, LINE = "changes_between", "members_of", "links_seen", "succession_before"

#: Ids that a report of changes lists of each kind.
SHOWN = 100

#: What a link to an entity no longer says when one of these happens to it: its key changes.
REKEYS = (EntityEvent.ABSORBED, EntityEvent.SPLIT)


@dataclass(frozen=True)
class Look:
    """Who wants to see an entity's identified values, why, and which; all that there are when `fields` is empty."""

    by: str
    reason: str
    fields: tuple[str, ...] = ()


def history(
    site: LoadingSite, entity_id: int, *, as_at: date | None = None, look: Look | None = None
) -> dict[str, Any]:
    """What happened to an entity, by the index that holds its id, now or as a past day's version knew it.

    With `look`, also its records and what each source said of it and when: identified values, so that
    every look is an audit event. Show them to that person and keep no copy.
    """
    if look is not None and not look.reason.strip():
        raise IndexRefusal("No reason was given to see identified values", next_step="Add --reason TEXT")
    index, version, found = _found(site, entity_id, as_at=as_at)
    told: dict[str, Any] = {
        "index": index, "entity": str(entity_id), "as_at_version": version.version, "recorded": version.at,
        "status": found.status,
        "stands_for_it": str(found.stands_for_it) if found.stands_for_it is not None else None,
        "events": [_shown(e) for e in found.events], "records": sum(found.sources.values()),
    }  # fmt: skip
    if look is None:
        return told
    periods = [_said(p, look.fields) for p in found.periods]
    facts = {
        "entity": str(entity_id), "version": version.version, "reason": look.reason,
        "fields": sorted({f for p in periods for f in p} - set(TIMES)), "periods": len(periods),
    }  # fmt: skip
    site.store.record(Event("entity.seen", look.by, f"index/{index}", facts))
    records = [{"source": s, "record_id": r} for s, r in found.records]
    chosen = [dict(b) for b in found.best if not look.fields or b["attribute"] in look.fields]
    return told | {"sources": dict(found.sources), "record_ids": records, "best": chosen, "periods": periods}


def _found(site: LoadingSite, entity_id: int, *, as_at: date | None) -> tuple[str, IndexVersion, History]:
    """The index that holds an id, or else whose provisional entities do; ids are never reused.

    An entity that an index took over from its provisional ones is there for the days before.
    """
    with site.store.read() as connection:
        every = [*((i, i) for i in site.seats), *((chain_of(i), i) for i in site.seats)]
        newest = {line: (of, v) for line, of in every if (v := indexes.current(connection, line)) is not None}
    refusals: list[IndexRefusal] = []
    for line, (of, current) in newest.items():
        found = site.seats.of(of).history(site.engine, folder=_folder(site, current), entity_id=entity_id)
        if found is not None and as_at is None:
            return line, current, found
        if found is None or as_at is None:
            continue
        try:
            return line, *_then(site, line, found=found, as_at=as_at)
        except IndexRefusal as refusal:
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
    raise IndexRefusal(
        "No index holds an entity of this id",
        why="It was never given to one, or its index is of another installation",
        next_step="Take the id from a link or from ids reference changes INDEX --from V --to V",
    )


def _then(site: LoadingSite, line: str, *, found: History, as_at: date) -> tuple[IndexVersion, History]:
    """An entity as a past day's version knew it; refuses a day on which there was no such version or entity."""
    with site.store.read() as connection:
        version = indexes.as_at(connection, line, day=as_at, today=site.store.now().date())
    index = line.split(".", maxsplit=1)[0]
    then = site.seats.of(index).history(site.engine, folder=_folder(site, version), entity_id=found.entity_id)
    if then is None:
        raise IndexRefusal(
            f"The {index} index did not know this entity as at {as_at}",
            why=f"It was created on {str(found.events[0]['recorded_at'])[:10]}",
            next_step="Choose that day or a later one",
        )
    return version, then


def _shown(event: Any) -> dict[str, Any]:
    return {**event, "other_id": None if event["other_id"] is None else str(event["other_id"])}


def _said(period: Any, fields: Collection[str]) -> dict[str, Any]:
    """A period with what it says and no more: values that are there, of the fields asked for."""
    always = ("source", "record_id", *TIMES)
    return {k: v for k, v in period.items() if k in always or (v is not None and (not fields or k in fields))}


def _folder(site: LoadingSite, version: IndexVersion) -> Path:
    return version_folder(site.places.indexes, version.index, version=version.version)


def changes(site: LoadingSite, index: str, *, before: int, after: int) -> dict[str, Any]:
    """What changed between two versions, and which published tables and projects hold links to what changed."""
    seat = site.seats.of(index)
    with site.store.read() as connection:
        old = indexes.get(connection, index, version=before)
        new = indexes.get(connection, index, version=after)
    folders = _folder(site, old), _folder(site, new)
    try:
        found = seat.changes(site.engine, before=folders[0], after=folders[1], relation=CHANGES)
        tables, named = _touched(site, index, before=folders[0], after=after), _named(site)
    finally:
        site.engine.drop(CHANGES)
    pinned = _pinned(site, index)
    holding = [
        {
            "project": g.project, "dataset": g.dataset, "view": g.view, "keys_touched": table["rekeyed"],
            "pinned": g.project in pinned,
        }
        for table in tables
        for g in _granted(site, table["dataset"], key=seat.definition.key)
    ]  # fmt: skip
    return {"index": index, **found, "ids": named, "tables": tables, "projects": holding}


def _pinned(site: LoadingSite, index: str) -> frozenset[str]:
    """Projects whose keys of an index stay with one version of it."""
    with site.store.read() as connection:
        return frozenset(p.id for p in projects.projects(connection) if resolving.pinned(p, index))


def _named(site: LoadingSite) -> dict[str, list[str]]:
    """The first ids by change, SHOWN at most; what is created is counted and not listed."""
    rows = site.engine.rows(
        f"SELECT change, list(DISTINCT entity_id ORDER BY entity_id)[:{SHOWN}] AS ids FROM {name(CHANGES)} "
        f"WHERE change <> {text(EntityEvent.CREATED)} GROUP BY change ORDER BY change"
    ).to_pylist()
    return {row["change"]: [str(i) for i in row["ids"]] for row in rows}


def _touched(site: LoadingSite, index: str, *, before: Path, after: int) -> list[dict[str, Any]]:
    """Deliveries behind published tables with links to what changed: records linked to any of it, and to
    entities whose key changes. A link counts as the one that stands: the newest, and by succession till then.
    """
    published = relinking.current(site.workshop)
    with site.store.read() as connection:
        sets = [s for s in indexes.link_sets(connection, index) if s.index_version < after and s.delivery in published]
    kinds = ", ".join(text(e) for e in REKEYS)
    changed = (
        f"SELECT entity_id, bool_or(change IN ({kinds})) AS rekeyed FROM {name(CHANGES)} "
        f"WHERE change <> {text(EntityEvent.CREATED)} GROUP BY entity_id"
    )
    site.seats.of(index).succession(site.engine, folder=before, relation=LINE)
    tables = []
    for delivery in dict.fromkeys(s.delivery for s in sets):
        own = [s for s in sets if s.delivery == delivery]
        counted = site.engine.rows(
            "SELECT count(*) AS links, count(*) FILTER (c.rekeyed) AS rekeyed, count(DISTINCT c.entity_id) AS entities "
            f"FROM ({_standing(site, own)}) AS l LEFT JOIN {LINE} AS n ON n.old_id = l.entity_id "
            f"JOIN ({changed}) AS c ON c.entity_id = coalesce(n.new_id, l.entity_id)"
        ).to_pylist()[0]
        if counted["links"]:
            tables.append(
                {"dataset": own[0].dataset, "delivery": delivery, "matched_to": own[0].index_version, **counted}
            )
    site.engine.drop(LINE, *(f"{LINKS}_{i}" for i in range(len(sets))))
    return tables


def _standing(site: LoadingSite, sets: Sequence[LinkSet]) -> str:
    """SELECT of record_id and entity_id of a delivery's links, each record's from its newest set."""
    parts = []
    for i, links in enumerate(sets):
        site.engine.load(f"{LINKS}_{i}", Stored((site.places.identified / links.place,)))
        parts.append(f"SELECT record_id, entity_id, {links.index_version} AS since FROM {LINKS}_{i}")
    return (
        f"SELECT record_id, entity_id FROM ({' UNION ALL '.join(parts)}) "
        "QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY since DESC) = 1"
    )


def _granted(site: LoadingSite, dataset: str, *, key: str) -> list[Any]:
    with site.store.read() as connection:
        return [g for g in grants.active(connection, dataset=dataset) if key in g.keys]


def decide(
    site: LoadingSite, index: str, *, kind: LinkDecision, sides: tuple[str, str], by: str, reason: str
) -> dict[str, Any]:
    """Decide that two records are one entity or cannot be; binds every version and delivery from now on.

    A side is `SOURCE:RECORD` or `DATASET:RECORD`, or the id of an entity, which stands for the first of its
    records. One side at least is in the index.
    """
    _check_decidable(site, index)
    with site.store.read() as connection:
        version = indexes.get(connection, index)
    site.seats.of(index).members(site.engine, folder=_folder(site, version), relation=MEMBERS)
    try:
        found = tuple(_side(site, index, side=side) for side in sides)
    finally:
        site.engine.drop(MEMBERS)
    if all(side.entity is None for side in found):
        raise _not_there(index)
    number = decisions.decide(site.store, index, kind=kind, sides=(found[0], found[1]), by=by, reason=reason)
    delivered = any(side.entity is None for side in found)
    holds = not delivered and (found[0].entity == found[1].entity) == (kind is LinkDecision.MUST)
    when = (
        "with the next version of the index, and for every delivery from now on" if delivered
        else f"with the next version of the index; at once by: ids reference apply {index}"
    )  # fmt: skip
    return {
        "decision": number, "index": index, "kind": kind.value, "already_so": holds,
        "takes_effect": "nothing to change" if holds else when,
    }  # fmt: skip


def apply_decisions(site: LoadingSite, index: str) -> dict[str, Any]:
    """Make a version in which every decision holds, and renew the grants it touches; none where all holds."""
    _check_decidable(site, index)
    made = deciding.apply_decisions(site.workshop, index)
    return made | {"refreshed": refresh_index(site, index) if made["version"] is not None else []}


def _check_decidable(site: LoadingSite, index: str) -> None:
    if site.seats.of(index).definition.coded:
        raise IndexRefusal(
            f"Nobody decides who is who in the {index} index",
            why="Its entities name themselves",
            next_step="Correct the code in its source and load that again",
        )


def _side(site: LoadingSite, index: str, *, side: str) -> Side:
    """A record of the index with the entity it is, or a record of a dataset, which need not be delivered yet."""
    source, colon, record = side.partition(":")
    if colon:
        wanted = f"source = {text(source)} AND record_id = {text(record)}"
    elif side.isascii() and side.isdigit():
        wanted = f"entity_id = {int(side)}"
    else:
        raise UsageRefusal("A side of the decision cannot be read", next_step="Write SOURCE:RECORD, or an entity's id")
    rows = site.engine.rows(
        f"SELECT source, record_id, entity_id FROM {name(MEMBERS)} WHERE {wanted} ORDER BY source, record_id LIMIT 1"
    ).to_pylist()
    if not rows and colon and _numbers_records(site, source):
        return Side(source, seal(site.vault, record))
    if not rows:
        raise _not_there(index)
    return Side(rows[0]["source"], seal(site.vault, rows[0]["record_id"]), rows[0]["entity_id"])


def _numbers_records(site: LoadingSite, dataset: str) -> bool:
    """Whether a dataset is delivered under that name and numbers its records."""
    with site.store.read() as connection:
        body = deliveries.contract_body(connection, dataset)
        sources = {v.source for v in indexes.versions(connection)}
    return body is not None and dataset not in sources and bool(contracts.parse(body).meaning(Meaning.RECORD_ID))


def _not_there(index: str) -> IndexRefusal:
    return IndexRefusal(
        f"The {index} index has no such record or entity, and no dataset numbers its records so",
        why="It was not loaded, or the id was absorbed by another",
        next_step="See who stands for an id: ids reference history ID",
    )


def decided(site: LoadingSite, index: str) -> list[dict[str, Any]]:
    """Decisions that bind an index: numbers, entities, who, why and when; no record ids."""
    site.seats.of(index)
    with site.store.read() as connection:
        known = decisions.of_index(connection, index)
    return [
        {
            "decision": d.number, "kind": d.kind.value, "left": d.left.source, "right": d.right.source,
            "by": d.by, "reason": d.reason, "at": d.at,
        }
        for d in known
    ]  # fmt: skip
