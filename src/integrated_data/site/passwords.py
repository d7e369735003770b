"""Passwords with one-time codes: argon2id (RFC 9106) and time-based codes (RFC 6238).

Whoever is refused has cost the same work, whether the name, the password or the code was wrong.
"""

import base64
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256

import argon2
import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from integrated_data.control.credentials import Credential
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.service_keys import derived

#: Shortest and longest password, in characters.
SHORTEST, LONGEST = 12, 256

#: Seconds for which one code is shown, and how many steps a clock may be off either way.
STEP, DRIFT = 30, 1

#: Passwords that one process looks at together: each takes 64 MiB.
TOGETHER = threading.BoundedSemaphore(2)

NONCE = 12
ISSUER = "Integrated Data Service"


@dataclass(frozen=True)
class Passwords:
    """Makes and checks credentials. `key`: the service key of sign-in."""

    key: bytes = field(repr=False)
    hasher: argon2.PasswordHasher = field(default_factory=argon2.PasswordHasher)

    def hash(self, password: str, *, person: str) -> str:
        """The argon2id hash of a new password; refuses one that is easily guessed."""
        if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < 5 or person.lower() in password.lower():
            raise UsageRefusal(
                "This password is too easily guessed",
                why=f"It has {SHORTEST} to {LONGEST} characters, five of them different, and not the person's id in it",
                next_step="Take three random words or more",
            )
        with TOGETHER:
            return self.hasher.hash(password)

    def is_password(self, known: Credential, password: str) -> bool:
        """Whether it is the person's password; takes as long where there is none."""
        with TOGETHER:
            try:
                self.hasher.verify(known.password or self._nobodys, password[:LONGEST].encode(errors="replace"))
            except argon2.exceptions.Argon2Error:
                return False
        return known.password is not None and len(password) <= LONGEST

    def new_code(self, person: str) -> tuple[str, str]:
        """A new secret of one-time codes: as an address for an authenticator, and sealed."""
        secret = pyotp.random_base32()
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._sealer.encrypt(nonce, secret.encode(), person.encode())
        return pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name=ISSUER), base64.b64encode(sealed).decode()

    def step_of(self, known: Credential, code: str, *, person: str, now: datetime) -> int | None:
        """The step whose code was given, if it is one of now and was not used; None else. Takes as long either way."""
        secret, there = self._open(known.code, person)
        codes, here = pyotp.TOTP(secret), int(now.timestamp()) // STEP
        found = None
        for step in range(here - DRIFT, here + DRIFT + 1):
            same = hmac.compare_digest(codes.at(step * STEP).encode(), code.encode(errors="replace"))
            if same and there and step > known.code_step:
                found = step
        return found

    def subject(self, claimed: str) -> str:
        """A keyed digest of a name that somebody claims: attempts are counted by it, the name is not kept."""
        key = derived(self.key, "sign-in attempts")
        return hmac.new(key, claimed.encode(errors="replace"), sha256).hexdigest()

    def _open(self, sealed: str | None, person: str) -> tuple[str, bool]:
        raw = base64.b64decode(sealed) if sealed else b""
        try:
            return self._sealer.decrypt(raw[:NONCE], raw[NONCE:], person.encode()).decode(), True
        except (InvalidTag, ValueError):
            return self._nobodys_code, False

    @cached_property
    def _sealer(self) -> AESGCM:
        return AESGCM(derived(self.key, "one-time codes"))

    @cached_property
    def _nobodys(self) -> str:
        return self.hasher.hash(secrets.token_hex(16))

    @cached_property
    def _nobodys_code(self) -> str:
        return pyotp.random_base32()
