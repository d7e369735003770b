"""Whether records of one delivery may share an entity is learned from the delivery: pictures of the assignment."""

import numpy as np
import pytest

from integrated_data.index.reference.assign import Assigned, Side, assign


def assigned(edges: list[tuple[int, int, float]], *, sizes: tuple[int, int], one_to_one: bool = False) -> Assigned:
    """Edges as (record, entity, weight in log2)."""
    records, entities, weight = (np.array(column) for column in zip(*edges, strict=True))
    return assign(records, entities, weight=weight.astype(float), sizes=sizes, one_to_one=one_to_one)


def register(newcomers: int) -> list[tuple[int, int, float]]:
    """A hundred units found for certain, and newcomers who each resemble one of them a little."""
    found = [(i, i, 40.0) for i in range(100)]
    return found + [(100 + i, i, 5.0) for i in range(newcomers)]


def pay(spellings: int) -> list[tuple[int, int, float]]:
    """Ten employers, each named by many records, some of them spelled badly."""
    return [(i, i % 10, 40.0 if i >= spellings else 10.0) for i in range(200)]


def test_a_register_that_lists_units_once_keeps_newcomers_out() -> None:
    found = assigned(register(20), sizes=(120, 120))
    assert found.sharing < 0.5
    assert found.probability[:100].min() > 0.99
    assert found.probability[100:].max() < 0.5


def test_a_pay_file_that_names_employers_often_lets_bad_spellings_in() -> None:
    found = assigned(pay(20), sizes=(200, 100))
    assert found.sharing > 0.9
    assert found.probability.min() > 0.9


def test_true_duplicates_in_a_register_are_let_in_by_evidence() -> None:
    twice = [*register(0), (100, 0, 40.0)]
    found = assigned(twice, sizes=(101, 100))
    assert found.sharing < 0.1
    assert found.probability[100] > 0.99


def test_one_to_one_shares_nothing() -> None:
    found = assigned(pay(0), sizes=(200, 100), one_to_one=True)
    assert found.sharing == 0.0
    assert found.probability.max() < 0.9


def test_no_candidates_give_no_probabilities() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert len(assign(nothing, nothing, weight=np.zeros(0), sizes=(5, 5), one_to_one=False).probability) == 0


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [1e300, 1.0, 1.0], [5.0, 5.0, 0.0]])
def test_the_sum_over_others_is_exact_beside_a_huge_value(values: list[float]) -> None:
    side = Side.of(np.zeros(3, dtype=np.int64))
    expected = [sum(v for j, v in enumerate(values) if j != i) for i in range(3)]
    assert side.others(np.array(values)).tolist() == expected
