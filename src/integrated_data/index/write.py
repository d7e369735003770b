"""Writing a version of an index: whom every record is now, under which id, and what that changed."""

import os
from pathlib import Path

from integrated_data.engine import Engine
from integrated_data.index import life, promote
from integrated_data.index.matching import block, prepare, rivals
from integrated_data.index.matching.basis import Basis, with_kept_frequencies_sql
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.sources import Source
from integrated_data.index.store import BASIS, About, Version, probe
from integrated_data.model.linkage import EntityEvent, EntityStatus
from integrated_data.vocabulary.sql import name, names, text

WORK = "build"  # what the names of all tables begin with

#: Tables that are left behind.
TABLES = (
    "earlier", "concerned", "before", "now", "regrouped", "ids", "ranked", "turns", "all_turns", "numbered", "said",
    "standing", "said_ids", "entities", "heirs", "former", "all_said", "told_of", "distinct", "forms", "keys",
    "old_events", "new_groups", "promoted", "members", "gone",
)  # fmt: skip


def load_previous(engine: Engine, definition: MatchDefinition, *, previous: Version | None, work: str) -> None:
    """Views `<work>_old_<file>` of the version before; empty ones for the first source."""
    life.load(engine, previous.folder if previous else None, relation=f"{work}_old_events")
    if previous is not None:
        previous.load(engine, f"{work}_old")
        return
    fields = "".join(f", {name(f)}" for f in prepare.kept(definition))
    meanings = "".join(f", NULL::VARCHAR AS {name(m)}" for m in definition.index.attributes)
    empty = {
        "entities": "0::BIGINT AS entity, 0::BIGINT AS entity_id, '' AS status, '' AS source, '' AS recorded_from",
        "records": "'' AS source, '' AS record_id, 0::BIGINT AS entity, 0::BIGINT AS form",
        "former": "'' AS source, '' AS record_id, 0::BIGINT AS entity, 0::BIGINT AS form",
        "attributes": f"0::BIGINT AS entity, '' AS source, '' AS record_id{meanings}, NULL::VARCHAR AS "
        "effective_from, NULL::VARCHAR AS effective_to, '' AS recorded_from, NULL::VARCHAR AS recorded_to",
        "forms": "0::BIGINT AS form, 0::BIGINT AS entity, [''] AS sources, FALSE AS former, "
        f"0::BIGINT AS print{fields}",
        "edges": "0::BIGINT AS low, 0::BIGINT AS high, 0.0::DOUBLE AS weight",
        "decided": "0::BIGINT AS low, 0::BIGINT AS high, '' AS kind",
    }
    for file, columns in empty.items():
        engine.create(f"{work}_old_{file}", f"SELECT {columns} FROM {name(f'{work}_records')} LIMIT 0")


def version(
    engine: Engine, definition: MatchDefinition, *, previous: Version | None, source: Source,
    made: tuple[Basis, Path],
) -> tuple[Version, dict[str, int]]:  # fmt: skip
    """Write the files of the new version; `about.json` last, so that an unfinished one cannot be opened.

    Reads `build`'s tables; `made`: the basis, and the folder. Returns the version and its events by kind.
    """
    basis, folder = made
    _identify(engine, source=source)
    _forms(engine, definition, known=source.settled is not None)
    block.store_keys(engine, definition, forms=f"{WORK}_forms", out=f"{WORK}_keys")
    statements = {
        "entities": f"SELECT entity, entity_id, status, source, recorded_from FROM {WORK}_entities ORDER BY entity",
        "records": _records_sql(former=False),
        "former": _records_sql(former=True),
        "attributes": _attributes_sql(engine, definition, source=source),
        "forms": f"SELECT * FROM {WORK}_forms ORDER BY entity",
        "keys": f"SELECT * FROM {WORK}_keys",
        "edges": f"SELECT low, high, weight FROM {WORK}_edges ORDER BY low, high",
        "decided": f"SELECT low, high, kind FROM {WORK}_decided ORDER BY ALL",
        "frequencies": f"SELECT field, value, share FROM {WORK}_frequencies ORDER BY field, value",
    }
    for file, sql in statements.items():
        engine.save(sql, folder / f"{file}.parquet", sealed=True, reread=file == "forms")
    moment = life.following(previous.about.moments if previous else (), source.name, recorded_at=source.recorded_at)
    turns = (f"{WORK}_all_turns",)
    events = life.save(engine, old=f"{WORK}_old_events", turns=turns, moment=moment, folder=folder)
    sizes = engine.rows(f"SELECT source, count(*) AS n FROM {WORK}_stands GROUP BY source ORDER BY source").to_pylist()
    model = basis.model(len(basis.sources) - 1, definition)
    about = About(
        index=definition.index.name,
        entities=_count(engine, f"{WORK}_entities", where=f"status <> {text(EntityStatus.ABSORBED)}"),
        forms=_count(engine, f"{WORK}_forms"),
        sources={row["source"]: row["n"] for row in sizes},
        probe=probe(engine),
        rivals=basis.rivals if source.settled else rivals.rival_counts(engine, definition, model=model, work=WORK),
        moments=(*(previous.about.moments if previous else ()), moment),
    )
    _write_text(folder / BASIS, basis.to_json())
    _write_text(folder / "about.json", about.to_json())
    return Version(definition, folder, about), events


def _identify(engine: Engine, *, source: Source) -> None:
    """Tables `<work>_entities` (with `fresh`), `<work>_said` and `<work>_former` (source, record_id, entity,
    spot) and the turns of entities: ids continue (see `life`)."""
    first = f"(SELECT coalesce(max(entity), -1) FROM {WORK}_stands)"
    engine.create(
        f"{WORK}_earlier",
        f"SELECT source, record_id, entity FROM {WORK}_old_records UNION ALL SELECT f.source, f.record_id, "
        f"max(f.entity) FROM {WORK}_old_former f ANTI JOIN {WORK}_old_records o "
        "ON o.source = f.source AND o.record_id = f.record_id GROUP BY f.source, f.record_id",
    )
    engine.create(
        f"{WORK}_now",
        f"SELECT s.record, s.source, s.record_id, s.spot, s.entity, g.grp, g.grp > {first} AS anew "
        f"FROM {WORK}_stands s JOIN {WORK}_grouped g ON g.record = s.record",
    )
    engine.create(
        f"{WORK}_concerned",
        f"SELECT DISTINCT entity FROM (SELECT e.entity FROM {WORK}_earlier e JOIN {WORK}_now n ON n.source = e.source "
        f"AND n.record_id = e.record_id WHERE n.anew UNION ALL SELECT entity FROM {WORK}_mine ANTI JOIN {WORK}_told "
        "USING (record))",
    )
    engine.view(
        f"{WORK}_before",
        f"SELECT r.source, r.record_id, e.entity_id FROM {WORK}_earlier r SEMI JOIN {WORK}_concerned c "
        f"ON c.entity = r.entity JOIN {WORK}_old_entities e ON e.entity = r.entity",
    )
    engine.view(
        f"{WORK}_regrouped",
        f"SELECT source, record_id, grp FROM {WORK}_now WHERE anew OR entity IN (SELECT entity FROM {WORK}_concerned)",
    )
    life.regroup(engine, life.Grouping(f"{WORK}_before", f"{WORK}_regrouped", f"{WORK}_old_entities"), work=WORK)
    if source.met is not None:
        _promote(engine, source.met, source=source)
    engine.create(
        f"{WORK}_numbered",
        f"SELECT entity, entity_id, status, source, recorded_from, FALSE AS fresh FROM {WORK}_old_entities UNION ALL "
        f"SELECT (SELECT coalesce(max(entity), -1) FROM {WORK}_old_entities) + row_number() OVER (ORDER BY entity_id), "
        f"entity_id, {text(source.status)}, {text(source.name)}, {text(source.recorded_at)}, TRUE "
        f"FROM {WORK}_ids WHERE fresh",
    )
    engine.create(
        f"{WORK}_said",
        f"SELECT n.record, n.source, n.record_id, n.spot, coalesce(e.entity, n.grp) AS entity FROM {WORK}_now n "
        f"LEFT JOIN {WORK}_ids i ON i.grp = n.grp LEFT JOIN {WORK}_numbered e ON e.entity_id = i.entity_id",
    )
    if source.met is not None:
        _absorb(engine, source.met, source=source)
    _turn(engine)
    _remember(engine, source=source)


def _promote(engine: Engine, met: str, *, source: Source) -> None:
    """New groups that continue a provisional entity take its id instead of a fresh one."""
    engine.view(
        f"{WORK}_new_groups",
        f"SELECT n.record_id, n.grp FROM {WORK}_now n JOIN {WORK}_ids i ON i.grp = n.grp WHERE i.fresh "
        f"AND n.source = {text(source.name)}",
    )
    promote.promote(engine, groups=f"{WORK}_new_groups", met=met, out=f"{WORK}_promoted")
    engine.create(
        f"{WORK}_ids",
        f"SELECT i.grp, coalesce(p.entity_id, i.entity_id) AS entity_id, i.fresh FROM {WORK}_ids i "
        f"LEFT JOIN {WORK}_promoted p ON p.grp = i.grp",
    )


def _absorb(engine: Engine, met: str, *, source: Source) -> None:
    """Provisional entities that turned out to be others are entered, to be absorbed by them."""
    engine.view(
        f"{WORK}_members",
        f"SELECT s.record_id, e.entity_id FROM {WORK}_said s JOIN {WORK}_numbered e ON e.entity = s.entity "
        f"WHERE s.source = {text(source.name)}",
    )
    promote.absorb(engine, members=f"{WORK}_members", met=met, out=f"{WORK}_gone")
    engine.create(
        f"{WORK}_numbered",
        f"SELECT * FROM {WORK}_numbered UNION ALL SELECT (SELECT coalesce(max(entity), -1) FROM {WORK}_numbered) "
        f"+ row_number() OVER (ORDER BY entity_id), entity_id, {text(EntityStatus.CURRENT)}, {text(source.name)}, "
        f"{text(source.recorded_at)}, TRUE FROM {WORK}_gone",
    )
    engine.create(f"{WORK}_turns", f"SELECT * FROM {WORK}_turns UNION ALL {promote.turns_sql(f'{WORK}_gone')}")


def _turn(engine: Engine) -> None:
    """Table `<work>_all_turns` of what became of entities, and `<work>_entities` with the status it leaves them."""
    absorbed = f"SELECT entity_id FROM {WORK}_turns WHERE event = {text(EntityEvent.ABSORBED)}"
    engine.view(f"{WORK}_standing", f"SELECT * FROM {WORK}_old_entities ANTI JOIN ({absorbed}) USING (entity_id)")
    engine.view(
        f"{WORK}_said_ids",
        f"SELECT DISTINCT e.entity_id FROM {WORK}_said s JOIN {WORK}_numbered e ON e.entity = s.entity",
    )
    turns = life.turns_sql(f"{WORK}_standing", f"{WORK}_said_ids")
    engine.create(f"{WORK}_all_turns", f"SELECT * FROM {WORK}_turns UNION ALL SELECT * FROM ({turns})")
    engine.create(f"{WORK}_entities", life.renewed_sql(f"{WORK}_numbered", f"{WORK}_all_turns"))


def _remember(engine: Engine, *, source: Source) -> None:
    """Table `<work>_former`: what records said before, with the entity each is by now."""
    engine.create(
        f"{WORK}_heirs",
        f"SELECT o.entity, n.entity AS heir FROM {WORK}_turns t JOIN {WORK}_numbered o ON o.entity_id = t.entity_id "
        f"JOIN {WORK}_numbered n ON n.entity_id = t.other_id WHERE t.event = {text(EntityEvent.ABSORBED)}",
    )
    engine.create(
        f"{WORK}_former",
        f"SELECT f.source, f.record_id, f.spot, coalesce(s.entity, h.heir, f.entity) AS entity FROM ("
        f"SELECT source, record_id, form AS spot, entity FROM {WORK}_old_former UNION ALL "
        f"SELECT {text(source.name)}, m.record_id, m.form, m.entity FROM {WORK}_mine m "
        f"SEMI JOIN {WORK}_moved v ON v.record = m.record) f "
        f"LEFT JOIN {WORK}_said s ON s.source = f.source AND s.record_id = f.record_id "
        f"LEFT JOIN {WORK}_heirs h ON h.entity = f.entity",
    )


def _forms(engine: Engine, definition: MatchDefinition, *, known: bool) -> None:
    """Table `<work>_forms`: the distinct cleaned forms of every entity, which sources say them, or none any more.

    `known`: how common values are is what the basis says, for these forms are too few to show it.
    """
    engine.create(
        f"{WORK}_all_said",
        f"SELECT a.*, c.print FROM (SELECT source, record_id, spot, entity, FALSE AS former FROM {WORK}_said UNION ALL "
        f"SELECT source, record_id, spot, entity, TRUE FROM {WORK}_former) a JOIN {WORK}_content c ON c.spot = a.spot",
    )
    engine.create(
        f"{WORK}_told_of",
        "SELECT row_number() OVER (ORDER BY entity, print) - 1 AS form, entity, "
        f"{_sources_sql(engine)} AS sources, bool_and(former) AS former, "
        f"print, min(spot) AS spot FROM {WORK}_all_said GROUP BY entity, print",
    )
    fields = ", ".join(f"c.{name(f)}" for f in prepare.kept(definition))
    engine.create(
        f"{WORK}_distinct",
        f"SELECT t.form, t.entity, t.sources, t.former, t.print, {fields} FROM {WORK}_told_of t "
        f"JOIN {WORK}_content c ON c.spot = t.spot",
    )
    forms = prepare.with_frequencies_sql(definition, f"{WORK}_distinct")
    if known:
        forms = with_kept_frequencies_sql(definition, f"{WORK}_distinct", frequencies=f"{WORK}_frequencies")
    engine.create(f"{WORK}_forms", forms)


def _sources_sql(engine: Engine) -> str:
    """Aggregate over `<work>_all_said`: the sources that say it now, in order; a list of flags costs no memory."""
    held = engine.rows(f"SELECT DISTINCT source FROM {WORK}_all_said WHERE NOT former ORDER BY source")
    flags = (
        f"CASE WHEN bool_or(source = {text(s)} AND NOT former) THEN {text(s)} END" for s in held["source"].to_pylist()
    )
    return f"list_filter([{', '.join(flags)}]::VARCHAR[], each -> each IS NOT NULL)"


def _records_sql(*, former: bool) -> str:
    """Which entity and form each record is, or was."""
    return (
        f"SELECT DISTINCT s.source, s.record_id, s.entity, f.form FROM {WORK}_all_said s JOIN {WORK}_forms f "
        f"ON f.entity = s.entity AND f.print = s.print WHERE s.former = {former}"
    )


def _attributes_sql(engine: Engine, definition: MatchDefinition, *, source: Source) -> str:
    """What every source said of every entity and when; what this source no longer says is closed."""
    columns = engine.columns(source.records)
    meanings = names(str(m) for m in definition.index.attributes)
    values = ", ".join(f"{_text_of(str(m), columns)} AS {name(m)}" for m in definition.index.attributes)
    times = ", ".join(f"{_text_of(t, columns)} AS {t}" for t in ("effective_from", "effective_to"))
    told = f"source, record_id, {meanings}, effective_from, effective_to"
    new = (
        f"SELECT {text(source.name)} AS source, r.record_id::VARCHAR AS record_id, {values}, {times} "
        f"FROM {name(source.records)} r"
    )
    old = f"{WORK}_old_attributes WHERE source = {text(source.name)} AND recorded_to IS NULL"
    at = text(source.recorded_at)
    same = " AND ".join(f"t.{c} IS NOT DISTINCT FROM o.{c}" for c in told.split(", ")[2:])
    said = (
        f"SELECT entity, {told}, recorded_from, recorded_to FROM {WORK}_old_attributes "
        f"WHERE source <> {text(source.name)} OR recorded_to IS NOT NULL UNION ALL "
        f"SELECT o.* REPLACE (CASE WHEN t.record_id IS NULL THEN {at} END AS recorded_to) "
        f"FROM (SELECT entity, {told}, recorded_from, recorded_to FROM {old}) o "
        f"LEFT JOIN told t ON t.record_id = o.record_id AND {same} UNION ALL "
        f"SELECT NULL, {told}, {at}, NULL FROM told t "
        f"ANTI JOIN (SELECT * FROM {old}) o ON t.record_id = o.record_id AND {same}"
    )
    return (
        f"WITH told AS NOT MATERIALIZED ({new}) "
        f"SELECT coalesce(s.entity, h.heir, a.entity) AS entity, a.* EXCLUDE (entity) FROM ({said}) a "
        f"LEFT JOIN {WORK}_said s ON s.source = a.source AND s.record_id = a.record_id "
        f"LEFT JOIN {WORK}_heirs h ON h.entity = a.entity"
    )


def _text_of(column: str, columns: dict[str, str]) -> str:
    return f"r.{name(column)}::VARCHAR" if column in columns else "NULL::VARCHAR"


def _count(engine: Engine, relation: str, *, where: str = "TRUE") -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)} WHERE {where}").column("n")[0].as_py())


def _write_text(place: Path, body: str) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
