"""One raw value in, its standard out; values that are there but unreadable are marked."""

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.standardise.sql import standardised_sql
from integrated_data.vocabulary.marks import PIECE, VALUE
from tests.delivering import contract_of

UNREAD = object()


def standard(engine: DuckDB, column: Column, value: str | None) -> object:
    """The standard value as text, or UNREAD when the raw value is marked."""
    engine.load("landed", Held(pa.table({"x": pa.array([value], pa.string())})))
    row = engine.rows(standardised_sql(contract_of(column), "landed")).to_pylist()[0]
    if row["_unread"]:
        assert (row["x"], row["_raw"]) == (None, f"{PIECE}0{VALUE}{value}")
        return UNREAD
    assert row["_raw"] is None
    return None if row["x"] is None else str(row["x"])


def text(meaning: Meaning, **more: object) -> Column:
    return Column("x", "x", meaning=meaning, **more)  # type: ignore[arg-type]


def typed(kind: Kind, **more: object) -> Column:
    return Column("x", "x", kind=kind, **more)  # type: ignore[arg-type]


TEXTS = [
    (Meaning.CODE, "  a ", "a"),
    (Meaning.CODE, "", None),
    (Meaning.CODE, "   ", None),
    (Meaning.CODE, None, None),
    (Meaning.CODE, "a b", "a b"),
    (Meaning.CODE, "£5", "£5"),
    (Meaning.GIVEN_NAME, " Zoë ", "ZOË"),
    (Meaning.SEX, "female", "F"),
    (Meaning.SEX, "1", "M"),
    (Meaning.SEX, "9", None),
    (Meaning.SEX, "x", "X"),
    (Meaning.POSTCODE, "sw1a1aa", "SW1A 1AA"),
    (Meaning.POSTCODE, " M1  1AE", "M1 1AE"),
    (Meaning.POSTCODE, "SW1A", "SW1A"),
    (Meaning.NHS_NUMBER, "943 476-5919", "9434765919"),
    (Meaning.NATIONAL_INSURANCE_NUMBER, "ab 12 34 56 c", "AB123456C"),
    (Meaning.EMAIL, "A@Example.ORG", "a@example.org"),
    (Meaning.UPRN, "000148000303", "148000303"),
    (Meaning.UPRN, "148000303.0", "148000303"),
    (Meaning.COMPANY_NUMBER, "1234567", "01234567"),
    (Meaning.COMPANY_NUMBER, "sc123456", "SC123456"),
    (Meaning.COMPANY_NUMBER, "GB-COH-07333885", "07333885"),
    (Meaning.INDUSTRY_CODE, "23.64/0", "23640"),
    (Meaning.INDUSTRY_CODE, "73110 - Advertising agencies", "73110"),
    (Meaning.CONDITION_CODE, "j44.0", "J440"),
    (Meaning.CONDITION_CODE, "I10X", "I10"),
    (Meaning.AREA_CODE, "e01000001 ", "E01000001"),
]


@pytest.mark.parametrize(("meaning", "raw", "expected"), TEXTS)
def test_text_is_tidied(engine: DuckDB, meaning: Meaning, raw: str | None, expected: str | None) -> None:
    assert standard(engine, text(meaning), raw) == expected


NUMBERS = [
    (Kind.INTEGER, ".", "42", "42"),
    (Kind.INTEGER, ".", " -7 ", "-7"),
    (Kind.INTEGER, ".", "4.0", "4"),
    (Kind.INTEGER, ".", "3.5", UNREAD),
    (Kind.INTEGER, ".", "1,234", "1234"),
    (Kind.INTEGER, ".", "1,23", UNREAD),
    (Kind.INTEGER, ".", "99999999999999999999", UNREAD),
    (Kind.INTEGER, ".", "seven", UNREAD),
    (Kind.INTEGER, ".", "", None),
    (Kind.INTEGER, ",", "7.020", "7020"),
    (Kind.NUMBER, ".", "12.50", "12.5"),
    (Kind.NUMBER, ".", "£12,345.00", "12345.0"),
    (Kind.NUMBER, ".", "£ 9", "9.0"),
    (Kind.NUMBER, ".", "(1,250.00)", "-1250.0"),
    (Kind.NUMBER, ".", "-£5.10", "-5.1"),
    (Kind.NUMBER, ".", "12%", "12.0"),
    (Kind.NUMBER, ".", "1 234.5", "1234.5"),
    (Kind.NUMBER, ".", "1,5", UNREAD),
    (Kind.NUMBER, ".", "1,2345", UNREAD),
    (Kind.NUMBER, ".", "nan", UNREAD),
    (Kind.NUMBER, ".", "inf", UNREAD),
    (Kind.NUMBER, ",", "0,91", "0.91"),
    (Kind.NUMBER, ",", "1.042,5", "1042.5"),
    (Kind.BOOLEAN, ".", "Yes", "True"),
    (Kind.BOOLEAN, ".", "0", "False"),
    (Kind.BOOLEAN, ".", "maybe", UNREAD),
]


@pytest.mark.parametrize(("kind", "decimal", "raw", "expected"), NUMBERS)
def test_numbers_are_read_and_never_bent(engine: DuckDB, kind: Kind, decimal: str, raw: str, expected: object) -> None:
    assert standard(engine, typed(kind, decimal=decimal), raw) == expected


DATES = [
    ((), "1990-02-01", "1990-02-01"),
    ((), "01/02/1990", UNREAD),
    (("%d/%m/%Y",), "01/02/1990", "1990-02-01"),
    (("%d/%m/%Y",), "1/2/1990", "1990-02-01"),
    (("%d/%m/%Y",), "31/02/1990", UNREAD),
    (("%d/%m/%Y",), "01/02/90", UNREAD),
    (("%d/%m/%Y", "%d/%m/%y"), "01/02/90", "1990-02-01"),
    (("%d/%m/%Y", "%d/%m/%y"), "01/02/1990", "1990-02-01"),
    (("%d/%m/%y",), "01/02/68", "1968-02-01"),
    (("%m/%d/%Y",), "02/28/1990", "1990-02-28"),
    (("%d-%b-%Y",), "01-FEB-1990", "1990-02-01"),
    (("%d %B %Y",), "1 February 1990", "1990-02-01"),
    (("%Y%m%d",), "19900201", "1990-02-01"),
    (("%Y%m%d",), "199002011", UNREAD),
    (("%Y%m%d",), "19900201.0", "1990-02-01"),
    (("%d%m%Y",), "1021990", "1990-02-01"),
    (("%m%Y",), "021990", "1990-02-01"),
    (("%m%Y",), "21990", "1990-02-01"),
    (("%Y_%m",), "2017_09", "2017-09-01"),
    (("excel",), "45292", "2024-01-01"),
    (("%Y-%m-%d %H:%M:%S",), "2020-04-21 00:00:00", "2020-04-21"),
    ((), "0099-01-01", UNREAD),
    ((), "infinity", UNREAD),
    (("%d/%m/%Y",), "", None),
]


@pytest.mark.parametrize(("formats", "raw", "expected"), DATES)
def test_dates_are_read(engine: DuckDB, formats: tuple[str, ...], raw: str, expected: object) -> None:
    assert standard(engine, typed(Kind.DATE, formats=formats), raw) == expected


def test_times_are_read(engine: DuckDB) -> None:
    column = typed(Kind.TIMESTAMP, formats=("%d/%m/%Y %H:%M",))
    assert standard(engine, column, "01/02/1990 13:45") == "1990-02-01 13:45:00"


@pytest.mark.parametrize("raw", ["z", " z ", "-9", "N/A"])
@pytest.mark.parametrize("kind", [Kind.STRING, Kind.INTEGER, Kind.DATE])
def test_codes_for_no_value_are_no_value(engine: DuckDB, kind: Kind, raw: str) -> None:
    assert standard(engine, typed(kind, missing=("z", "-9", "N/A")), raw) is None


def test_more_columns_than_one_mask_holds(engine: DuckDB) -> None:
    columns = [Column(f"c{i}", f"c{i}", kind=Kind.INTEGER) for i in range(130)]
    values = {f"c{i}": ["x" if i in (0, 61, 62, 129) else "1"] for i in range(130)}
    engine.load("landed", Held(pa.table(values)))
    row = engine.rows(standardised_sql(contract_of(*columns), "landed")).to_pylist()[0]
    assert (row["_unread"], row["_unread_1"], row["_unread_2"]) == (1 | 1 << 61, 1, 1 << 5)
    assert row["_raw"].split(PIECE)[1:] == [f"{k}{VALUE}x" for k in (0, 61, 62, 129)]


def test_columns_come_under_contract_names_from_their_sources(engine: DuckDB) -> None:
    engine.load("landed", Held(pa.table({"Year of Birth": ["1990"], "left out": ["1"], 'odd "name"': ["b"]})))
    contract = contract_of(Column("odd", 'odd "name"'), Column("born", "Year of Birth", kind=Kind.INTEGER))
    row = engine.rows(standardised_sql(contract, "landed")).to_pylist()[0]
    assert list(row.items()) == [("odd", "b"), ("born", 1990), ("_unread", 0), ("_raw", None)]
