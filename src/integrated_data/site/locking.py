"""One lock for the loading side: work that changes what was written, or copies it, has it alone; loads share it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from integrated_data.model.errors import BusyRefusal
from integrated_data.site.places import Places

LOCK = ".loading.lock"


@contextmanager
def held(places: Places, *, alone: bool) -> Iterator[None]:
    """Hold the loading side, with other loads or alone; refuses at once where it cannot be had."""
    descriptor = os.open(places.home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyRefusal(
                "Loads are running" if alone else "Something runs that must have the loading side alone",
                why="Erasures, backups, restores and changes of the vault key wait for no load, nor loads for them",
                next_step="Try again when it is done",
            ) from None
        yield
    finally:
        os.close(descriptor)
