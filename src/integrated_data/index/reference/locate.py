"""Where a record lies: by its postcode, by its coordinates, by its postcode put right, or by the area it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from integrated_data.engine import Engine
from integrated_data.index.link import NO_EVIDENCE, LinkReport
from integrated_data.index.reference import boundaries, placing
from integrated_data.index.reference.area_names import area_of_sql
from integrated_data.index.reference.points import point_sql
from integrated_data.model.linkage import Band
from integrated_data.vocabulary import postcodes
from integrated_data.vocabulary.sql import name, text

BY_POSTCODE = "postcode"
BY_NEAREST = "nearest postcode"
BY_POLYGON = "point in polygon"
BY_CORRECTED = "postcode, corrected"
NOT_FOUND = "no such place"

#: Metres within which the nearest postcode is looked for, and within which it is accepted unseen.
BOUND, ACCEPTED_WITHIN = 500, 100

#: Chance that a place lies in the areas of the nearest postcode, `d` metres away. Of 20,000 postcodes
#: drawn from the 1.5 million of England and Wales, the share whose nearest other one has the same LSOA
#: falls so: .995 at 6 m, .95 at 20 m, .90 at 38 m, .87 at 61 m, .86 at 85 m, .85 at 119 m and beyond.
_NEAREST = "0.85 + 0.14 * exp(-{d} / 40.0)"

#: Chance that the one postcode which a slip of the pen away exists is the one meant: a guess.
CORRECTED = 0.95

#: Height and width in degrees of the cells that hold 100 m in every direction, up to 63° north.
_CELL = (0.001, 0.002)
#: Cells are first this many times as large, then that many: most places are near a postcode.
_SCALES = (1, BOUND // 100)

_METRES = 111_195.0  # in a degree of latitude
_SLIPS = ("O0I1", "0O1I")


#: Chance that a place lies in a polygon whose border is nearer than it is exact: a guess.
NEAR_BORDER = 0.6
#: Chance that a place lies in the areas of a postcode that the same polygon holds, where it is not near a border.
SAME_AREA = 0.995


@dataclass(frozen=True)
class Places:
    """Relations in and out. `index`: prefix of the views of a version's files; `out`: the link table.

    `borders`: metres from a border within which polygons of a column are not to be trusted.
    """

    records: str
    index: str
    out: str
    borders: Mapping[str, int] = field(default_factory=dict)


def locate(engine: Engine, places: Places, *, columns: Mapping[str, Sequence[str]]) -> LinkReport:
    """Make the link table: a record's own postcode, else the likelier of nearest and corrected one, else its area.

    Where the version has polygons, the nearest postcode is one that the same polygon holds (the finest and
    newest polygons count); where it holds none, the area itself is the place. `columns`: see `Matching`.
    """
    work, postcodes_held = f"{places.out}_work", f"{places.index}_postcodes"
    made = ("records", "exact", "left", "points", "near", "held", "shapes", "asked", "found", "areas")
    try:
        engine.create(f"{work}_records", records_sql(engine.columns(places.records), places.records))
        engine.create(
            f"{work}_exact",
            f"SELECT p.postcode, p.entity_id FROM {name(postcodes_held)} AS p "
            f"JOIN (SELECT DISTINCT postcode FROM {work}_records) AS w ON w.postcode = p.postcode",
        )
        engine.create(f"{work}_left", _left_sql(work))
        drawn = _held(engine, places, work=work)
        _nearest(engine, places.index, work=work, drawn=drawn)
        engine.create(f"{work}_found", _found_sql(places.index, work))
        named = area_of_sql(engine, places.records, index=places.index, columns=columns)
        engine.create(f"{work}_areas", named)
        engine.create(places.out, _links_sql(work))
    finally:
        engine.drop(*(f"{work}_{t}" for t in made))
    return _report(engine, places.out)


def records_sql(columns: dict[str, str], records: str) -> str:
    """`record_id`, `given` (the postcode as it came), `postcode`, `latitude`, `longitude`, `how`."""
    raw = "postcode::VARCHAR" if "postcode" in columns else "NULL::VARCHAR"
    held = "latitude" in columns and "longitude" in columns
    values = [f"try_cast({c} AS DOUBLE)" if held else "NULL::DOUBLE" for c in ("latitude", "longitude")]
    point = (
        point_sql("y", "x") if held else "{'latitude': NULL::DOUBLE, 'longitude': NULL::DOUBLE, 'how': NULL::VARCHAR}"
    )
    return (
        "SELECT record_id, given, postcode, point.latitude AS latitude, point.longitude AS longitude, point.how AS how "
        f"FROM (SELECT *, {point} AS point FROM (SELECT record_id, nullif(trim({raw}), '') AS given, "
        f"{postcodes.postcode_sql(raw)} AS postcode, {values[0]} AS y, {values[1]} AS x FROM {name(records)}))"
    )


def _left_sql(work: str) -> str:
    """Distinct places that no postcode of the index is: numbered."""
    return (
        "SELECT row_number() OVER () AS number, * FROM (SELECT DISTINCT given, latitude, longitude, how "
        f"FROM {work}_records AS r ANTI JOIN {work}_exact AS e ON e.postcode = r.postcode "
        "WHERE given IS NOT NULL OR latitude IS NOT NULL)"
    )


def _cell_sql(latitude: str, longitude: str, *, scale: int) -> str:
    height, width = (side * scale for side in _CELL)
    return f"floor({latitude} / {height})::BIGINT * 1000000 + floor({longitude} / {width})::BIGINT"


def _held(engine: Engine, places: Places, *, work: str) -> str | None:
    """Table `<work>_held` (number, area_code, sure): the polygon each place lies in; returns their column.

    On a border the area whose code comes first holds the place.
    """
    engine.create(f"{work}_held", "SELECT 0::BIGINT AS number, '' AS area_code, TRUE AS sure WHERE FALSE")
    drawn = placing.drawn_columns(engine, f"{places.index}_boundaries")
    if not drawn or not engine.rows(f"SELECT 1 FROM {work}_left WHERE latitude IS NOT NULL LIMIT 1").num_rows:
        return None
    engine.create(f"{work}_shapes", boundaries.shapes_sql(f"{places.index}_boundaries", column=drawn[0], grown=False))
    engine.create(f"{work}_asked", boundaries.points_sql(f"SELECT number, latitude, longitude FROM {work}_left"))
    holding = boundaries.inside_sql(boundaries.Shapes(f"{work}_shapes", f"{work}_asked"))
    engine.create(
        f"{work}_held",
        f"SELECT number, min(area_code) AS area_code, any_value(depth) >= {places.borders.get(drawn[0], 0)} AS sure "
        f"FROM (SELECT *, max(depth) OVER (PARTITION BY number) AS deepest FROM ({holding})) "
        "WHERE depth = deepest GROUP BY number",
    )
    return drawn[0]


def _nearest(engine: Engine, index: str, *, work: str, drawn: str | None) -> None:
    """Table `<work>_near`: number, entity_id, metres, same; no row where no postcode lies within the bound.

    `same`: whether one polygon holds both, NULL where none holds the place.
    """
    engine.create(
        f"{work}_near",
        "SELECT 0::BIGINT AS number, 0::BIGINT AS entity_id, 0.0::DOUBLE AS metres, FALSE AS same WHERE FALSE",
    )
    if not engine.rows(f"SELECT 1 FROM {work}_left WHERE latitude IS NOT NULL LIMIT 1").num_rows:
        return
    area = _area_sql(engine, index, drawn=drawn)
    engine.create(
        f"{work}_points",
        f"SELECT p.latitude, p.longitude, {area} AS area_code, arg_min(p.entity_id, p.postcode) AS entity_id "
        f"FROM {name(f'{index}_postcodes')} AS p LEFT JOIN {name(f'{index}_placed')} AS d ON d.entity_id = p.entity_id "
        "WHERE p.latitude IS NOT NULL GROUP BY ALL",
    )
    for scale in _SCALES:
        found = _within_sql(work, scale)
        engine.create(f"{work}_near", f"SELECT * FROM {work}_near UNION ALL {found}")


def _area_sql(engine: Engine, index: str, *, drawn: str | None) -> str:
    """SQL for the area of a postcode `p`, derived as `d`, in the column of the polygons."""
    sides = [
        f"{side}.{name(drawn)}"
        for side, file in (("p", "postcodes"), ("d", "placed"))
        if drawn is not None and drawn in engine.columns(f"{index}_{file}")
    ]
    return f"coalesce({', '.join(sides)})" if sides else "NULL::VARCHAR"


def _within_sql(work: str, scale: int) -> str:
    """The nearest of the postcodes in the nine cells around each place, if within `scale` hundred metres.

    Of those that the place's own polygon holds, where one does.
    """
    across = "(l.longitude - p.longitude) * cos(radians(l.latitude))"
    metres = f"{_METRES} * sqrt((l.latitude - p.latitude) ** 2 + ({across}) ** 2)"
    around = (
        "SELECT l.number, latitude, longitude, h.area_code, "
        f"{_cell_sql('latitude', 'longitude', scale=scale)} + unnest("
        "[-1000001, -1000000, -999999, -1, 0, 1, 999999, 1000000, 1000001]) AS cell "
        f"FROM {work}_left AS l ANTI JOIN (SELECT number FROM {work}_near WHERE same IS NOT FALSE) AS n "
        f"ON n.number = l.number LEFT JOIN {work}_held AS h ON h.number = l.number AND h.sure "
        "WHERE latitude IS NOT NULL"
    )
    return (
        "SELECT number, arg_min(entity_id, (NOT coalesce(same, FALSE), metres)) AS entity_id, "
        "arg_min(metres, (NOT coalesce(same, FALSE), metres)) AS metres, "
        "CASE WHEN bool_or(inside) THEN bool_or(same) END AS same FROM ("
        f"SELECT l.number, p.entity_id, {metres} AS metres, l.area_code IS NOT NULL AS inside, "
        f"coalesce(l.area_code = p.area_code, FALSE) AS same FROM ({around}) AS l JOIN (SELECT *, "
        f"{_cell_sql('latitude', 'longitude', scale=scale)} AS cell FROM {work}_points) AS p ON p.cell = l.cell) "
        f"WHERE metres <= {scale * 100} GROUP BY number"
    )


def _found_sql(index: str, work: str) -> str:
    """For each place the likeliest entity: number, entity_id, probability, method, accepted."""
    near = f"CASE WHEN n.same THEN {SAME_AREA} ELSE {_NEAREST.format(d='metres')} END"
    told = "CASE WHEN l.how IS NULL THEN {m} ELSE {m} || ', ' || l.how END"
    corrected = _corrected_sql(f"{index}_postcodes", work)
    polygon = told.format(m=text(BY_POLYGON))
    return (
        "SELECT l.given, l.latitude, l.longitude, f.* FROM (SELECT number, unnest(arg_max("
        "{'entity_id': entity_id, 'probability': probability, 'method': method, 'accepted': accepted}, probability)) "
        f"FROM (SELECT n.number, n.entity_id, {near} AS probability, {told.format(m=text(BY_NEAREST))} AS method, "
        f"n.same OR n.metres <= {ACCEPTED_WITHIN} AS accepted FROM {work}_near AS n JOIN {work}_left AS l "
        f"ON l.number = n.number WHERE n.same IS NOT FALSE UNION ALL "
        f"SELECT h.number, a.entity_id, CASE WHEN h.sure THEN {SAME_AREA} ELSE {NEAR_BORDER} END, {polygon}, h.sure "
        f"FROM {work}_held AS h "
        f"JOIN {work}_left AS l ON l.number = h.number JOIN {index}_areas AS a ON a.area_code = h.area_code "
        f"ANTI JOIN (SELECT number FROM {work}_near WHERE same) AS n ON n.number = h.number UNION ALL "
        f"SELECT number, entity_id, {CORRECTED}, {text(BY_CORRECTED)}, TRUE FROM ({corrected})) "
        f"GROUP BY number) AS f JOIN {work}_left AS l ON l.number = f.number"
    )


def _corrected_sql(index: str, work: str) -> str:
    """Places whose postcode, with marks left out or one O, 0, I or 1 put right, is one postcode alone."""
    character = "substring(solid, place::BIGINT, 1)"
    swapped = f"translate({character}, {text(_SLIPS[0])}, {text(_SLIPS[1])})"
    swapped = f"left(solid, place - 1) || {swapped} || substring(solid, place + 1)"
    return (
        "SELECT number, any_value(entity_id) AS entity_id FROM (SELECT DISTINCT number, p.entity_id FROM ("
        f"SELECT number, {postcodes.postcode_sql(f'CASE WHEN place = 0 THEN solid ELSE {swapped} END')} AS written "
        "FROM (SELECT number, solid, unnest(range(0, length(solid) + 1)) AS place FROM (SELECT number, "
        f"regexp_replace(upper(given), '[^A-Z0-9]', '', 'g') AS solid FROM {work}_left WHERE given IS NOT NULL) "
        "WHERE length(solid) BETWEEN 5 AND 7)) AS s "
        f"JOIN {name(index)} AS p ON p.postcode = s.written) GROUP BY number HAVING count(*) = 1"
    )


def _links_sql(work: str) -> str:
    """Links of all records: the postcode as given, else the place found, else the area named."""
    entity = "coalesce(e.entity_id, f.entity_id)"
    sure = f"{entity} IS NOT NULL AND (e.entity_id IS NOT NULL OR f.accepted)"
    accepted = f"({sure} OR a.entity_id IS NOT NULL)"
    chosen = f"CASE WHEN {sure} THEN {entity} ELSE coalesce(a.entity_id, {entity}) END"
    return (
        f"SELECT r.record_id, CASE WHEN {accepted} THEN {chosen} END AS entity_id, {chosen} AS candidate_id, "
        "CASE WHEN e.entity_id IS NOT NULL THEN 1.0::DOUBLE WHEN f.accepted THEN f.probability "
        "ELSE coalesce(a.probability, f.probability, 0.0) END AS probability, "
        f"CASE WHEN {accepted} THEN {text(Band.ACCEPT)} WHEN f.entity_id IS NOT NULL THEN {text(Band.CLERICAL)} "
        f"ELSE {text(Band.NONE)} END AS band, CASE WHEN e.entity_id IS NOT NULL THEN {text(BY_POSTCODE)} "
        "WHEN f.accepted THEN f.method WHEN a.entity_id IS NOT NULL THEN a.method "
        "WHEN f.entity_id IS NOT NULL THEN f.method "
        f"WHEN r.given IS NULL AND r.latitude IS NULL THEN {text(NO_EVIDENCE)} ELSE {text(NOT_FOUND)} END AS method "
        f"FROM {work}_records AS r LEFT JOIN {work}_exact AS e ON e.postcode = r.postcode "
        f"LEFT JOIN {work}_found AS f ON f.given IS NOT DISTINCT FROM r.given "
        "AND f.latitude IS NOT DISTINCT FROM r.latitude AND f.longitude IS NOT DISTINCT FROM r.longitude "
        f"LEFT JOIN {work}_areas AS a ON a.record_id = r.record_id"
    )


def _report(engine: Engine, out: str) -> LinkReport:
    """Counts of the link table; expected precision and recall follow from its probabilities."""
    rows = engine.rows(
        f"SELECT band, method, count(*) AS n, sum(probability) AS likely FROM {name(out)} GROUP BY ALL ORDER BY n DESC"
    ).to_pylist()
    sure = [row for row in rows if row["band"] == Band.ACCEPT]
    records, accepted = sum(row["n"] for row in rows), sum(row["n"] for row in sure)
    likely, right = sum(row["likely"] for row in rows), sum(row["likely"] for row in sure)
    return LinkReport(
        records=records,
        accepted=accepted,
        clerical=sum(row["n"] for row in rows if row["band"] == Band.CLERICAL),
        entities=0,
        present=likely / records if records else 0.0,
        threshold=float(engine.rows(f"SELECT {_NEAREST.format(d=ACCEPTED_WITHIN)} AS p")["p"][0].as_py()),
        expected_precision=right / accepted if accepted else 1.0,
        expected_recall=right / likely if likely else 0.0,
        methods={row["method"]: row["n"] for row in sure},
    )
