"""People: who they are, where they live and lived, who died or left, how hard they are to record well."""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen import families, identifiers
from integrated_data.specimen.addresses import COMMUNAL, Addresses
from integrated_data.specimen.areas import Areas
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, pick_by_group, stream
from integrated_data.specimen.households import COUPLE, MALE, RESIDENT, SHARED, SINGLE, Members
from integrated_data.specimen.names import TRADITIONS
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import CENSUS_DAY, NO_DAY, YEAR, Text

RESIDENT_NOW, DEAD, EMIGRATED = range(3)
#: NHS letter codes of ethnic groups and their names (Census 2001 grouping, as hospitals use).
ETHNIC_GROUPS = {
    "A": "White British", "B": "White Irish", "C": "Any other White background",
    "D": "White and Black Caribbean",
    "E": "White and Black African", "F": "White and Asian", "G": "Any other mixed background", "H": "Indian",
    "J": "Pakistani", "K": "Bangladeshi", "L": "Any other Asian background", "M": "Caribbean", "N": "African",
    "P": "Any other Black background", "R": "Chinese", "S": "Any other ethnic group",
}  # fmt: skip
#: Countries of birth abroad by tradition.
BIRTH_COUNTRIES = {
    "british": "South Africa", "scottish": "Australia", "irish": "Ireland", "welsh": "Australia",
    "muslim_south_asian": "Pakistan",
    "sikh": "India", "hindu": "India", "east_european": "Poland", "chinese": "China", "nigerian": "Nigeria",
    "ghanaian": "Ghana", "somali": "Somalia", "arabic": "Iraq", "iberian": "Portugal",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class People:
    """One entry a person; a position in these arrays is the person's true id. Days count from 1970-01-01."""

    members: Members
    names: families.Names
    #: true birth day, with 1 January for those whose day is not known
    birth_day: Ints
    #: the address before the present one (-1: none known) and the day of the move (`NO_DAY`)
    previous_address: Ints
    moved_day: Ints
    status: Ints
    left_day: Ints
    born_abroad: Bools
    arrived_day: Ints
    ethnic_group: Ints
    nhs_number: Text
    national_insurance: Text
    #: LSOA, district and region, and 1 (most deprived) to 10
    lsoa: Ints
    district: Ints
    region: Ints
    decile: Ints
    #: multiplier of the chance of an error, for everything and for names
    difficulty: Floats
    name_difficulty: Floats

    def __len__(self) -> int:
        """Return the number of persons, residents and departed."""
        return len(self.birth_day)

    @property
    def years(self) -> Floats:
        """Age on the census day in years."""
        return np.asarray((CENSUS_DAY - self.birth_day) / YEAR)

    @property
    def young_man(self) -> Bools:
        """Men aged 20 to 39."""
        return np.asarray((self.members.sex == MALE) & (self.years >= 20) & (self.years < 40))

    @property
    def mover(self) -> Bools:
        """Moved within two years."""
        return np.asarray((self.moved_day != NO_DAY) & (self.moved_day > CENSUS_DAY - 2 * YEAR))

    @property
    def recent_immigrant(self) -> Bools:
        """Arrived within two years."""
        return np.asarray((self.arrived_day != NO_DAY) & (self.arrived_day > CENSUS_DAY - 2 * YEAR))

    @property
    def resident(self) -> Bools:
        """Lives in the country on the census day."""
        return np.asarray(self.status == RESIDENT_NOW)


def build(seed: int, members: Members, *, areas: Areas, addresses: Addresses, rates: Rates, people: int) -> People:
    """Name people and give each a history."""
    rng = stream(seed, "people")
    rows = len(members.household)
    named = families.build(seed, members, rates=rates)
    years = (CENSUS_DAY - members.birth_day) / YEAR
    abroad, arrived = _migration(rng, members, years=years, rates=rates)
    unknown = np.array([rates.unknown_birthday.get(name, 0.0) for name in TRADITIONS])[members.tradition]
    birth_day = np.where(abroad & happens(rng, unknown, rows=rows), _january(members.birth_day), members.birth_day)
    place = areas.ancestors(addresses.oa[members.address])
    earlier = _other_dwellings(rng, members, addresses=addresses, areas=areas, rates=rates)
    previous, moved = _moves(rng, members, years=years, arrived=arrived, earlier=earlier, rates=rates)
    status, left = _departures(rng, years, arrived=arrived, people=people, rates=rates)
    groups = list(ETHNIC_GROUPS)
    table = np.array([[rates.ethnic_group[name].get(group, 0.0) for group in groups] for name in TRADITIONS])
    ethnic = pick_by_group(rng, table, group=members.tradition)
    decile = areas.decile[place["lsoa"]]
    by_tradition = np.array(list(rates.tradition_error.values()))[members.tradition]
    young = (members.sex == MALE) & (years >= 20) & (years < 40)
    mover = (moved != NO_DAY) & (moved > CENSUS_DAY - 2 * YEAR)
    of_name = by_tradition * np.where(young, rates.young_man_error, 1.0)
    overall = of_name * np.where(mover, rates.mover_error, 1.0) * np.where(decile <= 3, rates.deprived_error, 1.0)
    return People(
        members, named, birth_day, previous, moved, status, left, abroad, arrived, ethnic,
        identifiers.nhs_numbers(rng, rows), identifiers.national_insurance_numbers(rng, rows),
        place["lsoa"], place["district"], place["region"], decile,
        np.minimum(overall, rates.difficulty_cap), np.minimum(of_name, rates.difficulty_cap),
    )  # fmt: skip


def _january(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)


def _migration(rng: np.random.Generator, members: Members, *, years: Floats, rates: Rates) -> tuple[Bools, Ints]:
    rows = len(years)
    chance = np.array([rates.born_abroad[name] for name in TRADITIONS])[members.tradition]
    abroad = happens(rng, np.where(years < 16, chance / 5, chance), rows=rows)
    recent = happens(rng, rates.recent_immigrant * np.where(years < 40, 1.6, 0.4), rows=rows)
    ago = np.where(recent, 2 * rng.random(rows), np.minimum(years, 50) * rng.beta(1.2, 1.8, rows))
    arrived = CENSUS_DAY - np.rint(np.minimum(ago, years) * YEAR).astype(np.int64)
    return abroad, np.where(abroad, arrived, NO_DAY)


def _moves(
    rng: np.random.Generator,
    members: Members,
    *,
    years: Floats,
    arrived: Ints,
    earlier: tuple[Ints, Ints],
    rates: Rates,
) -> tuple[Ints, Ints]:
    """Return the previous address and the day of the last move within ten years, by family or alone.

    `earlier` holds a dwelling for each person and one for each household, to have lived in before.
    """
    rows = len(years)
    houses = int(members.household[-1]) + 1
    rate = -np.log1p(-rates.moved_in_year * np.where((years >= 18) & (years < 32), rates.moved_young_factor, 1.0))
    alone = rng.exponential(1.0, rows) / rate
    alone = np.where(years > 65, alone * 2.5, alone)
    together = np.full(houses, np.inf)
    np.minimum.at(together, members.household, np.where(members.role == 0, alone, np.inf))
    single = np.isin(members.kind, (SINGLE, SHARED)) | (members.role == RESIDENT)
    apart = (members.kind == COUPLE) & happens(rng, 0.35, rows=rows)
    ago = np.where(single | apart, alone, together[members.household])
    some = (ago < 10) & (ago < years)
    moved = CENSUS_DAY - np.rint(np.where(some, ago, 0) * YEAR).astype(np.int64) - 1
    some &= moved > arrived
    own, shared = earlier
    previous = np.where(single | apart, own, shared[members.household])
    some &= previous != members.address
    return np.where(some, previous, -1), np.where(some, moved, NO_DAY)


def _other_dwellings(
    rng: np.random.Generator, members: Members, *, addresses: Addresses, areas: Areas, rates: Rates
) -> tuple[Ints, Ints]:
    """Draw an earlier dwelling for each person and for each household, mostly in the same district."""
    dwellings = np.flatnonzero(addresses.kind < COMMUNAL)
    district = areas.ancestors(addresses.oa[dwellings])["district"]
    edges = np.searchsorted(district, np.arange(len(areas.districts.codes) + 1))
    here = areas.ancestors(addresses.oa[members.address])["district"]
    near = happens(rng, rates.moved_within_district, rows=len(here))
    low, high = np.where(near, edges[here], 0), np.where(near, edges[here + 1], len(dwellings))
    own = dwellings[(low + (high - low) * rng.random(len(here))).astype(np.int64)]
    shared = np.zeros(int(members.household[-1]) + 1, dtype=np.int64)
    shared[members.household[::-1]] = own[::-1]
    return own, shared


def _departures(
    rng: np.random.Generator, years: Floats, *, arrived: Ints, people: int, rates: Rates
) -> tuple[Ints, Ints]:
    """Choose who has died or left within three years, and when; exactly `people` residents remain."""
    rows = len(years)
    gone = rows - people
    dead = round(gone * rates.departed_dead)
    mortal = np.exp((years - 80) / 10.5) + 1e-4
    first = np.argsort(rng.exponential(1.0, rows) / mortal)[:dead]
    restless = np.where(arrived != NO_DAY, 8.0, 1.0) * np.where((years > 18) & (years < 40), 3.0, 1.0)
    restless[first] = 1e-12
    second = np.argsort(rng.exponential(1.0, rows) / restless)[: gone - dead]
    status = np.zeros(rows, dtype=np.int64)
    status[first], status[second] = DEAD, EMIGRATED
    ago = np.minimum(3.0, years) * rng.random(rows)
    left = CENSUS_DAY - 1 - np.rint(ago * YEAR).astype(np.int64)
    return status, np.where(status == RESIDENT_NOW, NO_DAY, left)
