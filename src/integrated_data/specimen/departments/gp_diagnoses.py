"""General practice: coded diagnoses without names; tab-separated, dd-mm-yyyy, sex in words, some notes."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen import errors, identifiers
from integrated_data.specimen.chance import Ints, happens, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet, truth_of
from integrated_data.specimen.departments.health_register import practice_codes, registered
from integrated_data.specimen.health import conditions
from integrated_data.specimen.households import FEMALE
from integrated_data.specimen.recording import record, sex_text
from integrated_data.specimen.text import Text, blank, choose, column, dates, digits
from integrated_data.specimen.words import lines


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `gp_diagnoses.tsv`: one row a person and condition."""
    rng = stream(country.seed, "gp_diagnoses")
    rates, people, health = country.rates, country.people, country.health
    here = registered(country) & people.resident
    person, condition = np.nonzero(health.has & here[:, None])
    coded = happens(rng, rates.condition_coded, rows=len(person))
    order = rng.permutation(np.flatnonzero(coded))
    person, condition = person[order].astype(np.int64), condition[order]
    rows = len(person)
    known = record(rng, country, person=person, how=rates.gp_diagnoses)
    ids = identifiers.record_ids(rng, rows, prefix="D")
    table = pa.table({
        "entry_id": ids,
        "nhs_number": nhs_number_as_written(rng, country, person=person, present=rates.gp_nhs_number_present),
        "date_of_birth": dates(known.birth_day, "%d-%m-%Y"),
        "sex": sex_text(known.sex, male="Male", female="Female", missing="Unknown"),
        "postcode": known.postcode,
        "practice_code": practice_codes(country, person),
        "icd10_code": column([one.code for one in conditions()]).take(condition),
        "snomed_code": column([one.concept for one in conditions()]).take(condition),
        "diagnosis_date": dates(health.onset_day[person, condition].astype(np.int64), "%d-%m-%Y"),
        "note": _notes(rng, country, person=person),
    })  # fmt: skip
    truth = truth_of(ids, person_id=person, address_id=known.address)
    return (Sheet("gp_diagnoses.tsv", "tab", table, "entry_id", truth, "gp_diagnoses"),)


def nhs_number_as_written(rng: np.random.Generator, country: Country, *, person: Ints, present: float) -> Text:
    """Return NHS numbers as care settings have them: some missing, a few with a wrong character."""
    rows = len(person)
    number = country.people.nhs_number.take(person)
    number = errors.mistype_code(rng, number, where=happens(rng, country.rates.nhs_number_mistyped, rows=rows))
    absent = (1 - present) * country.people.difficulty[person]
    return blank(number, happens(rng, absent / 1.4, rows=rows))


def _notes(rng: np.random.Generator, country: Country, *, person: Ints) -> Text:
    """Return a note on some rows; two of the twelve texts name somebody."""
    rows = len(person)
    texts = lines("notes")
    weights = rng.integers(0, len(texts), rows)
    note = column(texts).take(weights)
    title = choose(country.people.members.sex[person] == FEMALE, "Mrs", otherwise="Mr")
    phone = pc.binary_join_element_wise(
        "07700 900", digits(rng.integers(0, 1_000, rows), 3), ""
    )  # Ofcom's numbers for drama
    surname = country.people.names.surname.take(person)
    for hole, filling in (("{title}", title), ("{surname}", surname), ("{phone}", phone)):
        before = pc.list_element(pc.split_pattern(note, hole, max_splits=1), 0)
        has = pc.match_substring(note, hole)
        after = pc.utf8_slice_codeunits(note, 0)
        after = pc.replace_substring_regex(after, f"^.*?{hole.replace('{', '[{]').replace('}', '[}]')}", "")
        note = pc.if_else(has, pc.binary_join_element_wise(before, filling, after, ""), note)
    return blank(note, rng.random(rows) >= country.rates.gp_note)
