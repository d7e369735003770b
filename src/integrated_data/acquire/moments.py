"""Dates in a column: which layouts read it, day or month first, and what kind of date it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from integrated_data.acquire.evidence import Evidence
from integrated_data.vocabulary.dates import (
    ALL_LAYOUTS,
    EXCEL_SERIAL,
    bare,
    day_first,
    has_day,
    has_time,
    month_first,
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
#: Days from 1927 to 2064, as spreadsheets count them.
SERIALS = (10_000, 60_000)


@dataclass(frozen=True)
class Moments:
    """The layouts that read a column, in order, and the share of values they read together."""

    layouts: tuple[str, ...]
    share: float

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
    while left and len(chosen) < MOST_LAYOUTS:
        best = _best(left, months_first=months_first, chosen=chosen)
        if best is None:
            break
        gain = sum(share for read, share in left.items() if best in read)
        if gain < (ADDS if chosen else READ / MOST_LAYOUTS):
            break
        chosen.append(best)
        left = {read: share for read, share in left.items() if best not in read}
    share = sum(part for read, part in column.layouts.items() if read & set(chosen))
    if chosen and share >= least and ((expected and not _short(column, chosen)) or _plain(column, chosen)):
        return Moments(tuple(chosen), share)
    if expected and column.share("number") > READ and _serial(column):
        return Moments((EXCEL_SERIAL,), column.share("number"))
    return None


def _best(left: dict[frozenset[str], float], *, months_first: bool, chosen: Sequence[str]) -> str | None:
    candidates = {layout for read in left for layout in read}
    if any(day_first(x) for x in chosen):
        candidates = {x for x in candidates if not month_first(x)}
    if any(month_first(x) for x in chosen):
        candidates = {x for x in candidates if not day_first(x)}

    def rank(layout: str) -> tuple[float, bool, bool, int]:
        gain = round(sum(share for read, share in left.items() if layout in read), 3)
        return gain, "%y" not in layout, months_first == month_first(layout), -ALL_LAYOUTS.index(layout)

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
