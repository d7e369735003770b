"""Workbooks (ECMA-376, Office Open XML): nothing may be in one that its reader does not see at once.

What may be there is listed, part by part and element by element; all else is refused by its name. So
macros, hidden sheets, rows and columns, names, links, formulas, pivot caches, charts, pictures and comments
stay in, and with them the rows that they carry.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrated_data.model.output import Finding
from integrated_data.output.brought import styles
from integrated_data.output.brought.markup import Part, Unreadable, every, name_of, parsed
from integrated_data.output.brought.text import MOST_CELLS, look_at_rows, refused
from integrated_data.output.brought.zipped import Hidden, parts

_ALLOWED = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core)\.xml|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
    r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/theme/theme\d+\.xml|xl/worksheets/sheet\d+\.xml"
)

#: What a part that may not be there is, by its name.
_UNWANTED: tuple[tuple[str, str, str], ...] = (
    ("vbaproject|macrosheet|vbadata|activex|ctrlprop", "macros", "It holds macros or controls"),
    ("pivot", "embedded rows", "It holds a pivot table with the rows that it was made from"),
    ("externallink", "external links", "It holds links to another workbook with a copy of its cells"),
    ("embedding|oleobject|package", "embedded files", "It holds another file"),
    ("chart", "embedded rows", "It holds a chart with a copy of its rows: bring the chart as .png or .svg"),
    ("drawing|media|diagram", "embedded files", "It holds pictures or drawings: bring them by themselves"),
    ("comment|person", "hidden text", "It holds comments"),
    ("connection|querytable|model|mashup", "external links", "It holds connections to data"),
    ("custom", "embedded data", "It holds data of another program"),
    ("worksheets/_rels|slicer|timeline|/tables/", "embedded data", "A sheet carries a part of its own"),
)

#: Elements of the workbook and of a sheet that may be there; the others are named when they are refused.
_OF_WORKBOOK = frozenset(
    {"fileVersion", "workbookPr", "workbookProtection", "bookViews", "sheets", "calcPr", "definedNames"}
)
_OF_SHEET = frozenset({
    "sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "mergeCells", "pageMargins",
    "printOptions", "pageSetup", "phoneticPr", "ignoredErrors", "sheetProtection",
})  # fmt: skip
_OF_CELL = frozenset({"v", "is"})

#: Facts about a workbook that may be in it: who made it, and when.
_ABOUT = frozenset({"creator", "lastModifiedBy", "created", "modified", "lastPrinted", "revision"})


@dataclass
class _Read:
    """What has been read: texts of cells by sheet, shared texts that a cell shows, what was found."""

    shared: list[str]
    styles: styles.Styles
    findings: list[Finding] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    cells: int = 0

    def refuse(self, rule: str, reason: str) -> None:
        """Note what holds the file back, once."""
        found = refused(rule, reason)
        if found not in self.findings:
            self.findings.append(found)


def look_at_workbook(content: bytes) -> list[Finding]:
    """What is said of a workbook."""
    try:
        held = parts(content)
    except Hidden as hidden:
        return [refused("not what it says", f"{hidden}, so it is not a plain workbook")]
    unwanted = list(dict.fromkeys(_unwanted(name) for name in held if not _ALLOWED.fullmatch(name)))
    if unwanted:
        return unwanted
    try:
        trees = {name: parsed(part) for name, part in held.items()}
    except Unreadable as unreadable:
        return [refused("hidden text", str(unreadable))]
    if "xl/workbook.xml" not in trees or b"macroEnabled" in held.get("[Content_Types].xml", b""):
        return [refused("macros", "It says of itself that it runs macros, or that it is no workbook")]
    return _look(trees)


def _look(trees: Mapping[str, Part]) -> list[Finding]:
    read = _Read(_shared(trees), styles.read(trees.get("xl/styles.xml")))
    if any(list(every(item, "rPh")) for item in trees.get("xl/sharedStrings.xml", Part("none"))):
        read.refuse("hidden text", "A text carries another one that is not shown")
    _look_at_facts(trees, read)
    _look_at_links(trees, read)
    _look_at_book(trees["xl/workbook.xml"], read)
    sheets = {name: tree for name, tree in trees.items() if name.startswith("xl/worksheets/")}
    listed = list(every(trees["xl/workbook.xml"], "sheet"))
    if len(listed) != len(sheets):
        read.refuse("hidden sheets", "It holds a sheet that the workbook does not list")
    rows = [_look_at_sheet(tree, read) for tree in sheets.values()]
    if set(range(len(read.shared))) - read.shown:
        read.refuse("embedded rows", "It holds texts that no cell shows")
    if read.cells > MOST_CELLS:
        reason = f"It has more than {MOST_CELLS:,} cells: an output is a table that people can read"
        return [*read.findings, refused("size", reason, cells=read.cells)]
    words = [f for sheet in rows for f in look_at_rows(sheet) if f.rule != "not what it says"]
    return [*read.findings, *dict.fromkeys(words)]


def _look_at_book(book: Part, read: _Read) -> None:
    for element in book:
        if name_of(element) not in _OF_WORKBOOK:
            read.refuse("embedded data", f"The workbook holds {name_of(element)}")
    if list(every(book, "definedName")):
        read.refuse("defined names", "It defines names, which can refer to cells or values that no sheet shows")
    for sheet in every(book, "sheet"):
        if sheet.get("state", "visible") != "visible":
            read.refuse("hidden sheets", "It has a sheet that is hidden")


def _look_at_facts(trees: Mapping[str, Part], read: _Read) -> None:
    core = trees.get("docProps/core.xml", Part("none"))
    if any(name_of(fact) not in _ABOUT and (fact.text or "").strip() for fact in core):
        read.refuse("hidden text", "Its properties hold text: only who made it and when may be there")


def _look_at_links(trees: Mapping[str, Part], read: _Read) -> None:
    links = [link for name, tree in trees.items() if name.endswith(".rels") for link in tree]
    if any(link.get("TargetMode") == "External" for link in links):
        read.refuse("external links", "It refers to something outside it")


def _look_at_sheet(sheet: Part, read: _Read) -> list[list[str]]:
    """The texts of a sheet, row by row, as wide as its widest row."""
    if name_of(sheet) != "worksheet":
        read.refuse("macros", "A sheet of it is not a plain worksheet")
        return []
    for element in sheet:
        if name_of(element) not in _OF_SHEET:
            read.refuse("embedded data", f"A sheet holds {name_of(element)}")
    _look_at_sizes(sheet, read)
    merged = [_span(m.get("ref", "")) for m in every(sheet, "mergeCell")]
    rows: list[dict[int, str]] = []
    for row in every(sheet, "row"):
        texts: dict[int, str] = {}
        for cell in every(row, "c"):
            at = _place(cell.get("r", ""))
            text = _look_at_cell(cell, read)
            if text is None:
                continue
            read.cells += 1
            texts[at[1]] = text
            if any(top <= at[0] <= bottom and left <= at[1] <= right and at != (top, left)
                   for top, left, bottom, right in merged):  # fmt: skip
                read.refuse("hidden text", "A cell lies under one that it is merged with")
        if texts:
            rows.append(texts)
    width = max((max(r) for r in rows), default=0)
    return [[row.get(place, "") for place in range(1, width + 1)] for row in rows]


def _look_at_sizes(sheet: Part, read: _Read) -> None:
    hidden = any(e.get("hidden") in ("1", "true") for e in sheet.iter() if name_of(e) in ("row", "col"))
    thin = any(_small(r.get("ht"), 3) for r in every(sheet, "row"))
    narrow = any(_small(c.get("width"), 0.6) for c in every(sheet, "col"))
    usual = next(every(sheet, "sheetFormatPr"), Part("none"))
    none_by_default = usual.get("zeroHeight") in ("1", "true")
    by_default = (
        none_by_default or _small(usual.get("defaultRowHeight"), 3) or _small(usual.get("defaultColWidth"), 0.6)
    )
    if hidden or thin or narrow or by_default:
        read.refuse("hidden rows or columns", "A row or column of it is hidden, or too small to be seen")


def _look_at_cell(cell: Part, read: _Read) -> str | None:
    """What a cell shows; None for an empty one."""
    for element in cell:
        if name_of(element) == "f":
            read.refuse("formula", "A cell is computed: write its value")
        elif name_of(element) not in _OF_CELL:
            read.refuse("embedded data", f"A cell holds {name_of(element)}")
    value = next((e for e in cell if name_of(e) == "v"), None)
    text = "".join(t.text or "" for t in every(cell, "t"))
    if value is not None:
        text = value.text or ""
        if cell.get("t") == "s":
            place = int(text) if text.isdecimal() else -1
            read.shown.add(place)
            text = read.shared[place] if 0 <= place < len(read.shared) else ""
    if not text:
        return None
    if read.styles.hides(cell.get("s", "0")):
        read.refuse("hidden text", "A cell is formatted so that nobody sees what it holds")
    return text


def _shared(trees: Mapping[str, Part]) -> list[str]:
    table = trees.get("xl/sharedStrings.xml")
    return [] if table is None else ["".join(t.text or "" for t in every(item, "t")) for item in table]


def _unwanted(name: str) -> Finding:
    found = next((f for f in _UNWANTED if re.search(f[0], name.lower())), None)
    return refused(*found[1:]) if found else refused("embedded data", "It holds a part that a plain workbook does not")


def _place(reference: str) -> tuple[int, int]:
    """Row and column of a cell, from 1; 0 where it does not say."""
    found = re.fullmatch(r"\$?([A-Z]{1,3})\$?(\d{1,7})", reference)
    if found is None:
        return 0, 0
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column


def _span(reference: str) -> tuple[int, int, int, int]:
    first, _, last = reference.partition(":")
    return (*_place(first), *_place(last or first))


def _small(size: str | None, least: float) -> bool:
    try:
        return size is not None and float(size) < least
    except ValueError:
        return True
