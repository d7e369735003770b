"""Jobs: who works, for whom, as what, for how much; conditions and deprivation lower the chance of work."""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen.businesses import Businesses, industries
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, pick, pick_by_group, stream
from integrated_data.specimen.health import Health
from integrated_data.specimen.households import FEMALE
from integrated_data.specimen.people import People
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import CENSUS_DAY, YEAR
from integrated_data.specimen.words import records

EMPLOYED, UNEMPLOYED, INACTIVE = 1, 2, 3
STUDENT, RETIRED, SICK, HOME, OTHER = range(5)


@dataclass(frozen=True, slots=True)
class Occupation:
    """One SOC 2020 unit group; `titles` as people write them (the last is in no index), pounds a year."""

    code: str
    name: str
    share: float
    pay: float
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """Economic activity of every person, and one entry a job (first jobs before second ones).

    `activity` is 1 employed, 2 unemployed, 3 inactive (ILO), `reason` why inactive; pay in pence a year.
    """

    activity: Ints
    reason: Ints
    self_employed: Bools
    person: Ints
    business: Ints
    occupation: Ints
    hours: Ints
    annual_pence: Ints
    started_day: Ints
    employees: Ints


def occupations() -> tuple[Occupation, ...]:
    """Return the occupations of the country (pay after published medians, rounded)."""
    return tuple(
        Occupation(code, name, float(share), float(pay) * 1_000, tuple(titles.split(";")))
        for code, name, share, pay, titles in records("occupations")
    )


def build(seed: int, people: People, *, health: Health, businesses: Businesses, rates: Rates) -> Work:
    """Decide who works and give those who do one or two jobs."""
    rng = stream(seed, "jobs")
    activity, reason = _activity(rng, people, health=health, rates=rates)
    worker = np.flatnonzero(activity == EMPLOYED)
    alone = np.zeros(len(people), dtype=bool)
    alone[worker[happens(rng, rates.self_employed, rows=len(worker))]] = True
    employee = worker[~alone[worker]]
    second = employee[happens(rng, rates.second_job, rows=len(employee))]
    person = np.concatenate([employee, second])
    business = _employers(rng, people, businesses=businesses, person=person)
    occupation = draw_occupations(rng, businesses.industry[business])
    hours, pence = _pay(
        rng, people, person=person, occupation=occupation, second=np.arange(len(person)) >= len(employee)
    )
    tenure = np.minimum(rng.gamma(0.9, 6.0, len(person)), np.maximum(people.years[person] - 16, 0.05))
    started = CENSUS_DAY - np.rint(tenure * YEAR).astype(np.int64) - 1
    staff = np.bincount(business, minlength=len(businesses))
    return Work(activity, reason, alone, person, business, occupation, hours, pence, started, staff)


def _activity(rng: np.random.Generator, people: People, *, health: Health, rates: Rates) -> tuple[Ints, Ints]:
    """Apply odds: age and sex, then conditions, then the place's deprivation."""
    years = people.years
    rows = len(years)
    woman = people.members.sex == FEMALE
    base = np.interp(years, [15.9, 16, 18, 21, 25, 30, 50, 58, 63, 66, 70, 76, 80],
                     [0, 0.22, 0.42, 0.70, 0.88, 0.93, 0.93, 0.86, 0.68, 0.34, 0.14, 0.04, 0])  # fmt: skip
    base = base * rates.in_work_healthy / 0.84 * np.where(woman & (years > 24) & (years < 60), 0.94, 1.0)
    odds = base / (1 - np.minimum(base, 0.995)) * health.work_odds * np.exp(0.075 * (people.decile - 5.5))
    working = (rng.random(rows) < odds / (1 + odds)) & people.resident
    adult = (years >= 16) & (years < 66)
    sick = adult & (rng.random(rows) < 1 - health.work_odds**0.8)
    student = adult & (years < 23) & (rng.random(rows) < 0.82)
    seeking = adult & ~sick & ~student & (rng.random(rows) < 0.27)
    activity = np.where(working, EMPLOYED, np.where(seeking, UNEMPLOYED, INACTIVE))
    home = np.where(rng.random(rows) < np.where(woman, 0.62, 0.22), HOME, OTHER)
    reason = np.where(years >= 66, RETIRED, np.where(student, STUDENT, np.where(sick, SICK, home)))
    early = (years >= 55) & (years < 66) & (reason >= HOME) & (rng.random(rows) < 0.55)
    return activity.astype(np.int64), np.where(early, RETIRED, reason).astype(np.int64)


def _employers(rng: np.random.Generator, people: People, *, businesses: Businesses, person: Ints) -> Ints:
    """Draw employers by size, two in three within the district where people live."""
    weight = np.where(businesses.live, businesses.size, 0.0)
    found = pick(rng, weight, rows=len(person))
    near = happens(rng, 0.66, rows=len(person))
    home = people.district[person]
    for district in range(int(home.max()) + 1):
        local = np.flatnonzero(businesses.district == district)
        rows = np.flatnonzero(near & (home == district))
        if len(local) and len(rows) and weight[local].sum() > 0:
            found[rows] = local[pick(rng, weight[local], rows=len(rows))]
    return found


def draw_occupations(rng: np.random.Generator, industry: Ints) -> Ints:
    """Draw an occupation that the industry has, mostly a usual one, sometimes any office or support job."""
    jobs = occupations()
    place = {job.code: order for order, job in enumerate(jobs)}
    share = np.array([job.share for job in jobs])
    table = np.zeros((len(industries()), len(jobs)))
    for row, trade in enumerate(industries()):
        usual = [place[code] for code in trade.occupations]
        table[row, usual] = share[usual] + 2.0
        everywhere = [place[code] for code in ("4159", "4122", "9223", "3556", "4216", "2440")]
        table[row, everywhere] += 0.02 * table[row].sum()
    return pick_by_group(rng, table, group=industry)


def _pay(
    rng: np.random.Generator, people: People, *, person: Ints, occupation: Ints, second: Bools
) -> tuple[Ints, Ints]:
    """Return weekly hours and annual pay in pence: occupation, hours, experience, sex and region."""
    rows = len(person)
    median = np.array([job.pay for job in occupations()])[occupation]
    woman = people.members.sex[person] == FEMALE
    part = (rng.random(rows) < np.where(woman, 0.37, 0.13)) | second
    hours = np.where(part, rng.integers(8, 29, rows), rng.integers(35, 45, rows))
    years = people.years[person]
    experience: Floats = np.interp(years, [16, 22, 30, 45, 60, 75], [0.55, 0.75, 0.95, 1.08, 1.02, 0.85])
    capital = np.where(people.region[person] == 3, 1.16, 1.0)
    annual = (
        1.15 * median * hours / 38 * experience * capital * np.where(woman, 0.95, 1.02) * rng.lognormal(0, 0.24, rows)
    )
    return hours.astype(np.int64), np.rint(annual * 100).astype(np.int64)
