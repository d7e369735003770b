"""Apply: projects, and the decision on one."""

from dataclasses import replace

from integrated_data.approve.decide import decide_project
from integrated_data.approve.documents import check_ids, read, require
from integrated_data.control import projects as records
from integrated_data.control.store import Store
from integrated_data.model.access import Decision, Project, ProjectState, Reason, Rule
from integrated_data.model.agreement import Law
from integrated_data.model.errors import AgreementRefusal


def read_project(text: str) -> Project:
    """One application from YAML; it comes in as proposed, whatever it says."""
    project = read(Project, text, what="project")
    check_project(project)
    return project


def check_project(project: Project) -> None:
    """Refuse an application that contradicts itself."""
    check_ids("project", id=project.id, lead=project.lead)
    whole = f"Project {project.id}"
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


def decide(store: Store, project: str, *, law: Law, by: str, refuse: str = "") -> Decision:
    """Decide a project and write the decision down: approved where every rule holds, else refused.

    `by` is who signs for it, and may not be on its team. `refuse` is a person's own reason to
    refuse what the rules would allow; no reason makes a person able to allow what they refuse.
    """
    with store.read() as connection:
        found = records.get_project(connection, project)
        world = records.world(connection, law, projects=(project,))
    if by in found.team:
        raise AgreementRefusal(
            f"{by} is on the team of project {project} and cannot decide it",
            next_step="Have somebody outside the team decide",
        )
    if found.state is ProjectState.CLOSED:
        raise AgreementRefusal(f"Project {project} is closed", next_step="Apply for a new project")
    decision = decide_project(found, world, at=store.now())
    if refuse:
        decision = _refused(decision, project, by=by, reason=refuse)
    records.record_decision(store, project, decision=decision, by=by)
    return decision


def _refused(decision: Decision, project: str, *, by: str, reason: str) -> Decision:
    against = Reason(Rule.APPROVER, f"project {project}", f"{by} refuses: {reason}", "Answer the reason, apply again")
    return replace(
        decision,
        allowed=False,
        reasons_against=(*decision.reasons_against, against),
        agreements=(),
        until=None,
    )
