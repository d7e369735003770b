"""What the service adds to a row is shared by at least ten rows, so that no two projects' extracts join on it."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.approve import keyed
from integrated_data.approve.linked import FEWEST
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB

ONE, OTHER = ProjectTokens(b"1" * 32), ProjectTokens(b"2" * 32)
ADDED = ("person_link_probability", "person_link_method", "area_link_probability", "area_link_method")


def released(rows: int, seed: int = 1) -> pa.Table:
    """Links with a model's own probabilities, a different one for almost every record, and rare methods."""
    dice = np.random.default_rng(seed)
    linked = np.asarray(dice.random(rows) < 0.95)
    columns = {"payload": pa.array(np.arange(rows))}
    for key, method in (("person", ["exact", "model", "household"]), ("area", ["postcode", "place"])):
        odds = np.array([0.9, 0.0995, 0.0005] if len(method) == 3 else [0.999, 0.001])
        columns |= {
            f"{key}_entity": pa.array(dice.integers(0, 2**63 - 1, rows), mask=~linked),
            f"{key}_link_probability": pa.array((1 - dice.beta(0.3, 40, rows)).astype(np.float32), mask=~linked),
            f"{key}_link_method": pa.array(dice.choice(method, rows, p=odds), mask=~linked),
        }
    return pa.table(columns)


def weighed(engine: DuckDB, weights: list[float | None]) -> list[float | None]:
    """What becomes of some rows' weights for missed links, in their order."""
    column = "person_link_weight"
    table = pa.table({"n": range(len(weights)), column: pa.array(weights, pa.float64())})
    columns = {"n": "r.n", column: f'r."{column}"'}
    engine.load("weighed", Held(table))
    made: list[str] = []
    rows = engine.rows(keyed.by_position(engine, ONE, asked=keyed.Asked("weighed", (), columns), made=made)).to_pylist()
    engine.drop(*made, "weighed")
    return [r[column] for r in sorted(rows, key=lambda r: r["n"])]


def test_weights_that_few_rows_have_become_one_with_the_nearest(engine: DuckDB) -> None:
    given = [1.0] * 20 + [1.5] * 4 + [1.7] * 6 + [3.0] * 3 + [None]
    assert weighed(engine, given) == [1.0] * 20 + [pytest.approx(25.2 / 13)] * 13 + [None]
    assert weighed(engine, [1.0] * 10 + [2.0] * 10) == [1.0] * 10 + [2.0] * 10


@given(st.lists(st.sampled_from([1.0, 1.01, 1.2, 1.25, 2.0, 3.5, 9.0]), min_size=1, max_size=80))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weights_are_shared_and_their_total_stays(engine: DuckDB, given: list[float]) -> None:
    seen = Counter(weighed(engine, list(given)))
    assert len(seen) == 1 or min(seen.values()) >= FEWEST
    assert sum(w * n for w, n in seen.items() if w is not None) == pytest.approx(sum(given))


def extract(engine: DuckDB, table: pa.Table, tokens: ProjectTokens, where: str = "") -> pa.Table:
    asked = keyed.Asked("released", ("person", "area"), {"payload": "r.payload"}, {}, where)
    made: list[str] = []
    engine.load("released", Held(table))
    try:
        return engine.rows(keyed.by_position(engine, tokens, asked=asked, made=made))
    finally:
        engine.drop(*made, "released")


def added(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in ADDED), strict=True))


def test_two_projects_extracts_cannot_be_joined_on_anything_the_service_added(engine: DuckDB) -> None:
    """Keys have nothing in common, rows lie in other orders, and what else was added is shared by many rows."""
    table = released(20_000)
    raw = Counter(zip(*(table[name].to_pylist() for name in ADDED), strict=True))
    assert sum(1 for n in raw.values() if n == 1) > 10_000, "as the model gives them, probabilities name records"
    one, two = extract(engine, table, ONE), extract(engine, table, OTHER)
    for key in ("person_key", "area_key"):
        assert not set(one[key].drop_null().to_pylist()) & set(two[key].drop_null().to_pylist())
    joined = Counter(added(one))
    assert joined == Counter(added(two))
    assert min(joined.values()) >= FEWEST
    # joined by the position of rows, or by everything added, a pair is right no more often than by chance
    same_place = np.mean(np.asarray(one["payload"]) == np.asarray(two["payload"]))
    by_all = sum(joined.values()) / sum(n * n for n in joined.values())
    assert same_place < 0.001
    assert by_all < 0.001


def test_what_is_rare_becomes_one_and_stays_true(engine: DuckDB) -> None:
    table = released(20_000)
    seen = extract(engine, table, ONE)
    true = dict(zip(table["payload"].to_pylist(), table["person_link_probability"].to_pylist(), strict=True))
    for payload, shown in zip(seen["payload"].to_pylist(), seen["person_link_probability"].to_pylist(), strict=True):
        assert (shown is None) == (true[payload] is None)
        assert shown is None or shown <= true[payload] + 1e-6
    close = [
        abs(s - true[p]) < 0.0101
        for p, s in zip(seen["payload"].to_pylist(), seen["person_link_probability"].to_pylist(), strict=True)
        if s is not None
    ]
    assert np.mean(close) > 0.97, "all but the rare are as they were, to two decimals"


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_copy_what_is_added_is_shared(engine: DuckDB, seed: int, rows: int) -> None:
    """Also where a project has few of the rows: it is counted over its own."""
    where = f"WHERE r.payload < {rows}"
    seen = extract(engine, released(80, seed), ONE, where)
    kinds: dict[tuple[bool, ...], Counter[tuple[object, ...]]] = {}
    for each in added(seen):
        kinds.setdefault(tuple(value is None for value in each), Counter())[each] += 1
    for classes in kinds.values():
        assert len(classes) == 1 or min(classes.values()) >= FEWEST
