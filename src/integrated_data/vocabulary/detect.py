"""Detectors: what the values of a column look like, as SQL conditions over one value.

In every condition `v` is the trimmed value, `u` its upper case, `b` the upper case without blanks
and dashes, `s` its shape; `given` and `family` tell whether its first or last word is among `GIVEN_NAMES` and
`FAMILY_NAMES`. A condition alone proves nothing; the share of a column's values that meet it does.
"""

from importlib import resources

from integrated_data.vocabulary.identifiers import (
    AREA_CODE,
    COMPANY_NUMBER,
    CONDITION_CODE,
    SIC_DIVISIONS,
    national_insurance_valid_sql,
    nhs_number_valid_sql,
)
from integrated_data.vocabulary.names import nicknames
from integrated_data.vocabulary.postcodes import PATTERN as POSTCODE
from integrated_data.vocabulary.sql import text, texts

_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"

#: Longest shape that is kept; what is longer is free text.
SHAPE_LENGTH = 32

#: Family names that are common in the United Kingdom, of several naming traditions.
FAMILY_NAMES = tuple(
    resources.files("integrated_data.vocabulary").joinpath("family_names.txt").read_text("utf-8").split()
)

#: Given names in use in the United Kingdom, with their short forms.
GIVEN_NAMES = tuple(sorted({name for pair in nicknames() for name in pair if len(name) > 1}))

_STREETS = (
    r"(ROAD|RD|STREET|ST|LANE|LN|AVENUE|AVE|CLOSE|CL|DRIVE|DR|WAY|COURT|CT|CRESCENT|CRES|GARDENS|GDNS|GROVE|"
    r"PLACE|PL|TERRACE|TCE|SQUARE|SQ|HILL|PARK|MEWS|RISE|WALK|GREEN|ROW|PARADE|BLVD|BOULEVARD|CIR|CIRCLE|HWY|PKWY|"
    r"HEOL|FFORDD|STRYD|HOUSE|FLAT|UNIT|ESTATE)"
)
_BUSINESSES = (
    r"(LTD|LIMITED|PLC|LLP|LLC|INC|CORP|CIC|CYF|CO|COMPANY|GROUP|HOLDINGS|SERVICES|SOLUTIONS|ASSOCIATES|PARTNERS|"
    r"PARTNERSHIP|SURGERY|PRACTICE|PRACT|CENTRE|CTR|CENTER|HOSPITAL|CLINIC|PHARMACY|SCHOOL|ACADEMY|COLLEGE|UNIVERSITY|"
    r"COUNCIL|TRUST|CHURCH|CHARITY|FOUNDATION|SOCIETY|ASSOCIATION|CLUB|BANK|HOTEL|RESTAURANT|CAFE|STORES?|SHOP|"
    r"MEDICAL|HEALTH|DENTAL|CARE|NHS|CCG|TRADING|ENTERPRISES|CONSULTING|ENGINEERING|SONS|BROS)"
)
_JOBS = (
    r"(MANAGER|ASSISTANT|OFFICER|DIRECTOR|ENGINEER|TEACHER|NURSE|DRIVER|CLERK|ADMINISTRATOR|CONSULTANT|TECHNICIAN|"
    r"WORKER|CLEANER|CHEF|COOK|OPERATIVE|OPERATOR|ACCOUNTANT|SUPERVISOR|ANALYST|DEVELOPER|CARER|LABOURER|PLUMBER|"
    r"ELECTRICIAN|BUILDER|MECHANIC|ARTIST|LECTURER|DOCTOR|MAKER|FITTER|INSPECTOR|SALES|CASHIER|RECEPTIONIST|SECRETARY)"
)
_INDUSTRIES = (
    r"(MANUFACTURE|MANUFACTURING|RETAIL|WHOLESALE|REPAIR|CONSTRUCTION|FARMING|GROWING|MINING|SERVICES|ACTIVITIES)"
)

SEXES = ("M", "F", "MALE", "FEMALE", "MAN", "WOMAN", "BOY", "GIRL")
SEX_CODES = ("0", "1", "2", "3", "9")
TRUTHS = ("Y", "N", "YES", "NO", "TRUE", "FALSE", "T", "F", "0", "1")

#: Written for "no value" in columns of numbers and dates.
MISSING_TOKENS = (
    "NULL", "NONE", "NAN", "NA", "N/A", "#N/A", "<NA>", "N/K", "NK", "NS", "N/S", "ND", "N.D.", "MISSING", "UNKNOWN",
    "NOT KNOWN", "NOT STATED", "NOT AVAILABLE", "NOT APPLICABLE", "NOT RECORDED", "SUPPRESSED", "LOW", "-", "--", ".",
    "..", ":", "*", "**", "?", "X", "Z", "C", "S", "U", "[X]", "[Z]", "[C]", "[LOW]", "#", "$", "~",
)  # fmt: skip
#: The same in columns of text, where a letter alone may be a value.
MISSING_WORDS = (
    "NULL", "NAN", "N/A", "#N/A", "<NA>", "NONE", "MISSING", "UNKNOWN", "NOT KNOWN", "NOT STATED", "NOT AVAILABLE",
    "NOT APPLICABLE", "NOT RECORDED", "-", "--", ".", "..", "*", "**", "?", "N/K", "NK",
)  # fmt: skip
#: Of these, the words that are names of people, too.
ALSO_NAMES = ("NULL", "NAN", "NONE", "NK")
#: Negative codes of survey files (not asked, refused, don't know).
MISSING_NUMBERS = ("-1", "-6", "-7", "-8", "-9", "-99", "-999", "-9.0", "-8.0", "-1.0")
#: Dates that stand for "no date": 1582 and 1800 to 1802 of hospital statistics, 1899/1900 of spreadsheets.
MISSING_YEARS = (1582, 1800, 1801, 1802, 1899, 9999)


def shape_sql(value: str) -> str:
    """The shape of a value: digits as 9, letters as A or a, the rest as it is; at most SHAPE_LENGTH long."""
    known = _LOWER + _UPPER + _DIGITS
    as_shape = "a" * 26 + "A" * 26 + "9" * 10
    return f"translate(left({value}, {SHAPE_LENGTH}), '{known}', '{as_shape}')"


def _words(pattern: str) -> str:
    return f"regexp_matches(u, {text('(^|[^A-Z])' + pattern + '([^A-Z]|$)')})"


def _full(pattern: str, value: str = "v") -> str:
    return f"regexp_full_match({value}, {text(pattern)})"


def wide_sql(value: str) -> str:
    """Whether a number has more digits than are kept: a whole one beyond BIGINT, or more than 17 with decimals."""
    return (
        f"CASE WHEN {_full(r'[+-]?[0-9]+', value)} THEN TRY_CAST({value} AS BIGINT) IS NULL "
        f"WHEN {_full(r'[+-]?[0-9]*[.][0-9]+', value)} "
        f"THEN length(trim(replace(ltrim({value}, '+-'), '.', ''), '0')) > 17 ELSE false END"
    )


_BARE_COMPANY = "replace(u, 'GB-COH-', '')"

#: Detector to condition. A CASE in front spares the dearer test where the shape rules it out.
CONDITIONS: dict[str, str] = {
    "integer": "TRY_CAST(v AS BIGINT) IS NOT NULL AND NOT contains(v, '.')",
    "number": "TRY_CAST(v AS DOUBLE) IS NOT NULL",
    "leading_zero": "starts_with(s, '99') AND starts_with(v, '0')",
    "point": "contains(v, '.') AND TRY_CAST(v AS DOUBLE) IS NOT NULL",
    "zero_point": _full(r"[+-]?[0-9]+\.0+"),
    "point_groups": _full(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+"),
    "comma_decimal": "contains(v, ',') AND " + _full(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]+"),
    "comma_groups": "contains(v, ',') AND " + _full(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"),
    "comma_three": _full(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}"),
    "comma_tells": "contains(v, ',') AND " + _full(r"[+-]?([0-9]+,([0-9]{1,2}|[0-9]{4,})|0[0-9]*,[0-9]+)")
    + " OR " + _full(r"[+-]?[0-9]{4,},[0-9]+"),
    "comma_parts": "contains(v, ',') AND "
    + _full(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]+|[+-]?[1-9][0-9]{0,2}(,[0-9]{3}){2,}"),
    "point_three": _full(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}"),
    "point_tells": "contains(v, '.') AND "
    + _full(r"[+-]?([0-9]*\.([0-9]{1,2}|[0-9]{4,})|0?\.[0-9]+|[0-9]{4,}\.[0-9]+)"),
    "point_parts": "contains(v, '.') AND "
    + _full(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+|[+-]?[1-9][0-9]{0,2}(\.[0-9]{3}){2,}"),
    "wide": "length(v) > 15 AND " + wide_sql("v"),
    "wide_whole": f"length(v) > 15 AND {_full(r'[+-]?[0-9]+')} AND TRY_CAST(v AS HUGEINT) IS DISTINCT FROM "
    "TRY_CAST(TRY_CAST(v AS DOUBLE) AS HUGEINT)",
    "money": _full(r"\(?[+-]?[£$€] ?[0-9][0-9,]*(\.[0-9]+)?\)?|\(?[+-]?[0-9][0-9,]*(\.[0-9]+)? ?[£€]\)?"),
    "percent": _full(r"[+-]?[0-9][0-9,.]* ?%"),
    "letters": _full(r"[A-Za-zÀ-ÖØ-öø-ÿĀ-ž' .’`-]+"),
    "word": "NOT contains(v, ' ')",
    "surname_comma": _full(r"[A-Za-zÀ-ž' .’-]+, ?[A-Za-zÀ-ž' .’-]+"),
    "given": "given",
    "family": "family",
    "postcode": f"length(b) BETWEEN 5 AND 7 AND {_full(POSTCODE, 'b')}",
    "nino": f"length(b) BETWEEN 8 AND 9 AND {national_insurance_valid_sql('b')}",
    "ten_digits": _full(r"[0-9]{10}", "b"),
    "nhs": nhs_number_valid_sql("b"),
    "ssn": "s = '999-99-9999'",
    "email": "contains(v, '@') AND " + _full(r"[^@ ]+@[^@ ]+\.[A-Za-z.]+"),
    "phone": _full(r"(\+?44|0)\(?0?[0-9]{9,10}\)?", "translate(b, '()', '')"),
    "area": f"length(v) = 9 AND {_full(AREA_CODE, 'u')}",
    "company": f"length(v) IN (8, 15) AND {_full(COMPANY_NUMBER, _BARE_COMPANY)}",
    "sic": _full(r"[0-9]{2}(\.?[0-9]{1,2}(\.|/)?[0-9]{0,2})?( .*)?") + f" AND left(v, 2) IN {texts(SIC_DIVISIONS)}",
    "sic_text": _full(r"[0-9]{5} ?[-:] ?.+"),
    "soc": _full(r"[1-9][0-9]{3}"),
    "icd": f"length(v) BETWEEN 3 AND 8 AND {_full(CONDITION_CODE, 'u')}",
    "street": f"length(v) > 5 AND {_words(_STREETS)}",
    "starts_number": _full(r"(FLAT |UNIT |APARTMENT |APT )?[0-9]+[A-Z]?([-/][0-9]+[A-Z]?)?[ ,].+", "u"),
    "business": _words(_BUSINESSES),
    "job": _words(_JOBS),
    "industry": _words(_INDUSTRIES),
    "comma": "contains(v, ',')",
    "spaces": "contains(v, ' ')",
    "sentence": "length(v) - length(replace(v, ' ', '')) >= 5",
    "sex": f"u IN {texts(SEXES)}",
    "sex_code": f"v IN {texts(SEX_CODES)}",
    "truth": f"u IN {texts(TRUTHS)}",
    "json": _full(r"[\[{].*[\]}]"),
    "midnight": "ends_with(v, '00:00:00') OR ends_with(v, ' 00:00')",
    "coordinates": _full(
        r"[(\[]?-?[0-9]{1,3}\.[0-9]+[ ,;]+-?[0-9]{1,3}\.[0-9]+[)\]]?|(SRID=[0-9]+;)? ?POINT ?\(.*\)", "u"
    ),
    "clock": _full(r"[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?"),
}  # fmt: skip
