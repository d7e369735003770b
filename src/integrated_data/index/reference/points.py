"""Coordinates as people give them: degrees, degrees with the axes swapped, or metres of the National Grid.

A point of the United Kingdom is told by where it falls: latitudes lie between 49 and 61.5 degrees and
longitudes between -9.5 and 2.5, so that swapped ones cannot be mistaken; numbers beyond any degree are metres
(easting as longitude, northing as latitude; the other way round where the northing would lie off the grid).
"""

from integrated_data.index.reference.boundaries import GRID, LAND

SWAPPED, FROM_GRID = "coordinates swapped", "from the National Grid"


def point_sql(latitude: str, longitude: str) -> str:
    """STRUCT(latitude, longitude, how) in degrees; NULL where it is no place (out of range, or zero for unknown).

    `how`: SWAPPED or FROM_GRID where the point was put right, else NULL. A point elsewhere in the world
    stays as it is: no area holds it.
    """
    as_given = _struct(latitude, longitude, how=None)
    grid = (
        f"CASE WHEN {_on_grid(longitude, latitude)} THEN {_from_grid(longitude, latitude)} "
        f"WHEN {_on_grid(latitude, longitude)} THEN {_from_grid(latitude, longitude)} END"
    )
    return (
        f"CASE WHEN {latitude} = 0 AND {longitude} = 0 THEN NULL "
        f"WHEN {_in_land(latitude, longitude)} THEN {as_given} "
        f"WHEN {_in_land(longitude, latitude)} THEN {_struct(longitude, latitude, how=SWAPPED)} "
        f"WHEN abs({latitude}) <= 90 AND abs({longitude}) <= 180 THEN {as_given} "
        f"WHEN abs({latitude}) > 180 OR abs({longitude}) > 180 THEN {grid} END"
    )


def _struct(latitude: str, longitude: str, *, how: str | None) -> str:
    said = "NULL::VARCHAR" if how is None else f"'{how}'"
    return f"{{'latitude': {latitude}, 'longitude': {longitude}, 'how': {said}}}"


def _in_land(latitude: str, longitude: str) -> str:
    west, south, east, north = LAND
    return f"{latitude} BETWEEN {south} AND {north} AND {longitude} BETWEEN {west} AND {east}"


def _on_grid(easting: str, northing: str) -> str:
    west, south, east, north = GRID
    return f"{easting} BETWEEN {west} AND {east} AND {northing} BETWEEN {south} AND {north}"


def _from_grid(easting: str, northing: str) -> str:
    """The point in degrees, by the engine's spatial extension (Helmert transformation, within 5 metres)."""
    point = f"ST_Transform(ST_Point({easting}, {northing}), 'EPSG:27700', 'EPSG:4326', true)"
    return f"{{'latitude': ST_Y({point}), 'longitude': ST_X({point}), 'how': '{FROM_GRID}'}}"
