"""Files as people bring them, good and bad, made for real: workbooks by openpyxl, pictures and archives by the byte."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

CSV = b"region,people\nNorth,120\nSouth,\xe2\x80\x93\n"
ROWS = (("region", "people"), ("North", 120), ("South", 95))


def workbook(change: Callable[[Workbook, Worksheet], None] | None = None) -> bytes:
    """A small workbook, after a change to it and its first sheet."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in ROWS:
        sheet.append(row)
    if change is not None:
        change(book, sheet)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def repacked(content: bytes, parts: Mapping[str, bytes | Callable[[bytes], bytes]]) -> bytes:
    """A workbook with other parts, or parts changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = parts.get(name)
            held = old.read(name)
            new.writestr(name, change(held) if callable(change) else change if change is not None else held)
        for name, part in parts.items():
            if name not in old.namelist():
                assert isinstance(part, bytes)
                new.writestr(name, part)
    return written.getvalue()


def with_words(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """A change of a part: words replaced once."""

    def change(part: bytes) -> bytes:
        assert before in part, part[:300]
        return part.replace(before, after, 1)

    return change


def chunk(name: bytes, held: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))


def png(*more: tuple[bytes, bytes], width: int = 40, height: int = 30, pixels: bytes | None = None) -> bytes:
    """A grey picture, with chunks before its pixels."""
    raw = b"".join(b"\x00" + b"\xaa" * width for _ in range(height)) if pixels is None else pixels
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        *(chunk(*each) for each in more), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b""),
    ])  # fmt: skip


def svg(inside: str = "", *, outside: str = "") -> bytes:
    """A drawing of two bars and their labels."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{outside}<svg xmlns="http://www.w3.org/2000/svg" width="90">'
        f'<rect x="5" y="10" width="30" height="50"/><text x="5" y="9">North</text>'
        f'<rect x="45" y="25" width="30" height="35"/><text x="45" y="24">South</text>{inside}</svg>'
    ).encode()


def zipped(*files: tuple[str, bytes]) -> bytes:
    """A zip archive."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return written.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    """A tar archive."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        told = tarfile.TarInfo(name)
        told.size = len(content)
        archive.addfile(told, io.BytesIO(content))
    return written.getvalue()


def notebook() -> bytes:
    """A notebook with the rows that one of its cells printed."""
    printed = {"output_type": "stream", "name": "stdout", "text": ["0 4611686018427395823 1980\n"]}
    cell = {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": ["data.head()"], "outputs": [printed]}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()


def _hidden(book: Workbook, sheet: Worksheet, *, state: str) -> None:
    other = book.create_sheet("people")
    other.append(("key", 1))
    other.sheet_state = state


def _chart(_: Workbook, sheet: Worksheet) -> None:
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "E2")


def _validation(_: Workbook, sheet: Worksheet) -> None:
    listed = DataValidation(type="list", formula1='"Ada,Ben,Carl"')
    listed.add("A1")
    sheet.add_data_validation(listed)


def _set(place: str, value: object) -> Callable[[Workbook, Worksheet], None]:
    def change(_: Workbook, sheet: Worksheet) -> None:
        sheet[place] = value

    return change


def _named(book: Workbook, _: Worksheet) -> None:
    book.defined_names["people"] = DefinedName("people", attr_text='"Ada,Ben"')


def _white(_: Workbook, sheet: Worksheet) -> None:
    sheet["A9"], sheet["A9"].font = "Ada", Font(color="FFFFFFFF")


def _nothing(_: Workbook, sheet: Worksheet) -> None:
    sheet["A9"], sheet["A9"].number_format = 7, ";;;"


def _commented(_: Workbook, sheet: Worksheet) -> None:
    sheet["A1"].comment = Comment("Ada has 120", "Ada")


def _row(_: Workbook, sheet: Worksheet) -> None:
    sheet.row_dimensions[2].hidden = True


def _low(_: Workbook, sheet: Worksheet) -> None:
    sheet.row_dimensions[2].height = 0.5


def _column(_: Workbook, sheet: Worksheet) -> None:
    sheet.column_dimensions["B"].hidden = True


def _conditional(_: Workbook, sheet: Worksheet) -> None:
    rule = CellIsRule(operator="lessThan", formula=["10"], font=Font(color="FFFFFFFF"))
    sheet.conditional_formatting.add("B2:B3", rule)


def _titled(book: Workbook, _: Worksheet) -> None:
    book.properties.description = "Ada, Ben, Carl"


def _linked(_: Workbook, sheet: Worksheet) -> None:
    sheet["A1"].hyperlink = "https://example.org/?who=ada"


PLAIN = workbook()
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
SAFETENSORS = struct.pack("<Q", 2) + b"{}" + bytes(8)

MERGED = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:B3"/></mergeCells>'
X, D, SCRIPTS = "table.xlsx", "chart.svg", "scripts or embedded data"

#: What may go to reviewers.
GOOD: Mapping[str, tuple[str, bytes]] = {
    "a table": ("table.csv", CSV),
    "a table that begins like another kind": ("ids.csv", b"ORCIDs,people\nsome,12\n"),
    "a table of negative numbers": ("change.csv", b"region,change\nNorth,-1.5\nSouth,\xe2\x88\x922\n"),
    "a table with tabs": ("table.tsv", CSV.replace(b",", b"\t")),
    "a workbook": (X, PLAIN),
    "a workbook whose texts are shared": (X, b""),
    "a picture": ("chart.png", png((b"pHYs", struct.pack(">IIB", 2835, 2835, 1)))),
    "a drawing": (D, svg()),
    "a note": ("notes.txt", b"Counts of people in work, by region. Rounded to 5.\n"),
    "a script": ("model.R", b"fit <- glm(work ~ age, data = lfs, family = binomial)\nsummary(fit)\n"),
}

#: What may not, with the rule that says so.
BAD: Mapping[str, tuple[str, bytes, str]] = {
    # not what it says
    "a zip named csv": ("table.csv", zipped(("a.csv", CSV)), "not what it says"),
    "a picture named csv": ("table.csv", png(), "not what it says"),
    "a table named png": ("chart.png", CSV, "not what it says"),
    "an old workbook named xlsx": (X, OLE, "not what it says"),
    "a PDF named txt": ("notes.txt", PDF, "not what it says"),
    "a page named csv": ("table.csv", b"a,b\n<script>fetch('x')</script>,1\n", "not what it says"),
    "a table with a PDF in it": ("table.csv", b'a,b\n"' + PDF + b'",1\n', "not what it says"),
    "a picture with a zip after it": ("chart.png", png() + zipped(("a.csv", CSV)), "not what it says"),
    "a picture with a zip in it": ("chart.png", png(pixels=b"\x00" * 41 * 30 + b"PK"), "embedded data"),
    "a workbook after a picture": (X, png() + PLAIN, "not what it says"),
    "a workbook with bytes before its directory": (X, b"", "not what it says"),
    "a workbook with a zip comment": (X, b"", "not what it says"),
    "a workbook that unpacks to gigabytes": (X, b"", "not what it says"),
    "a table in UTF-16": ("table.csv", CSV.decode().encode("utf-16"), "not what it says"),
    "rows of different lengths": ("table.csv", CSV + b"1,2,3,4\n", "not what it says"),
    "nothing": ("table.csv", b"", "size"),
    "a name that tells": ("Ada Lovelace 1815-12-10.csv", CSV, "name"),
    "a name with two kinds": ("table.xlsm.csv", CSV, "name"),
    "a name that climbs": ("../table.csv", CSV, "name"),
    "invisible characters": ("notes.txt", "Fine\u200b\u202e".encode(), "hidden text"),
    "data in a code": ("notes.txt", b"See " + b"QUJD" * 80, "embedded data"),
    # macros
    "a workbook with macros": ("table.xlsm", PLAIN, "kind of file"),
    "macros in a plain workbook": (X, repacked(PLAIN, {"xl/vbaProject.bin": OLE}), "macros"),
    "a workbook that says it runs macros": (
        X,
        repacked(PLAIN, {"[Content_Types].xml": with_words(b"openxmlformats-officedocument.spreadsheetml.sheet.main",
                                                           b"ms-excel.sheet.macroEnabled.main")}),
        "macros",
    ),
    "a compound document": ("table.xls", OLE, "kind of file"),
    "a sheet of macros": (X, repacked(PLAIN, {"xl/macrosheets/sheet1.xml": b"<x/>"}), "macros"),
    # hidden
    "a hidden sheet": (X, workbook(lambda b, s: _hidden(b, s, state="hidden")), "hidden sheets"),
    "a very hidden sheet": (X, workbook(lambda b, s: _hidden(b, s, state="veryHidden")), "hidden sheets"),
    "a sheet that is not listed": (X, b"", "hidden sheets"),
    "a hidden row": (X, workbook(_row), "hidden rows or columns"),
    "a row as thin as a line": (X, workbook(_low), "hidden rows or columns"),
    "a hidden column": (X, workbook(_column), "hidden rows or columns"),
    "rows hidden by default": (
        X,
        repacked(PLAIN, {SHEET: with_words(b"<sheetFormatPr ", b'<sheetFormatPr zeroHeight="1" ')}),
        "hidden rows or columns",
    ),
    "white letters": (X, workbook(_white), "hidden text"),
    "a number written as nothing": (X, workbook(_nothing), "hidden text"),
    "cells under a merged one": (
        X,
        repacked(PLAIN, {SHEET: with_words(b"</sheetData>", MERGED)}),
        "hidden text",
    ),
    "comments on cells": (X, workbook(_commented), "hidden text"),
    "a comment in the markup": (
        X, repacked(PLAIN, {SHEET: with_words(b"<sheetData>", b"<!-- Ada --><sheetData>")}), "hidden text",
    ),
    "text in its properties": (X, workbook(_titled), "hidden text"),
    # names, links, formulas, embedded rows
    "a defined name": (X, workbook(_named), "defined names"),
    "a link outside": (X, workbook(_linked), "embedded data"),
    "a link to another workbook": (X, repacked(PLAIN, {"xl/externalLinks/link1.xml": b"<x/>"}), "external links"),
    "a connection to data": (X, repacked(PLAIN, {"xl/connections.xml": b"<x/>"}), "external links"),
    "a formula": (X, workbook(_set("C1", "=SUM(B2:B3)")), "formula"),
    "a pivot cache": (X, repacked(PLAIN, {"xl/pivotCache/pivotCacheRecords1.xml": b"<x/>"}), "embedded rows"),
    "a chart with its rows": (X, workbook(_chart), "embedded rows"),
    "texts that no cell shows": (X, b"", "embedded rows"),
    "a list of allowed values": (X, workbook(_validation), "embedded data"),
    "a format that depends on values": (X, workbook(_conditional), "embedded data"),
    "another file": (X, repacked(PLAIN, {"xl/embeddings/oleObject1.bin": OLE}), "embedded files"),
    "entities in the markup": (
        X,
        repacked(PLAIN, {SHEET: lambda part: b'<!DOCTYPE x [<!ENTITY a "aa">]>' + part}),
        "hidden text",
    ),
    "keys in a workbook": (X, workbook(_set("A2", 4_611_686_018_427_395_823)), "identifiers"),
    "keys in a table": ("table.csv", b"person,age\n4611686018427395823,40\n", "identifiers"),
    "keys in a note": ("notes.txt", b"Person 4611686018427395823 is odd.\n", "identifiers"),
    "rows in a note": ("notes.txt", b"".join(b"%d,40,F\n" % n for n in range(60)), "embedded rows"),
    "a formula in a table": ("table.csv", b"region,people\n=HYPERLINK(1),2\n", "formula"),
    "a command in a table": ("table.csv", b"region,people\n@SUM(1),2\n", "formula"),
    # notebooks, pages, data, models, archives, programs
    "a notebook with its outputs": ("work.ipynb", notebook(), "kind of file"),
    "a notebook named as a script": ("work.py", notebook().replace(b"0 46", b"1 46"), "identifiers"),
    "a page": ("work.html", b"<html></html>", "kind of file"),
    "a zip": ("tables.zip", zipped(("inner.zip", zipped(("a.csv", CSV)))), "kind of file"),
    "a tar": ("tables.tar", tarred("a.csv", CSV), "kind of file"),
    "a tar named txt": ("notes.txt", tarred("a.csv", CSV), "not what it says"),
    "a gzip": ("table.gz", gzip.compress(CSV), "kind of file"),
    "a gzip named csv": ("table.csv", gzip.compress(CSV), "not what it says"),
    "a 7z": ("tables.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), "kind of file"),
    "a pickle": ("model.pkl", pickle.dumps({"rows": [1, 2]}), "kind of file"),
    "a pickle named txt": ("notes.txt", pickle.dumps({"rows": [1, 2]}), "not what it says"),
    "a joblib": ("model.joblib", pickle.dumps([1]), "kind of file"),
    "an RDS": ("model.rds", b"X\n\x00\x00\x00\x03", "kind of file"),
    "an ONNX": ("model.onnx", b"\x08\x08\x12\x07pytorch", "kind of file"),
    "safetensors": ("model.safetensors", SAFETENSORS, "kind of file"),
    "safetensors named txt": ("notes.txt", SAFETENSORS, "not what it says"),
    "a parquet file": ("rows.parquet", b"PAR1" + bytes(20), "kind of file"),
    "a program named txt": ("notes.txt", b"MZ\x90\x00" + bytes(60), "not what it says"),
    "an unknown kind": ("table.xyz", CSV, "kind of file"),
    # pictures
    "a picture with text": ("chart.png", png((b"tEXt", b"Comment\x00Ada, 1815")), "metadata"),
    "a picture with packed text": ("chart.png", png((b"zTXt", b"Comment\x00\x00" + zlib.compress(b"Ada"))), "metadata"),
    "a picture with EXIF": ("chart.png", png((b"eXIf", b"II*\x00" + bytes(20))), "metadata"),
    "a picture with a profile": ("chart.png", png((b"iCCP", b"p\x00\x00" + zlib.compress(bytes(50)))), "metadata"),
    "a picture with a chunk of its own": ("chart.png", png((b"daTa", CSV)), "metadata"),
    "a photograph": ("photo.jpg", b"\xff\xd8\xff\xe1" + bytes(40), "kind of file"),
    "a PDF": ("report.pdf", PDF, "kind of file"),
    "a drawing with a script": (D, svg("<script>x()</script>"), SCRIPTS),
    "a drawing with a handler": (D, svg('<rect onclick="x()" width="1" height="1"/>'), SCRIPTS),
    "a drawing with a picture": (D, svg('<image href="data:image/png;base64,AAAA"/>'), SCRIPTS),
    "a drawing that fetches": (D, svg('<use href="https://example.org/a#b"/>'), SCRIPTS),
    "a drawing with foreign parts": (D, svg('<foreignObject><p xmlns="x">Ada</p></foreignObject>'), SCRIPTS),
    "a drawing with data": (D, svg('<g data-rows="1,2,3"/>'), SCRIPTS),
    "a drawing with descriptions of marks": (D, svg('<path aria-label="age: 40; pay: 512"/>'), SCRIPTS),
    "a drawing with a comment": (D, svg("<!-- Ada, 1815 -->"), "hidden text"),
    "a drawing with entities": (D, svg(outside='<!DOCTYPE svg [<!ENTITY a "aa">]>'), "hidden text"),
    "a drawing of a text": (D, svg("<text>" + "Ada, 1815, London; " * 120 + "</text>"), "picture with text"),
    "a drawing of every row": (D, svg('<circle cx="1" cy="2" r="1"/>' * 1_200), "embedded rows"),
    "a drawing with keys": (D, svg("<text>4611686018427395823</text>"), "identifiers"),
    # size
    "100,000 cells": ("table.csv", b"a,b\n" + b"1,2\n" * 50_000, "size"),
    "100,000 cells in a workbook": (X, b"", "size"),
}  # fmt: skip


def good(case: str) -> tuple[str, bytes]:
    """One of the good files."""
    name, content = GOOD[case]
    return name, content or _shared()


def made(case: str) -> tuple[str, bytes, str]:
    """One of the bad files; those that take longer to make are made when they are asked for."""
    name, content, rule = BAD[case]
    return name, content or _LATER.get(case, lambda: b"")(), rule


def _between() -> bytes:
    end = PLAIN.rindex(b"PK\x05\x06")
    start = int.from_bytes(PLAIN[end + 16 : end + 20], "little")
    moved = struct.pack("<I", start + len(CSV))
    return PLAIN[:start] + CSV + PLAIN[start : end + 16] + moved + PLAIN[end + 20 :]


def _commented_zip() -> bytes:
    return PLAIN[:-2] + struct.pack("<H", len(CSV)) + CSV


def _shared(*unseen: str) -> bytes:
    """The small workbook with its texts in a part of their own, as Excel writes them, and some that no cell shows."""
    texts = ("region", "people", "North", "South")

    def refer(part: bytes) -> bytes:
        for place, text in enumerate(texts):
            part = part.replace(
                b't="inlineStr"><is><t>' + text.encode() + b"</t></is></c>", b't="s"><v>%d</v></c>' % place
            )
        return part

    items = "".join(f"<si><t>{text}</t></si>" for text in (*texts, *unseen))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return repacked(PLAIN, {SHEET: refer, STRINGS: f'<sst xmlns="{space}">{items}</sst>'.encode()})


def _many() -> bytes:
    cells = "".join(
        f"<row r='{n}'>" + "".join(f"<c><v>{n * m * 7919}</v></c>" for m in range(500)) + "</row>"
        for n in range(1, 202)
    )
    start, end = b"<sheetData>", b"</sheetData>"
    return repacked(PLAIN, {SHEET: lambda p: p[: p.index(start)] + start + cells.encode() + p[p.index(end) :]})


def _unlisted() -> bytes:
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        return repacked(PLAIN, {"xl/worksheets/sheet2.xml": archive.read(SHEET)})


_LATER: Mapping[str, Callable[[], bytes]] = {
    "a sheet that is not listed": _unlisted,
    "a workbook with bytes before its directory": _between,
    "a workbook with a zip comment": _commented_zip,
    "a workbook that unpacks to gigabytes": lambda: repacked(
        PLAIN, {"xl/theme/theme1.xml": b"<a>" + b" " * 60_000_000 + b"</a>"}
    ),
    "texts that no cell shows": lambda: _shared("Ada, 1815"),
    "100,000 cells in a workbook": _many,
}
