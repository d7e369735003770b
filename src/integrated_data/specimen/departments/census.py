"""Census of 21 March 2021: names, dd/mm/yyyy, sex M or F, one address line; nobody has an NHS number.

It misses young men, movers, deprived areas and minorities more, and counts some twice.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import identifiers
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.households import CHILD, GRANDPARENT, HEAD, PARTNER, RESIDENT
from integrated_data.specimen.jobs import EMPLOYED, UNEMPLOYED
from integrated_data.specimen.names import TRADITIONS
from integrated_data.specimen.people import BIRTH_COUNTRIES
from integrated_data.specimen.recording import (
    folded_or_none,
    loose_postcode,
    record,
    sex_text,
    with_duplicates,
)
from integrated_data.specimen.text import Text, choose, column, dates

#: Codes in the delivery: 1 employee … 8 other (those under 16 are blank), and relationship to person 1.
ECONOMIC_ACTIVITY = ("Employee", "Self-employed", "Unemployed", "Student", "Retired",
    "Long-term sick or disabled",
                     "Looking after home or family", "Other")  # fmt: skip
_RELATIONSHIPS = (
    "Person 1",
    "Husband, wife or partner",
    "Son or daughter",
    "Parent or parent-in-law",
    "Unrelated",
    "Resident",
)


def counted(country: Country) -> Bools:
    """Return who was counted: some households are missed together, some people one by one."""
    rng = stream(country.seed, "census coverage")
    chance = missed_chance(country)
    people, rates = country.people, country.rates
    household = people.members.household
    average = np.bincount(household, chance) / np.maximum(np.bincount(household), 1)
    together = happens(rng, rates.census_missed_together * average, rows=len(average))[household]
    single = happens(rng, (1 - rates.census_missed_together) * chance, rows=len(people))
    return people.resident & ~together & ~single


def missed_chance(country: Country) -> Floats:
    """Return each person's chance of being missed, by the rates."""
    people, rates = country.people, country.rates
    tradition = np.array(list(rates.tradition_error.values()))[people.members.tradition]
    chance = rates.census_missed * (1 + 0.6 * (tradition - 1))
    chance = chance * np.where(people.young_man, rates.census_missed_young_man, 1.0)
    chance = chance * np.where(people.mover, rates.census_missed_mover, 1.0)
    return np.asarray(chance * np.where(people.decile <= 3, rates.census_missed_deprived, 1.0))


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `census.csv`."""
    rng = stream(country.seed, "census")
    how = country.rates.census
    person, again = with_duplicates(rng, np.flatnonzero(counted(country)), rate=how.duplicate)
    known = record(rng, country, person=person, how=how, again=again)
    people = country.people
    rows = len(person)
    ids = identifiers.record_ids(rng, rows, prefix="R")
    houses = identifiers.record_ids(rng, int(people.members.household[-1]) + 1, prefix="H")
    full = country.addresses.one_line.take(known.address)
    short = country.addresses.short_line.take(known.address)
    address = choose(happens(rng, how.address_abbreviated, rows=rows), short, otherwise=full)
    capitals = rng.random(rows) < country.rates.census_capitals
    table = pa.table({
        "resident_id": ids,
        "household_id": houses.take(people.members.household[person]),
        "first_name": choose(capitals, pc.utf8_upper(known.forename), otherwise=known.forename),
        "last_name": choose(capitals, pc.utf8_upper(known.surname), otherwise=known.surname),
        "dob": dates(known.birth_day, "%d/%m/%Y"),
        "sex": sex_text(known.sex, male="M", female="F", missing=None),
        "relationship": column(_RELATIONSHIPS).take(_relationship(people.members.role[person])),
        "full_address": folded_or_none(address),
        "postcode": loose_postcode(rng, known.postcode, share=country.rates.census_postcode_tight),
        "ethnic_group": pa.array(people.ethnic_group[person] + 1),
        "country_of_birth": birth_countries(country, person),
        "general_health": pa.array(country.health.general[person]),
        "economic_activity": pa.array(_activity(country, person), mask=people.years[person] < 16),
    })  # fmt: skip
    truth = truth_of(ids, person_id=person, address_id=known.address, duplicate=again)
    return (Sheet("census.csv", "comma", table, "resident_id", truth, "census"),)


def birth_countries(country: Country, person: Ints) -> Text:
    """Return countries of birth: at home, Wales for some, or one of the tradition."""
    people = country.people
    abroad = column([BIRTH_COUNTRIES[name] for name in TRADITIONS]).take(people.members.tradition[person])
    return choose(people.born_abroad[person], abroad, otherwise="United Kingdom")


def _relationship(role: Ints) -> Ints:
    order = np.array([HEAD, PARTNER, CHILD, GRANDPARENT, 4, RESIDENT])
    return order[role]


def _activity(country: Country, person: Ints) -> Ints:
    work = country.work
    activity = work.activity[person]
    inactive = np.array([4, 5, 6, 7, 8])[work.reason[person]]
    working = np.where(work.self_employed[person], 2, 1)
    return np.where(activity == EMPLOYED, working, np.where(activity == UNEMPLOYED, 3, inactive)).astype(np.int64)
