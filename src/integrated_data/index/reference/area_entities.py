"""Areas as entities, so that a record that gives an area and no place in it is matched too.

An area's code is one entity for all years in which it holds; a version says in

    areas.parquet  entity_id, area_code, level, latitude, longitude, one column per level and boundary year

in which other areas it lies: by the lookups that were delivered, else where most of its postcodes lie.
"""

from collections.abc import Sequence

from integrated_data.engine import Engine
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.identifiers import AREA_CODE
from integrated_data.vocabulary.sql import name, names, text

#: Columns that are not of a level of areas.
OWN = ("entity_id", "area_code", "level", "latitude", "longitude")
EMPTY = (
    "SELECT 0::BIGINT AS entity_id, '' AS area_code, '' AS level, 0.0::DOUBLE AS latitude, 0.0::DOUBLE AS longitude "
    "WHERE FALSE"
)


def collect(engine: Engine, *, work: str, columns: Sequence[str]) -> None:
    """Table `<work>_lines`: area_code, column_name, code, sure: in which area of each column an area lies.

    Reads `<work>_whole` (postcodes with `columns`) and the register's `<work>_all_…` files.
    """
    if columns:  # postcodes with the same areas are many
        listed = names(tuple(columns))
        engine.create(f"{work}_kinds", f"SELECT {listed}, count(*) AS postcodes FROM {work}_whole GROUP BY {listed}")
    parts = [
        "SELECT from_code AS area_code, from_column AS column_name, from_code AS code, 3 AS sure "
        f"FROM {work}_all_lookups",
        _lookup_sql(work),
        *(_own_sql(work, c) for c in columns),
        *(sql for c in columns if (sql := _most_sql(work, c, coarser=_coarser(c, columns)))),
    ]
    for file in ("names", "boundaries"):
        column = "CASE WHEN boundary_year IS NULL THEN level ELSE level || '_' || boundary_year END"
        parts.append(
            f"SELECT area_code, {column} AS column_name, area_code AS code, 3 AS sure FROM {work}_all_{file} "
            f"WHERE level IN ({', '.join(text(level) for level in areas.LEVELS)})"
        )
    parts.append(
        f"SELECT area_code, {areas.level_sql('area_code')} AS column_name, area_code AS code, 1 AS sure "
        f"FROM {work}_all_aliases"
    )
    coded = f"column_name IS NOT NULL AND regexp_full_match(area_code, {text(AREA_CODE)})"
    engine.create(
        f"{work}_lines",
        f"SELECT DISTINCT ON (area_code, column_name) area_code, column_name, code FROM ({' UNION ALL '.join(parts)}) "
        f"WHERE {coded} AND code IS NOT NULL ORDER BY area_code, column_name, sure DESC, code",
    )


def areas_sql(engine: Engine, *, work: str) -> str:
    """The file: `<work>_new_areas` (area_code, entity_id) and `<work>_old_areas` say who is who.

    An area that no source says any more keeps what was known of it.
    """
    held = engine.rows(f"SELECT DISTINCT column_name AS c FROM {work}_lines ORDER BY c")["c"].to_pylist()
    before = [c for c in engine.columns(f"{work}_old_areas") if c not in OWN]
    pivoted = "".join(f", any_value(code) FILTER (column_name = {text(c)}) AS {name(c)}" for c in held)
    columns = {c: f"l.{name(c)}" for c in held} | {c: f"o.{name(c)}" for c in before if c not in held}
    for column in (c for c in before if c in held):
        columns[column] = f"CASE WHEN l.area_code IS NULL THEN o.{name(column)} ELSE l.{name(column)} END"
    listed = "".join(f", {sql} AS {name(column)}" for column, sql in columns.items())
    told = f"any_value({_level_of('column_name')}) FILTER (code = area_code)"
    level = f"coalesce({areas.level_sql('w.area_code')}, l.own_level, o.level)"
    return (
        f"SELECT w.entity_id, w.area_code, {level} AS level, c.latitude, c.longitude{listed} "
        f"FROM (SELECT area_code, entity_id FROM {work}_new_areas UNION ALL "
        f"SELECT area_code, entity_id FROM {work}_old_areas) AS w "
        f"LEFT JOIN {work}_old_areas AS o ON o.area_code = w.area_code "
        f"LEFT JOIN (SELECT area_code, {told} AS own_level{pivoted} FROM {work}_lines GROUP BY area_code) AS l "
        f"ON l.area_code = w.area_code LEFT JOIN {work}_all_centroids AS c ON c.area_code = w.area_code ORDER BY 2"
    )


def _level_of(column: str) -> str:
    return f"regexp_replace({column}, '_[0-9]+$', '')"


def _coarser(column: str, columns: Sequence[str]) -> list[str]:
    order = list(areas.LEVELS)

    def rank(of: str) -> int:
        return order.index(areas.level_and_year(of)[0] or "country")

    return [c for c in columns if rank(c) > rank(column)]


def _own_sql(work: str, column: str) -> str:
    return (
        f"SELECT DISTINCT {name(column)} AS area_code, {text(column)} AS column_name, {name(column)} AS code, "
        "3 AS sure "
        f"FROM {work}_kinds WHERE {name(column)} IS NOT NULL"
    )


def _most_sql(work: str, column: str, *, coarser: Sequence[str]) -> str:
    """Where most postcodes of each area lie; of equally many the code that comes first."""
    counted = " UNION ALL ".join(
        f"SELECT {name(column)} AS area_code, {text(c)} AS column_name, {name(c)} AS code, sum(postcodes) AS held "
        f"FROM {work}_kinds WHERE {name(column)} IS NOT NULL AND {name(c)} IS NOT NULL GROUP BY ALL"
        for c in coarser
    )
    if not counted:
        return ""
    return (
        "SELECT area_code, column_name, arg_min(code, (-held, code)) AS code, 1 AS sure "
        f"FROM ({counted}) GROUP BY area_code, column_name"
    )


def _lookup_sql(work: str) -> str:
    """Where a lookup has one area for another, that; of several the one that most of it went to."""
    order = ", ".join(f"{text(level)}: {place}" for place, level in enumerate(areas.LEVELS))
    rank = f"MAP {{{order}}}"
    return (
        "SELECT from_code AS area_code, to_column AS column_name, CASE WHEN count(DISTINCT to_code) = 1 "
        "THEN any_value(to_code) ELSE arg_max(to_code, weight) END AS code, 2 AS sure "
        f"FROM {work}_all_lookups WHERE {rank}[{_level_of('to_column')}] >= {rank}[{_level_of('from_column')}] "
        "GROUP BY from_code, to_column"
    )
