"""What is published, apart from any file format: sheets of typed cells, and the words around them.

Zero, suppressed and missing stay apart: a zero is a number, every other absence is one of the marks of
the UK Government Analysis Function ("Using symbols and shorthand in spreadsheets").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from integrated_data.model.output import Cell, Mark, OutputColumn, ReleaseLimits, Role, Value
from integrated_data.output.table import TOTAL, UNNAMED, Row, Table, figure

#: What each mark means to a reader.
SHORTHAND: Mapping[Mark, str] = {
    Mark.WITHHELD: "Confidential: withheld so that nothing is told of a person or a business",
    Mark.LOW: "Low: it rounds to 0 and is not 0",
    Mark.MISSING: "Not available",
    Mark.NOT_APPLICABLE: "Not applicable: the column does not apply to this row",
}

#: How a text with nothing in it is written: a blank cell would read as missing.
EMPTY = "(empty text)"


@dataclass(frozen=True)
class Line:
    """One row of a sheet: which cell it is, and its values in the order of the columns."""

    cell: Cell
    values: tuple[str | int | float, ...]


@dataclass(frozen=True)
class Sheet:
    """One table as it is published. `headings`: a name that people read for each column, all different.

    `told`: the chart in words; `svg`: its drawing. `proven`: whether its keys and figures are told apart.
    """

    title: str
    columns: tuple[OutputColumn, ...]
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    proven: bool = True
    told: str = ""
    svg: bytes = b""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks that occur in it."""
        texts = {v for line in self.lines for v in line.values if isinstance(v, str)}
        return tuple(mark for mark in SHORTHAND if mark.value in texts)


@dataclass(frozen=True)
class Grid:
    """A small table around the figures: what their quality is, what was revised."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True)
class Publication:
    """One edition. `facts`: what it is, as name and text; `notes`: its footnotes in order.

    `name`: of its definition. `quality`, `revisions`: empty grids are left out.
    """

    name: str
    title: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...] = ()
    quality: Grid = field(default_factory=lambda: Grid("", (), ()))
    revisions: Grid = field(default_factory=lambda: Grid("", (), ()))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks that occur in it."""
        used = {mark for sheet in self.sheets for mark in sheet.marks}
        return tuple(mark for mark in SHORTHAND if mark in used)


def sheet(
    table: Table,
    *,
    withheld: frozenset[Cell],
    limits: ReleaseLimits,
    title: str,
    headings: Mapping[str, str],
    drawing: tuple[str, bytes] = ("", b""),
) -> Sheet:
    """The sheet of a table. `headings`: columns that people read under another name; `drawing`: its chart.

    A chart is its text and its SVG.
    """
    lines = tuple(_line(row, table.columns, withheld=row.cell in withheld, limits=limits) for row in table.rows)
    names = _different([headings.get(c.name) or _words(c.name) for c in table.columns])
    proven = bool(table.names(Role.KEY)) or _is_total(table)
    return Sheet(title, table.columns, names, lines, proven, *drawing)


def harmless(value: str | int | float) -> str:
    """A value in a format whose cells have no type, as `table.csv` writes it.

    A text that begins like a formula gets an apostrophe before it.
    """
    if not isinstance(value, str):
        return figure(value)
    return f"'{value}" if value[:1] in tuple("=+-@\t\r") and not _is_number(value) else value


def _line(row: Row, columns: Iterable[OutputColumn], *, withheld: bool, limits: ReleaseLimits) -> Line:
    return Line(
        row.cell,
        tuple(
            _value(row.cell, column, held=held, withheld=withheld, limits=limits)
            for column, held in zip(columns, row.values, strict=True)
        ),
    )


def _value(
    cell: Cell, column: OutputColumn, *, held: Value, withheld: bool, limits: ReleaseLimits
) -> str | int | float:
    if column.role is Role.FIGURE:
        return Mark.WITHHELD.value if withheld else _figure(held, rounding=limits.rounding if column.count else 1)
    if column.key is not None and cell.total[column.key]:
        return TOTAL
    if held is None:
        return UNNAMED if column.key is not None else Mark.NOT_APPLICABLE.value
    return held if held != "" else EMPTY


def _figure(held: Value, *, rounding: int) -> str | int | float:
    """A figure as `table.csv` writes it, with its type."""
    if isinstance(held, str):
        return held or EMPTY
    written = figure(held, rounding=rounding)
    if held is None or not _is_number(written):
        return written
    return float(written) if "." in written else int(written)


def _is_total(table: Table) -> bool:
    """A proven table over everybody has one row and no key."""
    return any(c.measures for c in table.columns)


def _words(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] or name


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, told apart where a spreadsheet would take them for one: it looks at no capitals."""
    found: list[str] = []
    for name in names:
        taken = {f.casefold() for f in found}
        number, made = 2, name
        while made.casefold() in taken:
            number, made = number + 1, f"{name} ({number})"
        found.append(made)
    return tuple(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
