"""Jobs: one process at a time; what a killed process finished is kept, and its job taken over."""

import os
import socket
import subprocess
import sys

import pytest
import sqlalchemy as sa

from integrated_data.control import jobs, tables
from integrated_data.control.store import Store
from integrated_data.model.errors import BusyRefusal
from integrated_data.model.event import Event


def _held_by(store: Store, owner: str) -> None:
    jobs.take(store, "load/d1", kind="load", subject="dataset/pay", actor="me")
    with store.change(Event("test", "me", "job")) as change:
        change.connection.execute(sa.update(tables.job).values(lease_owner=owner))


def test_a_job_of_a_living_process_is_not_taken(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        _held_by(store, f"{socket.gethostname()}:{other.pid}")
        with pytest.raises(BusyRefusal, match="another process"):
            jobs.take(store, "load/d1", kind="load", subject="dataset/pay", actor="me")
        other.communicate(b"\n")


def test_a_job_of_a_dead_process_is_taken_over_with_its_steps(store: Store) -> None:
    jobs.take(store, "load/d1", kind="load", subject="dataset/pay", actor="me")
    with store.change(Event("stage.done", "me", "dataset/pay")) as change:
        jobs.step_done(change, "load/d1", step="validate", result={"good": 3}, seconds=0.1)
    with subprocess.Popen([sys.executable, "-c", ""]) as other:
        other.wait()
    with store.change(Event("test", "me", "job")) as change:
        change.connection.execute(sa.update(tables.job).values(lease_owner=f"{socket.gethostname()}:{other.pid}"))
    assert jobs.take(store, "load/d1", kind="load", subject="dataset/pay", actor="me") == 2
    with store.read() as connection:
        assert jobs.done_steps(connection, "load/d1") == {"validate": {"good": 3}}


def test_a_process_that_lost_its_lease_cannot_write_a_step(store: Store) -> None:
    _held_by(store, f"elsewhere:{os.getpid()}")
    with pytest.raises(BusyRefusal, match="taken over"), store.change(Event("s", "me", "x")) as change:
        jobs.step_done(change, "load/d1", step="publish", result={}, seconds=0.1)
