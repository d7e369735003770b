"""Jobs: one process at a time; what a killed process finished is kept, and its job taken over; somebody stops one."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from integrated_data.control import holding, jobs, leases, tables
from integrated_data.control.holding import Work
from integrated_data.control.store import Store
from integrated_data.model.errors import BusyRefusal, CancelledRefusal, RoomRefusal, UsageRefusal
from integrated_data.model.event import Event

JOB = "load/d1"
WORK = Work(JOB, "load", "dataset/pay", "me")
SAY_WHO = "from integrated_data.control import leases; print(leases.owner(), flush=True); input()"


def _take(store: Store) -> int:
    return jobs.take(store, JOB, kind="load", subject="dataset/pay", actor="me")


def _held_by(store: Store, owner: str, *, until: float | None = None) -> None:
    _take(store)
    with store.change(Event("test", "me", "job")) as change:
        values = {"lease_owner": owner} | ({"lease_until": until} if until is not None else {})
        change.connection.execute(sa.update(tables.job).values(**values))


@contextmanager
def _other() -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Another process, and what it is called in a lease."""
    with subprocess.Popen(
        [sys.executable, "-c", SAY_WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_job_of_a_living_process_is_not_taken_however_old_its_lease(store: Store) -> None:
    with _other() as (_, owner):
        _held_by(store, owner, until=0.0)
        with pytest.raises(BusyRefusal, match="another process"):
            _take(store)


def test_a_job_of_a_killed_process_is_taken_over_with_its_steps(store: Store) -> None:
    with _other() as (process, owner):
        _held_by(store, leases.owner())
        with store.change(Event("stage.done", "me", "dataset/pay")) as change:
            jobs.step_done(change, JOB, step="validate", result={"good": 3}, seconds=0.1)
        _held_by(store, owner)
        process.send_signal(signal.SIGKILL)
        while leases.alive(owner, until=None):  # it is a zombie then: nobody has asked how it ended
            time.sleep(0.01)
        assert _take(store) == 3
    with store.read() as connection:
        assert jobs.done_steps(connection, JOB) == {"validate": {"good": 3}}


@pytest.mark.parametrize(
    ("part", "told"),
    [(1, "other"), (2, "1"), (3, "1")],
    ids=["another start of the machine", "another number", "a number that was given again"],
)
def test_a_process_is_known_by_more_than_its_number(part: int, told: str) -> None:
    parts = leases.owner().split(":")
    assert leases.alive(":".join(parts), until=0.0)
    parts[part] = told
    assert not leases.alive(":".join(parts), until=time.time() + 60)


def test_of_a_process_elsewhere_the_lease_tells() -> None:
    elsewhere = "elsewhere:0:1:1"
    assert leases.alive(elsewhere, until=time.time() + 60)
    assert not leases.alive(elsewhere, until=time.time() - 1)


def test_a_process_that_lost_its_lease_cannot_write_a_step(store: Store) -> None:
    _held_by(store, "elsewhere:0:1:1")
    with pytest.raises(BusyRefusal, match="taken over"), store.change(Event("s", "me", "x")) as change:
        jobs.step_done(change, JOB, step="publish", result={}, seconds=0.1)
    assert not jobs.renew(store, JOB)


def test_one_process_does_not_hold_a_job_twice(store: Store) -> None:
    with holding.held(store, WORK), pytest.raises(BusyRefusal, match="already"), holding.held(store, WORK):
        pass
    with holding.held(store, WORK) as again:
        assert again.attempt == 2


def test_who_is_asked_to_stop_is_interrupted_until_the_next_safe_point(store: Store) -> None:
    interrupted = threading.Event()
    with holding.held(store, Work(JOB, "load", "dataset/pay", "me", interrupted.set)) as held:
        held.check()
        assert jobs.cancel(store, JOB, by="ann") == "stopping"
        assert interrupted.wait(10), "what an engine runs is ended"
        with pytest.raises(CancelledRefusal, match="stopped by ann"):
            held.check()


def test_what_speaks_against_going_on_stops_a_job(store: Store) -> None:
    full = RoomRefusal("The disk is full")
    interrupted = threading.Event()
    with holding.held(store, Work(JOB, "load", "x", "me", interrupted.set, (lambda: full,))) as held:
        assert interrupted.wait(10)
        with pytest.raises(RoomRefusal):
            held.check()


def test_a_job_whose_process_is_gone_is_ended_at_once_and_one_that_has_ended_is_not_stopped(store: Store) -> None:
    _held_by(store, "elsewhere:0:1:1", until=1.0)
    assert jobs.cancel(store, JOB, by="ann") == "cancelled"
    with pytest.raises(UsageRefusal, match="not running"):
        jobs.cancel(store, JOB, by="ann")
    with pytest.raises(UsageRefusal, match="no job"):
        jobs.cancel(store, "load/none", by="ann")
