"""Approvals on record, drawn: each its own decision by the right organisation, with a clock; amendments; extension."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data.approve import apply
from integrated_data.control import approvals, projects
from integrated_data.control.store import Store, records
from integrated_data.model.access import Person, ProjectState
from integrated_data.model.approval import ApprovalState, Stage
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.people import Role
from tests.unit.test_route import PANELLED
from tests.worlds import ADA, AGREEMENT, BEN, PROJECT

APPLIED = replace(PROJECT, state=ProjectState.PROPOSED)


class Desk:
    """A store with an application in it, and the people who may approve."""

    def __init__(self, store: Store) -> None:
        self.now = datetime(2026, 6, 1, tzinfo=UTC)
        self.store = Store(store.engine, clock=lambda: self.now)
        projects.add_agreement(self.store, AGREEMENT, by="owner")
        for person in (ADA, BEN):
            projects.add_person(self.store, person, by="desk")
        for name, organisation in (("min", "Ministry"), ("pan", "Panel")):
            who = Person(name, name, organisation, roles=(Role.APPROVER,))
            projects.add_person(self.store, who, by="desk")
        apply.propose(self.store, APPLIED, law=PANELLED, by="ada")

    def decide(self, by: str, refuse: str = "") -> bool:
        return apply.decide(self.store, "P-1", law=PANELLED, by=by, refuse=refuse).allowed

    def states(self) -> list[tuple[Stage, ApprovalState, str]]:
        with self.store.read() as connection:
            return [(a.needed.stage, a.state, a.by) for a in approvals.of_project(connection, "P-1")]

    @property
    def state(self) -> ProjectState:
        with self.store.read() as connection:
            return projects.get_project(connection, "P-1").state


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


OPEN, GIVEN, REFUSED, LAPSED = ApprovalState.OPEN, ApprovalState.GIVEN, ApprovalState.REFUSED, ApprovalState.LAPSED
OWNER, PANEL = Stage.OWNER, Stage.PANEL


def test_each_approval_is_a_decision_of_its_own_and_the_last_approves(desk: Desk) -> None:
    assert desk.states() == [(OWNER, OPEN, ""), (PANEL, OPEN, "")]
    assert not desk.decide("min")
    assert desk.states() == [(OWNER, GIVEN, "min"), (PANEL, OPEN, "")]
    assert desk.state is ProjectState.PROPOSED
    with pytest.raises(AgreementRefusal, match=r"min may give none of the approvals .* It is for the panel"):
        desk.decide("min")
    assert desk.decide("pan")
    assert desk.state is ProjectState.APPROVED
    with desk.store.read() as connection:
        told = [r.action for r in records(connection) if r.action.startswith(("approval", "project.app"))]
    assert told == ["approval.asked", "approval.given", "approval.given", "project.approved"]


def test_an_applicant_or_somebody_else_approves_nothing(desk: Desk) -> None:
    with pytest.raises(AgreementRefusal, match="on the team"):
        desk.decide("ada")
    projects.add_person(desk.store, Person("eve", "Eve", "Ministry", roles=(Role.ANALYST,)), by="desk")
    for nobody in ("eve", "operator"):
        with pytest.raises(AgreementRefusal, match=f"{nobody} may give none"):
            desk.decide(nobody)
    assert desk.states() == [(OWNER, OPEN, ""), (PANEL, OPEN, "")]


def test_clocks_run_for_each_stage(desk: Desk) -> None:
    desk.now += timedelta(days=10)
    desk.decide("min")
    desk.now += timedelta(days=15)
    with desk.store.read() as connection:
        clocks = [
            (a.needed.stage, a.taken(desk.now), a.needed.days, a.late(desk.now))
            for a in approvals.of_project(connection, "P-1")
        ]
    assert clocks == [(OWNER, 10.0, 14, False), (PANEL, 25.0, 20, True)]


def test_one_refusal_refuses_and_an_amendment_asks_again(desk: Desk) -> None:
    desk.decide("min")
    assert not desk.decide("pan", refuse="no benefit")
    assert desk.state is ProjectState.REFUSED
    assert desk.states() == [(OWNER, GIVEN, "min"), (PANEL, REFUSED, "pan")]
    apply.propose(desk.store, replace(APPLIED, public_benefit="Very much"), law=PANELLED, by="ada")
    assert desk.states() == [(OWNER, GIVEN, "min"), (PANEL, REFUSED, "pan"), (PANEL, OPEN, "")]
    assert desk.decide("pan")


def test_an_extension_asks_for_what_is_about_dates(desk: Desk) -> None:
    desk.decide("min")
    desk.decide("pan")
    apply.extend(desk.store, "P-1", until=date(2026, 12, 15), law=PANELLED, by="ada")
    assert desk.state is ProjectState.PROPOSED
    assert desk.states() == [(OWNER, LAPSED, "min"), (PANEL, LAPSED, "pan"), (OWNER, OPEN, ""), (PANEL, OPEN, "")]
    with pytest.raises(AgreementRefusal, match="runs until 2026-12-15 already"):
        apply.extend(desk.store, "P-1", until=date(2026, 12, 1), law=PANELLED, by="ada")


def test_a_change_of_the_team_leaves_approvals_standing(desk: Desk) -> None:
    desk.decide("min")
    desk.decide("pan")
    apply.propose(desk.store, replace(APPLIED, team=("ada",)), law=PANELLED, by="ada")
    assert desk.states() == [(OWNER, GIVEN, "min"), (PANEL, GIVEN, "pan")]
    assert desk.decide("min")


def test_of_two_approvers_at_once_one_decides(desk: Desk) -> None:
    with desk.store.read() as connection:
        first, _ = approvals.of_project(connection, "P-1")
    approvals.decide(desk.store, first, given=True, by="min")
    with pytest.raises(AgreementRefusal, match=r"is given already\. min decided it"):
        approvals.decide(desk.store, first, given=False, by="other")


def test_what_the_rules_refuse_nobody_approves(desk: Desk) -> None:
    projects.add_agreement(desk.store, replace(AGREEMENT, suspended=True), by="owner")
    assert not desk.decide("min")
    assert desk.states() == [(OWNER, OPEN, ""), (PANEL, OPEN, "")]
    assert desk.state is ProjectState.REFUSED


def test_a_programme_names_itself_only_as_one(desk: Desk) -> None:
    analysis = replace(APPLIED, id="P-2", programme="P-1")
    with pytest.raises(AgreementRefusal, match="P-1 is no programme"):
        apply.propose(desk.store, analysis, law=PANELLED, by="ada")
    text = (Path(__file__).parents[2] / "examples" / "project.yaml").read_text(encoding="utf-8")
    for wrong in ("programme: P-2026-work", "is_programme: true\nprogramme: P-9"):
        with pytest.raises(AgreementRefusal, match="under itself"):
            apply.read_project(f"{text}\n{wrong}\n")
