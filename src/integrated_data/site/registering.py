"""The public register, from what is on record: approved projects, their datasets, what left."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data.control import approvals, outputs, projects, releases
from integrated_data.control.store import Store
from integrated_data.model.access import Project, ProjectState
from integrated_data.model.approval import Approval, ApprovalState
from integrated_data.model.output import Release
from integrated_data.output.register import RegisterDataset, RegisterProject, RegisterRelease, document, page
from integrated_data.site import publicly
from integrated_data.site.accounting import gather
from integrated_data.site.lanes import errors
from integrated_data.site.places import Places
from integrated_data.site.verifying import public_key

#: States of projects that were approved once.
REGISTERED = (ProjectState.APPROVED, ProjectState.EXPIRED, ProjectState.CLOSED)


def export(places: Places, store: Store, *, folder: Path, write_to: str = "") -> dict[str, Any]:
    """Write the register (`register.json`, `index.html`) and the page for people (`people.json`, `people.html`).

    Returns how much they hold. `write_to`: where people in the data write to, as it is to be read.
    """
    with store.read() as connection:
        known = [p for p in projects.projects(connection) if p.state in REGISTERED]
        agreed = {a.id: a for a in projects.agreements(connection)}
        decided = {p.id: [d for _, _, d in projects.decisions(connection, p.id)] for p in known}
        published = releases.all_current(connection)
        left = outputs.releases(connection)
        given = {p.id: _given(approvals.of_project(connection, p.id)) for p in known}
    gateways = {
        p.id: tuple(sorted({agreed[a].gateway for d in decided[p.id] for a in d.agreements if a in agreed}))
        for p in known
    }
    register = document(
        [_project(p, gateways[p.id], approved=given[p.id]) for p in known],
        [RegisterDataset(r.dataset, r.entry["title"], r.entry["owner"]) for r in published],
        releases=[_release(r) for r in left],
        at=store.now().date(),
        signing_key=public_key(places),
        lane=errors(store).told(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "register.json").write_text(json.dumps(register, indent=2, ensure_ascii=False) + "\n")
    (folder / "index.html").write_text(page(register))
    about = publicly.write(gather(places, store), register, folder=folder, write_to=write_to)
    return {"projects": len(known), "releases": len(left), "datasets_about_people": about, "written": str(folder)}


def _given(found: list[Approval]) -> tuple[str, ...]:
    given = [a for a in found if a.state is ApprovalState.GIVEN and a.decided_at is not None]
    return tuple(f"{a.needed.told}, {a.decided_at:%Y-%m-%d}" for a in given)


def _project(project: Project, gateways: tuple[str, ...], *, approved: tuple[str, ...]) -> RegisterProject:
    return RegisterProject(
        project.id, project.title, project.organisation, str(project.purpose), project.aims,
        project.public_benefit, gateways, tuple(d.dataset for d in project.datasets), project.starts, project.ends,
        str(project.state), project.methods, project.sponsor, project.programme, approved,
    )  # fmt: skip


def _release(release: Release) -> RegisterRelease:
    day = release.at if isinstance(release.at, date) else date.fromisoformat(str(release.at)[:10])
    return RegisterRelease(
        release.request, release.project, release.title, release.datasets, day, str(release.state), release.sha256,
        release.reason,
    )  # fmt: skip
