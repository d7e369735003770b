"""The automatic lane: stopped, opted out of, looked at afterwards by people who do not know."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from integrated_data.approve.roles import ROLES
from integrated_data.control import lanes, outputs, projects
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import Person
from integrated_data.model.agreement import Conditions
from integrated_data.model.errors import OutputRefusal, RoleRefusal
from integrated_data.model.lane import LaneRule, Verdict
from integrated_data.model.output import Finding, Lane, Outcome, OutputState, Vote
from integrated_data.model.people import Action, Role
from integrated_data.output import lane, register, release, review, sample
from integrated_data.site import lanes as laning
from tests.output_desk import RITA, ROB, SAFE, acting, desk, drawn, events, now, rule, vote
from tests.output_world import AUTHOR, World


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    yield from desk(engine, store, tmp_path)


# -- the stop switch and the opt-out


def test_a_stopped_lane_sends_everything_to_people_and_says_why(world: World) -> None:
    rule(world, open=False)
    report = world.checked(SAFE)
    assert report.lane is Lane.REVIEW
    assert [f.rule for f in report.findings if f.outcome == "review"] == [lane.STOPPED]
    assert "automatic lane is stopped" in report.findings[-1].reason
    [event] = events(world, "lane.stopped")
    assert (event.actor, event.facts["reason"], event.facts["open"]) == (RITA, "a trial", False)
    rule(world, open=True)
    assert world.checked(SAFE).lane is Lane.AUTOMATIC
    assert len(events(world, "lane.started")) == 1


def test_what_was_checked_before_the_stop_does_not_leave_after_it(world: World) -> None:
    asked = world.checked(SAFE)
    rule(world, open=False)
    with pytest.raises(OutputRefusal, match="does not leave by itself"):
        release.release(world.store, request=asked.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert not (world.folder / "released").exists()
    again = now(world, world.check(world.ask(SAFE, again=asked.request)).request)
    assert again.state is OutputState.IN_REVIEW
    vote(world, again, RITA)
    vote(world, again, ROB)
    release.release(world.store, request=again.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)


def test_the_lane_is_stopped_for_a_reason(world: World) -> None:
    with pytest.raises(OutputRefusal, match="for a reason"):
        lane.set_rule(world.store, LaneRule(open=False), by=RITA, reason=" ")
    with pytest.raises(OutputRefusal, match="cannot be meant"):
        lane.set_rule(world.store, LaneRule(share=1.5), by=RITA, reason="all")


def test_output_checkers_and_stewards_hold_the_switch_and_nobody_else() -> None:
    assert ROLES[Action.RULE_LANE] == {Role.OUTPUT_CHECKER, Role.STEWARD}
    assert ROLES[Action.OPT_OUT] == {Role.STEWARD}


def test_an_agreement_keeps_its_dataset_out_of_the_lane(world: World) -> None:
    world.agree("lfs", Conditions(automatic=False))
    report = world.checked(SAFE)
    assert (report.lane, report.findings[-1].rule) == (Lane.REVIEW, lane.OPTED_OUT)
    assert "owner of lfs asks" in report.findings[-1].reason


def test_the_strictest_of_two_agreements_holds() -> None:
    assert not Conditions(automatic=False).strictest(Conditions()).automatic


def test_a_steward_of_the_owner_opts_out_and_in_and_no_other(world: World) -> None:
    world.agree("lfs", Conditions())
    with world.store.read() as connection:
        [owner] = {a.owner for a in projects.agreements(connection, "lfs")}
    for name, organisation in (("stan", owner), ("sue", "Elsewhere")):
        projects.add_person(world.store, Person(name, name, organisation, roles=(Role.STEWARD,)), by="approver")
    with pytest.raises(RoleRefusal, match="may not decide for the owner"):
        laning.opt_out(world.store, "lfs", out=True, reason="ours", acting=acting("sue", Role.STEWARD))
    asked = world.checked(SAFE)
    laning.opt_out(world.store, "lfs", out=True, reason="ours", acting=acting("stan", Role.STEWARD))
    with pytest.raises(OutputRefusal, match="owner of lfs asks"):
        release.release(world.store, request=asked.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    assert world.checked(SAFE).lane is Lane.REVIEW
    laning.opt_out(world.store, "lfs", out=False, reason="fine", acting=acting("stan", Role.STEWARD))
    assert world.checked(SAFE).lane is Lane.AUTOMATIC
    assert [e.actor for e in events(world, "lane.opted_out") + events(world, "lane.opted_in")] == ["stan", "stan"]


# -- the blind sample


def test_a_drawn_release_is_checked_as_a_request_like_any_other(world: World) -> None:
    gone, twin = drawn(world)
    assert (twin.state, twin.lane, twin.project, twin.title) == (
        OutputState.IN_REVIEW, Lane.REVIEW, gone.project, gone.title,
    )  # fmt: skip
    files = review.files(world.folder, twin)
    assert files["table.csv"] == (world.folder / "released" / gone.id / "table.csv").read_bytes()
    for name, content in files.items():
        assert gone.id.encode() not in content, name
        assert gone.sha256.encode() not in content, name
        assert b'"automatic"' not in content, name
    assert twin.findings[-1] == lane.UNNAMED
    vote(world, twin, RITA)
    assert vote(world, twin, ROB).state is OutputState.APPROVED
    with pytest.raises(OutputRefusal, match="no one's to release"):
        release.release(world.store, request=twin.id, actor=AUTHOR, folder=world.folder, ledger=world.ledger)


def test_its_files_state_their_own_hashes(world: World) -> None:
    _, twin = drawn(world)
    files = review.files(world.folder, twin)
    stated = json.loads(files["record.json"])["files"]
    assert stated == {name: hashlib.sha256(files[name]).hexdigest() for name in stated}


def test_reviewers_see_the_twin_alone_and_the_team_the_release_alone(world: World) -> None:
    gone, twin = drawn(world)
    with world.store.read() as connection:
        known = outputs.requests(connection)

    def seen(*who: Role, person: str) -> list[str]:
        return [s.request.id for s in laning.visible(world.store, known, acting=acting(person, *who))]

    assert seen(Role.OUTPUT_CHECKER, person=RITA) == [twin.id]
    assert seen(Role.ANALYST, person=AUTHOR) == [gone.id]
    assert seen(Role.AUDITOR, person="audrey") == [gone.id, twin.id]
    with pytest.raises(OutputRefusal, match="There is no output request"):
        laning.look(world.store, gone.id, acting=acting(RITA, Role.OUTPUT_CHECKER))
    vote(world, twin, RITA)
    vote(world, twin, ROB)
    assert seen(Role.OUTPUT_CHECKER, person=RITA) == [gone.id, twin.id]


def test_a_reviewer_cannot_tell_it_from_a_request_that_was_drawn_first(world: World) -> None:
    _, twin = drawn(world)
    rule(world, first=0.999999)
    before = now(world, world.checked(SAFE).request)
    assert before.state is OutputState.IN_REVIEW
    checker = acting(RITA, Role.OUTPUT_CHECKER)
    one, other = (
        laning.told(world.store, laning.look(world.store, r.id, acting=checker), acting=checker) for r in (twin, before)
    )
    assert one["findings"] == other["findings"]
    assert [s["state"] for s in one["states"]] == [s["state"] for s in other["states"]] == ["requested", "in review"]
    assert set(one) == set(other)


def test_withheld_cells_are_no_reason_for_a_review() -> None:
    held, note, doubt = (
        Finding("minimum people", Outcome.WITHHOLD, "Few"), Finding("zeros", Outcome.NOTE, "Empty"),
        Finding("wording", Outcome.REVIEW, "Odd"),
    )  # fmt: skip
    stopped = Finding(lane.STOPPED, Outcome.REVIEW, "Stopped")
    assert lane.for_reviewers([held, note]) == lane.for_reviewers([held, note, stopped]) == (held, note, lane.UNNAMED)
    assert lane.for_reviewers([held, doubt]) == (held, doubt)


def test_a_draw_follows_from_the_key_and_is_made_once(world: World) -> None:
    assert world.ledger.draw("after/O-1/ab") == world.ledger.draw("after/O-1/ab") != world.ledger.draw("after/O-2/ab")
    draws = [world.ledger.draw(str(n)) for n in range(2_000)]
    assert 0.04 < sum(d < 0.05 for d in draws) / len(draws) < 0.06
    drawn(world)
    assert sample.take(world.store, world.ledger, folder=world.folder) == 0


def test_two_who_approve_find_it_sound(world: World) -> None:
    gone, twin = drawn(world)
    vote(world, twin, RITA)
    vote(world, twin, ROB)
    assert sample.settle(world.store, folder=world.folder) == ()
    found = laning.errors(world.store)
    assert (found.released, found.checked, found.errors, found.rate) == (1, 1, 0, 0.0)
    assert now(world, gone.id).state is OutputState.RELEASED


def test_two_who_refuse_revoke_the_release_and_stop_the_lane(world: World) -> None:
    gone, twin = drawn(world)
    vote(world, twin, RITA, Vote.REFUSE)
    assert sample.settle(world.store, folder=world.folder) == (), "one verdict settles nothing"
    vote(world, twin, ROB, Vote.REFUSE)
    assert sample.settle(world.store, folder=world.folder) == (gone.id,)
    assert sample.settle(world.store, folder=world.folder) == ()
    assert now(world, gone.id).state is OutputState.REVOKED
    note = world.folder / "released" / gone.id
    assert [f.name for f in note.iterdir()] == ["REVOKED.txt"]
    assert sample.REVOKED in (note / "REVOKED.txt").read_text()
    [stopped] = events(world, "lane.stopped")
    assert gone.id in stopped.facts["reason"]
    assert world.checked(SAFE).lane is Lane.REVIEW
    found = laning.errors(world.store)
    assert (found.errors, found.rate, found.high) == (1, 1.0, 1.0)


def test_one_who_sends_it_back_is_counted_apart(world: World) -> None:
    gone, twin = drawn(world)
    vote(world, twin, RITA, Vote.RETURN)
    assert sample.settle(world.store, folder=world.folder) == ()
    found = laning.errors(world.store)
    assert (found.checked, found.returned, found.rate) == (0, 1, None)
    assert now(world, gone.id).state is OutputState.RELEASED
    with world.store.read() as connection:
        assert [s.verdict for s in lanes.samples(connection)] == [Verdict.RETURNED]


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(0, 20, 0.0, 0.1684), (1, 20, 0.0013, 0.2487), (3, 100, 0.0062, 0.0852), (5, 5, 0.4782, 1.0), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_clopper_and_pearsons(found: int, of: int, low: float, high: float) -> None:
    assert lane.clopper_pearson(found, of) == pytest.approx((low, high), abs=1e-4)


def test_the_register_publishes_the_error_rate() -> None:
    told = lane.LaneErrors(400, 20, 1, 2, 0.05, 0.0013, 0.2487).told()
    document = register.document([], [], releases=[], at=date(2026, 5, 1), signing_key="", lane=told)
    assert document["automatic_lane"]["errors"] == 1
    page = register.page(document)
    assert "1 should not have (5.0%; 95 % interval 0.1% to 24.9%)" in page
    assert "None of them has been checked" in register.page(
        register.document(
            [], [], releases=[], at=date(2026, 5, 1), signing_key="", lane=lane.errors([], released=3).told()
        )
    )
