"""One business at a time, on a version of the Business Index held open."""

import math
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.business import ALIKE, BUSINESS
from integrated_data.index.reference.finder import Finder, open_finder
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import Band
from tests.drawn import NoTrainer, drawn
from tests.unit.test_business_index import REGISTER

ASKED = """
    record_id     | company_number | organisation_name            | trading_name | postcode | address
    number        | 01234567       | SOMETHING ELSE               | .            | .        | .
    spelled       | .              | Smith and Sons Engineerng    | .            | LS21 1AA | Unit 4 Mill Lane
    trading style | .              | Bean There                   | .            | LS21 1AB | 12 High St, Otley
    two names     | .              | The Corner Cafe Limited      | Bean There   | LS21 1AB | .
    branch        | .              | Acme Plumbing Ltd            | .            | TR1 2AB  | 90 Quay Street, Truro
    not there     | .              | Zenith Orbital Mechanics plc | .            | B1 1AA   | 9 New Street, Birmingham
"""


@pytest.fixture
def folder(engine: DuckDB, tmp_path: Path) -> Path:
    engine.load("listed", Held(drawn(REGISTER)))
    addition = Addition("register", "listed", "2024-01-01T00:00:00Z")
    BUSINESS.add(Tools(engine, NoTrainer()), addition, previous=None, folder=tmp_path / "1")
    return tmp_path / "1"


@pytest.fixture
def held(engine: DuckDB, folder: Path) -> Iterator[Finder]:
    finder = open_finder(engine, ALIKE, folder=folder)
    yield finder
    finder.close()


def test_one_business_is_what_it_is_in_bulk(engine: DuckDB, folder: Path, held: Finder) -> None:
    """The same entity in the same way, also by a second name, although nobody is beside it to learn from."""
    table = drawn(ASKED)
    for row in table.to_pylist():
        engine.load("asked", Held(table.filter(pc.equal(table["record_id"], row["record_id"]))))
        BUSINESS.match(Tools(engine, NoTrainer()), Matching("asked", "links"), folder=folder)
        bulk = engine.rows("SELECT * FROM links").to_pylist()[0]
        record = row.pop("record_id")
        answer = held.match(row)
        assert (answer.entity_id, answer.band) == (bulk["entity_id"], bulk["band"]), record
        if answer.band is Band.ACCEPT:
            assert answer.method == bulk["method"], record
    assert answer.band is Band.NONE


def test_the_reasons_add_up_to_the_odds(held: Finder) -> None:
    answer = held.match({"organisation_name": "Smith & Sons Engineering", "postcode": "LS21 1AA"})
    best = answer.candidates[0]
    assert answer.band is Band.ACCEPT
    assert {"name", "code"} < {reason.comparison for reason in best.reasons}
    odds = math.exp2(sum(reason.weight for reason in best.reasons))
    assert odds / (1 + odds) == pytest.approx(best.probability, abs=0.02)


def test_what_is_missing_or_unknown_is_answered_clearly(held: Finder) -> None:
    assert held.match({"organisation_name": " ", "postcode": None}).method == "nothing to match on"
    with pytest.raises(IndexRefusal, match="cannot be matched to the business index"):
        held.match({"date_of_birth": "1990-01-01"})
