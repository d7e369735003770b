"""Hospital episodes of 2020/21: no names, ddmmyyyy, sex 1, 2 or 0, up to five diagnoses; comma-separated."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import identifiers
from integrated_data.specimen.chance import Floats, Ints, happens, pick, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.departments.gp_diagnoses import nhs_number_as_written
from integrated_data.specimen.departments.health_register import registered
from integrated_data.specimen.health import conditions
from integrated_data.specimen.households import FEMALE
from integrated_data.specimen.people import DEAD, ETHNIC_GROUPS, RESIDENT_NOW
from integrated_data.specimen.recording import record, sex_text
from integrated_data.specimen.text import Text, blank, choose, column, dates, day_of
from integrated_data.specimen.words import records

_YEAR_START, _YEAR_END = day_of(2020, 4, day=1), day_of(2021, 3, day=31)


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `hospital_episodes.csv`: one row an episode of the financial year."""
    rng = stream(country.seed, "hospital_episodes")
    person = _patients(rng, country)
    rows = len(person)
    known = record(rng, country, person=person, how=country.rates.hospital_episodes)
    reason, operation = _reasons(rng, country, person=person)
    earliest = np.maximum(_YEAR_START, country.people.birth_day[person])
    latest = np.where(country.people.status[person] == DEAD, country.people.left_day[person], _YEAR_END)
    admitted = earliest + ((latest - earliest).clip(1) * rng.random(rows)).astype(np.int64)
    stay = np.where(rng.random(rows) < 0.55, 0, rng.geometric(0.22, rows)) * (1 + (country.people.years[person] > 75))
    others = _comorbidities(rng, country, person=person)
    ids = identifiers.record_ids(rng, rows, prefix="5")
    groups = column([*ETHNIC_GROUPS, "Z"])
    ethnic = np.where(
        happens(rng, country.rates.hospital_ethnic_group_missing, rows=rows),
        len(ETHNIC_GROUPS),
        country.people.ethnic_group[person],
    )
    providers = max(3, round(len(country.people) / 60_000) + 2)
    provider = (country.people.district[person] * 7) % providers
    hospitals = column([f"R{'ABCDFGHJ'[place % 8]}{place // 8 % 10}" for place in range(providers)])
    present = country.rates.hospital_nhs_number_present
    number = nhs_number_as_written(rng, country, person=person, present=present)
    table = pa.table({
        "EPIKEY": ids,
        "NEWNHSNO": number,
        "DOB": dates(known.birth_day, "%d%m%Y"),
        "SEX": sex_text(known.sex, male="1", female="2", missing="0"),
        "ETHNOS": groups.take(ethnic),
        "POSTCODE": known.postcode,
        "PROCODE": hospitals.take(provider),
        "ADMIDATE": dates(admitted, "%d%m%Y"),
        "DISDATE": dates(admitted + stay, "%d%m%Y"),
        "ADMIMETH": choose(rng.random(rows) < 0.42, "21", otherwise="11"),
        "EPIDUR": pa.array(stay.astype(np.int64)),
        "DIAG_01": reason, "DIAG_02": others[0], "DIAG_03": others[1], "DIAG_04": others[2],
        "DIAG_05": others[3],
        "OPERTN_01": operation,
    })  # fmt: skip
    truth = truth_of(ids, person_id=person, address_id=known.address)
    return (Sheet("hospital_episodes.csv", "comma", table, "EPIKEY", truth, "hospital_episodes"),)


def _patients(rng: np.random.Generator, country: Country) -> Ints:
    """Draw persons with as many episodes as age and conditions make likely; a newborn has one."""
    people = country.people
    burden = country.health.has.sum(axis=1)
    age: Floats = np.interp(people.years, [0, 1, 2, 20, 45, 65, 80, 95], [4.5, 4.5, 0.5, 0.5, 0.8, 1.6, 2.9, 3.2])
    died_in_year = (people.status == DEAD) & (people.left_day > _YEAR_START)
    weight = (
        age
        * (1 + 0.45 * burden)
        * np.where(registered(country) & ((people.status == RESIDENT_NOW) | died_in_year), 1.0, 0.0)
    )
    weight = weight * np.where(died_in_year, 3.0, 1.0) * rng.gamma(0.5, 2.0, len(people))
    mean = country.rates.episodes_per_person * people.resident.sum() / weight.sum()
    return rng.permutation(np.repeat(np.arange(len(people)), rng.poisson(weight * mean)))


def _reasons(rng: np.random.Generator, country: Country, *, person: Ints) -> tuple[Text, Text]:
    """Draw the main diagnosis among those of the patient's age, and the operation that goes with it."""
    known = records("admissions")
    years = country.people.years[person]
    weights = np.array([float(row[4]) for row in known])
    found = np.zeros(len(person), dtype=np.int64)
    band = np.searchsorted([1, 3, 13, 17, 45, 55, 65], years, side="right")
    for group in range(8):
        rows = np.flatnonzero(band == group)
        age = (0.5, 2, 8, 15, 30, 50, 60, 78)[group]
        fits = np.array([float(row[2]) <= age < float(row[3]) or (age < 1 and row[0] == "Z380") for row in known])
        found[rows] = pick(rng, weights * fits, rows=len(rows))
    code = column([row[0] for row in known]).take(found)
    operation = column([row[5] or None for row in known]).take(found)
    man_in_labour = pc.starts_with(code, "O8").to_numpy(zero_copy_only=False) & (
        country.people.members.sex[person] != FEMALE
    )
    return choose(man_in_labour, "R104", otherwise=code), blank(operation, man_in_labour)


def _comorbidities(rng: np.random.Generator, country: Country, *, person: Ints) -> list[Text]:
    """Return up to four chronic conditions coded as other diagnoses; some go unrecorded."""
    has = country.health.has[person] & (
        rng.random((len(person), len(conditions()))) < country.rates.hospital_comorbidity_coded
    )
    order = np.argsort(~has, axis=1, kind="stable")[:, :4]
    codes = column([f"{one.code}{digit}" for one, digit in zip(conditions(), "999599409999", strict=True)])
    found = []
    for place in range(4):
        which = order[:, place]
        found.append(blank(codes.take(which), ~has[np.arange(len(person)), which]))
    return found
