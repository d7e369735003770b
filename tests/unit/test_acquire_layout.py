"""How a file is written, read from its first lines."""

import io
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.acquire.around import is_header
from integrated_data.acquire.layout import Delivered
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Format, Layout
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.site.kit import infer_delivered, open_kit
from integrated_data.site.settings import from_environment
from tests.delivering import contract_of, delivered
from tests.unit.test_acquire_files import workbook

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
        (["alpha,beta", "x,y", "alpha,beta", "z,w"], True),
        (["alpha,beta", "x,y", "alpha,w", "z,w"], False),
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


def read(engine: DuckDB, found: Delivered) -> list[tuple[str | None, ...]]:
    engine.load("t", found.source(rejects="r"))
    return [tuple(row.values()) for row in engine.rows("SELECT * FROM t").to_pylist()]


def lines(*rows: str, end: str = "\n") -> bytes:
    return "".join(row + end for row in rows).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_delimiter_at_the_end_of_each_line_is_no_column(engine: DuckDB, tmp_path: Path, end: str) -> None:
    found = delivered(tmp_path, ("x.csv", lines("id,name,code,", "1,Ann,A,", "2,Bob,B,", end=end)))
    assert (found.layout.header, found.columns) == (True, ("id", "name", "code"))
    assert read(engine, found) == [("1", "Ann", "A"), ("2", "Bob", "B")]
    assert [n for n in found.notices if "ends with a delimiter" in n]


def test_a_last_column_without_a_heading_that_holds_something_stays(engine: DuckDB, tmp_path: Path) -> None:
    rows = [f"{n},n{n},A," for n in range(3_000)]
    found = delivered(tmp_path, ("x.csv", lines("id,name,code,", *rows, "3000,n,A,seen")))
    assert (found.columns, found.notices) == (("id", "name", "code", "column_4"), ())
    assert read(engine, found)[-1] == ("3000", "n", "A", "seen")


TABLE = ("id,name,code", "1,Ann Lee,A", "2,Bob,B", "3,Cy,A", "4,Di,B")


@pytest.mark.parametrize(
    ("above", "below", "told"),
    [
        (("Payroll extract,,", ",,"), (), "lines 1 to 2 above the header"),
        (
            ("Payroll extract,,", "Run 1 April,,", ",,"),
            ("Total rows: 4,,",),
            "lines 1 to 3 above the header and line 9 below the last row",
        ),
        (
            ("Payroll extract", ""),
            ("", "Source: pay office"),
            "lines 1 to 2 above the header and lines 8 to 9 below the last row",
        ),
        ((), (",,", "Notes,,"), "lines 6 to 7 below the last row"),
        ((), (",,", ",,"), "lines 6 to 7 below the last row"),
    ],
)
def test_what_stands_around_a_table_is_left_out_and_told(
    engine: DuckDB, tmp_path: Path, above: tuple[str, ...], below: tuple[str, ...], told: str
) -> None:
    found = delivered(tmp_path, ("x.csv", lines(*above, *TABLE, *below)))
    assert (found.columns, found.lines) == (("id", "name", "code"), 5)
    assert read(engine, found) == [tuple(row.split(",")) for row in TABLE[1:]]
    assert found.notices == (f"Left out as titles, notes or blank lines: {told}",)


@pytest.mark.parametrize(
    "rows",
    [
        (*TABLE, "5,,"),  # of a record only its number is known
        (",name", "0,Ann", "1,Bob"),  # a heading is missing
        ("id,", "1,a", "2,b"),
        ("id    name      address", "1     Ann Lee   1 High St, Leeds", "2     Bob       2 Park Rd, York"),
        ("name,age,code", "Ann Lee,1,A", "Bob Hay,2,B", "Cy Dee,,"),
    ],
)
def test_ordinary_first_and_last_rows_stay(tmp_path: Path, rows: tuple[str, ...]) -> None:
    found = delivered(tmp_path, ("x.csv", lines(*rows)))
    assert (found.lines, found.notices) == (len(rows), ())


def test_titles_over_no_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefusal, match="stand above a table whose header is not seen"):
        delivered(tmp_path, ("x.csv", lines("Payroll extract,,", "1,Ann,2", "2,Bob,3", "3,Cy,4")))


def test_a_sheet_is_framed_as_text_is(engine: DuckDB, tmp_path: Path) -> None:
    rows = [("Payroll extract",), (), *(tuple(row.split(",")) for row in TABLE), (), ("Source: pay office",)]
    found = delivered(tmp_path, ("x.xlsx", workbook(*rows)))
    assert read(engine, found) == [tuple(row.split(",")) for row in TABLE[1:]]
    assert found.notices == (
        "Left out as titles, notes or blank lines: rows 1 to 2 above the header and rows 8 to 9 below the last row",
    )


def book(*sheets: tuple[str, tuple[str, ...]]) -> bytes:
    made = openpyxl.Workbook()
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row.split(","))
    del made["Sheet"]
    held = io.BytesIO()
    made.save(held)
    return held.getvalue()


def test_a_sheet_of_notes_beside_a_table_is_passed_over(engine: DuckDB, tmp_path: Path) -> None:
    found = delivered(tmp_path, ("x.xlsx", book(("Notes", ("Made in May", "by,hand")), ("Data", TABLE))))
    assert found.columns == ("id", "name", "code")
    assert [n for n in found.notices if "Of 2 sheets with rows one holds a table" in n]


def test_of_several_tables_one_is_named(tmp_path: Path) -> None:
    data = book(("Data", TABLE), ("Codes", ("code,meaning", "A,active", "B,left")))
    with pytest.raises(DeliveryRefusal, match="has 2 sheets with rows") as refusal:
        delivered(tmp_path / "1", ("x.xlsx", data))
    assert "--sheet NAME" in refusal.value.next_step
    (tmp_path / "x.xlsx").write_bytes(data)
    with open_kit(from_environment({})) as kit:
        found = kit.delivered([tmp_path / "x.xlsx"], None, sheet="Codes")
        made = infer_delivered(kit, found, dataset="d", owner="o")
    assert (found.columns, made.layout.sheet) == (("code", "meaning"), "Codes")
