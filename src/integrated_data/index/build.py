"""Building an index: a new immutable version from the one before and one more source.

Each record of the source is an entity the index knows (the same source and record id, or matched),
or a new one; new records found to be the same share theirs. Nothing of an entity is forgotten: what
a source no longer says is closed, not deleted, and no entity id is ever used again.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index import life, link
from integrated_data.index.life import new_ids
from integrated_data.index.matching import block, deduplicate, prepare, rivals, train
from integrated_data.index.matching.decide import Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model, assumed
from integrated_data.index.store import FILES, About, Version, probe
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityStatus
from integrated_data.vocabulary.sql import name, names, text


@dataclass(frozen=True)
class Source:
    """One source to add. `records`: relation with `record_id` and meaning columns, `effective_from`
    and `effective_to` where known; `recorded_at`: when the service came to know, ISO 8601."""

    name: str
    records: str
    recorded_at: str
    one_to_one: bool = False


@dataclass(frozen=True)
class LoadReport:
    """What a source brought; holds no personal data. `links`: how its records met the version before."""

    source: str
    records: int
    known: int  # records that this source had before, under the same id
    matched: int  # records found to be entities of the index
    created: int  # new entities
    merged: int  # records that share a new entity with another of the source
    entities: int  # of the new version
    links: link.LinkReport | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    model: Model | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without the model."""
        body = {k: v for k, v in vars(self).items() if k not in ("model", "links")}
        return body | {"links": self.links.to_dict() if self.links else None}


def add_source(
    engine: Engine, trainer: train.Trainer, *, definition: MatchDefinition, previous: Version | None,
    source: Source, folder: Path,
) -> tuple[Version, LoadReport]:  # fmt: skip
    """Write the version in `folder` (made by this call) that follows `previous` and holds `source` too."""
    clock, work = link.Clock(), "build"
    folder.mkdir(mode=0o700, parents=True)
    try:
        with clock.step("prepare"):
            link.clean(engine, definition, records=source.records, out=f"{work}_records")
            _refuse_repeated_ids(engine, source, work=work)
            _load_previous(engine, definition, previous=previous, work=work)
        with clock.step("match"):
            links, model = _links(engine, trainer, previous=previous, source=source, work=work)
        with clock.step("deduplicate"):
            start = model or assumed(definition)
            engine.create(f"{work}_new", _new_sql(work))
            grouped = deduplicate.groups(engine, trainer, start=start, definition=definition, records=f"{work}_new")
        with clock.step("write"):
            _number(engine, grouped.group, source=source, work=work)
            moments = _moments(engine, previous, source=source, folder=folder)
            about = _write(engine, definition, model=grouped.model, source=source, folder=folder)
            about = replace(about, moments=moments)
            _write_text(folder / "about.json", about.to_json())
        report = _report(engine, source, links=links, about=about, work=work)
        return Version(definition, folder, about), replace(report, seconds=clock.seconds, model=model or grouped.model)
    finally:
        _drop(engine, previous, work=work)


def _refuse_repeated_ids(engine: Engine, source: Source, *, work: str) -> None:
    counts = engine.rows(
        f"SELECT count(*) AS n, count(record_id) AS held, count(DISTINCT record_id) AS ids FROM "
        f"{name(f'{work}_records')}"
    ).to_pylist()[0]
    if counts["n"] != counts["ids"] or counts["held"] != counts["n"]:
        raise IndexRefusal(
            f"Source {source.name} was not loaded",
            why="Its record ids are not unique, or some are missing",
            next_step="Name the column that numbers its records, or none: then rows are numbered",
        )


def _load_previous(engine: Engine, definition: MatchDefinition, *, previous: Version | None, work: str) -> None:
    """Views `<work>_old_<file>` of the version before; empty ones for the first source."""
    if previous is not None:
        previous.load(engine, f"{work}_old")
        return
    fields = ", ".join(f"{name(f)}" for f in prepare.kept(definition))
    meanings = "".join(f", NULL::VARCHAR AS {name(m)}" for m in definition.index.attributes)
    empty = {
        "entities": "0::BIGINT AS entity, 0::BIGINT AS entity_id, '' AS status, '' AS source, '' AS recorded_from",
        "records": "'' AS source, '' AS record_id, 0::BIGINT AS entity, 0::BIGINT AS form",
        "attributes": f"0::BIGINT AS entity, '' AS source, '' AS record_id{meanings}, NULL::VARCHAR AS "
        "effective_from, "
        "NULL::VARCHAR AS effective_to, '' AS recorded_from, NULL::VARCHAR AS recorded_to",
        "forms": f"0::BIGINT AS form, 0::BIGINT AS entity, [''] AS sources, 0::BIGINT AS print, {fields}",
    }
    for file, columns in empty.items():
        origin = name(f"{work}_records")
        engine.create(f"{work}_old_{file}", f"SELECT {columns} FROM {origin} LIMIT 0")


def _links(
    engine: Engine, trainer: train.Trainer, *, previous: Version | None, source: Source, work: str
) -> tuple[link.LinkReport | None, Model | None]:
    """Table `<work>_links`: record_id, entity_id of records that the version before knows."""
    if previous is None:
        origin = name(f"{work}_records")
        engine.create(f"{work}_links", f"SELECT record_id, NULL::BIGINT AS entity_id, FALSE AS known FROM {origin}")
        return None, None
    known = (
        f"SELECT l.record_id, o.entity FROM {name(f'{work}_records')} l JOIN {name(f'{work}_old_records')} o "
        f"ON o.record_id = l.record_id::VARCHAR AND o.source = {text(source.name)}"
    )
    engine.create(f"{work}_known", known)
    request = link.Request(
        f"{work}_records", f"{work}_matched", one_to_one=source.one_to_one, cleaned=True, known=f"{work}_known"
    )
    report = link.match(engine, trainer, version=previous, request=request)
    engine.create(
        f"{work}_links",
        f"SELECT m.record_id, m.entity_id, k.record_id IS NOT NULL AS known FROM {name(f'{work}_matched')} m "
        f"LEFT JOIN {name(f'{work}_known')} k ON k.record_id = m.record_id",
    )
    return report, report.model


def _new_sql(work: str) -> str:
    """Records that no entity of the version before is: cleaned, `record` numbered anew."""
    return (
        f"SELECT row_number() OVER (ORDER BY l.record) - 1 AS record, l.* EXCLUDE (record) FROM "
        f"{name(f'{work}_records')} l "
        f"JOIN {name(f'{work}_links')} k ON k.record_id = l.record_id WHERE k.entity_id IS NULL"
    )


def _number(engine: Engine, group: Ints, *, source: Source, work: str) -> None:
    """Tables `<work>_entities` and `<work>_map` (record, entity): old entities keep number and id."""
    before = link.count(engine, f"{work}_old_entities")
    created = int(group.max()) + 1 if len(group) else 0
    taken = engine.rows(f"SELECT entity_id FROM {name(f'{work}_old_entities')}").column("entity_id").to_numpy()
    fresh = pa.table({"entity": np.arange(before, before + created), "entity_id": new_ids(created, taken)})
    engine.load(f"{work}_fresh", Held(fresh))
    engine.load(f"{work}_groups", Held(pa.table({"record": np.arange(len(group)), "entity": group + before})))
    engine.create(
        f"{work}_entities",
        f"SELECT entity, entity_id, status, source, recorded_from FROM {name(f'{work}_old_entities')} UNION ALL "
        f"SELECT entity, entity_id, {text(EntityStatus.CURRENT)}, {text(source.name)}, {text(source.recorded_at)} "
        f"FROM {name(f'{work}_fresh')}",
    )
    engine.create(
        f"{work}_map",
        f"SELECT l.record, l.record_id, coalesce(o.entity, g.entity) AS entity FROM {name(f'{work}_records')} l "
        f"JOIN {name(f'{work}_links')} k ON k.record_id = l.record_id "
        f"LEFT JOIN {name(f'{work}_old_entities')} o ON o.entity_id = k.entity_id "
        f"LEFT JOIN {name(f'{work}_new')} n ON n.record_id = l.record_id "
        f"LEFT JOIN {name(f'{work}_groups')} g ON g.record = n.record",
    )


def _write(
    engine: Engine, definition: MatchDefinition, *, model: Model, source: Source, folder: Path, work: str = "build"
) -> About:
    """Write the files of the new version; `about.json` last, so that an unfinished one cannot be opened."""
    engine.create(
        f"{work}_prints", f"SELECT record, {prepare.print_sql(definition)} AS print FROM {name(f'{work}_records')}"
    )
    _forms(engine, definition, source=source, work=work)
    engine.create(f"{work}_form_keys", block.keys_sql(definition, f"{work}_forms", number="form"))
    engine.create(f"{work}_keys", block.stored_keys_sql(definition, f"{work}_form_keys", entities=f"{work}_forms"))
    statements = {
        "entities": f"SELECT * FROM {name(f'{work}_entities')} ORDER BY entity",
        "records": _records_sql(source, work),
        "attributes": _attributes_sql(engine, definition, source=source, work=work),
        "forms": f"SELECT * FROM {name(f'{work}_forms')} ORDER BY entity",
        "keys": f"SELECT * FROM {name(f'{work}_keys')}",
    }
    for file, sql in statements.items():
        engine.save(sql, folder / f"{file}.parquet", sealed=True)
    sources = engine.rows(
        f"SELECT source, count(*) AS n FROM ({statements['records']}) GROUP BY source ORDER BY source"
    )
    return About(
        index=definition.index.name,
        entities=link.count(engine, f"{work}_entities"),
        forms=link.count(engine, f"{work}_forms"),
        sources={r["source"]: r["n"] for r in sources.to_pylist()},
        probe=probe(engine),
        rivals=rivals.rival_counts(engine, definition, model=model, work=work),
    )


def _moments(engine: Engine, previous: Version | None, *, source: Source, folder: Path) -> tuple[life.Moment, ...]:
    """Write the events so far, to which this version adds nothing but what it creates; returns its moments."""
    known = previous.about.moments if previous else ()
    moment = life.following(known, source.name, recorded_at=source.recorded_at)
    life.load(engine, previous.folder if previous else None, relation="build_old_events")
    life.save(engine, old="build_old_events", turns=(), moment=moment, folder=folder)
    engine.drop("build_old_events")
    return (*known, moment)


def _forms(engine: Engine, definition: MatchDefinition, *, source: Source, work: str) -> None:
    """Table `<work>_forms`: the distinct cleaned forms of every entity and which sources say them."""
    fields = names(prepare.kept(definition))
    others = f"list_filter(sources, lambda s: s <> {text(source.name)})"
    both = (
        f"SELECT entity, {others} AS sources, print, {fields} FROM {name(f'{work}_old_forms')} WHERE "
        f"len({others}) > 0 "
        f"UNION ALL SELECT m.entity, [{text(source.name)}] AS sources, {prepare.print_sql(definition)} AS "
        f"print, {fields} "
        f"FROM {name(f'{work}_records')} l JOIN {name(f'{work}_map')} m ON m.record = l.record"
    )
    kept = ", ".join(f"any_value({name(f)}) AS {name(f)}" for f in prepare.kept(definition))
    engine.create(
        f"{work}_distinct",
        f"SELECT row_number() OVER (ORDER BY entity, print) - 1 AS form, * FROM (SELECT entity, "
        f"list_sort(list_distinct(flatten(list(sources)))) AS sources, print, {kept} FROM ({both}) GROUP BY "
        f"entity, print)",
    )
    engine.create(f"{work}_forms", prepare.with_frequencies_sql(definition, f"{work}_distinct"))


def _records_sql(source: Source, work: str) -> str:
    """Which entity and form each loaded record is; what this source said before is replaced."""
    forms = name(f"{work}_forms")
    return (
        f"SELECT {text(source.name)} AS source, m.record_id::VARCHAR AS record_id, m.entity, f.form "
        f"FROM {name(f'{work}_map')} m JOIN {name(f'{work}_prints')} p ON p.record = m.record "
        f"JOIN {forms} f ON f.entity = m.entity AND f.print = p.print UNION ALL "
        f"SELECT o.source, o.record_id, o.entity, f.form FROM {name(f'{work}_old_records')} o "
        f"JOIN {name(f'{work}_old_forms')} x ON x.form = o.form "
        f"JOIN {forms} f ON f.entity = o.entity AND f.print = x.print WHERE o.source <> {text(source.name)}"
    )


def _attributes_sql(engine: Engine, definition: MatchDefinition, *, source: Source, work: str) -> str:
    """What every source said of every entity and when; what this source no longer says is closed."""
    columns = engine.columns(source.records)
    meanings = names(str(m) for m in definition.index.attributes)
    values = ", ".join(f"{_text_of(str(m), columns)} AS {name(m)}" for m in definition.index.attributes)
    times = ", ".join(f"{_text_of(t, columns)} AS {t}" for t in ("effective_from", "effective_to"))
    new = (
        f"SELECT m.entity, {text(source.name)} AS source, r.record_id::VARCHAR AS record_id, {values}, {times} "
        f"FROM {name(source.records)} r JOIN {name(f'{work}_map')} m ON m.record_id = r.record_id"
    )
    told = f"entity, source, record_id, {meanings}, effective_from, effective_to"
    old = f"(SELECT * FROM {name(f'{work}_old_attributes')} WHERE source = {text(source.name)} AND recorded_to IS NULL)"
    at = text(source.recorded_at)
    return (
        f"WITH told AS MATERIALIZED ({new}), open AS MATERIALIZED (SELECT * FROM {old}), "
        f"same AS MATERIALIZED (SELECT {told} FROM told INTERSECT SELECT {told} FROM open) "
        f"SELECT {told}, recorded_from, recorded_to FROM {name(f'{work}_old_attributes')} "
        f"WHERE source <> {text(source.name)} OR recorded_to IS NOT NULL UNION ALL "
        f"SELECT {told}, o.recorded_from, CASE WHEN ({_row(told)}) IN (SELECT ({_row(told)}) FROM same) THEN "
        f"NULL ELSE {at} END "
        f"FROM open o UNION ALL "
        f"SELECT {told}, {at}, NULL FROM (SELECT {told} FROM told EXCEPT SELECT {told} FROM same)"
    )


def _row(columns: str) -> str:
    return f"row({columns})::VARCHAR"


def _text_of(column: str, columns: dict[str, str]) -> str:
    return f"r.{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR"


def _report(engine: Engine, source: Source, *, links: link.LinkReport | None, about: About, work: str) -> LoadReport:
    counts = engine.rows(
        f"SELECT count(*) AS records, count(*) FILTER (known) AS known, count(entity_id) AS found FROM "
        f"{name(f'{work}_links')}"
    ).to_pylist()[0]
    created = link.count(engine, f"{work}_fresh")
    return LoadReport(
        source=source.name,
        records=counts["records"],
        known=counts["known"],
        matched=counts["found"] - counts["known"],
        created=created,
        merged=counts["records"] - counts["found"] - created,
        entities=about.entities,
        links=links,
    )


def _write_text(place: Path, body: str) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _drop(engine: Engine, previous: Version | None, *, work: str) -> None:
    own = (
        "records", "known", "matched", "links", "new", "fresh", "groups", "entities", "map", "prints", "distinct",
        "forms", "form_keys", "keys",
    )  # fmt: skip
    engine.drop(*(f"{work}_{t}" for t in own))
    if previous is not None:
        previous.unload(engine, f"{work}_old")
    engine.drop(*(f"{work}_old_{file}" for file in FILES))
