"""Who holds a lease: a process, known by its machine, that machine's start, its number and its own start.

A number alone is given to another process one day; with both starts it names one process for good, so that of a
process of this machine it is known at once whether it lives. Of one elsewhere only its lease tells.
"""

import os
import socket
import time
from functools import lru_cache
from pathlib import Path

PROCESSES = Path("/proc")
#: States of a process that is gone, whatever still lists it.
GONE = ("Z", "X", "x")


def owner() -> str:
    """This process, as a lease names it."""
    return _named(os.getpid())


@lru_cache(maxsize=2)
def _named(process: int) -> str:
    return f"{_machine()}:{process}:{_begun(process)}"


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        start = (PROCESSES / "sys/kernel/random/boot_id").read_text("ascii").strip()[:8]
    except OSError:
        start = ""
    return f"{socket.gethostname()[:24]}:{start}"


def _begun(process: int) -> str:
    """When a process began, in ticks since the machine did; empty where it is gone, or nothing tells."""
    try:
        told = (PROCESSES / str(process) / "stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if told[0] in GONE else told[19]


def alive(held_by: str, *, until: float | None) -> bool:
    """Whether the process that a lease names may still work on its job; `until`: when the lease runs out."""
    machine, _, process = held_by.rpartition(":")[0].rpartition(":")
    host, _, start = machine.rpartition(":")
    own_host, _, own_start = _machine().rpartition(":")
    if host != own_host:
        return until is not None and until >= time.time()
    if start != own_start or not process.isdigit():
        return False
    return _begun(int(process)) == held_by.rpartition(":")[2] if PROCESSES.exists() else _answers(int(process))


def _answers(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
