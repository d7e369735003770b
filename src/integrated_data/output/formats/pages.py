"""The worksheets of a published spreadsheet, the same for Excel and ODS.

As "Releasing statistics in spreadsheets" (UK Government Analysis Function) asks: a cover, a table of
contents, notes and shorthand before the tables; one table to a worksheet, with its title in A1, marked as a
table, with one row of headings and no cell merged or blank; nothing hidden; numbers as numbers.
"""

from dataclasses import dataclass

from integrated_data.output.formats.publication import SHORTHAND, Grid, Publication, Sheet

ONE_TABLE = "This worksheet contains one table."


@dataclass(frozen=True)
class Page:
    """One worksheet: lines of column A, the first of them its title, and the table below them.

    `table`: the name the table is marked with; empty where there is none. `links`: its first column
    names worksheets.
    """

    name: str
    lines: tuple[str, ...]
    grid: Grid | None = None
    table: str = ""
    links: bool = False

    @property
    def heading_row(self) -> int:
        """The row of the table's headings, counted from 1."""
        return len(self.lines) + 1


def pages(publication: Publication) -> tuple[Page, ...]:
    """The worksheets in their order; the first is the one that opens."""
    inner = _inner(publication)
    contents = Grid("Contents", ("Worksheet", "What it holds"), tuple((p.name, p.lines[0]) for p in inner))
    cover = (publication.title, *([publication.summary] if publication.summary else []), *_facts(publication))
    return (
        Page("Cover", cover),
        Page("Contents", ("Table of contents", ONE_TABLE), contents, "contents", links=True),
        *inner,
    )


def _facts(publication: Publication) -> list[str]:
    return [f"{name}: {text}" for name, text in publication.facts]


def _inner(publication: Publication) -> list[Page]:
    found = []
    if publication.notes:
        rows = tuple((f"note {n}", text) for n, text in enumerate(publication.notes, start=1))
        found.append(_page("Notes", "Notes", grid=Grid("Notes", ("Note", "Text"), rows)))
    if publication.marks:
        rows = tuple((mark.value, SHORTHAND[mark]) for mark in publication.marks)
        found.append(_page("Shorthand", "Shorthand used", grid=Grid("Shorthand", ("Shorthand", "Meaning"), rows)))
    if publication.quality.rows:
        found.append(_page("Quality", publication.quality.title, grid=publication.quality))
    found += [_table(publication, sheet, number=n) for n, sheet in enumerate(publication.sheets, start=1)]
    if publication.revisions.rows:
        found.append(_page("Revisions", publication.revisions.title, grid=publication.revisions))
    return found


def _page(name: str, title: str, *, grid: Grid) -> Page:
    return Page(name, (title, ONE_TABLE), grid, name.lower())


def _table(publication: Publication, sheet: Sheet, *, number: int) -> Page:
    lines = [f"Table {number}: {sheet.title}"]
    if not sheet.lines:
        return Page(f"Table_{number}", (*lines, "The table has no rows."))
    lines.append(ONE_TABLE)
    if sheet.marks:
        used = ", ".join(mark.value for mark in sheet.marks)
        lines.append(f"It uses shorthand: {used}. The worksheet Shorthand says what it means.")
    if publication.notes:
        lines.append("The worksheet Notes holds its notes.")
    if sheet.told:
        lines.append(sheet.told)
    grid = Grid(sheet.title, sheet.headings, tuple(line.values for line in sheet.lines))
    return Page(f"Table_{number}", tuple(lines), grid, f"table_{number}")
