"""Reviewers: who is apart enough, what they say to each other and when, clocks; what is stopped, copied and revoked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data.control import lanes, projects
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import Person
from integrated_data.model.errors import OutputRefusal, RoleRefusal
from integrated_data.model.lane import Side
from integrated_data.model.output import OutputState, Vote
from integrated_data.model.people import Role
from integrated_data.output import apart, release, review
from integrated_data.site import lanes as laning
from integrated_data.site.acting import Acting
from tests.output_desk import DOUBTFUL, RITA, ROB, RUTH, SAFE, acting, desk, events, left, now, vote
from tests.output_world import AUTHOR, World


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    yield from desk(engine, store, tmp_path)


# -- who is apart


@pytest.mark.parametrize(
    ("linked", "name"),
    [((AUTHOR,), "Somebody"), ((), "ada"), ((), " ADA "), (("ada3",), "Somebody")],
    ids=["names the author", "same name", "same name otherwise written", "through a third record"],
)
def test_the_author_does_not_review_under_another_account(world: World, linked: tuple[str, ...], name: str) -> None:
    projects.add_person(world.store, Person(AUTHOR, "Ada", "University", roles=(Role.ANALYST,)), by="approver")
    projects.add_person(world.store, Person("ada3", "A. L.", "University", accounts=(AUTHOR,)), by="approver")
    other = Person("ada2", name, "Service", roles=(Role.OUTPUT_CHECKER,), accounts=linked)
    projects.add_person(world.store, other, by="approver")
    asked = now(world, world.checked(DOUBTFUL).request)
    with pytest.raises(OutputRefusal, match="under whatever account or role"):
        vote(world, asked, "ada2")
    [event] = events(world, "output.review_refused")
    assert (event.actor, event.subject) == ("ada2", f"output/{asked.id}")
    with pytest.raises(OutputRefusal, match="cannot see why"):
        review.look_at_withheld(world.store, request=asked.id, reviewer="ada2")


def test_an_author_who_became_an_output_checker_does_not_review(world: World) -> None:
    both = Person(AUTHOR, "Ada", "University", roles=(Role.ANALYST, Role.OUTPUT_CHECKER))
    projects.add_person(world.store, both, by="approver")
    asked = now(world, world.checked(DOUBTFUL).request)
    with pytest.raises(OutputRefusal, match="under whatever account or role"):
        vote(world, asked, AUTHOR)


def test_one_human_being_has_one_vote(world: World) -> None:
    again = Person("rita2", "R. Two", "Service", roles=(Role.OUTPUT_CHECKER,), accounts=(RITA,))
    projects.add_person(world.store, again, by="approver")
    asked = now(world, world.checked(DOUBTFUL).request)
    vote(world, asked, RITA)
    with pytest.raises(OutputRefusal, match="One human being has one vote"):
        vote(world, asked, "rita2")
    assert vote(world, asked, ROB).state is OutputState.APPROVED


def test_accounts_are_followed_both_ways() -> None:
    people = [Person("a", "A", "O", accounts=("b",)), Person("b", "B", "O"), Person("c", "C", "O", accounts=("b",))]
    assert apart.accounts(people, "a") == apart.accounts(people, "c") == {"a", "b", "c"}
    assert apart.accounts([Person("a", "", "O"), Person("b", "", "O")], "a") == {"a"}, "no name is nobody's"


# -- comments, clocks, early return, what is stopped


def test_a_reviewers_words_wait_for_the_votes(world: World) -> None:
    asked = now(world, world.checked(DOUBTFUL).request)
    review.comment(world.store, asked, person=RITA, side=Side.REVIEWER, text="Too fine?")
    review.comment(world.store, asked, person=AUTHOR, side=Side.AUTHOR, text="Counts are above 40")

    def read(person: str, *roles: Role) -> list[str]:
        who = acting(person, *roles)
        told = laning.told(world.store, laning.look(world.store, asked.id, acting=who), acting=who)
        return [c["text"] for c in told["comments"]]

    checker = Role.OUTPUT_CHECKER
    assert read(ROB, checker) == read(AUTHOR, Role.ANALYST) == ["Counts are above 40"]
    assert read(RITA, checker) == ["Too fine?", "Counts are above 40"]
    vote(world, asked, RITA)
    assert read(ROB, checker) == ["Counts are above 40"]
    vote(world, asked, ROB, Vote.REFUSE)
    assert read(RUTH, checker) == ["Too fine?", "Counts are above 40"], "a third reads both"
    assert read(AUTHOR, Role.ANALYST) == ["Counts are above 40"], "the author does not, before it is decided"
    vote(world, asked, RUTH)
    assert read(AUTHOR, Role.ANALYST) == ["Too fine?", "Counts are above 40"]
    assert all("Too fine" not in str(e.facts) for e in events(world, "output.commented"))


def test_nobody_speaks_for_reviewers_who_could_not_review(world: World) -> None:
    asked = now(world, world.checked(DOUBTFUL).request)
    with pytest.raises(OutputRefusal, match="as a reviewer"):
        review.comment(world.store, asked, person="ben", side=Side.REVIEWER, text="Fine")
    with pytest.raises(OutputRefusal, match="The comment is empty"):
        review.comment(world.store, asked, person=RITA, side=Side.REVIEWER, text=" ")
    with pytest.raises(OutputRefusal, match="fewer words"):
        review.comment(world.store, asked, person=RITA, side=Side.REVIEWER, text="a" * (review.LONGEST + 1))


def test_clocks_tell_how_long_it_was_in_each_state(world: World) -> None:
    asked = now(world, world.checked(DOUBTFUL).request)
    vote(world, asked, RITA)
    vote(world, asked, ROB, Vote.REFUSE)
    vote(world, asked, RUTH)
    with world.store.read() as connection:
        steps = lanes.steps(connection, asked.id)
    assert [s.state.value for s in steps] == ["requested", "in_review", "disputed", "approved"]
    assert [s.until for s in steps[:-1]] == [s.since for s in steps[1:]]


def test_the_list_says_when_a_review_is_due_and_whether_it_is_late(world: World) -> None:
    asked = now(world, world.checked(DOUBTFUL).request)
    vote(world, asked, RITA)
    vote(world, asked, ROB, Vote.REFUSE)
    disputed = now(world, asked.id)
    with world.store.read() as connection:
        [since] = [s.since for s in lanes.steps(connection, asked.id) if s.state is OutputState.IN_REVIEW]
    told = f"{review.due(since, days=5):%Y-%m-%d}"
    assert laning.due(world.store, [disputed, replace(asked, id="O-0", state=OutputState.RELEASED)]) == {asked.id: told}
    later = Store(world.store.engine, clock=lambda: since + timedelta(days=30))
    assert laning.due(later, [disputed]) == {asked.id: f"{told} late"}


@pytest.mark.parametrize(
    ("since", "days", "due"),
    [("2026-05-01", 1, "2026-05-04"), ("2026-05-04", 5, "2026-05-11"), ("2026-05-02", 1, "2026-05-04")],
)
def test_a_review_is_due_after_working_days(since: str, days: int, due: str) -> None:
    found = review.due(datetime.fromisoformat(since).replace(tzinfo=UTC), days=days)
    assert found.date() == date.fromisoformat(due)


def test_tampered_files_stop_the_request_on_record(world: World) -> None:
    asked = now(world, world.checked(SAFE).request)
    (world.folder / "requests" / asked.id / "package" / "table.csv").write_text("region,people\nN,1\n")
    with pytest.raises(OutputRefusal, match="not those that were checked"):
        release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert now(world, asked.id).state is OutputState.STOPPED
    [event] = events(world, "output.stopped")
    assert event.facts["sha256"] == asked.sha256
    again = world.check(world.ask(SAFE, again=asked.id))
    assert now(world, again.request).state is OutputState.RELEASABLE


def test_who_copied_a_release_is_known_when_it_is_revoked(world: World) -> None:
    gone = left(world)
    files = release.fetch(world.store, request=gone.id, actor="ben", folder=world.folder)
    assert "table.csv" in files
    release.revoke(world.store, request=gone.id, actor=RITA, reason="A key was wrong", folder=world.folder)
    with world.store.read() as connection:
        assert [who for who, _ in lanes.fetched(connection, gone.id)] == ["ben"]
    assert "A key was wrong" in (world.folder / "released" / gone.id / "REVOKED.txt").read_text()
    with pytest.raises(OutputRefusal, match="is revoked, not released"):
        release.fetch(world.store, request=gone.id, actor="ben", folder=world.folder)


def test_a_release_whose_files_changed_is_not_copied(world: World) -> None:
    gone = left(world)
    (world.folder / "released" / gone.id / "table.csv").write_text("region,people\n")
    with pytest.raises(OutputRefusal, match="not those that left"):
        release.fetch(world.store, request=gone.id, actor="ben", folder=world.folder)


def test_somebody_who_is_not_on_record_sees_no_request(world: World) -> None:
    asked = now(world, world.checked(DOUBTFUL).request)
    unknown, service = (Acting(who, None, production=False) for who in ("nobody-known", "system:desk"))
    with pytest.raises(RoleRefusal, match=r"not on record.*ids person"):
        laning.look(world.store, asked.id, acting=unknown)
    assert laning.look(world.store, asked.id, acting=service).request == asked
