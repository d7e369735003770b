"""Legal units and their statistical units, quarter by quarter, as pictures."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference import units
from integrated_data.vocabulary import quarters
from integrated_data.vocabulary.sql import text
from tests.unit.test_business_continuity import Register

STRUCTURE = """
    record_id | company_number | organisation_name | statistical_unit | statistical_group | quarter
    1         | 00000001       | SMITH LTD         | E1               | G1                | 2024 Q2
    2         | 00000002       | SMITH PLANT LTD   | E1               | G1                | 2024 Q2
    3         | 00000003       | WILLOW LTD        | E3               | .                 | 2024 Q2
    4         | 00000001       | SMITH LTD         | E1               | G1                | Q3 2024
    5         | 00000002       | SMITH PLANT LTD   | E2               | .                 | Q3 2024
    6         | 00000003       | WILLOW LTD        | E3               | G1                | Q3 2024
"""


@pytest.fixture
def register(engine: DuckDB, tmp_path: Path) -> Register:
    return Register(engine, tmp_path / "index")


def units_of(register: Register, day: date, *, known_at: str | None = None) -> dict[str, tuple[Any, ...]]:
    """Per company number the enterprise, the group, and how many enterprises there are."""
    units.as_at(register.engine, register.place, day=day, relation="units", known_at=known_at)
    register.engine.load("attributes", Stored((register.place / "attributes.parquet",)))
    rows = register.engine.rows(
        "SELECT DISTINCT company_number AS company, enterprise, enterprise_group, enterprises FROM units "
        "JOIN attributes USING (entity_id) ORDER BY company, enterprise"
    ).to_pylist()
    return {r["company"][-1]: (r["enterprise"], r["enterprise_group"], r["enterprises"]) for r in rows}


def test_units_are_known_as_at_any_quarter(register: Register) -> None:
    report = register.load(STRUCTURE, day="2024-11-01")
    assert (report["edges"], report["in_two_units"]) == (9, 0)
    assert units_of(register, date(2024, 5, 1)) == {"1": ("E1", "G1", 1), "2": ("E1", "G1", 1), "3": ("E3", None, 1)}
    assert units_of(register, date(2024, 9, 30)) == {"1": ("E1", "G1", 1), "2": ("E2", None, 1), "3": ("E3", "G1", 1)}
    assert units_of(register, date(2024, 10, 1)) == {}


def test_a_quarter_delivered_again_replaces_that_quarter_and_no_other(register: Register) -> None:
    register.load(STRUCTURE, day="2024-11-01")
    again = "record_id | company_number | statistical_unit | quarter\n 5 | 00000002 | E9 | 2024Q3"
    register.load(again, day="2025-02-01")
    assert units_of(register, date(2024, 8, 1)) == {"2": ("E9", None, 1)}
    assert units_of(register, date(2024, 5, 1))["2"] == ("E1", "G1", 1)
    assert units_of(register, date(2024, 8, 1), known_at="2024-12-31T00:00:00+00:00")["2"] == ("E2", None, 1)


def test_quarters_that_follow_one_another_are_one_span(register: Register) -> None:
    register.load(STRUCTURE, day="2024-11-01")
    units.spans(register.engine, register.place, relation="spans")
    rows = register.engine.rows("SELECT * FROM spans").to_pylist()
    found = sorted((r["level"], r["reference"], str(r["valid_from"]), str(r["valid_to"])) for r in rows)
    assert found == [
        ("enterprise", "E1", "2024-04-01", "2024-06-30"),
        ("enterprise", "E1", "2024-04-01", "2024-09-30"),
        ("enterprise", "E2", "2024-07-01", "2024-09-30"),
        ("enterprise", "E3", "2024-04-01", "2024-09-30"),
        ("enterprise group", "G1", "2024-04-01", "2024-09-30"),
        ("enterprise group", "G1", "2024-07-01", "2024-09-30"),
    ]


def test_dates_of_its_own_and_none_at_all(register: Register) -> None:
    register.load("""
        record_id | company_number | statistical_unit | effective_from | effective_to
        1         | 00000001       | E1               | 2020-01-01     | 2023-12-31
        2         | 00000001       | E2               | 2024-01-01     | .
    """)
    assert units_of(register, date(2023, 12, 31)) == {"1": ("E1", None, 1)}
    assert units_of(register, date(2030, 1, 1)) == {"1": ("E2", None, 1)}
    plain = "record_id | company_number | statistical_unit\n 7 | 00000005 | {}"
    register.load(plain.format("E5"), source="other", day="2024-03-01")
    register.load(plain.format("E6"), source="other", day="2024-09-01")
    assert "5" not in units_of(register, date(2024, 2, 1))
    assert units_of(register, date(2024, 8, 31))["5"] == ("E5", None, 1)
    assert units_of(register, date(2024, 9, 1))["5"] == ("E6", None, 1)


def test_a_unit_in_two_enterprises_at_one_time_is_said(register: Register) -> None:
    report = register.load("""
        record_id | company_number | statistical_unit | quarter
        1         | 00000001       | E1               | 2024 Q2
        2         | 00000001       | E2               | 2024 Q2
    """)
    assert report["in_two_units"] == 1
    assert units_of(register, date(2024, 5, 1)) == {"1": ("E2", None, 2)}


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2024 Q3", "2024-07-01", "2024-09-30"),
        ("2024q3", "2024-07-01", "2024-09-30"),
        ("Q1 2024", "2024-01-01", "2024-03-31"),
        ("2023-Q4", "2023-10-01", "2023-12-31"),
        ("Jul-Sep 2024", "2024-07-01", "2024-09-30"),
        ("April to June 2024", "2024-04-01", "2024-06-30"),
        ("2024-08-15", "2024-07-01", "2024-09-30"),
        ("2024 Q5", None, None),
        ("soon", None, None),
    ],
)
def test_quarters_are_read_as_they_are_written(engine: DuckDB, written: str, first: str, last: str) -> None:
    sql = quarters.first_day_sql("q")
    row = engine.rows(
        f"SELECT a::VARCHAR AS a, {quarters.last_day_sql('a')}::VARCHAR AS b FROM (SELECT {sql} AS a "
        f"FROM (SELECT {text(written)} AS q))"
    ).to_pylist()[0]
    assert (row["a"], row["b"]) == (first, last)
    read = quarters.days_of(written)
    if "Q" in written.upper() or first is None:
        assert (str(read[0]) if read else None, str(read[1]) if read else None) == (first, last)
