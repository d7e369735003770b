"""One column's value in its standard, as SQL: trimmed, without its codes for "no value", typed, tidied.

What each meaning becomes stands in `TIDY`; a name is only trimmed and put in capitals here, the deep
cleaning of names and addresses is the matcher's. Doing it twice changes nothing.
"""

from collections.abc import Callable

from integrated_data.model.contract import Column
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.vocabulary.dates import moment_sql
from integrated_data.vocabulary.identifiers import (
    company_number_sql,
    condition_code_sql,
    digits_sql,
    industry_code_sql,
    national_insurance_sql,
    uprn_sql,
)
from integrated_data.vocabulary.numbers import boolean_sql, integer_sql, number_sql
from integrated_data.vocabulary.postcodes import postcode_sql
from integrated_data.vocabulary.sql import name, texts

#: Words and codes for the sexes, and for not knowing (NHS Data Dictionary: 0 not known, 9 not specified).
MALE = ("M", "MALE", "1", "MAN", "BOY", "1.0")
FEMALE = ("F", "FEMALE", "2", "WOMAN", "GIRL", "2.0")
SEX_NOT_KNOWN = ("0", "9", "U", "UNKNOWN", "NOT KNOWN", "NOT STATED", "NOT SPECIFIED", "0.0", "9.0")


def sex_sql(value: str) -> str:
    """`M`, `F`, NULL for not known; any other code as it is, in capitals."""
    up = f"upper({value})"
    return (
        f"CASE WHEN {up} IN {texts(MALE)} THEN 'M' WHEN {up} IN {texts(FEMALE)} THEN 'F' "
        f"WHEN {up} IN {texts(SEX_NOT_KNOWN)} THEN NULL ELSE {up} END"
    )


def _upper(value: str) -> str:
    return f"upper({value})"


def _lower(value: str) -> str:
    return f"lower({value})"


Tidy = Callable[[str], str]

#: How text of a meaning is written in the standard; other text stays as it is, trimmed.
TIDY: dict[Meaning, Tidy] = {
    Meaning.FULL_NAME: _upper, Meaning.GIVEN_NAME: _upper, Meaning.MIDDLE_NAME: _upper, Meaning.FAMILY_NAME: _upper,
    Meaning.PREVIOUS_FAMILY_NAME: _upper, Meaning.SEX: sex_sql, Meaning.NHS_NUMBER: digits_sql,
    Meaning.NATIONAL_INSURANCE_NUMBER: national_insurance_sql, Meaning.EMAIL: _lower, Meaning.ADDRESS: _upper,
    Meaning.ADDRESS_LINE: _upper, Meaning.ADDRESS_FLAT: _upper, Meaning.ADDRESS_BUILDING: _upper,
    Meaning.ADDRESS_STREET: _upper,
    Meaning.ADDRESS_LOCALITY: _upper, Meaning.ADDRESS_TOWN: _upper, Meaning.POSTCODE: postcode_sql,
    Meaning.UPRN: uprn_sql,
    Meaning.AREA_CODE: _upper, Meaning.ORGANISATION_NAME: _upper, Meaning.TRADING_NAME: _upper,
    Meaning.ORGANISATION_REFERENCE: _upper, Meaning.COMPANY_NUMBER: company_number_sql,
    Meaning.INDUSTRY_CODE: industry_code_sql, Meaning.CONDITION_CODE: condition_code_sql,
}  # fmt: skip


def trimmed_sql(value: str) -> str:
    """Text without blanks around it, NULL when nothing is left.

    The common clean value is passed on untouched: whatever begins with a blank, and the empty text,
    sort before the exclamation mark, which is the cheapest question to ask.
    """
    return f"CASE WHEN {value} < '!' OR ends_with({value}, ' ') THEN nullif(trim({value}), '') ELSE {value} END"


def present_sql(column: Column, value: str) -> str:
    """Whether raw text is a value and no code for "no value"; NULL counts as none."""
    trimmed = f"trim({value})"
    coded = f" AND {trimmed} NOT IN {texts(column.missing)}" if column.missing else ""
    return f"{value} IS NOT NULL AND {trimmed} <> ''{coded}"


def value_sql(column: Column, value: str) -> str:
    """The column's standard value from its raw text."""
    if column.kind is Kind.STRING:
        text = trimmed_sql(value)
        if column.missing:
            text = f"CASE WHEN {text} IN {texts(column.missing)} THEN NULL ELSE {text} END"
        tidy = TIDY.get(column.meaning)
        if tidy is None:
            return text
        tidied = tidy(f"({text})")
        return tidied if tidy in (_upper, _lower) else f"nullif({tidied}, '')"
    read = _typed_sql(column, value)
    if column.missing:
        read = f"CASE WHEN {trimmed_sql(value)} IN {texts(column.missing)} THEN NULL ELSE {read} END"
    return read


def _typed_sql(column: Column, value: str) -> str:
    match column.kind:
        case Kind.INTEGER:
            return integer_sql(value, decimal=column.decimal)
        case Kind.NUMBER:
            return number_sql(value, decimal=column.decimal)
        case Kind.BOOLEAN:
            return boolean_sql(value)
        case Kind.TIMESTAMP:
            return moment_sql(value, column.formats, as_type="TIMESTAMP")
        case _:
            return moment_sql(value, column.formats)


def standard_codes(column: Column) -> tuple[tuple[str, str], ...]:
    """A column's codes with their labels, as its values are written in the standard."""
    tidy = TIDY.get(column.meaning)
    if tidy is sex_sql:
        return tuple((_sex(code), label) for code, label in column.codes)
    if tidy in (_upper, _lower):
        return tuple((code.upper() if tidy is _upper else code.lower(), label) for code, label in column.codes)
    return column.codes


def _sex(code: str) -> str:
    """As `sex_sql` writes it."""
    up = code.upper()
    return "M" if up in MALE else "F" if up in FEMALE else up


def source_sql(column: Column) -> str:
    """The delivered column, as text."""
    return name(column.source)
