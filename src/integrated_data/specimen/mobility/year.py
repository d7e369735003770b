"""A year of files as the operator drops them, each with the moment it came; and what is planted among them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from integrated_data.specimen import areas, writing
from integrated_data.specimen.areas import Areas
from integrated_data.specimen.chance import Floats, Ints, stream
from integrated_data.specimen.delivery import Sheet
from integrated_data.specimen.mobility import days
from integrated_data.specimen.mobility.days import BANDS, FEWEST, Days
from integrated_data.specimen.rates import RATES
from integrated_data.specimen.text import column

#: What is planted, with how many days each takes and how many days before anything else.
_PLANTS = (("outage", 2), ("missing", 2), ("late", 1), ("copy of the day before", 1), ("day before, dated anew", 1),
           ("sent again", 1), ("every row twice", 1), ("restated", 7), ("boundary", 1))  # fmt: skip
#: Days of a quiet beginning, days between two plants, days after which a week is restated.
_QUIET, _APART, _RESTATED_AFTER = 42, 9, 20


@dataclass(frozen=True, slots=True)
class Planted:
    """Something that goes wrong, and the days (as ISO dates) on which it does."""

    what: str
    periods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MobilityYear:
    """What was written: the folder that files are dropped into, and what was planted. Each file's moment of change
    is when it came."""

    drop: Path
    first: date
    days: int
    planted: tuple[Planted, ...]


def write_year(
    folder: Path, *, people: int = 100_000, seed: int = 1, year: int = 2024, planted: bool = True,
    progress: Callable[[str], None] | None = None,
) -> MobilityYear:  # fmt: skip
    """Write `folder/deliveries/mobility/od_YYYYMMDD.csv`, a file a day, and `folder/truth/mobility.csv`.

    Without `planted`, nothing goes wrong. The same seed gives the same files.
    """
    first = date(year, 1, 1)
    count = (date(year + 1, 1, 1) - first).days
    land = areas.build(seed, people, rates=RATES)
    plan = _plan(stream(seed, "mobility plants"), count) if planted else {}
    drop = folder / "deliveries" / "mobility"
    drop.mkdir(parents=True, exist_ok=True)
    operator = _Operator(seed, land, days.build(seed, land, people=people, first=first, days=count), plan, drop)
    for day in range(count):
        if progress is not None and day % 30 == 0:
            progress(f"journeys of {first + timedelta(day):%B}")
        operator.deliver(day)
    found = tuple(
        Planted(what, tuple((first + timedelta(start + n)).isoformat() for n in range(long)))
        for what, (start, long) in plan.items()
    )
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    lines = [f"{p.what},{period}" for p in found for period in p.periods]
    (folder / "truth" / "mobility.csv").write_text("\n".join(["planted,period", *lines]) + "\n")
    return MobilityYear(drop, first, count, found)


def _plan(rng: np.random.Generator, count: int) -> dict[str, tuple[int, int]]:
    """Days on which something goes wrong, apart from each other: what, first day, how many."""
    order = rng.permutation(len(_PLANTS))
    spare = count - _QUIET - 2 * _RESTATED_AFTER - sum(long + _APART for _, long in _PLANTS)
    gaps = np.sort(rng.integers(0, spare, len(_PLANTS)))
    plan, day = {}, _QUIET
    for place, which in enumerate(order):
        what, long = _PLANTS[which]
        plan[what] = (day + int(gaps[place]), long)
        day += long + _APART
    return plan


@dataclass(slots=True)
class _Operator:
    """Counts each day's journeys and drops files, as planned."""

    seed: int
    land: Areas
    days: Days
    plan: dict[str, tuple[int, int]]
    drop: Path

    def deliver(self, day: int) -> None:
        if self._is("missing", day):
            return
        came = self._morning(day)
        if self._is("late", day):
            self._write(day, self._table(day), at=came + timedelta(hours=31))
        elif self._is("copy of the day before", day):
            before = self._place(day - 1).read_bytes()
            self._put(self._place(day), before, at=came)
            self._write(day, self._table(day), at=came + timedelta(days=1), again="_r2")
        elif self._is("day before, dated anew", day):
            self._write(day, self._table(day - 1, dated=day), at=came)
            self._write(day, self._table(day), at=came + timedelta(days=1), again="_r2")
        elif self._is("every row twice", day):
            table = self._table(day)
            self._write(day, pa.concat_tables([table, table]), at=came)
            self._write(day, table, at=came + timedelta(days=1), again="_r2")
        else:
            self._write(day, self._table(day), at=came)
            if self._is("sent again", day):
                self._put(self._place(day, "_again"), self._place(day).read_bytes(), at=came + timedelta(hours=5))
        if self._is("restated", day):
            later = self._morning(self.plan["restated"][0] + _RESTATED_AFTER)
            self._write(day, self._table(day, more=1.04), at=later, again="_r2")

    def _is(self, what: str, day: int) -> bool:
        start, long = self.plan.get(what, (-1, 0))
        return start <= day < start + long

    def _morning(self, day: int) -> datetime:
        minutes = int(stream(self.seed, f"mobility arrival {day}").integers(0, 120))
        return datetime.combine(self.days.first + timedelta(day + 1), datetime.min.time(), UTC) + timedelta(
            hours=5, minutes=minutes
        )

    def _table(self, day: int, *, dated: int | None = None, more: float = 1.0) -> pa.Table:
        """A day's counts: those of few journeys withheld, in no order that tells anything."""
        counted = self.days.counts(stream(self.seed, f"mobility {day}"), day, thinned=self._caught(day))
        if more != 1.0:
            counted = np.rint(counted * stream(self.seed, f"restated {day}").normal(more, 0.01, counted.shape))
        codes, counted = self._coded(day, counted.astype(np.int64))
        band, origin, destination = np.nonzero(counted >= FEWEST)
        written = self.days.first + timedelta(day if dated is None else dated)
        names = column(codes)
        return pa.table({
            "date": column([written.isoformat()] * len(band)), "hours": column(BANDS).take(band),
            "origin": names.take(origin), "destination": names.take(destination),
            "trips": pa.array(counted[band, origin, destination]),
        })  # fmt: skip

    def _caught(self, day: int) -> Floats | None:
        """The share of journeys that each area's masts caught; in an outage those of one region caught few."""
        if not self._is("outage", day):
            return None
        region = self.land.districts.parent[self.land.msoas.parent]
        out = int(stream(self.seed, "mobility outage").integers(0, len(self.land.regions.codes)))
        return np.where(region == out, 0.07, 1.0)

    def _coded(self, day: int, counted: Ints) -> tuple[list[str], Ints]:
        """Counts by the codes of the day: from a boundary change on, two areas are one and another one is two."""
        codes = list(self.land.msoas.codes)
        if "boundary" not in self.plan or day < self.plan["boundary"][0]:
            return codes, counted
        rng = stream(self.seed, "mobility boundary")
        one, other, split = (int(n) for n in rng.choice(len(codes), 3, replace=False))
        merged, halves = f"{codes[one][:3]}{95001:06d}", [f"{codes[split][:3]}{95002 + n:06d}" for n in (0, 1)]
        for axis in (1, 2):
            part = np.rint(np.take(counted, [split], axis) * 0.55).astype(np.int64)
            rest = np.take(counted, [split], axis) - part
            joined = np.take(counted, [one], axis) + np.take(counted, [other], axis)
            counted = np.concatenate([np.delete(counted, [one, other, split], axis), joined, part, rest], axis)
        kept = [code for n, code in enumerate(codes) if n not in (one, other, split)]
        return [*kept, merged, *halves], counted

    def _place(self, day: int, again: str = "") -> Path:
        return self.drop / f"od_{self.days.first + timedelta(day):%Y%m%d}{again}.csv"

    def _write(self, day: int, table: pa.Table, *, at: datetime, again: str = "") -> None:
        place = self._place(day, again)
        writing.write_sheet(place, Sheet(place.name, "comma", table))
        os.utime(place, (at.timestamp(), at.timestamp()))

    def _put(self, place: Path, data: bytes, *, at: datetime) -> None:
        place.write_bytes(data)
        os.utime(place, (at.timestamp(), at.timestamp()))
