"""An identity provider for trials and tests: it believes whoever says who they are. Production refuses it.

    python -m integrated_data.site.development_provider

Prints its address, which is the issuer, and answers on this machine until it is stopped. Authorisation
code with PKCE; a code is used once; `POST /rotate` makes a new key and forgets the old one.
"""

import base64
import html
import json
import secrets
import sys
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from integrated_data.model.errors import InstallationRefusal
from integrated_data.site.settings import Settings, from_environment

CLIENT = "ids"
LIFE = 300  # seconds for which its tokens count


class Development:
    """The provider's memory: its key, and codes that were given out and not used."""

    def __init__(self, settings: Settings) -> None:
        if settings.production:
            raise InstallationRefusal(
                "The development provider believes anybody",
                why="Production settings are on",
                next_step="Name the organisation's own identity provider in sign-in.yaml",
            )
        self.issuer = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.lock = threading.Lock()
        self.rotate()

    def rotate(self) -> None:
        """Make a new key and forget the old one."""
        self.key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §3."""
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["ES256"], "subject_types_supported": ["public"],
        }  # fmt: skip

    def code(self, asked: dict[str, str]) -> str:
        """Where to send the browser of somebody who said who they are."""
        code = secrets.token_urlsafe(24)
        with self.lock:
            self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def tokens(self, sent: dict[str, str]) -> dict[str, Any] | None:
        """Tokens for a code, once; None for one that is not known, used, or not this client's."""
        with self.lock:
            asked = self.codes.pop(sent.get("code", ""), None)
        proof = sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        must = {
            "code_challenge": challenge,
            "redirect_uri": sent.get("redirect_uri"),
            "client_id": sent.get("client_id"),
        }
        if asked is None or any(asked[name] != value for name, value in must.items()):
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": asked["client_id"], "sub": asked["person"], "nonce": asked.get("nonce"),
            "iat": now, "exp": now + LIFE,
        }  # fmt: skip
        signed = jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)
        return {"id_token": signed, "access_token": signed, "token_type": "Bearer", "expires_in": LIFE}


def door(provider: Development) -> type[BaseHTTPRequestHandler]:
    """What answers the provider's addresses."""

    class Door(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """Discovery, keys, and the page that asks who somebody is."""
            address = urlsplit(self.path)
            asked = {k: v[0] for k, v in parse_qs(address.query).items()}
            match address.path:
                case "/.well-known/openid-configuration":
                    self._say(200, provider.metadata())
                case "/keys":
                    self._say(200, {"keys": [provider.key.as_dict(private=False)]})
                case "/authorize" if asked.get("person") and asked.get("code_challenge_method") == "S256":
                    self.send_response(302)
                    self.send_header("Location", provider.code(asked))
                    self.end_headers()
                case "/authorize":
                    self._ask(asked)
                case _:
                    self._say(404, {"error": "not_found"})

        def do_POST(self) -> None:
            """Tokens for a code; a new key."""
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1 << 16)).decode()
            if self.path == "/rotate":
                provider.rotate()
                return self._say(200, {})
            given = provider.tokens({k: v[0] for k, v in parse_qs(body).items()}) if self.path == "/token" else None
            return self._say(200, given) if given else self._say(400, {"error": "invalid_grant"})

        def _ask(self, asked: dict[str, str]) -> None:
            kept = "".join(
                f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in asked.items()
            )
            page = f"<form action='/authorize'>{kept}Who are you? <input name='person'><button>Go on</button></form>"
            self._send(200, "text/html; charset=utf-8", body=page.encode())

        def _say(self, status: int, body: object) -> None:
            self._send(status, "application/json", body=json.dumps(body).encode())

        def _send(self, status: int, kind: str, *, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
            """Write nothing down: addresses hold codes."""

    return Door


def main() -> None:
    """Answer until stopped."""
    provider = Development(from_environment())
    with ThreadingHTTPServer(("127.0.0.1", 0), door(provider)) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        sys.stdout.write(f"{provider.issuer}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
