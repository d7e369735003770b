"""Handles: short texts that name a place in a result, for one person, one use and a short time.

Signed (HMAC-SHA256) with a key that the process makes when it starts and never shows. They carry an
opaque query id and a number, and no name, no SQL and no value.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field

from integrated_data.model.errors import QueryRefusal

LONGEST = 500  # bytes
SIGNATURE = 32  # bytes


@dataclass(frozen=True)
class Handles:
    """Makes and opens handles. `seconds`: how long one counts."""

    seconds: float = 600.0
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def make(self, use: str, query: str, *, person: str, at: int = 0) -> str:
        """A handle for one use of a query's result, from row `at`."""
        said = json.dumps([query, at, round(time.time() + self.seconds, 1)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(said, use, person=person) + said).rstrip(b"=").decode()

    def open(self, use: str, handle: str, *, person: str) -> tuple[str, int]:
        """The query and row of a handle; refuses one that is changed, too old, or somebody else's."""
        try:
            raw = base64.b64decode(handle + "=" * (-len(handle) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        signature, said = raw[:SIGNATURE], raw[SIGNATURE:]
        good = len(raw) <= LONGEST and hmac.compare_digest(signature, self._sign(said, use, person=person))
        query, at, until = json.loads(said) if good else ("", 0, 0.0)
        if time.time() >= until:
            raise QueryRefusal(
                "This handle of a result does not count",
                why="It is too old, not whole, or was given to somebody else", next_step="Ask the question again",
            )  # fmt: skip
        return str(query), int(at)

    def _sign(self, said: bytes, use: str, *, person: str) -> bytes:
        about = hashlib.sha256(f"{use}\0{person}".encode(errors="replace")).digest()
        return hmac.digest(self.key, about + said, "sha256")
