"""Incremental updates equal a full rebuild, whatever came in which order."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from tests.conftest import identified_engine
from tests.people import Row, noisy, people, table

AT = "2026-01-01T00:00:00"
World = tuple[DuckDB, Version, Path]
SOURCES = ("health", "school", "tax")
DECISIONS = pa.schema(
    [("number", pa.int64()), *((c, pa.string()) for c in
     ("kind", "left_source", "left_record", "right_source", "right_record"))]
)  # fmt: skip

#: Keys that three records of one source make too common, so that deliveries turn some common and rare again.
NARROW = replace(DEFINITION, keys=tuple(replace(key, size=2) for key in DEFINITION.keys))

#: Five people in two households, one who lives with a person of her birthday and name, and a namesake.
CAST: list[Row] = [
    *people(5),
    people(1)[0] | {"given_name": "Nadia"},
    people(2)[1] | {"address": "1 Far Street", "postcode": "ZE1 0AA"},
]

#: The ways in which a person is written: as they are, with an error, or with next to nothing.
WAYS: tuple[Callable[[Row], Row], ...] = (
    dict,
    lambda row: noisy([row], seed=2)[0],
    lambda row: noisy([row], seed=5)[0],
    lambda row: noisy([row], seed=8)[0],
    lambda row: row | {"address": None, "postcode": None, "sex": None},
    lambda row: row | {"given_name": None, "date_of_birth": None},
)


class Untrained:
    """A trainer that has learnt nothing."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


@dataclass(frozen=True)
class Delivery:
    """What a source says now: which person each of its record ids is, and how they are written."""

    source: str
    said: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Decision:
    kind: str
    left: tuple[str, str]
    right: tuple[str, str]


IDS = st.sampled_from([f"R{i}" for i in range(7)])
DELIVERIES = st.builds(
    Delivery,
    st.sampled_from(SOURCES),
    st.dictionaries(IDS, st.tuples(st.integers(0, len(CAST) - 1), st.integers(0, len(WAYS) - 1)), max_size=7),
)
RECORDS = st.tuples(st.sampled_from(SOURCES), IDS)
CHOICES = st.lists(st.builds(Decision, st.sampled_from(("must", "cannot")), RECORDS, RECORDS), max_size=2)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An engine, and an index whose basis all others keep."""
    with tempfile.TemporaryDirectory() as folder:
        engine = identified_engine(Path(folder))
        told = {"record_id", *people(1)[0]}
        engine.load("told", Held(table([{k: r.get(k) for k in told} for r in people(150)])))
        basis, _ = build.add_source(
            engine, Untrained(), definition=NARROW, previous=None, folder=Path(folder) / "basis",
            source=build.Source("health", "told", AT),
        )  # fmt: skip
        yield engine, basis, Path(folder)
        engine.close()


def told(delivery: Delivery) -> pa.Table:
    rows = [WAYS[way](CAST[person]) | {"record_id": record} for record, (person, way) in delivery.said.items()]
    fields = [("record_id", pa.string()), *((c, pa.string()) for c in
              ("given_name", "family_name", "sex", "address", "postcode")), ("date_of_birth", pa.date32())]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def load(world: World, delivery: Delivery, previous: Version | None, decisions: list[Decision]) -> Version:
    engine, basis, folder = world
    engine.load("told", Held(told(delivery)))
    rows = [
        {"number": i, "kind": d.kind, "left_source": d.left[0], "left_record": d.left[1], "right_source": d.right[0],
         "right_record": d.right[1]}
        for i, d in enumerate(decisions)
    ]  # fmt: skip
    engine.load("decided", Held(pa.Table.from_pylist(rows, schema=DECISIONS)))
    place = Path(tempfile.mkdtemp(dir=folder)) / "v"
    source = build.Source(
        delivery.source, "told", AT, one_to_one=delivery.source == "school", decisions="decided", basis=basis
    )
    return build.add_source(engine, Untrained(), definition=NARROW, previous=previous, source=source, folder=place)[0]


def partition(world: World, version: Version) -> set[frozenset[tuple[str, str]]]:
    engine = world[0]
    version.load(engine, "seen")
    rows = engine.rows("SELECT source, record_id, entity FROM seen_records").to_pylist()
    version.unload(engine, "seen")
    groups: dict[int, set[tuple[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["entity"], set()).add((row["source"], row["record_id"]))
    assert sum(map(len, groups.values())) == len(rows)
    return {frozenset(group) for group in groups.values()}


@pytest.mark.long
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    deliveries=st.lists(DELIVERIES, min_size=2, max_size=4), decisions=CHOICES, turn=st.randoms(use_true_random=False)
)
def test_incremental_updates_equal_a_rebuild(
    world: World, deliveries: list[Delivery], decisions: list[Decision], turn: Random
) -> None:
    version = None
    for i, delivery in enumerate(deliveries):
        version = load(world, delivery, version, decisions[i % 2 :])  # taken, withdrawn and taken again
    last = {d.source: d for d in deliveries}
    order = list(last.values())
    turn.shuffle(order)
    rebuilt = None
    for delivery in order:
        rebuilt = load(world, delivery, rebuilt, decisions)
    final = load(world, deliveries[-1], version, decisions)  # the last again: nothing new is said
    assert partition(world, final) == partition(world, rebuilt)
