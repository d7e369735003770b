"""Clerical review on record: who gets which case, what an answer does, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.control import reviews, tables
from integrated_data.control.reviews import NewCase, Reply
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.errors import IndexRefusal, UsageRefusal
from integrated_data.model.review import CaseState, read_answer, same, standing

ABOUT = {
    "kind": "links", "index": "demographic", "dataset": "census", "delivery": "d1", "index_version": 1,
    "place": "reviews/d1", "body": {"seed": 1},
}  # fmt: skip


class Clock:
    """A moment that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    control = sqlite(tmp_path / "control.sqlite")
    tables.METADATA.create_all(control)
    made = Store(control, clock=clock)
    reviews.add_set(made, ABOUT, cases=[NewCase(1, 2, True), NewCase(2, 1, False), NewCase(3, 0, False)], by="lead")
    return made


def answer(store: Store, person: str, written: str, *, reason: str | None = "sample of the census") -> str:
    case = reviews.take(store, person, reason=reason)
    assert case is not None
    return f"{case.id} {reviews.decide(store, Reply(case.id, written, person)).state}"


def test_one_person_decides_a_case_two_decide_one_that_is_coded_twice(store: Store) -> None:
    assert answer(store, "ann", "1") == "R1-1 open"
    assert answer(store, "ann", "none") == "R1-2 decided"
    assert reviews.take(store, "ann") is None
    assert answer(store, "ben", "1") == "R1-1 decided"
    with store.read() as connection:
        assert [(c["state"], c["answer"]) for c in reviews.cases(connection, "R1")] == [
            ("decided", "1"), ("decided", "none"), ("decided", "none"),
        ]  # fmt: skip


def test_two_who_differ_send_the_case_to_a_third_person(store: Store) -> None:
    answer(store, "ann", "1")
    assert answer(store, "ben", "2") == "R1-1 disputed"
    answer(store, "ann", "unsure")
    third = reviews.take(store, "cem", reason="third opinion")
    assert third is not None
    assert third.id == "R1-1"
    assert reviews.decide(store, Reply("R1-1", "2", "cem")).answer == "2"


def test_a_case_is_shown_to_one_person_at_a_time_and_passed_on_when_left_lying(store: Store, clock: Clock) -> None:
    first, other = reviews.take(store, "ann", reason="r"), reviews.take(store, "ben", reason="r")
    assert first is not None
    assert other is not None
    assert (first.id, other.id) == ("R1-1", "R1-2")
    assert reviews.take(store, "ann") == first
    assert reviews.take(store, "cem", reason="r") is None
    clock.at += timedelta(minutes=30)
    assert reviews.take(store, "cem", reason="r") == first
    with pytest.raises(IndexRefusal, match="was not shown to ann, or was passed on"):
        reviews.decide(store, Reply("R1-1", "1", "ann"))


def test_a_reason_is_stated_once_a_session_and_every_look_is_on_record(store: Store, clock: Clock) -> None:
    with pytest.raises(IndexRefusal, match="No reason was given"):
        reviews.take(store, "ann")
    with pytest.raises(IndexRefusal, match="No reason was given"):
        reviews.take(store, "ann", reason="  ")
    reviews.take(store, "ann", reason="sample of the census")
    reviews.take(store, "ann")
    clock.at += timedelta(hours=9)
    with pytest.raises(IndexRefusal, match="No reason was given"):
        reviews.take(store, "ann")
    with store.read() as connection:
        looks = [r for r in records(connection) if r.action == "review.shown"]
    assert [(r.actor, r.facts["case"], r.facts["records"], r.facts["reason"]) for r in looks] == [
        ("ann", "R1-1", 3, "sample of the census")
    ] * 2


def test_an_answer_that_contradicts_another_is_refused_and_the_earlier_one_is_named(store: Store) -> None:
    answer(store, "ann", "1")
    with pytest.raises(IndexRefusal, match=r"contradicts the one ann gave about case R1-1 on 2026-06-01: 1"):
        reviews.decide(store, Reply("R1-1", "none", "ann"))
    answer(store, "ben", "1")
    with pytest.raises(IndexRefusal, match=r"R1-1 is decided already, by ann, ben"):
        reviews.decide(store, Reply("R1-1", "none", "cem"))
    with store.read() as connection:
        assert len(reviews.answers(connection, "R1")) == 2


def test_a_rule_that_follows_from_a_decision_can_refuse_it_as_a_whole(store: Store) -> None:
    def never(*_: object, **__: object) -> None:
        raise IndexRefusal("Decision 4 says otherwise")

    reviews.take(store, "ann", reason="r", known="R1")
    reviews.decide(store, Reply("R1-1", "1", "ann"), settle=never)  # not decided yet: nothing to settle
    reviews.take(store, "ann")
    with pytest.raises(IndexRefusal, match="Decision 4"):
        reviews.decide(store, Reply("R1-2", "1", "ann"), settle=never)
    with store.read() as connection:
        assert len(reviews.answers(connection, "R1")) == 1


def test_the_same_sample_is_not_drawn_twice(store: Store) -> None:
    assert reviews.add_set(store, ABOUT, cases=[NewCase(1, 1, False)], by="lead") == "R1"
    with store.read() as connection:
        assert [(s["id"], s["states"]) for s in reviews.sets(connection)] == [("R1", {"open": 2, "decided": 1})]


@pytest.mark.parametrize("case", ["R9-1", "R1-99", "R1", "R1-x", ""])
def test_a_case_that_is_not_there(store: Store, case: str) -> None:
    with pytest.raises(IndexRefusal):
        reviews.decide(store, Reply(case, "1", "ann"))


@pytest.mark.parametrize(
    ("written", "read"), [(" 2, 1", "1,2"), ("1", "1"), ("N", "none"), ("0", "none"), ("u", "unsure")]
)
def test_an_answer_in_one_form(written: str, read: str) -> None:
    assert read_answer(written, others=2) == read


@pytest.mark.parametrize("written", ["3", "1;2", "", "same", "1,,2"])
def test_an_answer_that_names_no_record(written: str) -> None:
    with pytest.raises(UsageRefusal):
        read_answer(written, others=2)


@given(st.lists(st.sampled_from(["1", "2", "1,2", "none", "unsure"]), max_size=3), st.booleans())
def test_a_case_is_decided_by_an_answer_that_somebody_gave(answers: list[str], double: bool) -> None:
    found = standing(answers, double=double)
    assert (found.answer is not None) == (found.state is CaseState.DECIDED)
    if found.answer is not None:
        assert found.answer in answers
        assert found.answer != "unsure"
        assert set(same(found.answer)) <= {1, 2}
    assert len(answers) < 3 or found.state in (CaseState.DECIDED, CaseState.UNDECIDED)
