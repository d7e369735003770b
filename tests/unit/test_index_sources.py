"""Several sources in one index: each weighs as much as it can be relied on, and what was said before still finds."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, link
from integrated_data.index.matched import MatchedIndex, model_name
from integrated_data.index.matching import tellers
from integrated_data.index.matching.model import Model, assumed
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.seat import Matching, Tools
from integrated_data.index.store import Version
from tests.people import Row, noisy, people, table


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


def load(engine: DuckDB, rows: list[Row], folder: Path, *, source: str, previous: Version | None = None) -> Version:
    engine.load("told", Held(table(rows)))
    return build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=previous, folder=folder,
        source=build.Source(source, "told", "2026-01-01T00:00:00"),
    )[0]  # fmt: skip


def match(engine: DuckDB, version: Version, rows: list[Row], *, model: Model | None = None) -> link.LinkReport:
    engine.load("delivered", Held(table(rows)))
    return link.match(engine, Untrained(), version=version, request=link.Request("delivered", "links", model=model))


def careless(row: Row) -> Row:
    """As a department writes a person that gets one birthday in three wrong and never knows who moved."""
    if int(str(row["record_id"])[1:]) % 3:
        return row
    born = row["date_of_birth"]
    assert isinstance(born, date)
    return row | {"date_of_birth": born + timedelta(days=400), "address": "1 Old Row"}


@pytest.fixture
def two(engine: DuckDB, tmp_path: Path) -> Version:
    everyone = people(360)
    first = load(engine, [careless(row) for row in everyone], tmp_path / "v1", source="benefits")
    return load(engine, everyone, tmp_path / "v2", source="register", previous=first)


def test_the_reliable_source_speaks_first_and_the_weak_one_counts_less(engine: DuckDB, two: Version) -> None:
    model = match(engine, two, noisy(people(360))).model
    assert model is not None
    assert list(model.told) == ["register", "benefits"]
    strong, weak = model.told["register"], model.told["benefits"]
    assert strong["birth"][0] > weak["birth"][0]
    assert strong["birth"][-1] + strong["birth"][-2] < weak["birth"][-1] + weak["birth"][-2]
    assert strong["family"][0] == pytest.approx(weak["family"][0], abs=0.05)
    assert Model.from_json(model.to_json()) == model


def test_an_index_of_one_source_learns_nothing_of_it(engine: DuckDB, tmp_path: Path) -> None:
    one = load(engine, people(300), tmp_path / "v1", source="register")
    report = match(engine, one, noisy(people(300)))
    assert report.model is not None
    assert report.model.told == {}
    assert "sources" not in report.seconds


def test_a_source_with_too_few_links_is_not_told_from_others(engine: DuckDB, tmp_path: Path) -> None:
    few = tellers.FEWEST // 2
    first = load(engine, people(300), tmp_path / "v1", source="register")
    second = load(engine, people(few), tmp_path / "v2", source="benefits", previous=first)
    report = match(engine, second, noisy(people(300)))
    assert report.model is not None
    assert report.model.told == {}


def test_an_earlier_address_still_finds_its_entity(engine: DuckDB, tmp_path: Path) -> None:
    before = people(150)
    lee = before[7] | {"date_of_birth": None, "record_id": "late"}
    moved = [row | {"address": "9 Far Street", "postcode": f"ZX9 {i % 9}ZZ"} for i, row in enumerate(before)]
    married = [row | {"family_name": "Zuckerman"} if i == 7 else row for i, row in enumerate(moved)]
    first = load(engine, before, tmp_path / "v1", source="register")
    second = load(engine, married, tmp_path / "v2", source="register", previous=first)
    match(engine, second, [lee], model=assumed(DEFINITION))
    second.load(engine, "seen")
    found = engine.rows(
        "SELECT r.record_id, f.sources, f.former FROM links l JOIN seen_entities e ON e.entity_id = l.entity_id "
        "JOIN seen_records r ON r.entity = e.entity JOIN seen_forms f ON f.entity = e.entity ORDER BY f.former"
    ).to_pylist()
    assert found == [
        {"record_id": "P0007", "sources": ["register"], "former": False},
        {"record_id": "P0007", "sources": [], "former": True},
    ]


def test_a_stored_model_that_was_never_told_of_sources_is_told_by_the_next_delivery(
    engine: DuckDB, two: Version, tmp_path: Path
) -> None:
    """Kept when the index had one source, or by a release that knew nothing of it: its weights stay, told once."""
    folder, models = two.folder, tmp_path / "models"
    engine.load("delivered", Held(table(noisy(people(360)))))
    place = models / model_name(DEFINITION, engine.columns("delivered"))
    place.parent.mkdir()
    old = json.loads(assumed(DEFINITION).to_json())
    del old["told"]
    place.write_text(json.dumps(old))
    seat = MatchedIndex(DEFINITION)

    def matched(*, residual: bool) -> tuple[bool, bool]:
        matching = Matching("delivered", "links", models=models, residual=residual)
        report = seat.match(Tools(engine, Untrained()), matching, folder=folder)
        return report["trained_now"], report["told_now"]

    assert matched(residual=True) == (False, False), "what an index could not place teaches nothing"
    assert matched(residual=False) == (False, True)
    kept = Model.from_json(place.read_text())
    assert list(kept.told) == ["register", "benefits"]
    assert kept.shares["given"].m == assumed(DEFINITION).shares["given"].m
    assert matched(residual=False) == (False, False)
