"""Around a table: titles above its header and notes below its last row, in text with delimiters and in workbooks alike.

What stands there is no row. It is left out and told of by its lines; the table itself stays byte for byte as it came.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from integrated_data.vocabulary.headings import is_known_heading

#: Delimiters that are tried, the commonest first.
DELIMITERS = (",", "\t", "|", ";", "~", "^")
#: Rows at either end that are looked at to find where the table begins and ends.
LOOKED_AT = 30
#: Lines of the beginning by which a delimiter is found, and the share of them that must agree on a width.
ENOUGH, AGREED = 200, 0.8

_NOT_A_NAME = re.compile(
    r"[+-]?[£$€]?[\d.,/:\- ]+%?|[A-Za-z]{1,2}\d[\dA-Za-z]? ?\d[A-Za-z]{2}|[A-Z]\d{8}|[A-Z]{2}\d{6}[A-Z]"
)
_YEAR = re.compile(r"(19|20)\d\d")
#: Text of a title or a note: words, or a word before a colon.
_WORDS = re.compile(r"(?s).*[^\W\d_].*[ :].*|.*[ :].*[^\W\d_].*")

Cells = Sequence[object]


@dataclass(frozen=True)
class Around:
    """How many rows, blank ones among them, stand above the header and below the last row of a table."""

    above: int = 0
    below: int = 0

    def told(self, *, last: int, rows: str = "lines") -> str:
        """A notice; `last`: the number of the file's last line, or row of a sheet (`rows`)."""
        parts = []
        if self.above:
            parts.append(f"{_numbered(rows, 1, to=self.above)} above the header")
        if self.below:
            parts.append(f"{_numbered(rows, last - self.below + 1, to=last)} below the last row")
        return f"Left out as titles, notes or blank lines: {' and '.join(parts)}"


def _numbered(rows: str, first: int, *, to: int) -> str:
    return f"{rows[:-1]} {first:,}" if first == to else f"{rows} {first:,} to {to:,}"


def filled(row: Cells) -> int:
    """How many cells hold something."""
    return sum(cell is not None and str(cell).strip() != "" for cell in row)


def titles(rows: Sequence[Cells]) -> int:
    """How many of the first rows are titles or blank: they have one cell at most, where the table has more.

    In a table of two columns a heading may be missing: there a title is words, or a blank row follows it.
    """
    widest, count = max((filled(row) for row in rows), default=0), 0
    while count < len(rows) and (filled(rows[count]) == 0 or (filled(rows[count]) == 1 and widest > 1)):
        count += 1
    if widest == 2 and count:
        while count and filled(rows[count - 1]) and not _WORDS.fullmatch(_first(rows[count - 1])):
            count -= 1
    return count if count < len(rows) else 0


def notes(rows: Sequence[Cells], *, table: Sequence[Cells]) -> int:
    """How many of the last rows are notes or blank. `table`: rows of its beginning, without header.

    A note has one cell, the first. It is one where a blank row sets it off; or where the table has three columns or
    more, no row of its beginning has but one cell, and the note is words where the table's first column holds none.
    """
    widest = max((filled(row) for row in table), default=0)
    end = len(rows)
    while end and (filled(rows[end - 1]) == 0 or (filled(rows[end - 1]) == 1 and _first(rows[end - 1]) != "")):
        end -= 1
    tail = rows[end:]
    if widest < 2 or not end or not tail:
        return 0
    plain = widest > 2 and all(filled(row) > 1 for row in table if filled(row))
    plain = plain and not any(_WORDS.fullmatch(_first(row)) for row in table)
    kept = 0  # of rows with one cell that follow the table at once, those that may be its own
    for row in tail:
        if not filled(row) or (plain and _WORDS.fullmatch(_first(row))):
            break
        kept += 1
    return len(tail) - kept


def _first(row: Cells) -> str:
    return str(row[0]).strip() if row and row[0] is not None else ""


def around_lines(opening: Sequence[str], closing: Sequence[str]) -> Around | None:
    """What stands around the table of a text with delimiters; None where titles show and no header below them.

    `opening`: its first lines; `closing`: its last ones, both without their ends; the same where it is short.
    """
    first = next((line for line in opening if line.strip()), "")
    if not first or first.lstrip()[0] in "{[<":
        return Around()
    found = _delimiter(opening[:ENOUGH])
    if found is None:
        return Around()
    rows = [_cells(line, found) for line in opening[:ENOUGH]]
    above = titles(rows[:LOOKED_AT])
    if all(len(row) == 1 for row in rows[:above]):  # fixed width may look so; a blank line tells titles from its header
        above = 0
    if above and not _begins(rows[above:]):
        if any(_WORDS.fullmatch(_first(row)) and len(row) > 2 for row in rows[:above]):
            return None
        above = 0
    if not any(map(filled, rows[:above])):  # blank lines alone are refused where the header is read
        above = 0
    table = rows[above + 1 :]
    while table and filled(table[-1]) < 2:  # of a short text, what may stand below it
        table.pop()
    last = [_cells(line, found) for line in closing[-LOOKED_AT:]]
    below = notes(last, table=table)
    if not any(last[len(last) - below :]):  # blank lines alone are accounted for where rows are counted
        below = 0
    return Around(above, below)


def _begins(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows begin with a header."""
    return len(rows) > 1 and is_header(rows[0], rows[1:])


def _delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter on whose commonest width most lines agree."""
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        widths = [len(_cells(line, delimiter)) for line in lines if line.strip()]
        width = max(set(widths), key=widths.count)
        share = widths.count(width) / len(widths)
        if width > 1 and (best is None or (share, width) > best[:2]):
            best = (share, width, delimiter)
    return best[2] if best is not None and (best[0] >= AGREED or len(lines) < LOOKED_AT) else None


def _cells(line: str, delimiter: str) -> list[str]:
    """One line by itself; one that opens a value and does not close it has cells enough to be no title."""
    if line.count('"') % 2:
        return [line, line]
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return [line, line]


def is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns.

    It does when most of its cells are known headings. Otherwise it does not when a cell looks like a
    value, stands there twice, or comes again below in its own column without the others. Years over columns of other
    numbers are names.
    """
    cells = [cell.strip() for cell in first]
    while cells and not cells[-1] and not any(row[len(cells) - 1].strip() for row in rest if len(row) == len(cells)):
        cells.pop()  # a delimiter too many
        rest = [row[: len(cells)] for row in rest]
    filled = [cell for cell in cells if cell]
    if filled and sum(is_known_heading(cell) for cell in filled) >= len(filled) / 2:
        return True
    if len({cell.lower() for cell in filled}) < len(cells) * 0.9:
        return False
    again = [cell.strip() for cell in first]
    rest = [row for row in rest if [cell.strip() for cell in row] != again]  # a header that is repeated further down
    below = [{row[i].strip() for row in rest if i < len(row)} for i in range(len(cells))]
    return not any(
        cell and (cell in column or (_NOT_A_NAME.fullmatch(cell) and not _is_year_over(cell, column)))
        for cell, column in zip(cells, below, strict=True)
    )


def _is_year_over(cell: str, column: Iterable[str]) -> bool:
    return bool(_YEAR.fullmatch(cell)) and not any(_YEAR.fullmatch(value) for value in column)
