"""Laws of decisions on links: what stands never contradicts itself, and grouping obeys it."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.control.decisions import Decided, Side, path
from integrated_data.index.decisions import Ruling, broken, grouped
from integrated_data.model.linkage import LinkDecision

MUST, CANNOT = LinkDecision.MUST, LinkDecision.CANNOT
RECORDS = st.sampled_from("abcdefgh")
DECISIONS = st.lists(st.tuples(RECORDS, st.sampled_from([MUST, CANNOT]), RECORDS), max_size=10)
ENTITIES = st.fixed_dictionaries({r: st.integers(1, 4) for r in "abcdefgh"})


def standing(wanted: list[tuple[str, LinkDecision, str]]) -> list[Decided]:
    """Those of the decisions that contradict none before them."""
    taken: list[Decided] = []
    for left, kind, right in wanted:
        new = Decided(len(taken) + 1, "i", kind, Side("s", left), Side("s", right), "kim", "r", "")
        joined = [*taken, new]
        apart = [d for d in joined if d.kind is CANNOT]
        if left != right and all(path(joined, d.left.node, to=d.right.node) is None for d in apart):
            taken.append(new)
    return taken


@settings(max_examples=300, deadline=None)
@given(DECISIONS, ENTITIES)
def test_grouping_obeys_every_decision_that_stands(
    wanted: list[tuple[str, LinkDecision, str]], entities: dict[str, int]
) -> None:
    taken = standing(wanted)
    found = [
        Ruling(d.number, d.kind, ("s", d.left.record), ("s", d.right.record),
               (entities[d.left.record], entities[d.right.record]))
        for d in taken
    ]  # fmt: skip
    wrong = broken(found)
    group: dict[str, object] = {
        r: g for (_, r), g in grouped({("s", r): e for r, e in entities.items() if e in wrong}, found).items()
    }
    whole = {r: group.get(r, ("as before", e)) for r, e in entities.items()}
    for d in taken:
        assert (whole[d.left.record] == whole[d.right.record]) == (d.kind is MUST)
    # nobody is parted whom no decision parts, and nobody joined whom none joins
    for a, b in combinations(entities, 2):
        if entities[a] == entities[b] and not any(d.kind is CANNOT for d in taken):
            assert whole[a] == whole[b]
        if entities[a] != entities[b] and not any(d.kind is MUST for d in taken):
            assert whole[a] != whole[b]
    # once grouped, nothing is left to do
    again = {r: i for i, r in enumerate(dict.fromkeys(map(str, whole.values())))}
    settled = [
        Ruling(f.number, f.kind, f.left, f.right, (again[str(whole[f.left[1]])], again[str(whole[f.right[1]])]))
        for f in found
    ]
    assert not broken(settled)
