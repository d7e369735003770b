"""How a file is written, read from its first lines."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.acquire.layout import is_header
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Format, Layout
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from tests.delivering import contract_of, delivered

ROWS = [("1", "Ann Lee", "1990-02-01"), ("2", "Bob", "1985-11-30"), ("3", "Cy", "2001-05-05")]
HEAD = ("id", "name", "born")


def text(delimiter: str, *, header: bool = True) -> bytes:
    rows = [HEAD, *ROWS] if header else ROWS
    return "".join(delimiter.join(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_delimiters(engine: DuckDB, tmp_path: Path, delimiter: str) -> None:
    found = delivered(tmp_path, ("x.txt", text(delimiter)))
    assert (found.layout, found.columns) == (Layout(Format.CSV, delimiter=delimiter), HEAD)
    engine.load("t", found.source())
    assert [tuple(r.values()) for r in engine.rows("SELECT * FROM t").to_pylist()] == ROWS


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    found = delivered(tmp_path, ("x.csv", b"id;rate\n1;0,5\n2;1,25\n"))
    assert (found.layout.delimiter, found.columns) == (";", ("id", "rate"))


def test_delimiters_inside_quotes_do_not_count(tmp_path: Path) -> None:
    found = delivered(tmp_path, ("x.csv", b'id;note\n1;"a;b, c, d"\n2;"e, f, g"\n'))
    assert (found.layout.delimiter, found.quoted) == (";", True)


def test_a_file_without_header(engine: DuckDB, tmp_path: Path) -> None:
    found = delivered(tmp_path, ("x.csv", text(",", header=False)))
    assert (found.layout.header, found.columns) == (False, ("column_1", "column_2", "column_3"))
    engine.load("t", found.source())
    assert engine.rows("SELECT count(*) AS n FROM t")["n"][0].as_py() == 3


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        (["id,name,born", "1,Ann,1990"], True),
        (["alpha,beta", "x,y", "z,w"], True),
        (["alpha,beta", "1,2"], True),
        (["Area,2011,2012,2013", "E01,5,6,7"], True),
        (["1,Ann,1990", "2,Bob,1985"], False),
        (["C1,JAMIE,LEE,M,27,13 GREEN LANE,NW917FN", "C2,ANN,LEE,F,28,14 GREEN LANE,NW917FN"], False),
        (["1,High Street,Leeds", "2,Park Road,York"], False),
        (["Smith,Jane,Leeds", "Jones,Ann,Leeds"], False),
        (["a,a", "b,c"], False),
        (["E01000001,Leeds", "E01000002,York"], False),
    ],
)
def test_headers_are_told_from_rows(rows: list[str], header: bool) -> None:
    cells = [row.split(",") for row in rows]
    assert is_header(cells[0], cells[1:]) is header


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        ("id,id,ID", ("id", "id_2", "ID_3")),
        (",name,born", ("column_1", "name", "born")),
        (" id , name,x ", ("id", "name", "x")),
    ],
)
def test_headers_are_made_different(tmp_path: Path, first: str, columns: tuple[str, ...]) -> None:
    data = f"{first}\n1,a,2020-01-01\n2,b,2020-01-02\n".encode()
    assert delivered(tmp_path, ("x.csv", data)).columns == columns


def test_fixed_width_by_its_ruler(engine: DuckDB, tmp_path: Path) -> None:
    rows = [("id", "name", "age"), *((str(i * 17), f"Person {i % 7}" + "x" * (i % 5), str(i)) for i in range(1, 40))]
    data = "".join(f"{a:<6}{b:<16}{c:>4}\n" for a, b, c in rows).encode()
    found = delivered(tmp_path, ("x.txt", data))
    assert (found.layout.format, found.columns) == (Format.FIXED, ("id", "name", "age"))
    engine.load("t", found.source())
    assert [tuple(r.values()) for r in engine.rows("SELECT * FROM t").to_pylist()] == rows[1:]


def test_fixed_width_by_contract(engine: DuckDB, tmp_path: Path) -> None:
    layout = Layout(Format.FIXED, header=False, widths=(2, 3, 4))
    contract = contract_of(Column("a", "a"), Column("b", "b"), Column("c", "c"), layout=layout)
    found = delivered(tmp_path, ("x.txt", b"01abc2020\n02de 2021\n\n03f"), contract=contract)
    engine.load("t", found.source())
    rows = [tuple(r.values()) for r in engine.rows("SELECT * FROM t").to_pylist()]
    assert rows == [("01", "abc", "2020"), ("02", "de", "2021"), ("03", "f", None)]


def test_json_lines(engine: DuckDB, tmp_path: Path) -> None:
    lines = [{"id": 1, "name": "Ann", "x": {"y": [1]}}, {"id": 2, "extra": True}]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    found = delivered(tmp_path, ("x.jsonl", data))
    assert (found.layout.format, found.columns) == (Format.JSONL, ("id", "name", "x", "extra"))
    engine.load("t", found.source())
    assert engine.rows("SELECT id, name, extra FROM t").to_pylist() == [
        {"id": "1", "name": "Ann", "extra": None},
        {"id": "2", "name": None, "extra": "true"},
    ]


def test_parquet(engine: DuckDB, tmp_path: Path) -> None:
    held = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "Name": ["a", None]}), held)
    found = delivered(tmp_path, ("x.parquet", held.getvalue()))
    assert (found.layout.format, found.columns) == (Format.PARQUET, ("id", "Name"))
    engine.load("t", found.source())
    assert engine.rows("SELECT * FROM t").to_pylist() == [{"id": "1", "Name": "a"}, {"id": "2", "Name": None}]


def test_several_files_of_one_layout(engine: DuckDB, tmp_path: Path) -> None:
    found = delivered(tmp_path, ("a.csv", text(",")), ("b.csv", text(",")))
    engine.load("t", found.source())
    assert (engine.rows("SELECT count(*) AS n FROM t")["n"][0].as_py(), found.lines) == (6, 8)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([b"id,name\n"], "no rows"),
        ([b"\n\n \n"], "blank lines"),
        ([b"\n\nid,name\n1,ann\n2,bob\n"], "begins with a blank line"),
        ([b"<html><body>sign in</body></html>\n"], "web page"),
        ([b'[{"a": 1}]\n'], "JSON array"),
        ([b"{broken\n"], "not one object per line"),
        ([b"PAR1garbage"], "damaged"),
        ([text(","), b"id,other,born\n1,a,b\n"], "differ in their columns"),
        ([b"Table 1: people, by area, and age\nid,name\n1,a\n2,b,c,d\n3,d,e\n4\n"], "do not agree"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, files: list[bytes], says: str) -> None:
    with pytest.raises(DeliveryRefusal, match=says):
        delivered(tmp_path, *((f"{i}.csv", data) for i, data in enumerate(files)))


def test_a_contract_without_header_fixes_the_number_of_columns(tmp_path: Path) -> None:
    contract = contract_of(Column("a", "a"), Column("b", "b"), layout=Layout(Format.CSV, header=False))
    assert delivered(tmp_path / "1", ("x.csv", b"1,2\n3,4\n"), contract=contract).columns == ("a", "b")
    with pytest.raises((DeliveryRefusal, ContractRefusal), match="3 columns where the contract"):
        delivered(tmp_path / "2", ("x.csv", b"1,2,3\n4,5,6\n"), contract=contract)
