"""The posterior of candidates: none of the index, ties, one-to-one, duplicates, thresholds."""

import numpy as np
import pytest

from integrated_data.index.matching import decide
from integrated_data.index.matching.decide import Competing, Edges
from integrated_data.index.matching.definition import Policy

NOTHING = Competing(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


def edges(*rows: tuple[int, int, float]) -> Edges:
    record, entity, weight = zip(*rows, strict=True)
    return Edges(np.array(record), np.array(entity), np.array(weight, dtype=np.float64))


def test_a_record_alone_is_its_odds_against_not_in_the_index() -> None:
    found = decide.posterior(edges((0, 0, 20.0)), sizes=(1, 1000), competing=NOTHING)
    assert found.probability[0] > 0.99
    weak = decide.posterior(edges((0, 0, 2.0)), sizes=(1, 1000), competing=NOTHING)
    assert weak.probability[0] < 0.1


def test_two_equal_candidates_share_the_probability() -> None:
    found = decide.posterior(edges((0, 0, 30.0), (0, 1, 30.0)), sizes=(1, 1000), competing=NOTHING)
    assert found.probability == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_huge_weight_does_not_drown_a_small_one() -> None:
    found = decide.posterior(edges((0, 0, 800.0), (0, 1, 3.0), (1, 1, 25.0)), sizes=(2, 1000), competing=NOTHING)
    assert found.probability[0] == pytest.approx(1.0)
    assert found.probability[1] < 1e-6
    assert found.probability[2] > 0.99


def test_one_to_one_gives_a_brother_nothing_where_the_person_is_there() -> None:
    # records 0 and 1 both look like entity 0; record 0 far more
    pairs = edges((0, 0, 40.0), (1, 0, 15.0))
    apart = decide.posterior(pairs, sizes=(2, 1000), competing=NOTHING).probability
    together = decide.posterior(pairs, sizes=(2, 1000)).probability
    assert apart[1] > 0.9
    assert together[1] < 0.01
    assert together[0] > 0.99


def test_duplicates_within_a_delivery_share_their_entity_and_others_do_not() -> None:
    pairs = edges((0, 0, 40.0), (1, 0, 38.0))
    for same, expected in ((1.0, 1.0), (0.0, 0.0)):
        competing = Competing(np.array([0, 1]), np.array([1, 0]), np.array([same, same]))
        found = decide.posterior(pairs, sizes=(2, 1000), competing=competing).probability
        assert found[1] == pytest.approx(expected, abs=0.3)


def test_where_most_entities_are_claimed_an_unclaimed_one_is_likelier() -> None:
    sure = [(i, i, 60.0) for i in range(19)]
    crowded = decide.posterior(edges(*sure, (19, 19, 4.0)), sizes=(20, 20)).probability[-1]
    roomy = decide.posterior(edges(*sure, (19, 19, 4.0 + np.log2(50))), sizes=(20, 1000)).probability[-1]
    assert crowded > roomy


def test_best_breaks_ties_by_weight_then_by_lower_entity() -> None:
    pairs = edges((0, 5, 1.0), (0, 3, 1.0), (1, 7, 1.0), (1, 2, 9.0))
    chosen = decide.best(pairs, np.array([0.5, 0.5, 0.4, 0.4]))
    assert pairs.entity[chosen].tolist() == [3, 2]


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([1.0] * 1000 + [0.8], 0.8),  # the expected error of all stays within one in a thousand
        ([1.0] * 100 + [0.8], 0.95),  # here it would not
        ([0.96, 0.97], 0.95),  # sure enough by itself
        ([0.5, 0.6], 0.95),
    ],
)
def test_threshold_follows_the_expected_error(probabilities: list[float], expected: float) -> None:
    assert decide.threshold(np.array(probabilities), Policy()) == pytest.approx(expected)


def test_the_rate_of_duplicates_is_found_from_the_pairs() -> None:
    weights = np.array([30.0] * 200 + [2.0] * 300)
    alike = decide.duplicates(weights, 1000)
    assert alike[:200].min() > 0.99
    assert alike[200:].max() < 0.01


def test_no_candidates_at_all() -> None:
    empty = Edges(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    assert len(decide.posterior(empty, sizes=(5, 10)).probability) == 0
