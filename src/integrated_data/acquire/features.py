"""Maps: GeoJSON (RFC 7946) and TopoJSON as JSON lines, one feature a line.

A feature's properties become columns and its shape the column `geometry`, as GeoJSON. The shapes of a
topology are put together from its shared arcs (TopoJSON format specification 1.0): steps are summed up
and scaled, arcs with a negative number walked backwards, and each begins at the point where the last one ended.

Shapes are given as the file draws them. A topology that was simplified or rounded to a coarse grid folds
its borders: rings that walk one edge there and back, or that have shrunk to a line. Of the districts of Great
Britain on a grid of 0.001 degrees (3,490 rings: all closed, no arc that does not meet the next) 355 of 380
are invalid polygons for that reason. The Geography Index makes them valid and counts them as repaired.
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from integrated_data.acquire.unpack import refused
from integrated_data.engine import Sealer

GEOMETRY = "geometry"
_LOOKED_AT = 1 << 12
_MAP = re.compile(rb'^\s*\{.*?"type"\s*:\s*"(FeatureCollection|Topology)"', re.DOTALL)

Position = list[float]


def is_map(sealer: Sealer, place: Path) -> bool:
    """Whether a sealed text file is GeoJSON or TopoJSON, by its first bytes."""
    with sealer.read(place) as source:
        return _MAP.match(source.read(_LOOKED_AT)) is not None


def feature_lines(sealer: Sealer, place: Path) -> Iterator[bytes]:
    """The features of a map as UTF-8 JSON lines; the whole map is held in memory while it is read."""
    with sealer.read(place) as source:
        try:
            body = json.load(io.TextIOWrapper(source, encoding="utf-8-sig"))
            features = _features(body)
            for feature in features:
                yield _line(feature)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            raise refused("is a damaged map", "Write it again as GeoJSON, and deliver it") from None


def _features(body: dict[str, Any]) -> list[dict[str, Any]]:
    if body["type"] == "FeatureCollection":
        return list(body["features"])
    arcs = _arcs(body)
    return [
        {"properties": part.get("properties"), GEOMETRY: _shape(part, arcs)}
        for layer in body["objects"].values()
        for part in layer.get("geometries", [layer])
    ]


def _line(feature: dict[str, Any]) -> bytes:
    properties = {
        key: value for key, value in (feature.get("properties") or {}).items() if not isinstance(value, dict | list)
    }
    line = {**properties, GEOMETRY: feature.get(GEOMETRY)}
    return (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _arcs(topology: dict[str, Any]) -> list[list[Position]]:
    """Arcs in coordinates: those of a quantized topology are differences between whole numbers."""
    transform = topology.get("transform")
    if transform is None:
        return [[list(map(float, point[:2])) for point in arc] for arc in topology["arcs"]]
    (scale_x, scale_y), (west, south) = transform["scale"], transform["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for step_x, step_y, *_ in arc:
            x, y = x + step_x, y + step_y
            points.append([x * scale_x + west, y * scale_y + south])
        arcs.append(points)
    return arcs


def _shape(part: dict[str, Any], arcs: list[list[Position]]) -> dict[str, Any] | None:
    match part.get("type"):
        case "Polygon":
            return {"type": "Polygon", "coordinates": [_ring(ring, arcs) for ring in part["arcs"]]}
        case "MultiPolygon":
            shapes = [[_ring(ring, arcs) for ring in shape] for shape in part["arcs"]]
            return {"type": "MultiPolygon", "coordinates": shapes}
        case _:
            return None


def _ring(numbers: Sequence[int], arcs: list[list[Position]]) -> list[Position]:
    """A ring of arcs; a negative number is an arc walked backwards, and each begins where the last one ended."""
    ring: list[Position] = []
    for number in numbers:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        ring += arc[1:] if ring else arc
    return ring
