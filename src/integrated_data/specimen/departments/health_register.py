"""Health register: every patient with an NHS number; comma-separated, ISO dates, gender 1, 2 or 9.

It keeps some dead and most emigrants (list inflation), misses recent immigrants, and lags behind moves and
marriages.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import identifiers
from integrated_data.specimen.chance import Bools, Ints, happens, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.people import DEAD, EMIGRATED, RESIDENT_NOW
from integrated_data.specimen.recording import folded_or_none, record, sex_text, with_duplicates
from integrated_data.specimen.text import CENSUS_DAY, NO_DAY, YEAR, Text, blank, choose, dates


def registered(country: Country) -> Bools:
    """Return who is on the register; the same for every department that asks."""
    rng = stream(country.seed, "registration")
    people, rates = country.people, country.rates
    missed = rates.register_missed * np.where(people.young_man, rates.register_missed_young_man, 1.0)
    missed = missed * np.where(people.recent_immigrant, rates.register_missed_recent_immigrant, 1.0)
    kept = np.where(people.status == DEAD, rates.register_keeps_dead, 1 - missed)
    return happens(rng, np.where(people.status == EMIGRATED, rates.register_keeps_emigrant, kept), rows=len(people))


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `health_register.csv`."""
    rng = stream(country.seed, "health_register")
    how = country.rates.health_register
    person, again = with_duplicates(rng, np.flatnonzero(registered(country)), rate=how.duplicate)
    known = record(rng, country, person=person, how=how, again=again)
    people, places = country.people, country.addresses
    number = choose(
        again,
        identifiers.nhs_numbers(stream(country.seed, "second numbers"), len(person)),
        otherwise=people.nhs_number.take(person),
    )
    number = _without_clash(number, again, issued=people.nhs_number)
    ids = identifiers.record_ids(rng, len(person), prefix="P")
    dead = (people.status[person] == DEAD) & happens(rng, country.rates.register_deceased_flag, rows=len(person))
    lines = [folded_or_none(line.take(known.address)) for line in places.envelope]
    table = pa.table({
        "register_id": ids,
        "nhs_number": number,
        "forename": known.forename,
        "middle_names": known.middle,
        "surname": known.surname,
        "previous_surname": _previous_surnames(rng, country, person=person, surname=known.surname),
        "date_of_birth": dates(known.birth_day, "%Y-%m-%d"),
        "gender": sex_text(known.sex, male="1", female="2", missing="9"),
        "address_line_1": lines[0],
        "address_line_2": lines[1],
        "address_line_3": lines[2],
        "address_line_4": lines[3],
        "postcode": known.postcode,
        "gp_practice": practice_codes(country, person),
        "registered_on": dates(_registration_days(rng, country, person=person), "%Y-%m-%d"),
        "deceased": choose(dead, "Y", otherwise="N"),
        "date_of_death": dates(np.where(dead, people.left_day[person], NO_DAY), "%Y-%m-%d"),
    })  # fmt: skip
    table = table.append_column("removed_on", dates(_removal_days(country, person=person), "%Y-%m-%d"))
    table = table.append_column("last_contact", dates(_contact_days(country, person=person), "%Y-%m-%d"))
    truth = truth_of(ids, person_id=person, address_id=known.address, duplicate=again)
    return (Sheet("health_register.csv", "comma", table, "register_id", truth, "health_register"),)


def _removal_days(country: Country, *, person: Ints) -> Ints:
    """Return when each was taken off the list as moved away: some emigrants late, and a few who are still here."""
    rng = stream(country.seed, "removals")
    people, rates = country.people, country.rates
    status, left = people.status[person], people.left_day[person]
    noted = (status == EMIGRATED) & happens(rng, rates.register_embarkation_known, rows=len(person))
    wrong = (status == RESIDENT_NOW) & happens(rng, rates.register_removed_wrongly, rows=len(person))
    late = left + rng.integers(20, 300, len(person))
    listed = CENSUS_DAY - rng.integers(1, 730, len(person))
    day = np.where(noted, late, listed).astype(np.int64)
    return np.where((noted | wrong) & (day < CENSUS_DAY), day, NO_DAY)


def _contact_days(country: Country, *, person: Ints) -> Ints:
    """Return when a practice last saw each: before they died or left, and after they were born or came."""
    rng = stream(country.seed, "contacts")
    people, rates = country.people, country.rates
    last = np.where(people.status[person] == RESIDENT_NOW, CENSUS_DAY - 1, people.left_day[person])
    years = rates.contact_years * np.where(people.young_man[person], rates.contact_years_young_man, 1.0)
    day = last - (rng.exponential(1.0, len(person)) * years * YEAR).astype(np.int64)
    came = np.where(people.arrived_day[person] == NO_DAY, people.birth_day[person], people.arrived_day[person])
    return np.where((day > came) & (day > CENSUS_DAY - 6 * YEAR), day, NO_DAY).astype(np.int64)


def practice_codes(country: Country, person: Ints) -> Text:
    """Return each person's practice: about one for 8,000 people, by district."""
    people = country.people
    of_district = np.maximum(1, np.bincount(people.district) // 8_000)
    start = np.cumsum(of_district) - of_district
    practice = start[people.district] + people.lsoa % of_district[people.district]
    codes = [
        f"{'ABCDEFGHJKLMNPWY'[place % 16]}8{place // 16 % 10}{place % 1_000:03d}"
        for place in range(int(of_district.sum()))
    ]
    return pa.array(codes).take(practice[person])


def _without_clash(number: Text, again: Bools, *, issued: Text) -> Text:
    """Blank second numbers that somebody else holds (a few in a million)."""
    clash = pc.is_in(number, value_set=issued).to_numpy(zero_copy_only=False) & again
    return blank(number, clash)


def _previous_surnames(rng: np.random.Generator, country: Country, *, person: Ints, surname: Text) -> Text:
    """Return the name at birth for some whose name changed, where it is not the one already written."""
    names = country.people.names
    before = names.birth_surname.take(person)
    changed = (names.changed_day[person] != NO_DAY) & happens(
        rng, country.rates.previous_surname_known, rows=len(person)
    )
    same = pc.equal(before, surname).to_numpy(zero_copy_only=False)
    return folded_or_none(blank(before, ~changed | same))


def _registration_days(rng: np.random.Generator, country: Country, *, person: Ints) -> Ints:
    """Return when each joined the practice: after the last move, arrival or birth."""
    people = country.people
    start = np.maximum(
        people.birth_day[person],
        np.where(people.arrived_day[person] == NO_DAY, 0, people.arrived_day[person]),
    )
    start = np.maximum(
        start, np.where(people.moved_day[person] == NO_DAY, CENSUS_DAY - 9_000, people.moved_day[person])
    )
    last = np.where(people.left_day[person] == NO_DAY, CENSUS_DAY - 1, people.left_day[person])
    return np.minimum(start + rng.integers(1, 200, len(person)), last)
