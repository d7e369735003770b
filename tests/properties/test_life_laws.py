"""Laws of identity over time, over random regroupings of random records, version after version."""

import base64
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.index import life

ENGINE = DuckDB(Limits(threads=1, memory="1GB"), parquet_key=base64.b64encode(b"p" * 32).decode())
RECORDS = st.integers(1, 9)
#: A version: the group of each record that is there.
GROUPINGS = st.lists(st.dictionaries(RECORDS, st.integers(1, 4), min_size=1), min_size=1, max_size=5)


@dataclass
class Index:
    """Who is who, who ever was, and what happened."""

    members: dict[int, int] = field(default_factory=dict)
    ever: dict[int, int] = field(default_factory=dict)  # entity to version
    events: list[dict[str, Any]] = field(default_factory=list)

    def regroup(self, now: dict[int, int], *, version: int) -> dict[int, int]:
        """Records to entities of the next version; records that are not in `now` keep theirs."""
        hold("before", {"record_id": list(self.members), "entity_id": list(self.members.values())})
        hold("now", {"record_id": list(now), "grp": list(now.values())})
        hold("entities", {"entity_id": list(self.ever), "recorded_from": list(self.ever.values())})
        life.regroup(ENGINE, life.Grouping("before", "now", "entities"), work="w")
        rows = ENGINE.rows("SELECT n.record_id, i.entity_id FROM now n JOIN w_ids i USING (grp)").to_pylist()
        found = {int(r["record_id"]): r["entity_id"] for r in rows}
        for turn in ENGINE.rows("SELECT * FROM w_turns").to_pylist():
            self.events.append(turn | {"version": version, "recorded_at": str(version)})
        for entity in found.values():
            self.ever.setdefault(entity, version)
        self.members = found
        return found


def hold(relation: str, columns: dict[str, list[int]]) -> None:
    table = {k: pa.array(v, pa.int64()) for k, v in columns.items()}
    if "record_id" in table:
        table |= {"record_id": table["record_id"].cast(pa.string()), "source": ["s"] * len(table["record_id"])}
    ENGINE.load(relation, Held(pa.table(table)))


def groups(members: dict[int, int]) -> dict[int, frozenset[int]]:
    return {e: frozenset(r for r, x in members.items() if x == e) for e in members.values()}


@settings(max_examples=60, deadline=None)
@given(GROUPINGS)
def test_ids_live_by_their_laws(versions: list[dict[int, int]]) -> None:
    index = Index()
    for number, now in enumerate(versions, 1):
        before, ever, seen = dict(index.members), set(index.ever), len(index.events)
        found = index.regroup(now, version=number)
        new = index.events[seen:]
        # records are together exactly where they were grouped, under one id; no id names two groups
        assert {frozenset(g) for g in groups(found).values()} == {frozenset(g) for g in groups(now).values()}
        # an id is of the version before, or never was used: what ended does not come back
        assert all(e in set(before.values()) or e not in ever for e in found.values())
        # a group that is the same keeps its id, and nothing happens to it
        same = {e for e, g in groups(before).items() if groups(found).get(e) == g}
        assert {e for e, g in groups(before).items() if g in groups(found).values()} == same
        assert not same & {e["entity_id"] for e in new}
        # what was absorbed is gone, and what it merged into is there
        gone = {e["entity_id"]: e["other_id"] for e in new if e["event"] == "absorbed"}
        assert not set(gone) & set(found.values())
        assert set(gone.values()) <= set(found.values())
        assert {(e["other_id"], e["entity_id"]) for e in new if e["event"] == "merged"} == set(gone.items())
        # a record's old id leads to its new one, unless its entity was split
        split = {e["entity_id"] for e in new if e["event"] == "split"}
        for record in before.keys() & found.keys():
            was, now_is = before[record], found[record]
            assert was in split or gone.get(was, was) == now_is


@settings(max_examples=30, deadline=None)
@given(GROUPINGS)
def test_what_nothing_unsettled_is_answered_by_succession_over_any_number_of_versions(
    versions: list[dict[int, int]],
) -> None:
    index = Index()
    every = [index.regroup({r: now.get(r, 5) for r in range(1, 10)}, version=n) for n, now in enumerate(versions, 1)]
    if not index.events:
        return
    kinds = {"entity_id": pa.int64(), "event": pa.string(), "other_id": pa.int64(), "version": pa.int32(),
             "recorded_at": pa.string()}  # fmt: skip
    events = pa.Table.from_pylist(index.events, schema=pa.schema(kinds))
    ENGINE.load("events", Held(events))
    line = {r["old_id"]: r["new_id"] for r in ENGINE.rows(life.succession_sql("events")).to_pylist()}
    for number, members in enumerate(every, 1):
        open_ = {r["entity_id"] for r in ENGINE.rows(life.unsettled_sql("events", number)).to_pylist()}
        for record, was in members.items():
            assert was in open_ or line.get(was, was) == every[-1][record]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.dictionaries(RECORDS, st.integers(1, 4), min_size=9, max_size=9))
def test_there_and_back_again_never_uses_an_id_twice(times: int, split: dict[int, int]) -> None:
    index, lived = Index(), [set()]
    for number in range(2 * times):
        now = split if number % 2 == 0 else dict.fromkeys(split, 1)
        lived.append(set(index.regroup(now, version=number).values()))
    for earlier in range(1, len(lived)):
        ended = lived[earlier - 1] - lived[earlier]
        assert not any(ended & later for later in lived[earlier:])
