"""Which approvals an application needs, drawn, and its laws: never none, nobody approves their own."""

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.approve.route import beyond_programme, objection, route
from integrated_data.model.access import DatasetRequest, Person, Project, ProjectState, World
from integrated_data.model.agreement import Agreement, Law, Licence
from integrated_data.model.approval import SCOPES, Part, Risk, Stage
from integrated_data.model.people import Role
from tests.worlds import ADA, AGREEMENT, BEN, DAY, LAW, PROJECT, WORLD, random_case

PANELLED = Law(
    LAW.country, LAW.version, (replace(LAW.gateways[0], panel="Panel"), *LAW.gateways[1:]), processor="Service",
    days={"panel": 20},
)  # fmt: skip
PAY = replace(AGREEMENT, id="A-2", dataset="pay", owner="Treasury")
BOTH = (*PROJECT.datasets, DatasetRequest("pay", ("income",), ("person",)))
ALONE = {"team": ("ada",)}


def needs(project: dict[str, Any], *agreements: Agreement, more: tuple[Project, ...] = ()) -> list[tuple[Stage, str]]:
    applied = replace(PROJECT, datasets=BOTH, **project)
    world = World(PANELLED, agreements or (AGREEMENT, PAY), (ADA, BEN), (applied, *more))
    return [(n.stage, n.organisation) for n in route(applied, world, day=DAY)]


LOW = [replace(a, low_risk=True) for a in (AGREEMENT, PAY)]
FULL_ROUTE = [(Stage.OWNER, "Ministry"), (Stage.OWNER, "Treasury"), (Stage.PANEL, "Panel")]


@pytest.mark.parametrize(
    ("project", "agreements", "wanted"),
    [
        ({}, [AGREEMENT, PAY], FULL_ROUTE),
        ({}, [AGREEMENT, replace(PAY, owner="Ministry")], [(Stage.OWNER, "Ministry"), (Stage.PANEL, "Panel")]),
        ({}, [AGREEMENT, replace(PAY, approved_by=Stage.REPRESENTATIVE)],
         [(Stage.OWNER, "Ministry"), (Stage.REPRESENTATIVE, "Treasury"), (Stage.PANEL, "Panel")]),
        ({}, [AGREEMENT, replace(PAY, approved_by=Stage.ENTERPRISE)],
         [(Stage.OWNER, "Ministry"), (Stage.ENTERPRISE, "Service"), (Stage.PANEL, "Panel")]),
        ({}, [replace(a, gateway="statistics") for a in (AGREEMENT, PAY)],
         [(Stage.OWNER, "Ministry"), (Stage.OWNER, "Treasury")]),
        ({"risk": Risk.LOW, **ALONE}, LOW, [(Stage.DELEGATED, "Service")]),
        ({"risk": Risk.MEDIUM, **ALONE}, LOW, FULL_ROUTE),
        ({"risk": Risk.LOW, **ALONE}, [LOW[0], PAY], FULL_ROUTE),
        ({"risk": Risk.LOW}, LOW, FULL_ROUTE),  # Ben's accreditation is provisional
        ({"risk": Risk.LOW, **ALONE}, [LOW[0], replace(LOW[1], licence=Licence(("*",), date(2027, 1, 1)))], FULL_ROUTE),
    ],
)  # fmt: skip
def test_who_must_approve(project: dict[str, Any], agreements: list[Agreement], wanted: list[Any]) -> None:
    assert needs(project, *agreements) == wanted


def test_the_clock_of_a_stage_is_the_laws_where_it_says_so() -> None:
    world = World(PANELLED, (AGREEMENT,), (ADA, BEN), (PROJECT,))
    assert [(n.stage, n.days) for n in route(PROJECT, world, day=DAY)] == [(Stage.OWNER, 14), (Stage.PANEL, 20)]


PROGRAMME = replace(PROJECT, id="P-programme", is_programme=True, datasets=BOTH)
ANALYSIS: dict[str, Any] = {"id": "P-2", "programme": "P-programme", "datasets": (BOTH[1],)}


@pytest.mark.parametrize(
    ("analysis", "programme", "beyond"),
    [
        ({}, {}, []),
        ({"datasets": (DatasetRequest("pay", ("income", "bonus"), ("person",)),)}, {}, ["dataset pay"]),
        ({"datasets": (DatasetRequest("tax", ("due",)),)}, {}, ["dataset tax"]),
        ({"ends": date(2027, 1, 1)}, {}, ["dates"]),
        ({"sponsor": "Somebody"}, {}, ["organisation or sponsor"]),
        ({}, {"state": ProjectState.PROPOSED}, ["its programme, which is not approved and in date"]),
        ({}, {"is_programme": False}, ["its programme, which is not on record"]),
    ],
)
def test_an_analysis_within_its_programme_needs_the_steward_alone(
    analysis: dict[str, Any], programme: dict[str, Any], beyond: list[str]
) -> None:
    applied = replace(PROJECT, **(ANALYSIS | analysis))
    world = World(PANELLED, (AGREEMENT, PAY), (ADA, BEN), (applied, replace(PROGRAMME, **programme)))
    assert beyond_programme(applied, world, day=DAY) == beyond
    found = [(n.stage, n.organisation) for n in route(applied, world, day=DAY)]
    assert (found == [(Stage.ENTERPRISE, "Service")]) is (not beyond)


CHANGES: dict[Part, dict[str, Any]] = {
    Part.QUESTION: {"aims": "Something else"},
    Part.DATA: {"datasets": (*PROJECT.datasets, DatasetRequest("pay", ("income", "bonus"), ("person", "area")))},
    Part.TEAM: {"team": ("ada", "ben", "cem")},
    Part.SPONSOR: {"sponsor": "Somebody"},
    Part.BENEFIT: {"public_benefit": "More"},
    Part.ETHICS: {"ethics": "E-2"},
    Part.DATES: {"ends": date(2026, 12, 1)},
}


@pytest.mark.parametrize("part", list(Part))
def test_an_amendment_opens_again_what_is_about_the_part_it_changes(part: Part) -> None:
    before, after = replace(PROJECT, datasets=BOTH), replace(PROJECT, **({"datasets": BOTH} | CHANGES[part]))
    scopes = []
    for applied in (before, after):
        world = World(PANELLED, (AGREEMENT, PAY), (ADA, BEN), (applied,))
        scopes.append({(n.stage, n.organisation): n.scope for n in route(applied, world, day=DAY)})
    opened = {key for key, scope in scopes[1].items() if scopes[0].get(key) != scope}
    about = {key for key in scopes[1] if part in SCOPES[key[0]]}
    assert opened == (about - {(Stage.OWNER, "Ministry")} if part is Part.DATA else about)  # its data did not change


def holder(name: str, role: Role, organisation: str, **more: Any) -> Person:
    return Person(name, name, organisation, roles=(role,), **more)


MINISTRY = holder("min", Role.APPROVER, "Ministry")


@pytest.mark.parametrize(
    ("by", "people", "may"),
    [
        ("min", [MINISTRY], True),
        ("ada", [MINISTRY], False),  # on the team
        ("operator", [MINISTRY], False),  # somebody holds the role
        ("operator", [], True),  # nobody does: whoever runs the service stands in
        ("tre", [MINISTRY, holder("tre", Role.APPROVER, "Treasury")], False),
        ("tre", [holder("tre", Role.APPROVER, "Treasury")], True),
        ("ste", [holder("ste", Role.STEWARD, "Ministry")], False),
        ("min", [replace(MINISTRY, suspended=True)], False),
        ("operator", [replace(MINISTRY, suspended=True)], True),
    ],
)
def test_who_may_give_an_owners_approval(by: str, people: list[Person], may: bool) -> None:
    (owner, _) = route(PROJECT, replace(WORLD, law=PANELLED), day=DAY)
    assert (not objection(by, owner, project=PROJECT, people=people)) is may


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_every_application_needs_somebody_and_never_its_own_team(seed: int) -> None:
    dice = random.Random(seed)
    _, world = random_case(dice)
    for project in world.projects:
        found = route(project, world, day=DAY)
        assert found
        assert len({(n.stage, n.organisation) for n in found}) == len(found)
        people = [replace(p, roles=tuple(Role)) for p in world.people]
        assert all(objection(member, n, project=project, people=people) for n in found for member in project.team)
