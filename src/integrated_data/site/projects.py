"""Projects on the loading side: decide, provision what was decided, refresh, close."""

from collections.abc import Sequence
from typing import Any

from integrated_data.access.shelf import Shelf
from integrated_data.approve import apply, provision
from integrated_data.approve.coarsen import check_shape
from integrated_data.approve.permit import coarsening
from integrated_data.control import freezes, grants, projects, releases
from integrated_data.control.releases import Release
from integrated_data.deidentify.keys import project_tokens
from integrated_data.journey import resolving
from integrated_data.model.access import DatasetRequest, Decision, Grant, Project, ProjectState, Rule
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event
from integrated_data.model.shaping import Coarsening
from integrated_data.site import ledgering
from integrated_data.site.agreeing import law_of
from integrated_data.site.loading import LoadingSite
from integrated_data.site.subjects import leaving


def decide_and_provision(
    site: LoadingSite, project: str, *, by: str, refuse: str = ""
) -> tuple[Decision, list[dict[str, Any]]]:
    """Decide a project; when it is allowed, provision every dataset it asked for.

    What cannot be provisioned is not decided: a project is approved with its views or not at all.
    """
    if not refuse:
        _check_not_frozen(site, project)
        _check_published(site, project)
    decision = apply.decide(site.store, project, law=law_of(site.places), by=by, refuse=refuse)
    if any(reason.rule is Rule.APPROVALS for reason in decision.reasons_against):
        return decision, []  # nothing of it is granted yet, and nothing that was is taken away
    if not decision.allowed:
        provision.revoke(site.store, project, folder=site.places.projects, by=by, reason="the project was refused")
        Shelf(site.places.projects).destroy(project)
        return decision, []
    with site.store.read() as connection:
        approved = projects.get_project(connection, project)
    if approved.is_programme:
        return decision, []
    return decision, [cost(grant) for grant in provision_project(site, approved, requests=approved.datasets, by=by)]


def _check_not_frozen(site: LoadingSite, project: str) -> None:
    """Refuse to decide while a dataset or a member is frozen: a refusal would take away what others hold."""
    with site.store.read() as connection:
        asking = projects.get_project(connection, project)
        datasets = [r.dataset for r in asking.datasets]
        freezes.check(connection, f"Project {project} is not decided now", datasets=datasets, people=asking.team)


def _frozen(site: LoadingSite, dataset: str) -> bool:
    with site.store.read() as connection:
        return freezes.against(connection, datasets=(dataset,)) is not None


def _check_published(site: LoadingSite, project: str) -> None:
    """Refuse while a dataset that the project asks for, one of its columns, or a pinned version is not there."""
    with site.store.read() as connection:
        asking = projects.get_project(connection, project)
        found = [(request, releases.get(connection, request.dataset)) for request in asking.datasets]
    resolving.check_pins(site.store, site.seats, project=asking)
    for request, release in found:
        order = provision.Order(project, request, release.id, ())
        types = {v["name"]: v["type"] for v in release.entry["variables"]}
        provision.view_columns(order, list(types))
        check_shape(request, _coarsening(site, asking, dataset=request.dataset), types=types)


def provision_project(
    site: LoadingSite, project: Project, *, requests: Sequence[DatasetRequest], by: str
) -> tuple[Grant, ...]:
    """Make a project's copies of the newest releases of datasets, and open them together."""
    generation = generation_of(site, project.id)
    return _provision(site, project, requests=requests, generation=generation, by=by)


def _provision(
    site: LoadingSite, project: Project, *, requests: Sequence[DatasetRequest], generation: int, by: str
) -> tuple[Grant, ...]:
    orders = [_order(site, project, request=request, generation=generation) for request in requests]
    made = project_tokens(site.vault, project.id, generation=generation)
    tokens, folder = ledgering.Remembering(made), site.places.projects
    grants = provision.provision_all(site.engine, tokens, orders=orders, folder=folder, store=site.store, by=by)
    ledgering.number(site.places, site.sealer, project=project.id, made=tokens)
    return grants


def _order(
    site: LoadingSite, project: Project, *, request: DatasetRequest, generation: int, release: Release | None = None
) -> provision.Order:
    if release is None:
        with site.store.read() as connection:
            release = releases.get(connection, request.dataset)
    files = site.lake.files(release.dataset, release.snapshot)
    answers = resolving.answers(site.workshop, project, request=request, files=files)
    coarsen = _coarsening(site, project, dataset=request.dataset)
    purpose = str(project.purpose)
    left_out = leaving.left_out(site, release.dataset, purpose=purpose, files=files)
    edition = leaving.edition(site, release.dataset, purpose=purpose)
    return provision.Order(
        project.id, request, release.id, files, answers, coarsen, generation, left_out, edition
    )  # fmt: skip


def provision_earlier(site: LoadingSite, project: Project, *, release: Release, by: str) -> Grant:
    """Make a project's copy of an earlier release of a dataset that it holds, with the keys of its other copies.

    Refuses one that was linked only after the index version that the project pins.
    """
    request = project.request(release.dataset)
    if request is None:
        raise AgreementRefusal(
            f"Project {project.id} does not hold dataset {release.dataset}", next_step="See what it applied for: "
            f"ids project show {project.id}",
        )  # fmt: skip
    generation = generation_of(site, project.id)
    order = _order(site, project, request=request, generation=generation, release=release)
    if resolving.kept_back(site.seats, project, found=order.answers):
        raise AgreementRefusal(
            f"Release {release.id} of dataset {release.dataset} was linked later than the version that project "
            f"{project.id} pins", next_step="Name another release, or have the pin amended",
        )  # fmt: skip
    tokens = ledgering.Remembering(project_tokens(site.vault, project.id, generation=generation))
    folder = site.places.projects
    grant = provision.provision_earlier(site.engine, tokens, order=order, folder=folder, store=site.store, by=by)
    ledgering.number(site.places, site.sealer, project=project.id, made=tokens)
    return grant


def _coarsening(site: LoadingSite, project: Project, *, dataset: str) -> dict[str, Coarsening]:
    with site.store.read() as connection:
        world = projects.world(connection, law_of(site.places), projects=(project.id,))
    return coarsening(project, dataset, world=world, day=max(site.store.now().date(), project.starts))


def generation_of(site: LoadingSite, project: str) -> int:
    """The generation of a project's key: that of the copies it holds; without any, the last there is, or 1."""
    with site.store.read() as connection:
        held = [g.generation for g in grants.active(connection, project=project)]
    return max(held or site.vault.generations(project), default=1)


def refresh(site: LoadingSite, dataset: str, *, by: str) -> list[dict[str, Any]]:
    """After a new release: renew the copies of every project that holds the dataset.

    A project that pins index versions keeps its copy where the new release was linked later: it would
    come without keys.
    """
    with site.store.read() as connection:
        release = releases.get(connection, dataset)
        renewals = provision.renewals(site.store, dataset, release=release.id)
        held = [(projects.get_project(connection, project), request) for project, request in renewals]
    done: list[dict[str, Any]] = []
    if held and _frozen(site, dataset):
        return [{"project": p.id, "dataset": dataset, "kept": "the dataset is frozen"} for p, _ in held]
    for project, request in held:
        order = _order(site, project, request=request, generation=generation_of(site, project.id))
        if resolving.kept_back(site.seats, project, found=order.answers):
            done.append({"project": project.id, "dataset": dataset, "kept": "linked later than the version it pins"})
            continue
        made = provision_project(site, project, requests=[request], by=by)
        done += [{"project": project.id, **cost(grant)} for grant in made]
    return done


def reshape(site: LoadingSite, *, by: str) -> list[dict[str, Any]]:
    """After agreements changed: make the copies anew that are no longer as coarse, or coarser, than agreed.

    Until then the gateway answers no query over a copy that is not coarse enough. Where nothing changed,
    nothing is made.
    """
    with site.store.read() as connection:
        held = grants.active(connection)
        known = {p.id: p for p in projects.projects(connection)}
    made: list[dict[str, Any]] = []
    for grant in held:
        project, request = known[grant.project], known[grant.project].request(grant.dataset)
        if project.state is not ProjectState.APPROVED or request is None or _frozen(site, grant.dataset):
            continue
        asked = _coarsening(site, project, dataset=grant.dataset)
        if {c: rule for c, rule in asked.items() if c in request.columns} != grant.coarsen:
            made += [
                {"project": project.id, **cost(g)} for g in provision_project(site, project, requests=[request], by=by)
            ]
    return made


def rotate_keys(site: LoadingSite, project: str, *, by: str) -> dict[str, Any]:
    """Give a project another key: all of its copies are made anew and opened together, then the old key is destroyed.

    A rotation that is killed leaves the old copies and key in use; what it made is swept away.
    """
    with site.store.read() as connection:
        found = projects.get_project(connection, project)
        held = {g.dataset for g in grants.active(connection, project=project)}
    if found.state is not ProjectState.APPROVED or not held:
        raise AgreementRefusal(
            f"Project {project} is {found.state.value} and holds {len(held)} copies: there is no key to rotate",
            next_step="Have it decided first: ids project decide",
        )
    old = generation_of(site, project)
    requests = [r for r in found.datasets if r.dataset in held]
    made = _provision(site, found, requests=requests, generation=old + 1, by=by)
    Shelf(site.places.projects).destroy(project)  # its tables hold the old tokens
    facts = {"old": site.vault.destroy_project_key(project, generation=old), "grants": len(made)}
    facts["new"] = site.vault.project_fingerprint(project, generation=old + 1)
    site.store.record(Event("project.key_rotated", by, f"project/{project}", facts))
    return {"project": project, **facts, "bytes": sum(g.bytes for g in made), "seconds": sum(g.seconds for g in made)}


def close(site: LoadingSite, project: str, *, by: str) -> dict[str, Any]:
    """Close a project: delete its copies and tables, destroy its key; returns how many, and the key's fingerprint.

    The fingerprint, which is on record with the grants that were made with the key, proves which key was
    destroyed; without it what was written with its tokens elsewhere means nothing any more.
    """
    projects.close_project(site.store, project, by=by)
    removed = provision.revoke(site.store, project, folder=site.places.projects, by=by, reason="the project was closed")
    scratch = Shelf(site.places.projects).destroy(project)
    fingerprint = site.vault.destroy_project_key(project)
    with ledgering.open_ledger(site.places, alone=True) as ledger:
        ledger.forget(project)
    left = sum(1 for place in (site.places.projects / project).rglob("*") if place.is_file())
    facts = {
        "fingerprint": fingerprint, "grants_removed": removed, "scratch_tables_removed": scratch, "files_left": left,
    }  # fmt: skip
    site.store.record(Event("project.key_destroyed", by, f"project/{project}", facts))
    return {"project": project, **facts}


def cost(grant: Grant) -> dict[str, Any]:
    """What a grant is and what it cost, as plain values."""
    return {
        "view": grant.view, "dataset": grant.dataset, "release": grant.release, "rows": grant.rows,
        "bytes": grant.bytes, "seconds": grant.seconds, "versions": dict(grant.versions),
        "linked_later_without_key": dict(grant.without_key),
    }  # fmt: skip
