"""Polygons of the Geography Index: squares beside one another, points in, on and off them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference import area_lookups
from integrated_data.index.reference.crosswalk import Crosswalk
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal

WEST, EAST, NORTH = "E01000001", "E01000002", "E01000003"


class Untrained:
    """A trainer that this index never asks."""

    def train(self, task: Task) -> Estimates:
        raise AssertionError(str(task))


def square(west: float, south: float, side: float = 0.1) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def geojson(*rings: list[list[float]]) -> str:
    return json.dumps({"type": "Polygon", "coordinates": list(rings)})


class Index:
    """Sources added one after another; every version beside the others."""

    def __init__(self, engine: DuckDB, folder: Path) -> None:
        self.engine, self.folder, self.versions = engine, folder, 0
        self.tools = Tools(engine, Untrained())

    @property
    def current(self) -> Path:
        return self.folder / str(self.versions)

    def add(
        self, source: str, table: Mapping[str, list[Any]], *codes: str, names: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        length = len(next(iter(table.values())))
        self.engine.load("source", Held(pa.table({"record_id": [str(i) for i in range(length)], **table})))
        addition = Addition(source, "source", "2026-11-22T00:00:00Z", {"area_code": codes, "area_name": names})
        previous = self.current if self.versions else None
        report = GEOGRAPHY.add(self.tools, addition, previous=previous, folder=self.folder / str(self.versions + 1))
        self.versions += 1
        return report

    def held(self, file: str) -> list[dict[str, Any]]:
        self.engine.load("held", Stored((self.current / f"{file}.parquet",)))
        return self.engine.rows("SELECT * FROM held").to_pylist()

    def areas_of(self, column: str, how: str, **table: list[Any]) -> list[tuple[str | None, str]]:
        length = len(next(iter(table.values())))
        self.engine.load("asked", Held(pa.table({"record_id": list(range(length)), **table})))
        area_lookups.areas_of(self.engine, self.current, places=("asked", "found"), column=column, how=how, columns={})
        rows = self.engine.rows("SELECT * FROM found ORDER BY record_id").to_pylist()
        return [(r["area_code"], r["method"]) for r in rows]

    def links(self, **table: list[Any]) -> list[tuple[str | None, str, str]]:
        """Published LSOA of 2011, band, method."""
        length = len(next(iter(table.values())))
        self.engine.load("asked", Held(pa.table({"record_id": list(range(length)), **table})))
        columns = {
            "area_code": tuple(c for c in table if "cd" in c),
            "area_name": tuple(c for c in table if "name" in c),
        }
        GEOGRAPHY.match(self.tools, Matching("asked", "links", columns=columns), folder=self.current)
        GEOGRAPHY.published(self.engine, folder=self.current, relation="known")
        rows = self.engine.rows(
            "SELECT lsoa_2011, band, method FROM links LEFT JOIN known USING (entity_id) ORDER BY record_id"
        )
        return [tuple(row.values()) for row in rows.to_pylist()]

    def crosswalk(self, source: str, target: str, by: str | None = None) -> tuple[str, list[tuple[str, str, float]]]:
        way = area_lookups.crosswalk(self.engine, self.current, asked=Crosswalk(source, target, by), relation="weights")
        rows = self.engine.rows("SELECT * FROM weights ORDER BY from_code, to_code").to_pylist()
        return way, [(r["from_code"], r["to_code"], round(r["weight"], 3)) for r in rows]


@pytest.fixture
def index(engine: DuckDB, tmp_path: Path) -> Index:
    """Two squares side by side in 2011, and a postcode in each."""
    made = Index(engine, tmp_path)
    shapes = [geojson(square(-1.0, 52.0)), geojson(square(-0.9, 52.0))]
    made.add("shapes", {"lsoa11cd": [WEST, EAST], "geometry": shapes}, "lsoa11cd")
    made.add("directory", {"postcode": ["AB1 2CD", "AB1 2CE"], "latitude": [52.05, 52.05], "longitude": [-0.95, -0.85]})
    return made


def test_postcodes_get_the_area_whose_polygon_holds_them(index: Index) -> None:
    assert index.areas_of("lsoa_2011", "best-fit", postcode=["AB1 2CD", "ab12ce", "ZZ1 1ZZ"]) == [
        (WEST, "postcode"), (EAST, "postcode"), (None, "no such place"),
    ]  # fmt: skip


def test_points_in_on_and_off_polygons(index: Index) -> None:
    found = index.areas_of(
        "LSOA11CD", "exact",
        latitude=[52.01, 52.05, 52.5, -0.95, 52.05, None],
        longitude=[-0.99, -0.9, -0.95, 52.05, None, None],
    )  # fmt: skip
    assert found == [
        (WEST, "point"), (WEST, "point, on a border"), (None, "in no area"), (WEST, "point, coordinates swapped"),
        (None, "nothing to match on"), (None, "nothing to match on"),
    ]  # fmt: skip


def test_metres_of_the_national_grid_are_points_too(index: Index) -> None:
    assert index.areas_of("lsoa_2011", "exact", latitude=[240_000.0], longitude=[471_000.0]) == [
        (WEST, "point, from the National Grid")
    ]


def test_a_point_far_from_any_postcode_is_linked_to_its_area(index: Index) -> None:
    assert index.links(latitude=[52.05, 52.09, 55.0], longitude=[-0.95, -0.81, -0.95]) == [
        (WEST, "accept", "nearest postcode"), (EAST, "accept", "point in polygon"), (None, "none", "no such place"),
    ]  # fmt: skip


def test_the_nearest_postcode_is_one_of_the_same_polygon(index: Index) -> None:
    index.add(
        "near", {"postcode": ["AB1 2CF", "AB1 2CG"], "latitude": [52.05, 52.053], "longitude": [-0.8999, -0.9015]}
    )
    assert index.links(latitude=[52.05], longitude=[-0.9002]) == [(WEST, "accept", "nearest postcode")]


def test_records_that_name_an_area_alone(index: Index) -> None:
    index.add(
        "names",
        {"lsoa11cd": [WEST, EAST], "lsoa11nm": ["Old Town 001A", "New Town 001B"]},
        "lsoa11cd",
        names=("lsoa11nm",),
    )
    assert index.links(lsoa11cd=[EAST.lower(), None, "X"], lsoa11name=[None, "OLD TOWN, 001a", "Nowhere"]) == [
        (EAST, "accept", "area code"), (WEST, "accept", "area name"), (None, "none", "nothing to match on"),
    ]  # fmt: skip


def test_codes_and_spellings_of_other_registers(engine: DuckDB, tmp_path: Path) -> None:
    index = Index(engine, tmp_path)
    index.add("codes", {"gss-code": ["E06000023"], "local-authority-code": ["BST"]}, "gss-code", "local-authority-code")
    index.add(
        "variants", {"local-authority-code": ["BST", "BST"], "la-name": ["Bristol City Council", "Brizzle"]},
        "local-authority-code", names=("la-name",),
    )  # fmt: skip
    engine.load(
        "asked", Held(pa.table({"record_id": [1, 2, 3, 4], "la_name": ["Bristol, City of", "brizzle", "BST", "Bath"]}))
    )
    GEOGRAPHY.match(index.tools, Matching("asked", "links", columns={"area_name": ("la_name",)}), folder=index.current)
    GEOGRAPHY.published(engine, folder=index.current, relation="known")
    rows = engine.rows("SELECT district FROM links LEFT JOIN known USING (entity_id) ORDER BY record_id")
    assert rows["district"].to_pylist() == ["E06000023", "E06000023", None, None]


def test_polygons_that_touch_themselves_are_put_right(engine: DuckDB, tmp_path: Path) -> None:
    index = Index(engine, tmp_path)
    bow = "POLYGON((-1 52, -0.9 52.1, -0.9 52, -1 52.1, -1 52))"
    report = index.add("shapes", {"lsoa11cd": [WEST], "wkt": [bow]}, "lsoa11cd")
    assert (report["polygons"], report["repaired"]) == (1, 1)
    assert index.areas_of("lsoa_2011", "exact", latitude=[52.05, 52.05], longitude=[-0.99, -0.95]) == [
        (WEST, "point"), (WEST, "point, on a border"),
    ]  # fmt: skip


def test_polygons_in_metres_or_with_swapped_axes(engine: DuckDB, tmp_path: Path) -> None:
    index = Index(engine, tmp_path)
    metres = "POLYGON((470000 238000, 474000 238000, 474000 242000, 470000 242000, 470000 238000))"
    swapped = "POLYGON((53 -1, 53 -0.9, 53.1 -0.9, 53.1 -1, 53 -1))"
    index.add("shapes", {"lsoa11cd": [WEST, EAST], "wkt": [metres, swapped]}, "lsoa11cd")
    assert index.areas_of("lsoa_2011", "exact", latitude=[52.05, 53.05], longitude=[-0.95, -0.95]) == [
        (WEST, "point"), (EAST, "point"),
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["POLYGON((0 0", "{}", "POLYGON((100 0, 101 0, 101 1, 100 0))", "POINT(-1 52)"])
def test_a_source_of_no_polygon_that_can_be_read_is_refused(engine: DuckDB, tmp_path: Path, given: str) -> None:
    with pytest.raises(IndexRefusal, match="None of its polygons"):
        Index(engine, tmp_path).add("shapes", {"lsoa11cd": [WEST], "wkt": [given]}, "lsoa11cd")


def test_a_year_that_is_not_held_is_refused_with_those_that_are(index: Index) -> None:
    with pytest.raises(IndexRefusal, match="no polygons of lsoa_2031") as refused:
        index.areas_of("lsoa_2031", "exact", latitude=[52.0], longitude=[-1.0])
    assert "lsoa_2011" in refused.value.why
    with pytest.raises(IndexRefusal, match="no level of geography"):
        index.areas_of("postcode sector", "best-fit", postcode=["AB1 2CD"])


def test_weights_by_overlap(index: Index) -> None:
    merged = geojson([[-1.0, 52.0], [-0.85, 52.0], [-0.85, 52.1], [-1.0, 52.1], [-1.0, 52.0]])
    rest = geojson([[-0.85, 52.0], [-0.8, 52.0], [-0.8, 52.1], [-0.85, 52.1], [-0.85, 52.0]])
    index.add("later", {"lsoa21cd": [NORTH, EAST], "geometry": [merged, rest]}, "lsoa21cd")
    assert index.crosswalk("lsoa_2011", "lsoa_2021") == (
        "area", [(WEST, NORTH, 1.0), (EAST, EAST, 0.5), (EAST, NORTH, 0.5)],
    )  # fmt: skip


def test_weights_by_postcodes_and_by_a_lookup(index: Index) -> None:
    index.add(
        "later",
        {
            "postcode": ["AB1 2CD", "AB1 2CE", "AB1 2CF"],
            "lsoa11cd": [WEST, EAST, EAST],
            "lsoa21cd": [WEST, EAST, NORTH],
        },
        "lsoa11cd",
        "lsoa21cd",
    )
    assert index.crosswalk("lsoa_2011", "lsoa_2021")[0] == "postcodes"
    lookup = {"lsoa11cd": [WEST, EAST, EAST], "lsoa21cd": [WEST, EAST, NORTH], "population": [10, 30, 10]}
    index.add("lookup", lookup, "lsoa11cd", "lsoa21cd")
    assert index.crosswalk("lsoa_2011", "lsoa_2021") == (
        "lookup", [(WEST, WEST, 1.0), (EAST, EAST, 0.75), (EAST, NORTH, 0.25)],
    )  # fmt: skip
    assert index.crosswalk("lsoa_2011", "lsoa_2021", "postcodes")[1] == [
        (WEST, WEST, 1.0), (EAST, EAST, 0.5), (EAST, NORTH, 0.5),
    ]  # fmt: skip


def test_a_crosswalk_that_cannot_be_made_is_refused(index: Index) -> None:
    with pytest.raises(IndexRefusal, match="no areas of lsoa_2021"):
        index.crosswalk("lsoa_2011", "lsoa_2021")
    assert index.crosswalk("lsoa_2011", "lsoa_2011") == ("identity", [(WEST, WEST, 1.0), (EAST, EAST, 1.0)])


def test_lookups_carry_postcodes_to_other_years_and_centres_settle_what_was_divided(index: Index) -> None:
    index.add("lookup", {"lsoa11cd": [WEST, EAST, EAST], "lsoa21cd": [WEST, EAST, NORTH]}, "lsoa11cd", "lsoa21cd")
    assert index.areas_of("lsoa_2021", "best-fit", postcode=["AB1 2CD", "AB1 2CE"]) == [
        (WEST, "postcode"), (None, "in no area"),
    ]  # fmt: skip
    index.add(
        "centres", {"lsoa21cd": [EAST, NORTH], "latitude": [52.02, 52.06], "longitude": [-0.85, -0.85]}, "lsoa21cd"
    )
    assert index.areas_of("lsoa_2021", "best-fit", postcode=["AB1 2CE"]) == [(NORTH, "postcode")]


def test_what_is_said_otherwise_later_is_kept_as_history(index: Index) -> None:
    index.add("first", {"postcode": ["AB1 2CD"], "lad_code": ["E09000001"], "terminated": [None]}, "lad_code")
    index.add("later", {"postcode": ["AB1 2CD"], "lad_code": ["E09000002"], "terminated": ["202406"]}, "lad_code")
    assert [(r["attribute"], r["value"], r["source"]) for r in index.held("history")] == [
        ("district", "E09000001", "later")
    ]
    row = next(r for r in index.held("postcodes") if r["postcode"] == "AB1 2CD")
    assert (row["district"], row["effective_to"]) == ("E09000002", "2024-06-01")


def test_records_of_every_source_are_members(index: Index) -> None:
    GEOGRAPHY.members(index.engine, folder=index.current, relation="who")
    rows = index.engine.rows(
        "SELECT source, record_id, count(DISTINCT entity_id) AS n FROM who GROUP BY ALL ORDER BY ALL"
    )
    assert [tuple(r.values()) for r in rows.to_pylist()] == [
        ("directory", "0", 1), ("directory", "1", 1), ("shapes", "0", 1), ("shapes", "1", 1),
    ]  # fmt: skip


def test_weights_by_overlap_of_polygons_that_were_put_right(engine: DuckDB, tmp_path: Path) -> None:
    index = Index(engine, tmp_path)
    bow = "POLYGON((-1 52, -0.9 52.1, -0.9 52, -1 52.1, -1 52))"
    index.add("old", {"lsoa11cd": [WEST], "wkt": [bow]}, "lsoa11cd")
    index.add("new", {"lsoa21cd": [EAST], "geometry": [geojson(square(-1.0, 52.0))]}, "lsoa21cd")
    assert index.crosswalk("lsoa_2011", "lsoa_2021") == ("area", [(WEST, EAST, 1.0)])
