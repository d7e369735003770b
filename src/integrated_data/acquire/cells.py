"""Cells of tables that are no text, as text: of workbooks and of statistical packages."""

import csv
import datetime
import io
from collections.abc import Iterable


def cell_text(cell: object) -> str:
    """A cell as text: dates and times in ISO 8601, whole numbers without decimals, nothing for None."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime.datetime():
            if (cell.hour, cell.minute, cell.second) == (0, 0, 0):
                return cell.date().isoformat()
            return cell.isoformat(sep=" ", timespec="seconds")
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case _:
            return str(cell)


def csv_lines(rows: Iterable[list[str]]) -> bytes:
    """Rows as UTF-8 CSV with LF line ends."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()
