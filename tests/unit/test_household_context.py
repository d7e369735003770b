"""Household context: a record that moved with its family is found by it; a stranger is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, context, link
from integrated_data.index.matching.model import assumed
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from tests.people import Row, people, table

HOMES = 60
NEW = "New Estate"


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


@pytest.fixture
def version(engine: DuckDB, tmp_path: Path) -> Version:
    """Sixty households of three."""
    engine.load("told", Held(table(people(3 * HOMES))))
    return build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=None, folder=tmp_path / "v1",
        source=build.Source("register", "told", "2026-01-01T00:00:00"),
    )[0]  # fmt: skip


def moved(person: Row) -> Row:
    """The same person where their household lives now."""
    home = int(str(person["record_id"])[1:]) // 3
    return person | {"address": f"{home} {NEW}", "postcode": f"ZZ{home % 10} {home // 10}QQ"}


def links(engine: DuckDB, version: Version, rows: list[Row], **options: object) -> dict[object, dict[str, object]]:
    engine.load("delivered", Held(table(rows)))
    request = replace(link.Request("delivered", "links", model=assumed(DEFINITION)), **options)
    link.match(engine, Untrained(), version=version, request=request)
    version.load(engine, "seen")
    rows_found = engine.rows(
        "SELECT l.*, r.record_id AS found FROM links l LEFT JOIN seen_entities e ON e.entity_id = l.entity_id "
        "LEFT JOIN seen_records r ON r.entity = e.entity"
    ).to_pylist()
    version.unload(engine, "seen")
    return {row["record_id"]: row for row in rows_found}


def test_a_family_that_moved_brings_its_own(engine: DuckDB, version: Version) -> None:
    family = [moved(person) for person in people(3 * HOMES)]
    blurred = family[4] | {"date_of_birth": None, "given_name": str(family[4]["given_name"])[0]}
    stranger = family[7] | {
        "record_id": "S", "given_name": "Zebedee", "family_name": "Underhill", "date_of_birth": None, "sex": None,
    }  # fmt: skip
    rows = [*family[:4], blurred, *family[5:], stranger]
    alone = links(engine, version, rows, context=False)
    together = links(engine, version, rows)
    key = blurred["record_id"]
    assert alone[key]["found"] is None
    assert together[key]["found"] == key
    assert together[key]["method"] == context.BY_CONTEXT
    assert together["S"]["found"] is None
    others = [r["record_id"] for r in family if r["record_id"] != key]
    assert [together[r]["found"] for r in others] == [alone[r]["found"] for r in others] == others


def test_context_is_a_step_of_the_explanation(engine: DuckDB, version: Version) -> None:
    family = [moved(person) for person in people(3 * HOMES)]
    family[4] |= {"date_of_birth": None, "given_name": str(family[4]["given_name"])[0]}
    links(engine, version, family, explain="reasons")
    steps = engine.rows(
        f"SELECT * FROM reasons WHERE record_id = '{family[4]['record_id']}' AND place = 1 ORDER BY step"
    ).to_pylist()
    assert steps[-1]["comparison"] == context.BY_CONTEXT
    assert steps[-1]["weight"] > 3.0


def test_where_nobody_moved_nothing_changes(engine: DuckDB, version: Version) -> None:
    rows = people(3 * HOMES)
    assert links(engine, version, rows) == links(engine, version, rows, context=False)
