"""The last row of a delivered text: whether it may be a total of the rows above, or is cut off."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Words by which a total is called, in English and Welsh.
_TOTAL = re.compile(r"\W*((grand|overall|sub)?[ -]?totals?|sum|cyfans(wm|ymiau)( mawr)?)\W*", re.IGNORECASE)
#: Rows above below which nothing is a total of them, and the share of rows that have a value in a column that is usual.
FEWEST, USUAL = 3, 0.95


@dataclass(frozen=True)
class Last:
    """The last row of one file, by column; `cells` are values and are never told.

    `called`: a cell says that it is a total, as none does above it; `lacks`: it lacks a value that rows usually have.
    `cut`: the file ends within it, and it has not the columns that it should; `ended`: its line has an end.
    """

    cells: tuple[str, ...] = field(repr=False)
    called: bool = False
    lacks: bool = False
    cut: bool = False
    ended: bool = True

    @property
    def looks_total(self) -> bool:
        """Whether it may be a total, which its numbers then say."""
        return not self.cut and (self.called or self.lacks)


def last_row(tail: str, rows: Sequence[Sequence[str]], *, delimiter: str, ended: bool) -> Last | None:
    """The last row of a text, from the last line that is not blank; None where none shows by itself.

    `rows`: the first rows as they split, without the header; of a short text all.
    """
    line = next((line for line in reversed(tail.splitlines()) if line.strip()), "")
    width = max((len(row) for row in rows), key=[len(row) for row in rows].count, default=0)
    if not line or width < 2:
        return None
    if line.count('"') % 2:
        return None if ended else Last((), cut=True, ended=False)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return None
    if len(cells) != width:
        return Last((), cut=not ended, ended=ended)
    above = [row for row in rows if len(row) == width]
    above = above[:-1] if above and list(above[-1]) == cells else above
    if len(above) < FEWEST:
        return Last(tuple(cells), ended=ended)
    usual = [sum(bool(row[i].strip()) for row in above) >= USUAL * len(above) for i in range(width)]
    called = any(
        _TOTAL.fullmatch(cell) and not any(_TOTAL.fullmatch(row[i]) for row in above) for i, cell in enumerate(cells)
    )
    lacks = any(there and not cell.strip() for there, cell in zip(usual, cells, strict=True))
    return Last(tuple(cells), called, lacks, ended=ended)
