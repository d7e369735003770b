"""Classifications: how their codes are written and what stands above each.

All functions return SQL text (DuckDB's dialect). Sources: UK SIC 2007 (ONS, structure of sections by
division), SOC 2010 and 2020 (ONS; the first digit is the major group), ICD-10 (WHO, chapters).
"""

from collections.abc import Callable, Mapping
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
#: First category of each chapter of ICD-10.
ICD_CHAPTERS = (
    ("I", "A00"), ("II", "C00"), ("III", "D50"), ("IV", "E00"), ("V", "F00"), ("VI", "G00"), ("VII", "H00"),
    ("VIII", "H60"), ("IX", "I00"), ("X", "J00"), ("XI", "K00"), ("XII", "L00"), ("XIII", "M00"), ("XIV", "N00"),
    ("XV", "O00"), ("XVI", "P00"), ("XVII", "Q00"), ("XVIII", "R00"), ("XIX", "S00"), ("XXII", "U00"),
    ("XX", "V00"), ("XXI", "Z00"),
)  # fmt: skip


@dataclass(frozen=True)
class Scheme:
    """A classification. `code`, `words`: columns of a source or delivery, by meaning.

    `written(value)`: SQL for a code in its one way of writing, NULL where it has not the form of one.
    `above(code)`: SQL for the code above, NULL at the top. `general`: a code that is not known counts as
    the one above it where that is known (a four-character diagnosis by its category).
    """

    name: str
    code: Meaning
    words: Meaning | None
    written: Callable[[str], str]
    above: Callable[[str], str]
    general: bool = False


def _form(value: str, form: str) -> str:
    return f"CASE WHEN regexp_full_match({value}, {text(form)}) THEN {value} END"


def _industry_written(value: str) -> str:
    return _form(f"upper({identifiers.industry_code_sql(f'trim({value}::VARCHAR)')})", "[A-U]|[0-9]{2,5}")


def _industry_above(code: str) -> str:
    return f"CASE WHEN length({code}) > 2 THEN left({code}, -1) WHEN length({code}) = 2 THEN {_section(code)} END"


def _section(division: str) -> str:
    return _last_started(division, SIC_SECTIONS)


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
    return _form(bare, "[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}|[IVX]+")


def _condition_above(code: str) -> str:
    chapter = _last_started(f"left({code}, 3)", ICD_CHAPTERS)
    return (
        f"CASE WHEN regexp_matches({code}, '^[A-Z][0-9]') "
        f"THEN CASE WHEN length({code}) > 3 THEN left({code}, -1) ELSE {chapter} END END"
    )


#: All schemes, in the order in which a record with several is placed.
SCHEMES = (
    Scheme("SIC 2007", Meaning.INDUSTRY_CODE, Meaning.INDUSTRY_TEXT, _industry_written, _industry_above),
    Scheme("SOC", Meaning.OCCUPATION_CODE, Meaning.OCCUPATION_TEXT, _occupation_written, _occupation_above),
    Scheme("ICD-10", Meaning.CONDITION_CODE, None, _condition_written, _condition_above, general=True),
)  # fmt: skip


def given_sql(scheme: Scheme, relation: str, *, columns: Mapping[str, str]) -> str:
    """`record_id`, `code` and `words` (text or NULL) of records, as delivered, for one scheme."""

    def column(meaning: Meaning | None) -> str:
        held = meaning is not None and str(meaning) in columns
        return f"nullif(trim({name(str(meaning))}::VARCHAR), '')" if held else "NULL::VARCHAR"

    return f"SELECT record_id, {column(scheme.code)} AS code, {column(scheme.words)} AS words FROM {name(relation)}"


def lineage_sql(scheme: Scheme, codes: str) -> str:
    """Codes of a relation (`code`) and all above them: `code`, `parent` (NULL at the top), each once."""
    return f"""
        WITH RECURSIVE line AS (
            SELECT code, {scheme.above("code")} AS parent
            FROM (SELECT DISTINCT code FROM {codes} WHERE code IS NOT NULL)
            UNION SELECT parent, {scheme.above("parent")} FROM line WHERE parent IS NOT NULL)
        SELECT code, parent FROM line"""
