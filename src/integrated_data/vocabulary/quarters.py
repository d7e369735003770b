"""Quarters of a year as they are written: `2024 Q3`, `Q3 2024`, `2024q3`, `Jul-Sep 2024`, or any day of one."""

import re
from datetime import date, timedelta

from integrated_data.vocabulary.sql import text

_FORWARD = r"(?i)^\s*([12][0-9]{3})[\s/_-]*(?:Q|QTR|QUARTER)\s*([1-4])\s*$"
_BACKWARD = r"(?i)^\s*(?:Q|QTR|QUARTER)\s*([1-4])[\s/_,-]*([12][0-9]{3})\s*$"
_MONTHS = r"(?i)^\s*(JAN|APR|JUL|OCT)[A-Z]*\s*(?:-|–|/|TO)\s*(?:MAR|JUN|SEP|DEC)[A-Z]*\.?[\s,]*([12][0-9]{3})\s*$"
_FIRST = {"JAN": 1, "APR": 4, "JUL": 7, "OCT": 10}


def first_day_sql(column: str) -> str:
    """The first day of the quarter that a text names or that holds the day it gives; NULL where it is neither."""
    forward = [f"regexp_extract({column}, {text(_FORWARD)}, {i})" for i in (1, 2)]
    backward = [f"regexp_extract({column}, {text(_BACKWARD)}, {i})" for i in (2, 1)]
    months = [f"regexp_extract({column}, {text(_MONTHS)}, {i})" for i in (2, 1)]
    month = " ".join(f"WHEN {text(name)} THEN {number}" for name, number in _FIRST.items())

    def first(year: str, month_number: str) -> str:
        return f"make_date(try_cast(nullif({year}, '') AS INTEGER), {month_number}, 1)"

    quarters = [first(year, f"3 * try_cast(nullif({q}, '') AS INTEGER) - 2") for year, q in (forward, backward)]
    return (
        f"coalesce({', '.join(quarters)}, {first(months[0], f'CASE upper({months[1]}) {month} END')}, "
        f"date_trunc('quarter', try_cast({column} AS DATE))::DATE)"
    )


def last_day_sql(first: str) -> str:
    """The last day of the quarter that begins on a DATE."""
    return f"({first} + INTERVAL 3 MONTH - INTERVAL 1 DAY)::DATE"


def days_of(written: str) -> tuple[date, date] | None:
    """First and last day of the quarter that a text names, or that day itself twice; None where it is neither."""
    for pattern, year, part in ((_FORWARD, 1, 2), (_BACKWARD, 2, 1), (_MONTHS, 2, 1)):
        found = re.match(pattern, written)
        if found:
            month = _FIRST.get(found[part].upper()) or 3 * int(found[part]) - 2
            first = date(int(found[year]), month, 1)
            return first, (first + timedelta(days=92)).replace(day=1) - timedelta(days=1)
    try:
        day = date.fromisoformat(written.strip())
    except ValueError:
        return None
    return day, day
