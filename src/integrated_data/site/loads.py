"""Deliveries on the loading side: through the journey, then the projects that hold the dataset are refreshed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.acquire.land import File
from integrated_data.control import deliveries, jobs
from integrated_data.control.store import Store
from integrated_data.journey import Handed, associations, presence, rejecting
from integrated_data.journey.going import Outcome, Progress
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.event import Event
from integrated_data.model.meanings import Handling
from integrated_data.model.people import Action
from integrated_data.site import concerned, joining, owning, references, twinning
from integrated_data.site.acting import Acting
from integrated_data.site.agreeing import check_loading, close_ended
from integrated_data.site.loading import LoadingSite
from integrated_data.site.projects import refresh

#: Quarantined rows that one look shows.
SHOWN = 100


def deliver_and_refresh(
    site: LoadingSite,
    dataset: str,
    *,
    files: Sequence[File],
    handed: Handed | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """One delivery through all stages; returns what became of it, as plain values.

    Grants whose agreement has ended are closed first; a dataset whose agreements have all ended is refused.
    """
    check(site, dataset, handed=handed)
    outcome = journey.deliver(site.workshop, dataset, files=files, handed=handed, progress=progress)
    return _told(site, outcome)


def deliver_alone(
    site: LoadingSite, dataset: str, *, files: Sequence[File], handed: Handed | None = None
) -> dict[str, Any]:
    """One delivery of many: what is derived from several datasets waits for `derive`."""
    check(site, dataset, handed=handed)
    outcome = journey.deliver(site.workshop, dataset, files=files, handed=handed)
    return _told(site, outcome, deriving=False)


def derive(site: LoadingSite) -> list[str]:
    """Publish anew what is derived from datasets that have newer releases; returns the datasets."""
    made = [*associations.refresh(site.workshop), *presence.refresh(site.workshop)]
    for dataset in made:
        refresh(site, dataset, by=site.actor)
    joining.count_all(site, made, by=site.actor)
    twinning.make_all(site, made, by=site.actor)
    return made


def check(site: LoadingSite, dataset: str, *, handed: Handed | None = None) -> None:
    """Close what has ended, and refuse to load a dataset that may not be, or not by who acts, before a byte of it is
    taken."""
    owning.check_delivers(site.store, dataset, contract=handed.contract if handed else None, by=site.actor)
    close_ended(site.store, site.places.projects, by=site.actor)
    concerned.tell(site.store, by=site.actor)
    check_loading(site.store, dataset, by=site.actor)


def go_on(site: LoadingSite, delivery: str, *, contract: Contract | None) -> dict[str, Any]:
    """Take a delivery that has landed through what is left of its stages; returns what became of it."""
    return _told(site, journey.resume(site.workshop, delivery, contract=contract))


def accept(site: LoadingSite, delivery: str, *, reason: str, progress: Progress | None = None) -> dict[str, Any]:
    """A steward accepts a held delivery, and it goes on."""
    _check_goes_on(site, delivery)
    outcome = journey.accept_held(site.workshop, delivery, reason=reason, progress=progress)
    return _settled(site, outcome, progress=progress)


def recheck(site: LoadingSite, delivery: str, *, reason: str, progress: Progress | None = None) -> dict[str, Any]:
    """A steward has a held delivery checked again, and it goes on where its rules and thresholds let it."""
    _check_goes_on(site, delivery)
    outcome = journey.recheck_held(site.workshop, delivery, reason=reason, progress=progress)
    return _settled(site, outcome, progress=progress)


def reject(site: LoadingSite, delivery: str, *, reason: str) -> None:
    """A steward rejects a held delivery: nothing of it is published."""
    owning.check_delivery(site.store, delivery, action=Action.SETTLE_LOADS, by=site.actor)
    journey.reject_held(site.workshop, delivery, reason=reason)


def _check_goes_on(site: LoadingSite, delivery: str) -> None:
    owning.check_delivery(site.store, delivery, action=Action.SETTLE_LOADS, by=site.actor)
    with site.store.read() as connection:
        dataset = deliveries.get(connection, delivery).dataset
    check_loading(site.store, dataset, by=site.actor)


def _settled(site: LoadingSite, outcome: Outcome, *, progress: Progress | None) -> dict[str, Any]:
    """What became of a delivery after its decision; a reference source renews what its index touches."""
    told = _told(site, outcome)
    feed = outcome.stages.get("acquire", {}).get("feed")
    if feed and outcome.state is LoadState.PUBLISHED:
        fed = references.loaded(site, outcome, index=feed["index"], progress=progress)
        told["refreshed"] = fed["refreshed"]
    return told


def _told(site: LoadingSite, outcome: Outcome, *, deriving: bool = True) -> dict[str, Any]:
    renewed: list[dict[str, Any]] = []
    if outcome.state is LoadState.PUBLISHED and not outcome.repeated and "publish" in outcome.stages:
        renewed = follow(site, outcome.dataset, deriving=deriving)
    checked = outcome.stages.get("validate", {})
    return {
        "delivery": outcome.delivery, "dataset": outcome.dataset, "state": str(outcome.state),
        "repeated": outcome.repeated, "reason": outcome.reason,
        **{k: checked[k] for k in ("read", "good", "quarantined", "by_rule", "unread") if k in checked},
        "notices": checked.get("notices", []), "unusual": checked.get("unusual", []),
        **({"completes": _completed(checked["completes"])} if "completes" in checked else {}),
        "drift": checked.get("drift", []),
        "links": {i: f["report"] for i, f in outcome.stages.get("index", {}).get("links", {}).items()},
        "withheld": outcome.stages.get("deidentify", {}).get("withheld", {}),
        "seconds": dict(outcome.seconds), "projects_refreshed": renewed,
    }  # fmt: skip


def follow(site: LoadingSite, dataset: str, *, deriving: bool = True) -> list[dict[str, Any]]:
    """After another release of a dataset: renew copies of projects, what is derived from it, its counts and twin."""
    renewed = refresh(site, dataset, by=site.actor)
    made = [*associations.refresh(site.workshop), *presence.refresh(site.workshop)] if deriving else []
    for derived in made:
        renewed += refresh(site, derived, by=site.actor)
    joining.count_all(site, [dataset, *made], by=site.actor)
    twinning.make_all(site, [dataset, *made], by=site.actor)
    return renewed


def _completed(completes: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of the delivery that one completes: its id, and where its lines are now."""
    return {"delivery": completes["delivery"], **completes["account"]}


def quarantine(site: LoadingSite, delivery: str, *, by: str, reason: str) -> list[dict[str, Any]]:
    """Quarantined rows of a delivery, for a steward with a reason; every look is an audit event.

    At most `SHOWN` rows, with the rule each broke. They hold identified values: show them to that
    person and keep no copy.
    """
    if not reason.strip():
        raise DeliveryRefusal("No reason was given to see identified rows", next_step="Add --reason TEXT")
    owning.check_delivery(site.store, delivery, action=Action.SEE_QUARANTINE, by=by)
    with site.store.read() as connection:
        known = deliveries.get(connection, delivery)
        body = jobs.done_steps(connection, f"load/{delivery}").get("validate", {}).get("contract")
    folder = site.places.deliveries / delivery
    found = rejecting.quarantined(site.engine, contracts.parse(body), folder=folder, most=SHOWN) if body else []
    facts = {"delivery": delivery, "rows": len(found), "reason": reason}
    site.store.record(Event("quarantine.seen", by, f"dataset/{known.dataset}", facts))
    return found


def waiting(store: Store, *, by: str) -> list[dict[str, Any]]:
    """Deliveries that are not published, of a steward's organisation's datasets; an engineer is told of all."""
    with store.read() as connection:
        seen = owning.seen_by(connection, by, action=Action.SEE_QUARANTINE)
        return [row for row in deliveries.unpublished(connection) if seen(row["dataset"])]


def rejected_lines(site: LoadingSite, delivery: str, *, acting: Acting) -> pa.Table:
    """Where the rejected rows of a delivery stand, with column, rule and reason and without a value.

    For engineers, and for suppliers and stewards of the organisation that owns the dataset. It may leave the
    identified zone; that it was asked for is on record. Columns as in `journey.rejecting.listed`.
    """
    with site.store.read() as connection:
        known = deliveries.get(connection, delivery)
    owning.check(site.store, known.dataset, action=Action.SEE_REJECTS, by=acting.actor)
    found = rejecting.listed(site.engine, folder=site.places.deliveries / delivery, delivery=delivery)
    facts = {"delivery": delivery, "rows": found.num_rows}
    site.store.record(Event("quarantine.listed", acting.actor, f"dataset/{known.dataset}", facts))
    return found


def release_column(store: Store, dataset: str, *, column: str, by: str, reason: str) -> None:
    """A steward of a dataset's owner releases a column; refuses one that is unknown, and identifiers for good."""
    with store.read() as connection:
        body = deliveries.contract_body(connection, dataset)
    if body is None:
        raise DeliveryRefusal(f"There is no dataset {dataset}", next_step="List them with: ids catalogue search")
    owning.check(store, dataset, action=Action.SETTLE_LOADS, by=by)
    if contracts.parse(body).column(column).handling is Handling.IDENTIFIER:
        raise DeliveryRefusal(
            f"Column {column} of dataset {dataset} identifies people and is never published",
            next_step="Correct its meaning in the contract if that is wrong",
        )
    deliveries.release_column(store, dataset, name=column, by=by, reason=reason)
