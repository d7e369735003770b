"""Judges of who and where: numbers and names of people and organisations, births, places."""

import re

from integrated_data.acquire.look import Guess, Look, numeric
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.vocabulary.headings import at_work

NAMES = (
    Meaning.GIVEN_NAME, Meaning.FAMILY_NAME, Meaning.MIDDLE_NAME, Meaning.PREVIOUS_FAMILY_NAME, Meaning.FULL_NAME,
)  # fmt: skip
ADDRESSES = (
    Meaning.ADDRESS, Meaning.ADDRESS_LINE, Meaning.ADDRESS_FLAT, Meaning.ADDRESS_BUILDING, Meaning.ADDRESS_STREET,
    Meaning.ADDRESS_LOCALITY,
)  # fmt: skip
#: Shape of words that each begin with a capital, as names are written (see `detect.shape_sql`).
CAPITALS = re.compile(r"(A\.? )*A['’A]*a[Aa'’]*([ -](A\.?|A['’A]*a[Aa'’]*))*")
BIRTH_PARTS = (Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.BIRTH_YEAR)


def _somebody(look: Look, meaning: Meaning, *, confidence: float) -> Guess:
    """A number of a person: the subject's own, or a reference to somebody else."""
    return Guess(Meaning.PERSON_REFERENCE if look.other else meaning, confidence)


def number_of_a_person(look: Look) -> Guess | None:
    """A number that the state or a telephone company gives a person, or an e-mail address."""
    e = look.evidence
    if e.share("nino") >= 0.8:
        return _somebody(look, Meaning.NATIONAL_INSURANCE_NUMBER, confidence=0.98)
    if e.share("ssn") >= 0.8:
        return Guess(Meaning.PERSON_REFERENCE, 0.95)
    nhs_heading = look.hint(Meaning.NHS_NUMBER)
    if e.share("ten_digits") >= 0.8:
        if e.share("nhs") >= 0.85 or (nhs_heading == 1.0 and e.share("nhs") >= 0.5):
            return _somebody(look, Meaning.NHS_NUMBER, confidence=0.98 if nhs_heading else 0.9)
        if nhs_heading:
            return Guess(Meaning.PERSON_REFERENCE, 0.7, note="its check digits are not those of NHS numbers")
    if nhs_heading or look.hint(Meaning.NATIONAL_INSURANCE_NUMBER):
        return Guess(Meaning.PERSON_REFERENCE, 0.6, note="the heading names a number that the values are not")
    if e.share("email") >= 0.8:
        return Guess(Meaning.EMAIL, 0.98)
    if e.share("phone") >= 0.8 and (look.hint(Meaning.TELEPHONE) or e.share("leading_zero") > 0.5):
        return Guess(Meaning.TELEPHONE, 0.95 if look.hint(Meaning.TELEPHONE) else 0.8)
    best = look.best(Meaning.EMAIL, Meaning.TELEPHONE)
    return Guess(best, 0.7) if best else None


def place(look: Look) -> Guess | None:
    """A postcode, an area code, a coordinate or a property number."""
    e = look.evidence
    if e.share("postcode") >= 0.8:
        return Guess(Meaning.POSTCODE, 0.98)
    if e.share("area") >= 0.9:
        return Guess(Meaning.AREA_CODE, 0.98)
    if look.hint(Meaning.POSTCODE) >= 0.9:
        return Guess(Meaning.POSTCODE, 0.7, note="the values are not whole United Kingdom postcodes")
    if numeric(look) and (coordinate := look.best(Meaning.LATITUDE, Meaning.LONGITUDE)):
        limit = 90 if coordinate is Meaning.LATITUDE else 180
        if e.low is not None and e.high is not None and -limit <= e.low and e.high <= limit and e.share("point") > 0.5:
            return Guess(coordinate, 0.95, Kind.NUMBER)
    if e.share("coordinates") >= 0.8:
        return Guess(Meaning.UNKNOWN, 0.85, note="coordinates", identifies=True)
    if look.hint(Meaning.UPRN) and e.share("number") > 0.9:
        return Guess(Meaning.UPRN, 0.95)
    return None


def organisation_number(look: Look) -> Guess | None:
    """A company number."""
    e = look.evidence
    if look.hint(Meaning.COMPANY_NUMBER) and e.share("company") + e.share("integer") > 0.7:
        return Guess(Meaning.COMPANY_NUMBER, 0.95)
    lettered = 0.97 - e.share("integer")
    if not look.hints and e.share("company") > 0.97 and e.distinct_share > 0.5 and lettered > 0:
        return Guess(Meaning.COMPANY_NUMBER, 0.75)
    return None


def birth_part(look: Look) -> Guess | None:
    """A day, month or year of birth in a column of its own."""
    part = look.best(*BIRTH_PARTS)
    e = look.evidence
    if part is None or e.share("integer") < 0.9:
        return None
    return Guess(part, 0.97, Kind.INTEGER)


def sex(look: Look) -> Guess | None:
    """Sex, in words or in the codes of the NHS Data Dictionary."""
    e = look.evidence
    if look.hint(Meaning.SEX):
        good = e.share("sex") + e.share("sex_code") >= 0.9
        return Guess(Meaning.SEX if good else Meaning.CODE, 0.97 if good else 0.8)
    if e.share("sex") >= 0.98 and e.distinct >= 2 and e.present >= 10:
        return Guess(Meaning.SEX, 0.85)
    return None


def name(look: Look) -> Guess | None:
    """A name of a person."""
    e = look.evidence
    heading = look.best(*NAMES)
    if heading is not None and (
        look.hint(heading) >= 0.9 or look.hint(Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME) == 0
    ):
        return _headed_name(look, heading)
    if look.claimed:
        return None
    if e.distinct >= 20 and e.share("surname_comma") >= 0.8 and e.share("family") >= 0.1:
        return Guess(Meaning.FULL_NAME, 0.8)
    if e.distinct < 20 or e.share("letters") < 0.9 or e.share("street") > 0.2:
        return None
    if e.share("word") >= 0.85 and e.share("given") >= 0.3:
        return Guess(Meaning.GIVEN_NAME, 0.75)
    if e.share("word") >= 0.85 and e.share("family") >= 0.15:
        return Guess(Meaning.FAMILY_NAME, 0.75)
    if e.share("spaces") >= 0.8 and e.share("given") >= 0.35:
        return Guess(Meaning.FULL_NAME, 0.75)
    return None


def people(look: Look, guess: Guess) -> Guess | None:
    """Names of people in what seems to be a code list or the like: the few who keep the records, whoever they are.

    Values tell by their words (see `people.Named`). Where the heading names somebody at work (officer, nurse, swyddog),
    any words with capitals that are no jobs may be names that no list holds.
    """
    e, code = look.evidence, guess.meaning is Meaning.CODE
    if e.named.hides(code=code):
        if e.named.surely:
            return Guess(
                Meaning.UNKNOWN, 0.75, note="names of people whom the heading does not explain", identifies=True
            )
        return Guess(Meaning.UNKNOWN, 0.5, note="some of the values may be names of people")
    capitals = sum(part for shape, part in e.shapes if CAPITALS.fullmatch(shape))
    coded = look.hint(Meaning.CODE) >= 0.8
    if code and not coded and at_work(e.heading) and capitals >= 0.8 and e.mean_length > 3 and e.share("job") < 0.3:
        return Guess(Meaning.UNKNOWN, 0.5, note="the heading names people at work, and the values may be who they are")
    return None


def _headed_name(look: Look, heading: Meaning) -> Guess | None:
    e = look.evidence
    if e.share("letters") + e.share("surname_comma") < 0.6 and look.hint(heading) >= 0.9:
        return Guess(Meaning.UNKNOWN, 0.5, note="the heading says a name that the values are not")
    if look.hint(heading) < 0.9:
        if look.organisation or e.share("business") >= 0.15:
            return Guess(Meaning.ORGANISATION_NAME, 0.9)
        if look.personal or e.share("given") + e.share("family") >= 0.3:
            return Guess(Meaning.FULL_NAME, 0.9)
        return Guess(Meaning.ORGANISATION_NAME, 0.7)
    if look.other and heading is not Meaning.PREVIOUS_FAMILY_NAME:
        return Guess(Meaning.UNKNOWN, 0.5, note="a name of somebody else than the record's subject", identifies=True)
    return Guess(heading, 0.97)


def organisation_name(look: Look) -> Guess | None:
    """A name of an organisation."""
    e = look.evidence
    heading = look.best(Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME)
    if heading and e.share("number") < 0.5 and e.longest > 3:
        return Guess(heading, 0.95 if look.hint(heading) >= 0.9 else 0.85)
    if look.claimed:
        return None
    if e.share("business") >= 0.35 and e.distinct_share > 0.3 and e.share("starts_number") < 0.3:
        return Guess(Meaning.ORGANISATION_NAME, 0.75)
    return None


def address(look: Look) -> Guess | None:
    """An address, or a part of one."""
    e = look.evidence
    heading = look.best(*ADDRESSES, Meaning.ADDRESS_TOWN)
    if heading and look.hint(Meaning.AREA_NAME, Meaning.PERSON_REFERENCE) > look.hint(heading) - 0.05:
        return None
    if heading and not (heading is Meaning.ADDRESS_TOWN and e.share("number") > 0.5):
        lines = look.hint(Meaning.ADDRESS_LINE) and e.share("number") < 0.9
        return Guess(Meaning.ADDRESS_LINE if lines else heading, 0.95 if look.hint(heading) >= 0.9 else 0.8)
    if look.claimed:
        return None
    if e.share("street") >= 0.4 and e.share("starts_number") + e.share("comma") >= 0.4:
        return Guess(Meaning.ADDRESS, 0.85 if e.share("starts_number") >= 0.4 else 0.75)
    return None
