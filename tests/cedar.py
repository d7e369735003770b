"""The decision's rules in Cedar, an independent policy engine: the oracle of the tests and of `bench/decisions.py`.

Cedar answers for one agreement at a time: does it cover the use, and does it permit it? A dataset may be used
where some agreement covers it and all that do permit it; so too everything that Cedar's own hierarchy says the
dataset comes from. Cedar refuses a hierarchy that goes in a circle.
"""

from datetime import date
from typing import Any

import cedarpy

from integrated_data.model.access import AccessRequest, Person, World
from integrated_data.model.agreement import Agreement
from integrated_data.model.freezing import Frozen
from tests.worlds import DATASETS, DAY, LAW

POLICY = """
permit (principal, action == Action::"comes from", resource)
when { principal in resource && principal != resource };

permit (principal, action == Action::"is covered by", resource)
when {
    resource.dataset == context.dataset
    && resource.starts <= context.day && context.day <= resource.ends
    && resource.purposes.contains(context.purpose)
};

permit (principal, action == Action::"use", resource)
when {
    context.project.state == "approved"
    && context.project.starts <= context.day && context.day <= context.project.ends
    && context.project.team.contains(principal)
    && context.project.purpose == context.purpose
    && context has application
    && context.application.columns.containsAll(context.columns)
    && context.application.keys.containsAll(context.keys)
    && resource.gateway.purposes.contains(context.purpose)
    && (resource.columns.contains("*") || resource.columns.containsAll(context.columns))
    && (resource.indexed || context.keys.isEmpty())
    && (resource.owner == principal.organisation
        || resource.onward.contains("*") || resource.onward.contains(principal.organisation))
    && !resource.withheld.containsAny(context.shown)
    && (!(resource has licence)
        || (context.day <= resource.licence.ends
            && (resource.licence.onward || resource.licence.buyers.contains("*")
                || resource.licence.buyers.contains(principal.organisation))))
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

forbid (principal, action == Action::"use", resource) when { principal.suspended };
forbid (principal, action == Action::"use", resource) when { resource.suspended };
forbid (principal, action == Action::"use", resource) when { context.frozen.people.contains(principal) };
forbid (principal, action == Action::"use", resource) when { context.frozen.datasets.contains(resource.dataset) };
"""
POLICIES = cedarpy.PolicySet.from_str(POLICY)


def entity(kind: str, name: str, attributes: dict[str, Any], *, parents: tuple[str, ...] = ()) -> dict[str, Any]:
    above = [{"type": kind, "id": parent} for parent in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": above}


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
    attributes: dict[str, Any] = {
        "dataset": one.dataset, "owner": one.owner, "gateway": reference("Gateway", one.gateway),
        "purposes": list(one.purposes), "columns": list(one.columns), "onward": list(one.onward_to),
        "starts": day(one.starts), "ends": day(one.ends), "indexed": one.index_by_default,
        "suspended": one.suspended, "needs": one.conditions.standing.rank,
        "withheld": [column for column, rule in one.coarsen.items() if rule.withheld],
    }  # fmt: skip
    if one.licence is not None:
        buyers, onward = list(one.licence.buyers), one.licence.onward_sharing
        attributes["licence"] = {"buyers": buyers, "ends": day(one.licence.ends), "onward": onward}
    return entity("Agreement", one.id, attributes)


def entities(world: World) -> list[dict[str, Any]]:
    found = [person(p) for p in world.people] + [agreement(a) for a in world.agreements]
    sources = dict(world.derived)
    found += [entity("Dataset", name, {}, parents=sources.get(name, ())) for name in DATASETS]
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


def allows(request: AccessRequest, world: World) -> bool:
    """Cedar's answer, or what follows from its answers by the rule at the top of this file."""
    used = request.dataset or ""
    context: dict[str, Any] = {
        "project": reference("Project", request.project), "day": day(DAY), "purpose": request.purpose.value,
        "keys": list(request.keys),
        "frozen": {
            "people": [reference("Person", f.subject) for f in world.frozen if f.kind is Frozen.PERSON],
            "datasets": [f.subject for f in world.frozen if f.kind is Frozen.DATASET],
        },
    }  # fmt: skip
    if any(p.id == request.project and p.request(used) for p in world.projects):
        context["application"] = reference("Application", f"{request.project}/{used}")
    asked = [_question(("Dataset", used), "comes from", ("Dataset", name), {}) for name in DATASETS]
    about: list[tuple[str, str]] = [("comes from", name) for name in DATASETS]
    for one in world.agreements:
        columns = list(request.columns) if one.dataset == used else []
        for action in ("is covered by", "use"):
            told = {**context, "dataset": one.dataset, "columns": columns, "shown": list(request.columns)}
            asked.append(_question(("Person", request.person), action, ("Agreement", one.id), told))
            about.append((action, one.id))
    answers = cedarpy.is_authorized_batch(asked, POLICIES, entities(world))
    said = {key: answer.allowed for key, answer in zip(about, answers, strict=True)}
    origins = [name for name in DATASETS if said["comes from", name]]
    return all(_usable(said, world, dataset=dataset) for dataset in (used, *origins))


def _usable(said: dict[tuple[str, str], bool], world: World, *, dataset: str) -> bool:
    covering = [a.id for a in world.agreements if a.dataset == dataset and said["is covered by", a.id]]
    return bool(covering) and all(said["use", one] for one in covering)


def _question(
    principal: tuple[str, str], action: str, resource: tuple[str, str], context: dict[str, Any]
) -> dict[str, Any]:
    return {
        "principal": dict(zip(("type", "id"), principal, strict=True)),
        "action": {"type": "Action", "id": action},
        "resource": dict(zip(("type", "id"), resource, strict=True)),
        "context": context,
    }
