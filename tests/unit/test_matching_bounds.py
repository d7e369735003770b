"""Who is not compared could not have been the one: asking few keys first gives the links that asking all gives."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, link
from integrated_data.index.matching.model import assumed
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from tests.people import Row, noisy, people, table

#: The same index asked for every key of every record, and every candidate compared.
EVERYTHING = replace(
    DEFINITION,
    keys=tuple(replace(key, first=False) for key in DEFINITION.keys),
    policy=replace(DEFINITION.policy, settled=1_000),
)
EVERYONE = people(600)


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


def twin(row: Row) -> Row:
    return row | {"given_name": "Wilfred", "record_id": f"T{row['record_id']}"}


def child_of_one_name(row: Row) -> Row:
    born = row["date_of_birth"]
    assert isinstance(born, date)
    return row | {"date_of_birth": born + timedelta(days=9_000), "record_id": f"C{row['record_id']}"}


def namesake(row: Row) -> Row:
    return row | {"address": "9 Far Street", "postcode": "YO1 1AA", "record_id": f"N{row['record_id']}"}


def neighbour(row: Row) -> Row:
    return row | {"address": "88 Near Street", "sex": None, "record_id": f"B{row['record_id']}"}


@pytest.fixture
def version(engine: DuckDB, tmp_path: Path) -> Version:
    """People of whom one in five has somebody in the index who is hard to tell from them."""
    doubles = [
        double(row) for double, start in ((twin, 0), (child_of_one_name, 3), (namesake, 7), (neighbour, 11))
        for row in EVERYONE[start::20]
    ]  # fmt: skip
    engine.load("told", Held(table([*EVERYONE, *doubles])))
    return build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=None, folder=tmp_path / "v1",
        source=build.Source("register", "told", "2026-01-01T00:00:00", one_to_one=True),
    )[0]  # fmt: skip


def links(engine: DuckDB, version: Version) -> dict[object, dict[str, object]]:
    engine.load("delivered", Held(table(noisy(EVERYONE))))
    link.match(
        engine, Untrained(), version=version, request=link.Request("delivered", "links", model=assumed(DEFINITION))
    )
    return {row["record_id"]: row for row in engine.rows("SELECT * FROM links").to_pylist()}


def test_few_keys_first_give_the_links_that_all_keys_give(engine: DuckDB, version: Version) -> None:
    bounded, unbounded = links(engine, version), links(engine, replace(version, definition=EVERYTHING))
    assert sum(row["band"] == "accept" for row in bounded.values()) > 500
    for record, row in bounded.items():
        other = unbounded[record]
        assert (row["entity_id"] or row["candidate_id"]) == (other["entity_id"] or other["candidate_id"])
        if row["method"] == "exact name, date of birth and address":
            assert row["probability"] == pytest.approx(other["probability"], abs=0.01)
