"""Blocking keys: who is compared with whom, and which keys are too common to keep."""

import pyarrow as pa

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching import block
from integrated_data.index.matching.definition import Field, Key, MatchDefinition, Policy
from integrated_data.model.linkage import IndexDefinition

VEHICLES = MatchDefinition(
    index=IndexDefinition("vehicle", "Vehicles", "vehicle", ()),
    fields=(
        Field("plate", "in_plate", ("plate",)),
        Field("make", "in_make", ("make",)),
        Field("words", "in_words", ("words",)),
    ),
    keys=(
        Key("plate", ("plate",)),
        Key("start of plate and make", ("left(plate, 2)", "make"), size=2),
        Key("words of the description", ("make", "words"), each=True),
        Key("make", ("make",), size=3, wide=True),
    ),
    comparisons=(),
    policy=Policy(settled=2),
)


def keys(engine: DuckDB, rows: list[dict[str, object]], *, relation: str = "cars") -> None:
    schema = pa.schema(
        [("number", pa.int64()), ("plate", pa.string()), ("make", pa.string()), ("words", pa.list_(pa.string()))]
    )
    filled = [{"plate": None, "make": None, "words": None, **row} for row in rows]
    engine.load(relation, Held(pa.Table.from_pylist(filled, schema=schema)))
    engine.create(f"{relation}_keys", block.keys_sql(VEHICLES, relation, number="number"))


def test_a_missing_part_gives_no_key_and_each_element_gives_one(engine: DuckDB) -> None:
    keys(engine, [{"number": 0, "plate": "AB1"}, {"number": 1, "make": "FORD", "words": ["RED", "VAN"]}])
    found = engine.rows("SELECT number, kind FROM cars_keys ORDER BY number, kind").to_pylist()
    assert [(r["number"], r["kind"]) for r in found] == [(0, 0), (1, 2), (1, 2), (1, 3)]


def test_equal_parts_give_equal_keys_and_kinds_never_mix(engine: DuckDB) -> None:
    keys(engine, [{"number": 0, "plate": "AB1", "make": "AB1"}, {"number": 1, "plate": "AB1", "make": "FORD"}])
    rows = engine.rows("SELECT kind, count(DISTINCT key) AS n FROM cars_keys GROUP BY kind ORDER BY kind").to_pylist()
    assert {r["kind"]: r["n"] for r in rows} == {0: 1, 1: 2, 3: 2}
    assert engine.rows("SELECT min(key) AS low FROM cars_keys").to_pylist()[0]["low"] > 0


def stored(engine: DuckDB) -> None:
    engine.view("forms", "SELECT *, number AS form, number AS entity FROM cars")
    block.store_keys(engine, VEHICLES, forms="forms", out="index_keys")


def test_keys_that_too_many_share_are_cut(engine: DuckDB) -> None:
    keys(engine, [{"number": i, "plate": f"AB{i}", "make": "FORD"} for i in range(4)])
    stored(engine)
    kinds = engine.rows("SELECT DISTINCT kind FROM index_keys").to_pylist()
    assert [r["kind"] for r in kinds] == [0]


def test_a_settled_record_is_not_asked_wide_keys_nor_its_weak_candidates(engine: DuckDB) -> None:
    keys(engine, [
        {"number": 0, "plate": "AB1", "make": "FORD", "words": ["RED"]},
        {"number": 1, "plate": "CD1", "make": "FORD"},
        {"number": 2, "plate": "XY9", "make": "FIAT"},
    ])  # fmt: skip
    stored(engine)
    keys(engine, [
        {"number": 10, "plate": "AB1", "make": "FORD", "words": ["RED"]},  # settled by three keys
        {"number": 11, "plate": "ZZ9", "make": "FIAT"},  # found by a wide key only
    ], relation="sent")  # fmt: skip
    engine.view("numbered", "SELECT number AS record, * FROM sent")
    pairs = engine.rows(block.candidates_sql(VEHICLES, "numbered", index_keys="index_keys")).to_pylist()
    assert sorted((p["record"], p["entity"]) for p in pairs) == [(10, 0), (11, 2)]


def test_an_entity_that_is_taken_away_leaves_the_record_to_who_resembles_it(engine: DuckDB) -> None:
    keys(engine, [
        {"number": 0, "plate": "AB1", "make": "FORD", "words": ["RED"]},
        {"number": 1, "plate": "AB2", "make": "FORD"},
    ])  # fmt: skip
    stored(engine)
    keys(engine, [{"number": 10, "plate": "AB1", "make": "FORD", "words": ["RED"]}], relation="sent")
    engine.view("numbered", "SELECT number AS record, * FROM sent")
    engine.load("taken", Held(pa.table({"record": [10], "entity": [0]})))
    whole, apart = (
        engine.rows(block.candidates_sql(VEHICLES, "numbered", index_keys="index_keys", apart=taken)).to_pylist()
        for taken in (None, "taken")
    )
    assert [(p["record"], p["entity"]) for p in whole] == [(10, 0)]
    assert [(p["record"], p["entity"]) for p in apart] == [(10, 1)]
