"""Postcodes of a directory: what it says of each, joined to what was known before.

Tables of one loading, each named `<work>_…`:

    told       postcode, point, effective_from, effective_to, one column per level and boundary year
    merged     entity_id, postcode, latitude, longitude, effective_from, effective_to, the columns of all sources
    superseded entity_id, attribute, value, recorded_to: what the source says otherwise than before
"""

from collections.abc import Sequence

from integrated_data.engine import Engine
from integrated_data.index.reference.area_register import Said
from integrated_data.index.reference.points import point_sql
from integrated_data.vocabulary import areas, postcodes
from integrated_data.vocabulary.sql import name, text

#: What a postcode looks like, also one of before 1991 that today's pattern leaves out.
_WHOLE = "[A-Z]{1,3}[0-9]?[A-Z0-9]? [0-9][A-Z]{2}"

#: Columns that are not of a level of areas.
OWN = ("entity_id", "postcode", "latitude", "longitude", "effective_from", "effective_to")

#: Headings of the dates at which a postcode came into use and went out of it.
_FROM = ("effective_from", "introduced", "date_introduced", "date_of_introduction", "dointr", "start_date")
_TO = ("effective_to", "terminated", "date_terminated", "date_of_termination", "doterm", "end_date")

EMPTY = (
    "SELECT 0::BIGINT AS entity_id, '' AS postcode, 0.0::DOUBLE AS latitude, 0.0::DOUBLE AS longitude, "
    "''::VARCHAR AS effective_from, ''::VARCHAR AS effective_to WHERE FALSE"
)


def read(engine: Engine, told: Said, *, work: str) -> None:
    """Relation `<work>_told`, one row per postcode; of several records with one the first value counts."""
    each = {
        "point": point_sql(
            *(f"try_cast({c} AS DOUBLE)" if told.has_points else "NULL::DOUBLE" for c in ("latitude", "longitude"))
        ),
        "effective_from": _date_sql(told, _FROM),
        "effective_to": _date_sql(told, _TO),
        **{column: told.code_sql(column) for column in _codes(told)},
    }
    said = ", ".join(f"{sql} AS {name(column)}" for column, sql in each.items())
    written = postcodes.postcode_sql("postcode::VARCHAR") if told.has_postcodes else "NULL::VARCHAR"
    engine.create(
        f"{work}_said",
        f"SELECT * FROM (SELECT record_id, {written} AS postcode, {said} FROM {name(told.records)}) "
        f"WHERE regexp_full_match(postcode, {text(_WHOLE)})",
    )
    counts = engine.rows(f"SELECT count(*) AS n, count(DISTINCT postcode) AS one FROM {work}_said").to_pylist()[0]
    first = ", ".join(f"arg_min({name(column)}, record_id) AS {name(column)}" for column in each)
    repeated = f"SELECT postcode, {first} FROM {work}_said GROUP BY postcode"
    engine.view(f"{work}_told", f"SELECT * FROM {work}_said" if counts["n"] == counts["one"] else repeated)


def merge(engine: Engine, told: Said, *, work: str, recorded_at: str) -> Sequence[str]:
    """Tables `<work>_merged` and `<work>_superseded`; returns the columns of areas.

    What the latest source says of a postcode stands; where it is silent, what was known stays. Reads
    `<work>_told`, `<work>_old_postcodes` and `<work>_new` (postcode, entity_id).
    """
    old = engine.columns(f"{work}_old_postcodes")
    held = [c for c in old if c not in OWN]
    codes = _codes(told)
    columns = [*held, *(c for c in codes if c not in held)]
    kept = {
        "latitude": "coalesce(t.point.latitude, o.latitude)",
        "longitude": "CASE WHEN t.point IS NULL THEN o.longitude ELSE t.point.longitude END",
        "effective_from": "coalesce(t.effective_from, o.effective_from)",
        "effective_to": "coalesce(t.effective_to, o.effective_to)",
    }
    for column in columns:
        said = [f"{side}.{name(column)}" for side, has in (("t", codes), ("o", held)) if column in has]
        kept[column] = f"coalesce({', '.join(said)})"
    listed = ", ".join(f"{sql} AS {name(column)}" for column, sql in kept.items())
    joined = f"{work}_told AS t FULL JOIN {work}_old_postcodes AS o ON o.postcode = t.postcode"
    engine.create(
        f"{work}_merged",
        "SELECT coalesce(o.entity_id, n.entity_id) AS entity_id, coalesce(o.postcode, t.postcode) AS postcode, "
        f"{listed} "
        f"FROM {joined} LEFT JOIN {work}_new AS n ON n.postcode = t.postcode ORDER BY 2",
    )
    both = [c for c in (*held, "effective_to") if c in codes or c == "effective_to"]
    changed = " UNION ALL ".join(
        f"SELECT o.entity_id, {text(c)} AS attribute, o.{name(c)} AS value, {text(recorded_at)} AS recorded_to "
        f"FROM {work}_told AS t JOIN {work}_old_postcodes AS o ON o.postcode = t.postcode "
        f"WHERE o.{name(c)} <> t.{name(c)}"
        for c in both
    )
    engine.create(f"{work}_superseded", changed)
    return columns


def _codes(told: Said) -> Sequence[str]:
    """Columns of areas that the source tells of postcodes."""
    return list(told.codes) if told.has_postcodes else []


def published(columns: Sequence[str]) -> tuple[str, ...]:
    """Of columns, those that may enter published tables: LSOA and coarser."""
    return tuple(c for c in columns if areas.level_and_year(c)[0] in areas.PUBLISHED)


def _date_sql(told: Said, headings: Sequence[str]) -> str:
    """A date as ISO 8601 text; the directories of the statistical service write `201406`."""
    found = next((c for c in told.columns if c.lower() in headings), None)
    if found is None:
        return "NULL::VARCHAR"
    value = f"trim({name(found)}::VARCHAR)"
    month = f"left({value}, 4) || '-' || right({value}, 2) || '-01'"
    return (
        f"coalesce(try_cast({value} AS DATE), CASE WHEN regexp_full_match({value}, '[0-9]{{6}}') "
        f"THEN try_cast({month} AS DATE) END)::VARCHAR"
    )
