"""Ids continue through regrouping: who was who, who is whom now, and what happened in between."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import life

#: Entities of the version before, older ones first; the numbers stand for ids.
ENTITIES = {"A": 501, "B": 502, "C": 103}


def regrouped(engine: DuckDB, picture: str) -> tuple[dict[str, str], list[str]]:
    """A line per entity before or group now, as `A: r1 r2`; returns group to entity (or `new`), and what happened.

    New entities are named after the first of their records.
    """
    before, now = (
        [(line.split(":")[0].strip(), line.split(":")[1].split()) for line in part.strip().splitlines()]
        for part in picture.split("becomes")
    )
    made = {group: i for i, (group, _) in enumerate(now, 1)}
    hold(engine, "before", [("s", r, ENTITIES[e]) for e, records in before for r in records], "entity_id")
    hold(engine, "now", [("s", r, made[g]) for g, records in now for r in records], "grp")
    ages = [{"entity_id": i, "recorded_from": f"200{n}"} for n, i in enumerate(ENTITIES.values())]
    engine.load("entities", Held(pa.Table.from_pylist(ages)))
    life.regroup(engine, life.Grouping("before", "now", "entities"), work="w")
    ids = {r["grp"]: r for r in engine.rows("SELECT * FROM w_ids").to_pylist()}
    named = {i: e for e, i in ENTITIES.items()}
    for group, records in now:
        row = ids[made[group]]
        assert row["fresh"] == (row["entity_id"] not in named)
        named.setdefault(row["entity_id"], f"new({records[0]})")
    turns = engine.rows("SELECT * FROM w_turns").to_pylist()
    told = sorted(f"{named[t['entity_id']]} {t['event']} {named[t['other_id']]}" for t in turns)
    return {group: named[ids[number]["entity_id"]] for group, number in made.items()}, told


def hold(engine: DuckDB, relation: str, rows: list[tuple[Any, ...]], last: str) -> None:
    columns = dict(zip(("source", "record_id", last), zip(*rows, strict=True), strict=True))
    engine.load(relation, Held(pa.table({k: list(v) for k, v in columns.items()})))


PICTURES = [
    ("nothing changed", """
        A: r1 r2
        B: r3
        becomes
        x: r1 r2
        y: r3
     """, {"x": "A", "y": "B"}, []),
    ("new records join and found entities", """
        A: r1
        becomes
        x: r1 r2
        y: r3 r4
     """, {"x": "A", "y": "new(r3)"}, []),
    ("two become one: the larger one stays", """
        A: r1
        B: r2 r3
        becomes
        x: r1 r2 r3
     """, {"x": "B"}, ["A absorbed B", "B merged A"]),
    ("two as large become one: the older one stays, whatever its id", """
        A: r1
        C: r2
        becomes
        x: r1 r2
     """, {"x": "A"}, ["A merged C", "C absorbed A"]),
    ("one becomes two: the larger part stays", """
        A: r1 r2 r3
        becomes
        x: r1
        y: r2 r3
     """, {"x": "new(r1)", "y": "A"}, ["A split new(r1)"]),
    ("a record moves to another entity", """
        A: r1 r2
        B: r3 r4
        becomes
        x: r1
        y: r2 r3 r4
     """, {"x": "A", "y": "B"}, ["A split B"]),
    ("one is scattered over two that stay", """
        A: r1 r2
        B: r3 r4 r5
        C: r6 r7 r8
        becomes
        x: r1 r3 r4 r5
        y: r2 r6 r7 r8
     """, {"x": "B", "y": "C"}, ["A absorbed B", "A split C", "B merged A"]),
    ("records that went away are nobody's event", """
        A: r1 r2
        B: r3
        becomes
        x: r1
     """, {"x": "A"}, []),
    ("two swap halves", """
        A: r1 r2
        B: r3 r4
        becomes
        x: r1 r3
        y: r2 r4
     """, {"x": "A", "y": "B"}, ["A split B", "B split A"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "picture", "continued", "happened"), PICTURES, ids=[p[0] for p in PICTURES])
def test_groups_continue_entities(
    engine: DuckDB, what: str, picture: str, continued: dict[str, str], happened: list[str]
) -> None:
    assert regrouped(engine, picture) == (continued, happened)


def test_an_entity_falls_silent_and_comes_back_under_its_id(engine: DuckDB, tmp_path: Path) -> None:
    engine.load("entities", Held(pa.table({"entity_id": [1, 2, 3, 4], "status": [
        "current", "current", "retired", "absorbed"]})))  # fmt: skip
    engine.load("said", Held(pa.table({"entity_id": [1, 3]})))
    engine.create("turns", life.turns_sql("entities", "said"))
    life.load(engine, None, relation="old")
    moment = life.Moment(7, "register", "2024-05-01T00:00:00")
    counted = life.save(engine, old="old", turns=["turns"], moment=moment, folder=tmp_path)
    assert counted == {"retired": 1, "revived": 1}
    life.load(engine, tmp_path, relation="events")
    assert tuple(engine.columns("events")) == tuple(life.EVENTS)
    rows = engine.rows("SELECT * FROM events ORDER BY entity_id").to_pylist()
    assert [(r["entity_id"], r["event"], r["version"], r["source"]) for r in rows] == [
        (2, "retired", 7, "register"), (3, "revived", 7, "register")]  # fmt: skip
    after = engine.rows(life.renewed_sql("entities", "turns") + " ORDER BY entity_id").to_pylist()
    assert [r["status"] for r in after] == ["current", "retired", "current", "absorbed"]


def test_succession_leads_to_the_last_of_a_line_and_says_when_the_id_ended(engine: DuckDB) -> None:
    told(engine, [(1, "absorbed", 2, 3), (2, "merged", 1, 3), (2, "absorbed", 4, 5), (4, "split", 9, 4)])
    found = engine.rows(life.succession_sql("events") + " ORDER BY old_id").to_pylist()
    assert [(r["old_id"], r["new_id"], r["version"]) for r in found] == [(1, 4, 3), (2, 4, 5)]


@pytest.mark.parametrize(("since", "unsettled"), [(1, {4}), (3, {4}), (4, set())])
def test_what_split_before_it_took_another_in_does_not_unsettle_that_one(
    engine: DuckDB, since: int, unsettled: set[int]
) -> None:
    told(engine, [(1, "absorbed", 4, 5), (4, "split", 9, 4)])
    assert {r["entity_id"] for r in engine.rows(life.unsettled_sql("events", since)).to_pylist()} == unsettled


def test_what_was_absorbed_is_unsettled_when_its_successor_splits_later(engine: DuckDB) -> None:
    told(engine, [(1, "absorbed", 4, 5), (4, "split", 9, 6)])
    assert {r["entity_id"] for r in engine.rows(life.unsettled_sql("events", 2)).to_pylist()} == {1, 4}


def told(engine: DuckDB, events: list[tuple[int, str, int, int]]) -> None:
    rows = [
        {"entity_id": e, "event": what, "other_id": o, "version": v, "recorded_at": str(v)} for e, what, o, v in events
    ]
    engine.load("events", Held(pa.Table.from_pylist(rows)))


def test_ids_are_drawn_for_every_place_and_are_none_that_was_used(engine: DuckDB) -> None:
    engine.load("entities", Held(pa.table({"entity_id": [1, 2]})))
    engine.load("places", Held(pa.table({"place": list(range(1, 101))})))
    assert life.draw(engine, "places", entities="entities", out="drawn") == 100
    rows = engine.rows("SELECT * FROM drawn ORDER BY place").to_pylist()
    ids = [r["entity_id"] for r in rows]
    assert [r["place"] for r in rows] == list(range(1, 101))
    assert len(set(ids)) == 100
    assert all(0 < i < 2**63 for i in ids)
    assert ids != sorted(ids)
