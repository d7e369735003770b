"""An accessible Excel workbook (Office Open XML) of a publication."""

import io
import re

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from integrated_data.output.formats.archive import legible, pack, unpack
from integrated_data.output.formats.pages import Page, pages
from integrated_data.output.formats.publication import Publication

#: Characters that one cell of Excel holds at most.
LONGEST = 32_767

#: Widths of columns in characters: one that holds text lines, the least and the most of a table's.
WIDE, LEAST, MOST = 80, 12, 40

_MODIFIED = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def write(publication: Publication) -> bytes:
    """The workbook; the same publication gives the same bytes."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for page in pages(publication):
        _sheet(book.create_sheet(page.name), page)
    book.active = 0
    about = book.properties
    about.title, about.language = legible(publication.title), "en-GB"
    about.creator = "Integrated Data Service"
    buffer = io.BytesIO()
    book.save(buffer)
    return pack([(name, _undated(name, content)) for name, content in unpack(buffer.getvalue())])


def _undated(name: str, content: bytes) -> bytes:
    return _MODIFIED.sub(rb"\g<1>1980-01-01T00:00:00Z", content) if name == "docProps/core.xml" else content


def _sheet(sheet: Worksheet, page: Page) -> None:
    for number, line in enumerate(page.lines, start=1):
        _put(sheet.cell(number, 1), line, bold=number == 1, wrapped=page.grid is None)
    if page.grid is None:
        sheet.column_dimensions["A"].width = WIDE
        return
    rows = (page.grid.headings, *page.grid.rows)
    for number, row in enumerate(rows, start=page.heading_row):
        for place, value in enumerate(row, start=1):
            _put(sheet.cell(number, place), value, bold=number == page.heading_row, wrapped=True)
            if page.links and place == 1 and number > page.heading_row:
                sheet.cell(number, place).hyperlink = f"#{value}!A1"
    for place in range(1, len(page.grid.headings) + 1):
        longest = max(len(str(row[place - 1])) for row in rows)
        sheet.column_dimensions[get_column_letter(place)].width = min(max(longest + 2, LEAST), MOST)
    sheet.add_table(_marked(page))


def _marked(page: Page) -> Table:
    """The table as one that software can find and read out, without buttons that hide rows."""
    assert page.grid is not None
    last = f"{get_column_letter(len(page.grid.headings))}{page.heading_row + len(page.grid.rows)}"
    columns = [TableColumn(id=n, name=legible(h)[:LONGEST]) for n, h in enumerate(page.grid.headings, start=1)]
    style = TableStyleInfo(name="TableStyleLight1", showRowStripes=False)
    return Table(displayName=page.table, ref=f"A{page.heading_row}:{last}", tableColumns=columns, tableStyleInfo=style)


def _put(cell: Cell, value: str | int | float, *, bold: bool, wrapped: bool) -> None:
    if isinstance(value, str):
        cell.value = legible(value)[:LONGEST]
        cell.data_type = "s"  # whatever it begins with, it is text and never a formula
        cell.quotePrefix = value[:1] in tuple("=+-@'")
    else:
        cell.value = value
    cell.font = Font(name="Arial", size=14 if bold and cell.row == 1 else 12, bold=bold)
    cell.alignment = Alignment(
        horizontal="left" if isinstance(value, str) else "right", vertical="top", wrap_text=wrapped
    )
