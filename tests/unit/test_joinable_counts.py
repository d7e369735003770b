"""Counts of shared entities are told roughly, alike whichever dataset is named first, and never where they are few."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as some

from integrated_data.publish.joinable import BASE, told

KEY = b"k" * 32
MINIMA = some.sampled_from([10, 12, 50, 60, 700])


@settings(max_examples=150, deadline=None)
@given(count=some.integers(0, 5_000), minimum=MINIMA, key=some.binary(min_size=32, max_size=32))
def test_what_is_told_is_near_and_never_of_few(count: int, minimum: int, key: bytes) -> None:
    about, base = told(count, minimum=minimum, key=key, index="person", datasets=("pay", "census"))
    assert base >= BASE
    assert base >= 2 * minimum
    assert (about, base) == told(count, minimum=minimum, key=key, index="person", datasets=("census", "pay"))
    if about is None:
        assert count < base
    else:
        assert count >= minimum
        assert about % base == 0
        assert abs(about - count) < base
        assert (told(count + 1, minimum=minimum, key=key, index="person", datasets=("pay", "census"))[0] or 0) >= about


def test_nobody_knows_where_the_next_figure_begins() -> None:
    """The count at which a figure moves is another for each pair: one that moves tells of no exact count."""
    moves = set()
    for number in range(40):
        pair = ("census", f"pay_{number}")
        figures = [told(n, minimum=10, key=KEY, index="person", datasets=pair)[0] for n in range(1_000, 1_101)]
        moves |= {n for n, (one, other) in enumerate(pairwise(figures)) if one != other}
    assert len(moves) > 20
