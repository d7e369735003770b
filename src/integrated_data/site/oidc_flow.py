"""Signing in at the identity provider in a browser: authorisation code with PKCE (RFC 6749, 7636, 8252, 9700).

`begin` gives the address to open and what must be kept until the browser comes back; `finish` turns what
it came back with into the provider's signed word, once.
"""

import base64
import hmac
import http.server
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from integrated_data.site.oidc import LONGEST, WAIT, Unverified, Verifier

#: Seconds for which a browser may stay away.
PATIENCE = 300


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way. `address`: what the browser opens; the rest is kept until it comes back."""

    address: str
    redirect: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    until: datetime


def begin(verifier: Verifier, redirect: str, *, now: datetime, until: datetime) -> Begun:
    """Begin a sign-in whose browser comes back to `redirect`; raises `Unverified`."""
    state, nonce, proof = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(sha256(proof.encode()).digest()).rstrip(b"=").decode()
    where = verifier.metadata(at=now.timestamp())["authorization_endpoint"]
    asked = {
        "response_type": "code", "client_id": verifier.provider.client, "redirect_uri": redirect,
        "scope": "openid email profile", "state": state, "nonce": nonce,
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    return Begun(f"{where}?{urlencode(asked)}", redirect, state, nonce, proof, until)


def finish(verifier: Verifier, begun: Begun, *, came: str, now: datetime) -> tuple[str, str]:
    """The provider's signed word and the nonce it must hold; `came`: the address the browser came back to.

    Raises `Unverified`. The caller forgets `begun` before it calls: a sign-in is finished once.
    """
    query = parse_qs(urlsplit(came).query)
    state, code = (query.get(k, [""])[0] for k in ("state", "code"))
    if not hmac.compare_digest(state.encode(), begun.state.encode()):
        raise Unverified("of another sign-in")
    if now >= begun.until:
        raise Unverified("the browser came back too late")
    if query.get("iss", [verifier.provider.issuer])[0] != verifier.provider.issuer:  # RFC 9207
        raise Unverified("from another issuer")
    if not code:
        raise Unverified("the provider refused")
    sent = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": begun.redirect,
        "client_id": verifier.provider.client, "code_verifier": begun.verifier,
    }  # fmt: skip
    where = str(verifier.metadata(at=now.timestamp())["token_endpoint"])
    try:
        answer = httpx.post(where, data=sent, timeout=WAIT, follow_redirects=False)
        answer.raise_for_status()
        if len(answer.content) > LONGEST:
            raise ValueError("the answer is too long")
        return str(json.loads(answer.content)["id_token"]), begun.nonce
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Unverified(f"the provider gave no token ({type(error).__name__})") from None


def at_loopback(opened: Callable[[str], None]) -> str:
    """Wait at a port of this machine for the browser to come back (RFC 8252 §7.3); returns where it came to.

    `opened` gets the address to come back to.
    """
    came: list[str] = []
    done = threading.Event()

    class Door(http.server.BaseHTTPRequestHandler):
        """Answers the one browser that comes back."""

        def do_GET(self) -> None:
            """Take what the browser came back with."""
            if urlsplit(self.path).path == "/signed-in" and not came:
                came.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"You may close this window.\n")
            if came:
                done.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
            """Write nothing down: the address holds a code."""

    with http.server.HTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened(f"http://127.0.0.1:{server.server_port}/signed-in")
        in_time = done.wait(PATIENCE)
        server.shutdown()
    if not in_time:
        raise Unverified("the browser did not come back")
    return came[0]
