"""A source without numbers of its own: its records are known by what they say, in whatever row they stand."""

from datetime import date
from pathlib import Path

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from tests.people import Row, people, table

EVERYONE = people(90)
FIRST: Row = {
    "given_name": "Zelda", "family_name": "Quillfeather", "date_of_birth": date(1971, 2, 3), "sex": "F",
    "address": "9 Far Lane", "postcode": "ZZ9 9ZZ",
}  # fmt: skip


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


def load(
    engine: DuckDB, rows: list[Row], folder: Path, *, previous: Version | None = None, numbered: bool = True
) -> tuple[Version, dict[str, int]]:
    """The rows as the source's whole file, numbered by their place."""
    engine.load("told", Held(table([row | {"record_id": str(i)} for i, row in enumerate(rows)])))
    source = build.Source("register", "told", f"2026-01-0{1 + (previous is not None)}T00:00:00", numbered=numbered)
    version, report = build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=previous, source=source, folder=folder
    )
    return version, report.events


def people_of(engine: DuckDB, version: Version) -> dict[str, int]:
    """Whole name and birthday, as last said, to entity id; only who is said now."""
    version.load(engine, "seen")
    rows = engine.rows(
        "SELECT concat_ws('|', a.given_name, a.family_name, a.date_of_birth, a.address) AS who, e.entity_id "
        "FROM seen_attributes a JOIN seen_entities e ON e.entity = a.entity WHERE a.recorded_to IS NULL"
    ).to_pylist()
    version.unload(engine, "seen")
    return {r["who"]: r["entity_id"] for r in rows}


def test_a_row_inserted_at_the_top_moves_nobody(engine: DuckDB, tmp_path: Path) -> None:
    first, _ = load(engine, EVERYONE, tmp_path / "1")
    before = people_of(engine, first)
    second, events = load(engine, [FIRST, *EVERYONE], tmp_path / "2", previous=first)
    after = people_of(engine, second)
    assert {who: after[who] for who in before} == before
    assert len(after) == len(before) + 1
    assert not {"split", "absorbed", "merged", "retired"} & set(events)


def test_shuffled_with_somebody_gone_and_somebody_moved(engine: DuckDB, tmp_path: Path) -> None:
    first, _ = load(engine, EVERYONE, tmp_path / "1")
    before = people_of(engine, first)
    stay = EVERYONE[7]
    moved = stay | {"address": "1 New Street", "postcode": "YY1 1YY"}
    rows = [moved, FIRST, *(row for row in reversed(EVERYONE) if row not in (stay, EVERYONE[20]))]
    second, events = load(engine, rows, tmp_path / "2", previous=first)
    after = people_of(engine, second)

    def who(row: Row) -> str:
        return f"{row['given_name']}|{row['family_name']}|{row['date_of_birth']}|{row['address']}"

    assert after[who(moved)] == before[who(stay)]
    assert who(EVERYONE[20]) not in after
    assert {w: e for w, e in after.items() if w in before} == {
        w: e for w, e in before.items() if w not in (who(stay), who(EVERYONE[20]))
    }
    assert events.get("retired", 0) == 1
    assert not {"split", "absorbed", "merged"} & set(events)


def test_the_same_rows_again_change_nothing_even_where_some_stand_twice(engine: DuckDB, tmp_path: Path) -> None:
    version, _ = load(engine, EVERYONE * 2, tmp_path / "1")
    again, events = load(engine, EVERYONE * 2, tmp_path / "2", previous=version)
    assert events == {}
    assert people_of(engine, again) == people_of(engine, version)


def test_by_row_number_alone_the_same_file_would_take_everybody_for_somebody_else(
    engine: DuckDB, tmp_path: Path
) -> None:
    first, _ = load(engine, EVERYONE, tmp_path / "1", numbered=False)
    second, _ = load(engine, [FIRST, *EVERYONE], tmp_path / "2", previous=first, numbered=False)
    before, after = people_of(engine, first), people_of(engine, second)
    assert sum(after[who] != before[who] for who in before) > 50
