"""A law of weights that are learned from records: who is no less alike in anything never counts less."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.index.reference.weights import Aspect, Edges, Others, Rivals, learn, patterns, score, unlearned

ASPECTS = (
    Aspect("name", (0.6, 0.2, 0.15, 0.05), (1e-4, 1e-3, 1e-2, 0.99)),
    Aspect("place", (0.5, 0.3, 0.1, 0.1), (1e-4, 1e-4, 1e-3, 0.99)),
)
LEVELS = st.integers(0, 3)
PAIRS = st.tuples(st.integers(0, 4), st.integers(0, 6), LEVELS, LEVELS)
COUNTS = st.lists(st.integers(0, 100_000), min_size=4, max_size=4).map(tuple)
KINDS = st.lists(st.tuples(COUNTS, COUNTS, st.floats(0.0, 50.0)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(PAIRS, max_size=25), drawn=st.tuples(COUNTS, COUNTS), kinds=KINDS, one=st.booleans())
def test_no_candidate_loses_to_one_that_is_no_more_alike(
    pairs: list[tuple[int, ...]], drawn: tuple[tuple[int, ...], tuple[int, ...]],
    kinds: list[tuple[tuple[int, ...], tuple[int, ...], float]], one: bool,
) -> None:  # fmt: skip
    """Neighbours that the index shows to be alike in one way and not in another do not turn that round."""
    column = [np.array([pair[i] for pair in pairs], dtype=np.int64) for i in range(4)]
    rivals = tuple(Rivals({"name": name, "place": place}, expected) for name, place, expected in kinds)
    others = Others({"name": drawn[0], "place": drawn[1]}, rivals)
    edges = Edges(column[0], column[1], {"name": column[2], "place": column[3]})
    every = np.indices((4, 4)).reshape(2, -1).astype(np.int64)
    for weights in (
        learn(edges, ASPECTS, others=others, sizes=(5, 7), one_to_one=one),
        unlearned(ASPECTS, others=others, size=7),
    ):
        weight = score(weights, patterns({"name": every[0], "place": every[1]})).reshape(4, 4)
        assert (np.diff(weight, axis=0) <= 1e-9).all()
        assert (np.diff(weight, axis=1) <= 1e-9).all()
