"""How many journeys there are on a day: weekdays, seasons, holidays, weather, events; and counts about them.

A gravity model gives the usual day. What moves it is of the size that transport statistics publish (Department for
Transport, domestic transport use by mode; National Travel Survey), rounded, from memory; what is marked so is a guess.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from integrated_data.specimen.areas import Areas
from integrated_data.specimen.chance import Floats, Ints, stream

BANDS = ("00-06", "06-10", "10-16", "16-20", "20-24")
#: Share of a weekday's and of a weekend day's journeys that begin in each band: National Travel Survey, rounded.
_BANDS = np.array([[0.05, 0.24, 0.35, 0.27, 0.09], [0.07, 0.12, 0.46, 0.24, 0.11]])
#: Journeys by day of the week, Monday first, against a usual day.
_WEEK = np.array([0.98, 1.02, 1.03, 1.04, 1.10, 0.97, 0.80])
#: How much weaker centres of work draw at a weekend: guess.
_CENTRES_AT_WEEKENDS = 0.6
_TRIPS = 2.3  # a person and day
_SUMMER, _GROWTH = 0.05, 0.04
_SCHOOL_HOLIDAY = 0.94
_CHRISTMAS = {(12, 24): 0.85, (12, 25): 0.42, (12, 26): 0.62, (12, 27): 0.78, (12, 28): 0.80, (12, 29): 0.84,
              (12, 30): 0.84, (12, 31): 0.80, (1, 1): 0.60}  # fmt: skip
_HOLIDAY = 0.92  # of a Sunday
#: Weather and the like, day by day, of the whole country and of a region; areas by themselves; devices: guesses.
_COUNTRY, _REGION, _AREA, _DEVICES, _REMEMBERED = 0.025, 0.02, 0.03, 0.003, 0.5
_SNOW_DAYS, _SNOW, _EVENTS = 2, 0.72, 8
#: How much more counts scatter than Poisson's: shape of a gamma.
_SHAPE = 60.0
#: Counts below are withheld by the operator.
FEWEST = 5

_SCHOOL = (((1, 1), (1, 5)), ((2, 12), (2, 16)), ((3, 29), (4, 12)), ((5, 27), (5, 31)), ((7, 22), (9, 2)),
           ((10, 28), (11, 1)), ((12, 21), (12, 31)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Days:
    """The expected journeys of every day: `usual` by band, origin and destination on a weekday and at a weekend;
    `level` of each day; `origin` and `destination`, how each day moves each area; whether a day is a weekend's."""

    first: date
    usual: Floats
    level: Floats
    origin: Floats
    destination: Floats
    weekend: Ints

    def counts(self, rng: np.random.Generator, day: int, *, thinned: Floats | None = None) -> Ints:
        """Journeys counted on a day by band, origin and destination; `thinned`: the share that each area catches."""
        at = self.usual[self.weekend[day]] * self.level[day]
        at = at * self.origin[day][None, :, None] * self.destination[day][None, None, :]
        if thinned is not None:
            at = at * np.minimum(thinned[:, None], thinned[None, :])[None]
        drawn: Ints = rng.poisson(at * rng.gamma(_SHAPE, 1 / _SHAPE, at.shape)).astype(np.int64)
        return drawn


def bank_holidays(year: int) -> frozenset[date]:
    """Bank holidays of England and Wales, with those that move to a weekday. Easter by Gauss and Meeus."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * i) // 451
    month, day = divmod(h + i - 7 * m + 114, 31)
    easter = date(year, month, day + 1)
    found = {easter - timedelta(2), easter + timedelta(1), _monday(date(year, 5, 7)), _monday(date(year, 5, 31)),
             _monday(date(year, 8, 31))}  # fmt: skip
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        moved = fixed
        while moved.weekday() > 4 or moved in found:
            moved += timedelta(1)
        found |= {fixed, moved}
    return frozenset(found)


def _monday(last: date) -> date:
    """The last Monday up to a day."""
    return last - timedelta(last.weekday())


def build(seed: int, areas: Areas, *, people: int, first: date, days: int) -> Days:
    """Lay out the days of a country's areas (MSOAs)."""
    rng = stream(seed, "mobility days")
    holidays = frozenset().union(*(bank_holidays(y) for y in {first.year, (first + timedelta(days)).year}))
    calendar = [first + timedelta(n) for n in range(days)]
    weekend = np.array([int(d.weekday() >= 5 or d in holidays) for d in calendar])
    usual = _usual(rng, areas, people=people)
    level = np.array([_day(d, holidays) for d in calendar]) * _shocks(rng, calendar)
    level *= 1 + _GROWTH * np.arange(days) / 365
    origin, destination = (_by_area(rng, areas, days=days) for _ in range(2))
    for _ in range(_EVENTS):
        start, where = int(rng.integers(0, days - 3)), int(rng.integers(0, destination.shape[1]))
        destination[start : start + int(rng.integers(1, 4)), where] *= rng.uniform(1.4, 2.4)
    return Days(first, usual, level, origin, destination, weekend)


def _usual(rng: np.random.Generator, areas: Areas, *, people: int) -> Floats:
    """Expected journeys on a usual weekday and weekend day, by band, origin and destination."""
    msoa = areas.lsoas.parent[areas.oas.parent]
    size = np.bincount(msoa, areas.dwellings, len(areas.msoas.codes))
    lat, lon = (np.bincount(msoa, x * areas.dwellings) / size for x in (areas.latitude, areas.longitude))
    apart = np.hypot(69 * (lat[:, None] - lat[None]), 43 * (lon[:, None] - lon[None]))  # miles
    centre = rng.lognormal(0, 0.7, len(size))  # draws people to work
    made = []
    for weekend in (0, 1):
        drawn = size * (centre if not weekend else centre ** (1 - _CENTRES_AT_WEEKENDS))
        pull = size[:, None] * drawn[None] / (1.5 + apart) ** 1.8
        made.append(_TRIPS * people * pull / pull.sum() * _BANDS[weekend][:, None, None])
    return np.stack(made)


def _day(day: date, holidays: Collection[date]) -> float:
    """How much there is of a usual day on a calendar day."""
    summer = 1 + _SUMMER * np.cos(2 * np.pi * (day.timetuple().tm_yday - 172) / 365)
    school = _SCHOOL_HOLIDAY if any(a <= (day.month, day.day) <= b for a, b in _SCHOOL) else 1.0
    if (day.month, day.day) in _CHRISTMAS:
        return _CHRISTMAS[day.month, day.day]
    if day in holidays:
        return float(_WEEK[6] * _HOLIDAY * summer)
    return float(_WEEK[day.weekday()] * summer * (school if day.weekday() < 5 else 1.0))


def _shocks(rng: np.random.Generator, calendar: list[date]) -> Floats:
    """What weather does to the whole country, remembered for a day or two, and how devices come and go."""
    noise = _remembered(rng.normal(0, _COUNTRY, (len(calendar), 1)))[:, 0]
    level: Floats = np.exp(noise + np.cumsum(rng.normal(0, _DEVICES, len(calendar))))
    winter = [n for n, day in enumerate(calendar) if day.month in (1, 2)]
    if len(winter) > _SNOW_DAYS:
        level[rng.choice(winter, _SNOW_DAYS, replace=False)] *= _SNOW
    return level


def _by_area(rng: np.random.Generator, areas: Areas, *, days: int) -> Floats:
    """How each day moves each area: by its region's weather and by itself."""
    region = areas.districts.parent[areas.msoas.parent]
    regional = _remembered(rng.normal(0, _REGION, (days, len(areas.regions.codes))))
    own = _remembered(rng.normal(0, _AREA, (days, len(areas.msoas.codes))))
    moved: Floats = np.exp(regional[:, region] + own)
    return moved


def _remembered(noise: Floats) -> Floats:
    """Noise of which each day remembers a part of the day before; the spread stays the same."""
    out = noise.copy()
    for day in range(1, len(out)):
        out[day] = _REMEMBERED * out[day - 1] + np.sqrt(1 - _REMEMBERED**2) * noise[day]
    return out
