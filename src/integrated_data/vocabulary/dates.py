"""Reading dates from text, as SQL, and which layouts a value's shape allows.

Layouts are strptime patterns. Where a layout can be read day first or month first, day first
stands first: it is the order of the United Kingdom.
"""

import re

from integrated_data.vocabulary.sql import text

#: Not a strptime pattern: days since 30 December 1899, as spreadsheets count them.
EXCEL_SERIAL = "excel"
ISO = "%Y-%m-%d"
#: Earlier or later dates are slips of the century, not dates.
FIRST, LAST = "1000-01-01", "9999-12-31"

#: Shape of a value (digits 9, letters A or a; see `detect.shape_sql`) to the layouts it allows.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "9999-99-99": (ISO,),
    "9999/99/99": ("%Y/%m/%d",),
    "9999.99.99": ("%Y.%m.%d",),
    "99/99/9999": ("%d/%m/%Y", "%m/%d/%Y"),
    "99-99-9999": ("%d-%m-%Y", "%m-%d-%Y"),
    "99.99.9999": ("%d.%m.%Y", "%m.%d.%Y"),
    "99 99 9999": ("%d %m %Y", "%m %d %Y"),
    "99/99/99": ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    "99-99-99": ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    "99.99.99": ("%d.%m.%y", "%m.%d.%y", "%y.%m.%d"),
    "99999999": ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    "9999999": ("%d%m%Y", "%m%d%Y"),
    "999999": ("%Y%m", "%m%Y", "%d%m%y", "%m%d%y", "%y%m%d"),
    "99999": ("%m%Y", "%d%m%y"),
    "99-AAA-9999": ("%d-%b-%Y",),
    "99-AAA-99": ("%d-%b-%y",),
    "99 AAA 9999": ("%d %b %Y",),
    "99 AAA 99": ("%d %b %y",),
    "99/AAA/9999": ("%d/%b/%Y",),
    "99AAA9999": ("%d%b%Y",),
    "99AAA99": ("%d%b%y",),
    "99 A 9999": ("%d %B %Y",),
    "AAA 99, 9999": ("%b %d, %Y",),
    "A 99, 9999": ("%B %d, %Y",),
    "AAA-99": ("%b-%y",),
    "AAA 99": ("%b %y",),
    "AAA-9999": ("%b-%Y",),
    "AAA 9999": ("%b %Y",),
    "A 9999": ("%B %Y",),
    "9999-99": ("%Y-%m",),
    "9999_99": ("%Y_%m",),
    "9999/99": ("%Y/%m",),
    "99/9999": ("%m/%Y",),
    "99-9999": ("%m-%Y",),
    "9999-99-99 99:99:99": ("%Y-%m-%d %H:%M:%S",),
    "9999-99-99 99:99": ("%Y-%m-%d %H:%M",),
    "9999-99-99A99:99:99": ("%Y-%m-%dT%H:%M:%S",),
    "9999-99-99A99:99:99A": ("%Y-%m-%dT%H:%M:%SZ",),
    "9999-99-99A99:99": ("%Y-%m-%dT%H:%M",),
    "99/99/9999 99:99:99": ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"),
    "99/99/9999 99:99": ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"),
    "99-AAA-9999 99:99:99": ("%d-%b-%Y %H:%M:%S",),
    "99-AAA-9999 99:99": ("%d-%b-%Y %H:%M",),
}  # fmt: skip

#: Every layout once, in order of preference.
ALL_LAYOUTS = tuple(dict.fromkeys(layout for layouts in LAYOUTS.values() for layout in layouts))

_WIDTH = {"%Y": 4, "%m": 2, "%d": 2, "%y": 2}


def layouts_of(shape: str) -> tuple[str, ...]:
    """The layouts that a value of this shape may be written in; () when it is no date's shape.

    Runs of letters count as a month's name, short (three letters) or long; single digits of day or
    month count as two; digits alone may carry the `.0` that spreadsheets and data frames leave.
    """
    if re.fullmatch(r"9+\.9", shape):
        shape = shape[:-2]
    known = LAYOUTS.get(shape)
    if known:
        return known
    folded = re.sub(r"[Aa]+", lambda run: "AAA" if len(run[0]) == 3 else "A", shape)
    folded = re.sub(r"\.9+(?=A?$)", "", folded) if ":" in folded else folded
    folded = re.sub(r"(?<![9])9(?=[/.\- A,])|(?<=[/.\- ])9(?![9])", "99", folded)
    return LAYOUTS.get(folded, ())


def has_day(layout: str) -> bool:
    """Whether a layout names a day; without one it is a month."""
    return layout == EXCEL_SERIAL or "%d" in layout


def has_time(layout: str) -> bool:
    """Whether a layout names a time of day."""
    return "%H" in layout


def month_first(layout: str) -> bool:
    """Whether a layout writes the month before the day and the year last, as in the United States."""
    return layout.startswith("%m") and "%d" in layout


def day_first(layout: str) -> bool:
    """Whether a layout writes the day before a numeric month."""
    return layout.startswith("%d") and "%m" in layout


def year_first(layout: str) -> bool:
    """Whether a layout begins with a two-digit year."""
    return layout.startswith("%y")


def bare(layout: str) -> bool:
    """Whether a layout is made of digits alone."""
    return _bare_width(layout) > 0


def _bare_width(layout: str) -> int:
    """Characters of a layout made of digits alone; 0 for one with separators or month names."""
    parts = [layout[i : i + 2] for i in range(0, len(layout), 2)]
    return sum(_WIDTH[p] for p in parts) if all(p in _WIDTH for p in parts) else 0


def _one_sql(value: str, layout: str) -> str:
    """One layout's reading, as DATE (TIMESTAMP for a layout with a time)."""
    if layout == EXCEL_SERIAL:
        return f"(DATE '1899-12-30' + CAST(floor(TRY_CAST({value} AS DOUBLE)) AS INTEGER))"
    if layout == ISO:
        return f"TRY_CAST({value} AS DATE)"
    width = _bare_width(layout)
    if width:
        digits = f"(CASE WHEN ends_with({value}, '.0') THEN left({value}, -2) ELSE {value} END)"
        short = f"CASE WHEN length({digits}) = {width - 1} THEN '0' || {digits} ELSE {digits} END"
        value = digits if layout.startswith("%Y") else short
    if layout.startswith(ISO):
        return f"TRY_CAST({value} AS TIMESTAMP)"
    return f"try_strptime({value}, {text(layout)})"


def _century_sql(read: str) -> str:
    """A two-digit year that would lie in the future belongs to the century before."""
    return f"CASE WHEN {read} > current_date THEN {read} - INTERVAL 100 YEAR ELSE {read} END"


def moment_sql(value: str, layouts: tuple[str, ...], *, as_type: str = "DATE") -> str:
    """A DATE or TIMESTAMP read by the first layout that fits; NULL where none does.

    Two-digit years are tried first (a four-digit pattern would take 90 for the year 90) and never
    lie in the future. Without layouts, ISO 8601 is read.
    """
    ordered = sorted(layouts, key=lambda layout: "%y" not in layout)
    reads = []
    for layout in ordered:
        read = _one_sql(value, layout)
        reads.append(f"CAST({_century_sql(read) if '%y' in layout else read} AS {as_type})")
    if not reads:
        reads = [f"TRY_CAST({value} AS {as_type})"]
    read = reads[0] if len(reads) == 1 else f"coalesce({', '.join(reads)})"
    return f"CASE WHEN {read} BETWEEN {as_type} '{FIRST}' AND {as_type} '{LAST}' THEN {read} END"
