"""Intervals of stratified shares, of ratios, and of agreement, by worked cases."""

import pytest

from integrated_data.index.quality.intervals import (
    Cell,
    Estimate,
    collapsed,
    kappa,
    part_of_sum,
    stratified,
    wilson,
)

HUGE = 10**9


def test_one_large_stratum_is_wilsons_interval() -> None:
    found = stratified([Cell(HUGE, 100, 95)])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.8882, abs=1e-3), pytest.approx(0.9785, abs=1e-3))


def test_equal_strata_without_an_error_are_as_one() -> None:
    """Twelve strata of thirty, nothing wrong: near the limit of 360 at once, neither twelve times wider nor a point."""
    apart = stratified([Cell(HUGE, 30, 30)] * 12)
    together = stratified([Cell(12 * HUGE, 360, 360)])
    assert apart is not None
    assert together is not None
    assert apart.value == together.value == pytest.approx(1.0)
    assert 1.0 > together.low > apart.low > 0.97


def test_a_large_stratum_with_few_cases_keeps_its_doubt() -> None:
    found = stratified([Cell(9 * HUGE, 40, 40), Cell(HUGE, 400, 400)])
    assert found is not None
    assert found.low < 1 - 0.9 * (1 - wilson(1.0, 40)[0]) * 0.8


def test_what_was_looked_at_whole_has_no_error() -> None:
    found = stratified([Cell(20, 20, 17), Cell(5, 5, 5)])
    assert found is not None
    assert found.low == found.value == found.high == pytest.approx(22 / 25)
    assert (found.judged, found.of) == (25, 25)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([(10, 0, 0), (20, 4, 3)], [(30, 4, 3)]),
        ([(20, 4, 3), (10, 0, 0), (5, 2, 2)], [(30, 4, 3), (5, 2, 2)]),
        ([(10, 0, 0)], []),
    ],
)
def test_a_stratum_without_cases_joins_its_neighbour(
    cells: list[tuple[int, int, int]], expected: list[tuple[int, int, int]]
) -> None:
    assert collapsed([Cell(*c) for c in cells]) == [Cell(*c) for c in expected]


def test_a_part_of_a_sum_and_its_limits() -> None:
    found, missed = Estimate(0.98, 0.97, 0.99, 300, 9_000), Estimate(0.02, 0.01, 0.04, 400, 10_000)
    value, low, high = part_of_sum(found, missed)
    assert value == pytest.approx(8820 / 9020)
    assert 0.95 < low < value < high < 0.99


def test_nothing_missed_still_has_a_lower_limit() -> None:
    value, low, high = part_of_sum(Estimate(1.0, 0.99, 1.0, 300, 9_000), Estimate(0.0, 0.0, 0.01, 400, 10_000))
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(9_000 / 9_100, abs=2e-3)


def test_kappa_of_a_worked_table() -> None:
    """Cohen (1960): 20 + 15 of 50 agree, chance 0.5."""
    both = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    found = kappa(both, groups=both)
    assert found is not None
    assert (found["agreement"], found["kappa"]) == (0.7, pytest.approx(0.4))
    assert found["low"] < 0.4 < found["high"]


def test_full_agreement_is_no_certainty() -> None:
    both = [("1", "1"), ("none", "none")] * 10
    found = kappa(both, groups=[("a match", "a match"), ("none", "none")] * 10)
    assert found is not None
    assert found["kappa"] == 1.0
    assert 0.5 < found["low"] < 0.9
    assert kappa([], groups=[]) is None
