"""Names of organisations: a name in, its words and legal form out."""

import pytest

from integrated_data.engines.duckdb import DuckDB
from integrated_data.vocabulary import organisations
from integrated_data.vocabulary.sql import text

GOLDEN = """
Smith & Sons (Engrg) Ltd. t/a Smith's
SMITH SON ENGINEERING | LIMITED | SMITHS

The B.B.C.
BBC | - | -

Dr. J.Smith & Partners
DR J SMITH PARTNER | - | -

DRS PATEL AND KHAN
DR PATEL KHAN | - | -

Cwmni Llety'r Bugail Cyf
CWMNI LLETYR BUGAIL | LIMITED | -

Café Małowski Public Limited Company
CAFE MALOWSKI | PLC | -

The Village Med. Ctr
VILLAGE MEDICAL CENTRE | - | -

ST. JOHN'S MED PRAC
ST JOHN MEDICAL PRACTICE | - | -

Saint Johns Medical Practice
ST JOHN MEDICAL PRACTICE | - | -

Bros Industries Svcs Co Ltd
BROTHER INDUSTRY SERVICE | LIMITED | -

LITTLE ACORNS HOME CARE LIMITE
LITTLE ACORN HOME CARE | LIMITED | -

Glass House Community Interest Company
GLASS HOUSE | CIC | -

T/A Foo
- | - | FOO

Acme Mfg trading as Bolt Works
ACME MANUFACTURING | - | BOLT WORKS

J. D. Tanner & Co Ltd
JD TANNER | LIMITED | -

J D Tanner and Company
JD TANNER | - | -

A.B.C. Taxis
ABC TAXIS | - | -

24/7 Care Cyfyngedig
247 CARE | LIMITED | -

24 7 Care Ltd.
247 CARE | LIMITED | -

Bws y Bryn CCC
BWS BRYN | PLC | -

Corner Cafe, The
CORNER CAFE | - | -

Zenith Trading Limited (in liquidation)
ZENITH TRADING | LIMITED | -

Acme Ltd C/O Smith & Co Accountants
ACME | LIMITED | -

C/O Smith & Co Accountants
- | - | -

New Name Ltd (formerly Old Name Ltd)
NEW NAME | LIMITED | -

Acme Ltd (T/A Bolt Works) c/o The Agents
ACME | LIMITED | BOLT WORKS

Cwmni Da Cyf yn masnachu fel Y Siop
CWMNI DA | LIMITED | Y SIOP

Limited
LIMITED | - | -

The
THE | - | -

***
- | - | -
"""
NUMBERS = {
    "1234567": "01234567", "01234567": "01234567", "SC1234": "SC001234", "sc 001234": "SC001234",
    "OC300001": "OC300001", "GB-COH-05853746": "05853746", "IP10002R": "IP10002R", "R1": "R0000001", "-": None,
}  # fmt: skip
CASES = [tuple(case.splitlines()) for case in GOLDEN.strip().split("\n\n")]


@pytest.mark.parametrize(("written", "expected"), CASES, ids=[written for written, _ in CASES])
def test_names_have_one_form(engine: DuckDB, written: str, expected: str) -> None:
    registered = organisations.registered_name_sql("title")
    form = organisations.legal_form_code_sql(organisations.legal_form_sql("plain"))
    style = organisations.trading_style_sql("title")
    engine.create(
        "given",
        f"SELECT 1 AS number, plain, {form} AS form, style FROM (SELECT {registered} AS plain, {style} AS style "
        f"FROM (SELECT {text(written)} AS title))",
    )
    words = organisations.words_sql("given", keys="number", column="plain")
    found = engine.rows(
        f"SELECT (SELECT string_agg(word, ' ' ORDER BY position) FROM ({words})) AS words, form, style FROM given"
    ).to_pylist()[0]
    assert " | ".join(value or "-" for value in found.values()) == expected


@pytest.mark.parametrize(("written", "expected"), NUMBERS.items())
def test_company_numbers_have_one_form(engine: DuckDB, written: str, expected: str | None) -> None:
    found = engine.rows(f"SELECT {organisations.company_number_sql('n')} AS n FROM (SELECT {text(written)} AS n)")
    assert found["n"].to_pylist() == [expected]
