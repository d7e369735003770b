"""Apply: projects, and the decision on one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from integrated_data.approve.decide import decide_project
from integrated_data.approve.documents import LIMITS_LIE, check_ids, read, require
from integrated_data.approve.route import objection, route
from integrated_data.control import approvals
from integrated_data.control import projects as records
from integrated_data.control.store import Store
from integrated_data.model.access import Decision, Person, Project, ProjectState, Reason, Rule, World
from integrated_data.model.agreement import Law
from integrated_data.model.approval import Approval, ApprovalState, Needed
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.twins import TWINS


def read_project(text: str) -> Project:
    """One application from YAML; it comes in as proposed, whatever it says."""
    project = read(Project, text, what="project")
    check_project(project)
    return project


def check_project(project: Project) -> None:
    """Refuse an application that contradicts itself."""
    check_ids("project", id=project.id, lead=project.lead)
    whole = f"Project {project.id}"
    require(project.id != TWINS, f"{whole} has the name of the synthetic twins", next_step="Choose another id")
    require(
        project.state is ProjectState.PROPOSED,
        f"{whole} is written as {project.state.value}",
        next_step="Leave field state out: a decision sets it",
    )
    require(project.starts <= project.ends, f"{whole} ends before it starts", next_step="Correct its dates")
    require(
        project.lead in project.team,
        f"{whole}: the lead is not on the team",
        next_step="Add the lead to field team",
    )
    require(
        not project.programme or (not project.is_programme and project.programme != project.id),
        f"{whole} is a programme under a programme, or under itself",
        next_step="Leave field programme out, or apply for an analysis",
    )
    require(project.limits.sensible, f"{whole} has a limit that no output can be held to", next_step=LIMITS_LIE)
    _check_pins(project)
    names = [r.dataset for r in project.datasets]
    require(bool(names), f"{whole} asks for no dataset", next_step="Name what it needs in field datasets")
    views = {name.replace("-", "_").lower() for name in names}
    require(len(views) == len(names), f"{whole} names a dataset twice", next_step="Ask for each dataset once")
    for request in project.datasets:
        check_ids("project", dataset=request.dataset)
        require(
            bool(request.columns or request.keys),
            f"{whole} asks for dataset {request.dataset} without a column",
            next_step="Name the columns it needs",
        )
        asked = [*(c.lower() for c in request.columns), *(f"{k}_key".lower() for k in request.keys)]
        require(
            len(set(asked)) == len(asked),
            f"{whole} asks for a column of dataset {request.dataset} twice",
            next_step="Name every column and key once",
        )
        window = request.window
        require(
            all(r.values for r in request.rows) and (window is None or window.starts <= window.ends),
            f"{whole} asks for no row of dataset {request.dataset}",
            next_step="Name values in field rows; let field window start before it ends",
        )


def _check_pins(project: Project) -> None:
    whole = f"Project {project.id}"
    require(
        not project.index_versions or project.as_at is None,
        f"{whole} pins index versions and names a day as well",
        next_step="Keep field index_versions or field as_at",
    )
    for index, version in project.index_versions.items():
        check_ids("project", index_versions=index)
        require(
            version >= 1,
            f"{whole} pins an index to a version below 1",
            next_step="Name a version that ids reference show lists",
        )


def propose(store: Store, project: Project, *, law: Law, by: str) -> list[Approval]:
    """Write an application down, or its amendment, and ask for the approvals it needs; returns all of its approvals.

    An amendment opens those again that are about what it changed, and the rest stand (`model.approval.SCOPES`).
    """
    if project.programme:
        _check_programme(store, project)
    records.add_project(store, project, by=by)
    found, world = _facts(store, project.id, law=law)
    approvals.ask(store, project.id, needed=route(found, world, day=store.now().date()), by=by)
    with store.read() as connection:
        return approvals.of_project(connection, project.id)


def extend(store: Store, project: str, *, until: date, law: Law, by: str) -> list[Approval]:
    """Ask for a project to run longer: an amendment of its last day alone."""
    with store.read() as connection:
        found = records.get_project(connection, project)
    require(
        until > found.ends,
        f"Project {project} runs until {found.ends} already",
        next_step="Name a later day, or close it: ids project close",
    )
    return propose(store, replace(found, ends=until, state=ProjectState.PROPOSED), law=law, by=by)


def _check_programme(store: Store, project: Project) -> None:
    with store.read() as connection:
        programme = records.get_project(connection, project.programme)
    require(
        programme.is_programme,
        f"Project {project.programme} is no programme",
        next_step="Name one that was applied for with is_programme: true, or leave field programme out",
    )


def _facts(store: Store, project: str, *, law: Law) -> tuple[Project, World]:
    with store.read() as connection:
        found = records.get_project(connection, project)
        named = (project, found.programme) if found.programme else (project,)
        return found, records.world(connection, law, projects=named)


def decide(store: Store, project: str, *, law: Law, by: str, refuse: str = "") -> Decision:
    """Decide a project: what the rules say, and then the approvals that are `by`'s to give.

    A refusal is written down at once. Where the rules hold, every approval that `by` may give is given; with
    the last one the project is approved. Until then the answer names what it waits for, and nothing is
    granted. Nobody on its team decides. `refuse` is a person's own reason to refuse what the rules would
    allow; no reason makes a person able to allow what they refuse.
    """
    found, world = _facts(store, project, law=law)
    with store.read() as connection:
        people = records.people(connection)
    if by in found.team:
        raise AgreementRefusal(
            f"{by} is on the team of project {project} and cannot decide it",
            next_step="Have somebody outside the team decide",
        )
    if found.state is ProjectState.CLOSED:
        raise AgreementRefusal(f"Project {project} is closed", next_step="Apply for a new project")
    needed = route(found, world, day=store.now().date())
    approvals.ask(store, project, needed=needed, by=by)
    mine = _own(store, found, by=by, people=people, needed=needed)
    decision = decide_project(found, world, at=store.now())
    if refuse:
        decision = _refused(decision, project, by=by, reason=refuse)
    if refuse or decision.allowed:
        for approval in mine:
            approvals.decide(store, approval, given=not refuse, by=by, reason=refuse)
    with store.read() as connection:
        waiting = [a for a in approvals.of_project(connection, project) if a.state is ApprovalState.OPEN]
    if decision.allowed and waiting:
        return _waiting(decision, project, waiting=waiting)
    records.record_decision(store, project, decision=decision, by=by)
    return decision


def _own(
    store: Store, project: Project, *, by: str, people: Sequence[Person], needed: Sequence[Needed]
) -> list[Approval]:
    """The open approvals that somebody may give; refuses who may give none of those that the project needs."""
    against = {n: objection(by, n, project=project, people=people) for n in needed}
    with store.read() as connection:
        opened = [a for a in approvals.of_project(connection, project.id) if a.state is ApprovalState.OPEN]
    mine = [a for a in opened if not objection(by, a.needed, project=project, people=people)]
    if (opened and not mine) or all(against.values()):
        raise AgreementRefusal(
            f"{by} may give none of the approvals that project {project.id} waits for",
            why=". ".join(dict.fromkeys(text for text in against.values() if text)),
            next_step=f"See who may: ids project show {project.id}",
        )
    return mine


def _waiting(decision: Decision, project: str, *, waiting: Sequence[Approval]) -> Decision:
    """The same findings, and for each approval that is still to come one against."""
    change = f"Have it given: ids project decide {project} --as PERSON"
    against = tuple(
        Reason(Rule.APPROVALS, f"project {project}", f"The {a.needed.told} has not approved yet", change)
        for a in waiting
    )
    return replace(decision, allowed=False, reasons_against=against, agreements=(), until=None)


def _refused(decision: Decision, project: str, *, by: str, reason: str) -> Decision:
    against = Reason(Rule.APPROVER, f"project {project}", f"{by} refuses: {reason}", "Answer the reason, apply again")
    return replace(
        decision,
        allowed=False,
        reasons_against=(*decision.reasons_against, against),
        agreements=(),
        until=None,
    )
