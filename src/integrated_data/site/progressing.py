"""Where the jobs of an installation are, a row each, and stopping one."""

import time
from itertools import islice
from typing import Any

from integrated_data.approve import roles
from integrated_data.control import deliveries, jobs
from integrated_data.control.store import Store
from integrated_data.journey import pacing
from integrated_data.model.people import Action
from integrated_data.site import owning
from integrated_data.site.acting import Acting

#: Jobs that are listed at most, the newest first.
SHOWN = 100


def rows(store: Store, *, running: bool, by: str) -> list[dict[str, Any]]:
    """Jobs that run, or all of the newest: how far each is, and about how many seconds it will take yet.

    Suppliers and stewards are shown those on their organisation's datasets.
    """
    with store.read() as connection:
        seen = owning.seen_by(connection, by, action=Action.SEE_FEEDS)
        every = (j for j in jobs.every(connection, running=running) if seen(j["subject"].removeprefix("dataset/")))
        found = list(islice(every, SHOWN))
    return [_row(job) | (_pace(store, job) if _runs(job) else {}) for job in found]


def cancel(store: Store, job: str, *, acting: Acting) -> str:
    """Ask for a running job to stop; returns what it is now. Suppliers and stewards stop loads of their
    organisation's data, and stewards also what is no load."""
    with store.read() as connection:
        loaded = deliveries.find(connection, job.removeprefix("load/")) if job.startswith("load/") else None
    if loaded is not None:
        owning.check(store, loaded.dataset, action=Action.CANCEL, by=acting.actor)
    elif acting.signed_in is not None:
        roles.check_may(acting.signed_in, Action.SEE_QUARANTINE)
    return jobs.cancel(store, job, by=acting.actor)


def lineage(store: Store, delivery: str | None, *, by: str) -> list[dict[str, Any]]:
    """The OpenLineage events of one delivery, or of all; a steward is told of their organisation's datasets'."""
    if delivery is not None:
        owning.check_delivery(store, delivery, action=Action.SEE_LINEAGE, by=by)
    with store.read() as connection:
        if delivery is not None:
            return jobs.lineage_of(connection, delivery)
        seen = owning.seen_by(connection, by, action=Action.SEE_LINEAGE)
        return [e for e in jobs.lineage_of(connection, None) if seen(e["job"]["name"].partition("/")[0])]


def _runs(job: dict[str, Any]) -> bool:
    return bool(job["kind"] == "load" and job["state"] == "running")


def _row(job: dict[str, Any]) -> dict[str, Any]:
    state = "its process is gone" if job["gone"] else "stopping" if job["asked_to_stop"] else job["state"]
    return {
        "job": job["id"], "subject": job["subject"], "state": state, "attempt": job["attempt"],
        "began": job["started_at"][:19], "step": "", "steps": "", "lines": None, "seconds": None, "left": None,
        "reason": job["reason"] or "",
    }  # fmt: skip


def _pace(store: Store, job: dict[str, Any]) -> dict[str, Any]:
    elapsed = max(0.0, time.time() - (job["taken_at"] or time.time()))
    found = pacing.pace(store, job["id"].removeprefix("load/"), elapsed=elapsed)
    left = None if found.left is None else round(found.left, 1)
    return {"step": found.step, "steps": f"{found.number} of {found.of}", "lines": found.lines,
            "seconds": round(elapsed, 1), "left": left}  # fmt: skip
