"""Watching a running query: what was let through is asked about again until it is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from integrated_data.access.running import Rows
from integrated_data.model.errors import QueryRefusal, Refusal

EVERY = 1.0  # seconds


@dataclass
class Watched:
    """A query under watch. `withdrawn`: why it may no longer run, once that is so."""

    withdrawn: Refusal | None = None


@contextmanager
def watched(rows: Rows, still: Callable[[], Refusal | None], *, waited: float) -> Iterator[Watched]:
    """Ask every second whether rows may still be made; stop their worker when not.

    `waited`: seconds since it was last decided; after long, it is asked before anything is read.
    """
    watch, over = Watched(), threading.Event()

    def ask() -> None:
        try:
            watch.withdrawn = still()
        except Exception:  # what cannot be decided is not allowed
            watch.withdrawn = QueryRefusal("Whether the query may go on could not be decided", next_step="Ask it again")
        if watch.withdrawn is not None:
            rows.cancel()

    def look() -> None:
        while watch.withdrawn is None and not over.wait(EVERY):
            ask()

    if waited > EVERY:
        ask()
    guard = threading.Thread(target=look, name="watch", daemon=True)
    guard.start()
    try:
        yield watch
    finally:
        over.set()
        guard.join()
