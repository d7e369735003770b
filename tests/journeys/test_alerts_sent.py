"""Alerts of feeds sent to real servers on this machine: posted, mailed, tried again, over TLS, by command."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from integrated_data.control.store import recorded
from integrated_data.model.errors import StoreRefusal, UsageRefusal
from integrated_data.site.certificates import Certificate, certificate
from integrated_data.site.feeding.channels import Mailed, Posted, channels
from integrated_data.site.feeding.telling import TRIAL, Teller
from integrated_data.site.settings import from_environment
from tests.feeding import Fed, contract
from tests.journeys.installation import COMMAND, environment
from tests.journeys.test_feeds import DAILY
from tests.service import SETTINGS

SECRET = "correct horse"
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture
def fed(tmp_path: Path) -> Fed:
    return Fed(tmp_path, DAILY, contract())


class Desk(ThreadingHTTPServer):
    """Takes alerts; `answers`: what it says next, then 204 for good."""

    def __init__(self, trusted: ssl.SSLContext | None = None) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _Taking)
        if trusted is not None:
            self.socket = trusted.wrap_socket(self.socket, server_side=True)

    @property
    def told(self) -> list[list[tuple[str, str, str]]]:
        """Kind, period and state of the alerts of each message."""
        return [[(a["kind"], a["period"], a["state"]) for a in body["alerts"]] for _, body in self.got]


class _Taking(BaseHTTPRequestHandler):
    server: Desk

    def do_POST(self) -> None:  # as http.server calls it
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status == 204:
            self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(status)
        self.send_header("location", "https://elsewhere.invalid/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def desk(trusted: ssl.SSLContext | None = None) -> Iterator[Desk]:
    with Desk(trusted) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Box:
    """Mails that came, of whoever knows the password."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(  # noqa: N802 - as the server calls it
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        return "250 kept"


def knows(_server: object, _session: object, _envelope: object, _mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and given.password == SECRET.encode()
    return AuthResult(success=right, handled=False)


@contextmanager
def post_office(trusted: ssl.SSLContext | None = None) -> Iterator[tuple[Box, int]]:
    box = Box()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    controller = Controller(
        box, hostname="127.0.0.1", port=port, ssl_context=trusted, authenticator=knows, auth_required=True,
        auth_require_tls=False,
    )  # fmt: skip
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def test_an_alert_is_posted_when_it_opens_and_when_it_is_over_and_again_after_a_failure(fed: Fed) -> None:
    with desk() as server:
        channel = Posted(f"http://127.0.0.1:{server.server_port}/alerts", SECRET)
        teller = Teller(fed.places, fed.store, (channel,), "tester")
        fed.look("2024-03-02T13:00")
        assert teller.tell() == [{"channel": "url", "state": "told", "sent": 1}]
        assert teller.tell() == [{"channel": "url", "state": "told", "sent": 0}], "nothing new"

        fed.look("2024-03-03T13:00")
        server.answers = [503, 307]
        (row,) = teller.tell()
        assert (row["state"], row["sent"]) == ("not taken", 0)
        assert "503" in row["why"]
        assert SECRET not in row["why"]
        assert teller.tell()[0]["state"] == "it is tried again later"
        assert teller.tell(at_once=True)[0]["state"] == "not taken", "a redirect is no answer"
        fed.look("2024-03-03T13:00:59")
        assert teller.tell()[0]["state"] == "it is tried again later", "a minute after the second failure"
        fed.look("2024-03-03T13:01")
        assert teller.tell() == [{"channel": "url", "state": "told", "sent": 3}]
    assert server.told == [
        [("late", "2024-03-01", "open")],
        [("late", "2024-03-01", "over"), ("missing", "2024-03-01", "open"), ("late", "2024-03-02", "open")],
    ]
    heads, body = server.got[0]
    assert (heads["authorization"], heads["idempotency-key"]) == (f"Bearer {SECRET}", body["key"])
    with fed.store.read() as connection:
        assert [r.facts["failures"] for r in recorded(connection, "alerts.not_taken")] == [1, 2]
        assert [r.facts["alerts"] for r in recorded(connection, "alerts.told")] == [1, 3]


def test_what_was_over_before_anybody_was_told_is_left_out(fed: Fed) -> None:
    fed.look("2024-03-02T13:00")
    fed.look("2024-03-03T13:00")
    with desk() as server:
        Teller(fed.places, fed.store, (Posted(f"http://127.0.0.1:{server.server_port}"),), "tester").tell()
    assert server.told == [[("missing", "2024-03-01", "open"), ("late", "2024-03-02", "open")]]


def test_alerts_are_mailed_and_each_channel_fails_by_itself(fed: Fed) -> None:
    fed.look("2024-03-02T13:00")
    with post_office() as (box, port):
        mail = Mailed(("127.0.0.1", port), "ids@example.org", ("a@example.org", "b@example.org"), "ids", SECRET, False)
        rows = Teller(fed.places, fed.store, (Posted("http://127.0.0.1:1/"), mail), "tester").tell()
        wrong = Mailed(mail.server, mail.sender, mail.to, "ids", "guessed", False)
        (refused,) = Teller(fed.places, fed.store, (wrong,), "tester").try_out()
    assert [row["state"] for row in rows] == ["not taken", "told"]
    assert "535" in refused["why"]
    assert "guessed" not in refused["why"]
    (came,) = box.mails
    assert came.rcpt_tos == ["a@example.org", "b@example.org"]
    text = (came.content or b"").decode() if isinstance(came.content, bytes) else str(came.content)
    assert "Subject: 1 alert of mobility" in text
    assert "open: mobility 2024-03-01 late:" in text


@pytest.mark.long
def test_by_command_over_tls(fed: Fed, tmp_path: Path) -> None:
    shown: Certificate = certificate(fed.places, SETTINGS)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(shown.chain, shown.key)
    fed.look("2024-03-02T13:00")
    with desk(served) as server, post_office(served) as (box, port):
        settings = {
            "IDS_ALERTS_URL": f"https://127.0.0.1:{server.server_port}/", "IDS_ALERTS_PASSWORD": SECRET,
            "IDS_ALERTS_MAIL": f"smtps://ids@127.0.0.1:{port}?from=ids@example.org&to=desk@example.org",
        }  # fmt: skip
        trusting = environment(fed.places.home) | settings | {"SSL_CERT_FILE": str(shown.chain)}
        for option, trusts in (("--try", True), ("--json", False), ("--json", True)):
            variables = trusting if trusts else {k: v for k, v in trusting.items() if k != "SSL_CERT_FILE"}
            order = [*COMMAND, "feed", "tell", option]
            ran = subprocess.run(order, env=variables, capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode == (0 if trusts else 1), ran.stderr
    assert server.told == [[("trial", "", "over")], [("late", "2024-03-01", "open")]]
    assert len(box.mails) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IDS_ALERTS_URL", "http://desk.example/alerts"),
        ("IDS_ALERTS_URL", "desk.example"),
        ("IDS_ALERTS_URL", "https://desk.example:99999999"),
        ("IDS_ALERTS_MAIL", "smtps://mail.example"),
        ("IDS_ALERTS_MAIL", "smtps://ids:secret@mail.example?from=a@b&to=c@d"),
        ("IDS_ALERTS_MAIL", "smtps://mail.example?from=a@b%0d%0aBcc:x@y&to=c@d"),
        ("IDS_ALERTS_MAIL", "http://mail.example?from=a@b&to=c@d"),
    ],
)
def test_settings_that_cannot_be_meant_or_would_send_in_plain(name: str, value: str) -> None:
    with pytest.raises(UsageRefusal, match=name):
        channels(from_environment({name: value}))


def test_a_secret_that_no_header_can_hold_is_told_without_it() -> None:
    with pytest.raises(StoreRefusal, match="UnicodeEncodeError") as refusal:
        Posted("http://127.0.0.1:9/", "g\N{LATIN SMALL LETTER E WITH ACUTE}heim").send(TRIAL)
    assert "heim" not in str(refusal.value)
