"""One record against an index held open answers as a delivery of that one record does, and says why."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, link
from integrated_data.index.matching.model import assumed
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.single import Matcher, Weighing, open_matcher
from integrated_data.index.store import Version
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import Band
from tests.people import noisy, people, table
from tests.unit.test_demographic_index import AT, Untrained

PEOPLE = people(300)
MODEL = assumed(DEFINITION)


@pytest.fixture
def held(engine: DuckDB, tmp_path: Path) -> Iterator[tuple[Version, Matcher]]:
    engine.load("source_rows", Held(table(PEOPLE)))
    source = build.Source("register", "source_rows", AT)
    version, _ = build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=None, source=source, folder=tmp_path / "v1"
    )
    engine.drop("source_rows")
    matcher = open_matcher(engine, version, weighing=lambda _: Weighing(MODEL, "assumed"), work="held")
    yield version, matcher
    matcher.close()


def test_a_record_is_answered_as_a_delivery_of_it_alone(engine: DuckDB, held: tuple[Version, Matcher]) -> None:
    version, matcher = held
    for row in noisy(PEOPLE)[:40]:
        engine.load("delivered", Held(table([row])))
        link.match(
            engine, Untrained(), version=version,
            request=link.Request("delivered", "links", one_to_one=True, model=MODEL, context=False),
        )  # fmt: skip
        expected = engine.rows("SELECT * FROM links").to_pylist()[0]
        answer = matcher.match({k: v for k, v in row.items() if k != "record_id"})
        assert (answer.band, answer.entity_id) == (expected["band"], expected["entity_id"])
        assert answer.method == expected["method"]
        assert answer.probability == pytest.approx(expected["probability"], abs=1e-9)


def test_the_weights_of_the_reasons_add_up_to_the_odds(held: tuple[Version, Matcher]) -> None:
    _, matcher = held
    row = noisy(PEOPLE)[7]
    answer = matcher.match({k: v for k, v in row.items() if k != "record_id"})
    best = answer.candidates[0]
    assert [r.comparison for r in best.reasons][:3] == ["before looking", "Given name", "Middle name"]
    assert {r.level for r in best.reasons if r.comparison == "NHS number"} == {"missing"}
    odds = math.exp2(sum(r.weight for r in best.reasons))
    assert best.probability == pytest.approx(odds / (1.0 + odds), abs=1e-4)
    assert sum(c.probability for c in answer.candidates) <= 1.0 + 1e-9
    assert answer.model == "assumed"


@pytest.mark.parametrize(
    ("record", "band", "method"),
    [
        ({}, Band.NONE, "nothing to match on"),
        ({"given_name": " ", "family_name": None}, Band.NONE, "nothing to match on"),
        ({"given_name": "Zebedee", "family_name": "Quux", "date_of_birth": "1901-02-03"}, Band.NONE, "model"),
        ({"given_name": "O'Neil; DROP TABLE held_forms", "date_of_birth": "1960-02-03"}, Band.NONE, "model"),
    ],
)
def test_a_record_that_nobody_is(
    held: tuple[Version, Matcher], record: dict[str, object], band: Band, method: str
) -> None:
    answer = held[1].match(record)
    assert (answer.band, answer.method, answer.entity_id) == (band, method, None)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"shoe_size": "9"}, "a column that the index does not read"),
        ({"date_of_birth": "Secret 12th"}, "It is no date"),
        ({"birth_year": "nineteen"}, "no whole number"),
    ],
)
def test_what_cannot_be_read_is_refused_without_showing_it(
    held: tuple[Version, Matcher], record: dict[str, object], says: str
) -> None:
    with pytest.raises(IndexRefusal) as refusal:
        held[1].match(record)
    assert says in str(refusal.value)
    assert not any(str(value) in str(refusal.value) for value in record.values() if len(str(value)) > 1)
