"""What sources say of areas: names, codes of other registers, lookups from one level or year to another, polygons.

Files of a version:

    names.parquet       area_code, area_name, level, boundary_year, parent_code, source
    aliases.parquet     alias, area_code, source: codes of other registers
    lookups.parquet     from_column, from_code, to_column, to_code, weight, source (`lsoa_2011` to `lsoa_2021`)
    boundaries.parquet  area_code, level, boundary_year, repaired, wkb, source
    centroids.parquet   area_code, latitude, longitude, source

What a source says replaces what the same source said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from integrated_data.engine import Engine
from integrated_data.index.reference import boundaries
from integrated_data.index.reference.points import point_sql
from integrated_data.index.seat import Addition
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.identifiers import AREA_CODE
from integrated_data.vocabulary.sql import name, names, text

#: Columns of each file with the type of their values.
FILES: Mapping[str, Mapping[str, str]] = {
    "names": {
        "area_code": "VARCHAR", "area_name": "VARCHAR", "level": "VARCHAR", "boundary_year": "INTEGER",
        "parent_code": "VARCHAR",
    },
    "aliases": {"alias": "VARCHAR", "area_code": "VARCHAR"},
    "lookups": {
        "from_column": "VARCHAR", "from_code": "VARCHAR", "to_column": "VARCHAR", "to_code": "VARCHAR",
        "weight": "DOUBLE",
    },
    "boundaries": {
        "area_code": "VARCHAR", "level": "VARCHAR", "boundary_year": "INTEGER", "repaired": "BOOLEAN", "wkb": "BLOB",
    },
    "centroids": {"area_code": "VARCHAR", "latitude": "DOUBLE", "longitude": "DOUBLE"},
}  # fmt: skip

#: Headings of a column that says how much of one area goes to another.
_WEIGHTS = ("weight", "share", "proportion", "population", "people", "households", "headcount", "count")


@dataclass(frozen=True)
class Said:
    """What a source carries. `codes`: column of the index to the delivered columns behind it."""

    records: str
    source: str
    columns: Mapping[str, str]
    codes: Mapping[str, Sequence[str]]
    names: Sequence[tuple[str, str]]

    @property
    def has_postcodes(self) -> bool:
        """Whether records are postcodes."""
        return "postcode" in self.columns

    @property
    def has_points(self) -> bool:
        """Whether records have coordinates."""
        return "latitude" in self.columns and "longitude" in self.columns

    @property
    def geometry(self) -> str | None:
        """The column with polygons."""
        return next((c for c in self.columns if c.lower() in boundaries.HEADINGS), None)

    def code_sql(self, column: str) -> str:
        """SQL for the code that stands for a column of the index: the first that is given."""
        return "coalesce(" + ", ".join(f"nullif(trim({name(c)}::VARCHAR), '')" for c in self.codes[column]) + ")"


def said(engine: Engine, addition: Addition) -> Said:
    """What the source's columns mean: levels and years by heading, else by most codes' prefix."""
    codes: dict[str, list[str]] = {}
    for column in addition.columns.get("area_code", ()):
        level, year = areas.level_and_year(column)
        level = level or _level_of_codes(engine, addition.records, column=column)
        if level and not _is_parent(column):
            codes.setdefault(areas.column_name(level, year), []).append(column)
    return Said(addition.records, addition.source, engine.columns(addition.records), codes, _named(addition))


def read(engine: Engine, told: Said, *, work: str) -> None:
    """Tables `<work>_<file>` of what the source says, one per file."""
    statements = {
        "names": _names_sql(told),
        "aliases": _aliases_sql(told),
        "lookups": _lookups_sql(told),
        "boundaries": _boundaries_sql(told),
        "centroids": _centroids_sql(told),
    }
    for file, sql in statements.items():
        columns = ", ".join(f"{c}::{kind} AS {c}" for c, kind in FILES[file].items())
        engine.create(f"{work}_{file}", f"SELECT DISTINCT {columns} FROM ({sql or _nothing(file)})")


def merged_sql(file: str, *, source: str, work: str) -> str:
    """A file of the new version: what the source says, and what others said before."""
    columns = names((*FILES[file], "source"))
    return (
        f"SELECT {columns} FROM (SELECT *, {text(source)} AS source FROM {work}_{file} UNION ALL BY NAME "
        f"SELECT {columns} FROM {work}_old_{file} WHERE {_kept(file, source=source, work=work)}) ORDER BY ALL"
    )


def empty_sql(file: str) -> str:
    """A SELECT without rows that has the columns of a file."""
    return f"SELECT *, ''::VARCHAR AS source FROM ({_nothing(file)}) WHERE FALSE"


def _kept(file: str, *, source: str, work: str) -> str:
    """Whether what was said before stands: said by others, or of what the source is silent of now."""
    if file == "names":
        said = (
            f"EXISTS (SELECT 1 FROM {work}_names AS t WHERE t.area_code = {work}_old_names.area_code "
            f"AND t.boundary_year IS NOT DISTINCT FROM {work}_old_names.boundary_year)"
        )
        return f"source <> {text(source)} OR NOT {said}"
    if file == "boundaries":
        return (
            f"NOT EXISTS (SELECT 1 FROM {work}_boundaries AS t WHERE t.area_code = {work}_old_boundaries.area_code "
            f"AND t.boundary_year IS NOT DISTINCT FROM {work}_old_boundaries.boundary_year)"
        )
    if file == "centroids":
        return f"area_code NOT IN (SELECT area_code FROM {work}_centroids)"
    return f"source <> {text(source)}"


def _nothing(file: str) -> str:
    columns = ", ".join(f"NULL::{kind} AS {c}" for c, kind in FILES[file].items())
    return f"SELECT {columns} WHERE FALSE"


def _names_sql(told: Said) -> str:
    parts = []
    for code, label in told.names:
        level, year = areas.level_and_year(code)
        parts.append(
            f"SELECT {name(code)}::VARCHAR AS area_code, {name(label)}::VARCHAR AS area_name, "
            f"coalesce({text(level) if level else 'NULL'}, {areas.level_sql(f'{name(code)}::VARCHAR')}, "
            f"lower({_given(told, 'area_type', kind='VARCHAR')})) AS level, "
            f"coalesce({year or 'NULL'}, {_given(told, 'boundary_year', kind='INTEGER')}) AS boundary_year, "
            f"{_given(told, 'parent_code', kind='VARCHAR')} AS parent_code "
            f"FROM {name(told.records)} WHERE {name(code)} IS NOT NULL AND {name(label)} IS NOT NULL"
        )
    return " UNION ALL ".join(parts)


def _aliases_sql(told: Said) -> str:
    """Two columns of one level and year: the one that is no code of the statistical service is its alias."""
    parts = []
    for behind in told.codes.values():
        for one, other in combinations(behind, 2):
            for alias, code in ((one, other), (other, one)):
                is_code = f"regexp_full_match({name(code)}::VARCHAR, {text(AREA_CODE)})"
                is_alias = f"NOT regexp_full_match({name(alias)}::VARCHAR, {text(AREA_CODE)})"
                parts.append(
                    f"SELECT trim({name(alias)}::VARCHAR) AS alias, trim({name(code)}::VARCHAR) AS area_code "
                    f"FROM {name(told.records)} WHERE {is_code} AND {is_alias}"
                )
    return " UNION ALL ".join(parts)


def _lookups_sql(told: Said) -> str:
    """Every two levels or years of a row; how much, where a column says so. Postcodes say it by themselves."""
    if told.has_postcodes:
        return ""
    weight = next((c for c in told.columns if c.lower() in _WEIGHTS), None)
    size = f"try_cast({name(weight)} AS DOUBLE)" if weight else "NULL::DOUBLE"
    parts = []
    for one, other in combinations(told.codes, 2):
        for start, end in ((one, other), (other, one)):
            parts.append(
                f"SELECT {text(start)} AS from_column, {told.code_sql(start)} AS from_code, {text(end)} AS to_column, "
                f"{told.code_sql(end)} AS to_code, {size} AS weight FROM {name(told.records)}"
            )
    if not parts:
        return ""
    return (
        f"SELECT from_column, from_code, to_column, to_code, sum(weight) AS weight FROM ({' UNION ALL '.join(parts)}) "
        "WHERE from_code IS NOT NULL AND to_code IS NOT NULL GROUP BY ALL"
    )


def _boundaries_sql(told: Said) -> str:
    if told.geometry is None or not told.codes:
        return ""
    column = min(told.codes, key=lambda c: list(areas.LEVELS).index(areas.level_and_year(c)[0] or "country"))
    level, year = areas.level_and_year(column)
    geometry = boundaries.geometry_sql(name(told.geometry))
    return boundaries.kept_sql(
        f"SELECT {told.code_sql(column)} AS area_code, {text(level or '')} AS level, "
        f"coalesce({year or 'NULL'}, {_given(told, 'boundary_year', kind='INTEGER')}) AS boundary_year, "
        f"{geometry} AS geometry FROM {name(told.records)} WHERE {told.code_sql(column)} IS NOT NULL"
    )


def _centroids_sql(told: Said) -> str:
    """Points of areas: of the finest area that a row names. With a polygon beside it, the polygon counts."""
    if told.has_postcodes or not told.has_points or not told.codes:
        return ""
    column = min(told.codes, key=lambda c: list(areas.LEVELS).index(areas.level_and_year(c)[0] or "country"))
    point = point_sql("try_cast(latitude AS DOUBLE)", "try_cast(longitude AS DOUBLE)")
    return (
        f"SELECT area_code, any_value(p.latitude) AS latitude, any_value(p.longitude) AS longitude FROM ("
        f"SELECT {told.code_sql(column)} AS area_code, {point} AS p FROM {name(told.records)}) "
        "WHERE p IS NOT NULL AND area_code IS NOT NULL GROUP BY area_code"
    )


def _given(told: Said, column: str, *, kind: str) -> str:
    return f"try_cast({name(column)} AS {kind})" if column in told.columns else f"NULL::{kind}"


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
