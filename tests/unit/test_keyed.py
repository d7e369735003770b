"""Keys made beside their rows and keys made by a crosswalk, drawn: the same copy."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.approve import keyed
from integrated_data.approve.answers import Answer
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB

TOKENS = ProjectTokens(b"k" * 32)
ENTITIES = st.lists(st.none() | st.sampled_from([0, 3, 5, 8, 2**63 - 1]), max_size=40)


def released(person: list[int | None], area: list[int | None]) -> pa.Table:
    rows = len(person)
    links = {
        f"{key}{suffix}": pa.array(values, kind)
        for key, ids in (("person", person), ("area", area))
        for suffix, values, kind in (
            ("_entity", ids, pa.int64()),
            ("_link_probability", [0.99] * rows, pa.float32()),
            ("_link_method", ["exact"] * rows, pa.string()),
        )
    }
    return pa.table({**links, "income": pa.array(range(rows), pa.int64())})


def copies(engine: DuckDB, table: pa.Table, asked: keyed.Asked) -> list[list[dict[str, object]]]:
    found = []
    for way in (keyed.by_position, keyed.by_crosswalk):
        made: list[str] = []
        engine.load(asked.relation, Held(table))
        found.append(engine.rows(way(engine, TOKENS, asked=asked, made=made)).to_pylist())
        engine.drop(*made, asked.relation)
    return found


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_make_the_same_copy(engine: DuckDB, data: st.DataObject) -> None:
    person = data.draw(ENTITIES)
    area = data.draw(st.lists(st.none() | st.just(4), min_size=len(person), max_size=len(person)))
    succession = pa.table({"old_id": [5, 3], "new_id": [8, 0]}) if data.draw(st.booleans()) else None
    keys = data.draw(st.sampled_from([("person",), ("person", "area"), ()]))
    asked = keyed.Asked("released", keys, {"income": "r.income"}, {"person": Answer(2, succession)})
    beside, crossed = copies(engine, released(person, area), asked)
    assert sorted(beside, key=lambda r: r["income"]) == sorted(crossed, key=lambda r: r["income"])  # type: ignore[arg-type,return-value]
    if "person" in keys:
        heirs = {5: 8, 3: 0} if succession is not None else {}
        wanted = [None if e is None else token(heirs.get(e, e)) for e in person]
        assert [r["person_key"] for r in sorted(beside, key=lambda r: r["income"])] == wanted  # type: ignore[arg-type,return-value]


def token(entity: int) -> int:
    return int(TOKENS.of("person", np.array([entity]))[0])


def test_tokens_that_do_not_lie_beside_their_rows_are_never_given(engine: DuckDB) -> None:
    asked = keyed.Asked("released", ("person",), {"income": "r.income"})
    engine.load("released", Held(released([3, 5, None], [4, 4, 4])))
    statement = keyed.by_position(engine, TOKENS, asked=asked, made=[])
    engine.load("released", Held(released([5, 3, None], [4, 4, 4])))
    with pytest.raises(Exception, match="do not lie beside their rows"):
        engine.rows(statement)
