"""After a new index version: the job that matches again what it leaves in doubt and renews the grants it touches.

    plan → ledger → relink-0001 … → grants → renew-0001 …

One job for each version, run oldest version first. Every step is written down when it is done, so a
job that was killed goes on where it stood. Until a project's step is done its old copies serve; its
new ones are opened together. What merges and splits do not touch is left as it is, and so is every
project that pins an older version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrated_data.control import grants, indexes, jobs, projects
from integrated_data.journey import associations, presence, relinking, resolving
from integrated_data.journey.going import Progress
from integrated_data.journey.workshop import Facts
from integrated_data.model.access import Grant, Project, ProjectState
from integrated_data.model.event import Event
from integrated_data.model.linkage import PRESENCE
from integrated_data.publish.presence import KEY
from integrated_data.site.loading import LoadingSite
from integrated_data.site.projects import cost, provision_project
from integrated_data.site.stepping import Steps, Write, taken
from integrated_data.site.subjects import leaving


@dataclass(frozen=True)
class Job:
    """The refresh of one index version."""

    index: str
    version: int

    @property
    def id(self) -> str:
        """Its id in the table of jobs."""
        return f"refresh/{self.index}/{self.version}"

    @property
    def subject(self) -> str:
        """What its audit events are about."""
        return f"index/{self.index}"


def refresh_index(site: LoadingSite, index: str, *, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Run every refresh of an index that is not done; returns a report of each: version, records, projects, cost."""
    return [_run(site, job, progress=progress or _silent) for job in pending(site, index)]


def pending(site: LoadingSite, index: str) -> list[Job]:
    """Refreshes of an index that are not done, oldest version first."""
    with site.store.read() as connection:
        found = [Job(index, v.version) for v in indexes.versions(connection, index)[1:]]
        return [job for job in found if jobs.state(connection, job.id) != "done"]


def _silent(_step: str) -> None:
    pass


def _run(site: LoadingSite, job: Job, *, progress: Progress) -> dict[str, Any]:
    from integrated_data.site import following  # the ledger's rules bring solvers and charts along

    steps = Steps(site.store, job.id, job.subject, site.actor)
    with taken(steps, kind="refresh"):
        touched = steps.run("plan", lambda: _plan(site, job))["touched"]
        ledger = steps.run("ledger", lambda: (following.follow(site, job.index, version=job.version), None))
        again = [t["delivery"] for t in touched if t["again"] or t["decided"]]
        relinked = []
        for number, delivery in enumerate(again, 1):
            progress(f"matching again {number} of {len(again)}")
            relinked.append(steps.run(f"relink-{number:04d}", _relink(site, job, delivery=delivery)))
        held = steps.run("grants", lambda: _held(site, job, touched=touched))["projects"]
        renewed = []
        for number, (project, datasets) in enumerate(held, 1):
            progress(f"renewing project {number} of {len(held)}")
            renewed += steps.run(f"renew-{number:04d}", _renew(site, (project, datasets)))["grants"]
    report = _report(job, touched, relinked=relinked, renewed=renewed) | {"ledger": ledger}
    with site.store.change(Event("index.refreshed", site.actor, job.subject, {"job": job.id, **_counts(report)})) as c:
        jobs.finish(c, job.id)
    return report


def _plan(site: LoadingSite, job: Job) -> tuple[Facts, None]:
    found = relinking.touched(site.workshop, job.index, version=job.version)
    return {"touched": relinking.as_facts(found)}, None


def _relink(site: LoadingSite, job: Job, *, delivery: str) -> Callable[[], tuple[Facts, Write | None]]:
    """Match a delivery's records in doubt again, unless another release has taken its place since."""

    def work() -> tuple[Facts, Write | None]:
        if delivery not in relinking.current(site.workshop):
            return {"delivery": delivery, "records": 0}, None
        return relinking.relink(site.workshop, job.index, version=job.version, delivery=delivery)

    return work


def _held(site: LoadingSite, job: Job, *, touched: list[Facts]) -> tuple[Facts, None]:
    """Projects that hold a key of the index in a dataset touched, and want this version: with those datasets."""
    datasets = {t["dataset"] for t in touched} | set(associations.refresh(site.workshop))
    presence.refresh(site.workshop)
    datasets |= associations.made_from(site.workshop, datasets)
    if resolving.index_of(site.seats, KEY) == job.index:
        datasets.add(PRESENCE)  # it is of the newest version, whatever that merged or split
    found: dict[str, list[str]] = {}
    with site.store.read() as connection:
        active = [g for g in grants.active(connection) if g.dataset in datasets]
        known = {p.id: p for p in projects.projects(connection)}
    for grant in active:
        if _concerned(site, job, project=known[grant.project], grant=grant):
            found.setdefault(grant.project, []).append(grant.dataset)
    return {"projects": sorted(found.items())}, None


def _concerned(site: LoadingSite, job: Job, *, project: Project, grant: Grant) -> bool:
    objected = leaving.reaching(site, grant.dataset, purpose=str(project.purpose))
    if any(one.index == job.index for one in objected):
        return True  # whose rows are left out, keys or none, is what the newest version says
    if not any(resolving.index_of(site.seats, key) == job.index for key in grant.keys):
        return False
    if not resolving.pinned(project, job.index):
        return True
    return (resolving.wanted(site.store, project, index=job.index) or 0) >= job.version


def _renew(site: LoadingSite, held: tuple[str, list[str]]) -> Callable[[], tuple[Facts, Write | None]]:
    """Renew a project's copies, but for those it no longer holds or was not decided again to have."""

    def work() -> tuple[Facts, Write | None]:
        name, datasets = held
        with site.store.read() as connection:
            project = projects.get_project(connection, name)
            active = {g.dataset for g in grants.active(connection, project=name)}
        if project.state is not ProjectState.APPROVED:
            return {"grants": []}, None
        asked = [r for r in project.datasets if r.dataset in datasets and r.dataset in active]
        made = provision_project(site, project, requests=asked, by=site.actor)
        return {"grants": [{"project": name, **cost(grant)} for grant in made]}, None

    return work


def _report(job: Job, touched: list[Facts], *, relinked: list[Facts], renewed: list[Facts]) -> dict[str, Any]:
    return {
        "index": job.index, "version": job.version, "datasets": sorted({t["dataset"] for t in touched}),
        "records_merged": sum(t["merged"] for t in touched),
        "records_matched_again": sum(r["records"] for r in relinked),
        "projects": sorted({g["project"] for g in renewed}), "bytes": sum(g["bytes"] for g in renewed),
        "seconds": round(sum(g["seconds"] for g in renewed), 3), "grants": renewed,
    }  # fmt: skip


def _counts(report: dict[str, Any]) -> dict[str, Any]:
    kept = ("version", "records_merged", "records_matched_again", "bytes", "seconds")
    followed = {"ledger_tables": report["ledger"]["tables"], "releases_nearer": report["ledger"]["nearer"]}
    return {k: report[k] for k in kept} | {"projects": len(report["projects"]), **followed}
