"""Counts of rows of people who have several: three releases that leave two people's rows, and some that leave none."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.output import Lane
from integrated_data.output import rowwise
from integrated_data.output.programs import Patience
from integrated_data.site.parser import DuckDBParser
from tests.output_world import World, people

#: Of each of two codes, twenty-five people in the first half of the year, twenty in the second, twenty in both.
HALVES = [
    (100 * place + n, code, day)
    for place, code in enumerate("IJ")
    for n in range(65)
    for day in (10, 300)
    if (n < 45 and day == 10) or (n >= 25 and day == 300)
]
BETWEEN = "SELECT code, count(*) AS n FROM gp WHERE {} GROUP BY code"


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"gp": people(*HALVES, columns="code day")})
    parser.close()


@pytest.mark.parametrize(("few", "lane"), [(2, Lane.REVIEW), (12, Lane.AUTOMATIC)])
def test_three_counts_of_rows_that_leave_a_week(world: World, few: int, lane: Lane) -> None:
    between = [(n, "I", 180) for n in range(70, 70 + few)]
    world.provision("gp", people(*HALVES, *between, columns="code day"), release=2)
    world.released("SELECT code, count(*) AS n FROM gp GROUP BY code")
    world.released(BETWEEN.format("day < 177"))
    report = world.checked(BETWEEN.format("day > 183"))
    assert report.lane is lane
    assert ("several releases" in {f.rule for f in report.findings}) is (lane is Lane.REVIEW)


def test_quarters_add_up_to_the_year_and_tell_nobody(world: World) -> None:
    world.released(BETWEEN.format("day < 177"))
    world.released(BETWEEN.format("day >= 177"))
    assert world.checked("SELECT code, count(*) AS n FROM gp GROUP BY code").lane is Lane.AUTOMATIC


@pytest.mark.parametrize(
    ("cells", "before", "tells"),
    [
        # rows of one person and of seven others, cell by cell; how many cells had left; whether the rest tells more
        ([[1, 1], [0, 1]], 1, True),  # one of eight who were told together is told alone
        ([[1, 1], [2, 2]], 1, False),  # the same eight once more
        ([[1, 1], [1, 0]], 0, True),
        ([[1, 0], [1, 1]], 1, False),  # who was told alone is not told by more
    ],
)
def test_what_was_told_before_counts_only_where_it_was_as_few(cells: list[list[int]], before: int, tells: bool) -> None:
    ways, weight = csr_array(np.array(cells, float)), np.array([1.0, 7.0])
    told = rowwise.tells_more(
        ways, csr_array(ways[:before]), weight=weight, way=0, below=10, patience=Patience()
    )  # fmt: skip
    assert told is tells
