"""Copies of earlier releases for a project, so that its people can ask as at a day.

Such a copy is made like any other, with the keys of the project and without the rows of people who were erased or
objected since; what takes the copy of a dataset away, or has it made otherwise, takes these away too.
"""

from typing import Any

from integrated_data.control import grants, projects, releases
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.people import Action
from integrated_data.site import owning, rolling
from integrated_data.site.loading import LoadingSite
from integrated_data.site.projects import cost, provision_earlier


def grant(site: LoadingSite, project: str, *, dataset: str, as_at: str, by: str) -> dict[str, Any]:
    """Make a project's copy of the release of a dataset that was read as at a day, or of one by its number."""
    owning.check(site.store, dataset, action=Action.DECIDE, by=by)
    with site.store.read() as connection:
        found = projects.get_project(connection, project)
        release = releases.as_at(connection, dataset, when=as_at, today=site.store.now().date())
        held = [g.release for g in grants.active(connection, project=project, dataset=dataset)]
    if not held:
        raise AgreementRefusal(
            f"Project {project} holds no copy of dataset {dataset}",
            next_step=f"Have it decided and provisioned: ids project decide {project}",
        )
    if release.id in held:
        return {"project": project, "dataset": dataset, "release": release.id, "made": "it is the one that is opened"}
    rolling.relinked(site, release)
    return {"project": project, "published": release.at, **cost(provision_earlier(site, found, release=release, by=by))}
