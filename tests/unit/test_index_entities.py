"""Entities over deliveries: found again, merged by a late record, split by a restated one, bound by decisions."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from tests.people import Row, people, table


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


LEE: Row = {
    "record_id": "lee", "given_name": "Annabel", "family_name": "Lee", "previous_family_name": None,
    "date_of_birth": date(1984, 9, 7), "sex": "F", "address": "1 High Street", "postcode": "AB1 2CD",
}  # fmt: skip
MARRIED = LEE | {"family_name": "Underhill", "address": "9 Low Lane", "postcode": "XY9 9ZZ", "date_of_birth": None}
BRIDGE = MARRIED | {"previous_family_name": "Lee", "date_of_birth": date(1984, 9, 7)}


class Index:
    """An index of small deliveries, and which entity each record is."""

    def __init__(self, engine: DuckDB, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.versions: list[Version] = []

    def load(self, source: str, *rows: Row, decisions: str | None = None) -> build.LoadReport:
        everyone = [{**LEE, **row} for row in (*people(60), *rows)] if source == "health" else [*rows]
        self.engine.load("told", Held(table(everyone)))
        version, report = build.add_source(
            self.engine, Untrained(), definition=DEFINITION, previous=self.versions[-1] if self.versions else None,
            source=build.Source(source, "told", f"2026-01-{len(self.versions) + 1:02}T00:00:00", decisions=decisions),
            folder=self.folder / f"v{len(self.versions) + 1}",
        )  # fmt: skip
        self.versions.append(version)
        return report

    def entity(self, source: str, record_id: str) -> int:
        self.versions[-1].load(self.engine, "seen")
        found = self.engine.rows(
            "SELECT e.entity_id FROM seen_records r JOIN seen_entities e ON e.entity = r.entity "
            f"WHERE r.source = '{source}' AND r.record_id = '{record_id}'"
        )
        self.versions[-1].unload(self.engine, "seen")
        return int(found.column("entity_id")[0].as_py())

    def events(self) -> list[tuple[str, int, int | None]]:
        self.engine.load("happened", Stored((self.versions[-1].folder / "events.parquet",)))
        rows = self.engine.rows("SELECT event, entity_id, other_id FROM happened ORDER BY version, event").to_pylist()
        return [(r["event"], r["entity_id"], r["other_id"]) for r in rows]


@pytest.fixture
def index(engine: DuckDB, tmp_path: Path) -> Index:
    return Index(engine, tmp_path)


def test_a_late_record_that_bridges_two_entities_makes_them_one(index: Index) -> None:
    index.load("health", LEE)
    index.load("tax", MARRIED)
    lee, underhill = index.entity("health", "lee"), index.entity("tax", "lee")
    assert lee != underhill
    report = index.load("school", BRIDGE)
    assert index.entity("health", "lee") == index.entity("tax", "lee") == index.entity("school", "lee") == lee
    assert index.events() == [("absorbed", underhill, lee), ("merged", lee, underhill)]
    assert report.events == {"absorbed": 1, "merged": 1}


def test_a_restated_record_can_split_an_entity_and_be_one_again(index: Index) -> None:
    index.load("health", LEE)
    index.load("tax", LEE)
    lee = index.entity("health", "lee")
    assert index.entity("tax", "lee") == lee
    other = LEE | {"given_name": "Boris", "sex": "M", "date_of_birth": date(1951, 2, 3)}
    index.load("tax", other | {"address": "9 Low Lane", "postcode": "XY9 9ZZ", "family_name": "Quinn"})
    split = {index.entity("health", "lee"), index.entity("tax", "lee")}
    assert len(split) == 2
    assert lee in split
    assert [event for event, *_ in index.events()] == ["split"]
    index.load("tax", LEE)
    assert index.entity("health", "lee") == index.entity("tax", "lee") == lee
    assert [event for event, *_ in index.events()] == ["split", "absorbed", "merged"]


def test_an_entity_nobody_says_is_retired_and_revived_under_its_own_id(index: Index) -> None:
    index.load("health")
    index.load("tax", LEE)
    lee = index.entity("tax", "lee")
    index.load("tax", people(1)[0])
    assert index.events() == [("retired", lee, None)]
    index.load("tax", LEE)
    assert index.entity("tax", "lee") == lee
    assert [event for event, *_ in index.events()] == ["retired", "revived"]


@pytest.mark.parametrize(("kind", "one"), [("must", True), ("cannot", False)])
def test_a_decision_stands_above_the_model_and_outlives_a_rebuild(index: Index, kind: str, one: bool) -> None:
    said = LEE if kind == "cannot" else MARRIED
    rows = {
        "number": [1], "kind": [kind], "left_source": ["health"], "left_record": ["lee"], "right_source": ["tax"],
        "right_record": ["lee"],
    }  # fmt: skip
    index.engine.load("decided", Held(pa.table(rows)))
    index.load("health", LEE)
    index.load("tax", said)
    assert (index.entity("health", "lee") == index.entity("tax", "lee")) is not one
    index.load("school", *people(2), decisions="decided")
    assert (index.entity("health", "lee") == index.entity("tax", "lee")) is one
    index.load("tax", said | {"sex": None}, decisions="decided")
    assert (index.entity("health", "lee") == index.entity("tax", "lee")) is one
    index.load("school", *people(3))  # the decision was withdrawn
    assert (index.entity("health", "lee") == index.entity("tax", "lee")) is not one
