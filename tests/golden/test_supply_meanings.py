"""Values of a column in, its meaning and the way it is read out; headings that say nothing unless named."""

from itertools import cycle, islice
from pathlib import Path

import pytest

from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column
from integrated_data.model.meanings import Handling, Kind, Meaning
from tests.delivering import inferred, table

M = Meaning

ROWS = 240


def column(engine: DuckDB, folder: Path, *, heading: str, values: list[str]) -> Column:
    """What a column of these values, repeated, seems to be; a second column keeps the file a table."""
    rows = [f'"{value}",row {i}' for i, value in enumerate(islice(cycle(values), ROWS))]
    return inferred(engine, folder, ("x.csv", table(f"{heading},pad", rows))).columns[0]


def spread(pattern: str, count: int = ROWS) -> list[str]:
    """Values that differ: `{i}` counts, `{d}` and `{m}` are days and months, `{y}` years."""
    return [
        pattern.format(i=i, d=f"{1 + i * 7 % 28:02d}", m=f"{1 + i * 5 % 12:02d}", y=1930 + i * 13 % 90)
        for i in range(count)
    ]


NHS = ["9434765919", "9434765870", "943 476 5838", "987-654-4321"]
NAMES = ["SARAH", "MICHAEL", "JOHN", "Emma", "Christopher", "KATE", "ANNA", "DAVID", "GEORGE", "HARRY", "Mia", "TOM"]
MORE = ["ANTHONY", "BETTY", "CHARLIE", "DEBBIE", "EDDIE", "FRED", "GRACE", "HANNAH", "JACK", "KAREN", "LIAM", "MOLLY"]
ROADS = [f"{i} {road} ROAD" for i, road in enumerate(["HIGH", "PARK", "STATION", "CHURCH", "MILL", "KINGS"] * 6, 1)]
BY_VALUE = [
    ("zq", ["QQ123456C", "AB 12 34 56 C", "AA123456A"][1:], M.NATIONAL_INSURANCE_NUMBER, Handling.IDENTIFIER),
    ("zq", NHS[:3], M.NHS_NUMBER, Handling.IDENTIFIER),
    ("zq", ["SW1A 1AA", "m11ae", "CR2 6XH", "DN551PT"], M.POSTCODE, Handling.IDENTIFIER),
    ("zq", ["a.b@example.org", "c@example.co.uk"], M.EMAIL, Handling.IDENTIFIER),
    ("zq", ["123-45-6789", "987-65-4320"], M.PERSON_REFERENCE, Handling.IDENTIFIER),
    ("zq", ["E01012345", "W01001234", "S01006543"], M.AREA_CODE, Handling.PAYLOAD),
    ("zq", ["Male", "Female", "female"], M.SEX, Handling.PAYLOAD),
    ("zq", NAMES + MORE, M.GIVEN_NAME, Handling.IDENTIFIER),
    ("zq", [f"{n} {s}" for n, s in zip(NAMES + MORE, ["Smith", "Patel", "Jones"] * 8, strict=True)],
     M.FULL_NAME, Handling.IDENTIFIER),
    ("zq", [f"{s}, {n}" for n, s in zip(NAMES + MORE, ["SMITH", "PATEL", "JONES"] * 8, strict=True)],
     M.FULL_NAME, Handling.IDENTIFIER),
    ("zq", ROADS, M.ADDRESS, Handling.IDENTIFIER),
    ("zq", [f"{w} {f}" for w in ("ACME", "NORTH SEA", "PENNINE", "A1") for f in ("LTD", "LIMITED", "PLC", "& SONS LTD")]
     + [f"FIRM {i} LTD" for i in range(100)], M.ORGANISATION_NAME, Handling.IDENTIFIER),
    ("zq", spread("REF{i:08d}X"), M.UNKNOWN, Handling.WITHHELD),
    ("zq", spread("{i:07d}1"), M.UNKNOWN, Handling.WITHHELD),
    ("zq", ["married", "single", "widowed"], M.CODE, Handling.PAYLOAD),
    ("zq", ["Y", "N"], M.FLAG, Handling.PAYLOAD),
    ("sex", ["1", "2", "9"], M.SEX, Handling.PAYLOAD),
    ("sic", ["62020", "47110", "01110"], M.INDUSTRY_CODE, Handling.PAYLOAD),
    ("zq", ["62020 - Computer consultancy", "47110 - Retail sale"], M.INDUSTRY_CODE, Handling.PAYLOAD),
    ("soc", ["2136", "9233", "1115"], M.OCCUPATION_CODE, Handling.PAYLOAD),
    ("occupation", ["nurse", "bus driver", "teacher of maths"], M.OCCUPATION_TEXT, Handling.WITHHELD),
    ("diag", ["J44.0", "I10", "E119", "Z370", "I10X"], M.CONDITION_CODE, Handling.PAYLOAD),
    ("uprn", ["10090229043", "148000303"], M.UPRN, Handling.IDENTIFIER),
    ("company number", ["01234567", "SC123456", "09876543"], M.COMPANY_NUMBER, Handling.IDENTIFIER),
    ("notes", [f"the patient said that number {i} was not right" for i in range(99)], M.FREE_TEXT, Handling.WITHHELD),
    ("nhs number", ["1234567890", "1111111110", "2345678901"], M.PERSON_REFERENCE, Handling.IDENTIFIER),
    ("spouse surname", NAMES + MORE, M.UNKNOWN, Handling.IDENTIFIER),
    ("latitude", ["51.50735", "53.48076", "55.95325"], M.LATITUDE, Handling.IDENTIFIER),
    ("zq", ["[53.64152,-2.64947]", "51.46732, -0.05260", "POINT (0.4 52.2)"], M.UNKNOWN, Handling.IDENTIFIER),
]  # fmt: skip


@pytest.mark.parametrize(("heading", "values", "meaning", "handling"), BY_VALUE)
def test_values_mean(
    engine: DuckDB, tmp_path: Path, heading: str, values: list[str], meaning: M, handling: Handling
) -> None:
    found = column(engine, tmp_path, heading=heading, values=values)
    assert (found.meaning, found.handling) == (meaning, handling)


DATES = [
    ("event date", "{y}-{m}-{d}", ("%Y-%m-%d",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{d}/{m}/{y}", ("%d/%m/%Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{m}/{d}/{y}", ("%m/%d/%Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{d}-Jan-{y}", ("%d-%b-%Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{d} March {y}", ("%d %B %Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{y}{m}{d}", ("%Y%m%d",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{d}{m}{y}", ("%d%m%Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{d}.{m}.{y}", ("%d.%m.%Y",), M.EVENT_DATE, Kind.DATE),
    ("event date", "{y}-{m}-{d} 10:3{i:.0s}1:00", ("%Y-%m-%d %H:%M:%S",), M.EVENT_DATE, Kind.TIMESTAMP),
    ("event date", "{y}-{m}-{d} 00:00:00", ("%Y-%m-%d %H:%M:%S",), M.EVENT_DATE, Kind.DATE),
    ("dob", "{d}/{m}/{y}", ("%d/%m/%Y",), M.DATE_OF_BIRTH, Kind.DATE),
    ("mydob", "{m}{y}", ("%m%Y",), M.MONTH, Kind.DATE),
    ("period", "{y}{m}", ("%Y%m",), M.MONTH, Kind.DATE),
    ("period", "{y}_{m}", ("%Y_%m",), M.MONTH, Kind.DATE),
]


@pytest.mark.parametrize(("heading", "pattern", "formats", "meaning", "kind"), DATES)
def test_dates_are_read(
    engine: DuckDB, tmp_path: Path, heading: str, pattern: str, formats: tuple[str, ...], meaning: M, kind: Kind
) -> None:
    found = column(engine, tmp_path, heading=heading, values=spread(pattern.replace("{i:.0s}", "")))
    assert (found.formats, found.meaning, found.kind) == (formats, meaning, kind)


def test_a_date_that_no_heading_explains_is_withheld(engine: DuckDB, tmp_path: Path) -> None:
    found = column(engine, tmp_path, heading="zq", values=spread("{d}/{m}/{y}"))
    assert (found.meaning, found.handling) == (M.EVENT_DATE, Handling.WITHHELD)


def test_day_and_month_are_told_apart_by_the_file(engine: DuckDB, tmp_path: Path) -> None:
    """The second column alone would be read day first; the first one shows that the file is American."""
    rows = [f"{1 + i % 12}/{1 + i % 28}/1990,{1 + i % 12}/{1 + i % 12}/2001" for i in range(ROWS)]
    found = inferred(engine, tmp_path, ("x.csv", table("start date,end date", rows)))
    assert [c.formats for c in found.columns] == [("%m/%d/%Y",), ("%m/%d/%Y",)]


QUANTITIES = [
    ("pay", ["£12,345.00", "£9.50", "£100"], Kind.NUMBER, M.MONEY, ".", ()),
    ("pay", ["12345", "99", "100000"], Kind.INTEGER, M.MONEY, ".", ()),
    ("rate", ["0.5", "12.25", "z", "3"], Kind.NUMBER, M.MEASURE, ".", ("z",)),
    ("rate", ["0,5", "12,25", "0,31", "*"], Kind.NUMBER, M.MEASURE, ",", ("*",)),
    ("list size", ["7.356", "1.042", "12.501"], Kind.NUMBER, M.COUNT, ".", ()),
    ("age", ["34", "71", "-9", "18"], Kind.INTEGER, M.MEASURE, ".", ("-9",)),
    ("change", ["34", "-71", "-9", "18"], Kind.INTEGER, M.MEASURE, ".", ()),
    ("count", ["4.0", "12.0", "7.0"], Kind.INTEGER, M.COUNT, ".", ()),
    ("year", ["1999", "2021"], Kind.INTEGER, M.YEAR, ".", ()),
    ("region", ["1", "2", "-9", "12"], Kind.STRING, M.CODE, ".", ("-9",)),
    ("code", ["01", "02", "10"], Kind.STRING, M.CODE, ".", ()),
    ("class code", ["23.10", "23.64", "01.11"], Kind.STRING, M.CODE, ".", ()),
]


@pytest.mark.parametrize(("heading", "values", "kind", "meaning", "decimal", "missing"), QUANTITIES)
def test_quantities_are_read(
    engine: DuckDB, tmp_path: Path, heading: str, values: list[str], kind: Kind, meaning: M, decimal: str,
    missing: tuple[str, ...],
) -> None:  # fmt: skip
    found = column(engine, tmp_path, heading=heading, values=values)
    assert (found.kind, found.meaning, found.decimal, found.missing) == (kind, meaning, decimal, missing)


def test_points_are_thousands_where_the_file_has_decimal_commas(engine: DuckDB, tmp_path: Path) -> None:
    rows = [f"{i % 9}.{100 + i};0,{10 + i % 80}" for i in range(ROWS)]
    found = inferred(engine, tmp_path, ("x.csv", table("list size;rate", rows)))
    assert [(c.kind, c.decimal) for c in found.columns] == [(Kind.INTEGER, ","), (Kind.NUMBER, ",")]
