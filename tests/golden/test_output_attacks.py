"""Attacks on output control as goldens: what once left at once and told of one person no longer does."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import Lane
from integrated_data.output.check import shape_of
from integrated_data.site.demo_project import question
from integrated_data.site.parser import DuckDBParser
from tests.access_side import Golden, goldens
from tests.output_world import World, people, views_of

SURVEY = "birth_year sex ilo_status works person_weight psu"
COUNT = "SELECT sex, count(*) AS n FROM labour_force_survey GROUP BY sex"


def survey() -> pa.Table:
    """120 people born 1930 to 1970 and 1972 to 2000, and one each in 1929 and 1971; a tenth without a PSU."""
    born = [1929, 1971, *(1930 + n % 41 for n in range(60)), *(1972 + n % 29 for n in range(60))]
    rows = []
    for n, year in enumerate(born):
        works = int(n == 1 or n % 3 == 0)
        rows.append((n, year, "MF"[n % 2], "13"[1 - works], works, 8.0 + n % 7, None if n % 10 == 5 else n % 9 + 1))
    return people(*rows, columns=SURVEY)


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"labour_force_survey": survey()})
    parser.close()


@pytest.mark.parametrize("drawn", list(goldens("output_attacks/*.txt")), ids=lambda d: d.statement[:70])
def test_an_attack_does_not_leave_at_once(world: World, drawn: Golden) -> None:
    assert world.checked(drawn.statement).lane.value == drawn.expected


@pytest.mark.parametrize(
    ("second", "lane"),
    [
        ("SELECT sex, count(psu) AS n FROM labour_force_survey GROUP BY sex", Lane.AUTOMATIC),
        ("SELECT ilo_status, count(*) AS n FROM labour_force_survey GROUP BY ilo_status", Lane.AUTOMATIC),
        ("SELECT sex, count(birth_year) AS n FROM labour_force_survey WHERE birth_year <> 1971 GROUP BY sex",
         Lane.REFUSED),
        ("SELECT sex, count(CASE WHEN birth_year <> 1971 THEN 1 END) AS n FROM labour_force_survey GROUP BY sex",
         Lane.REFUSED),
        ("SELECT sex, sum(person_weight*3) AS w FROM labour_force_survey WHERE birth_year <> 1971 GROUP BY sex",
         Lane.REFUSED),
    ],
)  # fmt: skip
def test_people_are_compared_and_no_spellings(world: World, second: str, lane: Lane) -> None:
    world.released(COUNT)
    assert world.checked(COUNT).lane is Lane.AUTOMATIC, "the very same table"
    assert world.checked(second).lane is lane


def test_weights_times_a_number_are_the_same_weights(world: World) -> None:
    world.released("SELECT sex, sum(person_weight*1) AS w FROM labour_force_survey GROUP BY sex")
    sql = "SELECT sex, sum(person_weight*3) AS w FROM labour_force_survey WHERE birth_year <> 1971 GROUP BY sex"
    assert world.checked(sql).lane is Lane.REFUSED


def test_other_figures_of_the_same_rows_in_one_request_are_compared_too(world: World) -> None:
    other = "SELECT sex, count(CASE WHEN birth_year <> 1971 THEN 1 END) AS n FROM labour_force_survey GROUP BY sex"
    assert world.checked(COUNT, other).lane is Lane.REFUSED


@pytest.mark.parametrize(
    "title", ["Carol Cooke 9648343357", "964 834 3357", "carol@example.org", "x" * 200, "AB123456C"]
)
def test_a_title_that_could_name_somebody_is_read_by_people(world: World, title: str) -> None:
    assert world.check(world.ask(COUNT, title=title)).lane is Lane.REVIEW


def claims() -> pa.Table:
    """Two offices in two years: one has nine people of the register and six who are in deliveries only."""
    groups = [(9, "A", 2020, "exact"), (6, "A", 2020, "provisional: new"), (20, "A", 2021, "exact"),
              (20, "B", 2020, "exact"), (20, "B", 2021, "exact"), (1, "B", 2021, "provisional: same")]  # fmt: skip
    told = [(office, year, method) for count, office, year, method in groups for _ in range(count)]
    rows = [(n, office, year, 99 if n == len(told) - 1 else 10) for n, (office, year, _) in enumerate(told)]
    return people(*rows, columns="office year amount").append_column(
        "person_link_method", pa.array([t[2] for t in told])
    )


def test_provisional_people_add_nothing_to_the_minimum_and_count_in_differences(
    engine: DuckDB, store: Store, tmp_path: Path
) -> None:
    parser = DuckDBParser()
    world = World(store, engine, parser, tmp_path / "outputs", {"claims": claims()})
    count = "SELECT office, year, count(*) AS n FROM claims GROUP BY office, year"
    left = world.released(count)["table.csv"].split()
    assert left == ["office,year,n", "A,2020,[c]", "A,2021,20", "B,2020,20", "B,2021,21"]
    without = "SELECT office, year, count(*) AS n FROM claims WHERE amount <> 99 GROUP BY office, year"
    assert world.checked(without).lane is Lane.REFUSED, "one provisional person is the difference"
    parser.close()


def test_the_question_of_the_demo_is_proven_still() -> None:
    link = ("person_key", "person_link_probability", "person_link_method")
    columns = {
        "labour_force_survey": (
            "birth_year", "ilo_status", "inactive_reason", "person_weight", "stratum", "psu", "sex", "region_2021",
        ),
        "gp_diagnoses": ("icd10_code", "diagnosis_date"),
        "hospital_episodes": ("diag_01", "diag_02", "admidate"),
        "benefits": ("benefit_type", "start", "end"),
    }  # fmt: skip
    views = views_of({name: pa.table({c: [] for c in (*link, *held)}) for name, held in columns.items()})
    assert shape_of(question(), views).parameters == 2
