"""A result as a table of cells: read from Arrow, put in order, written as CSV with its marks.

`0`, withheld and missing stay apart. Marks are the shorthand that the UK Government Statistical
Service recommends for spreadsheets ("Using symbols and shorthand in spreadsheets"): `[c]`
confidential, `[x]` not available, `[low]` what rounds to 0 and is not 0.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from integrated_data.model.output import Cell, Mark, OutputColumn, ReleaseLimits, Role, Value
from integrated_data.output.evidence import cell_of
from integrated_data.output.shape import LEVEL, Shape

#: How a total and a group without a name are written in a column of keys.
TOTAL, UNNAMED = "All", "Not recorded"

#: Significant figures of a released number that is not whole: more would fingerprint its contributors.
FIGURES = 6

#: Whole numbers beyond this are keys, not statistics: a project's keys are spread over 63 bits.
LARGEST = 2**53


@dataclass(frozen=True)
class Row:
    """One cell of a table: its values in the order of the columns."""

    cell: Cell
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    """A result in the order of its keys, totals after their parts."""

    columns: tuple[OutputColumn, ...]
    rows: tuple[Row, ...]

    def names(self, role: Role) -> tuple[str, ...]:
        """Names of the columns with a role."""
        return tuple(c.name for c in self.columns if c.role is role)

    def column(self, name: str) -> tuple[Value, ...]:
        """The values of one column."""
        place = [c.name for c in self.columns].index(name)
        return tuple(row.values[place] for row in self.rows)


def of_shape(result: pa.Table, shape: Shape) -> Table:
    """The table of a proven query from its result, columns `__total_<key>` read and left out."""
    rows = []
    for row in result.to_pylist():
        plain = {name: value(v) for name, v in row.items()}
        cell = cell_of(row, shape.key_names, prefix=LEVEL)
        rows.append((_order(cell, row, shape=shape), Row(cell, tuple(plain[c.name] for c in shape.columns))))
    return Table(shape.columns, tuple(row for _, row in sorted(rows, key=lambda r: r[0])))


def of_result(result: pa.Table) -> Table:
    """The table of any result, as it stands; every row is a cell of its own."""
    result = result.drop_columns([name for name in result.column_names if name.startswith(LEVEL)])
    columns = tuple(OutputColumn(name, Role.FIGURE) for name in result.column_names)
    rows = [
        Row(Cell((), (str(number),)), tuple(value(v) for v in row.values()))
        for number, row in enumerate(result.to_pylist())
    ]
    return Table(columns, tuple(rows))


def value(raw: Any) -> Value:
    """A value of an engine as text, a number or nothing; whole decimals become whole numbers."""
    made: Value
    match raw:
        case bool():
            made = str(raw).lower()
        case None | str() | int():
            made = raw
        case float():
            made = raw if math.isfinite(raw) else None
        case Decimal():
            made = int(raw) if raw == raw.to_integral_value() else float(raw)
        case date() | datetime() | time():
            made = raw.isoformat()
        case _:
            made = str(raw)
    return made


def has_keys(table: Table) -> tuple[str, ...]:
    """Columns with a value that can only be a key: a whole number beyond 2^53, also as text."""
    return tuple(c.name for place, c in enumerate(table.columns) if any(_is_key(r.values[place]) for r in table.rows))


def to_csv(table: Table, *, withheld: frozenset[Cell] = frozenset(), limits: ReleaseLimits) -> bytes:
    """The table as CSV (UTF-8, RFC 4180): figures of withheld cells `[c]`, missing ones `[x]`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([_harmless(c.name) for c in table.columns])
    for row in table.rows:
        writer.writerow(shown(row, table.columns, withheld=row.cell in withheld, limits=limits))
    return buffer.getvalue().encode()


def shown(row: Row, columns: Iterable[OutputColumn], *, withheld: bool, limits: ReleaseLimits) -> list[str]:
    """What is written of one row."""
    written = []
    for column, held in zip(columns, row.values, strict=True):
        if column.role is Role.FIGURE:
            written.append(
                Mark.WITHHELD.value if withheld else figure(held, rounding=limits.rounding if column.count else 1)
            )
        elif column.key is not None:
            written.append(key_text(row.cell, column.key, held=held))
        else:
            written.append("" if held is None else _harmless(str(held)))
    return written


def key_text(cell: Cell, key: int, *, held: Value) -> str:
    """A key's value as it is written: its total and its missing value have names."""
    if cell.total[key]:
        return TOTAL
    return UNNAMED if held is None else _harmless(str(held))


def figure(held: Value, *, rounding: int = 1) -> str:
    """A figure as it is written: counts rounded to a base, other numbers to six significant figures."""
    if held is None:
        return Mark.MISSING.value
    if isinstance(held, str):
        return _harmless(held)
    if rounding > 1:
        rounded = rounding * math.floor(held / rounding + 0.5)
        return Mark.LOW.value if rounded == 0 and held else str(rounded)
    return _number(held)


def _number(held: int | float) -> str:
    if isinstance(held, int) or held == round(held):
        return str(round(held))
    places = FIGURES - 1 - math.floor(math.log10(abs(held)))
    text = f"{held:.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text
    return True


def _is_key(held: Value) -> bool:
    if isinstance(held, str):
        return held.lstrip("-").isdecimal() and len(held) < 40 and abs(int(held)) >= LARGEST
    return held is not None and held == math.floor(held) and abs(held) >= LARGEST


def _order(cell: Cell, row: Mapping[str, Any], *, shape: Shape) -> tuple[tuple[bool, bool, float, str], ...]:
    """Key by key: named values first, numbers by size, then the unnamed, then the total."""
    parts = []
    for name, total in zip(shape.key_names, cell.total, strict=True):
        held = value(row[name])
        size = float(held) if isinstance(held, int | float) else 0.0
        parts.append((total, held is None, size, "" if held is None else str(held)))
    return tuple(parts)
