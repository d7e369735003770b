"""Results made outside the service: what is a plain table goes to reviewers with its queries, all else is refused."""

import stat
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.control import outputs
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Ask, Brought, Lane, OutputRequest
from integrated_data.output import request, requested
from integrated_data.output.brought import MOST_BYTES, read
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, key, repeated

TABLE = b"term,estimate,std_error\n(Intercept),1.5,0.25\nage,-0.01,1e-3\n"
QUERY = "SELECT region, sex FROM survey"


@pytest.fixture
def world(store: Store, engine: DuckDB, tmp_path: Path) -> World:
    folder = tmp_path / "outputs"
    folder.mkdir()
    survey = repeated((40, ("North", "F")), (40, ("South", "M")), columns="region sex")
    return World(store, engine, DuckDBParser(), folder, {"survey": survey})


def bring(world: World, *files: Brought) -> OutputRequest:
    ask = Ask("P-1", AUTHOR, (world.log(QUERY),), "Coefficients", brought=files)
    return request.request(world.store, world.run, ask=ask, folder=world.folder)


def test_a_table_made_outside_goes_to_reviewers_with_the_queries_it_was_made_from(world: World) -> None:
    asked = bring(world, Brought("coefficients.csv", TABLE))
    assert world.ran == [], "its rows are not asked for"
    report = world.check(asked)
    assert report.lane is Lane.REVIEW
    (made,) = [f for f in report.findings if f.rule == "made outside"]
    assert asked.queries[0] in made.reason
    assert "coefficients.csv" in made.reason
    assert asked.datasets == ("survey",)
    with world.store.read() as connection:
        sha256 = outputs.get_request(connection, asked.id).sha256
    shown = requested.package(requested.place(world.folder, asked.id), sha256)
    assert shown["table.csv"].decode().splitlines()[1:] == ["(Intercept),1.5,0.25", "age,-0.01,0.001"]


def test_numbers_and_text_are_told_apart() -> None:
    table = read(Brought("a.csv", b"\xef\xbb\xbfgroup,n,share\nA,10,0.5\nB,,\n"))
    assert table.to_pydict() == {"group": ["A", "B"], "n": [10, None], "share": [0.5, None]}
    assert table.schema.types == [pa.string(), pa.int64(), pa.float64()]


def test_keys_and_rows_of_people_are_refused_even_before_people_look(world: World) -> None:
    keys = "person,n\n" + "".join(f"{key(n)},1\n" for n in range(3))
    assert world.check(bring(world, Brought("a.csv", keys.encode()))).lane is Lane.REFUSED


BAD = [
    ("table.xlsx", TABLE, "name"),
    ("../table.csv", TABLE, "name"),
    ("table.csv.exe", TABLE, "name"),
    ("table.csv", b"PK\x03\x04 a workbook", "workbook or an archive"),
    ("table.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old workbook", "macros"),
    ("table.csv", b"\x89PNG\r\n\x1a\n", "picture"),
    ("table.csv", b"%PDF-1.7", "document"),
    ("table.csv", b'{"cells": [], "nbformat": 4}', "notebook"),
    ("table.csv", b"<svg onload='x'/>", "markup"),
    ("table.csv", b"\x80\x04\x95 a pickled model", "model file"),
    ("table.csv", b"\x1f\x8b\x08", "compressed"),
    ("table.csv", b"PAR1", "data file"),
    ("table.csv", b"a,b\n1,\xff\n", "UTF-8"),
    ("table.csv", b"a,b\n1,\x00\n", "no text"),
    ("table.csv", b'a,b\n1,"2\n', "cannot be read"),
    ("table.csv", b"a,b\n1,2,3\n", "equally long"),
    ("table.csv", b"a,a\n1,2\n", "one heading"),
    ("table.csv", b"a,b\n", "no rows"),
    ("table.csv", b"", "no rows"),
    ("table.csv", b"a,b\n=1+1,2\n", "formula"),
    ("table.csv", b"a,b\n@x,2\n", "formula"),
    ("table.csv", b"a\n" + b"1\n" * 10_001, "more than 10,000 cells"),
    ("table.csv", b"a,b\n1," + b"x" * 201 + b"\n", "longer than 200"),
    ("table.csv", b"a,b\n" + b"1," + b" " * MOST_BYTES, "larger than"),
]


@pytest.mark.parametrize(("name", "content", "why"), BAD, ids=[f"{why} {n}" for n, (_, _, why) in enumerate(BAD)])
def test_what_is_no_plain_table_is_refused_and_kept_as_evidence(
    name: str, content: bytes, why: str, world: World
) -> None:
    with pytest.raises(OutputRefusal, match=why):
        bring(world, Brought(name, content))
    (kept,) = (world.folder / "refused").iterdir()
    assert kept.read_bytes() == content[:MOST_BYTES]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with world.store.read() as connection:
        assert not outputs.requests(connection)
        (refused,) = [e for e in records(connection) if e.action == "output.file_refused"]
    assert refused.facts["sha256"] == kept.name
