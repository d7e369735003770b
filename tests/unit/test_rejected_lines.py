"""Rejected rows and the physical line that each stands on: drawn files in, lines out, through the real engine."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engines.duckdb import DuckDB
from integrated_data.journey import checking, rejecting
from integrated_data.model.contract import Check, Column, Contract, Format, Layout, Rule
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.validate import lines
from tests.conftest import identified_engine
from tests.delivering import SEALER, contract_of, delivered

#: A row is bad where its first column says so.
RULES = (Rule("fine", Check.PATTERN, "a", pattern="(?s)[^!].*", reason="it begins with an exclamation mark"),)
PAIR = (Column("a", "a"), Column("b", "b"))
UNSPLIT = "the row splits into the columns"


#: Of its fourth line the reader makes a row beside rejecting it.
MESS = b'a,b\n1,x\n\n!2,x\n3,"u"v"w,"!u"v"w,"a""b"\n!4,x\n'


def listed(
    engine: DuckDB, folder: Path, *files: tuple[str, bytes], layout: Layout | None = None, sure: bool = True
) -> list[dict[str, Any]]:
    contract = contract_of(*PAIR, layout=layout or Layout(Format.CSV), rules=RULES)
    return saved(engine, folder, contract, *files, sure=sure)


def saved(
    engine: DuckDB,
    folder: Path,
    contract: Contract,
    *files: tuple[str, bytes],
    sure: bool = True,
    standing: checking.Standing | None = None,
) -> list[dict[str, Any]]:
    found = delivered(folder, *files, contract=contract)
    kept = folder / "kept"
    kept.mkdir()
    done = checking.check(
        engine, SEALER, contract=contract, delivered=found, place=kept / "checked.parquet", standing=standing
    )  # fmt: skip
    assert (
        rejecting.save_quarantine(engine, SEALER, contract=contract, found=done, delivered=found, folder=kept) is sure
    )
    told = rejecting.listed(engine, folder=kept, delivery="d").to_pylist()
    assert not sure or sum(r["lines"] or 0 for r in told) == done.account.rejected
    return told


def places(told: list[dict[str, Any]]) -> list[tuple[int, int | None, str]]:
    return [(r["file"], r["line"], r["rule"]) for r in told]


TEXTS = [
    (b"a,b\n1,x\n!2,x\n3,x\n!4,x\n", [3, 5]),
    (b"a,b\r\n\r\n1,x\r\n\r\n!2,x\r\n", [5]),
    (b'a,b\n1,"x\ny"\n!2,"p\n\nq"\n!3,x\n', [4, 7]),
    (b'"a","b"\r\n"1","x, ""y"""\r\n"!2","\r\n"\r\n"!3",""', [3, 5]),
    (b"a,b\r1,x\r!2,x\r", [3]),
    (b"a,b\r\n1,x\n!2,x\r\n!3,x", [3, 4]),
    (b"a,b\n1,x\n!2,5\xff\n".replace(b"\xff", "é".encode("cp1252")), [3]),
    ("a,b\r\n1,x\r\n!2,é\r\n!3,x\r\n".encode("utf-16"), [3, 4]),
    ("\ufeffa,b\n1,x\n!2,é\n".encode(), [3]),
    (b'a,b\n1,5" pipe\n!2,6" pipe\n!3,x\n', [3, 4]),
]


@pytest.mark.parametrize(("data", "wanted"), TEXTS)
def test_a_row_is_told_by_the_line_on_which_it_begins(
    engine: DuckDB, tmp_path: Path, data: bytes, wanted: list[int]
) -> None:
    told = listed(engine, tmp_path, ("x.csv", data))
    assert places(told) == [(1, n, "fine") for n in wanted]
    assert [set(r) for r in told] == [{"delivery", "file", "line", "lines", "column", "rule", "reason"}] * len(wanted)


def test_lines_that_do_not_split_are_told_and_do_not_move_the_others(engine: DuckDB, tmp_path: Path) -> None:
    data = b'a,b\n!1,x\n2\n!3,x\n4,x,x\n\n5,"x\n!6,"y"z\n!7,x\n"8"9,x\n!10,x'
    told = listed(engine, tmp_path, ("x.csv", data))
    assert [(r["line"], r["lines"]) for r in told] == [
        (2, None), (3, 1), (4, None), (5, 1), (7, 2), (9, None), (10, 1), (11, None)
    ]  # fmt: skip
    assert {r["rule"] for r in told if r["lines"]} == {UNSPLIT}


def test_a_quotation_mark_that_is_never_closed_tells_how_many_lines_it_took(engine: DuckDB, tmp_path: Path) -> None:
    rows = b"".join(b"%d,x\n" % n for n in range(900))
    data = b"a,b\n" + rows.replace(b"400,x", b'400,"x').replace(b"500,x", b'500,"x"').replace(b"\n600,", b"\n!600,")
    told = listed(engine, tmp_path, ("x.csv", data))
    assert [(r["line"], r["lines"], r["column"]) for r in told] == [(402, 101, ""), (602, None, "a")]


#: Lines of a file that is read in several pieces at once, and what the engine would make a join of.
FAR = [12, 40_002, 80_002, 119_002]
KNOWN = tuple(f"C{n}" for n in range(40))
JOINED: dict[str, tuple[Column, tuple[Rule, ...]]] = {
    "codes of a meaning": (Column("b", "b", meaning=Meaning.SEX), ()),
    "a long list": (Column("b", "b"), (Rule("listed", Check.ALLOWED, "b", values=(*KNOWN, *KNOWN)),)),
    "another dataset": (
        Column("b", "b"), (Rule("known", Check.REFERENCE, columns=("b",), dataset="l", others=("b",)),),
    ),
    "a total": (Column("b", "b", kind=Kind.INTEGER), ()),
}  # fmt: skip


@pytest.mark.parametrize("kind", JOINED)
def test_lines_are_told_where_many_read_one_file(engine: DuckDB, tmp_path: Path, kind: str) -> None:
    column, rules = JOINED[kind]
    last = b"Total,120000\n" if kind == "a total" else b""
    value = "1" if kind in ("a total", "codes of a meaning") else "C7"
    rows = "".join(f"{'!' if n + 2 in FAR else ''}{n:0400},{value}\n" for n in range(120_000))
    contract = contract_of(Column("a", "a"), column, rules=(*RULES, *rules))
    listed = contract_of(Column("a", "a"), Column("b", "b"))
    codes = delivered(tmp_path / "codes", ("l.csv", b"a,b\n1,C7\n"), contract=listed)
    checking.check(engine, SEALER, contract=listed, delivered=codes, place=tmp_path / "codes.parquet")
    standing = {"l": [(listed, tmp_path / "codes.parquet")]}
    file = ("x.csv", b"a,b\n" + rows.encode() + last)
    told = saved(engine, tmp_path, contract, file, standing=standing)
    assert [r["line"] for r in told if r["rule"] == "fine"] == FAR
    assert (len(told), engine.rows("SELECT current_setting('threads') AS n")["n"].to_pylist()) == (4 + bool(last), [2])


def test_values_outside_of_a_long_list_are_rejected_and_missing_ones_are_not(engine: DuckDB, tmp_path: Path) -> None:
    rule = Rule("listed", Check.ALLOWED, "b", values=(*KNOWN, *KNOWN, "BATCH_COPY_TO_FILE", "it's"))
    contract = contract_of(*PAIR, rules=(rule,))
    data = b"a,b\n1,C7\n2,c7\n3,\n4,C40\n5,it's\n6,it\n"
    assert places(saved(engine, tmp_path, contract, ("x.csv", data))) == [(1, n, "listed") for n in (3, 5, 7)]


def test_files_of_one_delivery_are_told_apart(engine: DuckDB, tmp_path: Path) -> None:
    files = [("1.csv", b"a,b\n!1,x\n2,x\n"), ("2.csv", b'a,b\n3,"\n"\n!4,x\n5\n'), ("3.csv", b"a,b\n6,x\n!7,x\n")]
    told = listed(engine, tmp_path, *files)
    assert places(told) == [(1, 2, "fine"), (2, 4, "fine"), (2, 5, UNSPLIT), (3, 3, "fine")]


def test_packed_text_is_told_by_the_lines_within(engine: DuckDB, tmp_path: Path) -> None:
    assert places(listed(engine, tmp_path, ("x.csv.gz", gzip.compress(TEXTS[2][0])))) == [
        (1, 4, "fine"), (1, 7, "fine"),
    ]  # fmt: skip


def test_a_sheet_is_told_by_its_own_rows(engine: DuckDB, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [
        ["A title"],
        [],
        ["a", "b"],
        ["1", "x\ny"],
        ["!2", "x"],
        [],
        ["3", "x"],
        ["4", "x", "more"],
        ["!5", "x"],
    ]:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    told = listed(engine, tmp_path, ("x.xlsx", out.getvalue()), layout=Layout(Format.EXCEL))
    assert places(told) == [(1, 5, "fine"), (1, 8, UNSPLIT), (1, 9, "fine")]


def test_other_formats_are_told_by_line_or_record(engine: DuckDB, tmp_path: Path) -> None:
    json = b'{"a":"1","b":"x"}\n\n{"a":"!2","b":"x"}\n[broken\n'
    told = listed(engine, tmp_path / "json", ("x.jsonl", json), layout=Layout(Format.JSONL, header=False))
    assert places(told) == [(1, 3, "fine"), (1, 4, "the line holds a value")]
    fixed = b"a   b\n1   x\n\n!2  x\n     \n!3  x\n"
    told = listed(engine, tmp_path / "fixed", ("x.txt", fixed), layout=Layout(Format.FIXED, widths=(4, 1)))
    assert places(told) == [(1, 4, "fine"), (1, 6, "fine")]
    held = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": ["1", "!2"], "b": ["x", "x"]}), held)
    table = ("x.parquet", held.getvalue().to_pybytes())
    told = listed(engine, tmp_path / "parquet", table, layout=Layout(Format.PARQUET, header=False))
    assert places(told) == [(1, 2, "fine")]


def test_one_column_counts_its_blank_lines_as_rows(engine: DuckDB, tmp_path: Path) -> None:
    contract = contract_of(Column("a", "a", required=True), rules=RULES)
    told = saved(engine, tmp_path, contract, ("x.csv", b'a\n"1\n"\n\n!2\n'))
    assert places(told) == [(1, 4, "a is there"), (1, 5, "fine")]


def test_where_the_reader_and_the_pass_do_not_agree_no_line_is_told(engine: DuckDB, tmp_path: Path) -> None:
    """The reader makes a row of the end of a line that it rejects, and a blank line makes up for the count."""
    told = listed(engine, tmp_path, ("x.csv", MESS), sure=False)
    assert [r["line"] for r in told] == [None] * 4


# How a value may stand in a text, and records with too few and too many of them.
VALUE = st.sampled_from(["x", "", '"q"', '"a\nb"', '"a""b"', '"a,b"', 'a"b', ' "s"', '"s" ', '"m\n\nn"', '""', "é"])
RECORD = st.tuples(st.booleans(), st.lists(VALUE, min_size=1, max_size=2), st.integers(0, 2), st.booleans())


@settings(max_examples=40, deadline=None)
@given(records=st.lists(RECORD, min_size=1, max_size=12), end=st.sampled_from(["\n", "\r\n", "\r"]), chunk=st.data())
def test_every_record_is_found_where_it_was_written(
    records: list[tuple[bool, list[str], int, bool]], end: str, chunk: st.DataObject
) -> None:
    """The law: what is written on a line is told to stand there, however values are quoted and the bytes come."""
    written, at, rows, broken, mark = ["a,b"], 2, list[int](), list[int](), 1
    lines_of: list[tuple[int, int]] = []
    for _, values, blanks, bare in records:
        value = values[0].replace("\n", end)
        record = "T" if bare else ",".join(["T", value] if len(values) == 1 else ["T", value, "y"])
        mark += 1
        if bare or len(values) > 1:
            broken.append(mark)
            lines_of.append((at, record.count(end) + 1))
        else:
            rows.append(at)
        written += [record, *[""] * blanks]
        at += record.count(end) + 1 + blanks
        mark += blanks
    data = (end.join(written) + end).encode()
    many = chunk.draw(st.sampled_from([1, 2, 5, lines.CHUNK]))
    told = lines.Written(b",", b'"', header=True, blanks=lines.BLANK[Format.CSV])
    found = lines.places(
        lines.runs_of(io.BytesIO(data), told, chunk=many), header=True,
        wanted=np.arange(len(rows), dtype=np.int64), rejected=np.array(broken, np.int64),
    )  # fmt: skip
    assert found.count == len(rows)
    assert found.rows[0].tolist() == rows
    assert list(zip(found.rejected[0].tolist(), found.rejected[2].tolist(), strict=True)) == lines_of


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDB, Path]]:
    folder = tmp_path_factory.mktemp("mess")
    made = identified_engine(folder)
    yield made, folder
    made.close()


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.sampled_from(['"', '""', ",", "\n", "\n\n", " ", "x", '"x"', '"p" "q\n"']), max_size=30))
def test_a_line_that_is_told_is_never_wrong(lasting: tuple[DuckDB, Path], pieces: list[str]) -> None:
    """Any mess of quotation marks: a row that still has its own number stands on its line, or nothing is told."""
    engine, folder = lasting
    texts = ["a,b", *(f"{n},{text}" for n, text in enumerate("".join(pieces).split("\n"), start=2))]
    (folder / "x.csv").write_text("\n".join(texts))
    listing = ", ".join(f"'{c}': 'VARCHAR'" for c in "ab")
    engine.drop("mess", "mess_scans")
    read = (
        f"SELECT a FROM read_csv('{folder / 'x.csv'}', auto_detect = false, strict_mode = true, null_padding = false, "
        f"delim = ',', quote = '\"', escape = '\"', header = true, columns = {{{listing}}}, store_rejects = true, "
        "rejects_table = 'mess', rejects_scan = 'mess_scans', rejects_limit = 0)"
    )
    rows = engine.rows(read)["a"].to_pylist()
    marks = engine.rows("SELECT DISTINCT line FROM mess ORDER BY 1")["line"].to_numpy().astype(np.int64)
    told = lines.Written(b",", b'"', header=True, blanks=lines.BLANK[Format.CSV])
    with (folder / "x.csv").open("rb") as file:
        wanted = np.arange(len(rows), dtype=np.int64)
        found = lines.places(lines.runs_of(file, told), header=True, wanted=wanted, rejected=marks)
    if found.count == len(rows) and len(found.rejected[0]) == len(marks):
        assert [n for n, line in zip(rows, found.rows[0], strict=True) if (n or "").isdigit() and n != str(line)] == []
