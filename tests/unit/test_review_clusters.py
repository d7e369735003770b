"""Answers about clusters, and how weakly an entity hangs together, by drawn examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.index.quality import shown
from integrated_data.index.quality.clusters import bridges
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.review import groups_of, read_groups


@pytest.mark.parametrize(
    ("written", "read"),
    [("all", "all"), ("A", "all"), ("1,2,3,4", "all"), ("2", "1,3,4/2"), ("3, 2", "1,4/2,3"), ("2/3", "1,4/2/3"),
     ("4/1,3", "1,3/2/4"), ("u", "unsure")],
)  # fmt: skip
def test_an_answer_has_one_form(written: str, read: str) -> None:
    assert read_groups(written, records=4) == read


@pytest.mark.parametrize("written", ["5", "0", "2,2", "1/1", "none", "", "2//3", "1-3"])
def test_an_answer_that_names_no_record_is_refused(written: str) -> None:
    with pytest.raises(UsageRefusal, match="stand apart"):
        read_groups(written, records=4)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=9))
def test_an_answer_read_again_is_the_same_and_holds_every_record_once(label: list[int]) -> None:
    groups = [[i + 1 for i, g in enumerate(label) if g == each] for each in sorted(set(label))]
    read = read_groups("/".join(",".join(map(str, g)) for g in groups), records=len(label))
    assert read_groups(read, records=len(label)) == read
    assert sorted(n for g in groups_of(read, records=len(label)) for n in g) == list(range(1, len(label) + 1))
    assert {frozenset(g) for g in groups_of(read, records=len(label))} == {frozenset(g) for g in groups}


def test_the_weakest_of_the_best_pairs_that_join_an_entity() -> None:
    """Entity 7: three records, 0–1 surely, 2 weakly by its better pair; entity 8: nothing joins its records."""
    entity = np.array([7, 7, 7, 8, 8, 9, 9])
    low, high = np.array([0, 0, 1, 5]), np.array([1, 2, 2, 6])
    told = bridges(entity, low, high=high, weight=np.array([20.0, 1.0, 3.0, 0.0]))
    assert told.to_pylist() == [{"entity_id": 7, "bridge": 3.0}, {"entity_id": 9, "bridge": 0.0}]


def test_records_of_one_entity_side_by_side() -> None:
    said = [
        {"given_name": ("Ann",), "postcode": ("AB1 2CD",), "nhs_number": ()},
        {"given_name": ("Anna",), "postcode": (), "nhs_number": ("943 476 5919",)},
        {"given_name": ("ann",), "postcode": (), "nhs_number": ("9434765918",)},
    ]
    assert [(line.field, line.texts, line.differs) for line in shown.together(said)] == [
        ("given_name", ("Ann", "Anna", "ann"), (False, True, False)),
        ("nhs_number", ("", "held", "one character off"), (False, False, True)),
    ]
