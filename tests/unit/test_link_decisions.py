"""Decisions of people: what contradicts what, and how they bind the grouping of an index."""

from pathlib import Path

import pytest

from integrated_data.control import decisions
from integrated_data.control.decisions import Side
from integrated_data.control.store import Store, records
from integrated_data.index.decisions import Ruling, broken, grouped
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LinkDecision
from integrated_data.site.rulings import rulings, seal, unseal
from integrated_data.vault import Vault

MUST, CANNOT = LinkDecision.MUST, LinkDecision.CANNOT


def decide(store: Store, picture: str) -> int:
    """`a = b` or `a # b`, decided on the business index."""
    left, kind, right = picture.split()
    sides = (Side("s", left), Side("s", right))
    return decisions.decide(store, "business", kind=MUST if kind == "=" else CANNOT, sides=sides, by="kim", reason="r")


@pytest.mark.parametrize(
    ("earlier", "then", "named"),
    [
        (["a = b"], "a # b", "decision 1."),
        (["a # b"], "b = a", "decision 1."),
        (["a = b", "b = c"], "c # a", "decisions 1, 2."),
        (["a = b", "x # y", "b # c"], "a = c", "decisions 1, 3."),
        (["a = b", "c = d", "b # d"], "a = c", "decisions 1, 2, 3."),
        ([], "a = a", "Both sides"),
    ],
)
def test_a_contradiction_is_refused_and_names_the_decisions_it_contradicts(
    store: Store, earlier: list[str], then: str, named: str
) -> None:
    for picture in earlier:
        decide(store, picture)
    with pytest.raises(IndexRefusal) as refused:
        decide(store, then)
    assert named in str(refused.value)
    with store.read() as connection:
        assert len(decisions.of_index(connection, "business")) == len(earlier)


def test_what_does_not_contradict_is_taken_and_the_same_again_is_the_same(store: Store) -> None:
    assert [decide(store, p) for p in ("a = b", "b # c", "d # a", "c = d", "b = a")] == [1, 2, 3, 4, 1]
    with store.read() as connection:
        assert [r.action for r in records(connection)] == ["link.decided"] * 4


def test_a_withdrawn_decision_binds_no_longer(store: Store) -> None:
    decide(store, "a = b")
    decisions.withdraw(store, "business", number=1, by="kim", reason="two shops of one name")
    assert decide(store, "a # b") == 2
    with pytest.raises(IndexRefusal, match="no decision 1"):
        decisions.withdraw(store, "business", number=1, by="kim", reason="again")


def test_a_decision_needs_a_reason(store: Store) -> None:
    with pytest.raises(IndexRefusal, match="reason"):
        decisions.decide(store, "business", kind=MUST, sides=(Side("s", "a"), Side("s", "b")), by="kim", reason=" ")


def test_record_ids_stand_sealed_in_the_store_and_are_opened_for_the_index(store: Store, tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "keyring")
    sides = tuple(Side("register", seal(vault, i)) for i in ("9434765919", "B2"))
    decisions.decide(store, "business", kind=CANNOT, sides=(sides[0], sides[1]), by="kim", reason="r")
    with store.read() as connection:
        kept = decisions.of_index(connection, "business")[0]
    assert "9434765919" not in kept.left.record
    assert seal(vault, "9434765919") == kept.left.record
    assert unseal(vault, kept.right.record) == "B2"
    assert rulings(vault, store, index="business").to_pylist() == [
        {"number": 1, "kind": "cannot", "left_source": "register", "left_record": "9434765919",
         "right_source": "register", "right_record": "B2"}]  # fmt: skip
    assert rulings(vault, store, index="address").num_rows == 0


GROUPINGS = [
    ("must joins two entities, with all their records", "1: a b | 2: c", ["a = c"], "a b c"),
    ("cannot makes the right one leave", "1: a b c", ["a # b"], "a c | b"),
    ("what must be together leaves together", "1: a b c d", ["b = c", "a # b"], "a d | b c"),
    ("two that cannot be with the first may be together", "1: a b c", ["a # b", "a # c"], "a | b c"),
    ("three that cannot be together are three", "1: a b c", ["a # b", "a # c", "b # c"], "a | b | c"),
    ("joined entities keep apart who must be apart", "1: a b | 2: c d", ["a = c", "a # d"], "a b c | d"),
    ("entities that are as decided are left alone", "1: a b | 2: c", ["a = b", "a # c"], None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "said", "after"), GROUPINGS, ids=[g[0] for g in GROUPINGS])
def test_decisions_bind_the_grouping(what: str, before: str, said: list[str], after: str | None) -> None:
    entity = {r: int(e) for e, rs in (p.split(":") for p in before.split("|")) for r in rs.split()}
    found = [
        Ruling(n, MUST if kind == "=" else CANNOT, ("s", a), ("s", b), (entity[a], entity[b]))
        for n, (a, kind, b) in enumerate((s.split() for s in said), 1)
    ]
    wrong = broken(found)
    assert bool(wrong) == (after is not None)
    if after is None:
        return
    groups = grouped({("s", r): e for r, e in entity.items() if e in wrong}, found)
    made: dict[int, set[str]] = {}
    for (_, record), group in groups.items():
        made.setdefault(group, set()).add(record)
    assert sorted(map(sorted, made.values())) == sorted(sorted(g.split()) for g in after.split("|"))
