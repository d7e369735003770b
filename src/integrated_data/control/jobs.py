"""Jobs and their steps: a lease so that one process runs a job, and what each finished step left.

A step is written down when it is done, in the transaction of its audit event and its lineage
event; a job that was killed is taken over once its process is gone or its lease has run out.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from integrated_data.control import leases
from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.errors import BusyRefusal, UsageRefusal
from integrated_data.model.event import Event

LEASE_SECONDS = 60.0


class Taking(Protocol):
    """What is written with the taking of a job."""

    def __call__(self, change: Change, *, attempt: int, cut_short: bool) -> None:
        """Write inside the change; `cut_short`: the attempt before ended without a word."""
        ...


def take(store: Store, job: str, *, kind: str, subject: str, actor: str, write: Taking | None = None) -> int:
    """Take a job's lease, starting it or taking over from a process that is gone; returns the attempt."""
    event = Event("job.taken", actor, subject, {"job": job, "kind": kind})
    with store.change(event) as change:
        connection, now = change.connection, time.time()
        row = connection.execute(sa.select(t.job).where(t.job.c.id == job)).mappings().first()
        cut_short = row is not None and row["state"] == "running"
        if row is not None and cut_short and row["lease_owner"] != leases.owner() and _held(row):
            raise BusyRefusal(
                f"Job {job} is being run by another process",
                next_step="Wait for it to finish, or stop it: ids run cancel JOB",
            )
        attempt = int(row["attempt"]) + 1 if row else 1
        values = {
            "state": "running", "attempt": attempt, "lease_owner": leases.owner(),
            "lease_until": now + LEASE_SECONDS, "taken_at": now, "asked_to_stop": None, "reason": None,
        }  # fmt: skip
        if row is None:
            fixed = {"id": job, "kind": kind, "subject": subject, "started_at": change.at}
            connection.execute(sa.insert(t.job).values(**values, **fixed))
        else:
            change.note(attempt=attempt)
            connection.execute(sa.update(t.job).where(t.job.c.id == job).values(**values))
        if write is not None:
            write(change, attempt=attempt, cut_short=cut_short)
        return attempt


def _held(row: sa.RowMapping) -> bool:
    return leases.alive(str(row["lease_owner"]), until=row["lease_until"])


def renew(store: Store, job: str) -> bool:
    """Renew this process's lease; whether it was still its own. It tells nothing anew: no event is written."""
    mine = sa.and_(t.job.c.id == job, t.job.c.lease_owner == leases.owner(), t.job.c.state == "running")
    return store.refresh(sa.update(t.job).where(mine).values(lease_until=time.time() + LEASE_SECONDS)) == 1


def asked(connection: sa.Connection, job: str) -> tuple[bool, str | None]:
    """Whether this process still holds a job, and who asked for it to stop, if anybody did."""
    row = connection.execute(sa.select(t.job.c.lease_owner, t.job.c.asked_to_stop).where(t.job.c.id == job)).first()
    return (row is not None and row.lease_owner == leases.owner()), (row.asked_to_stop if row else None)


def cancel(store: Store, job: str, *, by: str) -> str:
    """Ask for a running job to stop; one whose process is gone is ended at once. Returns what it is now."""
    with store.change(Event("job.cancelled", by, f"job/{job}")) as change:
        row = change.connection.execute(sa.select(t.job).where(t.job.c.id == job)).mappings().first()
        if row is None or row["state"] != "running":
            raise UsageRefusal(
                f"Job {job} is not running" if row else f"There is no job {job}",
                why=f"It is {row['state']}" if row else "",
                next_step="See what runs: ids run list",
            )
        if not _held(row):
            finish(change, job, state="cancelled", reason=f"{by} stopped it; its process was gone")
            return "cancelled"
        change.connection.execute(sa.update(t.job).where(t.job.c.id == job).values(asked_to_stop=by))
    return "stopping"


def every(connection: sa.Connection, *, running: bool = True) -> list[dict[str, Any]]:
    """Jobs that run, or with `running` off all of them, the newest first; `gone`: their process ended unheard."""
    query = sa.select(t.job).order_by(t.job.c.started_at.desc())
    if running:
        query = query.where(t.job.c.state == "running")
    return [
        {**row, "gone": row["state"] == "running" and not _held(row)} for row in connection.execute(query).mappings()
    ]


def state(connection: sa.Connection, job: str) -> str | None:
    """Where a job stands: running, done, held, failed, cancelled or stopped; None where it never began."""
    return connection.execute(sa.select(t.job.c.state).where(t.job.c.id == job)).scalar()


def done_steps(connection: sa.Connection, job: str) -> dict[str, dict[str, Any]]:
    """Results of a job's finished steps, by step name."""
    rows = connection.execute(sa.select(t.job_step.c.step, t.job_step.c.result).where(t.job_step.c.job == job))
    return {row.step: row.result for row in rows}


def step_seconds(connection: sa.Connection, job: str) -> dict[str, float]:
    """How long a job's finished steps took, by step name."""
    rows = connection.execute(sa.select(t.job_step.c.step, t.job_step.c.seconds).where(t.job_step.c.job == job))
    return {row.step: row.seconds for row in rows}


def newest_done(connection: sa.Connection, kind: str, *, subject: str, most: int) -> list[str]:
    """The newest `most` jobs of a kind that came to their end: about a subject, or about any where none is."""
    query = sa.select(t.job.c.id).where(t.job.c.kind == kind, t.job.c.state == "done")
    query = query.order_by(t.job.c.finished_at.desc()).limit(most)
    found = list(connection.execute(query.where(t.job.c.subject == subject)).scalars())
    return found or list(connection.execute(query).scalars())


def step_done(change: Change, job: str, *, step: str, result: dict[str, Any], seconds: float) -> None:
    """Write a finished step down inside a change, and renew the lease."""
    if not asked(change.connection, job)[0]:
        raise BusyRefusal(f"Job {job} was taken over by another process", next_step="Look at its progress there")
    change.connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job, t.job_step.c.step == step))
    change.connection.execute(
        sa.insert(t.job_step).values(job=job, step=step, result=result, seconds=seconds, at=change.at)
    )
    change.connection.execute(sa.update(t.job).where(t.job.c.id == job).values(lease_until=time.time() + LEASE_SECONDS))


def keep_step(change: Change, job: str, *, step: str, result: dict[str, Any]) -> None:
    """Write down, inside a change of another job, that it did a step of this one, which nobody runs."""
    change.connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job, t.job_step.c.step == step))
    change.connection.execute(
        sa.insert(t.job_step).values(job=job, step=step, result=result, seconds=0.0, at=change.at)
    )


def forget_steps(change: Change, job: str, *steps: str) -> None:
    """Forget finished steps inside a change, so that they run again."""
    change.connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job, t.job_step.c.step.in_(steps)))


def finish(change: Change, job: str, *, state: str = "done", reason: str | None = None) -> None:
    """End a job inside a change; `state`: see `state`."""
    change.connection.execute(
        sa.update(t.job)
        .where(t.job.c.id == job)
        .values(
            state=state, reason=reason, finished_at=change.at, lease_owner=None, lease_until=None, asked_to_stop=None
        )
    )


def lineage(change: Change, job: str, *, bodies: Sequence[dict[str, Any]]) -> None:
    """Keep OpenLineage run events inside a change, in order."""
    rows = [{"job": job, "body": body, "at": change.at} for body in bodies]
    if rows:
        change.connection.execute(sa.insert(t.lineage), rows)


def lineage_of(connection: sa.Connection, delivery: str | None) -> list[dict[str, Any]]:
    """The OpenLineage events of the jobs that made a delivery's release, in order; of all jobs for None."""
    query = sa.select(t.lineage.c.body).order_by(t.lineage.c.id)
    if delivery is not None:
        query = query.where(t.lineage.c.job.endswith(f"/{delivery}", autoescape=True))
    rows = connection.execute(query)
    return [row.body for row in rows]
