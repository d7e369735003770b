"""A year of the mobility feed through the service: everything planted is flagged, nothing stops on a clean day.

The fictional operator drops a file a day. Planted: an outage of one region's masts, days that never come, a late one,
a copy of the day before, the day before under another date, a file sent again, every row twice, a week restated, areas
merged and split. A clock goes from day to day; a steward accepts what is held for its codes and rejects what else is
held. Beside it, by measures alone: other years of other seeds, clean and planted, without a list of holidays.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.csv as csv

from bench.report import marks, table
from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.control import feeds, releases
from integrated_data.control.store import Store
from integrated_data.engine import Held, Stored
from integrated_data.model.contract import Column, Contract, Format, Layout, Mode
from integrated_data.model.feed import Drop, Every, FeedDefinition, Restated, Schedule, StoreKind, Unlike, Watch
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.site import loads
from integrated_data.site.feeding.looking import Feeder
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.settings import from_environment
from integrated_data.specimen import mobility
from integrated_data.specimen.mobility import MobilityYear
from integrated_data.specimen.mobility.days import bank_holidays
from integrated_data.validate.measures import measure
from integrated_data.validate.unlike import WINDOW, Past, surprises

PEOPLE, YEAR, SEED = 100_000, 2024, 1
#: Years that are looked at by their measures alone: other seeds, other calendars.
OTHERS = ((2, 2023), (3, 2025))

COLUMNS = {
    "date": (Kind.DATE, Meaning.EVENT_DATE), "hours": (Kind.STRING, Meaning.CODE),
    "origin": (Kind.STRING, Meaning.AREA_CODE), "destination": (Kind.STRING, Meaning.AREA_CODE),
    "trips": (Kind.INTEGER, Meaning.COUNT),
}  # fmt: skip
#: Which alerts tell what is planted.
FLAGS = {
    "outage": {"unusual"}, "missing": {"missing"}, "late": {"late"}, "copy of the day before": {"duplicate"},
    "day before, dated anew": {"unusual"}, "sent again": {"duplicate"}, "every row twice": {"unusual"},
    "restated": {"restated"}, "boundary": {"unusual"},
}  # fmt: skip


def contract() -> Contract:
    """What the operator promises."""
    columns = tuple(Column(n, n, kind, meaning, handling_of(meaning)) for n, (kind, meaning) in COLUMNS.items())
    return Contract("mobility_flows", "Operator", Layout(Format.CSV), columns, mode=Mode.APPEND)


def definition(made: MobilityYear) -> FeedDefinition:
    """The feed of a year's files."""
    return FeedDefinition(
        "mobility", "mobility_flows", Drop(StoreKind.FOLDER, str(made.drop)), "od_{period:%Y%m%d}{any}.csv",
        Schedule(Every.DAY, made.first, made.first + timedelta(made.days - 1), due=12, missing_after=48),
        Restated.REPLACE, watch=Watch(exempt=tuple(sorted(bank_holidays(made.first.year)))),
        contract=contracts.dump(contract()),
    )  # fmt: skip


@dataclass
class Clock:
    """The moment it is, as the bench says."""

    now: datetime


@dataclass(frozen=True)
class Ran:
    """A year that ran: where it is, seconds of each look that took something, files that were stopped."""

    site: LoadingSite
    looks: list[float]
    stopped: list[tuple[str, str]]


@contextmanager
def ran(folder: Path, made: MobilityYear) -> Iterator[Ran]:
    """Run a year, day by day, with a steward who decides on the day."""
    places = create(folder / "home", actor="bench")
    clock = Clock(datetime.combine(made.first, datetime.min.time(), UTC))
    with open_loading(places, from_environment()) as opened:
        site = replace(opened, store=Store(opened.store.engine, clock=lambda: clock.now))
        feeds.put(site.store, definition(made), by="bench")
        feeder = Feeder(places, site.store, lambda: _again(site), "bench")
        looks, stopped = [], []
        for day in range(made.days + 30):
            clock.now = datetime.combine(made.first + timedelta(day + 1), datetime.min.time(), UTC) + timedelta(
                hours=12.5
            )
            with site.store.read() as connection:
                feed = feeds.get(connection, "mobility")
            begun = time.perf_counter()
            files = feeder.look(feed)["files"]
            looks += [(time.perf_counter() - begun) / len(files)] if files else []
            for file in files:
                if file["state"] not in ("loaded", "repeated"):
                    stopped.append((file["period"], file["state"]))
                if file["state"] == "held":
                    _decide(site, file)
        yield Ran(site, looks, stopped)


@contextmanager
def _again(site: LoadingSite) -> Iterator[LoadingSite]:
    yield site


def _decide(site: LoadingSite, file: dict[str, Any]) -> None:
    """A steward's decision on what was held: new codes are accepted, what else is wrong is not."""
    if "codes that were always there" in file["why"]:
        loads.accept(site, file["delivery"], reason="the boundaries changed")
    else:
        journey.reject_held(site.workshop, file["delivery"], reason="the operator says so")


def _flagged(ran: Ran, made: MobilityYear) -> list[dict[str, Any]]:
    """What was planted, and on how many of its days the alerts told it."""
    with ran.site.store.read() as connection:
        raised = {(k, p) for k, p, _ in feeds.raised(connection, "mobility", open_only=False)}
    return [
        {"planted": one.what, "days": len(one.periods),
         "flagged": sum(any((k, p) in raised for k in FLAGS[one.what]) for p in one.periods)}
        for one in made.planted
    ]  # fmt: skip


def _right(ran: Ran, made: MobilityYear) -> bool:
    """Whether the table holds, for every day, the journeys of the right file: the last, but for what never came."""
    planted = {p: one.what for one in made.planted for p in one.periods}
    wanted: dict[str, int] = {}
    for place in sorted(made.drop.iterdir(), key=lambda p: p.stat().st_mtime):
        day = date(int(place.name[3:7]), int(place.name[7:9]), int(place.name[9:11])).isoformat()
        lines = place.read_text().splitlines()[1:]
        wanted[day] = sum(int(line.rpartition(",")[2]) for line in lines)
    wanted = {day: n for day, n in wanted.items() if planted.get(day) != "outage"}
    with ran.site.store.read() as connection:
        release = releases.get(connection, "mobility_flows")
    files = ran.site.lake.files(release.dataset, release.snapshot)
    ran.site.engine.load("flows", Stored(files, sealed=False))
    sums = ran.site.engine.rows('SELECT "date"::VARCHAR AS day, sum(trips)::BIGINT AS n FROM flows GROUP BY 1')
    return {r["day"]: r["n"] for r in sums.to_pylist()} == wanted


def _by_measures(engine: Any, *, seed: int, year: int, planted: bool) -> dict[str, Any]:
    """A year by its measures alone, without a list of holidays: what is grave or told on which days."""
    past: dict[str, Past] = {}
    grave, told = set[str](), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        made = mobility.write_year(Path(folder), people=PEOPLE, seed=seed, year=year, planted=planted)
        for place in sorted(made.drop.iterdir(), key=lambda p: p.stat().st_mtime):
            day = datetime.strptime(place.name[3:11], "%Y%m%d")
            engine.load("day", Held(csv.read_csv(place)))
            now = measure(engine, contract(), relation="day", volume="", period=(day, day + timedelta(1)))
            period = day.date().isoformat()
            before = [past[p] for p in sorted(past, reverse=True) if p < period][: WINDOW[Every.DAY]]
            found = surprises(Past(period, now), before, every=Every.DAY)
            stops = any(s.grave for s in found)
            grave |= {period} if stops else set()
            told |= {period} if found else set()
            if not stops or any(s.kind is Unlike.CODES for s in found):  # new codes are accepted
                past[period] = Past(period, now)
    wrong = {p for one in made.planted for p in one.periods}
    seen = {"outage", "day before, dated anew", "every row twice", "boundary", "copy of the day before"}
    wanted = {p for one in made.planted if one.what in seen for p in one.periods}
    return {"seed": seed, "year": year, "planted": len(wanted), "found": len(wanted & grave),
            "clean_days_stopped": len(grave - wrong), "clean_days_told": len(told - wrong)}  # fmt: skip


def run() -> bool:
    """Run the year and the other years; returns whether every mark was met."""
    with tempfile.TemporaryDirectory() as folder:
        cpu = time.process_time()
        made = mobility.write_year(Path(folder), people=PEOPLE, seed=SEED, year=YEAR)
        with ran(Path(folder), made) as done:
            cpu = time.process_time() - cpu
            flagged, right = _flagged(done, made), _right(done, made)
            others = [
                _by_measures(done.site.engine, seed=s, year=y, planted=p) for s, y in OTHERS for p in (False, True)
            ]
            wrong = {p for one in made.planted for p in one.periods}
            stopped = [s for s in done.stopped if s[0] not in wrong]
            table("planted", flagged)
            table("other years, by measures alone, no holidays listed", others)
            first, last = median(done.looks[:30]), median(done.looks[-30:])
            told = {"looks": len(done.looks), "median_s": median(done.looks), "first_30_s": first, "last_30_s": last}
            table("a year", [told | {"cpu_s": cpu}])
    return marks({
        "all that is planted is flagged": all(f["flagged"] == f["days"] for f in flagged),
        "no false stop on a clean day": not stopped,
        "the table holds the right file of every day": right,
        "other years: all found": all(o["found"] == o["planted"] for o in others),
        "other years: no false stop": not any(o["clean_days_stopped"] for o in others),
    })  # fmt: skip
