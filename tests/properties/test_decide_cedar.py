"""The decision against Cedar, an independent policy engine, over random worlds; many more in `bench/decisions.py`."""

import random

from integrated_data.approve.decide import decide
from tests import cedar
from tests.worlds import AT, random_case

WORLDS = 2_500


def test_the_decision_agrees_with_cedar() -> None:
    dice = random.Random(20261122)
    differing, allowed = [], 0
    for _ in range(WORLDS):
        request, world = random_case(dice)
        ours = decide(request, world, at=AT).allowed
        allowed += ours
        if ours != cedar.allows(request, world):
            differing.append((request, world))
    assert not differing, differing[0]
    assert 0.15 < allowed / WORLDS < 0.85, "worlds must be allowed and refused often enough to say something"
