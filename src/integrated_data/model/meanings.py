"""What a column means, how it is handled, and what type its values have."""

from enum import StrEnum


class Kind(StrEnum):
    """Logical type of a standardised column (Open Data Contract Standard 3.1 logicalType)."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"


class Handling(StrEnum):
    """What happens to a column on its way to the lake."""

    IDENTIFIER = "identifier"  # used for matching, never published
    PAYLOAD = "payload"  # published
    WITHHELD = "withheld"  # kept in the identified zone until a steward releases it


class Meaning(StrEnum):
    """Semantic type of a column: what `ids contract infer` recognises."""

    RECORD_ID = "record_id"
    PERSON_REFERENCE = "person_reference"  # a supplier's own number for a person
    FULL_NAME = "full_name"
    GIVEN_NAME = "given_name"
    MIDDLE_NAME = "middle_name"
    FAMILY_NAME = "family_name"
    PREVIOUS_FAMILY_NAME = "previous_family_name"
    DATE_OF_BIRTH = "date_of_birth"
    BIRTH_DAY = "birth_day"
    BIRTH_MONTH = "birth_month"
    BIRTH_YEAR = "birth_year"
    SEX = "sex"
    NHS_NUMBER = "nhs_number"
    NATIONAL_INSURANCE_NUMBER = "national_insurance_number"
    TELEPHONE = "telephone"
    EMAIL = "email"
    ADDRESS = "address"  # a whole address, or the whole of it but the postcode, in one column
    ADDRESS_LINE = "address_line"
    ADDRESS_FLAT = "address_flat"
    ADDRESS_BUILDING = "address_building"
    ADDRESS_STREET = "address_street"
    ADDRESS_LOCALITY = "address_locality"
    ADDRESS_TOWN = "address_town"
    POSTCODE = "postcode"
    UPRN = "uprn"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    AREA_CODE = "area_code"
    AREA_NAME = "area_name"
    ORGANISATION_NAME = "organisation_name"
    TRADING_NAME = "trading_name"
    ORGANISATION_REFERENCE = "organisation_reference"  # e.g. a practice or PAYE reference
    COMPANY_NUMBER = "company_number"
    ORGANISATION_STATUS = "organisation_status"  # active, ceased, dissolved
    SUCCESSOR = "successor"  # number of the organisation that took this one over
    STATISTICAL_UNIT = "statistical_unit"  # number of the enterprise that a legal unit belongs to
    STATISTICAL_GROUP = "statistical_group"  # number of the enterprise group
    INDUSTRY_CODE = "industry_code"  # SIC 2007
    INDUSTRY_TEXT = "industry_text"
    OCCUPATION_CODE = "occupation_code"  # SOC 2010 or 2020
    OCCUPATION_TEXT = "occupation_text"
    CONDITION_CODE = "condition_code"  # ICD-10
    MONEY = "money"
    EVENT_DATE = "event_date"
    EFFECTIVE_FROM = "effective_from"  # first day on which what the row says was so
    EFFECTIVE_TO = "effective_to"  # last day
    DATE_OF_DEATH = "date_of_death"
    REGISTERED_FROM = "registered_from"  # first day on which the source had the person on its list
    REGISTERED_TO = "registered_to"  # last day: they moved away, or left the list otherwise
    LAST_CONTACT = "last_contact"  # when the source last had to do with the person
    MONTH = "month"  # mmyyyy and the like, standardised to the first of the month
    QUARTER = "quarter"  # 2024 Q3 and the like
    YEAR = "year"
    COUNT = "count"
    MEASURE = "measure"
    CODE = "code"  # a short code list
    FLAG = "flag"
    ETHNIC_GROUP = "ethnic_group"
    SURVEY_WEIGHT = "survey_weight"
    STRATUM = "stratum"
    CLUSTER = "cluster"
    FREE_TEXT = "free_text"
    UNKNOWN = "unknown"


#: Columns that name, number or locate one person or household: never published.
DIRECT_IDENTIFIERS = frozenset(
    {
        Meaning.RECORD_ID, Meaning.PERSON_REFERENCE, Meaning.FULL_NAME, Meaning.GIVEN_NAME,
        Meaning.MIDDLE_NAME, Meaning.FAMILY_NAME, Meaning.PREVIOUS_FAMILY_NAME,
        Meaning.DATE_OF_BIRTH, Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.NHS_NUMBER,
        Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.TELEPHONE, Meaning.EMAIL, Meaning.ADDRESS,
        Meaning.ADDRESS_LINE, Meaning.ADDRESS_FLAT, Meaning.ADDRESS_BUILDING, Meaning.ADDRESS_STREET,
        Meaning.ADDRESS_LOCALITY, Meaning.POSTCODE, Meaning.UPRN, Meaning.LATITUDE, Meaning.LONGITUDE,
        Meaning.ORGANISATION_NAME, Meaning.TRADING_NAME, Meaning.ORGANISATION_REFERENCE,
        Meaning.COMPANY_NUMBER, Meaning.SUCCESSOR, Meaning.STATISTICAL_UNIT, Meaning.STATISTICAL_GROUP,
    }
)  # fmt: skip

#: What tells whether and where somebody lives: dates of a person's record, not of what the row says.
PRESENCE = (Meaning.DATE_OF_DEATH, Meaning.REGISTERED_FROM, Meaning.REGISTERED_TO, Meaning.LAST_CONTACT)

#: Columns that no scan can clear: withheld until a steward releases them.
WITHHELD_UNTIL_RELEASED = frozenset(
    {Meaning.FREE_TEXT, Meaning.OCCUPATION_TEXT, Meaning.INDUSTRY_TEXT, Meaning.UNKNOWN}
)


def handling_of(meaning: Meaning) -> Handling:
    """The handling a meaning gets unless a contract says otherwise."""
    if meaning in DIRECT_IDENTIFIERS:
        return Handling.IDENTIFIER
    if meaning in WITHHELD_UNTIL_RELEASED:
        return Handling.WITHHELD
    return Handling.PAYLOAD
