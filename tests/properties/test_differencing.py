"""How near a cell is to a union of an earlier table's cells: the same as trying every union, person by person."""

from itertools import chain, combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from integrated_data.output.differencing import Level, Membership, Near, near, stacked
from integrated_data.output.prints import WORD, apart, drawn, whose

PEOPLE = 24
BELOW = 4

#: Fewer than are asked for: then fewer cells are compared as small.
MARGIN = 2

#: A number for each person.
DRAWN = drawn(np.arange(PEOPLE))

#: One table: of each person the cell, or none (0); the country is read in three blocks.
TABLES = st.lists(st.integers(0, 4), min_size=PEOPLE, max_size=PEOPLE)


def membership(of: list[int], *, few: int) -> Membership:
    codes = np.array(of, np.uint32)
    sizes = np.bincount(codes, minlength=5)
    sizes[0] = 0
    cells, where = stacked([Level(csr_array(np.eye(5, dtype=np.int64)[1:]), disjoint=True)], classes=5)
    prints = np.array([DRAWN[np.array(of) == c].sum() for c in range(1, 5)])
    kept = np.flatnonzero((codes > 0) & (sizes[codes] < few + MARGIN)).astype(np.uint32)
    return Membership(
        cells.indices, cells.indptr, where, (True,), sizes, np.arange(5) > 0,
        lambda n: codes[8 * n : 8 * n + 8], 3, PEOPLE, (kept, codes[kept]), few, MARGIN, lambda: prints,
    )  # fmt: skip


def by_hand(new: list[int], old: list[int]) -> dict[int, int]:
    """Of each cell of which some part is in it, the fewest people it is apart from any union of the earlier cells."""
    unions = chain.from_iterable(combinations(range(1, 5), n) for n in range(5))
    held = [{p for p in range(PEOPLE) if old[p] in union} for union in unions]
    mine = {c: {p for p in range(PEOPLE) if new[p] == c} for c in range(1, 5)}
    nearest = {c: min(len(people ^ union) for union in held) for c, people in mine.items()}
    return {c: apart for c, apart in nearest.items() if apart < len(mine[c])}


@settings(max_examples=300, deadline=None)
@given(TABLES, TABLES, st.sampled_from([0, 3, 30]))
def test_the_nearest_union_is_that_of_all_unions(new: list[int], old: list[int], few: int) -> None:
    found, back = near(membership(new, few=few), membership(old, few=few), below=BELOW)
    for side, nearest in ((back, by_hand(old, new)), (found, by_hand(new, old))):
        apart = {f.cell + 1: f.apart for f in side}
        assert apart.keys() >= {cell for cell, people in nearest.items() if people < BELOW}
        assert all(nearest.get(cell, 1) in {people, 0} for cell, people in apart.items())
        # one apart is told before it is known whether a cell of one person makes it none
    for f in found:
        mine = {p for p in range(PEOPLE) if new[p] == f.cell + 1}
        assert len(mine ^ {p for p in range(PEOPLE) if old[p] - 1 in f.union}) == f.apart


def test_one_person_more_is_one_apart() -> None:
    #        a a a a a a b b b b b b c c c c c c
    before = [1] * 6 + [2] * 6 + [3] * 6 + [0] * 6
    after = [1] * 12 + [3] * 6 + [1] + [0] * 5
    found, _ = near(membership(after, few=0), membership(before, few=0), below=BELOW)
    assert found == [
        Near(level=0, cell=0, other=0, union=(0, 1), apart=1),
        Near(level=0, cell=2, other=0, union=(2,), apart=0),
    ]


@given(st.integers(0, 2**32 - 1))
def test_a_number_leads_back_to_whom_it_was_drawn_for(person: int) -> None:
    assert whose(int(drawn(np.array([person]))[0])) == person


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_sums_tell_none_or_one_apart(one: set[int], other: set[int]) -> None:
    sums = [int(drawn(np.array(sorted(group), np.int64)).sum(dtype=np.uint64)) % WORD for group in (one, other)]
    different = len(one ^ other)
    assert apart(*sums, people=51) == (different if different < 2 else None)
