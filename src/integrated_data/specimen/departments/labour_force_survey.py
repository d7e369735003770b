"""Labour force survey: clustered sample of households with weights; Parquet, birth date in three columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import identifiers
from integrated_data.specimen.businesses import industries
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, pick, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.departments import survey_design
from integrated_data.specimen.descriptions import activities, job_titles
from integrated_data.specimen.jobs import EMPLOYED, draw_occupations, occupations
from integrated_data.specimen.recording import record
from integrated_data.specimen.text import Text, blank, column, date_column


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `labour_force_survey.parquet`: everybody of each household that answered."""
    rng = stream(country.seed, "labour_force_survey")
    sample = survey_design.draw(rng, country)
    order = rng.permutation(len(sample.person))
    person = sample.person[order]
    rows = len(person)
    known = record(rng, country, person=person, how=country.rates.labour_force_survey)
    job = _jobs(rng, country, person=person)
    ids = identifiers.record_ids(rng, rows, prefix="L")
    houses = identifiers.record_ids(rng, int(country.people.members.household[-1]) + 1, prefix="Q")
    activity = country.work.activity[person]
    adult = country.people.years[person] >= 16
    trouble, limited = _health_answers(rng, country, person=person)
    year, month, day = _birth_parts(known.birth_day)
    table = pa.table({
        "response_id": ids,
        "household_ref": houses.take(country.people.members.household[person]),
        "psu": pa.array(sample.psu[order]),
        "stratum": pa.array(sample.stratum[order]),
        "wave": pa.array(sample.wave[order]),
        "design_weight": pa.array(sample.design_weight[order]),
        "person_weight": pa.array(sample.weight[order]),
        "first_name": known.forename,
        "surname": known.surname,
        "birth_day": day,
        "birth_month": month,
        "birth_year": year,
        "sex": pa.array(known.sex, mask=known.sex == 0),
        "postcode": known.postcode,
        "ilo_status": pa.array(activity, mask=~adult),
        "inactive_reason": pa.array(country.work.reason[person] + 1, mask=~adult | (activity != 3)),
        "soc_code": blank(job.soc, happens(rng, country.rates.survey_occupation_uncoded, rows=rows)),
        "job_title": job.title,
        "industry_text": job.activity,
        "hours": pa.array(job.hours, mask=job.hours == 0),
        "weekly_pay": pa.array(np.round(job.weekly, 2), mask=job.weekly == 0),
        "health_problem": pa.array(np.where(trouble, 1, 2)),
        "limits_activity": pa.array(np.where(limited, 1, 2)),
    })  # fmt: skip
    truth = truth_of(ids, person_id=person, address_id=known.address, soc_code=job.soc, sic_code=job.sic)
    return (Sheet("labour_force_survey.parquet", "parquet", table, "response_id", truth, "labour_force_survey"),)


@dataclass(frozen=True, slots=True)
class _Jobs:
    """The main job of each respondent: codes, words, hours, pounds a week; missing or 0 where none."""

    soc: Text
    sic: Text
    title: Text
    activity: Text
    hours: Ints
    weekly: Floats


def _jobs(rng: np.random.Generator, country: Country, *, person: Ints) -> _Jobs:
    rows = len(person)
    work = country.work
    job_of = np.full(len(country.people), -1, dtype=np.int64)
    job_of[work.person[::-1]] = np.arange(len(work.person))[::-1]  # first jobs overwrite second ones
    job = job_of[person]
    employee = job >= 0
    in_work = work.activity[person] == EMPLOYED
    private = np.array([0.0 if one.code.startswith(("84", "85", "861")) else one.share for one in industries()])
    industry = np.where(employee, country.businesses.industry[work.business[job]], pick(rng, private, rows=rows))
    occupation = np.where(employee, work.occupation[job], draw_occupations(rng, industry))
    heaped = np.round(work.annual_pence[job] / 5_200 * rng.lognormal(0, 0.06, rows) / 5) * 5
    answered = employee & (rng.random(rows) < country.rates.survey_pay_answered)
    return _Jobs(
        blank(column([one.code for one in occupations()]).take(occupation), ~in_work),
        blank(column([one.code for one in industries()]).take(industry), ~in_work),
        blank(job_titles(rng, occupation, rates=country.rates), ~in_work),
        blank(activities(rng, industry, rates=country.rates), ~in_work),
        np.where(in_work, np.where(employee, work.hours[job], rng.integers(10, 60, rows)), 0),
        np.where(answered, heaped, 0.0),
    )


def _health_answers(rng: np.random.Generator, country: Country, *, person: Ints) -> tuple[Bools, Bools]:
    """Return who reports a problem lasting twelve months, and whom it limits; reports are not diagnoses."""
    rows, rates = len(person), country.rates
    some = country.health.has[person].any(axis=1)
    trouble = np.where(
        some,
        happens(rng, rates.survey_problem_reported, rows=rows),
        happens(rng, rates.survey_problem_undiagnosed, rows=rows),
    )
    limited = trouble & happens(rng, 0.25 + 0.6 * (1 - country.health.work_odds[person]), rows=rows)
    return trouble, limited


def _birth_parts(days: Ints) -> tuple[pa.Array, pa.Array, pa.Array]:
    dates = date_column(days)
    return pc.year(dates), pc.month(dates), pc.day(dates)
