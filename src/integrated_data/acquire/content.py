"""Judges of what is said: dates, classifications, quantities, codes and words."""

import re
from dataclasses import replace

from integrated_data.acquire.look import READABLE, Guess, Look, all_but_noise, numeric, read_as_numbers
from integrated_data.acquire.moments import ORDER_UNTOLD, READ, READ_BIRTH, moments_of
from integrated_data.model.meanings import PRESENCE, Kind, Meaning
from integrated_data.vocabulary.marks import SLIPS

REFERENCES = (
    Meaning.RECORD_ID, Meaning.PERSON_REFERENCE, Meaning.ORGANISATION_REFERENCE, Meaning.SUCCESSOR,
    Meaning.STATISTICAL_UNIT, Meaning.STATISTICAL_GROUP,
)  # fmt: skip
#: Shapes of a quarter of a year: `2024 Q3`, `2024Q3`, `Q3 2024` (see `detect.shape_sql`).
QUARTER = re.compile(r"9999[ _/-]?A+ ?9|A+ ?9[ _/-]?9999")
#: Confidence in the type of a column in which some values cannot be read: below `validate.rules.SURE`,
#: so that they are noted and their rows not quarantined.
NOISY = 0.85
#: The same of numbers of which more cannot be read than slips of the pen: their rows are quarantined, and counted.
SLIPPED = 0.9
#: The same where the file does not tell which of two readings is right: withheld, and asked.
UNTOLD = 0.6


def date(look: Look) -> Guess | None:
    """A date, a month or a time; a date of birth where the heading says so."""
    birth = look.hint(Meaning.DATE_OF_BIRTH) > 0
    expected = birth or look.hint(Meaning.EVENT_DATE, Meaning.MONTH) >= 0.9
    least = READ_BIRTH if birth else READ
    numbered = look.hint(Meaning.RECORD_ID) == 1.0 and not expected  # 1.2.3 numbers a line and is no day
    moments = None if numbered else moments_of(
        look.evidence, months_first=look.months_first, expected=expected, least=least
    )  # fmt: skip
    if moments is None:
        if birth and look.evidence.share("number") < 0.5:
            return Guess(Meaning.DATE_OF_BIRTH, 0.6, note="no date layout reads it")
        return None
    timed = moments.timed and not birth and look.evidence.share("midnight") < 0.99
    kind = Kind.TIMESTAMP if timed else Kind.DATE
    noisy = NOISY if moments.share < all_but_noise(look) else 1.0
    if moments.untold:
        what = Meaning.DATE_OF_BIRTH if birth and not look.other else Meaning.EVENT_DATE
        return Guess(what, UNTOLD, kind, moments.layouts, ORDER_UNTOLD)
    if birth and moments.by_month:
        return Guess(Meaning.MONTH, 0.75, kind, moments.layouts, "month and year of birth: no day to match by")
    if birth:
        own = Meaning.EVENT_DATE if look.other else Meaning.DATE_OF_BIRTH
        return Guess(own, min(noisy, 0.98) if own is Meaning.DATE_OF_BIRTH else 0.6, kind, moments.layouts)
    presence = look.best(*PRESENCE) if look.personal else None
    if presence is not None and (not look.other or presence is Meaning.LAST_CONTACT):
        return Guess(presence, min(noisy, 0.95), kind, moments.layouts)
    if moments.by_month:
        return Guess(Meaning.MONTH, min(noisy, 0.95 if expected else 0.9), kind, moments.layouts)
    if expected or timed:
        return Guess(Meaning.EVENT_DATE, min(noisy, 0.95 if expected else 0.9), kind, moments.layouts)
    note = "a date that no heading explains may be a date of birth"
    return Guess(Meaning.EVENT_DATE, 0.65, kind, moments.layouts, note)


def quarter(look: Look) -> Guess | None:
    """A quarter of a year."""
    shaped = sum(part for shape, part in look.evidence.shapes if QUARTER.fullmatch(shape))
    return Guess(Meaning.QUARTER, 0.95) if look.hint(Meaning.QUARTER) and shaped >= READABLE else None


def status(look: Look) -> Guess | None:
    """Whether an organisation is active."""
    return Guess(Meaning.ORGANISATION_STATUS, 0.9) if look.hint(Meaning.ORGANISATION_STATUS) and look.few else None


def classification(look: Look) -> Guess | None:
    """A code or the words of an industry, an occupation or a condition."""
    e = look.evidence
    if e.share("sic_text") >= 0.8 or (look.hint(Meaning.INDUSTRY_CODE) and e.share("sic") >= 0.8):
        return Guess(Meaning.INDUSTRY_CODE, 0.95)
    if look.hint(Meaning.OCCUPATION_CODE) and e.share("soc") >= 0.8:
        return Guess(Meaning.OCCUPATION_CODE, 0.95)
    if look.hint(Meaning.CONDITION_CODE) and e.share("icd") >= 0.8:
        return Guess(Meaning.CONDITION_CODE, 0.95)
    if sum(part for shape, part in e.shapes if shape.startswith("A99.")) > 0.3 and e.share("icd") > 0.95:
        return Guess(Meaning.CONDITION_CODE, 0.85)
    wordy = e.share("number") < 0.2 and e.mean_length > 4
    text = look.best(Meaning.OCCUPATION_TEXT, Meaning.INDUSTRY_TEXT)
    if text and wordy:
        return Guess(text, 0.9)
    if e.share("job") >= 0.4 and e.distinct >= 30 and wordy:
        return Guess(Meaning.OCCUPATION_TEXT, 0.75)
    if e.share("industry") >= 0.4 and e.distinct >= 30 and wordy:
        return Guess(Meaning.INDUSTRY_TEXT, 0.75)
    return None


def survey(look: Look) -> Guess | None:
    """What a survey adds: ethnic group, weight, stratum, cluster."""
    e = look.evidence
    if look.hint(Meaning.ETHNIC_GROUP) and (look.few or e.longest <= 4):
        return Guess(Meaning.ETHNIC_GROUP, 0.95)
    if look.hint(Meaning.SURVEY_WEIGHT) and numeric(look) and (e.low or 0.0) >= 0:
        return Guess(Meaning.SURVEY_WEIGHT, 0.9, Kind.INTEGER if _whole(look) else Kind.NUMBER)
    design = look.best(Meaning.STRATUM, Meaning.CLUSTER)
    if design and e.distinct_share <= 0.5:
        return Guess(design, 0.9)
    return None


def reference(look: Look) -> Guess | None:
    """A number that names a record, a person or an organisation."""
    e = look.evidence
    heading = look.best(*REFERENCES)
    if heading is None or look.hint(heading) < 0.6:
        return None
    stronger = look.hints[0].strength > look.hint(heading) and look.hints[0].meaning not in REFERENCES
    if stronger and (look.few or e.share("point") > 0.5):
        return None
    if heading is Meaning.RECORD_ID and e.distinct_share < 0.98:
        if look.few and look.hint(heading) < 0.9:
            return Guess(Meaning.CODE, 0.75, note="a number of something that is not told")
        return Guess(Meaning.PERSON_REFERENCE, 0.75, note="a number that comes more than once")
    return Guess(heading, 0.95 if look.hint(heading) >= 0.9 else 0.85)


def free_text(look: Look) -> Guess | None:
    """Sentences, notes and nested values."""
    e = look.evidence
    if e.share("json") > 0.5:
        return Guess(Meaning.FREE_TEXT, 0.8, note="nested values")
    if look.few or e.share("number") > 0.5:
        return None
    if e.share("sentence") >= 0.3 or e.mean_length > 40 or (look.hint(Meaning.FREE_TEXT) and e.share("spaces") >= 0.4):
        return Guess(Meaning.FREE_TEXT, 0.9 if look.hint(Meaning.FREE_TEXT) else 0.8)
    return None


def quantity(look: Look) -> Guess | None:
    """An amount, a count, a measurement or a year."""
    guess = _amount(look)
    if guess is None or guess.kind is Kind.STRING or read_as_numbers(look) >= all_but_noise(look):
        return guess
    if guess.confidence < NOISY:
        return guess
    return replace(guess, confidence=SLIPPED, note=SLIPS)


def as_written(look: Look, guess: Guess) -> Guess:
    """A guess at numbers, as they can be read: as text where numbers would lose digits, and doubtful where the file
    does not tell thousands from decimals.
    """
    if guess.kind not in (Kind.NUMBER, Kind.INTEGER):
        return guess
    e, whole = look.evidence, guess.kind is Kind.INTEGER
    if e.share("wide") or (e.share("wide_whole") and not whole):
        text = replace(guess, kind=Kind.STRING, note="more digits than a number keeps: text, so that none is lost")
        return text if not e.share("wide_whole") else replace(text, meaning=Meaning.UNKNOWN, confidence=UNTOLD)
    if look.mark.note:
        return replace(guess, confidence=guess.confidence if look.mark.likely else UNTOLD, note=look.mark.note)
    return guess


def _amount(look: Look) -> Guess | None:
    e = look.evidence
    if not numeric(look) or (e.share("leading_zero") > 0.002 and e.share("point") < 0.5):
        return None
    kind = Kind.INTEGER if _whole(look) else Kind.NUMBER
    if look.hint(Meaning.MONEY) or e.share("money") >= 0.3:
        return Guess(Meaning.MONEY, 0.95, Kind.NUMBER if e.share("money") else kind)
    low, high = e.low or 0.0, e.high or 0.0
    four = e.longest == 4 or e.share("zero_point") >= READABLE  # 2020, or 2020.0
    if kind is Kind.INTEGER and low >= 1850 and high <= 2100 and four:
        return Guess(Meaning.YEAR, 0.95 if look.hint(Meaning.YEAR) else 0.85, kind)
    if look.hint(Meaning.FLAG) and e.share("truth") >= 0.98:
        return None
    hinted = look.best(Meaning.COUNT, Meaning.MEASURE)
    if look.hint(Meaning.CODE) >= 0.8 and not hinted:
        return None
    if kind is Kind.INTEGER and e.counting and not hinted:
        return Guess(Meaning.COUNT, 0.85, kind)
    if kind is Kind.INTEGER and e.distinct <= 20 and low >= 0 and high < 100 and not hinted:
        return Guess(Meaning.FLAG if e.share("truth") >= 0.98 and e.distinct <= 2 else Meaning.CODE, 0.9)
    if hinted:
        return Guess(hinted, 0.9, kind)
    if kind is Kind.INTEGER and look.few and len({len(shape) for shape, _ in e.shapes}) == 1 and low >= 100:
        return Guess(Meaning.CODE, 0.85)
    if kind is Kind.INTEGER and high >= 10_000 and e.distinct_share >= 0.9 and e.present >= 20:
        written = Kind.STRING if len({len(shape) for shape, _ in e.shapes}) == 1 else kind
        return Guess(Meaning.UNKNOWN, 0.6, written, note="numbers that hardly repeat may be references")
    return Guess(Meaning.MEASURE, 0.85, kind)


def _whole(look: Look) -> bool:
    """Whether every number of the column is whole, in the file's way of writing numbers."""
    e = look.evidence
    if look.comma:
        return e.share("comma_decimal") == 0 and e.share("point") <= e.share("point_groups")
    return e.share("integer") + e.share("comma_groups") + e.share("zero_point") >= READABLE and (
        e.share("point") <= e.share("zero_point")
    )


def code(look: Look) -> Guess | None:
    """A flag, a short code or the name of an area."""
    e = look.evidence
    if e.share("truth") >= 0.98 and e.distinct <= 4:
        return Guess(Meaning.FLAG, 0.9)
    named = look.hint(Meaning.AREA_NAME) and e.share("number") < 0.1
    if named:
        return Guess(Meaning.AREA_NAME, 0.85)
    personal = e.share("given") > 0.3 or e.share("family") > 0.2
    if look.few and e.longest <= 80 and not (personal and e.distinct > 20):
        return Guess(Meaning.CODE, 0.9)
    short = e.longest <= 4 and e.distinct_share <= 0.5
    plain = e.longest <= 6 and e.distinct_share <= 0.1 and e.share("spaces") < 0.1
    coded = look.hint(Meaning.CODE) >= 0.8 and e.longest <= 8 and e.distinct_share <= 0.5
    if (short or plain or coded) and not personal:
        return Guess(Meaning.CODE, 0.85 if look.hint(Meaning.CODE) or short else 0.8)
    if look.hint(Meaning.AREA_CODE) and e.longest <= 12 and e.distinct_share <= 0.5:
        return Guess(Meaning.CODE, 0.8)
    return None
