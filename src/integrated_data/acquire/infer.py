"""Infer: a contract for a delivery that came without one, from its headings and a sample of its values.

When in doubt a column is withheld, never published; and an inferred contract sends no row to
quarantine for what it only guessed (`validate.rules`).
"""

from collections.abc import Sequence
from dataclasses import replace

from integrated_data.acquire.decimals import marks_of
from integrated_data.acquire.evidence import Evidence, gather, placeholders
from integrated_data.acquire.identity import NAMES
from integrated_data.acquire.judges import judge
from integrated_data.acquire.look import Guess, Look, look_at
from integrated_data.acquire.moments import puts_month_first
from integrated_data.engine import Engine
from integrated_data.model.contract import Column, Contract, IndexUse, Layout
from integrated_data.model.drift import DEFAULTS, DriftKind
from integrated_data.model.meanings import Handling, Kind, Meaning, handling_of
from integrated_data.vocabulary.detect import ALSO_NAMES, MISSING_NUMBERS, MISSING_WORDS
from integrated_data.vocabulary.headings import column_name, folded, hints

#: Below this a column of text is withheld whatever it seems to mean; below the second, any column.
SURE_OF_TEXT = 0.8
SURE = 0.7

#: Share of different names from which a file lists organisations once each (branches share some).
LISTED_ONCE = 0.9

#: Text of more letters than this on average may be words, and not codes; headings that say nothing.
WORD = 3.0
NO_HEADING = ("column", "col", "field", "var", "variable", "unnamed", "f", "v", "c", "x")
#: Share of single words from which a name beside a family name is a given name.
ONE_WORD = 0.85
#: Share of values with blanks from which text under a heading for notes is notes.
SPACED = 0.4

#: Meanings of which a record has one: a second column of the kind is somebody else's, or a variant.
ONE_EACH = frozenset(
    {
        Meaning.RECORD_ID, Meaning.FULL_NAME, Meaning.GIVEN_NAME, Meaning.FAMILY_NAME, Meaning.DATE_OF_BIRTH,
        Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.BIRTH_YEAR, Meaning.SEX, Meaning.NHS_NUMBER,
        Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.ADDRESS, Meaning.ADDRESS_FLAT,
        Meaning.ADDRESS_STREET, Meaning.ADDRESS_LOCALITY, Meaning.ADDRESS_TOWN, Meaning.POSTCODE, Meaning.UPRN,
        Meaning.LATITUDE, Meaning.LONGITUDE, Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME, Meaning.COMPANY_NUMBER,
    }
)  # fmt: skip

NAMED = (Meaning.FULL_NAME, Meaning.FAMILY_NAME)
BORN = (Meaning.DATE_OF_BIRTH, Meaning.BIRTH_YEAR)
NUMBERED = (Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER)
LOCATED = (Meaning.ADDRESS, Meaning.ADDRESS_LINE, Meaning.ADDRESS_BUILDING, Meaning.ADDRESS_STREET)
PERSONAL = (
    *NUMBERED,
    *BORN,
    Meaning.BIRTH_DAY,
    Meaning.BIRTH_MONTH,
    Meaning.SEX,
    Meaning.FAMILY_NAME,
    Meaning.GIVEN_NAME,
)


def infer(engine: Engine, relation: str, *, dataset: str, owner: str, layout: Layout) -> Contract:
    """A contract for the relation's columns; `relation` is text, a sample of the delivery will do."""
    columns = gather(engine, relation)
    looks = looks_at(columns, layout)
    guesses = _one_each(looks, [judge(look) for look in looks])
    dated = [
        look.evidence.heading
        for look, guess in zip(looks, guesses, strict=True)
        if guess.kind in (Kind.DATE, Kind.TIMESTAMP)
    ]
    stand_ins = placeholders(engine, relation, columns=dated)
    taken: set[str] = set()
    made = [
        _column(look, guess, taken=taken, stand_ins=stand_ins.get(look.evidence.heading, ()))
        for look, guess in zip(looks, guesses, strict=True)
    ]
    return Contract(
        dataset=dataset, owner=owner, layout=layout, columns=tuple(_with_key(made)), inferred=True,
        drift=tuple((kind, DEFAULTS[kind]) for kind in DriftKind),
        indexes=index_uses(made, listed_once=_lists_organisations(made, columns)),
    )  # fmt: skip


def looks_at(columns: Sequence[Evidence], layout: Layout) -> list[Look]:
    """Every column as the judges see it, with the facts that only the whole file shows."""
    months_first = puts_month_first(columns)
    personal = any(h.meaning in PERSONAL and h.strength == 1.0 for c in columns for h in hints(c.heading))
    return [
        look_at(c, months_first=months_first, mark=mark, personal=personal)
        for c, mark in zip(columns, marks_of(columns, layout), strict=True)
    ]


def _one_each(looks: Sequence[Look], guesses: list[Guess]) -> list[Guess]:
    """Of several columns with a meaning that a record has once, the surest own one keeps it."""
    kept = list(guesses)
    people = any(g.meaning in (*NAMED, *BORN, *NUMBERED) for g in guesses)
    surnamed = any(g.meaning is Meaning.FAMILY_NAME for g in guesses)
    for i, (look, guess) in enumerate(zip(looks, guesses, strict=True)):
        if (
            people
            and look.organisation
            and guess.meaning in (*LOCATED, Meaning.POSTCODE, Meaning.ADDRESS_TOWN, Meaning.ADDRESS_FLAT)
        ):
            kept[i] = replace(
                guess, meaning=Meaning.UNKNOWN, confidence=0.5, note="where an organisation is",
                identifies=guess.meaning is not Meaning.ADDRESS_TOWN,
            )  # fmt: skip
        if surnamed and guess.meaning is Meaning.FULL_NAME and look.evidence.share("word") >= ONE_WORD:
            kept[i] = replace(guess, meaning=Meaning.GIVEN_NAME)
    for meaning in ONE_EACH:
        rivals = [i for i, guess in enumerate(kept) if guess.meaning is meaning]
        if len(rivals) < 2:
            continue
        best = max(rivals, key=lambda i: (not looks[i].other, looks[i].hint(meaning), kept[i].confidence, -i))
        for i in rivals:
            if i != best:
                note = f"a second column that seems to be {meaning.value.replace('_', ' ')}"
                secret = handling_of(meaning) is Handling.IDENTIFIER
                kept[i] = replace(kept[i], meaning=_lesser(meaning), confidence=0.6, note=note, identifies=secret)
    return kept


def _lesser(meaning: Meaning) -> Meaning:
    """What a second column of a meaning becomes: still an identifier where it names a person."""
    match meaning:
        case Meaning.RECORD_ID | Meaning.NHS_NUMBER | Meaning.NATIONAL_INSURANCE_NUMBER:
            return Meaning.PERSON_REFERENCE
        case Meaning.GIVEN_NAME:
            return Meaning.MIDDLE_NAME
        case Meaning.COMPANY_NUMBER:
            return Meaning.ORGANISATION_REFERENCE
        case _:
            return Meaning.UNKNOWN


def _column(look: Look, guess: Guess, *, taken: set[str], stand_ins: tuple[str, ...]) -> Column:
    evidence = look.evidence
    numeric = guess.kind in (Kind.NUMBER, Kind.INTEGER)
    return Column(
        name=column_name(evidence.heading, taken), source=evidence.heading, kind=guess.kind,
        meaning=guess.meaning, handling=_handling(look, guess), formats=guess.formats,
        missing=_missing(look, guess) + stand_ins, decimal="," if numeric and look.comma else ".",
        confidence=guess.confidence, title=guess.note,
    )  # fmt: skip


def _handling(look: Look, guess: Guess) -> Handling:
    usual = Handling.IDENTIFIER if guess.identifies else handling_of(guess.meaning)
    if usual is not Handling.PAYLOAD:
        return usual
    doubtful = guess.confidence < (SURE_OF_TEXT if guess.kind is Kind.STRING else SURE)
    born = guess.meaning is Meaning.MONTH and guess.confidence < SURE_OF_TEXT
    return Handling.WITHHELD if doubtful or born or _may_be_words(look, guess) else usual


def _may_be_words(look: Look, guess: Guess) -> bool:
    """Whether a column that looks like a code list may hold names or notes: few people make few values.

    Where no heading says what the words are, or it says names or notes, they are not published.
    """
    evidence = look.evidence
    if guess.kind is not Kind.STRING or evidence.mean_length <= WORD or guess.meaning is Meaning.AREA_NAME:
        return False
    heading = folded(evidence.heading)
    unsaid = not look.hints and (not heading or heading.rstrip("0123456789") in NO_HEADING)
    return unsaid or "name" in heading or (look.hint(Meaning.FREE_TEXT) > 0 and evidence.share("spaces") >= SPACED)


def _missing(look: Look, guess: Guess) -> tuple[str, ...]:
    """Codes for "no value" that occur: any in numbers and dates, words alone in text."""
    evidence = look.evidence
    low = evidence.low
    words = [w for w in MISSING_WORDS if guess.meaning not in NAMES or w not in ALSO_NAMES]
    negative = low is not None and low >= 0 and evidence.share("number") > 0.9
    numeric = guess.kind is not Kind.STRING or guess.meaning in (
        Meaning.CODE,
        Meaning.FLAG,
        Meaning.SEX,
        Meaning.ETHNIC_GROUP,
    )
    found = []
    for code in evidence.missing:
        if code in MISSING_NUMBERS:
            if negative and numeric:
                found.append(code)
        elif guess.kind is not Kind.STRING or code.upper() in words:
            found.append(code)
    return tuple(found)


def _with_key(columns: Sequence[Column]) -> list[Column]:
    return [replace(c, key=True) if c.meaning is Meaning.RECORD_ID else c for c in columns]


def _lists_organisations(columns: Sequence[Column], evidence: Sequence[Evidence]) -> bool:
    """Whether the file is a register of organisations: nobody's own record, hardly a name twice."""
    if any(c.meaning in (*NUMBERED, *BORN, Meaning.FAMILY_NAME, Meaning.GIVEN_NAME) for c in columns):
        return False
    named = [e for c, e in zip(columns, evidence, strict=True) if c.meaning is Meaning.ORGANISATION_NAME]
    return bool(named) and named[0].distinct_share >= LISTED_ONCE


def index_uses(columns: Sequence[Column], *, listed_once: bool = False) -> tuple[IndexUse, ...]:
    """The indexes that records with these meanings can be matched to.

    `listed_once`: every organisation has one record, so no two are one business.
    """
    has = {c.meaning for c in columns}

    def any_of(*meanings: Meaning) -> bool:
        return not has.isdisjoint(meanings)

    reasons = {
        "demographic": (any_of(*NAMED) and any_of(*BORN)) or (any_of(*NUMBERED) and any_of(*BORN, *NAMED)),
        "business": any_of(Meaning.ORGANISATION_NAME, Meaning.COMPANY_NUMBER),
        "address": any_of(*LOCATED, Meaning.UPRN),
        "geography": any_of(Meaning.POSTCODE, Meaning.AREA_CODE) or {Meaning.LATITUDE, Meaning.LONGITUDE} <= has,
        "classification": any_of(
            Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, Meaning.OCCUPATION_CODE, Meaning.OCCUPATION_TEXT
        ),
    }
    return tuple(
        IndexUse(index, one_to_one=index == "business" and listed_once) for index, reason in reasons.items() if reason
    )
