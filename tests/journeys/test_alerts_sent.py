"""Alerts of feeds sent to real servers on this machine: posted, mailed, tried again, over TLS, by command."""

import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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
        self.asked = 0  # times that a password was given

    async def handle_DATA(  # noqa: N802 - as the server calls it
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        self.mails.append(envelope)
        return "250 kept"

    def knows(self, _server: object, _session: object, _envelope: object, _mechanism: str, given: Any) -> AuthResult:
        self.asked += 1
        right = isinstance(given, LoginPassword) and given.password == SECRET.encode()
        return AuthResult(success=right, handled=False)


@contextmanager
def post_office(
    trusted: ssl.SSLContext | None = None, *, host: str = "127.0.0.1", **more: Any
) -> Iterator[tuple[Box, int]]:
    box = Box()
    with socket.socket() as free:
        free.bind((host, 0))
        port = int(free.getsockname()[1])
    controller = Controller(
        box, hostname=host, port=port, ssl_context=trusted, authenticator=box.knows, auth_required=True,
        **{"auth_require_tls": False, **more},
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


#: A machine that is not this one, as far as the service is told.
ELSEWHERE = "127.0.0.2"


def shown_by(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """How a server answers that shows a certificate of a host's own, and the file that makes it trusted."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Post office")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    places = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    signed = made.add_extension(places, critical=False).sign(key, hashes.SHA256())
    chain = folder / f"{host}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(signed.public_bytes(Encoding.PEM) + secret)
    answers = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    answers.load_cert_chain(chain)
    return answers, chain


@contextmanager
def trusting(chain: Path) -> Iterator[None]:
    """This process trusts one certificate alone."""
    os.environ["SSL_CERT_FILE"] = str(chain)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]


def mailed(port: int) -> Mailed:
    address = f"smtp://ids@{ELSEWHERE}:{port}?from=ids@example.org&to=desk@example.org"
    (found,) = channels(from_environment({"IDS_ALERTS_MAIL": address, "IDS_ALERTS_PASSWORD": SECRET}))
    assert isinstance(found, Mailed)
    return found


def test_mail_to_another_machine_turns_to_tls_before_a_word_is_said(tmp_path: Path) -> None:
    answers, chain = shown_by(ELSEWHERE, tmp_path)
    offers = {"tls_context": answers, "require_starttls": True, "auth_require_tls": True}
    with post_office(host=ELSEWHERE, **offers) as (box, port):
        with trusting(chain):
            mailed(port).send(TRIAL)
        assert len(box.mails) == 1
        with pytest.raises(StoreRefusal, match="SSLCertVerificationError"):
            mailed(port).send(TRIAL)  # nobody vouches for it
        assert len(box.mails) == 1


def test_mail_is_not_sent_to_who_shows_another_name_or_offers_no_tls(tmp_path: Path) -> None:
    answers, chain = shown_by("127.0.0.3", tmp_path)
    refused = pytest.raises(StoreRefusal, match="SSLCertVerificationError")
    with post_office(host=ELSEWHERE, tls_context=answers) as (box, port), trusting(chain), refused:
        mailed(port).send(TRIAL)
    with post_office(host=ELSEWHERE) as (plain, port), pytest.raises(StoreRefusal, match="SMTPNotSupportedError"):
        mailed(port).send(TRIAL)
    assert (box.mails, plain.mails, plain.asked, box.asked) == ([], [], 0, 0)


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
