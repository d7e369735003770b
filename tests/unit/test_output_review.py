"""From a doubtful request to two votes, and from files that were read to the files that leave."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.audit import chain
from integrated_data.control import outputs, projects
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import Person
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Ask, Lane, OutputRequest, OutputState, Vote
from integrated_data.model.people import Role
from integrated_data.output import release, request, review, states
from tests.output_desk import DOUBTFUL, RITA, ROB, RUTH, SAFE, desk, now, vote
from tests.output_world import AUTHOR, World


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    yield from desk(engine, store, tmp_path)


def doubtful(world: World) -> OutputRequest:
    return now(world, world.checked(DOUBTFUL).request)


def events(world: World) -> list[chain.Record]:
    with world.store.read() as connection:
        return list(records(connection))


def test_two_reviewers_approve(world: World) -> None:
    asked = doubtful(world)
    assert vote(world, asked, RITA).state is OutputState.IN_REVIEW
    assert vote(world, asked, ROB).state is OutputState.APPROVED
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert (place / "table.csv").read_text().split() == ["region,spread", "N,4.93391", "S,50.2519"]
    assert json.loads((place / "record.json").read_text())["lane"] == "review"


def test_two_reviewers_refuse(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA, Vote.REFUSE)
    assert vote(world, asked, ROB, Vote.REFUSE).state is OutputState.REFUSED
    with pytest.raises(OutputRefusal, match="is refused and cannot become released"):
        release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)


def test_a_split_waits_for_a_third(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA)
    assert vote(world, asked, ROB, Vote.REFUSE).state is OutputState.DISPUTED
    assert vote(world, asked, RUTH).state is OutputState.APPROVED


def test_one_vote_returns_it_and_the_author_asks_again(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA)
    assert vote(world, asked, ROB, Vote.RETURN).state is OutputState.RETURNED
    again = world.ask(DOUBTFUL.replace("stddev", "variance"), again=asked.id)
    assert (again.id, again.state, again.sha256 != asked.sha256) == (asked.id, OutputState.REQUESTED, True)
    checked = now(world, world.check(again).request)
    with world.store.read() as connection:
        assert outputs.reviews(connection, checked) == [], "votes were about other files"
    assert vote(world, checked, RITA).state is OutputState.IN_REVIEW


@pytest.mark.parametrize(("who", "why"), [(AUTHOR, "neither the author"), ("ben", "on the project's team")])
def test_the_author_and_the_team_do_not_review(world: World, who: str, why: str) -> None:
    asked = doubtful(world)
    assert not review.may_review(world.store, asked, reviewer=who)
    with pytest.raises(OutputRefusal, match=why):
        vote(world, asked, who)


@pytest.mark.parametrize(
    "person",
    [
        None,
        Person("nobody1", "Nobody", "Service"),
        Person("nobody1", "Nobody", "Service", roles=(Role.STEWARD,)),
        Person("nobody1", "Nobody", "Service", suspended=True, roles=(Role.OUTPUT_CHECKER,)),
    ],
)
def test_only_an_output_checker_on_record_reviews(world: World, person: Person | None) -> None:
    asked = doubtful(world)
    if person is not None:
        projects.add_person(world.store, person, by="steward")
    assert not review.may_review(world.store, asked, reviewer="nobody1")
    with pytest.raises(OutputRefusal, match="nobody1 is not an output checker"):
        vote(world, asked, "nobody1")


@pytest.mark.parametrize("edit", ["changed", "added", "removed", "gone"])
def test_files_that_changed_after_the_release_are_found(world: World, edit: str) -> None:
    asked = now(world, world.checked(SAFE).request)
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert release.verify(world.store, world.folder) == []
    match edit:
        case "changed":
            (place / "table.csv").write_text("region,people\n")
        case "added":
            (place / "more.csv").write_text("N,1\n")
        case "removed":
            (place / "record.json").unlink()
        case _:
            shutil.rmtree(place)
    assert [r.request for r in release.verify(world.store, world.folder)] == [asked.id]


def test_nobody_votes_twice(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA)
    with pytest.raises(OutputRefusal, match="has voted"):
        vote(world, asked, RITA)


def test_a_vote_is_about_the_files_that_were_read(world: World) -> None:
    asked = doubtful(world)
    world.ask(DOUBTFUL, again=asked.id)
    world.check(now(world, asked.id))
    with pytest.raises(OutputRefusal, match="has changed since it was read"):
        review.review(world.store, request=asked.id, reviewer=RITA, vote=Vote.APPROVE, sha256="0" * 64)


@pytest.mark.parametrize("typed", ["abc", "", "g" * 64, "0" * 65])
def test_what_is_no_hash_is_told_as_such(world: World, typed: str) -> None:
    asked = doubtful(world)
    with pytest.raises(OutputRefusal, match=f"not the hash of any files.*ids output show {asked.id}"):
        review.review(world.store, request=asked.id, reviewer=RITA, vote=Vote.APPROVE, sha256=typed)


def test_a_refusal_says_why(world: World) -> None:
    asked = doubtful(world)
    with pytest.raises(OutputRefusal, match="says why"):
        review.review(world.store, request=asked.id, reviewer=RITA, vote=Vote.REFUSE, sha256=asked.sha256)


def test_votes_are_shown_once_two_are_in(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA)
    with world.store.read() as connection:
        assert not review.shown(outputs.reviews(connection, asked))
    vote(world, asked, ROB)
    with world.store.read() as connection:
        assert [v.reviewer for v in review.shown(outputs.reviews(connection, asked))] == [RITA, ROB]


def test_nobody_reviews_what_needs_no_review(world: World) -> None:
    asked = now(world, world.checked(SAFE).request)
    with pytest.raises(OutputRefusal, match="not in review"):
        vote(world, asked, RITA)


def test_reviewers_read_exactly_what_would_leave(world: World) -> None:
    asked = doubtful(world)
    read = review.files(world.folder, asked)
    vote(world, asked, RITA)
    vote(world, asked, ROB)
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert {f.name: f.read_bytes() for f in place.iterdir()} == read


@pytest.mark.parametrize("file", ["table.csv", "record.json", "smuggled.csv"])
def test_files_that_changed_after_the_check_do_not_leave(world: World, file: str) -> None:
    asked = now(world, world.checked(SAFE).request)
    with (world.folder / "requests" / asked.id / "package" / file).open("a") as opened:
        opened.write("N,1\n")
    with pytest.raises(OutputRefusal, match="not those that were checked"):
        release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert not (world.folder / "released").exists()


def test_a_result_that_changed_after_the_request_is_not_checked(world: World) -> None:
    asked = world.ask(SAFE)
    (world.folder / "requests" / asked.id / "asked-1.arrow").write_bytes(b"x")
    with pytest.raises(OutputRefusal, match="not those that were checked"):
        world.check(asked)


def test_the_same_files_asked_for_again_are_voted_on_again(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, ROB, Vote.RETURN)
    ask = Ask("P-1", AUTHOR, asked.queries, asked.title, request=asked.id)
    again = request.request(world.store, world.run, ask=ask, folder=world.folder)
    checked = now(world, world.check(again).request)
    assert (checked.asked, checked.sha256 != asked.sha256) == (2, True)
    vote(world, checked, ROB)
    assert vote(world, checked, RITA).state is OutputState.APPROVED


def test_two_similar_requests_do_not_pass_each_other(world: World) -> None:
    one = now(world, world.checked(SAFE).request)
    other = now(world, world.checked(SAFE.replace("GROUP", "WHERE pay <> 91 GROUP")).request)
    assert {one.state, other.state} == {OutputState.RELEASABLE}, "neither has left yet"
    release.release(world.store, request=one.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    with pytest.raises(OutputRefusal, match=f"checked before {one.id} left"):
        release.release(world.store, request=other.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert not (world.folder / "released" / other.id).exists()
    again = world.check(world.ask(SAFE.replace("GROUP", "WHERE pay <> 91 GROUP"), again=other.id))
    assert now(world, again.request).state is OutputState.REFUSED


def test_a_release_interrupted_before_its_record_is_done_again(world: World) -> None:
    asked = now(world, world.checked(SAFE).request)
    half = world.folder / "released" / asked.id
    half.mkdir(parents=True)
    (half / "table.csv").write_text("half of it")
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert "half" not in (place / "table.csv").read_text()


def test_a_release_happens_once(world: World) -> None:
    asked = now(world, world.checked(SAFE).request)
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    with pytest.raises(OutputRefusal, match="is released and cannot become released"):
        release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert place.exists()


def test_revoking_takes_the_files_and_keeps_the_memory(world: World) -> None:
    asked = now(world, world.checked(SAFE).request)
    place = release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    with pytest.raises(OutputRefusal, match="for a reason"):
        release.revoke(world.store, request=asked.id, actor="steward", reason=" ", folder=world.folder)
    release.revoke(world.store, request=asked.id, actor="steward", reason="Wrong year", folder=world.folder)
    assert [file.name for file in place.iterdir()] == ["REVOKED.txt"]
    (left,) = release.released(world.store, project="P-1")
    assert (left.state, left.reason) == (OutputState.REVOKED, "Wrong year")
    with pytest.raises(OutputRefusal, match=f"It is that already: see it with: ids output show {asked.id}"):
        release.revoke(world.store, request=asked.id, actor="steward", reason="Once more", folder=world.folder)
    assert world.checked(SAFE.replace("GROUP", "WHERE pay <> 91 GROUP")).lane is Lane.REFUSED


def test_the_same_request_gives_the_same_bytes(world: World) -> None:
    first = review.files(world.folder, now(world, world.checked(SAFE).request))
    second = review.files(world.folder, now(world, world.checked(SAFE).request))
    for name in ("table.csv", "chart.svg", "chart.vl.json"):
        assert first[name] == second[name]


def test_every_change_is_in_the_audit_chain_without_a_value(world: World) -> None:
    asked = doubtful(world)
    vote(world, asked, RITA)
    vote(world, asked, ROB)
    release.release(world.store, request=asked.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    release.revoke(world.store, request=asked.id, actor="steward", reason="Wrong year", folder=world.folder)
    told = [r for r in events(world) if r.subject == f"output/{asked.id}"]
    assert [r.action.removeprefix("output.") for r in told] == [
        "requested", "checked", "reviewed", "reviewed", "released", "revoked",
    ]  # fmt: skip
    assert chain.verify(events(world)) is not None
    assert not any(value in json.dumps([r.facts for r in told]) for value in ("5.02519", "as read", '"N"'))


@pytest.mark.parametrize("start", list(OutputState))
@pytest.mark.parametrize("to", list(OutputState))
def test_ask_and_check_of_a_move_are_twins(start: OutputState, to: OutputState) -> None:
    if states.may_move(start, to):
        states.check_move("O-1", start, to=to)
    else:
        with pytest.raises(OutputRefusal, match="cannot become"):
            states.check_move("O-1", start, to=to)


def test_the_page_of_states_is_generated() -> None:
    page = Path(__file__).parents[2] / "docs" / "output-states.md"
    assert page.read_text(encoding="utf-8") == states.page()
