"""Which postcode a record lies in: by its postcode, by its coordinates, or by its postcode put right."""

from dataclasses import dataclass

from integrated_data.engine import Engine
from integrated_data.index.link import NO_EVIDENCE, LinkReport
from integrated_data.model.linkage import Band
from integrated_data.vocabulary import postcodes
from integrated_data.vocabulary.sql import name, text

BY_POSTCODE = "postcode"
BY_NEAREST = "nearest postcode"
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


@dataclass(frozen=True)
class Places:
    """Relations in and out. `postcodes`: entity_id, postcode, latitude, longitude; `out`: the link table."""

    records: str
    postcodes: str
    out: str


def locate(engine: Engine, places: Places) -> LinkReport:
    """Make the link table: a record's own postcode, else the likelier of nearest and corrected one."""
    work = f"{places.out}_work"
    try:
        engine.view(f"{work}_records", _records_sql(engine.columns(places.records), places.records))
        engine.create(
            f"{work}_exact",
            f"SELECT p.postcode, p.entity_id FROM {name(places.postcodes)} AS p "
            f"JOIN (SELECT DISTINCT postcode FROM {work}_records) AS w ON w.postcode = p.postcode",
        )
        engine.create(f"{work}_left", _left_sql(work))
        _nearest(engine, places.postcodes, work=work)
        engine.create(f"{work}_found", _found_sql(places.postcodes, work))
        engine.create(places.out, _links_sql(work))
    finally:
        engine.drop(f"{work}_records", *(f"{work}_{t}" for t in ("exact", "left", "points", "near", "found")))
    return _report(engine, places.out)


def point_sql(latitude: str, longitude: str) -> str:
    """STRUCT(latitude, longitude) in degrees; NULL where it is no place (out of range, or zero for unknown)."""
    given = f"abs({latitude}) <= 90 AND abs({longitude}) <= 180 AND NOT ({latitude} = 0 AND {longitude} = 0)"
    return f"CASE WHEN {given} THEN {{'latitude': {latitude}, 'longitude': {longitude}}} END"


def _records_sql(columns: dict[str, str], records: str) -> str:
    """`record_id`, `given` (the postcode as it came), `postcode`, `latitude`, `longitude`."""
    raw = "postcode::VARCHAR" if "postcode" in columns else "NULL::VARCHAR"
    held = "latitude" in columns and "longitude" in columns
    values = [f"try_cast({c} AS DOUBLE)" if held else "NULL::DOUBLE" for c in ("latitude", "longitude")]
    return (
        "SELECT record_id, given, postcode, point.latitude AS latitude, point.longitude AS longitude FROM ("
        f"SELECT record_id, nullif(trim({raw}), '') AS given, {postcodes.postcode_sql(raw)} AS postcode, "
        f"{point_sql(*values)} AS point FROM {name(records)})"
    )


def _left_sql(work: str) -> str:
    """Distinct places that no postcode of the index is: numbered."""
    return (
        "SELECT row_number() OVER () AS number, * FROM (SELECT DISTINCT given, latitude, longitude "
        f"FROM {work}_records AS r ANTI JOIN {work}_exact AS e ON e.postcode = r.postcode "
        "WHERE given IS NOT NULL OR latitude IS NOT NULL)"
    )


def _cell_sql(latitude: str, longitude: str, *, scale: int) -> str:
    height, width = (side * scale for side in _CELL)
    return f"floor({latitude} / {height})::BIGINT * 1000000 + floor({longitude} / {width})::BIGINT"


def _nearest(engine: Engine, index: str, *, work: str) -> None:
    """Table `<work>_near`: number, entity_id, metres; no row where no postcode lies within the bound."""
    empty = "SELECT 0::BIGINT AS number, 0::BIGINT AS entity_id, 0.0::DOUBLE AS metres WHERE FALSE"
    engine.create(f"{work}_near", empty)
    if not engine.rows(f"SELECT 1 FROM {work}_left WHERE latitude IS NOT NULL LIMIT 1").num_rows:
        return
    engine.create(
        f"{work}_points",
        f"SELECT latitude, longitude, arg_min(entity_id, postcode) AS entity_id FROM {name(index)} "
        "WHERE latitude IS NOT NULL GROUP BY latitude, longitude",
    )
    for scale in _SCALES:
        found = _within_sql(work, scale)
        engine.create(f"{work}_near", f"SELECT * FROM {work}_near UNION ALL {found}")


def _within_sql(work: str, scale: int) -> str:
    """The nearest of the postcodes in the nine cells around each place, if within `scale` hundred metres."""
    across = "(l.longitude - p.longitude) * cos(radians(l.latitude))"
    metres = f"{_METRES} * sqrt((l.latitude - p.latitude) ** 2 + ({across}) ** 2)"
    around = (
        f"SELECT number, latitude, longitude, {_cell_sql('latitude', 'longitude', scale=scale)} + unnest("
        "[-1000001, -1000000, -999999, -1, 0, 1, 999999, 1000000, 1000001]) AS cell "
        f"FROM {work}_left AS l ANTI JOIN {work}_near AS n ON n.number = l.number WHERE latitude IS NOT NULL"
    )
    return (
        "SELECT number, arg_min(entity_id, metres) AS entity_id, min(metres) AS metres FROM ("
        f"SELECT l.number, p.entity_id, {metres} AS metres FROM ({around}) AS l JOIN (SELECT *, "
        f"{_cell_sql('latitude', 'longitude', scale=scale)} AS cell FROM {work}_points) AS p ON p.cell = l.cell) "
        f"WHERE metres <= {scale * 100} GROUP BY number"
    )


def _found_sql(index: str, work: str) -> str:
    """For each place the likeliest postcode: number, entity_id, probability, method, accepted."""
    near = _NEAREST.format(d="metres")
    return (
        "SELECT l.given, l.latitude, l.longitude, f.* FROM (SELECT number, unnest(arg_max("
        "{'entity_id': entity_id, 'probability': probability, 'method': method, 'accepted': accepted}, probability)) "
        f"FROM (SELECT number, entity_id, {near} AS probability, {text(BY_NEAREST)} AS method, "
        f"metres <= {ACCEPTED_WITHIN} AS accepted FROM {work}_near UNION ALL "
        f"SELECT number, entity_id, {CORRECTED}, {text(BY_CORRECTED)}, TRUE FROM ({_corrected_sql(index, work)})) "
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
    entity = "coalesce(e.entity_id, f.entity_id)"
    accepted = "e.entity_id IS NOT NULL OR f.accepted"
    return (
        f"SELECT r.record_id, CASE WHEN {accepted} THEN {entity} END AS entity_id, {entity} AS candidate_id, "
        "CASE WHEN e.entity_id IS NOT NULL THEN 1.0::DOUBLE ELSE coalesce(f.probability, 0.0) END AS probability, "
        f"CASE WHEN {accepted} THEN {text(Band.ACCEPT)} WHEN f.entity_id IS NOT NULL THEN {text(Band.CLERICAL)} "
        f"ELSE {text(Band.NONE)} END AS band, CASE WHEN e.entity_id IS NOT NULL THEN {text(BY_POSTCODE)} "
        f"WHEN r.given IS NULL AND r.latitude IS NULL THEN {text(NO_EVIDENCE)} "
        f"ELSE coalesce(f.method, {text(NOT_FOUND)}) END AS method "
        f"FROM {work}_records AS r LEFT JOIN {work}_exact AS e ON e.postcode = r.postcode "
        f"LEFT JOIN {work}_found AS f ON f.given IS NOT DISTINCT FROM r.given "
        "AND f.latitude IS NOT DISTINCT FROM r.latitude AND f.longitude IS NOT DISTINCT FROM r.longitude"
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
