"""The Demographic Index: who is whom at loading, at matching, and after a reload."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, link
from integrated_data.index.matching.model import Model, assumed
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version, open_version
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LINK_COLUMNS
from tests.people import Row, noisy, people, table

AT = "2026-01-01T00:00:00"


class Untrained:
    """A trainer that has learnt nothing: what the definition assumes stays."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


def load(
    engine: DuckDB, rows: list[Row], folder: Path, *, previous: Version | None = None, source: str = "register"
) -> tuple[Version, build.LoadReport]:
    engine.load("source_rows", Held(table(rows)))
    made = build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=previous, folder=folder,
        source=build.Source(source, "source_rows", AT),
    )  # fmt: skip
    engine.drop("source_rows")
    return made


def match(engine: DuckDB, version: Version, rows: list[Row], **options: object) -> dict[object, dict[str, object]]:
    engine.load("delivered", Held(table(rows)))
    request = link.Request("delivered", "links", model=assumed(DEFINITION))
    link.match(engine, Untrained(), version=version, request=replace(request, **options))
    assert tuple(engine.columns("links")) == LINK_COLUMNS
    found = {r["record_id"]: r for r in engine.rows("SELECT * FROM links").to_pylist()}
    assert len(found) == len(rows)
    return found


def entity_of(engine: DuckDB, version: Version) -> dict[tuple[str, str], int]:
    """Entity id by source and record id."""
    version.load(engine, "seen")
    rows = engine.rows(
        "SELECT r.source, r.record_id, e.entity_id FROM seen_records r JOIN seen_entities e ON e.entity = r.entity"
    ).to_pylist()
    version.unload(engine, "seen")
    return {(r["source"], r["record_id"]): r["entity_id"] for r in rows}


LEE: Row = {
    "record_id": "1", "given_name": "Ann", "family_name": "Lee", "date_of_birth": date(1984, 9, 7), "sex": "F",
    "address": "1 High Street", "postcode": "AB1 2CD",
}  # fmt: skip
PAIRS = [
    ("the same twice", {}, True),
    ("a nickname and a misspelt street", {"given_name": "Annie", "address": "1 Hihg Street"}, True),
    ("a twin", {"given_name": "George", "sex": "M"}, False),
    ("a twin sister", {"given_name": "Beth"}, False),
    ("mother and daughter of one name", {"date_of_birth": date(2012, 3, 1)}, False),
    (
        "a namesake elsewhere",
        {"date_of_birth": date(1951, 2, 3), "address": "9 Low Lane", "postcode": "XY9 9ZZ"},
        False,
    ),
]


@pytest.mark.parametrize(("what", "change", "one"), PAIRS, ids=[p[0] for p in PAIRS])
def test_duplicates_share_an_entity_and_relatives_do_not(
    engine: DuckDB, tmp_path: Path, what: str, change: Row, one: bool
) -> None:
    rows = [*people(300), LEE, LEE | change | {"record_id": "2"}]
    version, _ = load(engine, rows, tmp_path / "v1")
    ids = entity_of(engine, version)
    assert (ids["register", "1"] == ids["register", "2"]) is one


def test_entity_ids_are_opaque_positive_and_fit_a_signed_integer(engine: DuckDB, tmp_path: Path) -> None:
    version, report = load(engine, people(120), tmp_path / "v1")
    ids = list(entity_of(engine, version).values())
    assert report.created == version.about.entities == len(set(ids))
    assert all(0 < i < 2**63 for i in ids)
    assert ids != sorted(ids)


def test_a_delivery_finds_its_people_and_strangers_find_nobody(engine: DuckDB, tmp_path: Path) -> None:
    everyone = people(600)
    version, _ = load(engine, everyone[:480], tmp_path / "v1")
    ids = entity_of(engine, version)
    found = match(engine, version, noisy(everyone[120:], prefix="D"))
    right = wrong = 0
    for key, row in found.items():
        true = ids.get(("register", f"P{str(key)[1:]}"))
        right += row["entity_id"] is not None and row["entity_id"] == true
        wrong += row["entity_id"] is not None and row["entity_id"] != true
    assert right >= 0.95 * 360
    assert wrong <= 2


def test_the_file_that_was_loaded_finds_each_of_its_records(engine: DuckDB, tmp_path: Path) -> None:
    sparse = {**dict.fromkeys(LEE), "record_id": "S", "family_name": "Smith"}
    blank = dict.fromkeys(LEE) | {"record_id": "B"}
    rows = [*people(90), LEE, LEE | {"record_id": "2"}, sparse, blank]
    version, _ = load(engine, rows, tmp_path / "v1")
    ids = entity_of(engine, version)
    found = match(engine, version, rows)
    own = {key: row["entity_id"] == ids["register", str(key)] for key, row in found.items()}
    assert all(own.values()), [k for k, v in own.items() if not v]
    assert found["1"]["method"] == link.SAME_RECORD


def test_a_record_with_nothing_to_match_on_says_so(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, people(90), tmp_path / "v1")
    found = match(engine, version, [dict.fromkeys(LEE) | {"record_id": "B"}, LEE | {"record_id": "L"}])
    assert (found["B"]["band"], found["B"]["method"]) == ("none", link.NO_EVIDENCE)
    assert found["L"]["entity_id"] is None


def test_one_to_one_gives_each_entity_once_and_otherwise_duplicates_share(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, [*people(150), LEE], tmp_path / "v1")
    twice = [LEE | {"record_id": "a"}, LEE | {"record_id": "b"}, *noisy(people(150))]
    shared = match(engine, version, twice)
    assert shared["a"]["entity_id"] == shared["b"]["entity_id"] is not None
    once = [row["entity_id"] for row in match(engine, version, twice, one_to_one=True).values() if row["entity_id"]]
    assert len(once) == len(set(once))


def test_a_second_source_adds_what_it_says_and_new_people(engine: DuckDB, tmp_path: Path) -> None:
    everyone = people(330)
    first, _ = load(engine, everyone[:300], tmp_path / "v1")
    second, report = load(engine, noisy(everyone[30:]), tmp_path / "v2", previous=first, source="tax")
    ids = entity_of(engine, second)
    before = entity_of(engine, first)
    assert all(ids[key] == entity for key, entity in before.items())
    assert report.matched >= 250
    assert second.about.entities == first.about.entities + report.created
    agreed = sum(ids["tax", f"D{i:04d}"] == ids["register", f"P{i:04d}"] for i in range(30, 300))
    assert agreed >= 255
    assert first.folder.exists()


def test_a_reload_keeps_entities_and_closes_what_is_no_longer_said(engine: DuckDB, tmp_path: Path) -> None:
    rows = [*people(90), LEE]
    first, _ = load(engine, rows, tmp_path / "v1")
    moved = [*people(90)[1:], LEE | {"address": "9 Low Lane", "postcode": "XY9 9ZZ"}]
    second, report = load(engine, moved, tmp_path / "v2", previous=first)
    before, after = entity_of(engine, first), entity_of(engine, second)
    assert report.known == 90
    assert report.created == 0
    assert after == {k: v for k, v in before.items() if k != ("register", "P0000")}
    engine.load("said", Stored((second.folder / "attributes.parquet",)))
    told = engine.rows(
        "SELECT address, recorded_to IS NULL AS stands FROM said WHERE record_id = '1' ORDER BY address"
    ).to_pylist()
    assert told == [{"address": "1 High Street", "stands": False}, {"address": "9 Low Lane", "stands": True}]


def test_the_same_inputs_give_the_same_links(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, people(150), tmp_path / "v1")
    first = match(engine, version, noisy(people(150)))
    assert match(engine, version, noisy(people(150))) == first
    small = replace(version, definition=replace(DEFINITION, policy=replace(DEFINITION.policy, chunk=40)))
    assert match(engine, small, noisy(people(150))) == first


def test_keys_of_another_release_of_the_engine_are_made_again(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, people(150), tmp_path / "v1")
    expected = match(engine, version, noisy(people(150)))
    old = replace(version, about=replace(version.about, probe=version.about.probe + 1))
    assert match(engine, old, noisy(people(150))) == expected


def test_nothing_of_a_person_stands_in_plain_on_disk(engine: DuckDB, tmp_path: Path) -> None:
    marked = LEE | {"given_name": "Xanthippe", "address": "1 Quokkafield"}
    load(engine, [*people(30), marked], tmp_path / "v1")
    for file in (tmp_path / "v1").iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert all(word not in file.read_bytes().upper() for word in (b"XANTHIPPE", b"QUOKKA"))


def test_explained_weights_add_up_to_the_odds(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, [*people(150), LEE], tmp_path / "v1")
    match(engine, version, [LEE | {"record_id": "L", "given_name": "Anne"}, *noisy(people(150))], explain="reasons")
    rows = engine.rows("SELECT * FROM reasons WHERE record_id = 'L' AND place = 1 ORDER BY step").to_pylist()
    assert rows[0]["comparison"] == "before looking"
    assert {"comparison": "Given name", "level": "short or other form"}.items() <= rows[1].items()
    odds = 2.0 ** sum(r["weight"] for r in rows)
    assert rows[0]["probability"] == pytest.approx(odds / (1 + odds), abs=0.02)


def test_refusals(engine: DuckDB, tmp_path: Path) -> None:
    with pytest.raises(IndexRefusal, match="record ids are not unique"):
        load(engine, [LEE, LEE], tmp_path / "v1")
    with pytest.raises(IndexRefusal, match="is not there"):
        open_version(DEFINITION, tmp_path / "v9")
    version, _ = load(engine, people(30), tmp_path / "v2")
    other = replace(assumed(DEFINITION), shares={})
    with pytest.raises(IndexRefusal, match="does not fit"):
        match(engine, version, [LEE], model=other)
    with pytest.raises(IndexRefusal, match="cannot be read"):
        open_version(replace(DEFINITION, index=replace(DEFINITION.index, name="vehicle")), tmp_path / "v2")


def test_a_model_survives_its_json() -> None:
    model = assumed(DEFINITION)
    assert Model.from_json(model.to_json()) == model
