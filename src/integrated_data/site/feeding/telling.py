"""Alerts of feeds sent to people: each when it opens and when it is over, to every channel by itself.

What a channel was told is kept beside the installation: the last alert, and those that it knows as open. A message
that was not taken is sent again later, and later each time, with what came meanwhile; nothing is left out. One that
was taken just before a kill is sent twice, under the same key.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from integrated_data.control import feeds
from integrated_data.control.store import Store
from integrated_data.model.errors import StoreRefusal
from integrated_data.model.event import Event
from integrated_data.model.feed import Retry
from integrated_data.site.feeding.channels import Channel, Message, Told
from integrated_data.site.places import Places

#: Alerts of one message, at most.
MOST = 200
#: How long it is waited before a message is sent again.
AGAIN = Retry()

TRIAL = Message("", ({"feed": "none", "kind": "trial", "period": "", "state": "over", "since": "",
                      "told": "This only tries whether alerts arrive."},))  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What a channel was told: alerts up to `last`, and `open` of them as open.

    `since`: when it was first told anything; what was over by then is left out. `next_try`: seconds since the epoch.
    """

    since: str
    last: int = 0
    open: tuple[int, ...] = ()
    failures: int = 0
    next_try: float = 0.0


@dataclass(frozen=True)
class Teller:
    """What telling takes: the store, the channels that are set, and who acts."""

    places: Places
    store: Store
    channels: Sequence[Channel]
    actor: str

    def tell(self, *, at_once: bool = False) -> list[dict[str, Any]]:
        """Send what a channel was not told yet; `at_once`: also one whose time has not come. A row for each."""
        told = []
        for channel in self.channels:
            with _alone(self.places, channel.name) as free:
                row = self._tell(channel, at_once=at_once) if free else {"state": "another process is at it", "sent": 0}
            told.append({"channel": channel.name, **row})
        return told

    def try_out(self) -> list[dict[str, Any]]:
        """Send every channel a message that only says that it is a trial; a row for each."""
        rows = []
        for channel in self.channels:
            try:
                channel.send(replace(TRIAL, service=self._service))
                rows.append({"channel": channel.name, "state": "told", "why": ""})
            except StoreRefusal as refusal:
                rows.append({"channel": channel.name, "state": "not taken", "why": str(refusal)})
        return rows

    @property
    def _service(self) -> str:
        return self.places.home.name

    def _tell(self, channel: Channel, *, at_once: bool) -> dict[str, Any]:
        place = self.places.alerts / f"{channel.name}.json"
        kept, sent = _read(place) or Kept(self.store.now().isoformat(timespec="microseconds")), 0
        if kept.next_try > self.store.now().timestamp() and not at_once:
            return {"state": "it is tried again later", "sent": 0}
        while True:
            told, after = self._new(kept)
            if told:
                try:
                    channel.send(Message(self._service, told))
                except StoreRefusal as refusal:
                    self._not_taken(channel, kept, place=place, why=str(refusal))
                    return {"state": "not taken", "sent": sent, "why": str(refusal)}
                sent += len(told)
                self.store.record(Event("alerts.told", self.actor, f"channel/{channel.name}", {"alerts": len(told)}))
            _write(place, after)
            if not told:
                return {"state": "told", "sent": sent}
            kept = after

    def _new(self, kept: Kept) -> tuple[tuple[Told, ...], Kept]:
        """What a channel is to be told next, at most `MOST`, and what it knows then."""
        with self.store.read() as connection:
            rows = feeds.untold(connection, after=kept.last, since=kept.since, known=kept.open, most=MOST)
        known, told = set(kept.open), list[Told]()
        for row in rows:
            over = row["closed_at"] is not None
            told.append({k: row[k] for k in ("feed", "kind", "period", "told")}
                        | {"since": row["at"], "state": "over" if over else "open"})  # fmt: skip
            known = known - {row["id"]} if over else known | {row["id"]}
        last = max((row["id"] for row in rows), default=0)
        return tuple(told), Kept(kept.since, max(kept.last, last), tuple(sorted(known)))

    def _not_taken(self, channel: Channel, kept: Kept, *, place: Path, why: str) -> None:
        failures = kept.failures + 1
        again = min(AGAIN.longest, AGAIN.first * 2.0 ** (failures - 1))
        _write(place, replace(kept, failures=failures, next_try=self.store.now().timestamp() + again))
        facts = {"failures": failures, "again_in": again}
        self.store.record(Event("alerts.not_taken", self.actor, f"channel/{channel.name}", facts))
        structlog.get_logger().warning("alerts were not taken", channel=channel.name, failures=failures, why=why)


@contextmanager
def _alone(places: Places, channel: str) -> Iterator[bool]:
    """Whether nobody else tells this channel now; nobody does while it holds."""
    places.alerts.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(places.alerts / f".{channel}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _read(place: Path) -> Kept | None:
    if not place.exists():
        return None
    body = json.loads(place.read_text(encoding="utf-8"))
    return Kept(**{**body, "open": tuple(body["open"])})


def _write(place: Path, kept: Kept) -> None:
    part = place.with_suffix(".part")
    part.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    part.replace(place)
