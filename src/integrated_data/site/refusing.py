"""Refusing to sign somebody in: the same words outside, the reason in the audit chain, and not without bound."""

import threading
import time

from integrated_data.control.store import Store
from integrated_data.model.errors import SignInRefusal
from integrated_data.model.event import Event
from integrated_data.model.signing_in import SignInMethod

#: The same refusal of the same person is written down once in so many seconds, with how often it was given.
PAUSE = 60.0

#: Kinds of refusal that are counted apart; the rest is counted together.
MOST = 10_000


class Refusing:
    """Refuses, and writes down why. A flood of wrong secrets does not flood the chain: repeats are counted."""

    def __init__(self, store: Store, *, pause: float = PAUSE) -> None:
        self._store, self._pause = store, pause
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], tuple[float, int]] = {}

    def refuse(
        self, how: SignInMethod, why: str, *, person: str | None = None, counted: str | None = None
    ) -> SignInRefusal:
        """The refusal to raise. `person`: somebody on record; what a stranger typed is never kept.

        `counted`: what repeats are counted by, else the person; empty to write each one down.
        """
        repeats = 0 if counted == "" else self._due((how.value, why, counted or person or ""))
        if repeats is not None:
            facts = {"how": how.value, "why": why, "repeats": repeats}
            subject = f"person/{person}" if person else "person"
            self._store.record(Event("sign_in.refused", "sign-in", subject, facts))
        return SignInRefusal(
            "Sign-in was refused",
            why="What was shown does not let you in",
            next_step="Sign in again, or ask the desk that looks after people: they see why",
        )

    def _due(self, kind: tuple[str, str, str]) -> int | None:
        """How many such refusals were not written down since the last that was; None while one need not be."""
        now = time.monotonic()
        with self._lock:
            if len(self._seen) > MOST:
                self._seen.clear()
            last, repeats = self._seen.get(kind, (-self._pause, 0))
            if now - last < self._pause:
                self._seen[kind] = (last, repeats + 1)
                return None
            self._seen[kind] = (now, 0)
            return repeats
