"""Households and who is in them: kinds, ages, sexes, twins, grandparents, sharers, care homes and halls."""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen.addresses import COMMUNAL, PREMISES, Addresses
from integrated_data.specimen.areas import SCOTTISH_REGION, WELSH_REGION, Areas
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, pick, pick_by_group, stream
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import CENSUS_DAY, YEAR

SINGLE, COUPLE, FAMILY, LONE_PARENT, GROWN, LONE_GROWN, SHARED, EXTENDED, CARE_HOME, HALL = range(10)
HEAD, PARTNER, CHILD, GRANDPARENT, SHARER, RESIDENT = range(6)
MALE, FEMALE = 1, 2

#: Share of households by kind (single … extended): Census 2021 household composition, rounded.
_KIND_SHARE = np.array([0.310, 0.285, 0.170, 0.090, 0.052, 0.030, 0.045, 0.018])
#: Traditions with more families and extended families than average, and larger ones: Census 2021, rounded.
_FAMILIAL = {"muslim_south_asian", "sikh", "hindu", "somali", "nigerian", "ghanaian", "arabic"}
_LARGE = {"muslim_south_asian", "somali", "arabic"}
_CHILDREN = np.array([[0.40, 0.41, 0.14, 0.04, 0.01], [0.20, 0.30, 0.26, 0.15, 0.09]])


@dataclass(frozen=True, slots=True)
class Members:
    """One entry a person, household by household; `kind` and `address` repeat the household's."""

    household: Ints
    kind: Ints
    role: Ints
    sex: Ints
    birth_day: Ints
    tradition: Ints
    address: Ints
    same_sex_couple: Bools


def communal_homes(people: int) -> int:
    """Return how many care homes and halls a country of this size has."""
    return care_homes(people) + people // 6_000


def care_homes(people: int) -> int:
    """Return how many of the communal homes are care homes (about 0.8 % of people live in one)."""
    return max(1, people // 2_600)


def build(seed: int, areas: Areas, *, addresses: Addresses, rates: Rates, people: int) -> Members:
    """Fill dwellings until `people` persons, and those who will have left, live there."""
    rng = stream(seed, "households")
    total = round(people * (1 + rates.departed))
    address, kind = _places(rng, addresses, people=people, total=total, rates=rates)
    tradition = _household_traditions(rng, areas, oa=addresses.oa[address], rates=rates)
    kind = _kinds(rng, kind, tradition=tradition, rates=rates)
    large = np.isin(tradition, _positions(_LARGE, rates)).astype(np.int64)
    kids = _children(rng, kind, large=large)
    others = _others(rng, kind)
    adults = np.where(np.isin(kind, (COUPLE, FAMILY, GROWN, EXTENDED)), 2, np.where(kind >= SHARED, 0, 1))
    adults = np.where(kind == EXTENDED, 2, adults)
    size = adults + kids + others
    keep = int(np.searchsorted(np.cumsum(size), total)) + 1
    household = np.repeat(np.arange(keep), size[:keep])[:total]
    position = np.arange(total) - np.searchsorted(household, household, side="left")
    role = _roles(household, position, kind=kind, adults=adults, kids=kids)
    gay = happens(rng, rates.same_sex_couple, rows=keep)[household] & np.isin(kind[household], (COUPLE, FAMILY))
    ages = _ages(rng, household, role=role, kind=kind, rates=rates)
    sex = _sexes(rng, role, kind=kind[household], years=ages / YEAR, two_women=gay & (household % 2 == 0))
    sex = np.where(gay & (household % 2 == 1) & (role == PARTNER), MALE, sex)
    own = _traditions(rng, household, role=role, tradition=tradition, rates=rates)
    return Members(household, kind[household], role, sex, CENSUS_DAY - ages, own, address[household], gay)


def _places(
    rng: np.random.Generator, addresses: Addresses, *, people: int, total: int, rates: Rates
) -> tuple[Ints, Ints]:
    """Return an address for each household, communal homes first; dwellings are shared when they run out."""
    homes = np.flatnonzero(addresses.kind == COMMUNAL)
    dwellings = rng.permutation(np.flatnonzero(addresses.kind < COMMUNAL))
    assert addresses.kind.max() <= PREMISES
    needed = round(total / (rates.people_per_household - 0.4)) + 50
    address = np.concatenate([homes, dwellings[np.arange(needed) % len(dwellings)]])
    kind = np.full(len(address), -1)
    kind[: len(homes)] = np.where(np.arange(len(homes)) < care_homes(people), CARE_HOME, HALL)
    return address, kind


def _positions(names: set[str], rates: Rates) -> list[int]:
    return [position for position, name in enumerate(rates.tradition_share) if name in names]


def _household_traditions(rng: np.random.Generator, areas: Areas, *, oa: Ints, rates: Rates) -> Ints:
    """Draw each household's tradition by how mixed its LSOA is and which region it lies in."""
    names = list(rates.tradition_share)
    table = np.tile(np.array(list(rates.tradition_share.values())), (len(areas.lsoas.codes), 1))
    region = areas.ancestors(np.searchsorted(areas.oas.parent, np.arange(len(table))))["region"]
    home = np.array([name in {"british", "scottish", "irish", "welsh"} for name in names])
    table[:, ~home] *= areas.minority[:, None]
    table[:, names.index("scottish")] *= np.where(region == SCOTTISH_REGION, 4.0, 0.7)
    table[:, names.index("welsh")] *= np.where(region == WELSH_REGION, 14.0, 0.45)
    return pick_by_group(rng, table, group=areas.oas.parent[oa])


def _kinds(rng: np.random.Generator, kind: Ints, *, tradition: Ints, rates: Rates) -> Ints:
    table = np.tile(_KIND_SHARE, (len(rates.tradition_share), 1))
    familial = _positions(_FAMILIAL, rates)
    table[np.ix_(familial, [FAMILY, LONE_PARENT, GROWN])] *= 1.7
    table[np.ix_(familial, [EXTENDED])] *= 4.0
    return np.where(kind >= 0, kind, pick_by_group(rng, table, group=tradition))


def _children(rng: np.random.Generator, kind: Ints, *, large: Ints) -> Ints:
    drawn = pick_by_group(rng, _CHILDREN, group=large) + 1
    some = np.isin(kind, (FAMILY, LONE_PARENT, EXTENDED))
    grown = np.isin(kind, (GROWN, LONE_GROWN))
    return np.where(some, drawn, np.where(grown, np.minimum(drawn, 2), 0))


def _others(rng: np.random.Generator, kind: Ints) -> Ints:
    """Return how many sharers, residents of a home, or grandparents each household has."""
    rows = len(kind)
    found = np.where(kind == SHARED, rng.integers(2, 6, rows), 0)
    found = np.where(kind == EXTENDED, rng.integers(1, 3, rows), found)
    found = np.where(kind == CARE_HOME, rng.integers(12, 34, rows), found)
    return np.where(kind == HALL, rng.integers(30, 70, rows), found)


def _roles(household: Ints, position: Ints, *, kind: Ints, adults: Ints, kids: Ints) -> Ints:
    its_kind, its_adults = kind[household], adults[household]
    role = np.where(position < its_adults, np.minimum(position, PARTNER), CHILD)
    beyond = position >= its_adults + kids[household]
    other = np.where(its_kind == EXTENDED, GRANDPARENT, np.where(its_kind == SHARED, SHARER, RESIDENT))
    return np.where(beyond, other, role).astype(np.int64)


def _child_ages(rng: np.random.Generator, household: Ints, *, child: Bools, kind: Ints, rates: Rates) -> Ints:
    """Return ages in days, youngest first; brothers and sisters a year or more apart unless twins."""
    rows = len(household)
    houses = len(kind)
    grown = np.isin(kind, (GROWN, LONE_GROWN))
    youngest = np.where(grown, 18.0 + 9.0 * rng.beta(1.0, 1.6, houses), 17.5 * rng.random(houses))
    gap = np.rint((1.05 + rng.gamma(1.6, 1.15, rows)) * YEAR)
    gap[happens(rng, rates.twin_sibling, rows=rows)] = 0
    after_another = np.concatenate([[False], child[:-1] & (np.diff(household) == 0)])
    first_child = child & ~after_another
    gap[first_child | ~child] = 0
    running = np.cumsum(gap)
    start = np.zeros(houses)
    start[household[first_child]] = running[first_child]
    days: Ints = np.rint(youngest[household] * YEAR + running - start[household]).astype(np.int64)
    return days


def _head_years(rng: np.random.Generator, kind: Ints) -> Floats:
    """Return the age of the reference person where no child decides it, in years."""
    rows = len(kind)
    alone = np.array([[0.31, 0.28, 0.41], [0.24, 0.33, 0.43]])[(kind == COUPLE).astype(int)]
    band = np.sum(rng.random(rows)[:, None] > np.cumsum(alone, axis=1), axis=1).clip(0, 2)
    low, width = np.array([22.0, 45.0, 65.0])[band], np.array([23.0, 20.0, 30.0])[band]
    return np.asarray(low + width * np.where(band == 2, rng.beta(1.1, 1.9, rows), rng.random(rows)))


def _ages(rng: np.random.Generator, household: Ints, *, role: Ints, kind: Ints, rates: Rates) -> Ints:
    """Return everybody's age in days on the census day."""
    rows, houses = len(household), len(kind)
    child_days = _child_ages(rng, household, child=role == CHILD, kind=kind, rates=rates)
    eldest = np.zeros(houses)
    np.maximum.at(eldest, household[role == CHILD], child_days[role == CHILD] / YEAR)
    mother = eldest + np.clip(rng.normal(28.3, 5.4, houses), 16.2, 44.5)
    head = np.where(eldest > 0, mother, _head_years(rng, kind))
    older = np.clip(rng.normal(2.2, 4.0, houses), -9, 22)
    couple = np.isin(kind, (COUPLE, FAMILY, GROWN, EXTENDED))
    years = np.where(couple, np.maximum(head + older, 17.5), head)[household]
    years = np.where(role == PARTNER, head[household], years)
    years = np.where(role == GRANDPARENT, (eldest + 54)[household] + rng.normal(2, 5, rows), years)
    years = np.where(role == SHARER, 18.5 + rng.gamma(2.0, 4.2, rows), years)
    in_hall = kind[household] == HALL
    resident = np.where(in_hall, 18.1 + 3.6 * rng.beta(1.2, 1.8, rows), 66 + 36 * rng.beta(3.2, 2.2, rows))
    years = np.where(role == RESIDENT, resident, years)
    days = np.rint(np.clip(years, 16.1, 105.5) * YEAR) + rng.integers(0, 200, rows)
    return np.where(role == CHILD, child_days, days).astype(np.int64)


def _sexes(rng: np.random.Generator, role: Ints, *, kind: Ints, years: Floats, two_women: Bools) -> Ints:
    rows = len(role)
    female = np.full(rows, 0.49)
    alone = (role == HEAD) & (kind == SINGLE)
    female = np.where(alone, np.where(years < 45, 0.38, np.where(years < 65, 0.46, 0.64)), female)
    female = np.where((role == HEAD) & np.isin(kind, (LONE_PARENT, LONE_GROWN)), 0.86, female)
    female = np.where((role == HEAD) & np.isin(kind, (COUPLE, FAMILY, GROWN, EXTENDED)), 0.0, female)
    female = np.where((role == PARTNER) | (two_women & (role == HEAD)), 1.0, female)
    female = np.where((role == GRANDPARENT) | (kind == CARE_HOME), 0.66, female)
    return np.where(rng.random(rows) < female, FEMALE, MALE).astype(np.int64)


def _traditions(rng: np.random.Generator, household: Ints, *, role: Ints, tradition: Ints, rates: Rates) -> Ints:
    """Return each person's tradition: the head's, or another in mixed couples and shared dwellings."""
    rows, houses = len(household), int(household[-1]) + 1
    share = np.array(list(rates.tradition_share.values()))
    head = tradition[:houses]
    partner = np.where(happens(rng, rates.mixed_couple, rows=houses), pick(rng, share, rows=houses), head)
    child = np.where(happens(rng, 0.4, rows=houses), partner, head)
    stranger = np.where(happens(rng, 0.5, rows=rows), pick(rng, share, rows=rows), head[household])
    own = np.where(role == PARTNER, partner[household], np.where(role == CHILD, child[household], head[household]))
    return np.where(np.isin(role, (SHARER, RESIDENT)), stranger, own).astype(np.int64)
