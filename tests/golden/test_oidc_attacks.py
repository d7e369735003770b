"""Tokens of an identity provider: what is believed, and every forgery that is not, with the reason on record."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from integrated_data.model.errors import InstallationRefusal
from integrated_data.site.oidc import ASK_AGAIN, KEEP_WITHOUT_ANSWER, Provider, Unverified, Verifier

ISSUER = "https://login.example.org"
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
RSA, EC = RSAKey.generate_key(2048, {"kid": "r"}), ECKey.generate_key("P-256", {"kid": "e"})
ED = OKPKey.generate_key("Ed25519", {"kid": "o"})
SHARED = OctKey.generate_key(256, {"kid": "s"})
FORGED = ECKey.generate_key("P-256", {"kid": "e"})
CLAIMS = {"iss": ISSUER, "aud": "ids", "sub": "248", "iat": AT, "exp": AT + 300, "nonce": "n"}


class Published:
    """What the provider publishes, and how often it was asked."""

    def __init__(self, *keys: Any) -> None:
        self.keys, self.asked, self.issuer, self.silent = list(keys), 0, ISSUER, False

    def __call__(self, address: str) -> bytes:
        self.asked += 1
        if self.silent:
            raise ValueError
        if address.endswith("openid-configuration"):
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            return json.dumps({"issuer": self.issuer, **{n: f"{ISSUER}/{n}" for n in names}}).encode()
        return json.dumps({"keys": [k.as_dict(private=k is SHARED) for k in self.keys]}).encode()


def verifier(published: Published | None = None, **provider: Any) -> Verifier:
    named = {"people": {"248": "ada"}, **provider}
    return Verifier(Provider(ISSUER, "ids", **named), fetch=published or Published(RSA, EC, ED, SHARED))


def signed(key: Any = EC, algorithm: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {k: v for k, v in {**CLAIMS, **claims}.items() if v is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid, **(header or {})}, said, key, algorithms=[algorithm])


def encoded(*parts: Any) -> str:
    texts = (p if isinstance(p, bytes) else json.dumps(p).encode() for p in parts)
    return ".".join(base64.urlsafe_b64encode(t).rstrip(b"=").decode() for t in texts)


def unsigned(algorithm: str) -> str:
    return encoded({"alg": algorithm, "typ": "JWT"}, CLAIMS, b"")


def confused() -> str:
    """Signed with the public key as if it were a shared secret."""
    public = OctKey.import_key(json.dumps(RSA.as_dict(private=False)).encode())
    return jwt.encode({"alg": "HS256", "kid": "r"}, CLAIMS, public, algorithms=["HS256"])


def altered() -> str:
    head, _, tail = signed().split(".")
    return f"{head}.{encoded({**CLAIMS, 'sub': 'root'})}.{tail}"


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "Ed25519")])
def test_what_the_provider_signed_is_believed(key: Any, algorithm: str) -> None:
    person, until = verifier().person(signed(key, algorithm), now=NOW, nonce="n")
    assert (person, int(until.timestamp())) == ("ada", AT + 300)


FORGERIES: list[tuple[str, Callable[[], str], str]] = [
    ("no signature", lambda: unsigned("none"), "an algorithm that is not believed"),
    ("no signature, spelt otherwise", lambda: unsigned("nOnE"), "an algorithm that is not believed"),
    ("the public key as a shared secret", confused, "an algorithm that is not believed"),
    ("a published shared secret", lambda: signed(SHARED, "HS256"), "an algorithm that is not believed"),
    ("an algorithm that is not on the list", lambda: signed(RSA, "PS256"), "an algorithm that is not believed"),
    ("another key under a known name", lambda: signed(FORGED), "not signed by the provider (BadSignatureError)"),
    ("claims changed after signing", altered, "not signed by the provider (BadSignatureError)"),
    ("a key of its own in the header", lambda: signed(FORGED, header={"jwk": FORGED.as_dict(private=False)}),
     "not signed by the provider (BadSignatureError)"),
    ("an address of keys in the header", lambda: signed(FORGED, header={"jku": "https://evil.example/keys"}),
     "not signed by the provider (BadSignatureError)"),
    ("a file as the key's name", lambda: signed(FORGED, header={"kid": "../../dev/null"}),
     "signed with a key that the provider does not publish"),
    ("no name of a key", lambda: encoded({"alg": "ES256"}, CLAIMS, b"x" * 64),
     "not signed by the provider (BadSignatureError)"),
    ("a key for another algorithm", lambda: encoded({"alg": "RS256", "kid": "e"}, CLAIMS, b"x" * 64),
     "signed with a key that the provider does not publish"),
    ("an extension that must be understood", lambda: encoded({"alg": "ES256", "kid": "e", "crit": ["x"], "x": 1},
     CLAIMS, b"x" * 64), "not signed by the provider (UnsupportedHeaderError)"),
    ("a token of another kind", lambda: signed(header={"typ": "logout+jwt"}), "a token of another kind"),
    ("another issuer", lambda: signed(iss="https://evil.example"), "from another issuer"),
    ("an issuer that begins alike", lambda: signed(iss=f"{ISSUER}.evil.example"), "from another issuer"),
    ("no issuer", lambda: signed(iss=None), "from another issuer"),
    ("another audience", lambda: signed(aud="shop"), "for another audience"),
    ("no audience", lambda: signed(aud=None), "for another audience"),
    ("an audience of another shape", lambda: signed(aud={"ids": 1}), "for another audience"),
    ("several audiences, given to another", lambda: signed(aud=["ids", "shop"], azp="shop"),
     "given to another client"),
    ("expired", lambda: signed(exp=AT - 60), "expired"),
    ("no end", lambda: signed(exp=None), "without an end"),
    ("an end that is text", lambda: signed(exp="2030"), "without an end"),
    ("an end that is true", lambda: signed(exp=True), "without an end"),
    ("not yet valid", lambda: signed(nbf=AT + 61), "not yet valid"),
    ("from the future", lambda: signed(iat=AT + 61), "from the future"),
    ("of another sign-in", lambda: signed(nonce="other"), "of another sign-in"),
    ("of no sign-in", lambda: signed(nonce=None), "of another sign-in"),
    ("somebody who is not mapped", lambda: signed(sub="249"), "nobody is known by that claim"),
    ("nobody", lambda: signed(sub=None), "the claim that names the person is missing"),
    ("a person who is a list", lambda: signed(sub=["248"]), "the claim that names the person is missing"),
    ("no token", lambda: "", "not signed by the provider (DecodeError)"),
    ("three dots", lambda: "..", "not signed by the provider (DecodeError)"),
    ("claims that are no object", lambda: encoded({"alg": "ES256", "kid": "e"}, [1], b"x" * 64),
     "not signed by the provider (BadSignatureError)"),
    ("too long", lambda: "a" * 200_000 + ".b.c", "not signed by the provider (ExceededSizeError)"),
]  # fmt: skip


@pytest.mark.parametrize(("forgery", "why"), [(f, w) for _, f, w in FORGERIES], ids=[name for name, _, _ in FORGERIES])
def test_a_forgery_is_not_believed(forgery: Callable[[], str], why: str) -> None:
    with pytest.raises(Unverified) as told:
        verifier().person(forgery(), now=NOW, nonce="n")
    assert str(told.value) == why


def test_clocks_may_differ_by_a_minute() -> None:
    for token in (signed(exp=AT - 59), signed(nbf=AT + 60), signed(iat=AT + 60)):
        assert verifier().person(token, now=NOW)[0] == "ada"


def test_an_address_names_somebody_only_once_it_is_verified() -> None:
    by_address = verifier(claim="email", people={"ada@example.org": "ada"})
    assert by_address.person(signed(email="ada@example.org", email_verified=True), now=NOW)[0] == "ada"
    for said in (False, None, "true"):
        with pytest.raises(Unverified, match="not verified"):
            by_address.person(signed(email="ada@example.org", email_verified=said), now=NOW)


def test_a_new_key_is_asked_for_and_a_flood_of_unknown_ones_asks_once_a_minute() -> None:
    published = Published(RSA)
    door = verifier(published)
    assert door.person(signed(RSA, "RS256"), now=NOW)[0] == "ada"
    published.keys = [EC]
    later = datetime.fromtimestamp(AT + ASK_AGAIN + 1, tz=UTC)
    assert door.person(signed(), now=later)[0] == "ada"
    with pytest.raises(Unverified, match="does not publish"):
        door.person(signed(RSA, "RS256"), now=later)
    asked = published.asked
    for number in range(50):
        with pytest.raises(Unverified):
            door.person(signed(FORGED, header={"kid": f"k{number}"}), now=later)
    assert published.asked == asked


def test_known_keys_go_on_for_a_day_when_the_provider_is_silent_and_no_longer() -> None:
    published = Published(EC)
    door = verifier(published)
    door.person(signed(), now=NOW)
    published.silent = True
    within, after = (datetime.fromtimestamp(AT + s, tz=UTC) for s in (KEEP_WITHOUT_ANSWER, KEEP_WITHOUT_ANSWER + 62))
    assert door.person(signed(iat=None, exp=AT + 2 * KEEP_WITHOUT_ANSWER), now=within)[0] == "ada"
    with pytest.raises(Unverified, match="does not answer"):
        door.person(signed(iat=None, exp=AT + 2 * KEEP_WITHOUT_ANSWER), now=after)


def test_a_provider_that_calls_itself_otherwise_is_not_believed() -> None:
    published = Published(EC)
    published.issuer = "https://evil.example"
    with pytest.raises(Unverified, match="calls itself something else"):
        verifier(published).person(signed(), now=NOW)


@pytest.mark.parametrize("issuer", ["http://login.example.org", "https://localhost:8443", "http://127.0.0.1:9"])
def test_production_takes_no_provider_of_this_machine_or_without_https(issuer: str) -> None:
    with pytest.raises(InstallationRefusal):
        Provider(issuer, "ids").check(production=True)


def test_a_token_without_a_keys_name_is_not_tried_against_several() -> None:
    other = ECKey.generate_key("P-256", {"kid": "e2"})
    nameless = encoded({"alg": "ES256"}, CLAIMS, b"x" * 64)
    with pytest.raises(Unverified, match="does not publish"):
        verifier(Published(EC, other)).person(nameless, now=NOW)
