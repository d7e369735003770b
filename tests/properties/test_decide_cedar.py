"""The decision against Cedar, an independent policy engine, over random worlds."""

import random
from datetime import date
from typing import Any

import cedarpy

from integrated_data.approve.decide import decide
from integrated_data.model.access import AccessRequest, Agreement, Person, World
from tests.worlds import AT, DAY, LAW, random_case

WORLDS = 2_500

POLICY = """
permit (principal, action == Action::"use", resource)
when {
    context.project.state == "approved"
    && context.project.starts <= context.day && context.day <= context.project.ends
    && context.project.team.contains(principal)
    && context.project.purpose == context.purpose
    && context has application
    && context.application.columns.containsAll(context.columns)
    && context.application.keys.containsAll(context.keys)
    && resource.dataset == context.dataset
    && resource.starts <= context.day && context.day <= resource.ends
    && resource.purposes.contains(context.purpose)
    && resource.gateway.purposes.contains(context.purpose)
    && (resource.columns.contains("*") || resource.columns.containsAll(context.columns))
    && (resource.indexed || context.keys.isEmpty())
    && (resource.owner == principal.organisation
        || resource.onward.contains("*") || resource.onward.contains(principal.organisation))
    && (!resource.gateway.training || context.day <= principal.trained)
    && (!resource.gateway.benefit || context.project.benefit)
    && (!resource.gateway.ethics || context.project.ethics)
    && ((resource.needs == 0 && resource.gateway.needs == 0)
        || (principal.starts <= context.day && context.day <= principal.ends
            && (principal.level == 2
                || (principal.level == 1 && resource.needs <= 1 && resource.gateway.needs <= 1
                    && principal has supervisor
                    && principal.supervisor != principal
                    && context.project.team.contains(principal.supervisor)
                    && !principal.supervisor.suspended
                    && principal.supervisor.level == 2
                    && principal.supervisor.starts <= context.day
                    && context.day <= principal.supervisor.ends))))
};

forbid (principal, action, resource) when { principal.suspended };
forbid (principal, action, resource) when { resource.suspended };
"""
POLICIES = cedarpy.PolicySet.from_str(POLICY)


def entity(kind: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


def reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}


def day(of: date | None) -> int:
    return of.toordinal() if of is not None else -1


def person(one: Person) -> dict[str, Any]:
    own = one.accreditation
    attributes = {
        "suspended": one.suspended, "organisation": one.organisation, "trained": day(one.trained_until),
        "level": own.level.rank if own else 0, "starts": day(own.starts if own else None),
        "ends": day(own.ends if own else None),
    }  # fmt: skip
    if own and own.supervisor:
        attributes["supervisor"] = reference("Person", own.supervisor)
    return entity("Person", one.id, attributes)


def agreement(one: Agreement) -> dict[str, Any]:
    return entity(
        "Agreement", one.id,
        {
            "dataset": one.dataset, "owner": one.owner, "gateway": reference("Gateway", one.gateway),
            "purposes": list(one.purposes), "columns": list(one.columns), "onward": list(one.onward_to),
            "starts": day(one.starts), "ends": day(one.ends), "indexed": one.index_by_default,
            "suspended": one.suspended, "needs": one.conditions.standing.rank,
        },
    )  # fmt: skip


def entities(world: World) -> list[dict[str, Any]]:
    found = [person(p) for p in world.people] + [agreement(a) for a in world.agreements]
    for gateway in LAW.gateways:
        attributes = {
            "purposes": list(gateway.purposes), "needs": gateway.standing.rank, "training": gateway.training,
            "benefit": gateway.public_benefit, "ethics": gateway.ethics,
        }  # fmt: skip
        found.append(entity("Gateway", gateway.id, attributes))
    for project in world.projects:
        attributes = {
            "state": project.state.value, "starts": day(project.starts), "ends": day(project.ends),
            "purpose": project.purpose.value, "team": [reference("Person", p) for p in project.team],
            "benefit": bool(project.public_benefit.strip()), "ethics": bool(project.ethics.strip()),
        }  # fmt: skip
        found.append(entity("Project", project.id, attributes))
        for asked in project.datasets:
            lists = {"columns": list(asked.columns), "keys": list(asked.keys)}
            found.append(entity("Application", f"{project.id}/{asked.dataset}", lists))
    return found


def cedar_allows(request: AccessRequest, world: World) -> bool:
    """One agreement must permit the whole request, so each is asked by itself."""
    context: dict[str, Any] = {
        "project": reference("Project", request.project), "day": day(DAY), "purpose": request.purpose.value,
        "dataset": request.dataset, "columns": list(request.columns), "keys": list(request.keys),
    }  # fmt: skip
    if any(p.id == request.project and p.request(request.dataset or "") for p in world.projects):
        context["application"] = reference("Application", f"{request.project}/{request.dataset}")
    asked = [
        {
            "principal": {"type": "Person", "id": request.person},
            "action": {"type": "Action", "id": "use"},
            "resource": {"type": "Agreement", "id": one.id},
            "context": context,
        }
        for one in world.agreements
    ]
    answers = cedarpy.is_authorized_batch(asked, POLICIES, entities(world))
    return any(answer.allowed for answer in answers)


def test_the_decision_agrees_with_cedar() -> None:
    dice = random.Random(20261122)
    differing, allowed = [], 0
    for _ in range(WORLDS):
        request, world = random_case(dice)
        ours = decide(request, world, at=AT).allowed
        allowed += ours
        if ours != cedar_allows(request, world):
            differing.append((request, world))
    assert not differing, differing[0]
    assert 0.15 < allowed / WORLDS < 0.85, "worlds must be allowed and refused often enough to say something"
