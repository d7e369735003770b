"""Versions of the Business, Address, Geography and Classification Index: who is in them, since when.

A version is an immutable folder of sealed files in the identified zone; every index adds its own:

    about.json          what the version is; holds no personal data; written last
    entities.parquet    entity_id, status, source, recorded_from
    records.parquet     source, record_id, entity_id, print: which entity each loaded record is
    attributes.parquet  entity_id, source, record_id, one column per meaning, effective_from, effective_to
                        (when it was true), recorded_from, recorded_to (when we knew), print
    events.parquet      what happened to the entities, in this version and before (see `index.life`)

`entity_id` is opaque and persistent (63 bits, random, never reused). `print` is a hash over what a
record says. Nothing is forgotten: an entity stays, a source's record keeps its entity unless a person
decides otherwise, and what a source no longer says is closed.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index import life, promote
from integrated_data.index.build import Source
from integrated_data.index.decisions import Ruling, because, broken, grouped, rulings, rulings_sql
from integrated_data.index.past import RELATIONS, Laid
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityEvent, EntityStatus, IndexDefinition
from integrated_data.vocabulary.sql import name, names, text

FORMAT = 2

_EMPTY = {
    "entities": "0::BIGINT AS entity_id, '' AS status, '' AS source, '' AS recorded_from",
    "records": "'' AS source, '' AS record_id, 0::BIGINT AS entity_id, '' AS print",
}


@dataclass(frozen=True)
class Edition:
    """A version of an index that can be read: its folder and what `about.json` says of it."""

    index: IndexDefinition
    folder: Path
    about: Mapping[str, Any] = field(compare=False)

    def load(self, engine: Engine, prefix: str, *files: str) -> None:
        """Make views `<prefix>_<file>` of the version's files."""
        for file in files:
            engine.load(f"{prefix}_{file}", Stored((self.folder / f"{file}.parquet",)))


def open_edition(index: IndexDefinition, folder: Path) -> Edition:
    """The index version in `folder`; refuses when there is none, or it is another index's."""
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
    except FileNotFoundError:
        raise IndexRefusal(
            f"A version of the {index.name} index is not there",
            why="Its folder is missing or was never finished",
            next_step="Restore it from a backup, or load its sources again",
        ) from None
    if about.get("index") != index.name or about.get("format") != FORMAT:
        raise IndexRefusal(
            f"A version of the {index.name} index cannot be read",
            why="It belongs to another index or to another release of the service",
            next_step="Load its sources again",
        )
    return Edition(index, folder, about)


def members(engine: Engine, index: IndexDefinition, *, folder: Path, relation: str) -> None:
    """Make table `relation` (source, record_id, entity_id) of a version's records."""
    open_edition(index, folder).load(engine, f"{relation}_of", "records")
    engine.create(relation, f"SELECT source, record_id, entity_id FROM {name(f'{relation}_of_records')}")
    engine.drop(f"{relation}_of_records")


def laid(engine: Engine, index: IndexDefinition, *, folder: Path, prefix: str) -> Laid:
    """See `Seat.laid`, for an index that keeps all files of the ledger."""
    version = open_edition(index, folder)
    version.load(engine, prefix, *RELATIONS)
    return Laid(prefix, tuple(map(str, index.attributes)), life.moments(version.about))


def load_previous(engine: Engine, previous: Edition | None, *, work: str) -> None:
    """Views `<work>_old_entities` and `<work>_old_records`; empty ones for the first source."""
    if previous is not None:
        previous.load(engine, f"{work}_old", *_EMPTY)
        return
    for file, columns in _EMPTY.items():
        engine.view(f"{work}_old_{file}", f"SELECT {columns} WHERE FALSE")


def refuse_repeated_ids(engine: Engine, source: Source) -> None:
    """Refuses a source whose record ids are missing or repeated."""
    counts = engine.rows(
        f"SELECT count(*) AS n, count(DISTINCT record_id) AS ids FROM {name(source.records)}"
    ).to_pylist()[0]
    if counts["n"] != counts["ids"]:
        raise IndexRefusal(
            f"Source {source.name} was not loaded",
            why="Its record ids are not unique, or some are missing",
            next_step="Name the column that numbers its records, or none: then rows are numbered",
        )


@dataclass(frozen=True)
class Loading:
    """A source on its way into the version in `folder` that follows `previous`; its tables are `<work>_…`."""

    index: IndexDefinition
    previous: Edition | None
    source: Source
    folder: Path
    work: str

    @property
    def moment(self) -> life.Moment:
        """The moment of the version that is made."""
        known = life.moments(self.previous.about) if self.previous else ()
        return life.following(known, self.source.name, recorded_at=self.source.recorded_at)


def enter(engine: Engine, loading: Loading, *, placed: str, decisions: str | None = None) -> None:
    """Give every record its entity: tables `<work>_map` (record_id, entity_id, print) and `<work>_grown`
    (the entities of before and the new ones), `<work>_moved` (source, record_id, entity_id) and `<work>_regrouped`
    (turns) of records that `decisions` put elsewhere (see `index.decisions`).

    `placed`: relation of `record_id`, `print`, `entity_id` (of the version before, or NULL) and
    `mate`, a value that new records which are one entity share.
    """
    work, source = loading.work, loading.source
    if source.met is not None:
        _promote(engine, source.met, placed=placed, work=work)
    mates = f"SELECT DISTINCT mate FROM {name(placed)} WHERE entity_id IS NULL"
    engine.create(f"{work}_mates", f"SELECT mate, row_number() OVER (ORDER BY mate) AS place FROM ({mates})")
    engine.create(
        f"{work}_put",
        f"SELECT {text(source.name)} AS source, p.record_id::VARCHAR AS record_id, p.print, "
        f"coalesce(p.entity_id, -m.place) AS entity_id FROM {name(placed)} AS p LEFT JOIN {work}_mates AS m "
        "ON m.mate = CASE WHEN p.entity_id IS NULL THEN p.mate END",
    )
    _decide(engine, loading, decisions=decisions)
    engine.view(
        f"{work}_taken",
        f"SELECT entity_id FROM {work}_old_entities UNION ALL SELECT entity_id FROM {work}_life_ids WHERE fresh",
    )
    engine.create(
        f"{work}_places",
        f"SELECT entity_id AS mate, row_number() OVER (ORDER BY entity_id DESC) AS place FROM (SELECT DISTINCT "
        f"p.entity_id FROM {work}_put AS p ANTI JOIN {work}_moved AS m ON m.source = p.source "
        "AND m.record_id = p.record_id WHERE p.entity_id < 0)",
    )
    life.draw(engine, f"{work}_places", entities=f"{work}_taken", out=f"{work}_drawn")
    engine.create(
        f"{work}_fresh",
        f"SELECT p.mate, d.entity_id FROM {work}_places AS p JOIN {work}_drawn AS d ON d.place = p.place",
    )
    engine.create(
        f"{work}_map",
        f"SELECT p.record_id, coalesce(m.entity_id, f.entity_id, p.entity_id) AS entity_id, p.print "
        f"FROM {work}_put AS p LEFT JOIN {work}_fresh AS f ON f.mate = p.entity_id "
        f"LEFT JOIN {work}_moved AS m ON m.source = p.source AND m.record_id = p.record_id",
    )
    if source.met is not None:
        promote.absorb(engine, members=f"{work}_map", met=source.met, out=f"{work}_absorbed")
        turns = f"SELECT * FROM {work}_life_turns UNION ALL {promote.turns_sql(f'{work}_absorbed')}"
        engine.create(f"{work}_life_turns", turns)
    _grow(engine, loading)


def _promote(engine: Engine, met: str, *, placed: str, work: str) -> None:
    """Groups of new records that continue a provisional entity are placed in it."""
    groups = f"SELECT record_id, mate AS grp FROM {name(placed)} WHERE entity_id IS NULL"
    engine.view(f"{work}_new_groups", groups)
    promote.promote(engine, groups=f"{work}_new_groups", met=met, out=f"{work}_promoted")
    engine.create(
        placed,
        f"SELECT p.* REPLACE (coalesce(p.entity_id, a.entity_id) AS entity_id) FROM {name(placed)} AS p "
        f"LEFT JOIN {work}_promoted AS a ON a.grp = p.mate",
    )


def enter_known(engine: Engine, loading: Loading, *, records: str) -> None:
    """What `enter` makes, for an index whose records name their entity: `records` selects `record_id`,
    `entity_id`, `print`, and `<work>_fresh` holds the `entity_id` of new entities.
    """
    work, source = loading.work, loading.source
    engine.create(
        f"{work}_put",
        f"SELECT {text(source.name)} AS source, record_id::VARCHAR AS record_id, print, entity_id FROM ({records})",
    )
    engine.view(f"{work}_map", f"SELECT record_id, entity_id, print FROM {work}_put")
    _decide(engine, loading, decisions=None)
    _grow(engine, loading)


def _grow(engine: Engine, loading: Loading) -> None:
    """View `<work>_grown`: the entities of before and the new ones."""
    work, source = loading.work, loading.source
    met = "" if source.met is None else f" UNION ALL SELECT DISTINCT entity_id FROM {name(source.met)}"
    engine.view(
        f"{work}_grown",
        f"SELECT * FROM {work}_old_entities UNION ALL SELECT entity_id, {text(source.status)}, "
        f"{text(source.name)}, {text(source.recorded_at)} FROM (SELECT entity_id FROM {work}_fresh UNION ALL "
        f"SELECT entity_id FROM {work}_life_ids WHERE fresh{met})",
    )


def _decide(engine: Engine, loading: Loading, *, decisions: str | None) -> None:
    """Group anew the records of entities that are not as people decided."""
    work = loading.work
    found: list[Ruling] = []
    if decisions is not None:
        engine.view(
            f"{work}_members",
            f"SELECT source, record_id, entity_id FROM {work}_put UNION ALL SELECT o.source, o.record_id, o.entity_id "
            f"FROM {work}_old_records AS o ANTI JOIN {work}_put AS p "
            "ON p.source = o.source AND p.record_id = o.record_id",
        )
        found = rulings(engine.rows(rulings_sql(decisions, f"{work}_members")).to_pylist())
    wrong = pa.table({"entity_id": pa.array(sorted(broken(found)), pa.int64())})
    engine.load(f"{work}_wrong", Held(wrong))
    members = (
        engine.rows(f"SELECT m.* FROM {work}_members AS m SEMI JOIN {work}_wrong AS w ON w.entity_id = m.entity_id")
        if wrong.num_rows
        else pa.table({"source": [], "record_id": [], "entity_id": []})
    ).to_pylist()
    groups = grouped({(m["source"], m["record_id"]): m["entity_id"] for m in members}, found)
    now = {
        "source": pa.array([s for s, _ in groups], pa.string()),
        "record_id": pa.array([r for _, r in groups], pa.string()),
        "grp": pa.array(list(groups.values()), pa.int64()),
    }
    engine.load(f"{work}_now", Held(pa.table(now)))
    engine.view(
        f"{work}_before",
        f"SELECT o.source, o.record_id, o.entity_id FROM {work}_old_records AS o SEMI JOIN {work}_wrong AS w "
        "ON w.entity_id = o.entity_id",
    )
    grouping = life.Grouping(f"{work}_before", f"{work}_now", f"{work}_old_entities")
    life.regroup(engine, grouping, work=f"{work}_life", reason=because(found))
    engine.create(
        f"{work}_moved",
        f"SELECT n.source, n.record_id, i.entity_id FROM {work}_now AS n JOIN {work}_life_ids AS i ON i.grp = n.grp",
    )


def write(engine: Engine, loading: Loading, *, also: str | None = None) -> dict[str, Any]:
    """Save entities, records, attributes and events of the new version; returns what `about.json` is to say.

    What a source says no more is closed; an entity that nobody says is retired. A record id that a
    source no longer delivers keeps its entity, for when it comes back. `also`: SELECT of `entity_id`
    that stand although no record says them; it may read `<work>_attributes`.
    """
    work, folder, source = loading.work, loading.folder, loading.source
    _write_attributes(engine, loading)
    open_ = f"recorded_to IS NULL{'' if also is None else f' UNION SELECT entity_id FROM ({also})'}"
    engine.load(f"{work}_attributes", Stored((folder / "attributes.parquet",)))
    engine.create(f"{work}_said", f"SELECT DISTINCT entity_id FROM {work}_attributes WHERE {open_}")
    engine.view(
        f"{work}_standing",
        f"SELECT g.* FROM {work}_grown AS g ANTI JOIN {work}_life_turns AS t ON t.entity_id = g.entity_id "
        f"AND t.event = {text(EntityEvent.ABSORBED)}",
    )
    engine.create(
        f"{work}_turns",
        f"SELECT * FROM {work}_life_turns UNION ALL SELECT t.* REPLACE (a.ended AS effective_at) FROM "
        f"({life.turns_sql(f'{work}_standing', f'{work}_said')}) AS t LEFT JOIN (SELECT entity_id, "
        f"max(effective_to) AS ended FROM {work}_attributes WHERE recorded_to = {text(source.recorded_at)} "
        f"GROUP BY entity_id) AS a ON a.entity_id = t.entity_id AND t.event = {text(EntityEvent.RETIRED)}",
    )
    engine.create(f"{work}_renewed", life.renewed_sql(f"{work}_grown", f"{work}_turns"))
    engine.save(f"SELECT * FROM {work}_renewed", folder / "entities.parquet", sealed=True)
    records = (
        f"SELECT source, record_id, coalesce(m.entity_id, r.entity_id) AS entity_id, print FROM ("
        f"SELECT o.* FROM {work}_old_records AS o ANTI JOIN {work}_put AS p ON p.source = o.source "
        f"AND p.record_id = o.record_id UNION ALL SELECT {text(source.name)}, record_id, entity_id, print "
        f"FROM {work}_map) AS r LEFT JOIN {work}_moved AS m USING (source, record_id)"
    )
    engine.save(records, folder / "records.parquet", sealed=True)
    life.load(engine, loading.previous.folder if loading.previous else None, relation=f"{work}_old_events")
    events = life.save(engine, old=f"{work}_old_events", turns=[f"{work}_turns"], moment=loading.moment, folder=folder)
    counts = engine.rows(f"SELECT source, count(*) AS n FROM ({records}) GROUP BY source ORDER BY source").to_pylist()
    living = f"SELECT count(*) AS n FROM {work}_renewed WHERE status <> {text(EntityStatus.ABSORBED)}"
    entities = int(engine.rows(living)["n"][0].as_py())
    return {"entities": entities, "sources": {row["source"]: row["n"] for row in counts}, "events": events}


def _write_attributes(engine: Engine, loading: Loading) -> None:
    """Save what every source said of every entity and when; what this source no longer says is closed, and
    what a record says that was moved is closed there and said of its new entity.
    """
    work, source = loading.work, loading.source
    columns = engine.columns(source.records)
    meanings = names(str(m) for m in loading.index.attributes)
    told = f"entity_id, source, record_id, {meanings}, effective_from, effective_to"
    marked = f"md5(row({told})::VARCHAR) AS print"

    def given(column: str) -> str:
        return (f"r.{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR") + f" AS {name(column)}"

    values = ", ".join(given(c) for c in (*map(str, loading.index.attributes), "effective_from", "effective_to"))
    engine.create(
        f"{work}_told",
        f"SELECT *, {marked} FROM (SELECT m.entity_id, {text(source.name)} AS source, "
        f"r.record_id::VARCHAR AS record_id, {values} FROM {name(source.records)} AS r "
        f"JOIN {work}_map AS m ON m.record_id = r.record_id::VARCHAR)",
    )
    at, this = text(source.recorded_at), f"o.source = {text(source.name)} AND o.recorded_to IS NULL"
    old = f"SELECT *, {at} AS recorded_from, NULL::VARCHAR AS recorded_to FROM {work}_told WHERE FALSE"
    if loading.previous is not None:
        loading.previous.load(engine, f"{work}_old", "attributes")
        old = f"SELECT * FROM {work}_old_attributes"
    engine.view(f"{work}_said_before", old)
    elsewhere = (
        f"{work}_said_before AS o JOIN {work}_moved AS v ON v.source = o.source AND v.record_id = o.record_id "
        f"WHERE v.entity_id <> o.entity_id AND o.source <> {text(source.name)} AND o.recorded_to IS NULL"
    )
    engine.create(
        f"{work}_retold", f"SELECT *, {marked} FROM (SELECT o.* REPLACE (v.entity_id AS entity_id) FROM {elsewhere})"
    )
    engine.create(f"{work}_ended", f"SELECT o.print FROM {elsewhere}")
    engine.save(
        f"SELECT {told}, recorded_from, CASE WHEN ({this} "
        f"AND NOT EXISTS (SELECT 1 FROM {work}_told AS t WHERE t.print = o.print)) OR (o.recorded_to IS NULL AND "
        f"EXISTS (SELECT 1 FROM {work}_ended AS e WHERE e.print = o.print)) THEN {at} ELSE recorded_to END "
        f"AS recorded_to, print FROM {work}_said_before AS o UNION ALL "
        f"SELECT {told}, {at}, NULL, print FROM {work}_told AS t WHERE NOT EXISTS "
        f"(SELECT 1 FROM {work}_said_before AS o WHERE o.print = t.print AND {this}) UNION ALL "
        f"SELECT {told}, {at}, NULL, print FROM {work}_retold",
        loading.folder / "attributes.parquet",
        sealed=True,
    )


#: Tables and views that loading makes under `<work>_`.
MADE = (
    "mates", "put", "members", "wrong", "now", "before", "moved", "taken", "places", "drawn", "fresh", "map", "grown",
    "told", "said_before", "retold", "ended", "attributes", "said", "standing", "turns", "renewed", "life_ids",
    "life_turns", "old_entities", "old_records", "old_attributes", "old_events", "new_groups", "promoted", "absorbed",
)  # fmt: skip


def finish(loading: Loading, about: Mapping[str, Any]) -> Edition:
    """Write `about.json`, the last file, so that an unfinished version cannot be opened."""
    known = life.moments(loading.previous.about) if loading.previous else ()
    moments = [asdict(m) for m in (*known, loading.moment)]
    body = {"index": loading.index.name, "format": FORMAT, "moments": moments, **about}
    descriptor = os.open(loading.folder / "about.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(body, indent=1))
        file.flush()
        os.fsync(file.fileno())
    return Edition(loading.index, loading.folder, body)
