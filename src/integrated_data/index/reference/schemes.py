"""Classifications and their versions: how their codes are written and what stands above each.

Versions are schemes of their own: 2136 is one thing in SOC 2010 and another, or nothing, in SOC 2020.
All functions return SQL text (DuckDB's dialect). Sources: UK SIC 2007 and 2003 (ONS, structure of sections by
division), SOC 2000, 2010 and 2020 (ONS; the first digit is the major group), ICD-10 (WHO, chapters).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary import identifiers
from integrated_data.vocabulary.sql import name, text

#: First division of each section of SIC 2007.
SIC_SECTIONS = (
    ("A", "01"), ("B", "05"), ("C", "10"), ("D", "35"), ("E", "36"), ("F", "41"), ("G", "45"), ("H", "49"),
    ("I", "55"), ("J", "58"), ("K", "64"), ("L", "68"), ("M", "69"), ("N", "77"), ("O", "84"), ("P", "85"),
    ("Q", "86"), ("R", "90"), ("S", "94"), ("T", "97"), ("U", "99"),
)  # fmt: skip
#: First division of each section of SIC 2003.
OLD_SECTIONS = (
    ("A", "01"), ("B", "05"), ("C", "10"), ("D", "15"), ("E", "40"), ("F", "45"), ("G", "50"), ("H", "55"),
    ("I", "60"), ("J", "65"), ("K", "70"), ("L", "75"), ("M", "80"), ("N", "85"), ("O", "90"), ("P", "95"),
    ("Q", "99"),
)  # fmt: skip
#: First category of each chapter of ICD-10.
ICD_CHAPTERS = (
    ("I", "A00"), ("II", "C00"), ("III", "D50"), ("IV", "E00"), ("V", "F00"), ("VI", "G00"), ("VII", "H00"),
    ("VIII", "H60"), ("IX", "I00"), ("X", "J00"), ("XI", "K00"), ("XII", "L00"), ("XIII", "M00"), ("XIV", "N00"),
    ("XV", "O00"), ("XVI", "P00"), ("XVII", "Q00"), ("XVIII", "R00"), ("XIX", "S00"), ("XXII", "U00"),
    ("XX", "V00"), ("XXI", "Z00"),
)  # fmt: skip


@dataclass(frozen=True)
class Family:
    """What several versions classify. `code`, `words`: columns of a source or delivery, by meaning.

    `key`: name of the entity column in published tables; `heading`: what its columns are called.
    """

    key: str
    code: Meaning
    words: Meaning | None
    heading: str


INDUSTRY = Family("industry", Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, "sic")
OCCUPATION = Family("occupation", Meaning.OCCUPATION_CODE, Meaning.OCCUPATION_TEXT, "soc")
CONDITION = Family("condition", Meaning.CONDITION_CODE, None, "icd")
#: All families, in the order in which a record with several is placed.
FAMILIES = (INDUSTRY, OCCUPATION, CONDITION)


@dataclass(frozen=True)
class Scheme:
    """A version of a classification. `version`: its year, or its revision.

    `written(value)`: SQL for a code in its one way of writing, NULL where it has not the form of one.
    `above(code)`: SQL for the code above, NULL at the top. `general`: a code that is not known counts as
    the one above it where that is known (a four-character diagnosis by its category). `zeros`: codes begin
    with zeros that spreadsheets take off.
    """

    name: str
    family: Family
    version: int
    written: Callable[[str], str]
    above: Callable[[str], str]
    general: bool = False
    zeros: bool = False


def _form(value: str, form: str) -> str:
    return f"CASE WHEN regexp_full_match({value}, {text(form)}) THEN {value} END"


def _industry_written(value: str) -> str:
    return _form(f"upper({identifiers.industry_code_sql(f'trim({value}::VARCHAR)')})", "[A-U]|[0-9]{2,5}")


def _industry_above(code: str) -> str:
    return f"CASE WHEN length({code}) > 2 THEN left({code}, -1) WHEN length({code}) = 2 THEN {_section(code)} END"


def _section(division: str) -> str:
    return _last_started(division, SIC_SECTIONS)


def _old_industry_above(code: str) -> str:
    section = _last_started(code, OLD_SECTIONS)
    return f"CASE WHEN length({code}) > 2 THEN left({code}, -1) WHEN length({code}) = 2 THEN {section} END"


def _last_started(value: str, starts: tuple[tuple[str, str], ...]) -> str:
    cases = " ".join(f"WHEN {value} >= {text(first)} THEN {text(part)}" for part, first in reversed(starts))
    return f"CASE {cases} END"


def _occupation_written(value: str) -> str:
    bare = f"regexp_replace(translate(split_part(trim({value}::VARCHAR), ' ', 1), '/-', ''), '\\.0*$', '')"
    return _form(bare, "[1-9][0-9]{0,3}")


def _occupation_above(code: str) -> str:
    return f"CASE WHEN length({code}) > 1 THEN left({code}, -1) END"


def _condition_written(value: str) -> str:
    bare = f"regexp_replace({identifiers.condition_code_sql(f'trim({value}::VARCHAR)')}, '[DA*+]$', '')"
    return _form(bare, "[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}|[A-Z][0-9]{2}-[A-Z][0-9]{2}|[IVX]+")


def _condition_above(code: str) -> str:
    chapter = _last_started(f"left({code}, 3)", ICD_CHAPTERS)
    return (
        f"CASE WHEN regexp_matches({code}, '^[A-Z][0-9]') "
        f"THEN CASE WHEN length({code}) > 3 AND {code}[4] <> '-' THEN left({code}, -1) ELSE {chapter} END END"
    )


#: All schemes; of each family the one that is meant where nothing says which comes first.
SCHEMES = (
    Scheme("SIC 2007", INDUSTRY, 2007, _industry_written, _industry_above, zeros=True),
    Scheme("SIC 2003", INDUSTRY, 2003, _industry_written, _old_industry_above, zeros=True),
    Scheme("SOC 2020", OCCUPATION, 2020, _occupation_written, _occupation_above),
    Scheme("SOC 2010", OCCUPATION, 2010, _occupation_written, _occupation_above),
    Scheme("SOC 2000", OCCUPATION, 2000, _occupation_written, _occupation_above),
    Scheme("ICD-10", CONDITION, 10, _condition_written, _condition_above, general=True),
)  # fmt: skip

#: Most levels that a code's line has, itself among them.
LEVELS = 6


def scheme_of(asked: str) -> Scheme | None:
    """The scheme of that name: `SOC 2010`, `soc2010` and `SOC-10` are one; None where there is none."""
    return next((s for s in SCHEMES if _years(asked, s.family) == s.version % 100), None)


def told_by(heading: str, family: Family) -> Scheme | None:
    """The version that a column's heading names (`soc2010_code`, `SIC03`); None where it names none."""
    return next((s for s in SCHEMES if s.family == family and _years(heading, family) == s.version % 100), None)


def _years(heading: str, family: Family) -> int | None:
    """The last two digits of the version that a heading names."""
    bare = re.sub(r"[^a-z0-9]", "", heading.lower())
    found = re.search(rf"(?:{family.heading}|{family.key})(?:code)?(?:19|20)?(\d\d)(?!\d)", bare)
    return int(found[1]) if found else None


def lineage_sql(scheme: Scheme, codes: str) -> str:
    """Codes of a relation (`code`, `parent`: as told, or NULL) and all above them, each once: `code`, `parent`.

    What a source tells of a code's parent counts before what its writing says; `parent` is NULL at the top.
    """
    return f"""
        WITH RECURSIVE told AS MATERIALIZED (
            SELECT code, any_value(parent) AS parent FROM {codes} WHERE code IS NOT NULL GROUP BY code),
        line AS (
            SELECT code, coalesce(parent, {scheme.above("code")}) AS parent FROM told
            UNION SELECT l.parent, coalesce(t.parent, {scheme.above("l.parent")})
            FROM line AS l LEFT JOIN told AS t ON t.code = l.parent WHERE l.parent IS NOT NULL)
        SELECT code, parent FROM line"""


def line_sql(codes: str) -> str:
    """SELECT entity_id, scheme, code, line (codes from the top to itself). `codes`: entity_id, scheme, code, parent."""
    return f"""
        WITH RECURSIVE up AS (
            SELECT entity_id, scheme, code, parent, [code] AS line FROM {name(codes)}
            UNION ALL SELECT u.entity_id, u.scheme, u.code, c.parent, list_prepend(c.code, u.line)
            FROM up AS u JOIN {name(codes)} AS c ON c.scheme = u.scheme AND c.code = u.parent
            WHERE len(u.line) < {LEVELS})
        SELECT entity_id, scheme, code, arg_max(line, len(line)) AS line FROM up GROUP BY entity_id, scheme, code"""
