"""The same table in every format, read back by readers that are not ours: what was released, nothing else."""

import csv
import io
import itertools
import zipfile
from xml.etree import ElementTree

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from integrated_data.model.output import Cell, OutputColumn, ReleaseLimits, Role
from integrated_data.output import table as tabular
from integrated_data.output.formats import ods, page, sdmx, writing, xlsx
from integrated_data.output.formats.publication import Grid, Publication, Sheet, sheet
from integrated_data.output.table import Row, Table

LIMITS = ReleaseLimits(rounding=5)

COLUMNS = (
    OutputColumn("region", Role.KEY, key=0),
    OutputColumn("year", Role.KEY, key=1),
    OutputColumn("people", Role.FIGURE, measures=(0,), plain=0, count=True),
    OutputColumn("mean_pay", Role.FIGURE, measures=(1,)),
)


def cell(region: str | None, year: int | None, *, total: tuple[bool, bool] = (False, False)) -> Cell:
    return Cell(total, (region, None if year is None else str(year)))


#: A zero, a count that rounds to zero, one that is withheld, one that is missing, text that looks like a formula.
ROWS = (
    Row(cell("North", 2024), ("North", 2024, 1203, 18.52)),
    Row(cell("South", 2024), ("South", 2024, 0, None)),
    Row(cell("East", 2024), ("East", 2024, 2, 0)),
    Row(cell("=HYPERLINK(1)", 2024), ("=HYPERLINK(1)", 2024, 40, -3.5)),
    Row(cell("West  & <b>", 2024), ("West  & <b>", 2024, 17, 12.0)),
    Row(cell(None, 2024), (None, 2024, 9, 12.25)),
    Row(cell(None, None, total=(True, True)), (None, None, 1271, 18.1234567)),
)
HIDDEN = frozenset({ROWS[4].cell})

#: What `table.csv` says, row by row, with the types that a spreadsheet has.
RELEASED = [
    ["Region", "Year", "People", "Pay, £"],
    ["North", 2024, 1205, 18.52],
    ["South", 2024, 0, "[x]"],
    ["East", 2024, "[low]", 0],
    ["=HYPERLINK(1)", 2024, 40, -3.5],
    ["West  & <b>", 2024, "[c]", "[c]"],
    ["Not recorded", 2024, 10, 12.25],
    ["All", "All", 1270, 18.1235],
]


def drawn(rows: tuple[Row, ...] = ROWS, columns: tuple[OutputColumn, ...] = COLUMNS) -> Sheet:
    return sheet(
        Table(columns, rows), withheld=HIDDEN, limits=LIMITS, title="People and pay", headings={"mean_pay": "Pay, £"}
    )


def published(*sheets: Sheet) -> Publication:
    return Publication(
        "people-and-pay", "People and pay <by> region", "How many people, and what they earn.",
        (("Output", "O-1"), ("Edition", "2")), sheets or (drawn(),), ("Weekly pay.", "=cmd|'/c calc'!A1"),
        Grid("Quality of the links", ("Dataset", "Linked"), (("pay", "97.1%"),)),
        Grid("Figures that differ from edition 1", ("Table", "Earlier", "Now"), ((1, "[c]", 17), (1, 5, 10))),
    )  # fmt: skip


def rows_of(content: bytes, name: str) -> list[list[object]]:
    """A worksheet as Calamine reads it: an independent reader of both formats."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return [list(row) for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)]


@pytest.mark.parametrize("write", [xlsx.write, ods.write], ids=["xlsx", "ods"])
def test_a_spreadsheet_holds_the_released_table(write) -> None:  # type: ignore[no-untyped-def]
    content = write(published())
    assert CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names == [
        "Cover", "Contents", "Notes", "Shorthand", "Quality", "Table_1", "Revisions",
    ]  # fmt: skip
    rows = rows_of(content, "Table_1")
    assert rows[0][0] == "Table 1: People and pay"
    assert rows[-8:] == RELEASED
    assert rows_of(content, "Shorthand")[2:] == [
        ["Shorthand", "Meaning"],
        ["[c]", "Confidential: withheld so that nothing is told of a person or a business"],
        ["[low]", "Low: it rounds to 0 and is not 0"],
        ["[x]", "Not available"],
    ]
    assert rows_of(content, "Notes")[-1] == ["note 2", "=cmd|'/c calc'!A1"]
    assert write(published()) == content


@pytest.mark.parametrize("write", [xlsx.write, ods.write], ids=["xlsx", "ods"])
def test_no_cell_of_a_table_is_blank(write) -> None:  # type: ignore[no-untyped-def]
    label = (OutputColumn("level", Role.LABEL), *COLUMNS[2:])
    rows = (Row(Cell((), ("1",)), (None, 40, 1.5)), Row(Cell((), ("2",)), ("", 41, 2.5)))
    content = write(published(drawn(rows, label)))
    assert [row[0] for row in rows_of(content, "Table_1")[-2:]] == ["[z]", "(empty text)"]


def test_the_workbook_is_one_that_a_screen_reader_can_follow() -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx.write(published()))) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    sheets = [text for name, text in parts.items() if name.startswith("xl/worksheets/sheet")]
    tables = [text for name, text in parts.items() if name.startswith("xl/tables/")]
    assert len(sheets) == 7
    assert len(tables) == 6
    for text in sheets:
        assert "<f>" not in text
        assert not any(odd in text for odd in ("mergeCell", 'hidden="1"', "<pane"))
    assert all('headerRowCount="1"' in t or "headerRowCount" not in t for t in tables)
    assert not any("autoFilter" in t for t in tables)
    assert "<dc:language>en-GB</dc:language>" in parts["docProps/core.xml"]
    assert "People and pay &lt;by&gt; region" in parts["docProps/core.xml"]
    assert 'state="hidden"' not in parts["xl/workbook.xml"]


def test_the_opendocument_spreadsheet_names_its_tables_and_language() -> None:
    content = ods.write(published())
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        first = book.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        for name in ("content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"):
            ElementTree.fromstring(book.read(name))  # well-formed
        inside, styles = book.read("content.xml").decode(), book.read("styles.xml").decode()
    assert 'table:name="table_1" table:target-range-address="Table_1.A5:Table_1.D12"' in inside
    assert "table:formula" not in inside
    assert 'fo:language="en" fo:country="GB"' in styles


def test_sdmx_csv_tells_zero_suppressed_and_missing_apart() -> None:
    rows = list(csv.reader(io.StringIO(sdmx.write(published(), drawn(), number=1).decode(), newline="")))
    assert rows[0] == [
        "STRUCTURE", "STRUCTURE_ID", "ACTION", "REGION", "YEAR", "INDICATOR", "OBS_VALUE", "OBS_STATUS", "CONF_STATUS",
    ]  # fmt: skip
    assert {tuple(row[:3]) for row in rows[1:]} == {("dataflow", "IDS:PEOPLE_AND_PAY_1(1.0.0)", "I")}
    told = {(row[3], row[5]): row[6:] for row in rows[1:]}
    assert told["South", "PEOPLE"] == ["0", "A", "F"]
    assert told["South", "MEAN_PAY"] == ["", "O", "F"]
    assert told["East", "PEOPLE"] == ["0", "N", "F"]
    assert told["West  & <b>", "PEOPLE"] == told["West  & <b>", "MEAN_PAY"] == ["", "Q", "C"]
    assert told["'=HYPERLINK(1)", "MEAN_PAY"] == ["-3.5", "A", "F"]
    assert told["_U", "PEOPLE"] == ["10", "A", "F"]
    assert told["_T", "MEAN_PAY"] == ["18.1235", "A", "F"]


def test_the_only_dimension_that_is_a_time_is_the_period() -> None:
    rows = sdmx.write(published(), drawn(ROWS[:2]), number=1).decode().splitlines()
    assert rows[0].split(",")[3:5] == ["REGION", "TIME_PERIOD"]


def test_the_page_is_sound_html_with_heads_captions_and_no_script() -> None:
    shown = page.write(
        published(drawn().__class__(**{**vars(drawn()), "svg": b"<svg/>", "told": 'Bars; "North" is highest'})),
        files=["table.csv", "tables.xlsx"],
    )
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(shown.decode())
    assert tree.get("lang") == "en-GB"
    assert tree.findtext("head/title") == tree.findtext(".//h1") == "People and pay <by> region"
    assert not list(tree.iter("script"))
    assert not [e for e in tree.iter() if any(str(v).startswith(("http", "//")) for v in e.attrib.values())]
    assert all(e.get("alt") for e in tree.iter("img"))
    headings = [int(e.tag[1]) for e in tree.iter() if isinstance(e.tag, str) and e.tag in ("h1", "h2", "h3")]
    assert headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    for found in tree.iter("table"):
        assert found.findtext("caption")
        assert all(h.get("scope") in ("col", "row") for h in found.iter("th"))
    first = next(tree.iter("table"))
    assert ["".join(c.itertext()) for c in first.findall("tbody/tr")[3]] == ["'=HYPERLINK(1)", "2024", "40", "-3.5"]
    assert ["".join(c.itertext()) for c in first.findall("tbody/tr")[4]][2:] == ["[c]", "[c]"]
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))


def contrast(one: str, other: str) -> float:
    """Relative luminance and contrast as WCAG 2.2 defines them."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_colours_of_the_page_stand_out() -> None:
    text = page.write(published(), files=[]).decode()
    assert all(colour in text for colour in ("#0b0c0c", "#1a3e70", "#ffffff"))
    assert min(contrast(colour, "#ffffff") for colour in ("#0b0c0c", "#1a3e70")) >= 7


def test_a_table_whose_shape_is_not_proven_has_no_sdmx() -> None:
    columns = (OutputColumn("a", Role.FIGURE), OutputColumn("A", Role.FIGURE))
    rows = (Row(Cell((), ("0",)), ("text", 1)),)
    files = writing.write(published(drawn(rows, columns)), beside=("table.csv",))
    assert sorted(files) == ["index.html", "revisions.csv", "tables.ods", "tables.xlsx"]
    assert rows_of(files["tables.xlsx"], "Table_1")[-2:] == [["A", "A (2)"], ["text", 1]]


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXT, st.integers(0, 10**9), st.floats(-1e9, 1e9)), min_size=1, max_size=6))
def test_every_format_says_what_the_csv_says(drawn_rows: list[tuple[str, int, float]]) -> None:
    columns = (COLUMNS[0], *COLUMNS[2:])
    rows = tuple(Row(Cell((False,), (str(t),)), (t, n, f)) for t, n, f in drawn_rows)
    made = Table(columns, rows)
    told = list(csv.reader(io.StringIO(tabular.to_csv(made, limits=LIMITS).decode(), newline="")))[1:]
    shown = published(sheet(made, withheld=frozenset(), limits=LIMITS, title="T", headings={}))
    for content in (xlsx.write(shown), ods.write(shown)):
        read = rows_of(content, "Table_1")[-len(rows) :]
        for row, was in zip(read, told, strict=True):
            assert [_plain(v) for v in row[1:]] == [_plain(v) for v in was[1:]]
        assert not any(str(row[0]).startswith("'=") for row in read) or any(
            t.startswith("'=") for t, _, _ in drawn_rows
        )
    observed = csv.reader(io.StringIO(sdmx.write(shown, shown.sheets[0], number=1).decode(), newline=""))
    values = [row[-3] for row in list(observed)[1:] if row[-2] == "A"]
    assert values == [v for row in told for v in row[1:] if v != "[low]"]


def _plain(value: object) -> object:
    try:
        return float(str(value))
    except ValueError:
        return value
