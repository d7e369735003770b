"""Where the jobs of an installation are, a row each, and stopping one."""

import time
from typing import Any

import sqlalchemy as sa

from integrated_data.acquire import contracts
from integrated_data.approve import roles
from integrated_data.control import deliveries, jobs, projects
from integrated_data.control.store import Store
from integrated_data.journey import pacing
from integrated_data.site.acting import Acting

#: Jobs that are listed at most, the newest first.
SHOWN = 100


def rows(store: Store, *, running: bool) -> list[dict[str, Any]]:
    """Jobs that run, or all of the newest: how far each is, and about how many seconds it will take yet."""
    with store.read() as connection:
        found = jobs.every(connection, running=running)[:SHOWN]
    return [_row(job) | (_pace(store, job) if _runs(job) else {}) for job in found]


def cancel(store: Store, job: str, *, acting: Acting) -> str:
    """Ask for a running job to stop; returns what it is now. Suppliers stop loads of their organisation's data."""
    if acting.signed_in is not None:
        with store.read() as connection:
            organisation = projects.get_person(connection, acting.actor).organisation
            roles.check_may_cancel(acting.signed_in, organisation, owner=_owner(connection, job))
    return jobs.cancel(store, job, by=acting.actor)


def _owner(connection: sa.Connection, job: str) -> str | None:
    """Whose data a load is of; None for another job, or before its contract is known."""
    result = jobs.done_steps(connection, job).get("acquire", {})
    if "contract" in result:
        return contracts.parse(result["contract"]).owner
    loaded = deliveries.find(connection, job.removeprefix("load/")) if job.startswith("load/") else None
    body = deliveries.contract_body(connection, loaded.dataset) if loaded is not None else None
    return contracts.parse(body).owner if body is not None else None


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
