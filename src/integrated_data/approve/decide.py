"""The decision: one pure, total function over what is on record; deny by default.

`RULES` and `DATASET_RULES` are asked in order. Each looks at one fact and answers with a finding for or
against, or with None where an earlier rule has already found the fact missing; only a full set of
findings for allows. What an agreement permits is asked in `approve/permit.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import reduce

from integrated_data.approve.findings import About, Case
from integrated_data.approve.permit import agreements_for
from integrated_data.model.access import AccessRequest, Decision, Project, ProjectState, Reason, Rule, World
from integrated_data.model.agreement import Agreement, Conditions
from integrated_data.model.freezing import Frozen
from integrated_data.model.shaping import strictest

#: Changes whenever a rule is added, removed or means something else.
POLICY = "5"


def decide(request: AccessRequest, world: World, *, at: datetime) -> Decision:
    """Allow or refuse `request` at the moment `at`, with every reason; never raises."""
    case = Case(request, world, world.person(request.person), world.project(request.project), at.date())
    findings: list[Reason | None] = [rule(case) for rule in RULES]
    agreements: list[Agreement] = []
    if request.dataset is not None:
        findings += [rule(case) for rule in DATASET_RULES]
        agreements, about = agreements_for(case)
        findings += about
    spoken = [f for f in findings if f is not None]
    favourable = [f for f in spoken if f.holds]
    allowed = len(favourable) == len(findings)
    conditions = reduce(Conditions.strictest, {a.conditions: None for a in agreements}, Conditions())
    lasts = [f.until for f in favourable if f.until is not None]
    return Decision(
        allowed,
        tuple(favourable),
        tuple(f for f in spoken if not f.holds),
        policy_version(world),
        at,
        tuple(a.id for a in agreements) if allowed else (),
        conditions,
        min(lasts, default=None) if allowed else None,
        strictest(a.coarsen for a in agreements) if any(a.coarsen for a in agreements) else {},
    )


def policy_version(world: World) -> str:
    """Names the rules and the law that a decision was made under."""
    return f"{POLICY}/{world.law.country} {world.law.version}"


def _person_known(case: Case) -> Reason:
    about = About(Rule.PERSON_KNOWN, f"person {case.request.person}")
    if case.person is None:
        return about.fails("This person is not on record", "Add the person: ids person add FILE")
    return about.holds("The person is on record")


def _person_active(case: Case) -> Reason | None:
    if case.person is None:
        return None
    about = About(Rule.PERSON_ACTIVE, f"person {case.person.id}")
    if case.person.suspended:
        return about.fails("The person's access is suspended", "Lift the suspension of the person")
    return about.holds("The person is not suspended")


def _person_not_frozen(case: Case) -> Reason:
    about = About(Rule.PERSON_NOT_FROZEN, f"person {case.request.person}")
    freeze = case.world.freeze(Frozen.PERSON, case.request.person)
    return about.holds("The person is not frozen") if freeze is None else about.fails(freeze.told, freeze.change)


def _project_known(case: Case) -> Reason:
    about = About(Rule.PROJECT_KNOWN, f"project {case.request.project}")
    if case.project is None:
        return about.fails("This project is not on record", "Apply for it: ids project add FILE")
    return about.holds("The project is on record")


def _project_approved(case: Case) -> Reason | None:
    if case.project is None:
        return None
    about, state = About(Rule.PROJECT_APPROVED, f"project {case.project.id}"), case.project.state
    if state is ProjectState.CLOSED:
        return about.fails("The project is closed", "Apply for a new project")
    if state is not ProjectState.APPROVED:
        return about.fails(
            f"The project is {state.value}, not approved",
            f"Have it decided: ids project decide {case.project.id}",
        )
    return about.holds("The project is approved")


def _project_in_date(case: Case) -> Reason | None:
    if case.project is None:
        return None
    project, about = case.project, About(Rule.PROJECT_IN_DATE, f"project {case.project.id}")
    if case.day < project.starts:
        return about.fails(f"The project starts on {project.starts}", "Wait for its first day, or amend its dates")
    if case.day > project.ends:
        return about.fails(f"The project ended on {project.ends}", "Extend the project and have it decided again")
    return about.holds(f"The project runs until {project.ends}", until=project.ends)


def _on_team(case: Case) -> Reason | None:
    if case.project is None:
        return None
    about = About(Rule.ON_TEAM, f"person {case.request.person}")
    if case.request.person not in case.project.team:
        text = f"The person is not on the team of project {case.project.id}"
        return about.fails(text, f"Ask the lead, {case.project.lead}, to amend the team")
    return about.holds(f"The person is on the team of project {case.project.id}")


def _purpose(case: Case) -> Reason | None:
    if case.project is None:
        return None
    asked, given = case.request.purpose, case.project.purpose
    about = About(Rule.PURPOSE, f"project {case.project.id}")
    if asked is not given:
        text = f"The request is for {asked.value}, the project is for {given.value}; purposes do not mix"
        return about.fails(text, f"Apply for a project of its own for {asked.value}")
    return about.holds(f"The request and the project are for {given.value}")


def _dataset_applied_for(case: Case) -> Reason | None:
    if case.project is None:
        return None
    about = About(Rule.DATASET_APPLIED_FOR, f"dataset {case.request.dataset}")
    if case.project.request(case.request.dataset or "") is None:
        text = f"Project {case.project.id} did not apply for this dataset"
        return about.fails(text, "Amend the project and have it decided again")
    return about.holds(f"Project {case.project.id} applied for the dataset")


def _dataset_not_frozen(case: Case) -> Reason:
    dataset = case.request.dataset or ""
    about = About(Rule.DATASET_NOT_FROZEN, f"dataset {dataset}")
    freeze = case.world.freeze(Frozen.DATASET, dataset, *case.world.origins(dataset)) if case.world.frozen else None
    if freeze is None:
        return about.holds("Neither the dataset nor what it is derived from is frozen")
    return about.fails(freeze.told, freeze.change)


def _columns_applied_for(case: Case) -> Reason | None:
    applied = case.project.request(case.request.dataset or "") if case.project is not None else None
    if case.project is None or applied is None:
        return None
    about = About(Rule.COLUMNS_APPLIED_FOR, f"dataset {case.request.dataset}")
    missing = [c for c in case.request.columns if c not in applied.used]
    missing += [f"{k}_key" for k in case.request.keys if k not in applied.keys]
    if missing:
        text = f"Project {case.project.id} did not apply for: {', '.join(missing)}"
        return about.fails(text, "Amend the project and have it decided again")
    return about.holds("Every column was applied for")


_Rules = tuple[Callable[[Case], Reason | None], ...]

#: Asked of every request, in order.
RULES: _Rules = (
    _person_known, _person_active, _person_not_frozen, _project_known, _project_approved, _project_in_date, _on_team,
    _purpose,
)  # fmt: skip

#: Asked of every request that names a dataset.
DATASET_RULES: _Rules = (_dataset_applied_for, _dataset_not_frozen, _columns_applied_for)


def decide_project(project: Project, world: World, *, at: datetime) -> Decision:
    """Whether a project may be approved: every member, every dataset, as if it were approved.

    A project that starts later is judged on its first day.
    """
    first = max(at.date(), project.starts)
    moment = at if first == at.date() else datetime.combine(first, at.timetz())
    others = tuple(p for p in world.projects if p.id != project.id)
    approved = replace(world, projects=(*others, replace(project, state=ProjectState.APPROVED)))
    every = [
        decide(
            AccessRequest(person, project.id, project.purpose, asked.dataset, asked.used, asked.keys),
            approved,
            at=moment,
        )
        for asked in project.datasets
        for person in project.team
    ]
    return _together(_application(project), every, version=policy_version(world), at=at)


def _application(project: Project) -> Reason:
    about = About(Rule.PROJECT_KNOWN, f"project {project.id}")
    if not project.team or not project.datasets or project.lead not in project.team:
        return about.fails("The application names no team with its lead, or no dataset", "Complete the application")
    return about.holds("The application names its team and its datasets")


def _together(complete: Reason, every: Sequence[Decision], *, version: str, at: datetime) -> Decision:
    """Many decisions as one: allowed where all are, with each reason once and the strictest conditions."""
    own_for, own_against = ((complete,), ()) if complete.holds else ((), (complete,))
    allowed = complete.holds and all(d.allowed for d in every)
    lasts: list[date] = [d.until for d in every if d.until is not None]
    return Decision(
        allowed,
        tuple(dict.fromkeys([*own_for, *(r for d in every for r in d.reasons_for)])),
        tuple(dict.fromkeys([*own_against, *(r for d in every for r in d.reasons_against)])),
        version,
        at,
        tuple(dict.fromkeys(a for d in every for a in d.agreements)) if allowed else (),
        reduce(Conditions.strictest, (d.conditions for d in every), Conditions()),
        min(lasts, default=None) if allowed else None,
    )
