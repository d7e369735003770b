"""Feeds written down, and told: the definition with its contract, and where every feed stands."""

from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.feeds import definition as written
from integrated_data.acquire.feeds.schedule import due, periods
from integrated_data.control import feeds
from integrated_data.control.store import Store
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.event import Event
from integrated_data.model.feed import AlertKind, Every, FeedDefinition, FileState, StoreKind
from integrated_data.model.people import Action
from integrated_data.site import drops, owning
from integrated_data.site.feeding.taking import THERE
from integrated_data.site.places import Places

#: Alerts that nothing but a person ends.
NOTICES = tuple(set(AlertKind) - {AlertKind.MISSING, AlertKind.UNREACHABLE, AlertKind.STOPPED, AlertKind.HELD})


def add(places: Places, store: Store, *, file: Path, contract: Path | None, by: str) -> dict[str, Any]:
    """Write a feed down from its YAML, or another definition of it; `contract`: what its dataset is loaded under."""
    found = written.read(_text(file))
    if found.drop.kind is StoreKind.FOLDER:
        drops.check_folder(found.drop, places)
    drops.check_secret(found.drop, places)
    if contract is not None:
        found = _with_contract(found, contracts.dump(contracts.read(contract)))
    given = contracts.parse(found.contract) if found.contract else None
    if given is not None and given.dataset != found.dataset:
        raise ContractRefusal(
            f"The contract is for dataset {given.dataset}, and the feed for {found.dataset}",
            next_step="Give the contract of the feed's dataset",
        )
    feeds.put(store, found, by=by)
    return {
        "feed": found.id, "dataset": found.dataset, "store": found.drop.kind.value,
        "every": found.schedule.every.value,
        "contract": given.version if given else "the one on record, or inferred",
    }  # fmt: skip


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ContractRefusal("The feed's definition cannot be read", next_step="Check its path") from None


def _with_contract(found: FeedDefinition, contract: str) -> FeedDefinition:
    return FeedDefinition(**{**vars(found), "contract": contract})


def status(store: Store, *, by: str) -> list[dict[str, Any]]:
    """Where every feed stands, a row each; suppliers and stewards are told of those of their organisation's data."""
    with store.read() as connection:
        seen_by = owning.seen_by(connection, by, action=Action.SEE_FEEDS)
        known = [f for f in feeds.every(connection) if seen_by(f.definition.dataset)]
        return [_row(f, files=feeds.files(connection, f.definition.id),
                     alerts=feeds.alerts(connection, f.definition.id)) for f in known]  # fmt: skip


def _row(feed: feeds.Feed, *, files: list[feeds.FeedFile], alerts: list[dict[str, Any]]) -> dict[str, Any]:
    definition = feed.definition
    there = {f.period for f in files if f.state in THERE}
    counted = {state: sum(f.state is state for f in files) for state in FileState}
    return {
        "feed": definition.id, "dataset": definition.dataset, "store": definition.drop.kind.value,
        "every": definition.schedule.every.value, "last": max(there, default=""),
        "next_due": _next_due(definition, there=there), "loaded": counted[FileState.LOADED],
        "held": counted[FileState.HELD], "waiting": counted[FileState.FAILED] + counted[FileState.ARRIVED],
        "refused": sum(counted[s] for s in (FileState.REFUSED, FileState.REJECTED, FileState.GIVEN_UP)),
        "alerts": len(alerts), "failures": feed.failures,
    }  # fmt: skip


def _next_due(definition: FeedDefinition, *, there: set[str]) -> str:
    """When the oldest period that is not there is due; empty for a feed without periods."""
    plan = definition.schedule
    if plan.every is Every.ANY:
        return ""
    period = next((p for p in periods(plan) if p not in there), None)
    return f"{due(period, plan):%Y-%m-%d %H:%M}" if period else ""


def details(store: Store, feed: str, *, by: str) -> dict[str, Any]:
    """One feed: its row, its newest files, its open alerts; for people of its dataset's owner, and engineers."""
    with store.read() as connection:
        one = feeds.get(connection, feed)
    owning.check(store, one.definition.dataset, action=Action.SEE_FEEDS, by=by)
    with store.read() as connection:
        files, alerts = feeds.files(connection, feed), feeds.alerts(connection, feed)
    rows = [
        {"file": f.shown, "period": f.period, "state": f.state.value, "attempts": f.attempts,
         "delivery": f.delivery or "", "why": f.reason, "since": f.found_at}
        for f in reversed(files)
    ]  # fmt: skip
    shown = [{k: v for k, v in a.items() if k != "feed"} for a in alerts]
    return {**_row(one, files=files, alerts=alerts), "files": rows, "open_alerts": shown}


def seen(store: Store, feed: str, *, by: str) -> int:
    """A person has seen a feed's notices: they are closed; those that end by themselves stay. Returns how many."""
    with store.read() as connection:
        dataset = feeds.get(connection, feed).definition.dataset
    owning.check(store, dataset, action=Action.SETTLE_LOADS, by=by)
    with store.change(Event("feed.seen", by, f"feed/{feed}")) as change:
        closed = feeds.close(change, feed, kinds=NOTICES)
        change.note(closed=closed)
    return closed
