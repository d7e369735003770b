"""Copies of projects that hold somebody: out of service at once, made anew without them at the end."""

from collections.abc import Callable, Sequence
from typing import Any

from integrated_data.approve import provision
from integrated_data.control import grants, projects
from integrated_data.journey.workshop import Facts
from integrated_data.model.access import Grant, ProjectState
from integrated_data.site import scratching
from integrated_data.site.loading import LoadingSite
from integrated_data.site.projects import provision_project
from integrated_data.site.stepping import Steps, Write

Work = Callable[[], tuple[Facts, Write | None]]


def renewed(site: LoadingSite, steps: Steps, *, reached: Callable[[], Sequence[Grant]]) -> dict[str, Any]:
    """Withdraw the copies that are reached, and make them anew; returns how many, and scratch tables that went."""
    gone = withdrawn(site, steps, reached=reached)
    return {"copies_made_anew": made_anew(site, steps, gone=gone), "scratch_tables": gone["scratch"]}


def withdrawn(site: LoadingSite, steps: Steps, *, reached: Callable[[], Sequence[Grant]]) -> Facts:
    """Step `withdraw`: take copies out of service, with the scratch tables that rest on them."""
    return steps.run("withdraw", lambda: _withdraw(site, steps, reached=reached()))


def made_anew(site: LoadingSite, steps: Steps, *, gone: Facts) -> int:
    """Steps `copy-0001` …: make what was withdrawn anew, project by project; how many copies."""
    done = [
        steps.run(f"copy-{number:04d}", _copy(site, project, datasets=datasets))
        for number, (project, datasets) in enumerate(gone["copies"], 1)
    ]
    return sum(int(each["copies"]) for each in done)


def _withdraw(site: LoadingSite, steps: Steps, *, reached: Sequence[Grant]) -> tuple[Facts, None]:
    reason = f"copies are made anew without somebody ({steps.job})"
    folder = site.places.projects
    for grant in reached:
        provision.revoke(site.store, grant.project, folder=folder, dataset=grant.dataset, by=steps.actor, reason=reason)
    swept = len(scratching.sweep(site.places, site.store, by=steps.actor))
    with site.store.read() as connection:
        gone = grants.revoked_for(connection, reason)  # by an attempt that was killed too
    by_project: dict[str, list[str]] = {}
    for project, dataset in sorted(set(gone)):
        by_project.setdefault(project, []).append(dataset)
    return {"copies": [[project, datasets] for project, datasets in by_project.items()], "scratch": swept}, None


def _copy(site: LoadingSite, project: str, *, datasets: Sequence[str]) -> Work:
    """Make a project's copies anew, where it may still have them."""

    def work() -> tuple[Facts, Write | None]:
        with site.store.read() as connection:
            found = projects.get_project(connection, project)
        if found.state is not ProjectState.APPROVED:
            return {"copies": 0}, None
        requests = [r for r in found.datasets if r.dataset in datasets]
        return {"copies": len(provision_project(site, found, requests=requests, by=site.actor))}, None

    return work
