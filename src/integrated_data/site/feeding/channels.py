"""Where alerts of feeds are sent: posted as JSON to a URL, or mailed. Both are settings, their secrets too.

What is sent has no value from the data: alerts have none. Nothing leaves this machine without encryption.
"""

import hashlib
import json
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import httpx

from integrated_data.model.errors import StoreRefusal, UsageRefusal
from integrated_data.site.settings import Settings

#: Seconds that a channel may take to answer.
ANSWER = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: An alert as it is sent: feed, kind, period, told, since, state (`open` or `over`).
Told = dict[str, str]


@dataclass(frozen=True)
class Message:
    """Some alerts that are told together. `service`: of which installation."""

    service: str
    alerts: tuple[Told, ...]

    @property
    def key(self) -> str:
        """The same for a message that is sent again, so that whoever gets it may know."""
        return hashlib.sha256(json.dumps([self.service, *self.alerts], sort_keys=True).encode()).hexdigest()[:32]


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What its state is kept under."""

    def send(self, message: Message) -> None:
        """Send it; raises StoreRefusal where it was not taken, without the secret or the answer's text."""


@dataclass(frozen=True)
class Posted:
    """A URL that takes `{"service", "key", "alerts": [...]}`; a redirect is no answer."""

    url: str
    token: str | None = field(default=None, repr=False)
    name: str = "url"

    def send(self, message: Message) -> None:
        """See `Channel.send`."""
        headers = {"idempotency-key": message.key}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        body = {"service": message.service, "key": message.key, "alerts": list(message.alerts)}
        with _sending("URL"):
            trusted = ssl.create_default_context()
            answer = httpx.post(self.url, json=body, headers=headers, timeout=ANSWER, verify=trusted)
        if not answer.is_success:
            raise _not_taken("URL", f"It answered {answer.status_code}")


@dataclass(frozen=True)
class Mailed:
    """A mail server. `tls`: encrypted from the start; else it must offer STARTTLS, but on this machine."""

    server: tuple[str, int]
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: str | None = field(default=None, repr=False)
    tls: bool = True
    name: str = "mail"

    def send(self, message: Message) -> None:
        """See `Channel.send`."""
        with _sending("mail server"), self._connected() as server:
            if self.user:
                server.login(self.user, self.password or "")
            server.send_message(self._mail(message))

    def _connected(self) -> smtplib.SMTP:
        host, port = self.server
        trusted = ssl.create_default_context()
        if self.tls:
            return smtplib.SMTP_SSL(host, port, timeout=ANSWER, context=trusted)
        server = smtplib.SMTP(host, port, timeout=ANSWER)
        if host not in LOOPBACK:
            server.starttls(context=trusted)
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail, many = EmailMessage(), len(message.alerts)
        feeds = sorted({told["feed"] for told in message.alerts})
        more = f" and {len(feeds) - 3} more" if len(feeds) > 3 else ""
        mail["Subject"] = f"{many} {'alert' if many == 1 else 'alerts'} of {', '.join(feeds[:3])}{more}"
        mail["From"], mail["To"] = self.sender, ", ".join(self.to)
        mail["Message-ID"] = f"<{message.key}@{self.sender.rpartition('@')[2]}>"
        lines = [f"Alerts of the feeds of {message.service}.", ""]
        lines += [f"{t['state']}: {t['feed']} {t['period']} {t['kind']}: {t['told']} (since {t['since']})"
                  for t in message.alerts]  # fmt: skip
        mail.set_content("\n".join(lines) + "\n")
        return mail


@contextmanager
def _sending(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError, smtplib.SMTPException, httpx.HTTPError, httpx.InvalidURL) as error:
        code = getattr(error, "smtp_code", "")
        raise _not_taken(what, f"{type(error).__name__} {code}".strip()) from None


def _not_taken(what: str, why: str) -> StoreRefusal:
    return StoreRefusal(f"The {what} that alerts are sent to did not take them", why=why, next_step="It is tried again")


def channels(settings: Settings) -> tuple[Channel, ...]:
    """The channels that are set; refuses a setting that cannot be meant, or that would send in plain."""
    found: list[Channel] = []
    if settings.alerts_url:
        parts = _parts(settings.alerts_url, name="IDS_ALERTS_URL", schemes=("https", "http"))
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise UsageRefusal(
                "IDS_ALERTS_URL would send alerts without encryption", next_step="Give an https address"
            )  # fmt: skip
        found.append(Posted(settings.alerts_url, settings.alerts_token))
    if settings.alerts_mail:
        parts = _parts(settings.alerts_mail, name="IDS_ALERTS_MAIL", schemes=("smtps", "smtp"))
        asked, tls = parse_qs(parts.query), parts.scheme == "smtps"
        sender, to = _addresses(asked.get("from", ())), _addresses(asked.get("to", ()))
        if len(sender) != 1 or not to or parts.password:
            raise UsageRefusal(
                "IDS_ALERTS_MAIL does not say from whom to whom, or holds a password",
                next_step="Write it as smtps://USER@HOST:465?from=ADDRESS&to=ADDRESS,ADDRESS; the password is "
                "IDS_ALERTS_PASSWORD",
            )
        server, user = (parts.hostname or "", parts.port or (465 if tls else 587)), unquote(parts.username or "")
        found.append(Mailed(server, sender[0], to, user, settings.alerts_password, tls))
    return tuple(found)


def _parts(value: str, *, name: str, schemes: Sequence[str]) -> SplitResult:
    try:
        parts = urlsplit(value)
        right = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        right = False
    if not right:
        raise UsageRefusal(f"{name} is not an address", next_step=f"It begins with {schemes[0]}:// and names a host")
    return parts


def _addresses(given: Sequence[str]) -> tuple[str, ...]:
    every = tuple(one.strip() for text in given for one in text.split(","))
    return every if all(one.count("@") == 1 and one.isprintable() and " " not in one for one in every) else ()
