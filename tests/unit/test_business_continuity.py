"""What happened to businesses, as pictures: a register before and after, the events between them."""

from pathlib import Path
from typing import Any

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference import continuity
from integrated_data.index.reference.business import BUSINESS
from integrated_data.index.seat import Addition, Tools
from tests.drawn import NoTrainer, drawn

HOME = "4 Mill Lane, Otley"
BEFORE = """
    record_id | company_number | organisation_name | trading_name | address | postcode | organisation_status
    1 | 00000001 | SMITH & SONS LIMITED | . | 4 Mill Lane, Otley | LS21 1AA | Active
    2 | 00000002 | THE CORNER CAFE LTD | BEAN THERE | 12 High Street, Otley | LS21 1AB | Active
    3 | 00000003 | WILLOW NURSERY LTD | . | 7 Elm Grove, Truro | TR1 3CD  | Active
    4 | 00000004 | GREENFIELD LLP | . | 22 Castle Street, York  | YO1 7AA  | Active
    5 | 00000005 | ZENITH PRINT LIMITED | . | 9 Dock Road, Hull | HU1 2AB  | Active
"""


class Register:
    """Sources loaded one after another, and the events that the last load showed."""

    def __init__(self, engine: DuckDB, folder: Path) -> None:
        self.engine, self.folder, self.versions = engine, folder, 0

    def load(
        self, picture: str, *, source: str = "register", day: str = "2024-01-01", numbered: bool = False
    ) -> dict[str, Any]:
        self.engine.load("delivered", Held(drawn(picture)))
        previous = self.folder / str(self.versions) if self.versions else None
        self.versions += 1
        self.day = f"{day}T00:00:00+00:00"
        addition = Addition(source, "delivered", self.day, numbered=numbered)
        tools = Tools(self.engine, NoTrainer())
        return BUSINESS.add(tools, addition, previous=previous, folder=self.folder / str(self.versions))

    @property
    def place(self) -> Path:
        return self.folder / str(self.versions)

    def ids(self) -> dict[str, int]:
        BUSINESS.members(self.engine, folder=self.place, relation="members")
        rows = self.engine.rows("SELECT record_id, min(entity_id) AS entity_id FROM members GROUP BY record_id")
        return dict(zip(rows["record_id"].to_pylist(), rows["entity_id"].to_pylist(), strict=True))

    def events(self) -> set[tuple[Any, ...]]:
        """Of the newest version alone: record ids for entities, event, the other one, reason."""
        record = {entity: record for record, entity in reversed(self.ids().items())}
        continuity.load(self.engine, self.place, relation="happened")
        rows = self.engine.rows(f"SELECT * FROM happened WHERE recorded_at = '{self.day}'").to_pylist()
        return {(record[r["entity_id"]], r["event"], record.get(r["other_id"]), r["reason"]) for r in rows}


@pytest.fixture
def register(engine: DuckDB, tmp_path: Path) -> Register:
    made = Register(engine, tmp_path / "index")
    assert made.load(BEFORE)["renamed"] == 0
    return made


def changed(*changes: tuple[str, str]) -> str:
    picture = BEFORE
    for old, new in changes:
        assert old in picture
        picture = picture.replace(old, new)
    return picture


def test_nothing_happens_where_nothing_is_said_anew(register: Register) -> None:
    register.load(BEFORE, day="2025-01-01")
    assert register.events() == set()


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (("SMITH & SONS LIMITED", "OAK JOINERY LIMITED"), ("1", "renamed", None, "another name")),
        (("SMITH & SONS LIMITED", "SMITH JOINERY LIMITED"), ("1", "renamed", None, "some words are others")),
        (("SMITH & SONS LIMITED", "SMITH & SON LTD"), ("1", "renamed", None, "written otherwise")),
        (("SMITH & SONS LIMITED", "SMITH & SONS PLC"), ("1", "renamed", None, "another legal form")),
        (("BEAN THERE", "CUP OF JOE"), ("2", "renamed", None, "another name")),
        ((f"{HOME} | LS21 1AA", "9 Quay Road, Leeds | LS1 4XY"), ("1", "moved", None, "another postcode")),
        ((f"{HOME} | LS21 1AA", f"{HOME} | LS21 1AZ"), ("1", "moved", None, "the postcode alone")),
        (("4 Mill Lane", "6 Mill Lane"), ("1", "moved", None, "another number in the street")),
        (("LS21 1AA | Active", "LS21 1AA | Dissolved"), ("1", "ceased", None, "the source says so")),
    ],
)  # fmt: skip
def test_one_change_is_one_event(register: Register, change: tuple[str, str], event: tuple[Any, ...]) -> None:
    register.load(changed(change), day="2025-01-01")
    assert register.events() == {event}


@pytest.mark.parametrize(
    "change",
    [
        ("SMITH & SONS LIMITED", "Smith and Sons Ltd."),  # the same written otherwise
        ("THE CORNER CAFE LTD", "CORNER CAFE LTD"),
        ("WILLOW NURSERY LTD | .", "WILLOW NURSERY LTD | TREE TOTS"),  # a style beside the name
        ("4 Mill Lane, Otley", "4 Mill Ln, Otley, West Yorkshire"),
    ],
)
def test_another_way_of_writing_is_no_event(register: Register, change: tuple[str, str]) -> None:
    register.load(changed(change), day="2025-01-01")
    assert register.events() == set()


def test_a_unit_that_is_no_longer_listed_ceased_and_comes_back_revived(register: Register) -> None:
    without = "\n".join(line for line in BEFORE.strip().splitlines() if "ZENITH" not in line)
    register.load(without, day="2025-01-01")
    assert register.events() == {("5", "ceased", None, "no longer listed by the source")}
    register.load(BEFORE, day="2026-01-01")
    assert register.events() == {("5", "revived", None, "listed by the source again")}


def test_a_unit_that_stops_while_another_takes_its_name_and_place_was_taken_over(register: Register) -> None:
    line = "5 | 00000005 | ZENITH PRINT LIMITED"
    register.load(changed((line, "9 | 00000099 | ZENITH PRINT LIMITED")), day="2025-01-01")
    assert register.events() == {
        ("5", "ceased", None, "no longer listed by the source"),
        ("5", "taken over", "9", "its name at its place, under another unit"),
    }


def test_the_source_may_say_who_took_a_unit_over(register: Register) -> None:
    lines = BEFORE.strip().splitlines()
    said = [lines[0] + " | successor", *(line + (" | 00000003" if "ZENITH" in line else " | .") for line in lines[1:])]
    register.load("\n".join(said), day="2025-01-01")
    assert register.events() == {("5", "taken over", "3", "the source says so")}
    register.load("\n".join(said), day="2026-01-01")
    assert register.events() == set()


def test_what_another_register_calls_a_business_is_no_rename_but_by_dates(engine: DuckDB, tmp_path: Path) -> None:
    register = Register(engine, tmp_path / "index")
    said = """
        record_id | company_number | organisation_name    | postcode | effective_from
        {record}  | 00000001       | {name}               | LS21 1AA | {since}
    """
    register.load(said.format(record="1", name="SMITH & SONS LIMITED", since="2020-01-01"))
    register.load(said.format(record="t", name="OAK JOINERY LTD", since="."), source="tax", day="2025-01-01")
    assert register.events() == set()
    register.load(said.format(record="p", name="ELM JOINERY LTD", since="2023-05-01"), source="pay", day="2025-07-01")
    assert register.events() == {("1", "renamed", None, "another name")}


def test_effective_dates_and_both_statements_are_kept(register: Register) -> None:
    new = changed(("SMITH & SONS LIMITED", "OAK JOINERY LIMITED"))
    lines = new.strip().splitlines()
    new = "\n".join([lines[0] + " | effective_from", *(line + " | 2024-09-30" for line in lines[1:])])
    register.load(new, day="2025-01-01")
    continuity.load(register.engine, register.place, relation="happened")
    (row,) = register.engine.rows("SELECT * FROM happened WHERE event = 'renamed'").to_pylist()
    assert (row["before"], row["after"]) == ("SMITH AND SONS LIMITED", "OAK JOINERY LIMITED")
    assert (row["effective_at"], row["recorded_at"][:10]) == ("2024-09-30", "2025-01-01")
    assert (row["said_before"][:10], row["said_at"]) == ("2024-01-01", "2024-09-30")
    assert (row["source_before"], row["source"], row["record_before"], row["version"]) == (
        "register",
        "register",
        "1",
        2,
    )


def test_a_history_tells_events_without_names(register: Register) -> None:
    register.load(changed(("SMITH & SONS LIMITED", "OAK JOINERY LIMITED")), day="2025-01-01")
    found = BUSINESS.history(register.engine, folder=register.place, entity_id=register.ids()["1"])
    assert found is not None
    assert [(e["event"], e["version"]) for e in found.events] == [("created", 1), ("renamed", 2)]
    assert "SMITH" not in str(found.events)
    assert found.events[1]["reason"] == "another name (before: register, 2024-01-01)"


def test_rows_of_a_file_without_numbers_are_known_by_what_they_say(engine: DuckDB, tmp_path: Path) -> None:
    register = Register(engine, tmp_path / "index")
    head, *rows = [line.strip() for line in BEFORE.strip().splitlines()]
    register.load("\n".join([head, *rows]), numbered=True)
    before = {row.split("|", 1)[1].strip(): register.ids()[row.split("|")[0].strip()] for row in rows}
    turned = [f"{number} | {row.split('|', 1)[1].strip()}" for number, row in enumerate(reversed(rows), 1)]
    report = register.load("\n".join([head, *turned]), day="2025-01-01", numbered=True)
    assert (report["known"], report["renamed"], report["ceased"]) == (5, 0, 0)
    after = {row.split("|", 1)[1].strip(): register.ids()[row.split("|")[0].strip()] for row in turned}
    assert after == before


def test_one_number_with_two_names_at_one_time_is_kept_and_said(engine: DuckDB, tmp_path: Path) -> None:
    register = Register(engine, tmp_path / "index")
    report = register.load("""
        record_id | company_number | organisation_name    | postcode
        1         | 00000001       | SMITH & SONS LIMITED | LS21 1AA
        2         | 00000001       | OAK JOINERY LIMITED  | LS21 1AA
        3         | 00000003       | WILLOW NURSERY LTD   | TR1 3CD
        4         | 00000003       | WILOW NURSERY LTD    | TR1 3CD
    """)
    assert (report["contradicted"], report["entities"]) == (1, 2)
    assert register.events() == {("1", "contradicted", None, "one company number, two names at one time")}


def test_records_of_punctuation_alone_stay_apart(engine: DuckDB, tmp_path: Path) -> None:
    register = Register(engine, tmp_path / "index")
    report = register.load("""
        record_id | organisation_name | postcode
        1         | ***               | .
        2         | - -               | .
        3         | ...               | LS1 1AA
        4         | !!!               | LS1 1AA
        5         | ACME LTD          | LS1 1AA
    """)
    assert report["entities"] == 5
