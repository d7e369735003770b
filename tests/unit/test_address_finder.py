"""One address, and an address while it is typed, on a version of the Address Index held open."""

from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference.address import ADDRESS, ALIKE
from integrated_data.index.reference.finder import open_finder
from integrated_data.index.reference.typeahead import Suggestion, open_typeahead
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.linkage import Band
from tests.unit.test_address_index import LIST, NoTrainer, drawn

ASKED = """
    record_id | uprn | address                                | postcode
    uprn      | 1003 | .                                      | .
    short     | .    | 12 High St, Otley                      | LS21 1AA
    one line  | .    | FLAT 2 ROSE CT 14 MILL LN BURLEY OTLEY | LS212BB
    misspelt  | .    | The Old Rectry, Chuch Lane, Ashby      | LS9 3CC
    english   | .    | 8 High Street, Bala                    | LL23 7AG
    in range  | .    | 402 Linthorpe Rd, Stockton             | TS5 6HF
    no code   | .    | 5 Station Road, York                   | .
    building  | .    | Rose Court, 14 Mill Lane               | LS21 2BB
    another   | .    | 14 High Street, Otley                  | LS21 1AA
    town      | .    | Otley                                  | .
    nothing   | .    | .                                      | .
"""


@pytest.fixture
def folder(engine: DuckDB, tmp_path: Path) -> Path:
    engine.load("listed", Held(drawn(LIST)))
    addition = Addition("list", "listed", "2024-01-01T00:00:00Z")
    ADDRESS.add(Tools(engine, NoTrainer()), addition, previous=None, folder=tmp_path / "1")
    return tmp_path / "1"


def test_one_address_is_what_it_is_in_bulk(engine: DuckDB, folder: Path) -> None:
    """The same entity, in the same way, although nobody is beside it to learn from."""
    engine.load("asked", Held(drawn(ASKED)))
    ADDRESS.match(Tools(engine, NoTrainer()), Matching("asked", "links"), folder=folder)
    bulk = {row["record_id"]: row for row in engine.rows("SELECT * FROM links").to_pylist()}
    finder = open_finder(engine, ALIKE, folder=folder)
    for row in drawn(ASKED).to_pylist():
        record = row.pop("record_id")
        found, link = finder.find(row), bulk[record]
        assert found.entity_id == link["entity_id"], record
        if found.band is Band.ACCEPT:
            assert found.method == link["method"], record
    assert finder.find({"address": "12 High St, Otley", "postcode": "LS21 1AA"}).band is Band.ACCEPT
    assert finder.find({"address": None}).method == "nothing to match on"
    assert finder.find({"address": "Qwertyuiopas Zxcvbnmlkj"}).band is Band.NONE  # nor is any word near to one known
    two = finder.find({"address": "5 Station Road"})
    assert two.band is Band.CLERICAL
    assert two.alternatives[0].probability == pytest.approx(two.probability, rel=0.05)


def test_a_match_names_its_evidence(engine: DuckDB, folder: Path) -> None:
    found = open_finder(engine, ALIKE, folder=folder).find({"address": "12 High St, Otley", "postcode": "LS21 1AA"})
    assert {"unit", "line", "code"} <= set(found.evidence)
    assert all(weight > 0 for weight in found.evidence.values())


def typed(engine: DuckDB, folder: Path, *inputs: str) -> list[list[str]]:
    held = open_typeahead(engine, folder=folder)
    return [[suggestion.address for suggestion in held.suggest(text, limit=3)] for text in inputs]


def test_an_address_is_found_while_it_is_typed(engine: DuckDB, folder: Path) -> None:
    short, part, door, code, slip, welsh = typed(
        engine, folder, "12 hi", "rector", "12a high st otl", "ts5 6", "linthrope", "8 stryd fa"
    )
    assert short[0] == "12, High Street, Otley, LS21 1AA"
    assert part == ["The Old Rectory, Church Lane, Ashby, Leeds, LS9 3CC"]
    assert door == ["12A, High Street, Otley, LS21 1AA"]
    assert code == slip == ["400-404, Linthorpe Road, Stockton, TS5 6HF"]
    assert welsh == ["8, Stryd Fawr, Y Bala, LL23 7AG"]


def test_flats_come_with_the_building_they_are_in(engine: DuckDB, folder: Path) -> None:
    found = open_typeahead(engine, folder=folder).suggest("14 mill lane burley")
    building = [s for s in found if s.parent_id is None]
    assert [s.address for s in building] == ["ROSE COURT, 14, MILL LANE, BURLEY, OTLEY, LS21 2BB"]
    assert {s.parent_id for s in found if s not in building} == {building[0].entity_id}


def test_a_version_made_before_buildings_were_known_has_no_parents(engine: DuckDB, folder: Path) -> None:
    (folder / "parents.parquet").unlink()
    found = open_typeahead(engine, folder=folder).suggest("14 mill lane burley")
    assert {suggestion.parent_id for suggestion in found} == {None}


@pytest.mark.parametrize("text", ["", " , ", "\U0001f3e0", "zzzz", "x" * 10_000])
def test_what_no_address_holds_suggests_none(engine: DuckDB, folder: Path, text: str) -> None:
    assert open_typeahead(engine, folder=folder).suggest(text) == []


def test_every_spelling_of_an_address_finds_it_once(engine: DuckDB, tmp_path: Path) -> None:
    spellings = {"record_id": ["1", "2"], "address": ["8 Stryd Fawr, Y Bala", "8 High Street, Bala"]}
    engine.load("listed", Held(pa.table({**spellings, "postcode": ["LL23 7AG", "LL23 7AG"]})))
    addition = Addition("list", "listed", "2024-01-01T00:00:00Z")
    ADDRESS.add(Tools(engine, NoTrainer()), addition, previous=None, folder=tmp_path / "1")
    held = open_typeahead(engine, folder=tmp_path / "1")
    by_either: list[list[Suggestion]] = [held.suggest("8 high st"), held.suggest("8 stryd")]
    assert [len(found) for found in by_either] == [1, 1]
    assert by_either[0][0].entity_id == by_either[1][0].entity_id
