"""Areas and points through the gate and the worker: geometry as WKT or WKB in, and out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from integrated_data.access.gate import Checked, Objection, may_query
from integrated_data.access.running import Job, QueryFailure
from integrated_data.access.views import View
from integrated_data.model.query import Failure, QueryLimits
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose

PARSER = DuckDBParser()
LIMITS = QueryLimits(seconds=20, memory=2**29)
VIEWS = {
    "areas": View("areas", "areas", ("area", "shape"), (), "areas.parquet"),
    "places": View("places", "places", ("place", "east", "north", "point"), (), "places.parquet"),
}
AREAS = {
    "area": ["west", "east"],
    "shape": ["POLYGON ((0 0, 5 0, 5 9, 0 9, 0 0))", "POLYGON ((5 0, 9 0, 9 9, 5 9, 5 0))"],
}
PLACES = {
    "place": ["mill", "school", "pier"], "east": [1.0, 6.0, 20.0], "north": [1.0, 6.0, 20.0],
    "point": [bytes.fromhex("0101000000" + h) for h in (
        "000000000000f03f000000000000f03f", "00000000000018400000000000001840", "00000000000034400000000000003440",
    )],
}  # fmt: skip


@pytest.fixture
def worker(tmp_path: Path) -> ProcessWorker:
    pq.write_table(pa.table(AREAS), tmp_path / "areas.parquet")
    pq.write_table(pa.table(PLACES), tmp_path / "places.parquet")
    with capture_logs():
        return ProcessWorker(choose(production=False), tmp_path, tmp_path / "scratch")


def ask(worker: ProcessWorker, sql: str) -> pa.Table:
    checked = may_query(sql, VIEWS, parser=PARSER)
    assert isinstance(checked, Checked), checked
    rows = worker.start(Job(sql, tuple(VIEWS.values()), LIMITS))
    return pa.Table.from_batches(list(rows), schema=rows.schema)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "SELECT a.area, count(*) AS n FROM areas a JOIN places p "
            "ON ST_Contains(ST_GeomFromText(a.shape), ST_Point(p.east, p.north)) GROUP BY a.area ORDER BY a.area",
            [("east", 1), ("west", 1)],
        ),
        (
            "SELECT p.place FROM areas a JOIN places p "
            "ON st_within(st_geomfromwkb(p.point), st_geomfromtext(a.shape)) WHERE a.area = 'west'",
            [("mill",)],
        ),
        ("SELECT round(sum(ST_Area(ST_GeomFromText(shape))), 1) AS n FROM areas", [(81.0,)]),
        (
            "SELECT place, round(ST_Distance(ST_Point(east, north), ST_Point(0, 0)), 3) AS d "
            "FROM places ORDER BY d LIMIT 1",
            [("mill", 1.414)],
        ),
        ("SELECT ST_XMax(ST_Envelope(ST_Union_Agg(ST_GeomFromText(shape)))) AS x FROM areas", [(9.0,)]),
        (
            "SELECT round(ST_X(ST_Transform(ST_Point(530000, 180000), 'EPSG:27700', 'EPSG:4326', true)), 2) AS x",
            [(-0.13,)],
        ),
    ],
)  # fmt: skip
def test_questions_about_places(worker: ProcessWorker, sql: str, rows: list[tuple[object, ...]]) -> None:
    assert [tuple(row.values()) for row in ask(worker, sql).to_pylist()] == rows


def test_a_geometry_leaves_as_well_known_binary(worker: ProcessWorker) -> None:
    table = ask(worker, "SELECT ST_Point(east, north) AS p FROM places WHERE place = 'mill'")
    assert table.column("p").to_pylist() == [PLACES["point"][0]]
    assert table.schema.field("p").metadata[b"ARROW:extension:name"] == b"geoarrow.wkb"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM ST_Read('/etc/passwd')",
        "SELECT * FROM ST_ReadSHP('x.shp')",
        "SELECT * FROM ST_Read('/vsizip//etc/x.zip'), (SELECT ST_Point(1, 2))",
        "SELECT * FROM ST_ReadOSM('x.pbf')",
        "SELECT * FROM ST_Drivers()",
        "SELECT * FROM ST_Read_Meta('x')",
        "SELECT ST_Nothing(east) FROM places",
    ],
)
def test_what_reads_files_is_not_let_through(worker: ProcessWorker, sql: str) -> None:
    assert isinstance(may_query(sql, VIEWS, parser=PARSER), Objection)
    with pytest.raises(QueryFailure) as told:
        list(worker.start(Job(sql, (), LIMITS)))
    assert told.value.failure in (Failure.BARRED, Failure.NAME, Failure.TYPE, Failure.OTHER)


def test_a_shape_that_is_none_is_told_without_its_text(worker: ProcessWorker) -> None:
    with pytest.raises(QueryFailure) as told:
        ask(worker, "SELECT ST_GeomFromText(place) FROM places")
    assert "mill" not in str(told.value)
    assert told.value.named == ""
