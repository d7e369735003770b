"""How a department comes to know a person: the facts as it wrote them down, with its share of error."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from integrated_data.specimen import errors
from integrated_data.specimen.chance import Bools, Floats, Ints, happens
from integrated_data.specimen.country import Country
from integrated_data.specimen.rates import Recording
from integrated_data.specimen.text import (
    CENSUS_DAY,
    NO_DAY,
    YEAR,
    Text,
    blank,
    choose,
    contains,
    folded,
    present,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry a record. `sex` 0 is missing, `birth_day` may be `NO_DAY`; `address` is the one meant."""

    person: Ints
    again: Bools
    forename: Text
    middle: Text
    surname: Text
    birth_day: Ints
    sex: Ints
    address: Ints
    postcode: Text


def with_duplicates(rng: np.random.Generator, person: Ints, *, rate: float) -> tuple[Ints, Bools]:
    """Shuffle persons with the few who appear a second time; return them and which rows are repeats."""
    twice = person[happens(rng, rate, rows=len(person))]
    both = np.concatenate([person, twice])
    order = rng.permutation(len(both))
    return both[order], order >= len(person)


def record(
    rng: np.random.Generator, country: Country, *, person: Ints, how: Recording, again: Bools | None = None
) -> Recorded:
    """Write down what is known of each person. Repeats (`again`) are three times as badly written."""
    repeat = np.zeros(len(person), dtype=bool) if again is None else again
    worse = np.where(repeat, 3.0, 1.0)
    overall = country.people.difficulty[person] * worse
    of_name = country.people.name_difficulty[person] * worse
    forename, middle, surname = _names(rng, country, person=person, how=how, chance=of_name)
    true_sex = country.people.members.sex[person]
    sex = np.where(happens(rng, how.sex_wrong * overall, rows=len(person)), 3 - true_sex, true_sex)
    sex = np.where(happens(rng, how.sex_missing * overall, rows=len(person)), 0, sex)
    address = _addresses(rng, country, person=person, how=how, chance=overall, again=repeat)
    postcode = country.addresses.postcode_text.take(address)
    postcode = errors.mistype_code(rng, postcode, where=happens(rng, how.postcode_typo * overall, rows=len(person)))
    postcode = blank(postcode, happens(rng, how.postcode_missing * overall, rows=len(person)))
    birth = _birth_days(rng, country.people.birth_day[person], how=how, chance=of_name)
    return Recorded(person, repeat, forename, middle, surname, birth, sex.astype(np.int64), address, postcode)


def _names(
    rng: np.random.Generator, country: Country, *, person: Ints, how: Recording, chance: Floats
) -> tuple[Text, Text, Text]:
    rows = len(person)
    people = country.people

    def some(rate: float) -> Bools:
        return happens(rng, rate * chance, rows=rows)

    forename, middle = people.names.forename.take(person), people.names.middle.take(person)
    surname = _surnames(rng, country, person=person, how=how, chance=chance)
    kept = happens(rng, how.accents_kept, rows=rows)
    forename, middle, surname = (
        choose(kept, name, otherwise=folded_or_none(name)) for name in (forename, middle, surname)
    )
    first_middle = pc.replace_substring_regex(middle, " .*", "")
    by_middle = some(how.middle_as_forename) & present(middle) & (people.members.tradition[person] < 4)
    forename, middle = (
        choose(by_middle, first_middle, otherwise=forename),
        choose(by_middle, forename, otherwise=middle),
    )
    forename = errors.pet_form(rng, forename, where=some(how.nickname))
    forename = errors.respell(rng, forename, where=some(how.forename_variant))
    surname = errors.respell(rng, surname, where=some(how.surname_variant))
    parts = contains(surname, "-") | contains(surname, " ") | contains(surname, "'")
    surname = errors.lose_part(rng, surname, where=parts & some(how.part_dropped))
    forename = errors.misspell(rng, forename, where=some(how.forename_typo))
    surname = errors.misspell(rng, surname, where=some(how.surname_typo))
    swapped = some(how.swapped)
    forename, surname = (
        choose(swapped, surname, otherwise=forename),
        choose(swapped, forename, otherwise=surname),
    )
    initial = some(how.initial_only) & ~swapped
    return choose(initial, pc.utf8_slice_codeunits(forename, 0, 1), otherwise=forename), middle, surname


def folded_or_none(values: Text) -> Text:
    """Return a column that may have missing values without its accents."""
    return blank(folded(pc.fill_null(values, "")), ~present(values))


def _surnames(rng: np.random.Generator, country: Country, *, person: Ints, how: Recording, chance: Floats) -> Text:
    """Return present surnames, or the one before for some who changed it within ten years."""
    names = country.people.names
    since = (CENSUS_DAY - names.changed_day[person]) / YEAR
    recent = (names.changed_day[person] != NO_DAY) & (since < 10)
    stale = recent & happens(
        rng, how.stale_surname * 0.5 ** (np.where(recent, since, 0) / 3) * chance, rows=len(person)
    )
    return choose(stale, names.birth_surname.take(person), otherwise=names.surname.take(person))


def _addresses(
    rng: np.random.Generator, country: Country, *, person: Ints, how: Recording, chance: Floats, again: Bools
) -> Ints:
    """Return present addresses, or the one before for some movers, halving with each year since the move."""
    people = country.people
    since = (CENSUS_DAY - people.moved_day[person]) / YEAR
    known = people.previous_address[person] >= 0
    late = how.stale_address * 0.5 ** np.where(known, since, 0) * chance
    stale = known & (happens(rng, np.minimum(late, 0.75), rows=len(person)) | (again & (rng.random(len(person)) < 0.6)))
    return np.where(stale, people.previous_address[person], people.members.address[person])


def _birth_days(rng: np.random.Generator, days: Ints, *, how: Recording, chance: Floats) -> Ints:
    rows = len(days)
    days = errors.swap_day_and_month(days, happens(rng, how.dob_day_month_swapped * 1.6 * chance, rows=rows))
    days = errors.wrong_digit(rng, days, where=happens(rng, how.dob_digit * chance, rows=rows))
    days = errors.wrong_year(rng, days, where=happens(rng, how.dob_year * chance, rows=rows), latest=CENSUS_DAY)
    days = errors.first_of_january(days, happens(rng, how.dob_january * chance, rows=rows))
    return np.where(happens(rng, how.dob_missing * chance, rows=rows), NO_DAY, days).astype(np.int64)


def sex_text(sex: Ints, *, male: str, female: str, missing: str | None) -> Text:
    """Write sex in a department's own coding."""
    return choose(sex == 1, male, otherwise=choose(sex == 2, female, otherwise=missing))


def loose_postcode(rng: np.random.Generator, postcode: Text, *, share: float) -> Text:
    """Write some postcodes without the blank, as people do; half of those in small letters."""
    rows = len(postcode)
    tight = rng.random(rows) < share
    written = choose(tight, pc.replace_substring(postcode, " ", ""), otherwise=postcode)
    return choose(tight & (rng.random(rows) < 0.5), pc.utf8_lower(written), otherwise=written)
