"""Pay returns of 2020/21: National Insurance number, capitals, yyyymmdd, pounds as text; separated by bars.

The employer is named in free text, as its pay software has it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import errors, identifiers
from integrated_data.specimen.chance import Ints, happens, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.descriptions import employer_names, job_titles
from integrated_data.specimen.jobs import occupations
from integrated_data.specimen.recording import record, with_duplicates
from integrated_data.specimen.text import CENSUS_DAY, Text, blank, column, dates, day_of, digits

_TAX_YEAR = day_of(2020, 4, day=6)


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `pay.txt`: one row an employment."""
    rng = stream(country.seed, "pay")
    rates, work = country.rates, country.work
    job, again = with_duplicates(rng, np.arange(len(work.person)), rate=rates.pay.duplicate)
    person = work.person[job]
    rows = len(job)
    known = record(rng, country, person=person, how=rates.pay, again=again)
    ids = identifiers.record_ids(rng, rows, prefix="S")
    days = CENSUS_DAY + 15 - np.maximum(work.started_day[job], _TAX_YEAR)
    gross = np.rint(work.annual_pence[job] * np.clip(days / 365, 0.04, 1.0)).astype(np.int64)
    titles = job_titles(rng, work.occupation[job], rates=rates)
    no_title = happens(rng, rates.title_missing, rows=rows)
    employers = employer_names(rng, country.businesses, business=work.business[job], rates=rates, width=30)
    table = pa.table({
        "SUBMISSION_ID": ids,
        "NINO": nino_as_written(rng, country, person=person, missing=rates.pay_nino_missing),
        "SURNAME": pc.utf8_upper(known.surname),
        "FORENAME": pc.utf8_upper(known.forename),
        "DOB": dates(known.birth_day, "%Y%m%d"),
        "POSTCODE": pc.replace_substring(known.postcode, " ", ""),
        "EMPLOYER_NAME": employers,
        "PAYE_REF": paye_references(country).take(work.business[job]),
        "TAX_YEAR": column(["2020-21"]).take(np.zeros(rows, dtype=np.int64)),
        "START_DATE": dates(work.started_day[job], "%Y%m%d"),
        "GROSS_PAY": pounds(gross),
        "JOB_TITLE": blank(titles, no_title),
    })  # fmt: skip
    codes = column([one.code for one in occupations()]).take(work.occupation[job])
    truth = truth_of(
        ids,
        person_id=person,
        address_id=known.address,
        business_id=work.business[job],
        soc_code=codes,
        duplicate=again,
    )
    return (Sheet("pay.txt", "pipe", table, "SUBMISSION_ID", truth, "pay"),)


def nino_as_written(rng: np.random.Generator, country: Country, *, person: Ints, missing: float) -> Text:
    """Return National Insurance numbers: some missing, a few mistyped."""
    rows = len(person)
    number = country.people.national_insurance.take(person)
    number = errors.mistype_code(rng, number, where=happens(rng, country.rates.national_insurance_mistyped, rows=rows))
    return blank(number, happens(rng, missing * country.people.difficulty[person] / 1.4, rows=rows))


def paye_references(country: Country) -> Text:
    """Return one reference a business: office number, bar, two letters and digits."""
    rng = stream(country.seed, "paye")
    rows = len(country.businesses)
    serial = rng.permutation(rows)
    office = digits(120 + serial % 700, 3)
    letters = column([a + b for a in "ABCDEFGHJKLMNPRSTWXYZ" for b in "ABCDEFGHJKLMNPRSTWXYZ"])
    return pc.binary_join_element_wise(
        office, "/", letters.take(serial % len(letters)), digits(serial * 37 % 99_991, 5), ""
    )


def pounds(pence: Ints) -> Text:
    """Write pence as £12,345.67."""
    whole = pence // 100
    thousands = pc.binary_join_element_wise(
        "£", pa.array(whole // 1_000).cast(pa.string()), ",", digits(whole % 1_000, 3), ""
    )
    small = pc.binary_join_element_wise("£", pa.array(whole).cast(pa.string()), "")
    return pc.binary_join_element_wise(
        pc.if_else(pa.array(whole >= 1_000), thousands, small), ".", digits(pence % 100, 2), ""
    )
