"""Jobs and their steps: a lease so that one process runs a job, and what each finished step left.

A step is written down when it is done, in the transaction of its audit event and its lineage
event; a job that was killed is taken over once its lease has run out or its process is gone.
"""

import os
import socket
import time
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.errors import BusyRefusal
from integrated_data.model.event import Event

LEASE_SECONDS = 900.0


def owner() -> str:
    """This process, as a lease names it: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def take(store: Store, job: str, *, kind: str, subject: str, actor: str) -> int:
    """Take a job's lease, starting it or taking over from a process that is gone; returns the attempt."""
    event = Event("job.taken", actor, subject, {"job": job, "kind": kind})
    with store.change(event) as change:
        connection = change.connection
        row = connection.execute(sa.select(t.job).where(t.job.c.id == job)).mappings().first()
        until = time.time() + LEASE_SECONDS
        if row is None:
            connection.execute(
                sa.insert(t.job).values(
                    id=job, kind=kind, subject=subject, state="running", attempt=1,
                    lease_owner=owner(), lease_until=until, started_at=change.at,
                )
            )  # fmt: skip
            return 1
        if row["state"] == "running" and row["lease_owner"] != owner() and _alive(row):
            raise BusyRefusal(
                f"Job {job} is being run by another process",
                next_step="Wait for it to finish, or end that process and try again",
            )
        attempt = int(row["attempt"]) + 1
        change.note(attempt=attempt)
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.id == job)
            .values(state="running", attempt=attempt, lease_owner=owner(), lease_until=until, reason=None)
        )
        return attempt


def _alive(row: sa.RowMapping) -> bool:
    if (row["lease_until"] or 0.0) < time.time():
        return False
    host, _, process = str(row["lease_owner"]).rpartition(":")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def state(connection: sa.Connection, job: str) -> str | None:
    """Where a job stands: running, done, failed or held; None where it never began."""
    return connection.execute(sa.select(t.job.c.state).where(t.job.c.id == job)).scalar()


def done_steps(connection: sa.Connection, job: str) -> dict[str, dict[str, Any]]:
    """Results of a job's finished steps, by step name."""
    rows = connection.execute(sa.select(t.job_step.c.step, t.job_step.c.result).where(t.job_step.c.job == job))
    return {row.step: row.result for row in rows}


def step_done(change: Change, job: str, *, step: str, result: dict[str, Any], seconds: float) -> None:
    """Write a finished step down inside a change, and renew the lease."""
    held = change.connection.execute(sa.select(t.job.c.lease_owner).where(t.job.c.id == job)).scalar()
    if held != owner():
        raise BusyRefusal(f"Job {job} was taken over by another process", next_step="Look at its progress there")
    change.connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job, t.job_step.c.step == step))
    change.connection.execute(
        sa.insert(t.job_step).values(job=job, step=step, result=result, seconds=seconds, at=change.at)
    )
    change.connection.execute(sa.update(t.job).where(t.job.c.id == job).values(lease_until=time.time() + LEASE_SECONDS))


def forget_steps(change: Change, job: str, *steps: str) -> None:
    """Forget finished steps inside a change, so that they run again."""
    change.connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job, t.job_step.c.step.in_(steps)))


def finish(change: Change, job: str, *, state: str = "done", reason: str | None = None) -> None:
    """End a job inside a change; `state` is done, failed or held."""
    change.connection.execute(
        sa.update(t.job)
        .where(t.job.c.id == job)
        .values(state=state, reason=reason, finished_at=change.at, lease_owner=None, lease_until=None)
    )


def lineage(change: Change, job: str, *, body: dict[str, Any]) -> None:
    """Keep an OpenLineage run event inside a change."""
    change.connection.execute(sa.insert(t.lineage).values(job=job, body=body, at=change.at))


def lineage_of(connection: sa.Connection, delivery: str) -> list[dict[str, Any]]:
    """The OpenLineage events of the jobs that made a delivery's release, in order."""
    of_delivery = t.lineage.c.job.endswith(f"/{delivery}", autoescape=True)
    rows = connection.execute(sa.select(t.lineage.c.body).where(of_delivery).order_by(t.lineage.c.id))
    return [row.body for row in rows]
