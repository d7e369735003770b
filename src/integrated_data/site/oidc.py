"""OpenID Connect: whether a signed token of the identity provider says who somebody is.

OpenID Connect Core 1.0 §3.1.3.7, RFC 7519, RFC 8725 (best practice), RFC 9068 for access tokens. Keys
come from the provider's own address alone, never from a token; a token whose key is not known makes
them be asked for again, once a minute at most.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from integrated_data.control import bodies
from integrated_data.model.errors import InstallationRefusal
from integrated_data.vocabulary.nested import load_yaml

#: Signatures that are believed. `none` and shared secrets (HS…) are not among them.
ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")

#: Seconds by which clocks may differ.
SKEW = 60

#: Seconds between two askings for keys that a token made necessary, and after which they are asked for anyway.
ASK_AGAIN, KEEP = 60, 3600

#: Seconds for which known keys are used while the provider does not answer.
KEEP_WITHOUT_ANSWER = 24 * 3600

#: Longest answer of a provider, in bytes, and longest wait for it, in seconds.
LONGEST, WAIT = 1 << 20, 5.0

#: What a provider says of where it is reached.
ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")

TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")

Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class Provider:
    """An identity provider, as `sign-in.yaml` of the installation names it.

    `claim` says who somebody is: `people` maps its values to ids of people; one that is not mapped is the
    id itself where `people` is empty, and nobody else. `audience`: of access tokens, beside `client`.
    """

    issuer: str
    client: str
    claim: str = "sub"
    audience: str = ""
    people: Mapping[str, str] = field(default_factory=dict)

    def check(self, *, production: bool) -> None:
        """Refuse an address that anybody on the way could answer for, unless it is a trial on this machine."""
        parts = urlsplit(self.issuer)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if production and (parts.scheme != "https" or local):
            raise InstallationRefusal(
                "The identity provider is one for trials only",
                why="In production its address begins with https and is not on this machine",
                next_step="Name the organisation's own in sign-in.yaml, or unset IDS_PRODUCTION for a trial",
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise InstallationRefusal(
                "The identity provider's address must begin with https", next_step="Correct issuer in sign-in.yaml"
            )


class Unverified(Exception):  # noqa: N818 - the answer no, with its reason for the audit chain
    """A token is not believed. The text says why, and holds nothing of the token."""


class Verifier:
    """Believes tokens of one provider. Safe to use from several threads."""

    def __init__(self, provider: Provider, *, fetch: Fetch | None = None, production: bool = True) -> None:
        provider.check(production=production)
        self.provider = provider
        self._production = production
        self._fetch = fetch or fetched
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._asked = self._answered = float("-inf")
        self._metadata: dict[str, Any] = {}

    def person(self, token: str, *, now: datetime, nonce: str | None = None) -> tuple[str, datetime]:
        """Whom a token names, and until when it counts; raises `Unverified`."""
        claims = self.claims(token, now=now, nonce=nonce)
        value = claims.get(self.provider.claim)
        if self.provider.claim == "email" and claims.get("email_verified") is not True:
            raise Unverified("the address is not verified")
        if not isinstance(value, str) or not value:
            raise Unverified("the claim that names the person is missing")
        person = self.provider.people.get(value) if self.provider.people else value
        if person is None:
            raise Unverified("nobody is known by that claim")
        return person, datetime.fromtimestamp(claims["exp"], tz=now.tzinfo)

    def claims(self, token: str, *, now: datetime, nonce: str | None = None) -> dict[str, Any]:
        """The claims of a token that is believed; raises `Unverified`."""
        try:
            header = jws.extract_compact(token.encode()).headers()
            key = self._key(header, at=now.timestamp())
            found = jwt.decode(token, key, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unverified(f"not signed by the provider ({type(error).__name__})") from None
        _check(found.claims, self.provider, at=now.timestamp(), nonce=nonce)
        return found.claims

    def metadata(self, *, at: float) -> dict[str, Any]:
        """What the provider says of itself, its issuer checked; raises `Unverified`."""
        with self._lock:
            if not self._metadata:
                self._refresh(at)
            if not self._metadata:
                raise Unverified("the provider does not answer")
            return self._metadata

    def _key(self, header: Mapping[str, Any], *, at: float) -> Any:
        """The provider's key that a token names; asks for the keys again where it is not known."""
        if header.get("alg") not in ALGORITHMS:
            raise Unverified("an algorithm that is not believed")
        if str(header.get("typ", "JWT")).upper() not in TYPES:
            raise Unverified("a token of another kind")
        with self._lock:
            if at - self._answered > KEEP or (self._find(header) is None and at - self._asked > ASK_AGAIN):
                self._refresh(at)
            found = self._find(header)
        if found is None:
            raise Unverified("signed with a key that the provider does not publish")
        return found

    def _find(self, header: Mapping[str, Any]) -> Any:
        kid, algorithm = header.get("kid"), header["alg"]
        keys = [] if self._keys is None else [k for k in self._keys.keys if _is_for(k.as_dict(), algorithm)]
        if kid is None:
            return keys[0] if len(keys) == 1 else None
        return next((k for k in keys if k.as_dict().get("kid") == kid), None)

    def _refresh(self, at: float) -> None:
        """Ask the provider for its keys; where it does not answer, those known go on for a day."""
        if at - self._asked <= ASK_AGAIN and at >= self._asked:
            return
        self._asked = at
        try:
            metadata = json.loads(self._fetch(f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"))
            if metadata.get("issuer") != self.provider.issuer:
                raise Unverified("the provider calls itself something else")
            plain = [name for name in ADDRESSES if not str(metadata[name]).startswith("https://")]
            if self._production and plain:
                raise Unverified("an address of the provider does not begin with https")
            published = json.loads(self._fetch(str(metadata["jwks_uri"])))
            public = [k for k in published["keys"] if k.get("kty") in ("RSA", "EC", "OKP") and "d" not in k]
            self._keys = KeySet.import_key_set({"keys": public})
            self._metadata, self._answered = metadata, at
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            if at - self._answered > KEEP_WITHOUT_ANSWER:
                self._keys, self._metadata = None, {}
                raise Unverified(f"the provider does not answer ({type(error).__name__})") from None


def _is_for(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a published key is for signatures of that algorithm."""
    kinds = {"RS256": ("RSA", None), "ES256": ("EC", "P-256")}.get(algorithm, ("OKP", "Ed25519"))
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    return key.get("kty") == kinds[0] and kinds[1] in (None, key.get("crv"))


def _check(claims: Mapping[str, Any], provider: Provider, *, at: float, nonce: str | None) -> None:
    """Refuse claims that are not for this service, not of this time, or not of this sign-in."""
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    ours = {provider.client, provider.audience} - {""}
    exp, nbf, iat = (claims.get(k) for k in ("exp", "nbf", "iat"))
    wrong = {
        "from another issuer": claims.get("iss") != provider.issuer,
        "for another audience": not ours & set(map(str, named)),
        "given to another client": len(named) > 1 and claims.get("azp", claims.get("client_id")) != provider.client,
        "without an end": not _is_time(exp),
        "expired": _is_time(exp) and at >= exp + SKEW,  # type: ignore[operator]
        "not yet valid": nbf is not None and not (_is_time(nbf) and at >= nbf - SKEW),
        "from the future": iat is not None and not (_is_time(iat) and at >= iat - SKEW),
        "of another sign-in": nonce is not None and claims.get("nonce") != nonce,
    }
    for why, is_so in wrong.items():
        if is_so:
            raise Unverified(why)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**33


def read_provider(text: str) -> Provider:
    """A provider from the YAML of `sign-in.yaml`; refuses by the name of the field that is wrong."""
    try:
        body = load_yaml(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that does not exist
        raise InstallationRefusal("sign-in.yaml is not valid YAML", next_step="Correct the file") from None
    return bodies.read(Provider, body, what="sign-in.yaml")


def fetched(address: str) -> bytes:
    """What a provider answers; follows no redirect, and bounds size and time."""
    found = bytearray()
    with httpx.stream("GET", address, timeout=WAIT, follow_redirects=False) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            found += part
            if len(found) > LONGEST:
                raise ValueError("the answer is too long")
    return bytes(found)
