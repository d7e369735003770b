"""Versions of the Business, Address, Geography and Classification Index: who is in them, since when.

A version is an immutable folder of sealed files in the identified zone; every index adds its own:

    about.json          what the version is; holds no personal data; written last
    entities.parquet    entity_id, status, source, recorded_from
    records.parquet     source, record_id, entity_id, print: which entity each loaded record is
    attributes.parquet  entity_id, source, record_id, one column per meaning, effective_from, effective_to
                        (when it was true), recorded_from, recorded_to (when we knew), print

`entity_id` is opaque and persistent (63 bits, random, never reused). `print` is a hash over what a
record says. Nothing is forgotten: an entity stays, a source's record keeps its entity, and what a
source no longer says is closed.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.build import Source
from integrated_data.index.life import new_ids
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityStatus, IndexDefinition
from integrated_data.vocabulary.sql import name, names, text

FORMAT = 1

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


def enter(engine: Engine, source: Source, *, placed: str, work: str) -> None:
    """Give every record its entity: tables `<work>_map` (record_id, entity_id, print) and `<work>_entities`.

    `placed`: relation of `record_id`, `print`, `entity_id` (of the version before, or NULL) and
    `mate`, a value that new records which are one entity share.
    """
    mates = f"SELECT DISTINCT mate FROM {name(placed)} WHERE entity_id IS NULL"
    engine.create(f"{work}_mates", f"SELECT mate, row_number() OVER (ORDER BY mate) AS place FROM ({mates})")
    created = int(engine.rows(f"SELECT count(*) AS n FROM {work}_mates")["n"][0].as_py())
    taken = engine.rows(f"SELECT entity_id FROM {work}_old_entities")["entity_id"].to_numpy()
    fresh = pa.table({"place": pa.array(range(1, created + 1), pa.int64()), "entity_id": new_ids(created, taken)})
    engine.load(f"{work}_fresh", Held(fresh))
    engine.create(
        f"{work}_map",
        f"SELECT p.record_id, coalesce(p.entity_id, f.entity_id) AS entity_id, p.print FROM {name(placed)} AS p "
        f"LEFT JOIN {work}_mates AS m ON m.mate = CASE WHEN p.entity_id IS NULL THEN p.mate END "
        f"LEFT JOIN {work}_fresh AS f ON f.place = m.place",
    )
    engine.create(
        f"{work}_entities",
        f"SELECT * FROM {work}_old_entities UNION ALL SELECT entity_id, {text(EntityStatus.CURRENT)}, "
        f"{text(source.name)}, {text(source.recorded_at)} FROM {work}_fresh",
    )


def write(engine: Engine, source: Source, *, folder: Path, work: str) -> dict[str, int]:
    """Save entities and records of the new version; returns the records by source.

    A record id that a source no longer delivers keeps its entity, for when it comes back.
    """
    engine.save(f"SELECT * FROM {work}_entities", folder / "entities.parquet", sealed=True)
    records = (
        f"SELECT source, record_id, entity_id, print FROM {work}_old_records AS o WHERE source <> {text(source.name)} "
        f"OR NOT EXISTS (SELECT 1 FROM {work}_map AS m WHERE m.record_id::VARCHAR = o.record_id) UNION ALL "
        f"SELECT {text(source.name)}, record_id::VARCHAR, entity_id, print FROM {work}_map"
    )
    engine.save(records, folder / "records.parquet", sealed=True)
    counts = engine.rows(f"SELECT source, count(*) AS n FROM ({records}) GROUP BY source ORDER BY source")
    return {row["source"]: row["n"] for row in counts.to_pylist()}


def write_attributes(
    engine: Engine, index: IndexDefinition, *, previous: Edition | None, source: Source, folder: Path, work: str
) -> None:
    """Save what every source said of every entity and when; what this source no longer says is closed."""
    columns = engine.columns(source.records)
    meanings = names(str(m) for m in index.attributes)
    told = f"entity_id, source, record_id, {meanings}, effective_from, effective_to"

    def given(column: str) -> str:
        return (f"r.{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR") + f" AS {name(column)}"

    values = ", ".join(given(column) for column in (*map(str, index.attributes), "effective_from", "effective_to"))
    engine.create(
        f"{work}_told",
        f"SELECT *, md5(row({told})::VARCHAR) AS print FROM (SELECT m.entity_id, {text(source.name)} AS source, "
        f"r.record_id::VARCHAR AS record_id, {values} FROM {name(source.records)} AS r "
        f"JOIN {work}_map AS m ON m.record_id = r.record_id)",
    )
    at, this = text(source.recorded_at), f"o.source = {text(source.name)} AND o.recorded_to IS NULL"
    old = f"SELECT *, {at} AS recorded_from, NULL::VARCHAR AS recorded_to FROM {work}_told WHERE FALSE"
    if previous is not None:
        previous.load(engine, f"{work}_old", "attributes")
        old = f"SELECT * FROM {work}_old_attributes"
    engine.view(f"{work}_said_before", old)
    engine.save(
        f"SELECT {told}, recorded_from, CASE WHEN {this} "
        f"AND NOT EXISTS (SELECT 1 FROM {work}_told AS t WHERE t.print = o.print) THEN {at} ELSE recorded_to END "
        f"AS recorded_to, print FROM {work}_said_before AS o UNION ALL "
        f"SELECT {told}, {at}, NULL, print FROM {work}_told AS t WHERE NOT EXISTS "
        f"(SELECT 1 FROM {work}_said_before AS o WHERE o.print = t.print AND {this})",
        folder / "attributes.parquet",
        sealed=True,
    )


def finish(folder: Path, index: IndexDefinition, *, about: Mapping[str, Any]) -> Edition:
    """Write `about.json`, the last file, so that an unfinished version cannot be opened."""
    body = {"index": index.name, "format": FORMAT, **about}
    descriptor = os.open(folder / "about.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(body, indent=1))
        file.flush()
        os.fsync(file.fileno())
    return Edition(index, folder, body)
