"""The Geography Index: postcodes and areas, where they are, and in which areas they lie at each boundary year.

An entity is a postcode, in use or terminated, or an area; the areas it lies in follow from it, and they
alone are published. A version holds, beside `entities.parquet`, `records.parquet` and `events.parquet` of the
ledger:

    postcodes.parquet  entity_id, postcode, latitude, longitude, effective_from, effective_to, one column per
                       level and boundary year that directories tell (`lsoa_2021`; `district` without a year)
    placed.parquet     entity_id, columns that were derived: see `placing`
    areas.parquet      entity_id, area_code, level, latitude, longitude, columns: see `area_entities`
    history.parquet    entity_id, attribute, value, source, recorded_to: what is no longer said

and the files of `area_register`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine
from integrated_data.index import life
from integrated_data.index.build import Source
from integrated_data.index.link import Clock
from integrated_data.index.past import Laid, Remembering
from integrated_data.index.reference import area_entities, area_register, directory, ledger, placing
from integrated_data.index.reference.area_register import FILES, Said
from integrated_data.index.reference.ledger import Edition
from integrated_data.index.reference.locate import Places, locate
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityStatus, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.sql import name, names, text

INDEX = IndexDefinition(
    name="geography",
    title="Geography Index",
    key="area",
    attributes=(Meaning.POSTCODE, Meaning.LATITUDE, Meaning.LONGITUDE, Meaning.AREA_CODE, Meaning.AREA_NAME),
    publishes=areas.PUBLISHED,
    coded=True,
)

_WORK = "geography"
_HISTORY = "0::BIGINT AS entity_id, '' AS attribute, '' AS value, '' AS source, '' AS recorded_to"


@dataclass(frozen=True)
class GeographyIndex(Remembering):
    """See `index.seat.Seat`."""

    definition: IndexDefinition = INDEX

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """See `Seat.add`. A source holds postcodes, names of areas, lookups between areas, polygons or centres
        of areas, or several of them; columns `area_type`, `boundary_year`, `parent_code`, a column of polygons
        (see `boundaries.HEADINGS`), dates and weights are read where they are carried.
        """
        before = ledger.open_edition(INDEX, previous) if previous else None
        engine, clock = tools.engine, Clock()
        told = area_register.said(engine, addition)
        if not told.has_postcodes and not told.names and not told.codes:
            raise IndexRefusal(
                f"Source {addition.source} was not loaded",
                why="It holds neither postcodes nor names or codes of areas",
                next_step="Say in its contract which columns mean postcode, area_code and area_name",
            )
        try:
            with clock.step("read"):
                _load(engine, before)
                directory.read(engine, told, work=_WORK)
                area_register.read(engine, told, work=_WORK)
                _refuse_unread(engine, told)
                for file in FILES:
                    engine.create(f"{_WORK}_all_{file}", area_register.merged_sql(file, source=told.source, work=_WORK))
            folder.mkdir(mode=0o700, parents=True)
            with clock.step("number"):
                _number(engine, "new", key="postcode", known=("told", "old_postcodes"))
            with clock.step("place"):
                columns = directory.merge(engine, told, work=_WORK, recorded_at=addition.recorded_at)
                derived, borders = placing.place(engine, work=_WORK, told=columns)
                _collect(engine, columns)
                _number(engine, "new_areas", key="area_code", known=("lines", "old_areas"))
            loading = ledger.Loading(INDEX, before, _source(addition), folder, _WORK)
            with clock.step("write"):
                about = _write(engine, loading, told=told) | {"borders": borders}
            ledger.finish(loading, about)
            counts = _report(engine, about=about, source=told.source)
            return counts | {
                "areas": list(told.codes), "derived": derived, "borders": borders, "seconds": clock.seconds,
            }  # fmt: skip
        finally:
            _drop(engine)

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`. See `locate` for the methods and what their probabilities mean."""
        version, clock = ledger.open_edition(INDEX, folder), Clock()
        index = f"{matching.out}_index"
        files = ("postcodes", "placed", "areas", "names", "aliases", "boundaries")
        version.load(tools.engine, index, *files)
        try:
            with clock.step("match"):
                places = Places(matching.records, index, matching.out, version.about["borders"])
                report = locate(tools.engine, places, columns=matching.columns)
        finally:
            tools.engine.drop(*(f"{index}_{file}" for file in files))
        return replace(report, entities=version.about["entities"], seconds=clock.seconds).to_dict()

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:
        """See `Seat.published`: area codes from LSOA up; no postcode, coordinates or output area."""
        columns = whole(engine, ledger.open_edition(INDEX, folder), relation=f"{relation}_whole")
        shown = directory.published(columns)
        engine.view(relation, f"SELECT {names(('entity_id', *shown))} FROM {name(f'{relation}_whole')}")
        return shown

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.members`."""
        ledger.members(engine, INDEX, folder=folder, relation=relation)

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """See `Seat.laid`. What is no longer said of a postcode is known to the day it was said otherwise."""
        version = ledger.open_edition(INDEX, folder)
        version.load(engine, prefix, "entities", "records", "events", "history")
        columns = whole(engine, version, relation=f"{prefix}_whole")
        dates = "p.effective_from, p.effective_to, e.recorded_from"
        past = "".join(
            f" UNION ALL BY NAME SELECT source, entity_id::VARCHAR AS record_id, entity_id, value AS {name(c)}, "
            f"recorded_to FROM {prefix}_history WHERE attribute = {text(c)}"
            for c in columns
        )
        engine.view(
            f"{prefix}_attributes",
            f"SELECT e.source, coalesce(w.postcode, w.area_code) AS record_id, w.*, {dates}, "
            "NULL::VARCHAR AS recorded_to "
            f"FROM {prefix}_whole AS w JOIN {prefix}_entities AS e ON e.entity_id = w.entity_id "
            f"LEFT JOIN {prefix}_whole_postcodes AS p ON p.entity_id = w.entity_id{past}",
        )
        beneath = ("history", "whole", "whole_postcodes", "whole_placed", "whole_areas")
        attributes = ("postcode", "area_code", "latitude", "longitude", *columns)
        return Laid(prefix, attributes, life.moments(version.about), beneath)


GEOGRAPHY = GeographyIndex()


def whole(engine: Engine, edition: Edition, *, relation: str) -> tuple[str, ...]:
    """View `relation` (entity_id, postcode, area_code, latitude, longitude, columns) of all entities; the columns.

    Of `postcode` and `area_code` one is NULL.
    """
    edition.load(engine, relation, "postcodes", "placed", "areas")
    told = [c for c in engine.columns(f"{relation}_postcodes") if c not in directory.OWN]
    derived = [c for c in engine.columns(f"{relation}_placed") if c != "entity_id"]
    of_areas = [c for c in engine.columns(f"{relation}_areas") if c not in area_entities.OWN]
    columns = placing.all_columns(told, derived)
    columns += [c for c in of_areas if c not in columns]
    listed = names(("entity_id", "postcode", "area_code", "latitude", "longitude", *columns))
    places = placing.whole_sql(f"{relation}_postcodes", f"{relation}_placed", told=told, derived=derived)
    engine.view(
        relation,
        f"SELECT {listed} FROM ({places} UNION ALL BY NAME SELECT * EXCLUDE (level) FROM {name(f'{relation}_areas')})",
    )
    return tuple(columns)


def _load(engine: Engine, before: Edition | None) -> None:
    """Views `geography_old_<file>` of the version before; empty ones for the first source."""
    if before is not None:
        before.load(engine, f"{_WORK}_old", "entities", "records", "postcodes", "areas", "history", *FILES)
        return
    ledger.load_previous(engine, None, work=_WORK)
    engine.view(f"{_WORK}_old_postcodes", directory.EMPTY)
    engine.view(f"{_WORK}_old_areas", area_entities.EMPTY)
    engine.view(f"{_WORK}_old_history", f"SELECT {_HISTORY} WHERE FALSE")
    for file in FILES:
        engine.view(f"{_WORK}_old_{file}", area_register.empty_sql(file))


def _refuse_unread(engine: Engine, told: Said) -> None:
    """Refuses a source of polygons none of which can be read."""
    if told.geometry is None or not told.codes or _count(engine, f"{_WORK}_boundaries"):
        return
    raise IndexRefusal(
        f"Source {told.source} was not loaded",
        why="None of its polygons can be read, or none lies in the United Kingdom",
        next_step="Deliver polygons as GeoJSON, well-known text or well-known binary, in degrees (WGS 84)",
    )


def _number(engine: Engine, made: str, *, key: str, known: tuple[str, str]) -> None:
    """Table `geography_<made>` (key, entity_id): those of the first relation that the second does not hold."""
    seen, old = known
    engine.create(
        f"{_WORK}_unknown",
        f"SELECT {key}, row_number() OVER (ORDER BY {key}) AS place FROM (SELECT DISTINCT {key} FROM {_WORK}_{seen}) "
        f"ANTI JOIN {_WORK}_{old} USING ({key})",
    )
    life.draw(engine, f"{_WORK}_unknown", entities=f"{_WORK}_old_entities", out=f"{_WORK}_fresh")
    engine.create(f"{_WORK}_{made}", f"SELECT {key}, entity_id FROM {_WORK}_unknown JOIN {_WORK}_fresh USING (place)")
    engine.drop(f"{_WORK}_fresh", f"{_WORK}_unknown")


def _collect(engine: Engine, columns: Sequence[str]) -> None:
    derived = [c for c in engine.columns(f"{_WORK}_placed") if c != "entity_id"]
    engine.create(
        f"{_WORK}_whole",
        placing.whole_sql(f"{_WORK}_merged", f"{_WORK}_placed", told=columns, derived=derived),
    )
    area_entities.collect(engine, work=_WORK, columns=placing.all_columns(columns, derived))


def _source(addition: Addition) -> Source:
    return Source(addition.source, addition.records, addition.recorded_at)


def _write(engine: Engine, loading: ledger.Loading, *, told: Said) -> dict[str, Any]:
    """Save the files of the new version; returns what `about.json` is to say."""
    source, at, folder = text(loading.source.name), text(loading.source.recorded_at), loading.folder
    new = f"SELECT entity_id FROM {_WORK}_new UNION ALL SELECT entity_id FROM {_WORK}_new_areas"
    engine.create(
        f"{_WORK}_entities",
        f"SELECT entity_id, status, source, recorded_from FROM {_WORK}_old_entities UNION ALL "
        f"SELECT entity_id, {text(EntityStatus.CURRENT)}, {source}, {at} FROM ({new})",
    )
    statements = {
        "postcodes": f"SELECT * FROM {_WORK}_merged",
        "placed": f"SELECT * FROM {_WORK}_placed ORDER BY entity_id",
        "areas": area_entities.areas_sql(engine, work=_WORK),
        "history": f"SELECT entity_id, attribute, value, source, recorded_to FROM {_WORK}_old_history UNION ALL "
        f"SELECT entity_id, attribute, value, {source}, recorded_to FROM {_WORK}_superseded",
        **{file: f"SELECT * FROM {_WORK}_all_{file}" for file in FILES},
    }
    written = {file: engine.save(sql, folder / f"{file}.parquet", sealed=True) for file, sql in statements.items()}
    events = _live(engine, loading, told=told)
    sources = dict(loading.previous.about["sources"]) if loading.previous else {}
    return {
        "entities": _count(engine, f"{_WORK}_entities"),
        **{file: written[file] for file in ("postcodes", "areas", *FILES)},
        "sources": sources | {loading.source.name: _count(engine, loading.source.records)},
        "events": events,
    }


def _live(engine: Engine, loading: ledger.Loading, *, told: Said) -> dict[str, int]:
    """Save which entity each record is, what happened to the entities, and where they stand; counts events.

    A postcode or area that no source says any more is retired: it is still found, with the areas it had.
    """
    folder = loading.folder
    engine.create(f"{_WORK}_records", _records_sql(told))
    engine.save(f"SELECT * FROM {_WORK}_records", folder / "records.parquet", sealed=True)
    said = (
        f"SELECT entity_id FROM {_WORK}_records UNION ALL SELECT a.entity_id FROM ({_areas_known()}) AS a "
        f"SEMI JOIN {_WORK}_lines AS l ON l.area_code = a.area_code"
    )
    engine.create(f"{_WORK}_living", said)
    engine.create(f"{_WORK}_turns", life.turns_sql(f"{_WORK}_entities", f"{_WORK}_living"))
    engine.save(life.renewed_sql(f"{_WORK}_entities", f"{_WORK}_turns"), folder / "entities.parquet", sealed=True)
    life.load(engine, loading.previous.folder if loading.previous else None, relation=f"{_WORK}_old_events")
    moment = loading.moment
    return life.save(engine, old=f"{_WORK}_old_events", turns=[f"{_WORK}_turns"], moment=moment, folder=folder)


def _areas_known() -> str:
    return (
        f"SELECT area_code, entity_id FROM {_WORK}_old_areas UNION ALL "
        f"SELECT area_code, entity_id FROM {_WORK}_new_areas"
    )


def _records_sql(told: Said) -> str:
    """Which entity each record of every source is: its postcode, else the finest area it names."""
    said = f"SELECT record_id::VARCHAR AS record_id, postcode, NULL::VARCHAR AS code FROM {_WORK}_said"
    if not told.has_postcodes and told.codes:
        finest = min(told.codes, key=lambda c: list(areas.LEVELS).index(areas.level_and_year(c)[0] or "country"))
        said = (
            f"SELECT record_id::VARCHAR AS record_id, NULL::VARCHAR AS postcode, {told.code_sql(finest)} AS code "
            f"FROM {name(told.records)}"
        )
    return (
        f"SELECT source, record_id, entity_id, print FROM {_WORK}_old_records WHERE source <> {text(told.source)} "
        f"UNION ALL SELECT {text(told.source)}, s.record_id, coalesce(m.entity_id, a.entity_id) AS entity_id, "
        f"md5(coalesce(s.postcode, s.code)) FROM ({said}) AS s "
        f"LEFT JOIN {_WORK}_merged AS m ON m.postcode = s.postcode "
        f"LEFT JOIN ({_areas_known()}) AS a ON a.area_code = s.code "
        "WHERE coalesce(m.entity_id, a.entity_id) IS NOT NULL"
    )


def _report(engine: Engine, *, about: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Counts of what the source brought; `known` and `created` are postcodes."""
    told, created = _count(engine, f"{_WORK}_told"), _count(engine, f"{_WORK}_new")
    repaired = engine.rows(f"SELECT count(*) FILTER (repaired) AS n FROM {_WORK}_boundaries")["n"][0].as_py()
    return {
        "source": source, "records": about["sources"][source], "known": told - created, "created": created,
        "entities": about["entities"], "postcodes": about["postcodes"], "names": about["names"],
        "polygons": about["boundaries"],
        "repaired": int(repaired or 0), "events": about["events"],
    }  # fmt: skip


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)}")["n"][0].as_py())


def _drop(engine: Engine) -> None:
    own = (
        "told", "said", "new", "new_areas", "fresh", "unknown", "merged", "superseded", "placed", "near",
        "shapes", "points", "whole", "kinds", "lines",
        "entities", "records", "living", "turns", *FILES, *(f"all_{file}" for file in FILES),
    )  # fmt: skip
    old = ("entities", "records", "events", "postcodes", "areas", "history", *FILES)
    engine.drop(*(f"{_WORK}_{table}" for table in own), *(f"{_WORK}_old_{table}" for table in old))
