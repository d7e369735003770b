"""Primary rules and ACRO's say the same of every cell, but where somebody in it adds nothing to its sum."""

import os

import pytest
from bench.acro import compared, drawn


def test_both_say_the_same_where_both_define_the_rule() -> None:
    python = os.environ.get("IDS_ACRO")
    if not python:
        pytest.skip("IDS_ACRO names no Python of an environment of its own")
    counts = compared(list(drawn(20)), python)
    assert {said for _, said in counts} <= {"agree", "by design"}
    assert {check for (check, said) in counts if said == "by design"} <= {"MinimumThresholdCheck", "PPercentCheck"}
    assert sum(counts.values()) > 500
