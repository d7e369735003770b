"""The Demographic Index: people.

Shares assumed before training (m, u) are guesses in the range that published census linkage finds
(ONS, "Census 2021 to Census Coverage Survey matched data quality", 2022); training replaces them.
"""

from integrated_data.index.matching.definition import (
    Comparison,
    Field,
    Key,
    Level,
    Lookup,
    MatchDefinition,
    Rivals,
    Rule,
)
from integrated_data.model.linkage import IndexDefinition
from integrated_data.model.meanings import PRESENCE, Meaning
from integrated_data.vocabulary import dwellings, names

INDEX = IndexDefinition(
    name="demographic",
    title="Demographic Index",
    key="person",
    attributes=(
        Meaning.GIVEN_NAME, Meaning.MIDDLE_NAME, Meaning.FAMILY_NAME, Meaning.PREVIOUS_FAMILY_NAME,
        Meaning.DATE_OF_BIRTH, Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.BIRTH_YEAR, Meaning.SEX,
        Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.ADDRESS, Meaning.POSTCODE,
        *PRESENCE,
    ),
    provisional=True,
)  # fmt: skip


def _part(column: str, part: str) -> str:
    return f"coalesce(date_part('{part}', in_date_of_birth)::INTEGER, in_birth_{column})"


_FIELDS = (
    Field("given_letters", names.letters_sql("in_given_name"), ("given_name",), of="in_given_name", keep=False),
    Field("given_first", "nullif(split_part(given_letters, ' ', 1), '')", of="in_given_name", keep=False),
    Field("given_second", "nullif(split_part(given_letters, ' ', 2), '')", of="in_given_name", keep=False),
    Field("given", names.named_sql("given_first"), of="in_given_name", frequency=True),
    Field("given_shape", names.shape_sql("given"), of="in_given_name"),
    Field("given_sound", names.sound_sql("given"), of="in_given_name"),
    Field("root", "given", of="in_given_name", lookup="nicknames"),
    Field("middle_letters", names.letters_sql("in_middle_name"), ("middle_name",), of="in_middle_name", keep=False),
    Field("middle_first", "nullif(split_part(middle_letters, ' ', 1), '')", of="in_middle_name", keep=False),
    Field("middle", "coalesce(given_second, middle_first)"),
    Field("family_letters", names.letters_sql("in_family_name"), ("family_name",), of="in_family_name", keep=False),
    Field("family_solid", names.solid_sql("family_letters"), of="in_family_name", keep=False),
    Field("family_named", names.named_sql("family_solid"), of="in_family_name", keep=False),
    Field("family", names.mac_sql("family_named"), of="in_family_name", frequency=True),
    Field("family_shape", names.shape_sql("family"), of="in_family_name"),
    Field("family_sound", names.sound_sql("family"), of="in_family_name"),
    Field("family_parts", names.family_parts_sql("family_letters"), of="in_family_name", keep=False),
    Field("family_first", "CASE WHEN len(family_parts) > 1 THEN family_parts[1] END", of="in_family_name"),
    Field("family_last", "CASE WHEN len(family_parts) > 1 THEN family_parts[-1] END", of="in_family_name"),
    Field(
        "previous_letters",
        names.letters_sql("in_previous_family_name"),
        ("previous_family_name",),
        of="in_previous_family_name",
        keep=False,
    ),
    Field("previous", names.mac_sql(names.solid_sql("previous_letters")), of="in_previous_family_name"),
    Field("birth_year", _part("year", "year"), ("date_of_birth", "birth_year")),
    Field("birth_month", _part("month", "month"), ("birth_month",)),
    Field("birth_day", _part("day", "day"), ("birth_day",)),
    Field("born", "birth_year * 10000 + birth_month * 100 + birth_day", frequency=True),
    Field(
        "gender",
        "CASE WHEN upper(left(trim(in_sex), 1)) IN ('M', '1') THEN 'M' "
        "WHEN upper(left(trim(in_sex), 1)) IN ('F', '2') THEN 'F' END",
        ("sex",),
    ),
    Field("code_solid", dwellings.solid_postcode_sql("in_postcode"), ("postcode",), keep=False),
    Field("code", dwellings.postcode_sql("code_solid"), frequency=True),
    Field("address_capitals", "upper(strip_accents(in_address))", ("address",), keep=False),
    Field("house", dwellings.house_sql("address_capitals")),
    Field("street", dwellings.street_sql("address_capitals")),
    Field("dwelling", "code || '|' || coalesce(house, '')", frequency=True),
    Field("nhs", "nullif(regexp_replace(in_nhs_number, '[^0-9]', '', 'g'), '')", ("nhs_number",)),
    Field(
        "nino",
        "nullif(left(regexp_replace(upper(in_national_insurance_number), '[^A-Z0-9]', '', 'g'), 8), '')",
        ("national_insurance_number",),
    ),
)

_GIVEN_SOUND, _FAMILY_SOUND = "given_sound", "family_sound"
_DAY_MONTH = ("birth_year", "least(birth_day, birth_month)", "greatest(birth_day, birth_month)")

_KEYS = (
    Key("NHS number", ("nhs",)),
    Key("National Insurance number", ("nino",)),
    Key("date of birth and initial", ("born", "left(given, 1)")),
    Key("date of birth, family name's sound", (*_DAY_MONTH, _FAMILY_SOUND), first=True),
    Key("date of birth and postcode sector", ("born", dwellings.sector_sql("code")), first=True),
    Key(
        "names in either order, year of birth",
        ("least(given, family)", "greatest(given, family)", "birth_year"),
        first=True,
    ),
    Key("names, middle initial", ("root", "family", "left(middle, 1)"), size=10),
    Key("rare names", ("root", "family"), size=4),
    Key("dwelling", ("code", "house"), first=True),
    Key("postcode and year of birth", ("code", "birth_year")),
    Key("postcode, family name's sound", ("code", _FAMILY_SOUND)),
    Key("house and street in a postcode sector", (dwellings.sector_sql("code"), "house", "street"), size=12),
    Key("date of birth and house", ("born", "house")),
    Key("names, postcode district", ("root", "family", dwellings.district_sql("code")), wide=True),
    Key("names' sounds, birthday", (_GIVEN_SOUND, _FAMILY_SOUND, "birth_day", "birth_month"), wide=True),
    Key("postcode and birthday", ("code", "birth_day", "birth_month"), wide=True),
    Key("postcode and given name", ("code", "root"), wide=True),
    Key("family name, house, street", ("family", "house", "street"), size=20, wide=True),
    Key("given name, house, street, year of birth", ("root", "house", "street", "birth_year"), wide=True),
)


def _close(field: str) -> str:
    left, right = f"l.{field}", f"r.{field}"
    return (
        f"length({left}) > 2 AND length({right}) > 2 AND (jaro_winkler_similarity({left}, {right}) >= 0.92 "
        f"OR levenshtein({left}, {right}) = 1 OR {left}_shape = {right}_shape)"
    )


def _similar(field: str) -> str:
    return f"jaro_winkler_similarity(l.{field}, r.{field}) >= 0.8"


_COMPARISONS = (
    Comparison(
        "given", "Given name", "l.given IS NULL OR r.given IS NULL",
        (
            Level("same", "l.given = r.given", 0.80, 0.008, "given"),
            Level("short or other form", "l.root = r.root", 0.03, 0.003),
            Level(
                "initial", "(length(l.given) = 1 OR length(r.given) = 1) AND left(l.given, 1) = left(r.given, 1)",
                0.02, 0.002,
            ),
            Level("swapped with family name", "l.given = r.family OR l.family = r.given", 0.01, 0.001),
            Level("middle name used", "l.given = r.middle OR r.given = l.middle", 0.01, 0.003),
            Level("spelling", _close("given"), 0.07, 0.006),
            Level("similar", _similar("given"), 0.02, 0.01),
            Level("other", "TRUE", 0.04, 0.967),
        ),
        ("given", "given_shape", "root", "middle", "family"),
    ),
    Comparison(
        "middle", "Middle name", "l.middle IS NULL OR r.middle IS NULL",
        (
            Level("same", "l.middle = r.middle", 0.75, 0.015),
            Level("initial", "left(l.middle, 1) = left(r.middle, 1)", 0.2, 0.06),
            Level("other", "TRUE", 0.05, 0.925),
        ),
        ("middle",),
    ),
    Comparison(
        "family", "Family name", "l.family IS NULL OR r.family IS NULL",
        (
            Level("same", "l.family = r.family", 0.86, 0.002, "family"),
            Level("previous name", "l.family = r.previous OR l.previous = r.family", 0.01, 0.0005),
            Level(
                "one of two names",
                "l.family IN (r.family_first, r.family_last) OR r.family IN (l.family_first, l.family_last)",
                0.01, 0.0005,
            ),
            Level("swapped with given name", "l.family = r.given OR l.given = r.family", 0.01, 0.001),
            Level("spelling", _close("family"), 0.06, 0.002),
            Level("similar", _similar("family"), 0.01, 0.006),
            Level("other", "TRUE", 0.04, 0.988),
        ),
        ("family", "family_shape", "previous", "family_first", "family_last", "given"),
    ),
    Comparison(
        "birth", "Date of birth",
        "(l.birth_year IS NULL AND l.birth_month IS NULL) OR (r.birth_year IS NULL AND r.birth_month IS NULL)",
        (
            Level("same", "l.born = r.born", 0.93, 0.00004, "born"),
            Level(
                "day and month swapped",
                "l.birth_year = r.birth_year AND l.birth_day = r.birth_month AND l.birth_month = r.birth_day",
                0.005, 0.00002,
            ),
            Level(
                "two parts agree, the third is missing",
                "(l.born IS NULL OR r.born IS NULL) AND coalesce(l.birth_year = r.birth_year, FALSE)::INTEGER "
                "+ coalesce(l.birth_month = r.birth_month, FALSE)::INTEGER "
                "+ coalesce(l.birth_day = r.birth_day, FALSE)::INTEGER >= 2",
                0.01, 0.001,
            ),
            Level(
                "day and month agree, year nearly",
                "l.birth_day = r.birth_day AND l.birth_month = r.birth_month AND "
                "(abs(l.birth_year - r.birth_year) <= 2 OR abs(l.birth_year - r.birth_year) % 10 = 0)",
                0.015, 0.0003,
            ),
            Level(
                "year and one other part agree",
                "l.birth_year = r.birth_year AND (l.birth_month = r.birth_month OR l.birth_day = r.birth_day)",
                0.025, 0.0014,
            ),
            Level(
                "day and month agree", "l.birth_day = r.birth_day AND l.birth_month = r.birth_month", 0.003, 0.0025
            ),
            Level("year agrees", "l.birth_year = r.birth_year", 0.005, 0.011),
            Level("year nearly", "abs(l.birth_year - r.birth_year) <= 2", 0.003, 0.045),
            Level("other", "TRUE", 0.004, 0.94),
        ),
        ("born", "birth_year", "birth_month", "birth_day"),
    ),
    Comparison(
        "sex", "Sex", "l.gender IS NULL OR r.gender IS NULL",
        (Level("same", "l.gender = r.gender", 0.985, 0.5), Level("other", "TRUE", 0.015, 0.5)),
        ("gender",),
    ),
    Comparison(
        "place", "Where they live", "(l.code IS NULL AND l.street IS NULL) OR (r.code IS NULL AND r.street IS NULL)",
        (
            Level("same dwelling", "l.dwelling = r.dwelling AND l.house IS NOT NULL", 0.72, 0.0001, "dwelling"),
            Level(
                "same postcode, house unknown",
                "l.code = r.code AND (l.house IS NULL OR r.house IS NULL)",
                0.03, 0.001, "code",
            ),
            Level(
                "same house and street, postcode near or missing",
                "l.house = r.house AND l.street = r.street AND (l.code IS NULL OR r.code IS NULL OR "
                f"{dwellings.district_sql('l.code')} = {dwellings.district_sql('r.code')})",
                0.06, 0.0001,
            ),
            Level("same postcode, other house", "l.code = r.code", 0.03, 0.001, "code"),
            Level("same house and street elsewhere", "l.house = r.house AND l.street = r.street", 0.005, 0.0003),
            Level(
                "same postcode sector",
                f"{dwellings.sector_sql('l.code')} = {dwellings.sector_sql('r.code')}",
                0.01, 0.002,
            ),
            Level("postcode nearly", "levenshtein(l.code, r.code) = 1", 0.01, 0.001),
            Level(
                "same postcode district",
                f"{dwellings.district_sql('l.code')} = {dwellings.district_sql('r.code')}",
                0.03, 0.01,
            ),
            Level("other", "TRUE", 0.105, 0.98),
        ),
        ("dwelling", "code", "house", "street"),
    ),
    Comparison(
        "nhs", "NHS number", "l.nhs IS NULL OR r.nhs IS NULL",
        (
            Level("same", "l.nhs = r.nhs", 0.98, 1e-7),
            Level("one digit off", "levenshtein(l.nhs, r.nhs) = 1", 0.01, 1e-7),
            Level("other", "TRUE", 0.01, 1.0),
        ),
        ("nhs",),
    ),
    Comparison(
        "nino", "National Insurance number", "l.nino IS NULL OR r.nino IS NULL",
        (
            Level("same", "l.nino = r.nino", 0.97, 1e-7),
            Level("one character off", "levenshtein(l.nino, r.nino) = 1", 0.015, 1e-7),
            Level("other", "TRUE", 0.015, 1.0),
        ),
        ("nino",),
    ),
)  # fmt: skip

_NAMES_GOOD = ("same", "short or other form", "spelling")
_BIRTH_GOOD = ("same", "day and month swapped")
_HOME = ("same dwelling", "same postcode, house unknown")

_RULES = (
    Rule("NHS number and date of birth", (("nhs", ("same",)), ("birth", _BIRTH_GOOD))),
    Rule(
        "National Insurance number, date of birth and name",
        (("nino", ("same",)), ("birth", _BIRTH_GOOD), ("given", _NAMES_GOOD)),
    ),
    Rule(
        "exact name, date of birth and address",
        (("given", ("same",)), ("family", ("same",)), ("birth", ("same",)), ("place", _HOME)),
    ),
    Rule(
        "exact name and date of birth",
        (("given", ("same",)), ("family", ("same",)), ("birth", ("same",))),
    ),
    Rule(
        "similar name, date of birth and address",
        (
            ("given", (*_NAMES_GOOD, "initial")),
            ("family", ("same", "spelling", "previous name", "one of two names")),
            ("birth", _BIRTH_GOOD),
            ("place", (*_HOME, "same postcode, other house", "same house and street, postcode near or missing")),
        ),
    ),
)

#: Guesses until the index shows its own; of siblings about one pair in eighty are twins.
_HOUSEHOLD = Rivals(
    name="members of one household",
    key="dwelling",
    expected=1.6,
    levels=(
        ("given", (0.012, 0.004, 0.006, 0.002, 0.02, 0.006, 0.02, 0.93)),
        ("middle", (0.06, 0.08, 0.86)),
        ("family", (0.68, 0.02, 0.02, 0.002, 0.02, 0.008, 0.25)),
        ("birth", (0.009, 0.0001, 0.0001, 0.0005, 0.002, 0.003, 0.015, 0.10, 0.8703)),
        ("sex", (0.48, 0.52)),
        ("nhs", (0.004, 0.0001, 0.9959)),
        ("nino", (0.004, 0.0001, 0.9959)),
    ),
    told=("nhs", "nino"),
)

DEFINITION = MatchDefinition(
    index=INDEX,
    fields=_FIELDS,
    keys=_KEYS,
    comparisons=_COMPARISONS,
    rules=_RULES,
    rivals=_HOUSEHOLD,
    training=(("born",), ("given", "family"), ("code", "birth_year"), ("nhs",), ("nino",)),
    lookups=(Lookup("nicknames", names.nicknames()),),
    # both names and the whole date of birth are one person's but for a few in a million; so is a number
    enough="(given IS NOT NULL AND family IS NOT NULL AND born IS NOT NULL) OR nhs IS NOT NULL OR nino IS NOT NULL",
)
