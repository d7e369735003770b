"""Numbers that name a person, a company, a property or a class: their rules and one way of writing them."""

from integrated_data.vocabulary.sql import text, texts

#: National Insurance number: the letters HMRC allows (NIM39110), six digits, suffix A to D.
NATIONAL_INSURANCE = r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]?"
#: Company number: eight digits, or a register's two letters and six digits.
COMPANY_NUMBER = (
    r"[0-9]{8}|(AC|CE|CS|FC|GE|GN|GS|IC|IP|LP|NA|NC|NF|NI|NL|NO|NP|NR|NZ|OC|OE|PC|R0|RC|RS|SA|SC|SE|SF|SG|SI|"
    r"SL|SO|SP|SR|SZ|ZC)[0-9]{6}"
)
#: Code of the Government Statistical Service for an area: country letter and eight digits.
AREA_CODE = r"[EWSNKJLM][0-9]{8}"
#: ICD-10 category or subcategory, with or without dot, with NHS filler X and dagger or asterisk.
CONDITION_CODE = r"[A-Z][0-9][0-9A-Z](\.?[0-9X-][0-9A-Z]{0,3})?[DA*+]?"
#: Divisions of the Standard Industrial Classification 2007.
SIC_DIVISIONS = tuple(
    f"{division:02d}"
    for first, last in ((1, 3), (5, 9), (10, 33), (35, 39), (41, 43), (45, 47), (49, 53), (55, 56), (58, 63),
                        (64, 66), (68, 75), (77, 82), (84, 88), (90, 93), (94, 99))
    for division in range(first, last + 1)
    if division not in (4, 34, 40, 44, 48, 54, 57, 67, 76, 83, 89)
)  # fmt: skip


def digits_sql(value: str) -> str:
    """A number people write in groups, without its spaces and dashes; one that has none is passed on untouched."""
    grouped = f"contains({value}, ' ') OR contains({value}, '-')"
    return f"CASE WHEN {grouped} THEN translate({value}, ' -', '') ELSE {value} END"


def nhs_number_valid_sql(value: str) -> str:
    """Whether ten digits carry the NHS number's check digit (modulus 11, NHS Data Dictionary)."""
    terms = " + ".join(f"CAST(substr({value}, {i}, 1) AS INTEGER) * {11 - i}" for i in range(1, 10))
    check = f"(11 - ({terms}) % 11) % 11"
    return (
        f"CASE WHEN regexp_full_match({value}, '[0-9]{{10}}') "
        f"THEN {check} = CAST(substr({value}, 10, 1) AS INTEGER) ELSE false END"
    )


def national_insurance_sql(value: str) -> str:
    """Upper case without spaces or dashes."""
    return digits_sql(f"upper({value})")


def national_insurance_valid_sql(value: str) -> str:
    """Whether text has the form of a National Insurance number that can be issued."""
    never = texts(("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"))
    return f"regexp_full_match({value}, {text(NATIONAL_INSURANCE)}) AND left({value}, 2) NOT IN {never}"


def uprn_sql(value: str) -> str:
    """A Unique Property Reference Number without leading zeros or a decimal point."""
    whole = f"CASE WHEN ends_with({value}, '.0') THEN left({value}, -2) ELSE {value} END"
    return f"nullif(ltrim({whole}, '0 '), '')"


def company_number_sql(value: str) -> str:
    """Eight characters, upper case: leading zeros restored, register prefixes of open data taken off."""
    bare = f"replace(replace(upper({value}), ' ', ''), 'GB-COH-', '')"
    short = f"length({bare}) < 8 AND TRY_CAST({bare} AS BIGINT) IS NOT NULL"
    return f"CASE WHEN {short} THEN lpad({bare}, 8, '0') ELSE {bare} END"


def industry_code_sql(value: str) -> str:
    """A SIC code as digits alone: `23.64/0` and `23640 - Manufacture of mortars` become `23640`."""
    first = f"CASE WHEN contains({value}, ' ') THEN split_part({value}, ' ', 1) ELSE {value} END"
    return f"translate({first}, './', '')"


def condition_code_sql(value: str) -> str:
    """An ICD-10 code without its dot and fillers: `J44.0` becomes `J440`, `I10X` becomes `I10`."""
    return f"rtrim(replace(upper({value}), '.', ''), 'X- ')"
