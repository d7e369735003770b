"""The attacker over several tables finds what trying every group of people finds, in small worlds.

A group is told where some weights of published cells come to nothing for everybody else: where leaving its
people out makes fewer of the cells independent. That is another method than the attacker's, and exact.
"""

from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from integrated_data.output.programs import NIL
from integrated_data.output.remembered import Remembered
from integrated_data.output.together import Joint, together
from tests.remembered import grouped, published

PEOPLE = 11
BELOW = 3

#: One table: of each person the cell, or none (0); and whether its total is shown.
TABLES = st.tuples(st.lists(st.integers(0, 3), min_size=PEOPLE, max_size=PEOPLE), st.booleans())
WORLDS = st.lists(TABLES, min_size=2, max_size=4)


def told(tables: Sequence[Remembered], people: int = PEOPLE) -> set[tuple[int, ...]]:
    """The groups of fewer people than the minimum that the tables tell of, each tried."""
    cells = published(tables, people=people)
    rank = np.linalg.matrix_rank(cells) if cells.size else 0
    groups = chain.from_iterable(combinations(range(people), n) for n in range(1, BELOW))
    return {g for g in groups if rank and np.linalg.matrix_rank(np.delete(cells, g, axis=1)) < rank}


def attacked(tables: Sequence[Remembered]) -> list[Joint]:
    """What the last table gives away with those before it."""
    named = [(f"O-{n}", table) for n, table in enumerate(tables)]
    return together(named[-1:], named[:-1], index="person", least=dict.fromkeys((name for name, _ in named), BELOW))


def narrow(joint: Joint) -> bool:
    """Whether a reader knows that somebody is there, and that they are too few, though not how many."""
    return joint.low is not None and joint.high is not None and joint.low > NIL and joint.high < BELOW


@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_what_the_attacker_finds_is_what_trying_every_group_finds(world: list[tuple[list[int], bool]]) -> None:
    tables = [grouped(cells, below=BELOW, total=total) for cells, total in world]
    assume(not told(tables[:-1]) and not any(told([table]) for table in tables))
    found = [joint for joint in attacked(tables) if joint.withheld is None]
    assert bool(found) == bool(told(tables)) or all(narrow(joint) for joint in found)
    for joint in found:
        assert len(joint.requests) > 1
        assert 0 < joint.people < BELOW


@settings(max_examples=40, deadline=None)
@given(WORLDS, st.randoms(use_true_random=False))
def test_in_whatever_order_they_are_asked_for_what_has_left_tells_of_nobody(
    world: list[tuple[list[int], bool]], dice: object
) -> None:
    tables = [grouped(cells, below=BELOW, total=total) for cells, total in world]
    tables = [table for table in tables if not told([table])]
    dice.shuffle(tables)  # type: ignore[attr-defined]
    left: list[Remembered] = []
    for table in tables:
        if not attacked([*left, table]):
            left.append(table)
    assert not told(left)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, PEOPLE - 1), min_size=3, max_size=PEOPLE - 4), st.tuples(*[st.integers(0, 1)] * 3))
def test_one_person_more_does_not_make_it_safe(half: set[int], newcomer: tuple[int, int, int]) -> None:
    """Everybody, one half, and the other half less one person; then somebody comes into any of them."""
    one, other = ([int((n in half) == side) for n in range(PEOPLE)] for side in (True, False))
    other[0] = 0
    cells = [[*told_of, new] for told_of, new in zip(([1] * PEOPLE, one, other), newcomer, strict=True)]
    (joint, *_) = attacked([grouped(each, below=BELOW) for each in cells])
    assert joint.requests == ("O-0", "O-1", "O-2")
    assert joint.people == 1 + (newcomer[0] != newcomer[1] + newcomer[2])
