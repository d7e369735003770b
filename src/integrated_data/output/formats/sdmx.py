"""SDMX-CSV 2.0 (SDMX 3.0, "Data Message Field Guide"): one row for each figure of each cell.

Marks become codes of the SDMX code lists `CL_OBS_STATUS` and `CL_CONF_STATUS`; a figure without a number is
empty, a zero is 0. Which rule withholds a cell is never told, so the status is C for all of them.
"""

import csv
import io
import re
from collections.abc import Sequence

from integrated_data.model.output import Mark, Role
from integrated_data.output.formats.publication import Line, Publication, Sheet, harmless

#: The columns that say which structure a row is of, and what is to be done with it.
STRUCTURE = ("STRUCTURE", "STRUCTURE_ID", "ACTION")

#: The columns after the dimensions.
OBSERVED = ("INDICATOR", "OBS_VALUE", "OBS_STATUS", "CONF_STATUS")

#: Who maintains the dataflow, and its version: that of its structure, which an edition does not change.
AGENCY, VERSION = "IDS", "1.0.0"

#: Information for those who read it; a database takes it as an addition.
INFORMATION = "I"

#: `CL_OBS_STATUS` and `CL_CONF_STATUS` of each mark: missing and suppressed, not significant, missing, cannot exist.
STATUS = {
    Mark.WITHHELD.value: ("", "Q", "C"),
    Mark.LOW.value: ("0", "N", "F"),
    Mark.MISSING.value: ("", "O", "F"),
    Mark.NOT_APPLICABLE.value: ("", "M", "F"),
}

NORMAL, FREE, TOTAL, NOT_RECORDED = "A", "F", "_T", "_U"

_TIME = re.compile(r"\d{4}(-\d\d){0,2}")


def write(publication: Publication, sheet: Sheet, *, number: int) -> bytes:
    """The observations of one sheet (UTF-8, RFC 4180); `number`: which sheet of the publication it is."""
    flow = f"{AGENCY}:{_identifier(publication.name)}_{number}({VERSION})"
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    keys = [place for place, column in enumerate(sheet.columns) if column.role is Role.KEY]
    writer.writerow([*STRUCTURE, *_dimensions(sheet, keys), *OBSERVED])
    for line in sheet.lines:
        named = ["dataflow", flow, INFORMATION, *(_code(sheet, line, place=place) for place in keys)]
        for place, column in enumerate(sheet.columns):
            if column.role is Role.FIGURE:
                writer.writerow([*named, _identifier(column.name), *_observed(line.values[place])])
    return buffer.getvalue().encode()


def _observed(value: str | int | float) -> tuple[str, str, str]:
    """Value, observation status and confidentiality status."""
    if isinstance(value, str) and value in STATUS:
        return STATUS[value]
    return harmless(value), NORMAL, FREE


def _code(sheet: Sheet, line: Line, *, place: int) -> str:
    """A value of a dimension: totals and what is not recorded have codes of their own."""
    key = sheet.columns[place].key
    if key is not None and line.cell.total[key]:
        return TOTAL
    if key is not None and line.cell.values[key] is None:
        return NOT_RECORDED
    return harmless(line.values[place])


def _dimensions(sheet: Sheet, keys: Sequence[int]) -> list[str]:
    """Ids of the dimensions; the only one that is a time is TIME_PERIOD."""
    times = [place for place in keys if sheet.lines and all(_is_time(sheet, line, place=place) for line in sheet.lines)]
    found: list[str] = []
    for place in keys:
        name = "TIME_PERIOD" if [place] == times else _identifier(sheet.columns[place].name)
        taken = {*found, *STRUCTURE, *OBSERVED}
        found.append(name if name not in taken else f"{name}_{place + 1}")
    return found


def _is_time(sheet: Sheet, line: Line, *, place: int) -> bool:
    return _TIME.fullmatch(_code(sheet, line, place=place)) is not None


def _identifier(name: str) -> str:
    """A name as SDMX lets identifiers be: letters, digits, underscores, a letter first."""
    plain = re.sub(r"[^A-Z0-9_]", "_", name.upper())
    return plain if plain[:1].isalpha() else f"X_{plain}"
