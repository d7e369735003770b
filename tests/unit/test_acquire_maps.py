"""Maps as delivered: one feature a line, polygons of a topology put together from their arcs."""

import json
from pathlib import Path

import pytest

from integrated_data.acquire.features import feature_lines, is_map
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import DeliveryRefusal

SQUARE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
GEOJSON = {
    "type": "FeatureCollection",
    "features": [{
        "type": "Feature", "properties": {"LAD13CD": "E06000001", "LAD13NM": "Harbour", "nested": {"a": 1}},
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    }],
}  # fmt: skip
TOPOLOGY = {
    "type": "Topology", "transform": {"scale": [0.5, 0.5], "translate": [10.0, 50.0]},
    "objects": {"lad": {"type": "GeometryCollection", "geometries": [
        {"type": "Polygon", "arcs": [[0, 1]], "properties": {"id": "left"}},
        {"type": "MultiPolygon", "arcs": [[[2, -1]]], "properties": {"id": "right"}},
    ]}},
    "arcs": [[[2, 0], [0, 2]], [[2, 2], [-2, 0], [0, -2], [2, 0]], [[2, 0], [2, 0], [0, 2], [-2, 0]]],
}  # fmt: skip


def landed(folder: Path, text: str) -> tuple[FileSealer, Path]:
    sealer, place = FileSealer(b"s" * 32), folder / "map.sealed"
    with sealer.write(place) as file:
        file.write(text.encode())
    return sealer, place


def lines(folder: Path, body: object) -> list[dict[str, object]]:
    sealer, place = landed(folder, json.dumps(body))
    assert is_map(sealer, place)
    return [json.loads(line) for line in feature_lines(sealer, place)]


def test_features_are_rows_with_their_shape(tmp_path: Path) -> None:
    assert lines(tmp_path, GEOJSON) == [
        {"LAD13CD": "E06000001", "LAD13NM": "Harbour", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}
    ]


def test_shapes_of_a_topology_are_put_together_from_shared_arcs(tmp_path: Path) -> None:
    left, right = lines(tmp_path, TOPOLOGY)
    assert left["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0], [11.0, 50.0]]],
    }
    assert right["geometry"]["coordinates"][0][0][-1] == [11.0, 50.0]


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}\n', "postcode,area\nAB1 2CD,E06000001\n", ""])
def test_other_text_is_no_map(tmp_path: Path, text: str) -> None:
    assert not is_map(*landed(tmp_path, text))


def test_a_map_that_breaks_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefusal, match="damaged map"):
        list(feature_lines(*landed(tmp_path, '{"type": "FeatureCollection", "features": [{')))
