"""Areas as polygons: read from what offices deliver, put right, and asked which of them holds a point.

Polygons arrive as GeoJSON, as well-known text or as well-known binary (also in hexadecimal), in degrees
(WGS 84) or in metres of the British National Grid, sometimes with the axes swapped. They are kept in
degrees, longitude first. Distances are measured on the National Grid, in metres.

All functions return SQL text; its functions named ST_ are those of the engine's spatial extension.
"""

from dataclasses import dataclass

from integrated_data.vocabulary.areas import level_and_year
from integrated_data.vocabulary.sql import name, text

#: Columns that offices give polygons in.
HEADINGS = (
    "geometry",
    "geometry_wkb",
    "geometry_wkt",
    "geom",
    "the_geom",
    "wkb",
    "wkb_geometry",
    "wkt",
    "shape",
    "polygon",
)

#: Where the United Kingdom is, in degrees: west, south, east, north.
LAND = (-9.5, 49.0, 2.5, 61.5)
#: And on the National Grid, in metres (Northern Ireland lies west of its origin).
GRID = (-200_000, -100_000, 800_000, 1_400_000)

_DEGREES, _METRES = "EPSG:4326", "EPSG:27700"

#: Share of an area below which an overlap is not one.
SLIVER = 0.01

#: Metres by which a simplified boundary may be off: nearer to a border than this, both sides are asked.
TOLERANCE = 75


@dataclass(frozen=True)
class Shapes:
    """Relations: `shapes` (see `shapes_sql`) and `points` (see `points_sql`)."""

    shapes: str
    points: str


def geometry_sql(column: str) -> str:
    """SQL for the geometry that a text or binary column gives; NULL where it gives none that can be read."""
    given = f"trim({column}::VARCHAR)"
    return (
        f"CASE WHEN starts_with({given}, '{{') THEN TRY(ST_GeomFromGeoJSON({given})) "
        f"WHEN regexp_matches({given}, '^[A-Za-z]+ *[ZM]* *[(]') THEN TRY(ST_GeomFromText({given})) "
        f"WHEN regexp_full_match({given}, '0[01][0-9A-Fa-f]+') THEN TRY(ST_GeomFromHEXWKB({given})) "
        f"ELSE TRY(ST_GeomFromWKB({column}::BLOB)) END"
    )


def kept_sql(told: str) -> str:
    """Valid polygons in degrees, longitude first: area_code, level, boundary_year, wkb, repaired.

    `told`: relation or SELECT (area_code, level, boundary_year, geometry). Metres of the National Grid are
    turned to degrees and swapped axes back; parts of one area are united. A ring that touches or crosses
    itself is made valid; of what that leaves, areas alone count. What lies elsewhere is left out.
    """
    west, south, east, north = LAND
    return f"""
        WITH placed AS (
            SELECT area_code, level, boundary_year, CASE
                WHEN {_within(LAND)} THEN g
                WHEN {_within((south, west, north, east))} THEN ST_FlipCoordinates(g)
                WHEN {_within(GRID)} AND greatest(-ST_XMin(g), ST_XMax(g), -ST_YMin(g), ST_YMax(g)) > 180
                THEN ST_Transform(g, {text(_METRES)}, {text(_DEGREES)}, true) END AS g
            FROM (SELECT area_code, level, boundary_year, geometry AS g FROM ({told})) WHERE g IS NOT NULL),
        valid AS (
            SELECT area_code, level, boundary_year, NOT ST_IsValid(g) AS repaired,
                   CASE WHEN ST_IsValid(g) THEN g ELSE ST_CollectionExtract(ST_MakeValid(g), 3) END AS g
            FROM placed WHERE g IS NOT NULL)
        SELECT area_code, level, boundary_year, bool_or(repaired) AS repaired,
               ST_AsWKB(CASE WHEN count(*) = 1 THEN any_value(g) ELSE ST_Union_Agg(g) END)::BLOB AS wkb
        FROM valid WHERE ST_Area(g) > 0 GROUP BY area_code, level, boundary_year"""


def _within(box: tuple[float, float, float, float]) -> str:
    west, south, east, north = box
    return f"ST_XMin(g) >= {west} AND ST_XMax(g) <= {east} AND ST_YMin(g) >= {south} AND ST_YMax(g) <= {north}"


def shapes_sql(boundaries: str, *, column: str, grown: bool = True) -> str:
    """Shapes of one level and year: area_code, area (degrees), shape and border (on the grid).

    `grown`: with `near`, the shape and TOLERANCE around it, that `holding_sql` asks.
    """
    level, year = level_and_year(column)
    when = "boundary_year IS NULL" if year is None else f"boundary_year = {year}"
    grid = f"ST_Transform(area, {text(_DEGREES)}, {text(_METRES)}, true)"
    valid = "CASE WHEN ST_IsValid(turned) THEN turned ELSE ST_CollectionExtract(ST_MakeValid(turned), 3) END"
    near = f", ST_Buffer(shape, {TOLERANCE}, 2) AS near" if grown else ""
    return (
        f"SELECT *, ST_Boundary(shape) AS border{near} FROM ("
        f"SELECT area_code, area, {valid} AS shape FROM (SELECT *, {grid} AS turned FROM ("
        f"SELECT area_code, ST_GeomFromWKB(wkb) AS area FROM {name(boundaries)} "
        f"WHERE level = {text(level or '')} AND {when})))"
    )


def points_sql(points: str) -> str:
    """Points: number, place (degrees), point (on the grid). `points`: relation (number, latitude, longitude)."""
    return (
        f"SELECT number, place, ST_Transform(place, {text(_DEGREES)}, {text(_METRES)}, true) AS point FROM ("
        f"SELECT number, ST_Point(longitude, latitude) AS place FROM ({points}) "
        "WHERE latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180)"
    )


def holding_sql(shapes: Shapes) -> str:
    """Every area that holds a point or nearly does: number, area_code, depth.

    `depth`: metres from the point to the border, positive inside, 0 on it, negative outside. Sides are told
    in degrees, as borders are drawn; distances are those of the grid.
    """
    return f"""
        SELECT number, area_code, CASE WHEN ST_Contains(area, place) THEN ST_Distance(border, point)
                                       WHEN ST_Intersects(area, place) THEN 0.0
                                       ELSE -greatest(ST_Distance(shape, point), 1e-6) END AS depth
        FROM {name(shapes.points)} JOIN {name(shapes.shapes)} ON ST_Contains(near, point)"""


def inside_sql(shapes: Shapes) -> str:
    """Every area that holds a point, its border included: number, area_code, depth as in `holding_sql`.

    Half the work of that, for those who ask nothing of areas nearby.
    """
    return f"""
        SELECT number, area_code, CASE WHEN ST_Contains(area, place) THEN ST_Distance(border, point) ELSE 0.0 END
               AS depth
        FROM {name(shapes.points)} JOIN {name(shapes.shapes)} ON ST_Intersects(area, place)"""


def overlaps_sql(source: str, target: str) -> str:
    """Areas of overlap of two relations of shapes: from_code, to_code, size (square metres).

    What is less than SLIVER of the old area comes from borders drawn twice, and is left out.
    """
    return f"""
        WITH met AS (
            SELECT a.area_code AS from_code, b.area_code AS to_code, ST_Area(a.shape) AS whole,
                   coalesce(TRY(ST_Area(ST_Intersection(a.shape, b.shape))),
                            TRY(ST_Area(ST_Intersection(ST_Buffer(a.shape, 0), ST_Buffer(b.shape, 0)))), 0.0) AS size
            FROM {name(source)} AS a JOIN {name(target)} AS b ON ST_Intersects(a.shape, b.shape))
        SELECT from_code, to_code, size FROM met WHERE size > {SLIVER} * whole"""
