"""Running a journey: land, take the job, run what is not done, stop where a person must decide."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from integrated_data.acquire import contracts, manifest
from integrated_data.acquire.land import File, delivery_id, land
from integrated_data.control import deliveries, jobs
from integrated_data.journey.stages import PUBLISH, REFERENCE_STAGES, STAGES
from integrated_data.journey.workshop import Done, Facts, Feed, Handed, Load, Stage, Workshop
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import Delivery, LandedFile, LoadState
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal, Refusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import DERIVED
from integrated_data.publish.lineage import run_event

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery.

    `repeated`: it had been delivered before and was not loaded again. `reason`: why it is held or
    rejected. `stages`: facts of each stage; `seconds`: how long those that ran now took.
    """

    delivery: str
    dataset: str
    state: LoadState
    repeated: bool
    stages: Mapping[str, Facts]
    seconds: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True)
class Arrived:
    """A delivery that has landed. `known`: it had landed before, and may be further on its way."""

    delivery: Delivery
    known: bool


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
    (progress or _silent)("landing")
    arrived = arrive(workshop, dataset, files=files, handed=handed, feed=feed)
    load = Load(arrived.delivery, handed.contract if handed else None, feed)
    return _run(workshop, load, repeated=arrived.known, progress=progress)


def arrive(
    workshop: Workshop, dataset: str, *, files: Sequence[File], handed: Handed | None = None, feed: Feed | None = None
) -> Arrived:
    """Land the files of a delivery and register it; nothing more is done with it."""
    given = handed or Handed()
    _check_names(dataset, given.contract)
    sweep(workshop)
    arriving = workshop.places.landed / f"arriving-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        landed = land(files, arriving, sealer=workshop.sealer)
        _check_manifest(workshop, dataset, given=given, files=files, landed=landed)
        purpose = f"{dataset} into {feed.index}" if feed else dataset  # one file may feed several indexes
        delivery = Delivery(delivery_id(purpose, landed), dataset, landed)
        with workshop.store.read() as connection:
            known = deliveries.find(connection, delivery.id)
        if known is None:
            _settle(arriving, workshop.places.landed / delivery.id)
            deliveries.register(workshop.store, delivery, actor=workshop.actor)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return Arrived(known or delivery, known is not None)


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
        started = jobs.done_steps(connection, f"load/{delivery}").get("acquire", {})
    feed = Feed(**started["feed"]) if started.get("feed") else None
    return _run(workshop, Load(known, contract, feed), repeated=False, progress=progress)


def explain(feed: Feed | None = None) -> tuple[str, ...]:
    """Names of the stages that a delivery goes through, in order."""
    return tuple(stage.name for stage in _stages(feed))


def sweep(workshop: Workshop) -> None:
    """Remove what processes that are gone left half-landed."""
    for place in workshop.places.landed.glob("arriving-*"):
        process = place.name.split("-")[1]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(place, ignore_errors=True)


def _settle(arriving: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)  # what a kill between landing and registering left
    arriving.rename(place)


def _silent(_step: str) -> None:
    pass


def _stages(feed: Feed | None) -> tuple[Stage, ...]:
    return REFERENCE_STAGES if feed else STAGES


def _run(workshop: Workshop, load: Load, *, repeated: bool, progress: Progress | None) -> Outcome:
    delivery = load.delivery
    with workshop.store.read() as connection:
        done = jobs.done_steps(connection, load.job)
    under = done["acquire"].get("given", done["acquire"]["contract"]) if done else None
    other = load.given is not None and under is not None and under != contracts.dump(load.given)
    if delivery.state is LoadState.PUBLISHED or (delivery.state is not LoadState.LANDED and not other):
        return Outcome(delivery.id, delivery.dataset, delivery.state, repeated, done, {}, _why(delivery.state, done))
    subject = f"dataset/{delivery.dataset}"
    if other:
        _begin_again(workshop, load)
        done = {}
    jobs.take(workshop.store, load.job, kind="load", subject=subject, actor=workshop.actor)
    seconds: dict[str, float] = {}
    try:
        for stage in _stages(load.feed):
            if stage.name in done:
                continue
            (progress or _silent)(stage.name)
            begun = time.perf_counter()
            with workshop.lake.alone(delivery.dataset) if stage is PUBLISH else nullcontext():
                left = stage.run(workshop, replace(load, done=done))
                seconds[stage.name] = round(time.perf_counter() - begun, 3)
                _write_down(workshop, load, stage=stage, left=left, seconds=seconds[stage.name])
            done[stage.name] = left.facts
            if left.ends is not None:
                break
    except Refusal as refusal:
        _fail(workshop, load, reason=str(refusal))
        raise
    with workshop.store.read() as connection:
        state = deliveries.get(connection, delivery.id).state
    return Outcome(delivery.id, delivery.dataset, state, False, done, seconds, _why(state, done))


def _begin_again(workshop: Workshop, load: Load) -> None:
    """Another contract came for a delivery that was not published: every stage runs again under it."""
    facts = {"job": load.job, "reason": "another contract was given"}
    event = Event("job.begun_again", workshop.actor, f"dataset/{load.delivery.dataset}", facts)
    with workshop.store.change(event) as change:
        jobs.forget_steps(change, load.job, *(stage.name for stage in _stages(load.feed)))
        deliveries.move(change, load.delivery.id, state=LoadState.LANDED)


def _why(state: LoadState, done: Mapping[str, Facts]) -> str:
    return str(done.get("validate", {}).get("reason", "")) if state in (LoadState.HELD, LoadState.REJECTED) else ""


def _write_down(workshop: Workshop, load: Load, *, stage: Stage, left: Done, seconds: float) -> None:
    subject = f"dataset/{load.delivery.dataset}"
    facts = {"delivery": load.delivery.id, "stage": stage.name, "seconds": seconds}
    with workshop.store.change(Event("stage.done", workshop.actor, subject, facts)) as change:
        if left.write is not None:
            left.write(change)
        jobs.step_done(change, load.job, step=stage.name, result=left.facts, seconds=seconds)
        event = run_event(
            load.job, stage.name, at=change.at, inputs=left.inputs, outputs=left.outputs,
            facts={"seconds": seconds},
        )  # fmt: skip
        jobs.lineage(change, load.job, body=event)
        if left.ends is not None or stage is _stages(load.feed)[-1]:
            jobs.finish(change, load.job, state="held" if left.ends else "done", reason=left.ends)


def _fail(workshop: Workshop, load: Load, *, reason: str) -> None:
    subject = f"dataset/{load.delivery.dataset}"
    event = Event("job.failed", workshop.actor, subject, {"job": load.job, "reason": reason})
    with workshop.store.change(event) as change:
        jobs.finish(change, load.job, state="failed", reason=reason)
