"""One look at the feeds: what came is taken, what did not is told. Each feed fails by itself.

A file is known by a digest of its name, size and moment of change: one that changes is another one. What failed for
a passing reason is tried again, after a wait that doubles; what a load refused is not, until the file changes.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from integrated_data.acquire.feeds import names, schedule
from integrated_data.control import deliveries, feeds
from integrated_data.control.store import Store
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import DeliveryRefusal, StoreRefusal
from integrated_data.model.event import Event
from integrated_data.model.feed import SETTLED, Alert, AlertKind, Every, FeedDefinition, FileState, Found
from integrated_data.site import drops, loads
from integrated_data.site.feeding.taking import ENDS, THERE, Taking, Waiting, wait
from integrated_data.site.loading import LoadingSite
from integrated_data.site.places import Places

Opened = Callable[[], AbstractContextManager[LoadingSite]]

STRANGE = "Its name is none of the feed's, or its period is outside of the schedule"


@dataclass(frozen=True)
class Feeder:
    """What looking at feeds takes: the store, how the loading side is opened when it is needed, and who acts."""

    places: Places
    store: Store
    opened: Opened
    actor: str

    def look(self, feed: feeds.Feed) -> dict[str, Any]:
        """Look at one feed; returns what was done. One that another process looks at is passed over."""
        definition, now = feed.definition, self.store.now().timestamp()
        looked: dict[str, Any] = {"feed": definition.id, "state": "looked", "why": "", "files": []}
        with _alone(self.places, definition.id) as free:
            if not free:
                return looked | {"state": "another process is at it"}
            self._decided(definition)
            if feed.next_look > now:
                return looked | {"state": "its store is asked again later"}
            try:
                with ExitStack() as stack:
                    self._take(definition, stack, done=looked["files"])
            except (StoreRefusal, DeliveryRefusal) as refusal:
                store = isinstance(refusal, StoreRefusal)
                self._waits(feed, Alert(AlertKind.UNREACHABLE if store else AlertKind.STOPPED, str(refusal)))
                state = "its store does not answer" if store else "its dataset may not be loaded now"
                return looked | {"state": state, "why": str(refusal)}
            if feed.failures:
                self._reached(definition)
            self._told(definition)
        return looked

    def _take(self, definition: FeedDefinition, stack: ExitStack, *, done: list[dict[str, Any]]) -> None:
        """Take what came; `done` receives what became of each file. After one that failed, the store is opened anew."""
        drop = stack.enter_context(drops.opened(definition.drop, self.places))
        waiting, strange = self._waiting(definition, drop.listing())
        self._raise(definition, [Alert(AlertKind.STRANGE, STRANGE, about=mark) for mark in strange], once=True)
        if not waiting:
            return
        site = stack.enter_context(self.opened())
        loads.check(site, definition.dataset)
        for file in waiting:
            if done and done[-1]["state"] in (FileState.FAILED, FileState.GIVEN_UP):
                drop = stack.enter_context(drops.opened(definition.drop, self.places))
            done.append(Taking(site, definition, file).take(drop))
            structlog.get_logger().info("feed", **{k: done[-1][k] for k in ("feed", "period", "state")})

    def _waiting(self, definition: FeedDefinition, listed: list[Found]) -> tuple[list[Waiting], list[str]]:
        """Files to be taken now, by period and number; and marks of those that are none of the feed's."""
        now, quiet = self.store.now(), definition.drop.quiet
        how = names.pattern(definition.files, definition.schedule.every)
        with self.store.read() as connection:
            known = {f.mark: f for f in feeds.files(connection, definition.id)}
        waiting, strange = [], []
        for found in listed:
            name, mark = how.read(found.name), mark_of(found)
            if name is None or schedule.outside(definition.schedule, name.period):
                strange.append(mark[:16])
            elif (now - found.modified).total_seconds() < quiet:
                continue  # perhaps still being written
            elif mark not in known:
                waiting.append(Waiting(found, mark, name))
            elif known[mark].state not in SETTLED and known[mark].next_try <= now.timestamp():
                waiting.append(Waiting(found, mark, name, known[mark].attempts))
        return sorted(waiting, key=lambda w: (w.name.period, w.name.number or 0, w.found.modified)), strange

    def _waits(self, feed: feeds.Feed, alert: Alert) -> None:
        """Look again later, and later each time."""
        failures = feed.failures + 1
        again = self.store.now().timestamp() + wait(feed.definition, failures)
        feeds.looked(self.store, feed.definition.id, failures=failures, next_look=again, by=self.actor)
        self._raise(feed.definition, [alert])
        self._told(feed.definition)

    def _reached(self, definition: FeedDefinition) -> None:
        feeds.looked(self.store, definition.id, failures=0, next_look=0.0, by=self.actor)
        with self.store.change(self._event(definition)) as change:
            feeds.close(change, definition.id, kinds=(AlertKind.UNREACHABLE, AlertKind.STOPPED))

    def _decided(self, definition: FeedDefinition) -> None:
        """Follow what people decided about held deliveries since the last look."""
        with self.store.read() as connection:
            held = [f for f in feeds.files(connection, definition.id) if f.state is FileState.HELD and f.delivery]
            now = {f.mark: deliveries.get(connection, f.delivery or "").state for f in held}
        for file in held:
            state = now[file.mark]
            if state in (LoadState.PUBLISHED, LoadState.REJECTED):
                with self.store.change(self._event(definition)) as change:
                    feeds.note(change, definition.id, mark=file.mark, values={"state": ENDS[state].value})
                    kinds = (AlertKind.HELD, AlertKind.RESTATED)
                    feeds.close(change, definition.id, kinds=kinds, about=file.mark[:16])

    def _told(self, definition: FeedDefinition) -> None:
        """Raise what is to be said of periods that did not come, and of numbers that were left out."""
        with self.store.read() as connection:
            came = [f for f in feeds.files(connection, definition.id) if f.state in THERE]
        there = {f.period for f in came}
        found = [*schedule.overdue(definition.schedule, self.store.now(), there=there)]
        if definition.schedule.every is Every.ANY:
            found += schedule.gaps([f.number for f in came if f.number is not None])
        self._raise(definition, found)

    def _raise(self, definition: FeedDefinition, found: list[Alert], *, once: bool = False) -> None:
        """Raise alerts that are not open, or with `once`, that never were; what is missing is no longer late."""
        with self.store.read() as connection:
            known = feeds.raised(connection, definition.id, open_only=not once)
        new = [a for a in found if (a.kind.value, a.period, a.about) not in known]
        if not new:
            return
        with self.store.change(self._event(definition)) as change:
            feeds.alert(change, definition.id, found=new)
            for alert in new:
                if alert.kind is AlertKind.MISSING:
                    feeds.close(change, definition.id, kinds=(AlertKind.LATE,), period=alert.period)
        for alert in new:
            structlog.get_logger().warning("feed alert", feed=definition.id, kind=alert.kind.value, told=alert.told)

    def _event(self, definition: FeedDefinition) -> Event:
        return Event("feed.told", self.actor, f"feed/{definition.id}")


def mark_of(found: Found) -> str:
    """What a listed file is known by: a digest, for its name may hold a personal value."""
    told = f"{found.name}\n{found.size}\n{found.modified.timestamp():.3f}"
    return hashlib.sha256(told.encode()).hexdigest()


@contextmanager
def _alone(places: Places, feed: str) -> Iterator[bool]:
    """Hold a feed for this process; False where another one has it."""
    places.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(places.scratch / f".feed-{feed}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
