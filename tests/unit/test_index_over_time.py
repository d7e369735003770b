"""Indexes over time, on real files: entities fall silent and come back, merge and split; history and changes."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.past import History
from integrated_data.index.reference.business import BUSINESS
from integrated_data.index.reference.classification import CLASSIFICATION
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.registry import SEATS
from integrated_data.index.seat import Addition, Matching, Seat, Tools
from integrated_data.model.errors import IndexRefusal
from tests.people import people, table

DECIDED = ("number", "kind", "left_source", "left_record", "right_source", "right_record")


class Untrained:
    """A trainer that has learnt nothing: what is assumed stays."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


def drawn(picture: str) -> pa.Table:
    """A table as drawn; `.` stands for nothing."""
    lines = [[cell.strip() for cell in line.split("|")] for line in picture.strip().splitlines()]
    columns = zip(*lines[1:], strict=True) if lines[1:] else [()] * len(lines[0])
    return pa.table({
        heading: pa.array([None if cell == "." else cell for cell in column], pa.string())
        for heading, column in zip(lines[0], columns, strict=True)
    })  # fmt: skip


class World:
    """An index, loaded version after version, a day apart."""

    def __init__(self, engine: DuckDB, seat: Seat, folder: Path) -> None:
        self.engine, self.seat, self.folder, self.version = engine, seat, folder, 0
        self.decisions: list[dict[str, Any]] = []
        self.tools = Tools(engine, Untrained())

    def place(self, version: int) -> Path:
        return self.folder / f"v{version:04d}"

    def add(self, source: str, told: str | pa.Table, **options: Any) -> dict[str, Any]:
        self.engine.load("delivered", Held(drawn(told) if isinstance(told, str) else told))
        self.engine.load("decided", Held(pa.Table.from_pylist(self.decisions or [dict.fromkeys(DECIDED, "")])))
        previous = self.place(self.version) if self.version else None
        self.version += 1
        day = f"2024-01-{self.version:02d}T00:00:00"
        addition = Addition(source, "delivered", day, decisions="decided" if self.decisions else None, **options)
        return self.seat.add(self.tools, addition, previous=previous, folder=self.place(self.version))

    def decide(self, kind: str, left: str, right: str) -> None:
        sides = [*left.split(":"), *right.split(":")]
        row = (len(self.decisions) + 1, kind, *sides)
        self.decisions.append(dict(zip(DECIDED, row, strict=True)))

    def who(self, version: int | None = None) -> dict[str, int]:
        self.seat.members(self.engine, folder=self.place(version or self.version), relation="members")
        rows = self.engine.rows("SELECT * FROM members").to_pylist()
        return {f"{r['source']}:{r['record_id']}": r["entity_id"] for r in rows}

    def history(self, entity: int, version: int | None = None) -> History:
        folder = self.place(version or self.version)
        found = self.seat.history(self.engine, folder=folder, entity_id=entity)
        assert found is not None
        return found

    def told(self, entity: int) -> list[tuple[Any, ...]]:
        return [(e["event"], e["version"]) for e in self.history(entity).events]


REGISTER = """
    record_id | company_number | organisation_name          | address                     | postcode
    1         | 1234567        | SMITH & SONS ENGRG LIMITED | Unit 4, Mill Lane, Otley    | LS21 1AA
    2         | SC000002       | THE CORNER CAFE LTD        | 12 High Street, Otley       | LS21 1AB
    3         | 00000003       | ACME PLUMBING LIMITED      | 3 Station Road, Leeds       | LS1 4AB
"""
PAY = """
    record_id | organisation_name    | address                  | postcode
    a         | WILLOW TREE NURSERY  | 7 Elm Grove, Truro       | TR1 3CD
    b         | CORNER CAFE          | 12 High St, Otley        | LS21 1AB
    c         | BEAN THERE           | 12A High Street, Leeds   | LS21 9ZZ
"""


@pytest.fixture
def business(engine: DuckDB, tmp_path: Path) -> World:
    made = World(engine, BUSINESS, tmp_path / "business")
    made.add("register", REGISTER)
    made.add("pay", PAY)
    return made


def without(picture: str, record: str) -> str:
    return "\n".join(line for line in picture.splitlines() if line.split("|")[0].strip() != record)


def test_an_entity_that_nobody_says_is_retired_and_revived_when_it_comes_back(business: World) -> None:
    three, two = business.who()["register:3"], business.who()["register:2"]
    assert business.add("register", without(without(REGISTER, "3"), "2"))["events"] == {"retired": 1}
    assert business.history(three).status == "retired"
    assert business.history(two).status == "current"  # pay still says it
    assert business.history(three).periods[-1]["recorded_to"] == "2024-01-03T00:00:00"
    assert business.add("register", REGISTER)["events"] == {"revived": 1}
    assert business.who()["register:3"] == three
    assert business.told(three) == [("created", 1), ("retired", 3), ("revived", 4)]
    assert business.history(three, version=2).status == "current"
    assert business.history(three).status == "current"


def test_a_merge_and_a_split_by_decision_bind_every_later_version(business: World) -> None:
    first = business.who()
    cafe, bean = first["register:2"], first["pay:c"]
    assert first["pay:b"] == cafe != bean
    business.decide("must", "register:2", "pay:c")
    report = business.add("register", REGISTER)
    assert report["events"] == {"absorbed": 1, "merged": 1}
    assert business.who()["pay:c"] == cafe
    assert business.history(bean).stands_for_it == cafe
    assert business.history(bean).status == "absorbed"
    assert {p["organisation_name"] for p in business.history(cafe).periods if p["recorded_to"] is None} == {
        "THE CORNER CAFE LTD", "CORNER CAFE", "BEAN THERE"}  # fmt: skip
    assert found(business, "BEAN THERE", "LS21 9ZZ") == cafe

    business.decisions.clear()
    business.decide("cannot", "register:2", "pay:c")
    business.add("pay", PAY)
    again = business.who()["pay:c"]
    assert again not in {*first.values()}
    assert business.told(cafe) == [("created", 1), ("merged", 3), ("split", 4)]
    assert business.told(again) == [("created", 4)]
    assert business.history(cafe).events[-1]["reason"] == "a person decided: 1"
    assert found(business, "BEAN THERE", "LS21 9ZZ") == again
    for _ in range(2):  # neither a reload nor a new source undoes it
        assert business.add("pay", PAY)["events"] == {}
    assert business.who()["pay:c"] == again


def found(world: World, organisation: str, postcode: str) -> int | None:
    world.engine.load("asked", Held(pa.table({
        "record_id": ["x"], "organisation_name": [organisation], "postcode": [postcode]})))  # fmt: skip
    tools = Tools(world.engine, Untrained())
    world.seat.match(tools, Matching("asked", "links"), folder=world.place(world.version))
    row = world.engine.rows("SELECT coalesce(entity_id, candidate_id) AS found FROM links").to_pylist()[0]
    entity: int | None = row["found"]
    return entity


def test_a_cannot_link_keeps_out_a_record_that_matching_would_put_there(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, BUSINESS, tmp_path)
    world.add("register", REGISTER)
    world.decide("cannot", "register:2", "pay:b")
    world.add("pay", PAY)
    who = world.who()
    assert who["pay:b"] != who["register:2"]
    assert len({*who.values()}) == 6


def test_changes_between_versions_are_counted_and_attributes_named(business: World) -> None:
    moved = REGISTER.replace("3 Station Road, Leeds", "9 Canal Street, Leeds")
    business.decide("must", "register:2", "pay:c")
    business.add("register", without(moved, "1"))
    counts = BUSINESS.changes(business.engine, before=business.place(2), after=business.place(3), relation="changes")
    who = business.who()
    told = business.engine.rows("SELECT * FROM changes ORDER BY change, entity_id").to_pylist()
    by = {(r["change"], r["entity_id"]): r["attributes"] for r in told}
    assert by["changed", who["register:3"]] == ["address"]
    assert ("retired", business.who(2)["register:1"]) in by
    assert {r["other_id"] for r in told if r["change"] == "absorbed"} == {who["register:2"]}
    assert (counts["before"], counts["after"], counts["created"], counts["absorbed"], counts["merged"]) == (
        2,
        3,
        0,
        1,
        1,
    )
    assert (counts["split"], counts["retired"], counts["changed"]) == (0, 1, 2)  # the café says more now
    assert counts["attributes"]["address"] == 2


def test_versions_that_do_not_follow_each_other_are_not_compared(business: World) -> None:
    with pytest.raises(IndexRefusal, match="does not come after"):
        BUSINESS.changes(business.engine, before=business.place(2), after=business.place(1), relation="changes")


def test_succession_answers_for_every_absorbed_id(business: World) -> None:
    first = business.who()
    business.decide("must", "register:2", "pay:c")
    business.add("register", REGISTER)
    business.decide("must", "register:1", "pay:c")
    business.add("register", REGISTER)
    BUSINESS.succession(business.engine, folder=business.place(4), relation="line")
    line = {r["old_id"]: r["new_id"] for r in business.engine.rows("SELECT * FROM line").to_pylist()}
    now = business.who()
    assert all(line.get(entity, entity) == now[record] for record, entity in first.items())
    assert len(line) == 2


def test_an_id_that_never_was_has_no_history(business: World) -> None:
    assert BUSINESS.history(business.engine, folder=business.place(2), entity_id=1) is None


def test_codes_that_nobody_lists_are_retired_with_what_stands_above_them(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, CLASSIFICATION, tmp_path)
    codes = """
        record_id | industry_code | industry_text
        1         | 01110         | growing of cereals
        2         | 01120         | growing of rice
        3         | 47110         | general shops
    """
    world.add("sic", codes)
    cereals = world.who()["sic:1"]
    report = world.add("sic", without(codes, "3"))
    assert report["events"]["retired"] == 5  # 47110, 4711, 471, 47 and section G
    assert world.history(cereals).status == "current"
    assert world.add("sic", codes)["events"] == {"revived": 5}


def test_postcodes_that_nobody_delivers_are_retired_and_still_found(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, GEOGRAPHY, tmp_path)
    codes = """
        record_id | postcode | lsoa21cd
        1         | LS21 1AA | E01000001
        2         | TR1 3CD  | E01000002
    """
    columns = {"area_code": ["lsoa21cd"]}
    world.add("onspd", codes, columns=columns)
    first = world.who()
    assert world.add("onspd", without(codes, "2"), columns=columns)["events"] == {"retired": 1}
    gone = world.history(first["onspd:2"])
    assert (gone.status, gone.periods[0]["postcode"]) == ("retired", "TR1 3CD")
    moved = world.add("onspd", codes.replace("E01000002", "E01000003"), columns=columns)
    assert moved["events"] == {"retired": 1, "revived": 1}  # the area that no postcode lies in any more
    assert world.who() == first
    counts = GEOGRAPHY.changes(world.engine, before=world.place(1), after=world.place(3), relation="changes")
    assert counts["attributes"] == {"lsoa_2021": 1}


def test_people_retire_come_back_and_are_who_a_person_says_they_are(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, SEATS["demographic"], tmp_path)
    everyone = people(40)
    one, other, gone = (str(everyone[i]["record_id"]) for i in (3, 4, 5))
    world.add("register", table(everyone))
    first = world.who()
    assert first[f"register:{one}"] != first[f"register:{other}"]
    world.decide("must", f"register:{one}", f"register:{other}")
    report = world.add("register", table([p for p in everyone if p["record_id"] != gone]))
    assert report["events"] == {"absorbed": 1, "merged": 1, "retired": 1}
    who = world.who()
    kept = who[f"register:{one}"]
    assert who[f"register:{other}"] == kept
    (absorbed,) = {first[f"register:{r}"] for r in (one, other)} - {kept}
    assert world.history(absorbed).stands_for_it == kept
    assert world.told(first[f"register:{gone}"]) == [("created", 1), ("retired", 2)]
    assert len([p for p in world.history(kept).periods if p["recorded_to"] is None]) == 2
    counts = world.seat.changes(engine, before=world.place(1), after=world.place(2), relation="changes")
    assert (counts["created"], counts["absorbed"], counts["retired"]) == (0, 1, 1)
    world.decisions.clear()
    world.decide("cannot", f"register:{one}", f"register:{other}")
    assert world.add("register", table(everyone))["events"] == {"revived": 1, "split": 1}
    who = world.who()
    assert who[f"register:{gone}"] == first[f"register:{gone}"]
    assert who[f"register:{one}"] != who[f"register:{other}"]
    assert absorbed not in who.values()


class NeverTrains:
    """A trainer that must not be asked."""

    def train(self, task: Task) -> Estimates:
        raise AssertionError(task)


def test_decisions_hold_at_once_in_a_version_that_no_source_made(engine: DuckDB, tmp_path: Path) -> None:
    world = World(engine, SEATS["demographic"], tmp_path)
    everyone = people(40)
    world.add("register", table(everyone))
    first, second = (f"register:{everyone[i]['record_id']}" for i in (3, 4))
    world.decide("must", first, second)
    nothing = pa.table({"record_id": pa.array([], pa.string())})
    world.tools = Tools(engine, NeverTrains())
    assert world.add("decisions", nothing)["events"] == {"absorbed": 1, "merged": 1}
    assert world.who()[first] == world.who()[second]
    assert len(world.who()) == len(everyone)
