"""Projects on the loading side: decide, provision what was decided, refresh, close."""

from typing import Any

from integrated_data.approve import agree, apply, provision
from integrated_data.control import projects, releases
from integrated_data.deidentify.keys import project_tokens
from integrated_data.model.access import DatasetRequest, Decision, Grant
from integrated_data.site.loading import LoadingSite


def decide_and_provision(
    site: LoadingSite, project: str, *, by: str, refuse: str = ""
) -> tuple[Decision, list[dict[str, Any]]]:
    """Decide a project; when it is allowed, provision every dataset it asked for.

    What cannot be provisioned is not decided: a project is approved with its views or not at all.
    """
    if not refuse:
        _check_published(site, project)
    decision = apply.decide(site.store, project, law=agree.united_kingdom(), by=by, refuse=refuse)
    if not decision.allowed:
        provision.revoke(site.store, project, folder=site.places.projects, by=by, reason="the project was refused")
        return decision, []
    with site.store.read() as connection:
        requests = projects.get_project(connection, project).datasets
    return decision, [_cost(provision_one(site, project, request=request, by=by)) for request in requests]


def _check_published(site: LoadingSite, project: str) -> None:
    """Refuse while a dataset that the project asks for, or one of its columns, is not published."""
    with site.store.read() as connection:
        requests = projects.get_project(connection, project).datasets
        found = [(request, releases.get(connection, request.dataset)) for request in requests]
    for request, release in found:
        order = provision.Order(project, request, release.id, ())
        provision.view_columns(order, [v["name"] for v in release.entry["variables"]])


def provision_one(site: LoadingSite, project: str, *, request: DatasetRequest, by: str) -> Grant:
    """Make a project's copy of a dataset's newest release."""
    with site.store.read() as connection:
        release = releases.get(connection, request.dataset)
    files = site.lake.files(release.dataset, release.snapshot)
    order = provision.Order(project, request, release.id, files)
    tokens = project_tokens(site.vault, project)
    return provision.provision(site.engine, tokens, order=order, folder=site.places.projects, store=site.store, by=by)


def refresh(site: LoadingSite, dataset: str, *, by: str) -> list[dict[str, Any]]:
    """After a new release: renew the copies of every project that holds the dataset."""
    with site.store.read() as connection:
        release = releases.get(connection, dataset)
    renewals = provision.renewals(site.store, dataset, release=release.id)
    return [_cost(provision_one(site, project, request=request, by=by)) for project, request in renewals]


def close(site: LoadingSite, project: str, *, by: str) -> int:
    """Close a project: delete its copies and destroy its key; returns the grants removed."""
    projects.close_project(site.store, project, by=by)
    removed = provision.revoke(site.store, project, folder=site.places.projects, by=by, reason="the project was closed")
    site.vault.destroy_project_key(project)
    return removed


def _cost(grant: Grant) -> dict[str, Any]:
    return {
        "view": grant.view, "dataset": grant.dataset, "release": grant.release, "rows": grant.rows,
        "bytes": grant.bytes, "seconds": grant.seconds,
    }  # fmt: skip
