"""Running a journey: land what is delivered, then take it through its stages."""

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from integrated_data.acquire import contracts, manifest
from integrated_data.acquire.land import File, delivery_id, land
from integrated_data.control import deliveries, jobs
from integrated_data.journey import completing, owning, pacing, room
from integrated_data.journey.going import Outcome, Progress, go, silent, stages_of
from integrated_data.journey.workshop import Facts, Feed, Handed, Load, Workshop
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import Completes, Delivery, LandedFile
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import DERIVED


@dataclass(frozen=True)
class Arrived:
    """A delivery that has landed. `known`: it had landed before, and may be further on its way; `completes`: the
    delivery that it completes, if any; `vouched`: a manifest says that its files are whole, now or as they came first.
    """

    delivery: Delivery
    known: bool
    completes: Completes | None = None
    vouched: bool = False


def deliver(
    workshop: Workshop,
    dataset: str,
    *,
    files: Sequence[File],
    handed: Handed | None = None,
    feed: Feed | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Take a delivery through all its stages; one that was delivered before goes on where it stands."""
    (progress or silent)("landing")
    arrived = arrive(workshop, dataset, files=files, handed=handed, feed=feed)
    given = owning.given(workshop, dataset, contract=handed.contract if handed and arrived.completes is None else None)
    load = Load(arrived.delivery, given, feed, completes=arrived.completes, vouched=arrived.vouched)
    return go(workshop, load, repeated=arrived.known, progress=_paced(workshop, arrived.delivery.id, progress=progress))


def arrive(
    workshop: Workshop, dataset: str, *, files: Sequence[File], handed: Handed | None = None, feed: Feed | None = None
) -> Arrived:
    """Land the files of a delivery and register it; nothing more is done with it."""
    given = handed or Handed()
    _check_names(dataset, given.contract)
    owning.given(workshop, dataset, contract=given.contract)
    completes, vouched = _completes(workshop, dataset, given=given), bool(given.manifest)
    sweep(workshop)
    room.check_disk(workshop.places.landed, room.sizes(files))
    arriving = workshop.places.landed / f"arriving-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        landed = land(files, arriving, sealer=workshop.sealer)
        _check_manifest(workshop, dataset, given=given, files=files, landed=landed)
        first = Delivery(delivery_id(_purpose(dataset, feed, completes=completes), landed), dataset, landed)
        with _alone(workshop.places.landed):
            delivery, known, again = _which(workshop, first)
            if known is None and completes is not None:
                completing.whole_of(workshop, completes.delivery)
            if known is None:
                _settle(arriving, workshop.places.landed / delivery.id)
                deliveries.register(
                    workshop.store, delivery, actor=workshop.actor, completes=completes, again=again, vouched=vouched
                )
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    vouched = vouched or deliveries.VOUCHED in _written(workshop, delivery.id)
    return Arrived(known or delivery, known is not None, completes, vouched)


def _written(workshop: Workshop, delivery: str) -> dict[str, Facts]:
    """What is on record of a delivery's load, by step."""
    with workshop.store.read() as connection:
        return jobs.done_steps(connection, f"load/{delivery}")


def _which(workshop: Workshop, first: Delivery) -> tuple[Delivery, Delivery | None, str]:
    """Which delivery files are, as it is known, and the withdrawn one that they bring again.

    What was published of a withdrawn one is read no more, so that its files are new. Each delivery of them is named
    after the one before: whichever stands is found.
    """
    delivery, again = first, ""
    with workshop.store.read() as connection:
        while (known := deliveries.find(connection, delivery.id)) and deliveries.is_withdrawn(connection, delivery.id):
            again = delivery.id
            delivery = replace(first, id=delivery_id(f"{first.dataset} again after {again}", first.files))
    return delivery, known, again


def _purpose(dataset: str, feed: Feed | None, *, completes: Completes | None) -> str:
    """What files are delivered for: the same ones may feed several indexes, or complete a delivery."""
    if completes is not None:
        return f"{dataset} completing {completes.delivery}{' whole' if completes.withdraws else ''}"
    return f"{dataset} into {feed.index}" if feed else dataset


def _completes(workshop: Workshop, dataset: str, *, given: Handed) -> Completes | None:
    """Which first delivery files complete; refuses one that is not of the dataset, and another contract than its."""
    if given.completes is None:
        return None
    first = completing.first_of(workshop, dataset, named=given.completes.delivery)
    completing.check_contract(workshop, first, given=given.contract)
    return replace(given.completes, delivery=first)


def _check_manifest(
    workshop: Workshop, dataset: str, *, given: Handed, files: Sequence[File], landed: Sequence[LandedFile]
) -> None:
    """Refuse, on record, files that are not those of their manifest; nothing of them is kept."""
    if not given.manifest:
        return
    try:
        manifest.check(given.manifest, names=[file.name for file in files], landed=landed)
    except DeliveryRefusal as refusal:
        event = Event("delivery.stopped", workshop.actor, f"dataset/{dataset}", {"reason": str(refusal)})
        workshop.store.record(event)
        raise


def _check_names(dataset: str, contract: Contract | None) -> None:
    if not contracts.DATASET.fullmatch(dataset):
        raise UsageRefusal(
            "The name of the dataset or source cannot be used",
            why="It is not made of small letters, digits and underscores, with a letter first",
            next_step="Choose another, for instance health_register",
        )
    if dataset.startswith(DERIVED):
        raise UsageRefusal(
            f"The name {dataset} cannot be used",
            why="Datasets of that name are derived by the service itself",
            next_step="Choose another, for instance addresses_of_people",
        )
    if contract is not None and contract.dataset != dataset:
        raise ContractRefusal(
            f"The contract is for dataset {contract.dataset}, and the delivery for {dataset}",
            next_step="Deliver to the contract's dataset, or give the contract of this one",
        )


def resume(
    workshop: Workshop, delivery: str, *, contract: Contract | None = None, progress: Progress | None = None
) -> Outcome:
    """Go on with a delivery that has landed; a finished one is left as it is.

    `contract`: what it is loaded under; without one, the contract on record.
    """
    with workshop.store.read() as connection:
        known = deliveries.get(connection, delivery)
        completes = deliveries.completes(connection, delivery)
    written = _written(workshop, delivery)
    started = written.get("acquire", {})
    feed = Feed(**started["feed"]) if started.get("feed") else None
    given = owning.given(workshop, known.dataset, contract=None if completes else contract)
    return go(
        workshop,
        Load(known, given, feed, completes=completes, vouched=deliveries.VOUCHED in written),
        repeated=False,
        progress=_paced(workshop, delivery, progress=progress),
    )


def _paced(workshop: Workshop, delivery: str, *, progress: Progress | None) -> Progress | None:
    """Tell with each step how far the load is, and about how long it will take yet."""
    if progress is None:
        return None
    began = time.monotonic()

    def step(name: str) -> None:
        found = pacing.pace(workshop.store, delivery, elapsed=time.monotonic() - began)
        progress(pacing.told(found) if found.step == name else name)

    return step


def explain(feed: Feed | None = None) -> tuple[str, ...]:
    """Names of the stages that a delivery goes through, in order."""
    return tuple(stage.name for stage in stages_of(feed))


def sweep(workshop: Workshop) -> None:
    """Remove what processes that are gone left half-landed."""
    if not workshop.places.landed.is_dir():
        return
    with os.scandir(workshop.places.landed) as there:  # thousands of landed deliveries: little is asked of each
        left = [Path(entry.path) for entry in there if entry.name.startswith("arriving-")]
    for place in left:
        process = place.name.split("-")[1]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _alone(landed: Path) -> Iterator[None]:
    """Nobody else settles a delivery meanwhile: of two that bring the same, the second finds it there."""
    with (landed / ".settling").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _settle(arriving: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)  # what a kill between landing and registering left
    arriving.rename(place)
