"""Areas of postcodes that no directory tells: by the polygon that holds them, and by lookups from there.

Best guesses of an office (a directory's own columns) always stand. What is derived is kept apart, in

    placed.parquet      entity_id, one column per level and boundary year

so that a better boundary or a later directory takes its place.
"""

from collections.abc import Sequence

from integrated_data.engine import Engine
from integrated_data.index.reference import boundaries
from integrated_data.index.reference.boundaries import TOLERANCE, Shapes
from integrated_data.vocabulary import areas
from integrated_data.vocabulary.sql import name, names, text

#: Share of postcodes that must lie where they are told to, for polygons to be trusted.
AGREE = 0.99
_MEASURED, _FEWEST, _STEPS = 20_000, 200, (0, 5, 10, 20, 40, 60, 80, 120, 200)


def drawn_columns(engine: Engine, relation: str) -> list[str]:
    """Columns whose areas have polygons, finest and newest first."""
    rows = engine.rows(f"SELECT DISTINCT level, boundary_year FROM {name(relation)}").to_pylist()
    order = list(areas.LEVELS)
    rows.sort(key=lambda r: (order.index(r["level"]), -(r["boundary_year"] or 0)))
    return [areas.column_name(r["level"], r["boundary_year"]) for r in rows]


def place(engine: Engine, *, work: str, told: Sequence[str]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Table `<work>_placed`; returns, by column, how many postcodes each way placed, and the `border` of its polygons.

    Reads `<work>_merged` (postcodes with the columns `told`), `<work>_all_boundaries`, `<work>_all_lookups`
    and `<work>_all_centroids`.
    """
    report: dict[str, dict[str, int]] = {}
    borders: dict[str, int] = {}
    engine.create(f"{work}_placed", f"SELECT entity_id FROM {work}_merged WHERE FALSE")
    known = list(told)
    for column in drawn_columns(engine, f"{work}_all_boundaries"):
        engine.create(f"{work}_shapes", boundaries.shapes_sql(f"{work}_all_boundaries", column=column))
        found = _by_polygon(engine, column, work=work, told=told)
        _add(engine, column, found=found, work=work)
        engine.drop(f"{work}_near")
        if column in told:
            borders[column] = _border(engine, column, work=work)
        engine.drop(f"{work}_shapes")
        report[column] = {"by polygon": _filled(engine, column, work=work)}
        known += [column] if column not in known else []
    for start, end in _steps(engine, known, work=work):
        before = report.setdefault(end, {})
        _add(engine, end, found=_by_lookup(engine, start, end=end, work=work), work=work)
        before[f"by lookup from {start}"] = _filled(engine, end, work=work)
    return {column: ways for column, ways in report.items() if any(ways.values())}, borders


def _border(engine: Engine, column: str, *, work: str) -> int:
    """Metres from its borders within which the polygons of a column are not to be trusted.

    Measured where a directory tells the area and the point of postcodes: the least distance beyond which
    AGREE of them lie in the polygon of the area told. 0 where too few are told, the furthest where none does.
    """
    points = f"{work}_points"
    chosen = (
        f"SELECT entity_id AS number, latitude, longitude FROM {work}_merged WHERE {name(column)} IS NOT NULL "
        f"AND latitude IS NOT NULL ORDER BY hash(entity_id) LIMIT {_MEASURED}"
    )
    engine.create(points, boundaries.points_sql(chosen))
    if engine.rows(f"SELECT count(*) AS n FROM {points}")["n"][0].as_py() < _FEWEST:
        return 0
    holding = boundaries.holding_sql(Shapes(f"{work}_shapes", points))
    rows = engine.rows(
        f"SELECT s.metres, avg((h.area_code = m.{name(column)})::INTEGER) AS agree FROM (SELECT number, "
        f"arg_max(area_code, depth) AS area_code, max(depth) AS depth FROM ({holding}) "
        f"GROUP BY number) AS h JOIN {work}_merged AS m ON m.entity_id = h.number "
        f"JOIN (SELECT unnest({list(_STEPS)}) AS metres) AS s ON h.depth >= s.metres "
        "GROUP BY s.metres ORDER BY s.metres"
    ).to_pylist()
    engine.drop(points)
    return next((int(r["metres"]) for r in rows if r["agree"] >= AGREE), _STEPS[-1])


def _steps(engine: Engine, known: list[str], *, work: str) -> list[tuple[str, str]]:
    """Lookups to follow, in order: from columns that are held, the finest first, to columns not held yet."""
    pairs = [
        (r["a"], r["b"])
        for r in engine.rows(
            f"SELECT DISTINCT from_column AS a, to_column AS b FROM {work}_all_lookups ORDER BY ALL"
        ).to_pylist()
    ]
    order = list(areas.LEVELS)

    def rank(column: str) -> int:
        return order.index(areas.level_and_year(column)[0] or "country")

    steps: list[tuple[str, str]] = []
    held = set(known)
    while True:
        found = [(a, b) for a, b in pairs if a in held and b not in held and rank(a) <= rank(b)]
        if not found:
            return steps
        step = min(found, key=lambda ab: (rank(ab[0]), rank(ab[1]), ab))
        steps.append(step)
        held.add(step[1])


def _by_polygon(engine: Engine, column: str, *, work: str, told: Sequence[str]) -> str:
    """SELECT entity_id, code: the polygon deepest around each point, within TOLERANCE of its border outside.

    Where a directory tells a coarser area of the postcode, and lookups say of what areas that consists,
    polygons elsewhere are passed over: points near a border fall on its wrong side where it is simplified.
    """
    points, near = f"{work}_points", f"{work}_near"
    missing = f"{name(column)} IS NULL" if column in told else "TRUE"
    engine.create(
        points,
        boundaries.points_sql(f"SELECT entity_id AS number, latitude, longitude FROM {work}_merged WHERE {missing}"),
    )
    engine.create(near, boundaries.holding_sql(Shapes(f"{work}_shapes", points)))
    engine.drop(points)
    agrees = _agrees_sql(engine, column, work=work, told=told)
    return (
        f"SELECT number AS entity_id, arg_max(area_code, (agrees, depth, area_code)) AS code FROM ({agrees}) "
        f"WHERE depth >= -{TOLERANCE} GROUP BY number"
    )


def _agrees_sql(engine: Engine, column: str, *, work: str, told: Sequence[str]) -> str:
    """The areas near each point, with how many of the coarser areas told of the postcode they lie in."""
    pairs = engine.rows(
        f"SELECT DISTINCT to_column FROM {work}_all_lookups WHERE from_column = {text(column)} ORDER BY ALL"
    )["to_column"].to_pylist()
    coarser = [
        t for t in told if any(areas.level_and_year(p)[0] == areas.level_and_year(t)[0] for p in pairs) and t != column
    ]  # fmt: skip
    if not coarser:
        return f"SELECT *, 0 AS agrees FROM {work}_near"
    levels = {areas.level_and_year(t)[0] for t in coarser}
    within = ", ".join(text(p) for p in pairs if areas.level_and_year(p)[0] in levels)
    codes = ", ".join(f"m.{name(t)}" for t in coarser)
    return (
        f"SELECT n.*, coalesce(len(list_intersect(u.codes, [{codes}])), 0) AS agrees FROM {work}_near AS n "
        f"JOIN {work}_merged AS m ON m.entity_id = n.number LEFT JOIN ("
        f"SELECT from_code, list(DISTINCT to_code) AS codes FROM {work}_all_lookups "
        f"WHERE from_column = {text(column)} AND to_column IN ({within}) GROUP BY from_code) AS u "
        "ON u.from_code = n.area_code"
    )


def _by_lookup(engine: Engine, start: str, *, end: str, work: str) -> str:
    """SELECT entity_id, code: the area that a postcode's area became or lies in.

    One that was divided: the part whose centre is nearest the postcode's point, else the part that most
    of it went to; without either it stays open.
    """
    held = [
        f"{side}.{name(start)}"
        for side, relation in (("m", f"{work}_merged"), ("p", f"{work}_placed"))
        if start in engine.columns(relation)
    ]
    across = "(c.longitude - k.longitude) * cos(radians(k.latitude))"
    apart = f"(c.latitude - k.latitude) ** 2 + ({across}) ** 2"
    return f"""
        WITH led AS (
            SELECT *, count(*) OVER (PARTITION BY from_code) AS ways FROM (
                SELECT DISTINCT ON (from_code, to_code) from_code, to_code, weight FROM {work}_all_lookups
                WHERE from_column = {text(start)} AND to_column = {text(end)} ORDER BY from_code, to_code, source)),
        kept AS (
            SELECT m.entity_id, m.latitude, m.longitude, coalesce({", ".join(held)}) AS code
            FROM {work}_merged AS m LEFT JOIN {work}_placed AS p ON p.entity_id = m.entity_id)
        SELECT k.entity_id, l.to_code AS code FROM kept AS k JOIN led AS l ON l.from_code = k.code WHERE l.ways = 1
        UNION ALL
        SELECT entity_id, CASE WHEN count(apart) > 0 THEN arg_min(to_code, (apart, to_code))
                               ELSE arg_max(to_code, weight) END AS code
        FROM (SELECT k.entity_id, l.to_code, l.weight, {apart} AS apart
              FROM kept AS k JOIN led AS l ON l.from_code = k.code
              LEFT JOIN {work}_all_centroids AS c ON c.area_code = l.to_code WHERE l.ways > 1)
        GROUP BY entity_id"""


def _add(engine: Engine, column: str, *, found: str, work: str) -> None:
    """Put a column beside those placed so far."""
    kept = [c for c in engine.columns(f"{work}_placed") if c not in ("entity_id", column)]
    listed = "".join(f", p.{name(c)}" for c in kept)
    engine.create(
        f"{work}_placed",
        f"SELECT coalesce(p.entity_id, f.entity_id) AS entity_id{listed}, f.code AS {name(column)} "
        f"FROM {work}_placed AS p FULL JOIN (SELECT * FROM ({found}) WHERE code IS NOT NULL) AS f "
        "ON f.entity_id = p.entity_id",
    )


def _filled(engine: Engine, column: str, *, work: str) -> int:
    return int(engine.rows(f"SELECT count({name(column)}) AS n FROM {work}_placed")["n"][0].as_py())


def all_columns(told: Sequence[str], placed: Sequence[str]) -> list[str]:
    """Columns of areas, told or derived, each once."""
    return [*told, *(c for c in placed if c not in ("entity_id", *told))]


def whole_sql(postcodes: str, placed: str, *, told: Sequence[str], derived: Sequence[str]) -> str:
    """Postcodes with every column of areas: what is told, else what was derived."""
    columns = []
    for column in all_columns(told, derived):
        sides = [f"{side}.{name(column)}" for side, has in (("m", told), ("p", derived)) if column in has]
        columns.append(f"coalesce({', '.join(sides)}) AS {name(column)}")
    own = names(("entity_id", "postcode", "latitude", "longitude"))
    own = ", ".join(f"m.{c.strip()}" for c in own.split(","))
    listed = "".join(f", {c}" for c in columns)
    return (
        f"SELECT {own}{listed} FROM {name(postcodes)} AS m LEFT JOIN {name(placed)} AS p ON p.entity_id = m.entity_id"
    )
