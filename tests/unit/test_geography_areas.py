"""Levels and boundary years, told from headings and codes."""

import pytest

from integrated_data.engines.duckdb import DuckDB
from integrated_data.vocabulary import areas


@pytest.mark.parametrize(
    ("heading", "level", "year"),
    [
        ("oa21", "oa", 2021),
        ("lsoa21cd", "lsoa", 2021),
        ("LSOA11CD", "lsoa", 2011),
        ("lsoa11_code_derived", "lsoa", 2011),
        ("msoa21", "msoa", 2021),
        ("msoa_2011", "msoa", 2011),
        ("lad_code", "district", None),
        ("lad21", "district", 2021),
        ("LAD19CD", "district", 2019),
        ("la_code", "district", None),
        ("rgn21", "region", 2021),
        ("region_code", "region", None),
        ("ward", "ward", None),
        ("wd22cd_proposed", "ward", 2022),
        ("area_code", None, None),
        ("parent_code", None, None),
        ("postcode", None, None),
    ],
)
def test_heading(heading: str, level: str | None, year: int | None) -> None:
    assert areas.level_and_year(heading) == (level, year)


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("E00024141", "oa"), ("W01000001", "lsoa"), ("E02000986", "msoa"), ("E05013720", "ward"),
        ("E09000023", "district"), ("S12000033", "district"), ("N09000003", "district"), ("W06000015", "district"),
        ("E12000001", "region"), ("E92000001", "country"), ("X99000001", None),
    ],
)  # fmt: skip
def test_code(engine: DuckDB, code: str, level: str | None) -> None:
    found = engine.rows(f"SELECT {areas.level_sql('code')} AS level FROM (SELECT '{code}' AS code)")
    assert found["level"].to_pylist() == [level]


def test_output_areas_are_not_published() -> None:
    assert "oa" not in areas.PUBLISHED
    assert {"lsoa", "msoa", "district", "region"} <= set(areas.PUBLISHED)
