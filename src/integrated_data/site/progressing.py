"""Where the jobs of an installation are, a row each."""

import time
from typing import Any

from integrated_data.control import jobs
from integrated_data.control.store import Store
from integrated_data.journey import pacing

#: Jobs that are listed at most, the newest first.
SHOWN = 100


def rows(store: Store, *, running: bool) -> list[dict[str, Any]]:
    """Jobs that run, or all of the newest: how far each is, and about how many seconds it will take yet."""
    with store.read() as connection:
        found = jobs.every(connection, running=running)[:SHOWN]
    return [_row(job) | (_pace(store, job) if _runs(job) else {}) for job in found]


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
