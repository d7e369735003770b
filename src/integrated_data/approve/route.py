"""Route: which approvals an application needs, as a pure function of it, its agreements and the law.

    an analysis within its approved programme    the enterprise steward
    low risk, and every owner lets it            the delegated route
    anything else                                each owner (or who approves for it), and each gateway's panel

The decision's rules are asked as well, whatever the route: approvals cannot allow what they refuse.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from integrated_data.approve.permit import standing
from integrated_data.control import bodies
from integrated_data.model.access import DatasetRequest, Person, Project, ProjectState, World
from integrated_data.model.agreement import Agreement, Standing
from integrated_data.model.approval import DAYS, SCOPES, Needed, Part, Risk, Stage
from integrated_data.model.people import Role


def route(project: Project, world: World, *, day: date) -> tuple[Needed, ...]:
    """The approvals that an application needs, each once, by stage and organisation; never none."""
    steward = world.law.processor
    beyond = beyond_programme(project, world, day=day) if project.programme else ["no programme"]
    if not beyond:
        why = f"An analysis within programme {project.programme}, which was approved"
        return (_needed((Stage.ENTERPRISE, steward), project, world=world, why=why),)
    covering = [a for a in _agreements(project, world) if a.covers(project.purpose, max(day, project.starts))]
    if not covering or _is_low_risk(project, covering, world=world, day=day):
        why = "Low risk, and every owner lets such projects take this route" if covering else "No agreement covers it"
        return (_needed((Stage.DELEGATED, steward), project, world=world, why=why),)
    found: dict[tuple[Stage, str], Needed] = {}
    for agreement in covering:
        stage = agreement.approved_by
        organisation = steward if stage is Stage.ENTERPRISE else agreement.owner
        why = f"Agreement {agreement.id} is {agreement.owner}'s"
        if project.programme:
            why += f"; it goes beyond programme {project.programme} in {', '.join(beyond)}"
        found.setdefault((stage, organisation), _needed((stage, organisation), project, world=world, why=why))
        gateway = world.law.gateway(agreement.gateway)
        if gateway is not None and gateway.panel:
            why = f"{gateway.title} asks for it"
            panel = _needed((Stage.PANEL, gateway.panel), project, world=world, why=why)
            found.setdefault((Stage.PANEL, gateway.panel), panel)
    return tuple(found[key] for key in sorted(found, key=lambda k: (list(Stage).index(k[0]), k[1])))


def beyond_programme(project: Project, world: World, *, day: date) -> list[str]:
    """In what an analysis goes beyond its programme; empty for a variation that the programme covers."""
    programme = world.project(project.programme)
    if programme is None or not programme.is_programme or programme.id == project.id:
        return ["its programme, which is not on record"]
    beyond = []
    if programme.state is not ProjectState.APPROVED or day > programme.ends:
        beyond.append("its programme, which is not approved and in date")
    if project.purpose is not programme.purpose:
        beyond.append("purpose")
    if project.organisation != programme.organisation or project.sponsor != programme.sponsor:
        beyond.append("organisation or sponsor")
    if project.starts < programme.starts or project.ends > programme.ends:
        beyond.append("dates")
    beyond += [f"dataset {r.dataset}" for r in project.datasets if not _within(r, programme.request(r.dataset))]
    return beyond


def _within(asked: DatasetRequest, approved: DatasetRequest | None) -> bool:
    return (
        approved is not None and set(asked.columns) <= set(approved.columns) and set(asked.keys) <= set(approved.keys)
    )


def _is_low_risk(project: Project, covering: Iterable[Agreement], *, world: World, day: date) -> bool:
    """Its own assessment says so, every owner lets it, nobody buys the data, everybody is fully accredited."""
    levels = [standing(world.person(p), world, team=project.team, day=day)[0] for p in project.team]
    return (
        project.risk is Risk.LOW
        and not project.is_programme
        and all(a.low_risk and a.licence is None for a in covering)
        and all(level is Standing.FULL for level in levels)
    )


def _agreements(project: Project, world: World) -> list[Agreement]:
    datasets = dict.fromkeys(d for r in project.datasets for d in (r.dataset, *world.origins(r.dataset)))
    return [a for d in datasets for a in world.agreements_on(d)]


def _needed(who: tuple[Stage, str], project: Project, *, world: World, why: str) -> Needed:
    stage, organisation = who
    days = world.law.days.get(stage.value, DAYS[stage])
    return Needed(stage, organisation, _scope(who, project, world=world), days, why)


def _scope(who: tuple[Stage, str], project: Project, *, world: World) -> str:
    """Digest of the parts of an application that an approval is about; of its data, an owner's only its own."""
    stage, organisation = who
    asked: Sequence[DatasetRequest] = project.datasets
    if stage in (Stage.OWNER, Stage.REPRESENTATIVE):
        asked = [r for r in asked if organisation in _owners(r.dataset, world)]
    data = [bodies.write(r) for r in asked]
    if stage is Stage.PANEL:  # about what is brought together, and not about columns
        data = [[r.dataset, sorted(r.keys)] for r in asked]
    parts: dict[Part, object] = {
        Part.QUESTION: [project.purpose.value, project.title, project.aims, project.methods],
        Part.DATA: data,
        Part.TEAM: [project.lead, sorted(project.team)],
        Part.SPONSOR: [project.organisation, project.sponsor],
        Part.BENEFIT: project.public_benefit,
        Part.ETHICS: [project.ethics, project.risk.value],
        Part.DATES: [project.starts.isoformat(), project.ends.isoformat()],
    }
    programme = [project.is_programme, project.programme if stage in (Stage.ENTERPRISE, Stage.DELEGATED) else ""]
    return bodies.digest([programme, *({part.value: parts[part]} for part in SCOPES[stage])])


def _owners(dataset: str, world: World) -> set[str]:
    return {a.owner for d in (dataset, *world.origins(dataset)) for a in world.agreements_on(d)}


def objection(by: str, needed: Needed, *, project: Project, people: Sequence[Person]) -> str:
    """Why somebody may not give an approval; empty where they may.

    Nobody approves what they apply for. Where somebody on record holds the role for that organisation,
    only they may; as long as nobody does, an approver on record stands in, or whoever runs the service.
    """
    known = {p.id: p for p in people}
    person = known.get(by)
    if by in project.team or by == project.lead:
        return f"{by} is on the team of project {project.id} and cannot decide it"
    if person is not None and person.suspended:
        return f"{by} is suspended"
    if person is not None and _holds(person, needed):
        return ""
    holders = sorted(p.id for p in people if _holds(p, needed) and not p.suspended and p.id not in project.team)
    if holders:
        return f"It is for the {needed.told}: {', '.join(holders)}"
    if person is not None and Role.APPROVER not in person.roles:
        return f"{by} has not the role {Role.APPROVER.value}"
    return ""


def _holds(person: Person, needed: Needed) -> bool:
    approves = needed.stage in (Stage.OWNER, Stage.PANEL)
    role = Role.APPROVER if approves else Role.STEWARD
    return role in person.roles and needed.organisation in ("", person.organisation)
