"""Which periods of a feed are due, late or missing at a moment."""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

from integrated_data.acquire.feeds.names import start_of
from integrated_data.model.feed import Alert, AlertKind, Every, Schedule

#: Numbers that one look tells of as left out.
MOST_GAPS = 100


def moment_of(period: str) -> datetime:
    """The first moment of a period (UTC)."""
    return datetime.fromisoformat(period if "T" not in period else f"{period}:00").replace(tzinfo=UTC)


def end_of(period: str, every: Every) -> datetime:
    """The moment when a period is over (UTC)."""
    start = moment_of(period)
    match every:
        case Every.HOUR:
            return start + timedelta(hours=1)
        case Every.WEEK:
            return start + timedelta(days=7)
        case Every.MONTH:
            return (start + timedelta(days=32)).replace(day=1)
        case _:
            return start + timedelta(days=1)


def due(period: str, schedule: Schedule) -> datetime:
    """When a period is due (UTC)."""
    return end_of(period, schedule.every) + timedelta(hours=schedule.due)


def periods(schedule: Schedule) -> Iterator[str]:
    """The periods of a feed, the oldest first; without end where it has none, and none without a schedule."""
    if schedule.every is Every.ANY or schedule.first is None:
        return
    period = _first(schedule.first, schedule.every)
    while moment_of(period).date() <= (schedule.last or date.max):
        yield period
        period = start_of(end_of(period, schedule.every), schedule.every)


def _first(day: date, every: Every) -> str:
    return start_of(datetime.combine(day, datetime.min.time(), UTC), every)


def overdue(schedule: Schedule, now: datetime, *, there: Collection[str]) -> tuple[Alert, ...]:
    """What should be said of periods that are due and not `there`: that they are late, or missing."""
    found = []
    for period in periods(schedule):
        was_due = due(period, schedule)
        if was_due > now:
            break
        if period in there:
            continue
        kind = AlertKind.MISSING if now >= was_due + timedelta(hours=schedule.missing_after) else AlertKind.LATE
        said = "is missing" if kind is AlertKind.MISSING else "is late"
        found.append(
            Alert(kind, f"The delivery of {period} {said}: it was due on {was_due:%Y-%m-%d %H:%M} UTC", period)
        )
    return tuple(found)


def outside(schedule: Schedule, period: str) -> bool:
    """Whether a period is none that the feed delivers: before its first, or after its last."""
    if not period or schedule.every is Every.ANY:
        return False
    first = _first(schedule.first, schedule.every) if schedule.first else ""
    return period < first or moment_of(period).date() > (schedule.last or date.max)


def gaps(numbers: Collection[int]) -> tuple[Alert, ...]:
    """What should be said of numbers that were left out between the first and the last that came; a hundred at most."""
    there = sorted(set(numbers))
    left_out = (n for a, b in pairwise(there) for n in range(a + 1, b))
    return tuple(
        Alert(AlertKind.GAP, f"Number {n} was left out: higher ones came", about=str(n))
        for n in islice(left_out, MOST_GAPS)
    )
