"""Tables that were published elsewhere, taken into the ledger, so that requests are compared with them too.

Such a table comes as a CSV file with a query of some project that says what it shows: of which dataset,
which rows, which groups, which measure. The service runs the query; where its shape is proven and it gives the very
figures of the file, the people behind each published cell are known from it. Where not, the table is held as
unproven, and whatever resembles it goes to people.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Cell, Mark, OutputColumn, Role
from integrated_data.output.check import Checked
from integrated_data.output.table import Row, key_text

#: Rows and bytes of one file.
MOST_ROWS, MOST_BYTES = 100_000, 8 * 2**20

#: What stands in place of a figure that was not published.
ABSENT = frozenset({"", "-", "–", "..", "...", ":", "*", *(mark.value for mark in Mark)})


@dataclass(frozen=True)
class Published:
    """What a file says: the names of its columns and its rows, as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_file(content: bytes) -> Published:
    """A CSV file with a line of names; refuses what is none, and never says what is in it."""
    refusal = OutputRefusal(
        "The file is not a table in CSV", next_step="Save it as CSV in UTF-8, its names in one line"
    )
    if len(content) > MOST_BYTES or b"\0" in content:
        raise refusal
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise refusal from None
    if not 2 <= len(lines) <= MOST_ROWS + 1 or any(len(line) != len(lines[0]) for line in lines):
        raise refusal
    names = tuple(name.strip() for name in lines[0])
    if len(set(names)) != len(names) or not all(names):
        raise refusal
    return Published(names, tuple(tuple(field.strip() for field in line) for line in lines[1:]))


def cells_published(checked: Checked, file: Published, *, rounding: int) -> frozenset[Cell] | str:
    """The cells of a proven query whose figures a file publishes; why not, where it does not say the same."""
    columns = {c.name: c for c in checked.table.columns}
    if set(file.columns) != set(columns):
        return "Its columns are not those of the query"
    of_key = {_key(row, checked.table.columns): row for row in checked.table.rows}
    found = set()
    for line in file.rows:
        told = dict(zip(file.columns, line, strict=True))
        row = of_key.get(tuple(told[name] for name, c in columns.items() if c.role is not Role.FIGURE))
        if row is None:
            return "It has a row that the query does not give"
        agreed = _agree(row, checked.table.columns, told=told, rounding=rounding)
        if agreed is None:
            return "It has a figure that the query does not give"
        found |= {row.cell} if agreed else set()
    return frozenset(found)


def _key(row: Row, columns: tuple[OutputColumn, ...]) -> tuple[str, ...]:
    """How a row is found in a file: its keys and labels as text."""
    return tuple(
        key_text(row.cell, c.key, held=held) if c.key is not None else "" if held is None else str(held)
        for c, held in zip(columns, row.values, strict=True)
        if c.role is not Role.FIGURE
    )


def _agree(row: Row, columns: tuple[OutputColumn, ...], *, told: Mapping[str, str], rounding: int) -> bool | None:
    """Whether a file publishes figures of a row; None where one is not the query's."""
    published = False
    for column, held in zip(columns, row.values, strict=True):
        said = told[column.name]
        if column.role is not Role.FIGURE or said in ABSENT:
            continue
        try:
            number = float(said.replace(",", ""))
        except ValueError:
            return None
        _, _, decimals = said.partition(".")
        slack = max(0.5 * 10.0 ** -len(decimals), float(rounding) if rounding > 1 else 0.0) * (1 + 1e-9)
        if isinstance(held, str) or held is None or abs(number - held) > slack:
            return None
        published = True
    return published
