"""Whether a delivery is like those before it: its contents, repeated rows, dates, code lists, and how much there is.

Nothing is assumed about what may go wrong. A delivery is compared with the same feed's own past: with everything in a
window for what must hold on any day, and with the same days of the week (hours, in an hourly feed) for what has a
season. Two bars: one that is merely unusual is told; one beyond anything in the window, by a factor and beyond chance,
is grave. Counts vary by chance at least as a Poisson count does, and at most as the past shows; codes that few are
behind are left out, for they come and go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log, sqrt
from statistics import median

from integrated_data.model.feed import Every, Measures, Surprise, Unlike

#: Deliveries of the past that are looked at, by the period's length, and how few are too few.
WINDOW = {Every.HOUR: 24 * 28, Every.DAY: 56, Every.WEEK: 26, Every.MONTH: 24, Every.ANY: 50}
ENOUGH = 14
#: Values of the same season that give a usual one.
ENOUGH_ALIKE = 3
#: How far beyond everything in the window is grave: less than a half of the least, more than twice the greatest.
FACTOR = 2.0
#: Standard deviations beyond chance: over a year of a thousand codes one in a million is one too many.
SIGMAS = 5.0
#: Robust standard deviations from the usual at which it is told, and the least that one is taken for.
UNUSUAL, LEAST_SCALE = 6.0, 0.02
#: A code with less than this expected may be absent by chance, or withheld by the supplier for its smallness.
FEWEST = 30.0
#: Share of rows equal to another, or dated outside of their period, that is grave where the past had none.
GRAVE_SHARE = 0.01


@dataclass(frozen=True)
class Past:
    """A delivery of the past: its period, what was measured, and whether its day is known to be unlike others."""

    period: str
    measures: Measures
    exempt: bool = False


def surprises(today: Past, past: Sequence[Past], *, every: Every) -> tuple[Surprise, ...]:
    """What the past does not explain about a delivery; `past` in any order, at most WINDOW of the nearest before it."""
    found = [*_contents(today, past), *_rows(today, past)]
    if len(past) < ENOUGH:
        return tuple(found)
    found += _codes(today, past)
    ordinary = [p for p in past if not p.exempt]
    if not today.exempt and len(ordinary) >= ENOUGH:
        found += _total(today, ordinary, every=every)
        found += _shares(today, ordinary)
    return tuple(found)


def _contents(today: Past, past: Sequence[Past]) -> list[Surprise]:
    for one in past:
        same = one.measures.contents == today.measures.contents and one.measures.rows == today.measures.rows
        if same and today.measures.rows > 1 and one.period != today.period:
            of = one.period if today.period else "an earlier delivery"
            return [Surprise(Unlike.CONTENTS, f"But for dates, its rows are those of {of}", True)]
    return []


def _rows(today: Past, past: Sequence[Past]) -> list[Surprise]:
    """Rows that are there twice, or dated outside of the period, more than ever before.

    Equal rows are odd by themselves. Dates are not: many a table holds days of long ago, as its past will show, so
    without one they are told alone.
    """
    found, now = [], today.measures
    for kind, count, before, told, alone in (
        (Unlike.REPEATED, now.repeated, [p.measures.repeated / max(1, p.measures.rows) for p in past],
         "rows are equal to another", True),
        (Unlike.PERIOD, now.outside, [p.measures.outside / max(1, p.measures.rows) for p in past],
         "rows are dated outside of the period", False),
    ):  # fmt: skip
        share, usual = count / max(1, now.rows), max(before, default=0.0)
        if share > FACTOR * usual and count > 1:
            grave = share > max(GRAVE_SHARE, FACTOR * FACTOR * usual) and (alone or bool(before))
            found.append(Surprise(kind, f"{count:,} of {now.rows:,} {told}", grave))
    return found


def _codes(today: Past, past: Sequence[Past]) -> list[Surprise]:
    """Codes that were always there and are gone, and codes that were never there."""
    found = []
    for column, now in today.measures.codes.items():
        before = [p.measures.codes[column] for p in past if column in p.measures.codes]
        if len(before) < ENOUGH:
            continue
        gone = [c for c, least in _always(before).items() if least >= FEWEST and c not in now]
        known = set().union(*before)
        new = [c for c, volume in now.items() if c not in known and volume >= FEWEST]
        if gone or new:
            told = f"Of column {column}, {len(gone):,} codes that were always there are gone, {len(new):,} are new"
            found.append(Surprise(Unlike.CODES, told, True))
    return found


def _always(before: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Codes of every delivery, with the least that there was of each."""
    codes = set(before[0]).intersection(*before[1:])
    return {c: min(b[c] for b in before) for c in codes}


def _total(today: Past, past: Sequence[Past], *, every: Every) -> list[Surprise]:
    """How much there is in all, against everything in the window and against the same season."""
    now, volumes = today.measures.volume, [p.measures.volume for p in past]
    least, most = min(volumes), max(volumes)
    chance = SIGMAS * sqrt(max(1.0, least))
    if now < least / FACTOR - chance or now > most * FACTOR + chance:
        side = "half of the least" if now < least else "twice the most"
        return [Surprise(Unlike.VOLUME, f"There is {'less' if now < least else 'more'} than {side} of "
                         f"{len(past)} deliveries before", True)]  # fmt: skip
    alike = [_log(p.measures.volume) for p in past if _season(p.period, every) == _season(today.period, every)]
    if len(alike) < ENOUGH_ALIKE:
        return []
    apart = _log(now) - median(alike)
    scale = max(LEAST_SCALE, _scale(past, every=every), 1 / sqrt(max(1.0, now)))
    if abs(apart) > UNUSUAL * scale:
        told = f"There is {_percent(apart)} than on such days before"
        return [Surprise(Unlike.VOLUME, told, False)]
    return []


def _scale(past: Sequence[Past], *, every: Every) -> float:
    """A robust standard deviation of log volumes about those of their season (1.4826 MAD)."""
    seasons: dict[object, list[float]] = {}
    for one in past:
        seasons.setdefault(_season(one.period, every), []).append(_log(one.measures.volume))
    apart = [abs(v - median(values)) for values in seasons.values() if len(values) >= ENOUGH_ALIKE for v in values]
    return 1.4826 * median(apart) if apart else LEAST_SCALE


def _shares(today: Past, past: Sequence[Past]) -> list[Surprise]:
    """Codes of which there is far less, or more, of the whole than ever: what an outage of a part looks like."""
    found = []
    for column, now in today.measures.codes.items():
        before = [(p.measures.codes[column], p.measures.volume) for p in past if column in p.measures.codes]
        if len(before) < ENOUGH or not today.measures.volume:
            continue
        always = _always([codes for codes, _ in before])
        shares = {c: [codes[c] / whole for codes, whole in before if whole] for c in always}
        expected = {c: (min(s) * today.measures.volume, max(s) * today.measures.volume) for c, s in shares.items() if s}
        low = [
            c for c, (e, _) in expected.items() if e >= FEWEST and c in now and now[c] < e / FACTOR - SIGMAS * sqrt(e)
        ]
        high = [c for c, (_, e) in expected.items() if e >= FEWEST and now.get(c, 0) > e * FACTOR + SIGMAS * sqrt(e)]
        if low:
            told = f"Of {len(low):,} codes of column {column} there is less than half of the least share before"
            found.append(Surprise(Unlike.VOLUME, told, True))
        if high:
            told = f"Of {len(high):,} codes of column {column} there is more than twice the greatest share before"
            found.append(Surprise(Unlike.VOLUME, told, False))
    return found


def _season(period: str, every: Every) -> object:
    if every not in (Every.DAY, Every.HOUR) or not period:
        return ""
    moment = datetime.fromisoformat(period if "T" not in period else f"{period}:00")
    return (moment.weekday(), moment.hour if every is Every.HOUR else 0)


def _log(volume: float) -> float:
    return log(max(volume, 0.5))


def _percent(apart: float) -> str:
    share = 100 * (2.718281828459045**apart - 1)
    return f"{abs(share):,.0f} % {'more' if share > 0 else 'less'}"
