"""How near a cell is to a union of an earlier table's cells: the same as trying every union, person by person."""

from itertools import chain, combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from integrated_data.output.differencing import Level, Membership, Near, near

PEOPLE = 24
BELOW = 4

#: Fewer than are asked for: then fewer cells are compared as small.
MARGIN = 2

#: One table: of each person the cell, or none (0); the country is read in three blocks.
TABLES = st.lists(st.integers(0, 4), min_size=PEOPLE, max_size=PEOPLE)


def membership(cells: list[int], *, few: int) -> Membership:
    codes = np.array(cells, np.uint32)
    sizes = np.bincount(codes, minlength=5)
    sizes[0] = 0
    level = Level(csr_array(np.eye(5, dtype=np.int64)[1:]), disjoint=True)
    kept = np.flatnonzero((codes > 0) & (sizes[codes] < few + MARGIN)).astype(np.uint32)
    return Membership(
        (level,), sizes, np.arange(5) > 0, lambda n: codes[8 * n : 8 * n + 8], 3, (kept, codes[kept]), few, MARGIN
    )


def by_hand(new: list[int], old: list[int]) -> dict[int, int]:
    """Of each cell, the fewest people it is apart from any union of the earlier cells."""
    unions = chain.from_iterable(combinations(range(1, 5), n) for n in range(5))
    held = [{p for p in range(PEOPLE) if old[p] in union} for union in unions]
    return {c: min(len({p for p in range(PEOPLE) if new[p] == c} ^ union) for union in held) for c in range(1, 5)}


@settings(max_examples=300, deadline=None)
@given(TABLES, TABLES, st.sampled_from([0, 3, 30]))
def test_the_nearest_union_is_that_of_all_unions(new: list[int], old: list[int], few: int) -> None:
    found, back = near(membership(new, few=few), membership(old, few=few), below=BELOW)
    assert {f.cell + 1: f.apart for f in back} == {c: n for c, n in by_hand(old, new).items() if n < BELOW}
    expected = {c: apart for c, apart in by_hand(new, old).items() if apart < BELOW}
    assert {f.cell + 1: f.apart for f in found} == expected
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
        Near(level=0, cell=1, other=0, union=(), apart=0),
        Near(level=0, cell=2, other=0, union=(2,), apart=0),
        Near(level=0, cell=3, other=0, union=(), apart=0),
    ]
