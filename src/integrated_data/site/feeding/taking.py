"""One file of a feed: fetched, compared with what came before, loaded, and what became of it written down."""

from dataclasses import dataclass, replace
from typing import Any

from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.acquire.feeds.names import Name
from integrated_data.acquire.feeds.schedule import due
from integrated_data.acquire.feeds.store import Arriving, Store
from integrated_data.control import deliveries, feeds
from integrated_data.journey import Arrived, Handed
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import Completes, LoadState
from integrated_data.model.errors import BusyRefusal, CancelledRefusal, Refusal, RoomRefusal, StoreRefusal, is_disk_full
from integrated_data.model.event import Event
from integrated_data.model.feed import Alert, AlertKind, Every, FeedDefinition, FileState, Found, Restated
from integrated_data.site import loads
from integrated_data.site.loading import LoadingSite

#: What a load's end makes of a file.
ENDS = {
    LoadState.PUBLISHED: FileState.LOADED, LoadState.HELD: FileState.HELD, LoadState.REJECTED: FileState.REJECTED,
}  # fmt: skip
#: Alerts that a state raises, and those that end when a file of their period is taken after all.
RAISED = {FileState.HELD: AlertKind.HELD, FileState.REJECTED: AlertKind.REJECTED, FileState.REFUSED: AlertKind.REJECTED,
          FileState.GIVEN_UP: AlertKind.FAILED}  # fmt: skip
PASSING = (AlertKind.LATE, AlertKind.MISSING)
#: States of a file with which its period is there.
THERE = frozenset({FileState.ARRIVED, FileState.LOADED, FileState.HELD, FileState.REPEATED})


@dataclass(frozen=True)
class Waiting:
    """A file to be fetched: as it was listed, what it is known by, what its name says, how often it was tried."""

    found: Found
    mark: str
    name: Name
    attempts: int = 0


@dataclass(frozen=True)
class Taking:
    """A file of a feed that is being taken."""

    site: LoadingSite
    definition: FeedDefinition
    file: Waiting

    def take(self, store: Store) -> dict[str, Any]:
        """Fetch and load the file; returns what became of it. What fails, fails for this file alone."""
        try:
            return self._taken(store)
        except (StoreRefusal, BusyRefusal, RoomRefusal, CancelledRefusal) as refusal:
            return self._failed(str(refusal))
        except Refusal as refusal:
            return self._note(FileState.REFUSED, reason=str(refusal))
        except Exception as error:  # its text may hold values: the kind alone is told
            full = is_disk_full(error)
            return self._failed(
                "The disk is full." if full else f"An unforeseen {type(error).__name__} stopped the load."
            )

    def _taken(self, store: Store) -> dict[str, Any]:
        site, dataset, period = self.site, self.definition.dataset, self.file.name.period
        completes = self.file.name.completes
        handed = Handed(completes=Completes(completes) if completes else None)
        arrived = journey.arrive(site.workshop, dataset, files=[Arriving(store, self.file.found)], handed=handed)
        freed = self._freed(arrived)
        repeated = self._repeated(arrived) if freed is None else None
        if repeated is not None:
            return repeated
        contract = contracts.parse(self.definition.contract) if self.definition.contract else None
        stopped = None if completes else self._restated(freed or arrived, contract)
        if stopped is not None:
            return stopped
        delivery = arrived.delivery.id
        self._note(FileState.ARRIVED, delivery=delivery)
        outcome = loads.go_on(site, delivery, contract=contract)
        unusual = [*outcome["unusual"], *(d["told"] for d in outcome["drift"])]
        told = self._note(
            ENDS[LoadState(outcome["state"])], reason=outcome["reason"], delivery=delivery, unusual=unusual
        )
        return told | {"period": period, "projects_refreshed": outcome["projects_refreshed"]}

    def _freed(self, arrived: Arrived) -> Arrived | None:
        """A delivery that was refused because its period was delivered, and whose period is free now; else None."""
        delivery, feed = arrived.delivery, self.definition.id
        if delivery.state is not LoadState.REJECTED:
            return None
        with self.site.store.read() as connection:
            first = feeds.of_delivery(connection, delivery.id)
            taken = feeds.of_period(connection, feed, period=self.file.name.period)
        its_own = first is not None and (first[0].id, first[1].period) == (feed, self.file.name.period)
        if first is None or not its_own or first[1].state is not FileState.REFUSED or taken:
            return None
        facts = {"delivery": delivery.id, "reason": "what stood for its period was withdrawn"}
        event = Event("delivery.freed", self.site.actor, f"dataset/{self.definition.dataset}", facts)
        with self.site.store.change(event) as change:
            deliveries.move(change, delivery.id, state=LoadState.LANDED)
        return replace(arrived, delivery=replace(delivery, state=LoadState.LANDED))

    def _repeated(self, arrived: Arrived) -> dict[str, Any] | None:
        """Where the same bytes had come: for its own period, or as another's, which is a mistake of the supplier's."""
        delivery, period = arrived.delivery.id, self.file.name.period
        with self.site.store.read() as connection:
            first = feeds.of_delivery(connection, delivery)
        if first is None and (not arrived.known or arrived.delivery.state is LoadState.LANDED):
            return None
        if first is not None and first[1].mark == self.file.mark:
            return None  # it is going on
        if first is None or first[1].period == period:
            told = "It came again, byte for byte"
            return self._note(FileState.REPEATED, reason=told, kind=AlertKind.DUPLICATE, delivery=delivery)
        told = f"It is the delivery of {first[1].period} again, byte for byte"
        return self._note(FileState.REFUSED, reason=told, kind=AlertKind.DUPLICATE)

    def _restated(self, arrived: Arrived, contract: Contract | None) -> dict[str, Any] | None:
        """What is done first with a delivery whose period was delivered, or is over; None: it goes on."""
        delivery, period = arrived.delivery, self.file.name.period
        with self.site.store.read() as connection:
            earlier = [d for d in feeds.of_period(connection, self.definition.id, period=period) if d != delivery.id]
            mode = contract.mode if contract is not None else _mode(connection, self.definition.dataset)
            newest = feeds.newest_period(connection, self.definition.id)
        behind = mode is Mode.REPLACE and period < newest
        if delivery.state is not LoadState.LANDED or not (earlier or behind):
            return None
        told = f"It came after the delivery of {newest}, whose place it would take" if behind else \
            "It came again with other contents"  # fmt: skip
        if self.definition.restated is Restated.REPLACE and not behind:
            self._note(FileState.ARRIVED, reason=told, kind=AlertKind.RESTATED, delivery=delivery.id)
            return None
        refused = self.definition.restated is Restated.REFUSE
        to = LoadState.REJECTED if refused else LoadState.HELD
        facts = {"delivery": delivery.id, "reason": told}
        event = Event(f"delivery.{to.value}", self.site.actor, f"dataset/{self.definition.dataset}", facts)
        with self.site.store.change(event) as change:
            deliveries.move(change, delivery.id, state=to)
        state = FileState.REFUSED if refused else FileState.HELD
        return self._note(state, reason=told, kind=AlertKind.RESTATED, delivery=delivery.id)

    def _failed(self, reason: str) -> dict[str, Any]:
        """It failed for a passing reason: when it is tried again, or that it is given up."""
        attempts = self.file.attempts + 1
        over = attempts >= self.definition.retry.most
        return self._note(FileState.GIVEN_UP if over else FileState.FAILED, reason=reason, attempts=attempts)

    def _note(
        self, state: FileState, *, reason: str = "", kind: AlertKind | None = None, **more: Any
    ) -> dict[str, Any]:
        """Write down where the file stands, and raise and end the alerts that go with it.

        `more`: `delivery`, `attempts`, and `unusual`: what the deliveries before do not explain.
        """
        name, feed, unusual = self.file.name, self.definition.id, more.pop("unusual", [])
        facts = {"file": name.shown, "period": name.period, "state": state.value, "reason": reason}
        values: dict[str, Any] = {"shown": name.shown, "period": name.period, "number": name.number}
        values |= {"state": state.value, "reason": reason, **more}
        if "attempts" in more:
            values["next_try"] = self.site.store.now().timestamp() + wait(self.definition, more["attempts"])
        with self.site.store.change(Event("feed.file", self.site.actor, f"feed/{feed}", facts)) as change:
            before = feeds.find(change.connection, feed, mark=self.file.mark)
            feeds.note(change, feed, mark=self.file.mark, values=values)
            raised = [self._alert(k, reason) for k in (kind or RAISED.get(state),) if k]
            raised += [self._alert(AlertKind.UNUSUAL, ". ".join(unusual))] if unusual else []
            if state in THERE and (before is None or before.state not in THERE):
                feeds.close(change, feed, kinds=PASSING, period=name.period)
                feeds.close(change, feed, kinds=(AlertKind.GAP,), about=f"{name.number}")
                raised += [] if kind else self._lateness()
            feeds.alert(change, feed, found=raised)
        return {"feed": feed, "file": name.shown, "period": name.period, "state": state.value, "why": reason,
                "delivery": more.get("delivery", "")}  # fmt: skip

    def _alert(self, kind: AlertKind, told: str) -> Alert:
        return Alert(kind, told, self.file.name.period, self.file.mark[:16])

    def _lateness(self) -> list[Alert]:
        """That the file was put there after it was due."""
        period, plan = self.file.name.period, self.definition.schedule
        if not period or plan.every is Every.ANY or self.file.name.completes:
            return []
        late = self.file.found.modified - due(period, plan)
        if late.total_seconds() <= 0:
            return []
        hours = late.total_seconds() / 3600
        return [self._alert(AlertKind.LATE, f"It came {hours:,.1f} hours after it was due")]


def wait(definition: FeedDefinition, times: int) -> float:
    """Seconds before the next try after so many failures: doubled each time, up to the longest."""
    return float(min(definition.retry.longest, definition.retry.first * 2.0 ** min(times - 1, 30)))


def _mode(connection: Any, dataset: str) -> Mode:
    body = deliveries.contract_body(connection, dataset)
    return contracts.parse(body).mode if body else Mode.REPLACE
