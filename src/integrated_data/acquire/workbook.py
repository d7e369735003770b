"""Excel workbooks (.xlsx, .xlsm): one sheet as CSV bytes, cell by cell, in little memory.

A date cell becomes an ISO date and not a serial number, which is why the workbook is read by
openpyxl and not by the engine; a formula gives the value that was stored with it. A sheet with formulas that
have none, as programs write them, is refused: their cells would come empty.
"""

import io
import re
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from integrated_data.acquire.around import LOOKED_AT as OPENING
from integrated_data.acquire.around import Around, filled, notes, titles
from integrated_data.acquire.cells import cell_text, csv_lines
from integrated_data.acquire.unpack import refused
from integrated_data.engine import Sealer
from integrated_data.model.errors import DeliveryRefusal

BATCH = 2_000
#: Rows of two cells or more, the header among them, from which a sheet holds a table and not notes.
FEWEST = 3

#: A cell with a formula and no value, in the bytes of a sheet; its attributes are the first group. What was calculated
#: to an empty text says so (t="str"). A formula has at most 8,192 characters.
_UNCALCULATED = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_FORMULA = re.compile(rb"[<:]f[\s/>]")
_LOOKED_AT, _OVERLAP = 1 << 20, 1 << 15

Row = tuple[Any, ...]


def sheet_lines(
    sealer: Sealer, place: Path, *, sheet: str | None, numbered: list[tuple[int, int]], told: list[str]
) -> Iterator[bytes]:
    """One sheet as UTF-8 CSV with LF line ends; titles above the table and notes below it are left out.

    Without `sheet`, exactly one visible sheet must hold a table. `numbered` is filled with pairs of a record's number,
    from 1, and its row of the sheet, wherever rows were left out before it; `told` with what is told of the sheet.
    """
    with sealer.read(place) as source:
        try:
            book = openpyxl.load_workbook(io.BufferedReader(source), read_only=True, data_only=True)  # type: ignore[type-var]
            chosen = _sheet(book, sheet, told=told)
            _check_calculated(chosen)
            table = _table(chosen.iter_rows(values_only=True), told)
            rows = _noting(table, numbered)
            for batch in iter(lambda: list(islice(rows, BATCH)), []):
                yield csv_lines(batch)
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, SyntaxError, EOFError):
            raise refused("is a damaged Excel workbook", "Open it, save it again and deliver it") from None


def _sheet(book: Any, name: str | None, *, told: list[str]) -> Any:
    """The sheet of that name, or the only visible one with a table; of several with rows, notes are passed over."""
    if name is not None:
        if name not in book.sheetnames:
            raise DeliveryRefusal(
                f"The workbook has no sheet {name}",
                why="The contract names it",
                next_step="Name the sheet so, or correct layout.sheet in the contract",
            )
        sheets = [book[name]]
    else:
        visible = [s for s in book.worksheets if s.sheet_state == "visible"]
        openings = {s.title: list(s.iter_rows(max_row=OPENING, values_only=True)) for s in visible}
        sheets = [s for s in visible if any(map(filled, openings[s.title]))]
        tables = [s for s in sheets if sum(filled(row) > 1 for row in openings[s.title]) >= FEWEST]
        if len(sheets) > 1 and len(tables) == 1:
            told.append(
                f"Of {len(sheets)} sheets with rows one holds a table, the others notes: it is the one that is read"
            )
            sheets = tables
    if len(sheets) != 1:
        raise DeliveryRefusal(
            f"The workbook has {len(sheets)} sheets with rows",
            why="It is not clear which one holds the table",
            next_step="Name one: ids contract infer FILE --sheet NAME, or layout.sheet in the contract",
        )
    sheets[0].reset_dimensions()
    return sheets[0]


def _check_calculated(sheet: Any) -> None:
    """Refuse a sheet that holds formulas without their values."""
    with sheet._get_source() as source:
        held = b""
        for chunk in iter(lambda: source.read(_LOOKED_AT), b""):
            held = held[-_OVERLAP:] + chunk
            found = _UNCALCULATED.finditer(held) if _FORMULA.search(held) else ()
            if any(b't="str"' not in cell[1] for cell in found):
                raise refused(
                    "holds formulas that were never calculated",
                    "Open it in a spreadsheet program, save it and deliver it again, or deliver the values",
                )


def _noting(rows: Iterable[tuple[int, list[str]]], numbered: list[tuple[int, int]]) -> Iterator[list[str]]:
    for record, (row, cells) in enumerate(rows, start=1):
        if not numbered or row - record != numbered[-1][1] - numbered[-1][0]:
            numbered.append((record, row))
        yield cells


def _table(rows: Iterable[Row], found: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Rows from the header to the last with their number, all as wide as the header unless a cell beyond it is filled.

    `found` is filled with what is told of titles and notes around them.
    """
    source = iter(rows)
    opening = list(islice(source, OPENING))
    above, width, number = titles(opening), 0, 0
    last: deque[tuple[int, list[str]]] = deque()
    for number, row in enumerate(chain(opening[above:], source), start=above + 1):
        cells = [cell_text(cell) for cell in row]
        while len(cells) > width and not cells[-1]:
            cells.pop()
        width = width or len(cells)
        last.append((number, cells + [""] * (width - len(cells))))
        if len(last) > OPENING:
            yield from _filled_rows([last.popleft()])
    table = [[cell_text(cell) for cell in row] for row in opening[above + 1 :]]
    while table and filled(table[-1]) < 2:
        table.pop()
    below = notes([cells for _, cells in last], table=table)
    yield from _filled_rows(list(last)[: len(last) - below])
    blank = all(not filled(row) for row in opening[:above]) and all(not filled(c) for _, c in list(last)[-below:])
    if (above or below) and not blank:
        found.append(Around(above, below).told(last=number, rows="rows"))


def _filled_rows(rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    return ((number, cells) for number, cells in rows if any(cells))
