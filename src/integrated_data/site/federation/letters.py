"""What installations write to each other: plain values, signed, for one reader, and good for two minutes.

A letter is `{"letter": {...}, "signature": base64}`; what is signed is its canonical JSON behind the name of its
kind, so that an answer is never taken for a question.
"""

import base64
import binascii
import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

QUESTION, ANSWER = "federation/question/1", "federation/answer/1"
#: How far two installations' clocks may be apart, and so how long a letter is good for.
GOOD_FOR = timedelta(minutes=2)

Letter = dict[str, Any]


class UnreadableError(Exception):
    """A letter that is not to be believed; the text says why, and holds nothing of it."""


def sign(kind: str, letter: Mapping[str, Any], *, key: Ed25519PrivateKey) -> Letter:
    """A letter with its signature."""
    return {"letter": dict(letter), "signature": base64.b64encode(key.sign(_bytes(kind, letter))).decode()}


def read(kind: str, sealed: object, *, key: Ed25519PublicKey) -> Letter:
    """What a letter says, its signature checked; raises `UnreadableError`."""
    match sealed:
        case {"letter": dict(letter), "signature": str(signature)}:
            try:
                key.verify(base64.b64decode(signature, validate=True), _bytes(kind, letter))
            except (InvalidSignature, binascii.Error, ValueError):
                raise UnreadableError("its signature does not hold") from None
            return dict(letter)
    raise UnreadableError("it is no signed letter")


def digest(letter: Mapping[str, Any]) -> str:
    """SHA-256 of a letter, by which an answer names its question."""
    return hashlib.sha256(_bytes("", letter)).hexdigest()


def new_id() -> str:
    """An id that no other letter has."""
    return secrets.token_hex(16)


def _bytes(kind: str, letter: Mapping[str, Any]) -> bytes:
    return f"{kind}\n".encode() + json.dumps(letter, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class Once:
    """Lets each letter in once, while it is good; safe to use from every thread."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def check(self, letter: Mapping[str, Any], *, now: datetime) -> None:
        """Refuse a letter that is too old, of the future, or was seen before; raises `UnreadableError`."""
        try:
            at, name = datetime.fromisoformat(letter["at"]), str(letter["id"])
            near = abs(now - at) <= GOOD_FOR
        except (KeyError, TypeError, ValueError):
            raise UnreadableError("it has no date or id") from None
        if not near:
            raise UnreadableError("it is too old, or a clock is wrong")
        with self._lock:
            self._seen = {n: t for n, t in self._seen.items() if now - t <= 2 * GOOD_FOR}
            if name in self._seen:
                raise UnreadableError("it came before")
            self._seen[name] = now
