"""What columns tell of people, in the words of data protection law: categories of data and of people.

Special categories are those of article 9 of the General Data Protection Regulation and of its counterpart in the
United Kingdom; criminal offence data those of article 10. A column is told by its meaning, which the service
knows, or by a word in its name, which a person must look at.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from integrated_data.model.meanings import Meaning

_M = Meaning

#: Every meaning, under the category of data that it belongs to.
CATEGORIES: Mapping[str, tuple[Meaning, ...]] = {
    "names": (_M.FULL_NAME, _M.GIVEN_NAME, _M.MIDDLE_NAME, _M.FAMILY_NAME, _M.PREVIOUS_FAMILY_NAME),
    "dates of birth": (_M.DATE_OF_BIRTH, _M.BIRTH_DAY, _M.BIRTH_MONTH, _M.BIRTH_YEAR),
    "numbers that identify a person": (
        _M.RECORD_ID, _M.PERSON_REFERENCE, _M.NHS_NUMBER, _M.NATIONAL_INSURANCE_NUMBER,
    ),
    "contact details": (_M.TELEPHONE, _M.EMAIL),
    "addresses": (
        _M.ADDRESS, _M.ADDRESS_LINE, _M.ADDRESS_FLAT, _M.ADDRESS_BUILDING, _M.ADDRESS_STREET, _M.ADDRESS_LOCALITY,
        _M.ADDRESS_TOWN, _M.POSTCODE, _M.UPRN, _M.LATITUDE, _M.LONGITUDE,
    ),
    "areas": (_M.AREA_CODE, _M.AREA_NAME),
    "sex": (_M.SEX,),
    "ethnic group": (_M.ETHNIC_GROUP,),
    "health": (_M.CONDITION_CODE,),
    "money": (_M.MONEY,),
    "occupation": (_M.OCCUPATION_CODE, _M.OCCUPATION_TEXT),
    "deaths, registrations and contacts": (
        _M.DATE_OF_DEATH, _M.REGISTERED_FROM, _M.REGISTERED_TO, _M.LAST_CONTACT,
    ),
    "dates of events": (_M.EVENT_DATE, _M.EFFECTIVE_FROM, _M.EFFECTIVE_TO, _M.MONTH, _M.QUARTER, _M.YEAR),
    "organisations": (
        _M.ORGANISATION_NAME, _M.TRADING_NAME, _M.ORGANISATION_REFERENCE, _M.COMPANY_NUMBER, _M.ORGANISATION_STATUS,
        _M.SUCCESSOR, _M.STATISTICAL_UNIT, _M.STATISTICAL_GROUP, _M.INDUSTRY_CODE, _M.INDUSTRY_TEXT,
    ),
    "codes, counts and measures": (_M.CODE, _M.FLAG, _M.COUNT, _M.MEASURE),
    "survey design": (_M.SURVEY_WEIGHT, _M.STRATUM, _M.CLUSTER),
    "text and columns of unknown content": (_M.FREE_TEXT, _M.UNKNOWN),
}  # fmt: skip

#: Meanings that single out a person.
OF_PEOPLE = frozenset(
    m
    for category in ("names", "dates of birth", "contact details", "deaths, registrations and contacts")
    for m in CATEGORIES[category]
) | {
    _M.PERSON_REFERENCE,
    _M.NHS_NUMBER,
    _M.NATIONAL_INSURANCE_NUMBER,
    _M.SEX,
    _M.ETHNIC_GROUP,
    _M.CONDITION_CODE,
}

_SPECIAL = {_M.ETHNIC_GROUP: "racial or ethnic origin", _M.CONDITION_CODE: "health"}
#: Words in the name or title of a column, and what they point to.
_WORDS = {
    "racial or ethnic origin": "ethnic ethnicity race racial",
    "health": "health diagnosis diagnoses disability disabled condition icd hospital medication illness sick",
    "religious or philosophical beliefs": "religion religious faith belief",
    "political opinions": "political politics",
    "trade union membership": "union",
    "genetic or biometric data": "genetic genome dna biometric fingerprint",
    "sex life or sexual orientation": "sexual sexuality orientation",
    "criminal offences (article 10)": "offence offender conviction convicted crime criminal arrest court sentence",
}
_OF_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def categories(meanings: Collection[Meaning]) -> tuple[str, ...]:
    """The categories of data of some columns, each once, in the order above."""
    return tuple(category for category, of in CATEGORIES.items() if any(m in of for m in meanings))


def special(name: str, title: str, *, meaning: Meaning) -> tuple[str, str] | None:
    """The special category that a column seems to belong to, and by what it is told: meaning or name; else None."""
    if meaning in _SPECIAL:
        return _SPECIAL[meaning], "meaning"
    found = (_OF_WORD.get(word) for word in re.findall(r"[a-z]+", f"{name} {title}".lower()))
    return next(((kind, "name") for kind in found if kind is not None), None)


def people(meanings: Collection[Meaning], *, indexes: Iterable[str] = ()) -> tuple[str, ...]:
    """The categories of people that a dataset is about, as far as its columns tell."""
    told = []
    if OF_PEOPLE & set(meanings) or "demographic" in indexes:
        told.append("people with a record in it")
    if _M.CONDITION_CODE in meanings:
        told.append("people whose health is recorded")
    if told and {_M.MONEY, _M.ORGANISATION_REFERENCE} <= set(meanings):
        told.append("people paid by an organisation")
    if any(m in CATEGORIES["organisations"] for m in meanings) and not told:
        told.append("people who are a business by themselves (sole traders)")
    if any(m in CATEGORIES["addresses"] for m in meanings) and not told:
        told.append("people who live at its addresses")
    return tuple(told)
