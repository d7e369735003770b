"""Benefit awards: JSON lines, the name in one field, dd-Mon-yyyy, one address line, pounds a week."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import identifiers
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.departments.pay import nino_as_written
from integrated_data.specimen.jobs import EMPLOYED, INACTIVE, SICK, UNEMPLOYED
from integrated_data.specimen.recording import folded_or_none, record, sex_text
from integrated_data.specimen.text import CENSUS_DAY, NO_DAY, Text, choose, column, dates

#: Benefit types with their usual weekly amount in pounds (rates of 2021, rounded).
BENEFITS = (
    ("Universal Credit", 118.0), ("Personal Independence Payment", 105.0),
    ("Employment and Support Allowance", 114.0),
    ("Jobseeker's Allowance", 74.7), ("Carer's Allowance", 67.6), ("Pension Credit", 61.0),
    ("State Pension", 168.0),
)  # fmt: skip


def entitled(country: Country) -> list[Bools]:
    """Return who receives each benefit, in the order of `BENEFITS`."""
    rng = stream(country.seed, "entitlement")
    people, work = country.people, country.work
    years, rows = people.years, len(people)
    adult = people.resident & (years >= 18) & (years < 66)
    poor = np.exp(0.16 * (5.5 - people.decile))
    working = work.activity == EMPLOYED
    sick = (work.activity == INACTIVE) & (work.reason == SICK)
    burden = 1 - country.health.work_odds**0.6
    draw = [rng.random(rows) for _ in BENEFITS]
    credit = np.where(work.activity == UNEMPLOYED, 0.72, np.where(sick, 0.55, np.where(working, 0.055, 0.16)))
    return [
        adult & (draw[0] < np.minimum(credit * poor, 0.95)),
        people.resident
        & (years >= 16)
        & (draw[1] < 0.011 + 0.30 * burden * np.where(working, 0.45, 1.0))
        & (years < 80),
        adult & sick & (draw[2] < 0.33),
        adult & (work.activity == UNEMPLOYED) & (draw[3] < 0.07),
        people.resident & (years >= 18) & ~working & (draw[4] < 0.028 * poor),
        people.resident & (years >= 66) & (draw[5] < 0.10 * poor),
        people.resident & (years >= 66) & (draw[6] < 0.97),
    ]


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `benefits.jsonl`: one line an award."""
    rng = stream(country.seed, "benefits")
    rates, people = country.rates, country.people
    awards = [np.flatnonzero(who) for who in entitled(country)]
    person = np.concatenate(awards)
    kind = np.repeat(np.arange(len(BENEFITS)), [len(who) for who in awards])
    order = rng.permutation(len(person))
    person, kind = person[order], kind[order]
    rows = len(person)
    known = record(rng, country, person=person, how=rates.benefits)
    ids = identifiers.record_ids(rng, rows, prefix="B")
    start, end = _periods(rng, people.years[person], kind=kind)
    short = happens(rng, rates.benefits.address_abbreviated, rows=rows)
    address = choose(
        short,
        country.addresses.short_line.take(known.address),
        otherwise=country.addresses.one_line.take(known.address),
    )
    amount = np.array([row[1] for row in BENEFITS])[kind] * np.clip(rng.normal(1, 0.22, rows), 0.3, 2.5)
    table = pa.table({
        "claim_id": ids,
        "nino": nino_as_written(rng, country, person=person, missing=rates.benefits_nino_missing),
        "name": _names(rng, known.forename, surname=known.surname, sex=known.sex),
        "birth_date": dates(known.birth_day, "%d-%b-%Y"),
        "sex": sex_text(known.sex, male="Male", female="Female", missing=None),
        "address": folded_or_none(address),
        "postcode": known.postcode,
        "benefit_type": column([row[0] for row in BENEFITS]).take(kind),
        "start": dates(start, "%Y-%m-%d"),
        "end": dates(end, "%Y-%m-%d"),
        "weekly_amount": pa.array(np.round(amount, 2)),
    })  # fmt: skip
    truth = truth_of(ids, person_id=person, address_id=known.address)
    return (Sheet("benefits.jsonl", "jsonl", table, "claim_id", truth, "benefits"),)


def _names(rng: np.random.Generator, forename: Text, *, surname: Text, sex: Ints) -> Text:
    """Write `SURNAME, Forename` on two in three and `Mr Forename Surname` on the rest."""
    rows = len(sex)
    list_style = pc.binary_join_element_wise(pc.utf8_upper(surname), forename, ", ")
    woman = column(["Mrs", "Miss", "Ms"]).take(rng.integers(0, 3, rows))
    title = choose(sex == 2, woman, otherwise="Mr")
    letter_style = pc.binary_join_element_wise(title, forename, surname, " ")
    return choose(rng.random(rows) < 0.66, list_style, otherwise=letter_style)


def _periods(rng: np.random.Generator, years: Floats, *, kind: Ints) -> tuple[Ints, Ints]:
    """Return start and end days; one award in six has ended, a pension never and it starts at 66."""
    rows = len(kind)
    pension = kind >= 5
    ago = np.where(pension, (years - 66) * 365.25, rng.gamma(1.2, 700, rows)).clip(20, 12_000)
    start = CENSUS_DAY - ago.astype(np.int64)
    ended = ~pension & (rng.random(rows) < 1 / 6)
    end = start + (ago * rng.random(rows)).astype(np.int64) + 7
    return start, np.where(ended, end, NO_DAY)
