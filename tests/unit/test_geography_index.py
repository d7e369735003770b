"""The Geography Index: drawn sources and records in, links and published areas out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LINK_COLUMNS


class Untrained:
    """A trainer that this index never asks."""

    def train(self, task: Task) -> Estimates:
        raise AssertionError(str(task))


def table(drawn: str) -> pa.Table:
    """A drawn table: a line of headings, then rows; `-` is no value; `_` stands for a blank."""
    lines = [line.split() for line in drawn.strip().splitlines()]
    columns = zip(*lines[1:], strict=True)
    values = [[None if v == "-" else v.replace("_", " ") for v in column] for column in columns]
    return pa.table({h: pa.array(v, pa.string()) for h, v in zip(lines[0], values, strict=True)})


DIRECTORY = """
record_id postcode latitude  longitude oa21      lsoa21    lsoa11    lad_code
a         AB1_2CD  51.50000  -0.10000  E00000001 E01000001 E01000009 E09000001
b         ab12ce   51.50100  -0.10000  E00000002 E01000001 E01000001 E09000001
c         N10_0AA  51.60000  -0.20000  E00000003 E01000002 E01000002 E09000002
d         N10_0AA  51.70000  -0.30000  E00000003 E01000003 E01000003 E09000002
e         IO1_1OO  -         -         -         -         -         E09000003
f         EC1A_1AA 99.99999  0.00000   E00000004 E01000004 E01000004 -
g         nowhere  51.00000  -1.00000  E00000005 E01000005 E01000005 E09000005
"""
CODES = {"area_code": ("oa21", "lsoa21", "lsoa11", "lad_code")}


class Index:
    """Sources added one after another; every version beside the others."""

    def __init__(self, engine: DuckDB, folder: Path) -> None:
        self.engine, self.folder, self.versions = engine, folder, 0
        self.tools = Tools(engine, Untrained())

    @property
    def current(self) -> Path:
        return self.folder / str(self.versions)

    def add(self, source: str, drawn: str, columns: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        self.engine.load("source", Held(table(drawn)))
        previous = self.current if self.versions else None
        addition = Addition(source, "source", "2026-11-22T00:00:00Z", columns)
        report = GEOGRAPHY.add(self.tools, addition, previous=previous, folder=self.folder / str(self.versions + 1))
        self.versions += 1
        return report

    def held(self, file: str = "postcodes") -> list[dict[str, Any]]:
        self.engine.load("held", Stored((self.current / f"{file}.parquet",)))
        return self.engine.rows("SELECT * FROM held").to_pylist()

    def ids(self) -> dict[str, int]:
        return {row["postcode"]: row["entity_id"] for row in self.held()}

    def match(self, records: pa.Table) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        self.engine.load("records", Held(records))
        report = GEOGRAPHY.match(self.tools, Matching("records", "links"), folder=self.current)
        assert tuple(self.engine.columns("links")) == LINK_COLUMNS
        return report, self.engine.rows("SELECT * FROM links ORDER BY record_id").to_pylist()

    def places(self, drawn: str) -> list[tuple[Any, ...]]:
        """record_id, postcode linked, postcode of the candidate, band, method."""
        code = {entity: postcode for postcode, entity in self.ids().items()} | {None: None}
        _, links = self.match(table(drawn))
        return [(r["record_id"], code[r["entity_id"]], code[r["candidate_id"]], r["band"], r["method"]) for r in links]


@pytest.fixture
def index(engine: DuckDB, tmp_path: Path) -> Index:
    made = Index(engine, tmp_path)
    made.add("directory", DIRECTORY, CODES)
    return made


def test_one_entity_per_postcode(index: Index) -> None:
    rows = index.held()
    assert [
        (r["postcode"], r["latitude"], r["oa_2021"], r["lsoa_2021"], r["lsoa_2011"], r["district"]) for r in rows
    ] == [
        ("AB1 2CD", 51.5, "E00000001", "E01000001", "E01000009", "E09000001"),
        ("AB1 2CE", 51.501, "E00000002", "E01000001", "E01000001", "E09000001"),
        ("EC1A 1AA", None, "E00000004", "E01000004", "E01000004", None),
        ("IO1 1OO", None, None, None, None, "E09000003"),
        ("N10 0AA", 51.6, "E00000003", "E01000002", "E01000002", "E09000002"),
    ]
    assert len(set(index.ids().values())) == 5
    assert all(0 < entity < 2**63 for entity in index.ids().values())


def test_report_counts_records_and_entities(engine: DuckDB, tmp_path: Path) -> None:
    report = Index(engine, tmp_path).add("directory", DIRECTORY, CODES)
    assert {k: report[k] for k in ("records", "known", "created", "postcodes", "entities", "areas")} == {
        "records": 7, "known": 0, "created": 5, "postcodes": 5, "entities": 16,
        "areas": ["oa_2021", "lsoa_2021", "lsoa_2011", "district"],
    }  # fmt: skip


def test_second_source_fills_replaces_and_adds(index: Index) -> None:
    before = index.ids()
    report = index.add(
        "newer",
        """
        record_id postcode area_code msoa21cd
        1         AB12CD   E09000007 E02000001
        2         EC1A1AA  E09000008 -
        3         ZE1_0AA  S12000027 -
        """,
        {"area_code": ("area_code", "msoa21cd")},
    )
    assert (report["known"], report["created"]) == (2, 1)
    assert {k: v for k, v in index.ids().items() if k in before} == before
    assert {r["postcode"]: (r["district"], r["lsoa_2021"], r["msoa_2021"]) for r in index.held()} == {
        "AB1 2CD": ("E09000007", "E01000001", "E02000001"),
        "AB1 2CE": ("E09000001", "E01000001", None),
        "EC1A 1AA": ("E09000008", "E01000004", None),
        "IO1 1OO": ("E09000003", None, None),
        "N10 0AA": ("E09000002", "E01000002", None),
        "ZE1 0AA": ("S12000027", None, None),
    }


def test_reload_keeps_every_entity(index: Index) -> None:
    before = index.ids()
    report = index.add("directory", DIRECTORY, CODES)
    assert index.ids() == before
    assert (report["created"], report["postcodes"], report["entities"]) == (0, 5, 16)
    assert {row["entity_id"] for row in index.held("entities")} >= set(before.values())


def test_names_of_areas_are_kept_and_renamed(index: Index) -> None:
    columns = {"area_code": ("area_code", "parent_code"), "area_name": ("area_name",)}
    head = "record_id area_code area_name boundary_year parent_code\n"
    index.add("names", head + "1 E09000001 Old_Town 2011 E12000001\n2 E12000001 North 2011 -", columns)
    index.add("names", head + "1 E09000001 New_Town 2021 E12000001\n2 E12000001 The_North 2011 -", columns)
    named = [
        (r["area_code"], r["area_name"], r["level"], r["boundary_year"], r["parent_code"]) for r in index.held("names")
    ]
    assert named == [
        ("E09000001", "New Town", "district", 2021, "E12000001"),
        ("E09000001", "Old Town", "district", 2011, "E12000001"),
        ("E12000001", "The North", "region", 2011, None),
    ]
    assert len(index.ids()) == 5
    assert set(index.held()[0]) == {
        "entity_id", "postcode", "latitude", "longitude", "effective_from", "effective_to", "oa_2021",
        "lsoa_2021", "lsoa_2011", "district",
    }  # fmt: skip


def test_names_beside_codes_of_a_directory(index: Index) -> None:
    drawn = "record_id postcode lad21cd lad21nm\n1 AB1_2CD E09000001 Town"
    index.add("named", drawn, {"area_code": ("lad21cd",), "area_name": ("lad21nm",)})
    assert [(r["area_name"], r["level"], r["boundary_year"]) for r in index.held("names")] == [
        ("Town", "district", 2021)
    ]


def test_by_postcode(index: Index) -> None:
    assert index.places("record_id postcode\n1 AB1_2CD\n2 ab12cd\n3 _AB_12CE_\n4 SW1A_1AA\n5 -") == [
        ("1", "AB1 2CD", "AB1 2CD", "accept", "postcode"),
        ("2", "AB1 2CD", "AB1 2CD", "accept", "postcode"),
        ("3", "AB1 2CE", "AB1 2CE", "accept", "postcode"),
        ("4", None, None, "none", "no such place"),
        ("5", None, None, "none", "nothing to match on"),
    ]


def test_one_slip_is_put_right_where_one_postcode_alone_is_meant(index: Index) -> None:
    assert index.places(
        "record_id postcode\n1 ABI_2CD\n2 NIO_0AA\n3 N10_OAA\n4 AB1-2CD\n5 IO1_100\n6 I01_1OO\n7 IO1_1O0"
    ) == [
        ("1", "AB1 2CD", "AB1 2CD", "accept", "postcode, corrected"),
        ("2", None, None, "none", "no such place"),
        ("3", "N10 0AA", "N10 0AA", "accept", "postcode, corrected"),
        ("4", "AB1 2CD", "AB1 2CD", "accept", "postcode, corrected"),
        ("5", None, None, "none", "no such place"),
        ("6", "IO1 1OO", "IO1 1OO", "accept", "postcode, corrected"),
        ("7", "IO1 1OO", "IO1 1OO", "accept", "postcode, corrected"),
    ]


def test_a_slip_that_two_postcodes_share_is_left_alone(index: Index) -> None:
    index.add("twins", "record_id postcode\n1 B01_1AA\n2 BOI_1AA", {})
    assert index.places("record_id postcode\n1 BO1_1AA") == [("1", None, None, "none", "no such place")]


def test_by_coordinates(index: Index) -> None:
    drawn = """
    record_id postcode latitude longitude
    at        -        51.50000 -0.10000
    50m       -        51.50046 -0.10000
    90m       -        51.60080 -0.20000
    300m      -        51.60270 -0.20000
    east      -        51.60000 -0.19350
    700m      -        51.60630 -0.20000
    zero      -        0        0
    half      -        51.5     -
    over      SW1A_1AA 51.50000 -0.10000
    own       AB1_2CE  51.60000 -0.20000
    better    ABI_2CE  51.60080 -0.20000
    """
    assert {row[0]: row[1:] for row in index.places(drawn)} == {
        "at": ("AB1 2CD", "AB1 2CD", "accept", "nearest postcode"),
        "50m": ("AB1 2CD", "AB1 2CD", "accept", "nearest postcode"),
        "90m": ("N10 0AA", "N10 0AA", "accept", "nearest postcode"),
        "300m": (None, "N10 0AA", "clerical", "nearest postcode"),
        "east": (None, "N10 0AA", "clerical", "nearest postcode"),
        "700m": (None, None, "none", "no such place"),
        "zero": (None, None, "none", "nothing to match on"),
        "half": (None, None, "none", "nothing to match on"),
        "over": ("AB1 2CD", "AB1 2CD", "accept", "nearest postcode"),
        "own": ("AB1 2CE", "AB1 2CE", "accept", "postcode"),
        "better": ("AB1 2CE", "AB1 2CE", "accept", "postcode, corrected"),
    }


def test_nearer_is_likelier_and_record_ids_keep_their_type(index: Index) -> None:
    north = [51.5, 51.49982, 51.49955, 51.4973]
    report, links = index.match(
        pa.table({"record_id": pa.array([1, 2, 3, 4]), "latitude": north, "longitude": [-0.1] * 4})
    )
    chances = [row["probability"] for row in links]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(0.99)
    assert [row["record_id"] for row in links] == [1, 2, 3, 4]
    assert (report["records"], report["accepted"], report["clerical"]) == (4, 3, 1)


def test_published_are_areas_alone(index: Index) -> None:
    columns = GEOGRAPHY.published(index.engine, folder=index.current, relation="areas")
    assert columns == ("lsoa_2021", "lsoa_2011", "district")
    assert tuple(index.engine.columns("areas")) == ("entity_id", *columns)
    linked = index.engine.rows("SELECT lsoa_2011 FROM areas WHERE entity_id = " + str(index.ids()["AB1 2CD"]))
    assert linked["lsoa_2011"].to_pylist() == ["E01000009"]


def test_a_source_without_places_is_refused(index: Index) -> None:
    with pytest.raises(IndexRefusal, match="neither postcodes nor names"):
        index.add("empty", "record_id code\n1 x", {})


def test_nothing_is_left_in_the_engine(index: Index) -> None:
    index.match(pa.table({"record_id": [1], "postcode": ["AB1 2CD"]}))
    left = index.engine.rows("SELECT table_name AS t FROM information_schema.tables")["t"].to_pylist()
    assert sorted(set(left) - {"source", "records", "held", "links"}) == []
