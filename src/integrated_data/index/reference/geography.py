"""The Geography Index: postcodes, where they are, and the areas they lie in at each boundary year.

An entity is a postcode, in use or terminated; its areas follow from it, and they alone are published.
A version holds, beside `entities.parquet`, `records.parquet` and `events.parquet` of the ledger:

    postcodes.parquet  entity_id, postcode, latitude, longitude, one column per level and boundary year
                       (`lsoa_2021`; `district` where a source does not tell the year); sorted by postcode
    names.parquet      area_code, area_name, level, boundary_year, parent_code, source
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from integrated_data.engine import Engine, Stored
from integrated_data.index import life
from integrated_data.index.build import Source
from integrated_data.index.link import Clock
from integrated_data.index.past import Laid, Remembering
from integrated_data.index.reference import ledger
from integrated_data.index.reference.ledger import Edition
from integrated_data.index.reference.locate import Places, locate, point_sql
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityStatus, IndexDefinition
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import areas, postcodes
from integrated_data.vocabulary.sql import name, names, text

INDEX = IndexDefinition(
    name="geography",
    title="Geography Index",
    key="area",
    attributes=(Meaning.POSTCODE, Meaning.LATITUDE, Meaning.LONGITUDE, Meaning.AREA_CODE),
    publishes=areas.PUBLISHED,
)

#: What a postcode looks like, also one of before 1991 that today's pattern leaves out.
_WHOLE = "[A-Z]{1,3}[0-9]?[A-Z0-9]? [0-9][A-Z]{2}"
_NAMED = ("area_code", "area_name", "level", "boundary_year", "parent_code", "source")
_WORK = "geography"


@dataclass(frozen=True)
class GeographyIndex(Remembering):
    """See `index.seat.Seat`."""

    definition: IndexDefinition = INDEX

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """See `Seat.add`. A source holds postcodes, names of areas, or both; columns `area_type`,
        `boundary_year` and `parent_code` beside names are read where they are carried.

        What the latest source says of a postcode stands; where it is silent, what was known stays.
        """
        before = ledger.open_edition(INDEX, previous) if previous else None
        engine, clock = tools.engine, Clock()
        has_postcodes = "postcode" in engine.columns(addition.records)
        levels = _levels(engine, addition) if has_postcodes else {}
        named = _named(addition)
        if not has_postcodes and not named:
            raise IndexRefusal(
                f"Source {addition.source} was not loaded",
                why="It holds neither postcodes nor names of areas",
                next_step="Say in its contract which columns mean postcode, area_code and area_name",
            )
        folder.mkdir(mode=0o700, parents=True)
        try:
            with clock.step("read"):
                _load(engine, before)
                _read(engine, addition, levels=levels)
            with clock.step("number"):
                _number(engine, addition)
            with clock.step("write"):
                about = _write(engine, addition, before=before, levels=tuple(levels), named=named, folder=folder)
            loading = ledger.Loading(INDEX, before, _source(addition), folder, _WORK)
            about |= {"events": _live(engine, loading)}
            ledger.finish(loading, about)
            return _report(engine, addition, about=about) | {"areas": list(levels), "seconds": clock.seconds}
        finally:
            _drop(engine)

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`. See `locate` for the methods and what their probabilities mean."""
        version, clock = ledger.open_edition(INDEX, folder), Clock()
        index = f"{matching.out}_index"
        version.load(tools.engine, index, "postcodes")
        try:
            with clock.step("match"):
                report = locate(tools.engine, Places(matching.records, f"{index}_postcodes", matching.out))
        finally:
            tools.engine.drop(f"{index}_postcodes")
        return replace(report, entities=version.about["entities"], seconds=clock.seconds).to_dict()

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:
        """See `Seat.published`: area codes from LSOA up; no postcode, coordinates or output area."""
        ledger.open_edition(INDEX, folder).load(engine, relation, "postcodes")
        held = engine.columns(f"{relation}_postcodes")
        columns = tuple(c for c in held if areas.level_and_year(c)[0] in areas.PUBLISHED)
        engine.view(relation, f"SELECT {names(('entity_id', *columns))} FROM {name(f'{relation}_postcodes')}")
        return columns

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.members`."""
        ledger.members(engine, INDEX, folder=folder, relation=relation)

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """See `Seat.laid`. What is known of a postcode stands since its first version: periods are not kept."""
        version = ledger.open_edition(INDEX, folder)
        version.load(engine, prefix, "entities", "records", "events", "postcodes")
        columns = tuple(c for c in engine.columns(f"{prefix}_postcodes") if c != "entity_id")
        engine.view(
            f"{prefix}_attributes",
            f"SELECT e.source, p.postcode AS record_id, p.*, NULL::VARCHAR AS effective_from, NULL::VARCHAR AS "
            f"effective_to, e.recorded_from, NULL::VARCHAR AS recorded_to FROM {name(f'{prefix}_postcodes')} AS p "
            f"JOIN {name(f'{prefix}_entities')} AS e ON e.entity_id = p.entity_id",
        )
        return Laid(prefix, columns, life.moments(version.about), ("postcodes",))


GEOGRAPHY = GeographyIndex()


def _levels(engine: Engine, addition: Addition) -> dict[str, list[str]]:
    """Columns of the index and the delivered columns behind each: by heading, else by most codes' prefix."""
    found: dict[str, list[str]] = {}
    for column in addition.columns.get("area_code", ()):
        level, year = areas.level_and_year(column)
        level = level or _level_of_codes(engine, addition.records, column=column)
        if level and not _is_parent(column):
            found.setdefault(areas.column_name(level, year), []).append(column)
    return found


def _level_of_codes(engine: Engine, records: str, *, column: str) -> str | None:
    level = areas.level_sql(f"{name(column)}::VARCHAR")
    rows = engine.rows(
        f"SELECT {level} AS level, count(*) AS n FROM {name(records)} WHERE {name(column)} IS NOT NULL "
        "GROUP BY level ORDER BY n DESC, level LIMIT 1"
    ).to_pylist()
    return rows[0]["level"] if rows else None


def _is_parent(column: str) -> bool:
    return column.lower().startswith("parent")


def _named(addition: Addition) -> list[tuple[str, str]]:
    """Pairs of code and name columns whose headings name the same level and year."""
    codes = {areas.level_and_year(c): c for c in addition.columns.get("area_code", ()) if not _is_parent(c)}
    pairs = ((codes.get(areas.level_and_year(n)), n) for n in addition.columns.get("area_name", ()))
    return [(code, column) for code, column in pairs if code is not None]


def _load(engine: Engine, before: Edition | None) -> None:
    """Views `geography_old_<file>` of the version before; empty ones for the first source."""
    if before is not None:
        before.load(engine, f"{_WORK}_old", "entities", "records", "postcodes", "names")
        return
    ledger.load_previous(engine, None, work=_WORK)
    engine.view(
        f"{_WORK}_old_postcodes",
        "SELECT 0::BIGINT AS entity_id, '' AS postcode, 0.0::DOUBLE AS latitude, 0.0::DOUBLE AS longitude WHERE FALSE",
    )
    engine.view(
        f"{_WORK}_old_names",
        "SELECT '' AS area_code, '' AS area_name, '' AS level, 0 AS boundary_year, '' AS parent_code, '' AS source "
        "WHERE FALSE",
    )


def _read(engine: Engine, addition: Addition, *, levels: Mapping[str, Sequence[str]]) -> None:
    """Relation `geography_told`: postcode, point and area columns, one row per postcode.

    Of several records with one postcode the first that has a value counts.
    """
    columns = engine.columns(addition.records)
    located = "latitude" in columns and "longitude" in columns
    values = [f"try_cast({c} AS DOUBLE)" if located else "NULL::DOUBLE" for c in ("latitude", "longitude")]
    said = {"point": point_sql(*values)}
    for level, behind in levels.items():
        said[level] = "coalesce(" + ", ".join(f"nullif({name(c)}::VARCHAR, '')" for c in behind) + ")"
    each = ", ".join(f"{sql} AS {name(column)}" for column, sql in said.items())
    written = postcodes.postcode_sql("postcode::VARCHAR") if "postcode" in columns else "NULL::VARCHAR"
    engine.create(
        f"{_WORK}_said",
        f"SELECT * FROM (SELECT record_id, {written} AS postcode, {each} FROM {name(addition.records)}) "
        f"WHERE regexp_full_match(postcode, {text(_WHOLE)})",
    )
    counts = engine.rows(f"SELECT count(*) AS n, count(DISTINCT postcode) AS one FROM {_WORK}_said").to_pylist()[0]
    first = ", ".join(f"arg_min({name(column)}, record_id) AS {name(column)}" for column in said)
    once = f"SELECT * FROM {_WORK}_said"
    repeated = f"SELECT postcode, {first} FROM {_WORK}_said GROUP BY postcode"
    engine.view(f"{_WORK}_told", once if counts["n"] == counts["one"] else repeated)


def _number(engine: Engine, addition: Addition) -> None:
    """Tables `geography_new` (postcode, entity_id: those not known before) and `geography_entities`."""
    engine.create(
        f"{_WORK}_unknown",
        f"SELECT t.postcode, row_number() OVER () AS place FROM {_WORK}_told AS t "
        f"ANTI JOIN {_WORK}_old_postcodes AS o ON o.postcode = t.postcode",
    )
    life.draw(engine, f"{_WORK}_unknown", entities=f"{_WORK}_old_entities", out=f"{_WORK}_fresh")
    engine.create(
        f"{_WORK}_new",
        f"SELECT u.postcode, f.entity_id FROM {_WORK}_unknown AS u JOIN {_WORK}_fresh AS f ON f.place = u.place",
    )
    engine.view(
        f"{_WORK}_entities",
        f"SELECT entity_id, status, source, recorded_from FROM {_WORK}_old_entities UNION ALL "
        f"SELECT entity_id, {text(EntityStatus.CURRENT)}, {text(addition.source)}, {text(addition.recorded_at)} "
        f"FROM {_WORK}_new",
    )


def _write(
    engine: Engine, addition: Addition, *, before: Edition | None, levels: tuple[str, ...],
    named: Sequence[tuple[str, str]], folder: Path,
) -> dict[str, Any]:  # fmt: skip
    """Save the files of the new version; returns what `about.json` is to say."""
    held = [c for c in engine.columns(f"{_WORK}_old_postcodes") if c not in _OWN]
    kept = {
        "latitude": "coalesce(t.point.latitude, o.latitude)",
        "longitude": "CASE WHEN t.point IS NULL THEN o.longitude ELSE t.point.longitude END",
    }
    for level in (*held, *(x for x in levels if x not in held)):
        said = [f"{side}.{name(level)}" for side, has in (("t", levels), ("o", held)) if level in has]
        kept[level] = f"coalesce({', '.join(said)})"
    listed = ", ".join(f"{sql} AS {name(column)}" for column, sql in kept.items())
    statements = {
        "postcodes": f"SELECT coalesce(o.entity_id, n.entity_id) AS entity_id, "
        f"coalesce(o.postcode, t.postcode) AS postcode, {listed} FROM {_WORK}_told AS t "
        f"FULL JOIN {_WORK}_old_postcodes AS o ON o.postcode = t.postcode "
        f"LEFT JOIN {_WORK}_new AS n ON n.postcode = t.postcode ORDER BY 2",
        "names": _names_sql(engine, addition, named=named),
    }
    written = {file: engine.save(sql, folder / f"{file}.parquet", sealed=True) for file, sql in statements.items()}
    count = int(engine.rows(f"SELECT count(*) AS n FROM {name(addition.records)}")["n"][0].as_py())
    sources = dict(before.about["sources"]) if before else {}
    return {"entities": written["postcodes"], "names": written["names"], "sources": sources | {addition.source: count}}


def _source(addition: Addition) -> Source:
    return Source(addition.source, addition.records, addition.recorded_at)


def _live(engine: Engine, loading: ledger.Loading) -> dict[str, int]:
    """Save which postcode each record is, what happened to the postcodes, and where they stand; counts events.

    A postcode that no source says any more is retired: it is still found, with the areas it had.
    """
    folder, source = loading.folder, text(loading.source.name)
    engine.load(f"{_WORK}_made", Stored((folder / "postcodes.parquet",)))
    engine.create(
        f"{_WORK}_records",
        f"SELECT source, record_id, entity_id, print FROM {_WORK}_old_records WHERE source <> {source} UNION ALL "
        f"SELECT {source}, s.record_id::VARCHAR, m.entity_id, md5(s.postcode) FROM {_WORK}_said AS s "
        f"JOIN {_WORK}_made AS m ON m.postcode = s.postcode",
    )
    engine.save(f"SELECT * FROM {_WORK}_records", folder / "records.parquet", sealed=True)
    engine.create(f"{_WORK}_turns", life.turns_sql(f"{_WORK}_entities", f"{_WORK}_records"))
    engine.save(life.renewed_sql(f"{_WORK}_entities", f"{_WORK}_turns"), folder / "entities.parquet", sealed=True)
    life.load(engine, loading.previous.folder if loading.previous else None, relation=f"{_WORK}_old_events")
    moment = loading.moment
    return life.save(engine, old=f"{_WORK}_old_events", turns=[f"{_WORK}_turns"], moment=moment, folder=folder)


_OWN = ("entity_id", "postcode", "latitude", "longitude")


def _names_sql(engine: Engine, addition: Addition, *, named: Sequence[tuple[str, str]]) -> str:
    """Names of areas: the source's own, and those of before that it does not name for the same year."""
    columns = engine.columns(addition.records)

    def given(column: str, kind: str) -> str:
        return f"try_cast({name(column)} AS {kind})" if column in columns else f"NULL::{kind}"

    told = []
    for code, label in named:
        level, year = areas.level_and_year(code)
        told.append(
            f"SELECT DISTINCT {name(code)}::VARCHAR AS area_code, {name(label)}::VARCHAR AS area_name, "
            f"coalesce({text(level) if level else 'NULL'}, {areas.level_sql(f'{name(code)}::VARCHAR')}, "
            f"lower({given('area_type', 'VARCHAR')})) AS level, "
            f"coalesce({year or 'NULL'}, {given('boundary_year', 'INTEGER')}) AS boundary_year, "
            f"{given('parent_code', 'VARCHAR')} AS parent_code, {text(addition.source)} AS source "
            f"FROM {name(addition.records)} WHERE {name(code)} IS NOT NULL AND {name(label)} IS NOT NULL"
        )
    listed = names(_NAMED)
    new = " UNION ALL ".join(told) if told else f"SELECT {listed} FROM {_WORK}_old_names WHERE FALSE"
    return (
        f"WITH told AS MATERIALIZED ({new}) SELECT {listed} FROM (SELECT * FROM told UNION ALL "
        f"SELECT {listed} FROM {_WORK}_old_names AS o WHERE NOT EXISTS (SELECT 1 FROM told AS t "
        "WHERE t.area_code = o.area_code AND t.boundary_year IS NOT DISTINCT FROM o.boundary_year)) ORDER BY ALL"
    )


def _report(engine: Engine, addition: Addition, *, about: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of what the source brought; `known` and `created` are postcodes."""
    counts = engine.rows(
        f"SELECT (SELECT count(*) FROM {_WORK}_told) AS postcodes, (SELECT count(*) FROM {_WORK}_new) AS created"
    ).to_pylist()[0]
    return {
        "source": addition.source,
        "records": about["sources"][addition.source],
        "known": counts["postcodes"] - counts["created"],
        "created": counts["created"],
        "entities": about["entities"],
        "names": about["names"],
        "events": about["events"],
    }


def _drop(engine: Engine) -> None:
    own = ("entities", "new", "fresh", "unknown", "told", "said", "made", "records", "turns")
    old = ("old_entities", "old_records", "old_postcodes", "old_names", "old_events")
    engine.drop(*(f"{_WORK}_{table}" for table in (*own, *old)))
