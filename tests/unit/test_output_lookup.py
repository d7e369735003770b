"""Where keys stand among sorted ones, beside a search by halves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.output.lookup import places

ANY = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30)


@settings(max_examples=60, deadline=None)
@given(held=st.sets(ANY, max_size=40), others=st.lists(ANY, max_size=20))
def test_each_key_is_found_where_it_stands_and_no_other_is(held: set[int], others: list[int]) -> None:
    ordered = np.array(sorted(held), np.int64)
    keys = np.array([*others, *held], np.int64)
    expected = [int(np.searchsorted(ordered, key)) if int(key) in held else -1 for key in keys]
    assert places(ordered, keys).tolist() == expected


@pytest.mark.parametrize("spread", [1, 7_919, 2**40])
def test_keys_that_lie_close_together_are_found_too(spread: int) -> None:
    ordered = np.concatenate([[-(2**62)], np.arange(5_000) * spread + 2**61]).astype(np.int64)
    keys = np.random.default_rng(1).permutation(ordered)
    assert np.array_equal(ordered[places(ordered, keys)], keys)
    assert not np.any(places(ordered, keys + 1) >= 0) or spread == 1
