"""Questions to the Geography Index: in which area of a level and year, and how do areas go over to others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from integrated_data.engine import Engine
from integrated_data.index.reference import boundaries, ledger
from integrated_data.index.reference.crosswalk import Crosswalk, same_sql, shared_sql
from integrated_data.index.reference.geography import INDEX, whole
from integrated_data.index.reference.locate import Places, locate, records_sql
from integrated_data.model.errors import IndexRefusal
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.sql import name, text

#: What the weights of a crosswalk count.
BY_LOOKUP, BY_POSTCODES, BY_AREA = "lookup", "postcodes", "area"
WAYS = (BY_LOOKUP, BY_POSTCODES, BY_AREA)
#: How a place gets its area.
EXACT, BEST_FIT = "exact", "best-fit"
NO_AREA = "in no area"

_FILES = ("postcodes", "placed", "areas", "names", "aliases", "lookups", "boundaries")


def column_of(asked: str) -> str:
    """The index's name of a level and year: `LSOA11CD`, `lsoa 2011` and `lsoa_2011` are one; refuses others."""
    level, year = areas.level_and_year(asked)
    if level is None:
        raise IndexRefusal(
            "That is no level of geography",
            next_step=f"Write a level and a year, as lsoa_2021; the levels are: {', '.join(areas.LEVELS)}",
        )
    return areas.column_name(level, year)


def crosswalk(engine: Engine, folder: Path, *, asked: Crosswalk, relation: str) -> str:
    """Make table `relation` (from_code, to_code, weight); returns what its weights count.

    A delivered lookup counts before overlaps of polygons, and these before postcodes in common, unless
    `asked.by` says otherwise. A lookup without weights serves where it has one area for each.
    """
    source, target = column_of(asked.source), column_of(asked.target)
    view = f"{relation}_of"
    edition = ledger.open_edition(INDEX, folder)
    columns = whole(engine, edition, relation=view)
    edition.load(engine, view, *_FILES)
    try:
        _refuse_unknown(engine, view, columns=columns, asked=(source, target))
        if source == target:
            codes = f"SELECT {name(source)} AS code FROM {view}" if source in columns else "SELECT '' AS code"
            engine.create(relation, same_sql(codes))
            return "identity"
        found = _counted(engine, view, columns=columns, pair=(source, target))
        ways = [asked.by] if asked.by else list(found)
        for way in ways:
            if way in found:
                engine.create(relation, shared_sql(found[way]))
                if engine.rows(f"SELECT 1 FROM {name(relation)} LIMIT 1").num_rows:
                    return way
        raise IndexRefusal(
            f"There is no crosswalk from {source} to {target}{f' by {asked.by}' if asked.by else ''}",
            why="No lookup between them, no polygons of both and no postcodes in both were loaded"
            if not asked.by else f"It can be made by: {', '.join(found) or 'nothing that was loaded'}",
            next_step="Load a lookup or boundaries: ids reference load geography FILE --source NAME",
        )  # fmt: skip
    finally:
        engine.drop(view, f"{view}_from", f"{view}_to", *(f"{view}_{file}" for file in _FILES))


def _counted(engine: Engine, view: str, *, columns: Sequence[str], pair: tuple[str, str]) -> dict[str, str]:
    """The ways there are, the best first: SELECT from_code, to_code, size of each."""
    source, target = pair
    drawn = _drawn(engine, view)
    found: dict[str, str] = {}
    lookup = (
        f"SELECT DISTINCT ON (from_code, to_code) from_code, to_code, weight AS size FROM {view}_lookups "
        f"WHERE from_column = {text(source)} AND to_column = {text(target)} ORDER BY from_code, to_code, source"
    )
    told = engine.rows(
        f"SELECT count(*) AS n, count(size) AS sized, count(DISTINCT from_code) AS one FROM ({lookup})"
    ).to_pylist()[0]
    if told["n"] and (told["sized"] == told["n"] or told["one"] == told["n"]):
        found[BY_LOOKUP] = lookup
    if source in drawn and target in drawn:
        for end, column in (("from", source), ("to", target)):
            engine.create(f"{view}_{end}", boundaries.shapes_sql(f"{view}_boundaries", column=column))
        found[BY_AREA] = boundaries.overlaps_sql(f"{view}_from", f"{view}_to")
    if source in columns and target in columns:
        found[BY_POSTCODES] = (
            f"SELECT {name(source)} AS from_code, {name(target)} AS to_code, count(*) AS size FROM {view} "
            f"WHERE postcode IS NOT NULL GROUP BY ALL"
        )
    return found


def areas_of(
    engine: Engine, folder: Path, *, places: tuple[str, str], column: str, how: str,
    columns: Mapping[str, Sequence[str]],
) -> dict[str, int]:  # fmt: skip
    """Make a table (record_id, area_code, method) of records; returns how many each way found.

    `places`: relation of records and the table to make. EXACT: the polygon of that year that holds the
    record's point, or its postcode's; on a border the code that comes first. BEST_FIT: the area that the
    record's place was given (see `locate`): an office's own, else a derived one.
    """
    records, out = places
    wanted, view = column_of(column), f"{out}_of"
    edition = ledger.open_edition(INDEX, folder)
    held = whole(engine, edition, relation=view)
    edition.load(engine, view, *_FILES)
    try:
        if how == EXACT:
            if wanted not in _drawn(engine, view):
                _refuse_year(wanted, _drawn(engine, view), what="polygons")
            _exact(engine, (records, view, out), column=wanted)
        else:
            if wanted not in held:
                _refuse_year(wanted, held, what="areas")
            locate(engine, Places(records, view, f"{out}_links", edition.about["borders"]), columns=columns)
            area = f"w.{name(wanted)}"
            engine.create(
                out,
                f"SELECT l.record_id, {area} AS area_code, CASE WHEN l.entity_id IS NOT NULL AND {area} IS NULL "
                f"THEN {text(NO_AREA)} ELSE l.method END AS method "
                f"FROM {out}_links AS l LEFT JOIN {view} AS w ON w.entity_id = l.entity_id",
            )
    finally:
        engine.drop(view, f"{out}_links", *(f"{view}_{x}" for x in (*_FILES, "asked", "points", "shapes")))
    rows = engine.rows(f"SELECT method, count(*) AS n FROM {name(out)} GROUP BY method ORDER BY method").to_pylist()
    return {row["method"]: row["n"] for row in rows}


def _exact(engine: Engine, names_of: tuple[str, str, str], *, column: str) -> None:
    records, view, out = names_of
    engine.create(
        f"{view}_asked",
        "SELECT row_number() OVER () AS number, r.record_id, coalesce(r.latitude, p.latitude) AS latitude, "
        "CASE WHEN r.latitude IS NULL THEN p.longitude ELSE r.longitude END AS longitude, r.how, "
        "r.latitude IS NULL AS by_postcode "
        f"FROM ({records_sql(engine.columns(records), records)}) AS r "
        f"LEFT JOIN {view}_postcodes AS p ON p.postcode = r.postcode",
    )
    engine.create(f"{view}_points", boundaries.points_sql(f"SELECT * FROM {view}_asked"))
    engine.create(f"{view}_shapes", boundaries.shapes_sql(f"{view}_boundaries", column=column))
    inside = boundaries.holding_sql(boundaries.Shapes(f"{view}_shapes", f"{view}_points"))
    by_point = "CASE WHEN a.how IS NULL THEN 'point' ELSE 'point, ' || a.how END"
    way = f"CASE WHEN a.by_postcode THEN 'point of the postcode' ELSE {by_point} END"
    engine.create(
        out,
        f"SELECT a.record_id, h.area_code, CASE WHEN a.latitude IS NULL THEN 'nothing to match on' "
        f"WHEN h.area_code IS NULL THEN {text(NO_AREA)} WHEN h.depth = 0 THEN {way} || ', on a border' ELSE {way} END "
        f"AS method FROM {view}_asked AS a LEFT JOIN ("
        "SELECT number, min(area_code) FILTER (depth = deepest) AS area_code, "
        "any_value(deepest) AS depth FROM (SELECT *, max(depth) OVER (PARTITION BY number) AS deepest FROM "
        f"({inside}) WHERE depth >= 0) GROUP BY number) AS h ON h.number = a.number",
    )


def _drawn(engine: Engine, view: str) -> list[str]:
    rows = engine.rows(f"SELECT DISTINCT level, boundary_year AS year FROM {view}_boundaries ORDER BY ALL").to_pylist()
    return [areas.column_name(r["level"], r["year"]) for r in rows]


def _refuse_unknown(engine: Engine, view: str, *, columns: Sequence[str], asked: tuple[str, str]) -> None:
    rows = engine.rows(f"SELECT DISTINCT from_column AS c FROM {view}_lookups ORDER BY c")["c"].to_pylist()
    known = sorted({*columns, *_drawn(engine, view), *rows})
    for column in asked:
        if column not in known:
            _refuse_year(column, known, what="areas")


def _refuse_year(column: str, known: Sequence[str], *, what: str) -> None:
    level = areas.level_and_year(column)[0]
    same = [c for c in known if areas.level_and_year(c)[0] == level]
    raise IndexRefusal(
        f"The Geography Index holds no {what} of {column}",
        why=f"Of this level it holds: {', '.join(same)}" if same else f"It holds: {', '.join(known) or 'none'}",
        next_step="Choose one of these, or load it: ids reference load geography FILE --source NAME",
    )
