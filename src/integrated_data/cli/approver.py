"""What an approver does: agreements, people, projects, and the decision with its reasons."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store, places_of
from integrated_data.control import approvals, bodies, frameworks, grants, projects
from integrated_data.model.access import Decision, Rule
from integrated_data.model.approval import Approval
from integrated_data.model.errors import AgreementRefusal

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A YAML document; see examples/.")]

agreement = typer.Typer(help="Agreements: what an owner lets be done with a dataset.", no_args_is_help=True)
person = typer.Typer(help="People and their accreditation.", no_args_is_help=True)
project = typer.Typer(help="Projects: apply, decide, provision, close.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the approver's commands."""
    app.add_typer(agreement, name="agreement")
    app.add_typer(person, name="person")
    app.add_typer(project, name="project")


@agreement.command("add")
@taking
def agreement_add(file: File, call: Call) -> None:
    """Add an agreement, a framework, or an annex that adds a dataset to one; or a new state of it."""
    from integrated_data.site import agreeing
    from integrated_data.site.projects import reshape

    with opened_loading(call.home) as site:
        added = agreeing.add(site.places, site.store, text=files.text_of(file), by=call.actor)
        added["copies_made_anew"] = reshape(site, by=call.actor)
    shown.facts(added, title=f"{added['kind'].capitalize()} added", json_out=call.json)


@agreement.command("law")
@taking
def agreement_law(call: Call) -> None:
    """Show the law that agreements rest on."""
    from integrated_data.site import agreeing

    shown.facts(bodies.write(agreeing.law_of(places_of(call.home))), title="The law", json_out=call.json)


@agreement.command("set-law")
@taking
def agreement_set_law(file: File, call: Call) -> None:
    """Put another country's law to use; see examples/law_finland.yaml."""
    from integrated_data.site import agreeing

    with opened_store(call.home) as (places, store):
        put = agreeing.set_law(places, store, text=files.text_of(file), by=call.actor)
    shown.facts(put, title="The law", json_out=call.json)


@agreement.command("enforce")
@taking
def agreement_enforce(call: Call) -> None:
    """Close grants whose agreement or project has ended; name what is past its retention, and outputs that used it.

    Scratch tables that are past their day, or were made from copies that are gone, are deleted.
    """
    from integrated_data.site import agreeing, concerned, scratching

    with opened_store(call.home) as (places, store):
        closed = agreeing.close_ended(store, places.projects, by=call.actor)
        overdue = agreeing.past_retention(store)
        told = concerned.tell(store, by=call.actor)
        swept = scratching.sweep(places, store, by=call.actor)
    if call.json:
        shown.document({"closed": closed, "past_retention": overdue, "use_ended": told, "scratch_deleted": swept})
        return
    shown.table(closed, title="Grants closed")
    shown.table(overdue, title="Past retention: their data may no longer be held")
    shown.table(told, title="Outputs that used what may be used no more")
    shown.table(swept, title="Scratch tables deleted")


@agreement.command("list")
@taking
def agreement_list(call: Call) -> None:
    """List agreements."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = projects.agreements(connection)
    rows = [
        {"id": a.id, "dataset": a.dataset, "owner": a.owner, "gateway": a.gateway, "starts": str(a.starts),
         "ends": str(a.ends), "suspended": a.suspended, "framework": a.framework}
        for a in known
    ]  # fmt: skip
    shown.table(rows, title="Agreements", json_out=call.json)


@agreement.command("frameworks")
@taking
def agreement_frameworks(call: Call) -> None:
    """List frameworks, and the datasets that annexes add to them."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = frameworks.known(connection)
        agreed = projects.agreements(connection)
    rows = [
        {"id": f.id, "owner": f.owner, "gateway": f.gateway, "starts": str(f.starts), "ends": str(f.ends),
         "suspended": f.suspended, "under": f.under, "datasets": [a.dataset for a in agreed if a.framework == f.id]}
        for f in known.values()
    ]  # fmt: skip
    shown.table(rows, title="Frameworks", json_out=call.json)


@agreement.command("show")
@taking
def agreement_show(agreement_id: str, call: Call) -> None:
    """Show one agreement."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        found = projects.get_agreement(connection, agreement_id)
    shown.facts(bodies.write(found), title=f"Agreement {agreement_id}", json_out=call.json)


@person.command("add")
@taking
def person_add(file: File, call: Call) -> None:
    """Add a person, or a new state of their accreditation."""
    from integrated_data.approve import accredit

    with opened_store(call.home) as (_, store):
        read = accredit.read_person(files.text_of(file))
        call.acting.check_not_own(read.id)
        projects.add_person(store, read, by=call.actor)
    shown.facts(bodies.write(read), title="Person added", json_out=call.json)


@person.command("list")
@taking
def person_list(call: Call) -> None:
    """List people."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = projects.people(connection)
    shown.table([_flat(bodies.write(p)) for p in known], title="People", json_out=call.json)


@person.command("show")
@taking
def person_show(person_id: str, call: Call) -> None:
    """Show one person."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        found = projects.get_person(connection, person_id)
    shown.facts(bodies.write(found), title=f"Person {person_id}", json_out=call.json)


@project.command("add")
@taking
def project_add(file: File, call: Call) -> None:
    """Apply for a project."""
    _propose(file, call, amend=False)


@project.command("amend")
@taking
def project_amend(file: File, call: Call) -> None:
    """Apply to change a project; it must be decided again before it can be queried again."""
    _propose(file, call, amend=True)


@project.command("extend")
@taking
def project_extend(
    project_id: str,
    *,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Its new last day.")],
    call: Call,
) -> None:
    """Apply for a project to run longer; approvals that are about its dates are asked for again."""
    from integrated_data.approve import apply
    from integrated_data.site.agreeing import law_of

    with opened_store(call.home) as (places, store):
        with store.read() as connection:
            call.acting.check_team(projects.get_project(connection, project_id).team)
        found = apply.extend(store, project_id, until=until.date(), law=law_of(places), by=call.actor)
        rows = _approvals(found, store.now())
    shown.table(rows, title="Approvals", json_out=call.json)


def _approvals(found: Sequence[Approval], now: datetime) -> list[dict[str, Any]]:
    """Approvals with their clocks."""
    return [
        {
            "stage": a.needed.stage.value, "organisation": a.needed.organisation, "state": a.state.value, "by": a.by,
            "asked": a.asked_at.date().isoformat(), "days_taken": round(a.taken(now), 1),
            "days_allowed": a.needed.days, "late": a.late(now), "reason": a.reason or a.needed.why,
        }
        for a in found
    ]  # fmt: skip


def _propose(file: Path, call: Call, *, amend: bool) -> None:
    from integrated_data.approve import apply
    from integrated_data.site.agreeing import law_of

    with opened_store(call.home) as (places, store):
        read = apply.read_project(files.text_of(file))
        with store.read() as connection:
            known = {p.id: p.team for p in projects.projects(connection)}
        call.acting.check_team(read.team, known.get(read.id, read.team))
        if (read.id in known) is not amend:
            raise AgreementRefusal(
                f"Project {read.id} is {'not there yet' if amend else 'there already'}",
                next_step=f"Use: ids project {'add' if amend else 'amend'} FILE",
            )
        found = apply.propose(store, read, law=law_of(places), by=call.actor)
        body = bodies.write(read) | {"approvals": _approvals(found, store.now())}
    shown.facts(body, title="Project proposed", json_out=call.json)


@project.command("list")
@taking
def project_list(call: Call) -> None:
    """List projects."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = projects.projects(connection)
        waiting = approvals.open_approvals(connection)
    rows = [
        {"id": p.id, "title": p.title, "purpose": str(p.purpose), "state": str(p.state), "lead": p.lead,
         "starts": str(p.starts), "ends": str(p.ends), "datasets": [d.dataset for d in p.datasets],
         "waits_for": [a.needed.told for a in waiting if a.project == p.id]}
        for p in known
    ]  # fmt: skip
    shown.table(rows, title="Projects", json_out=call.json)


@project.command("show")
@taking
def project_show(project_id: str, call: Call) -> None:
    """Show one project, whose approvals it has and waits for, its decisions and what was provisioned for it."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        found = projects.get_project(connection, project_id)
        decided = projects.decisions(connection, project_id)
        active = grants.active(connection, project=project_id)
        asked = approvals.of_project(connection, project_id)
        now = store.now()
    body = bodies.write(found)
    body["approvals"] = _approvals(asked, now)
    body["decisions"] = [{"decision": n, "by": by, "allowed": d.allowed} for n, by, d in decided]
    body["grants"] = [
        {
            "view": g.view,
            "release": g.release,
            "rows": g.rows,
            "bytes": g.bytes,
            "seconds": g.seconds,
            "versions": dict(g.versions),
            "linked_later_without_key": dict(g.without_key),
        }
        for g in active
    ]
    if call.json:
        shown.document(body)
        return
    parts = {name: body.pop(name) for name in ("approvals", "decisions", "grants")}
    shown.facts(body, title=f"Project {project_id}")
    for name, rows in parts.items():
        shown.table(rows, title=name.capitalize())


@project.command("decide")
@taking
def project_decide(
    project_id: str,
    *,
    refuse: Annotated[str, typer.Option(help="Refuse whatever the rules say, for this reason.")] = "",
    call: Call,
) -> None:
    """Give the approvals that are yours to give, with every reason; the last one makes the project's views at once."""
    from integrated_data.site.projects import decide_and_provision

    with opened_loading(call.home) as site:
        decision, made = decide_and_provision(site, project_id, by=call.actor, refuse=refuse)
    _show_decision(decision, made, json=call.json)
    if not decision.allowed and not _is_waiting(decision):
        raise typer.Exit(1)


@project.command("close")
@taking
def project_close(project_id: str, call: Call) -> None:
    """Close a project: its files are deleted and its keys destroyed."""
    from integrated_data.site.projects import close

    with opened_loading(call.home) as site:
        closed = close(site, project_id, by=call.actor)
    shown.facts(closed, title="Project closed", json_out=call.json)


@project.command("rotate-keys")
@taking
def project_rotate_keys(project_id: str, call: Call) -> None:
    """Give a project new keys: its copies are made anew together, and the old key is destroyed."""
    from integrated_data.site.projects import rotate_keys

    with opened_loading(call.home) as site:
        rotated = rotate_keys(site, project_id, by=call.actor)
    shown.facts(rotated, title="Keys rotated", json_out=call.json)


def _is_waiting(decision: Decision) -> bool:
    """Whether the rules hold and what was given is on record, but other approvals are still to come."""
    return any(reason.rule is Rule.APPROVALS for reason in decision.reasons_against)


def _show_decision(decision: Decision, made: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        shown.document({"decision": bodies.write(decision), "grants": made})
        return
    marked = [("yes", r) for r in decision.reasons_for] + [("no", r) for r in decision.reasons_against]
    shown.table(
        [{"holds": holds, "rule": str(r.rule), "subject": r.subject, "reason": r.text} for holds, r in marked],
        title="Allowed" if decision.allowed else "Waiting for approvals" if _is_waiting(decision) else "Refused",
    )
    if decision.changes:
        shown.table([{"what_would_change_it": c} for c in decision.changes])
    if made:
        shown.table(made, title="Views provisioned")


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    return {k: v for key, value in body.items() for k, v in _pairs(key, value)}


def _pairs(key: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{key}_{inner}", v) for inner, v in value.items()]
    return [(key, value)]
