"""How codes and descriptions are written: two lines each, as given and as kept."""

import duckdb
import pytest

from integrated_data.index.reference.schemes import CONDITION, INDUSTRY, OCCUPATION, SCHEMES, lineage_sql, told_by
from integrated_data.vocabulary import texts

SIC, OLD_SIC, SOC, _, _, ICD = SCHEMES

WRITTEN = [
    (SIC, "01.11/0", "01110"), (SIC, "23640 - Manufacture of mortars", "23640"), (SIC, "11.10", "1110"),
    (SIC, " 47710 ", "47710"), (SIC, "c", "C"), (SIC, "farm", None), (SIC, "123456", None),
    (SOC, "7111", "7111"), (SOC, "7111.0", "7111"), (SOC, "2211 General practitioners", "2211"), (SOC, "0111", None),
    (SOC, "22110", None),
    (ICD, "J44.0", "J440"), (ICD, "i10x", "I10"), (ICD, "G63.2*", "G632"), (ICD, "F32", "F32"), (ICD, "asthma", None),
    (ICD, "J40-J47", "J40-J47"),
]  # fmt: skip

LINES = [
    (SIC, "01110", "01110 0111 011 01 A"), (SIC, "33120", "33120 3312 331 33 C"), (SIC, "99000", "99000 9900 990 99 U"),
    (OLD_SIC, "01110", "01110 0111 011 01 A"), (OLD_SIC, "45250", "45250 4525 452 45 F"),
    (SOC, "2211", "2211 221 22 2"),
    (ICD, "J440", "J440 J44 X"), (ICD, "D50", "D50 III"), (ICD, "D48", "D48 II"), (ICD, "H60", "H60 VIII"),
    (ICD, "U07", "U07 XXII"), (ICD, "Y84", "Y84 XX"), (ICD, "Z00", "Z00 XXI"), (ICD, "I10", "I10 IX"),
    (ICD, "J40-J47", "J40-J47 X"),
]  # fmt: skip

PHRASES = [
    ("Growing of Cereals,  except rice", "growing of cereals except rice"),
    ("Men's clothes (Retail)", "mens clothes (retail)"),
    ("Café & bar(licensed )", "cafe and bar (licensed)"),
    ("???", None),
]


@pytest.mark.parametrize(("scheme", "given", "kept"), WRITTEN)
def test_a_code_is_written_in_one_way(scheme, given: str, kept: str | None) -> None:
    assert duckdb.execute(f"SELECT {scheme.written('given')} FROM (SELECT ? AS given)", [given]).fetchone() == (kept,)


@pytest.mark.parametrize(("scheme", "code", "line"), LINES)
def test_what_stands_above_a_code(scheme, code: str, line: str) -> None:
    rows = duckdb.execute(lineage_sql(scheme, f"(SELECT '{code}' AS code, NULL::VARCHAR AS parent)")).fetchall()
    above = dict(rows)
    found = [code]
    while above[found[-1]]:
        found.append(above[found[-1]])
    assert " ".join(found) == line
    assert len(rows) == len(found)


@pytest.mark.parametrize(("given", "kept"), PHRASES)
def test_a_description_is_written_in_one_way(given: str, kept: str | None) -> None:
    assert duckdb.execute(f"SELECT {texts.phrase_sql('given')} FROM (SELECT ? AS given)", [given]).fetchone() == (kept,)


def test_words_are_cut_to_stems_and_qualifiers_set_apart() -> None:
    assert texts.words("brewers and brewing of beer (manufacturing)") == texts.Words(
        ("brew", "brew", "beer"), ("manufactur",)
    )


@pytest.mark.parametrize(
    ("heading", "family", "scheme"),
    [
        ("SOC2010", OCCUPATION, "SOC 2010"), ("soc_20_code", OCCUPATION, "SOC 2020"),
        ("soc2000", OCCUPATION, "SOC 2000"),
        ("occupation code 2020", OCCUPATION, "SOC 2020"), ("soc90", OCCUPATION, None), ("soc_code", OCCUPATION, None),
        ("SIC03", INDUSTRY, "SIC 2003"), ("sic_2007", INDUSTRY, "SIC 2007"), ("sic2007", OCCUPATION, None),
        ("ICD10", CONDITION, "ICD-10"), ("icd9", CONDITION, None),
    ],
)  # fmt: skip
def test_headings_tell_the_version(heading: str, family, scheme: str | None) -> None:
    found = told_by(heading, family)
    assert (found.name if found else None) == scheme


def test_a_parent_that_a_source_tells_counts_before_the_code() -> None:
    told = "(SELECT * FROM (VALUES ('J45', 'J40-J47'), ('J40-J47', NULL)) AS t(code, parent))"
    assert dict(duckdb.execute(lineage_sql(ICD, told)).fetchall()) == {"J45": "J40-J47", "J40-J47": "X", "X": None}
