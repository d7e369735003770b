"""Dates in a column: which layouts read it, day or month first, and what kind of date it is."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from integrated_data.acquire.evidence import Ends, Evidence
from integrated_data.vocabulary.dates import (
    ALL_LAYOUTS,
    EXCEL_SERIAL,
    bare,
    day_first,
    has_day,
    has_time,
    month_first,
    year_first,
)

#: Share of values that layouts must read for a column to be one of dates.
READ = 0.95
#: The same where the heading says that they are dates of birth: what is left is noted, not lost.
READ_BIRTH = 0.8
#: Share that a further layout must add to be worth having, and how many layouts at most.
ADDS = 0.002
MOST_LAYOUTS = 4
#: How much more of a column one order of day and month must read to prove itself.
PROVES = 0.02
#: Distinct values that a column of bare digits needs before it counts as dates without a heading.
ENOUGH_VALUES = 12
#: Distinct dates from which their ends tell which is the year, and how often more different parts days have than years.
ENOUGH_ENDS, DAYS_SPREAD = 30, 2
#: Different parts, from which they may be the days of a month.
FEWEST_DAYS = 20
#: Why a column of dates is asked about.
ORDER_UNTOLD = "dates of three short numbers: the year may come first or last"
#: Days from 1927 to 2064, as spreadsheets count them.
SERIALS = (10_000, 60_000)


@dataclass(frozen=True)
class Moments:
    """The layouts that read a column, in order, and the share of values they read together.

    `untold`: the year may as well stand at the other end.
    """

    layouts: tuple[str, ...]
    share: float
    untold: bool = False

    @property
    def by_month(self) -> bool:
        """Whether the values name months and no days."""
        return not any(has_day(layout) for layout in self.layouts)

    @property
    def timed(self) -> bool:
        """Whether the values name a time of day."""
        return any(has_time(layout) for layout in self.layouts)


def puts_month_first(columns: Iterable[Evidence]) -> bool:
    """Whether a file writes the month before the day: some column proves it and none the opposite."""
    for_month = against = 0
    telling = [x for x in ALL_LAYOUTS if not (bare(x) and "%y" in x)]
    for column in columns:
        month = max((column.reads(x) for x in telling if month_first(x)), default=0.0)
        day = max((column.reads(x) for x in telling if day_first(x)), default=0.0)
        if max(month, day) < READ:
            continue
        for_month += month > day + PROVES
        against += day > month + PROVES
    return for_month > 0 and against == 0


def moments_of(column: Evidence, *, months_first: bool, expected: bool, least: float = READ) -> Moments | None:
    """How a column's dates are written, or None when it holds none.

    `expected`: the heading speaks of a date, so that digits without separators, and spreadsheet
    serial numbers, may be dates too. `least`: share of values that must be read.
    """
    chosen: list[str] = []
    left = dict(column.layouts)
    years_first = _years_first(column.ends) if column.ends else None
    while left and len(chosen) < MOST_LAYOUTS:
        best = _best(left, orders=(months_first, bool(years_first)), chosen=chosen)
        if best is None:
            break
        gain = sum(share for read, share in left.items() if best in read)
        if gain < (ADDS if chosen else READ / MOST_LAYOUTS):
            break
        chosen.append(best)
        left = {read: share for read, share in left.items() if best not in read}
    share = sum(part for read, part in column.layouts.items() if read & set(chosen))
    if chosen and share >= least and ((expected and not _short(column, chosen)) or _plain(column, chosen)):
        return Moments(tuple(chosen), share, years_first is None and _either_end(column, chosen[0]))
    if expected and column.share("number") > READ and _serial(column):
        return Moments((EXCEL_SERIAL,), column.share("number"))
    return None


def _years_first(ends: Ends) -> bool | None:
    """Whether the year stands first in dates of three short numbers; None where nothing tells.

    Days are many and reach 31; years are few, or none is later than this one.
    """
    this_year = datetime.datetime.now(datetime.UTC).year % 100
    few_first = ends.lasts >= max(FEWEST_DAYS, DAYS_SPREAD * ends.firsts)
    few_last = ends.firsts >= max(FEWEST_DAYS, DAYS_SPREAD * ends.lasts)
    if few_first != few_last:
        return few_first
    past_first, past_last = ends.first_high <= this_year, ends.last_high <= this_year
    if ends.values >= ENOUGH_ENDS and past_first != past_last:
        return past_first
    return None


def _either_end(column: Evidence, layout: str) -> bool:
    """Whether the values can as well be read with their two-digit year at the other end."""
    if not {"%y", "%m", "%d"} <= {layout[i : i + 2] for i in range(len(layout))}:
        return False
    same = [x for x in ALL_LAYOUTS if year_first(x) != year_first(layout) and sorted(x) == sorted(layout)]
    return any(column.reads(x) >= column.reads(layout) - PROVES for x in same)


def _best(left: dict[frozenset[str], float], *, orders: tuple[bool, bool], chosen: Sequence[str]) -> str | None:
    months_first, years_first = orders
    candidates = {layout for read in left for layout in read}
    if any(day_first(x) for x in chosen):
        candidates = {x for x in candidates if not month_first(x)}
    if any(month_first(x) for x in chosen):
        candidates = {x for x in candidates if not day_first(x)}

    def rank(layout: str) -> tuple[float, bool, bool, bool, int]:
        gain = round(sum(share for read, share in left.items() if layout in read), 3)
        ended = year_first(layout) == years_first
        return gain, "%y" not in layout, ended, months_first == month_first(layout), -ALL_LAYOUTS.index(layout)

    return max(candidates, key=rank, default=None)


def _short(column: Evidence, layouts: Sequence[str]) -> bool:
    """Whether digits with a two-digit year are so few that they may be anything."""
    digits = all(bare(layout) and "%y" in layout for layout in layouts)
    return digits and column.distinct < ENOUGH_VALUES


def _plain(column: Evidence, layouts: Sequence[str]) -> bool:
    """Whether the values are dates without the heading's help: digits alone must be many and all fit."""
    digits = all(bare(layout) for layout in layouts)
    return not digits or (column.distinct >= ENOUGH_VALUES and column.reads(layouts[0]) > 0.98)


def _serial(column: Evidence) -> bool:
    low, high = column.low, column.high
    return low is not None and high is not None and SERIALS[0] <= low and high <= SERIALS[1]
