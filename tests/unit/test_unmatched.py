"""What of an unmatched delivery can be told apart, and which groups of a source continue provisional entities."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import promote
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.registry import SEATS
from integrated_data.index.seat import Addition, Matching, Tools
from tests.drawn import drawn


class Untrained:
    """A trainer that has learnt nothing: what the definition assumes stays."""

    def train(self, task: Task) -> Estimates:  # noqa: ARG002 - the protocol's shape
        return Estimates({}, {})


PEOPLE = """
    record_id | given_name | family_name | date_of_birth | nhs_number | national_insurance_number | postcode
    known     | Ann        | Lee         | 1984-09-07    | .          | .                         | AB1 2CD
"""
FIRMS = """
    record_id | organisation_name | organisation_reference | company_number | address     | postcode
    known     | Acme Bolts Ltd    | 120/A1                 | 00000001       | 1 Mill Lane | LS1 1AA
"""
ADDRESSES = """
    record_id | uprn | address                     | postcode
    known     | 1001 | 12 High Street, Otley       | LS21 1AA
"""


@pytest.mark.parametrize(
    ("index", "known", "delivered", "enough"),
    [
        ("demographic", PEOPLE, """
            record_id | given_name | family_name | date_of_birth | nhs_number | national_insurance_number | postcode
            known     | Ann        | Lee         | 1984-09-07    | .          | .                         | AB1 2CD
            named     | Bo         | Ek          | 1950-01-02    | .          | .                         | .
            undated   | Cy         | Fry         | .             | .          | .                         | AB9 9ZZ
            numbered  | .          | .           | .             | 4000000000 | .                         | .
            insured   | .          | .           | .             | .          | AB123456C                 | .
            dated     | .          | .           | 1951-02-03    | .          | .                         | AB9 9ZZ
            nothing   | .          | .           | .             | .          | .                         | .
        """, ["insured", "known", "named", "numbered"]),
        ("business", FIRMS, """
            record_id | organisation_name | organisation_reference | company_number | address      | postcode
            name      | Zebra Logistics   | .                      | .              | .            | .
            placed    | Zebra Logistics   | .                      | .              | .            | LU2 9LY
            somewhere | Yak Freight       | .                      | .              | 9 Quay Road  | .
            office    | .                 | 999/Z9                 | .              | .            | .
            company   | .                 | .                      | 09999999       | .            | .
            place     | .                 | .                      | .              | 9 Quay Road  | LU2 9LY
        """, ["company", "office", "placed", "somewhere"]),
        ("address", ADDRESSES, """
            record_id | uprn | address                          | postcode
            house     | .    | 77 Quay Road                     | TR1 2AB
            listed    | 9999 | .                                | .
            street    | .    | Quay Road, Truro                 | TR1 2AB
            code      | .    | .                                | TR1 2AB
        """, ["house", "listed"]),
    ],
)  # fmt: skip
def test_what_says_enough_to_be_told_apart(
    engine: DuckDB, tmp_path: Path, index: str, known: str, delivered: str, enough: Sequence[str]
) -> None:
    seat, tools = SEATS.of(index), Tools(engine, Untrained())
    engine.load("listed", Held(drawn(known)))
    seat.add(tools, Addition("list", "listed", "2024-01-01T00:00:00Z"), previous=None, folder=tmp_path / "1")
    engine.load("asked", Held(drawn(delivered)))
    seat.match(tools, Matching("asked", "links", telling="telling"), folder=tmp_path / "1")
    assert sorted(engine.rows("SELECT record_id FROM telling")["record_id"].to_pylist()) == list(enough)


def test_only_real_things_have_provisional_entities() -> None:
    made = {name for name, seat in SEATS.items() if seat.definition.provisional}
    assert made == {"demographic", "business", "address"}


def pairs(text: str, *columns: str) -> Held:
    """`a1 b2` as rows (a, 1), (b, 2)."""
    rows = [(word[0], int(word[1:])) for word in text.split()]
    return Held(pa.table({
        columns[0]: pa.array([r for r, _ in rows], pa.string()), columns[1]: pa.array([n for _, n in rows], pa.int64())
    }))  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "met", "promoted", "members", "absorbed"),
    [
        ("a1", "a77", {1: 77}, "a77", {}),
        ("a1 b2", "a77 b88", {1: 77, 2: 88}, "a77 b88", {}),
        ("a1 b1 c1", "a77 b77 c88", {1: 77}, "a77 b77 c77", {88: 77}),  # two that are one person
        ("a1 b1 c2", "a77 b77 c77", {1: 77}, "a77 b77 c9", {}),  # one person goes on once
        ("a1", "", {}, "a9", {}),
        ("", "a77", {}, "a5", {77: 5}),  # an entity of the index already
        ("b1", "a77 b88", {1: 88}, "a5 b88", {77: 5}),
    ],
)
def test_who_goes_on_and_who_is_absorbed(
    engine: DuckDB, groups: str, met: str, promoted: dict[int, int], members: str, absorbed: dict[int, int]
) -> None:
    engine.load("groups", pairs(groups, "record_id", "grp"))
    engine.load("met", pairs(met, "record_id", "entity_id"))
    engine.load("members", pairs(members, "record_id", "entity_id"))
    promote.promote(engine, groups="groups", met="met", out="promoted")
    promote.absorb(engine, members="members", met="met", out="absorbed")
    assert {r["grp"]: r["entity_id"] for r in engine.rows("SELECT * FROM promoted").to_pylist()} == promoted
    assert {r["entity_id"]: r["other_id"] for r in engine.rows("SELECT * FROM absorbed").to_pylist()} == absorbed
    turns = engine.rows(f"SELECT event, entity_id, other_id FROM ({promote.turns_sql('absorbed')})").to_pylist()
    expected = [t for gone, other in absorbed.items() for t in (("absorbed", gone, other), ("merged", other, gone))]
    assert sorted((t["event"], t["entity_id"], t["other_id"]) for t in turns) == sorted(expected)
