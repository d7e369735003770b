"""Going through the stages: each is written down when it is done; what stops a load is written down too.

A load is held by this process alone (see `control.holding`). What ends it early leaves its finished stages on record
and its delivery where it was, so that it goes on from there: it was refused or failed, somebody stopped it, or there
was no room for it.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, holding, jobs, releases
from integrated_data.control.holding import Held, Work
from integrated_data.control.store import Change, StoreError
from integrated_data.journey import branching, completing, room, telling
from integrated_data.journey.stages import COMPLETING_STAGES, PUBLISH, REFERENCE_STAGES, STAGES, VALIDATE
from integrated_data.journey.workshop import Done, Facts, Feed, Load, Stage, Workshop
from integrated_data.model.contract import Mode
from integrated_data.model.delivery import Delivery, LoadState, ReleaseState
from integrated_data.model.errors import CancelledRefusal, DeliveryRefusal, Refusal, RoomRefusal, is_interrupt
from integrated_data.model.event import Event
from integrated_data.publish import lineage
from integrated_data.publish.lineage import Kind

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery.

    `repeated`: it had been delivered before and was not loaded again. `reason`: why it is held or
    rejected, or published and not read. `stages`: facts of each stage; `seconds`: how long those that ran now took.
    """

    delivery: str
    dataset: str
    state: LoadState
    repeated: bool
    stages: Mapping[str, Facts]
    seconds: Mapping[str, float]
    reason: str = ""


def stages_of(feed: Feed | None, *, completes: bool = False) -> tuple[Stage, ...]:
    """The stages of a delivery, in order; `completes`: another one."""
    return REFERENCE_STAGES if feed else COMPLETING_STAGES if completes else STAGES


def _stages(load: Load) -> tuple[Stage, ...]:
    return stages_of(load.feed, completes=load.completes is not None)


def silent(_step: str) -> None:
    """Tell nobody how far a load is."""


def go(workshop: Workshop, load: Load, *, repeated: bool, progress: Progress | None) -> Outcome:
    """Take a delivery that has landed through what is left of its stages; `repeated`: it had been delivered before."""
    delivery = load.delivery
    if delivery.state is LoadState.EXPIRED:
        raise DeliveryRefusal(
            f"Delivery {delivery.id} of dataset {delivery.dataset} has expired",
            why="Its time was over, and what was held of it was removed",
            next_step="Under a new agreement, deliver it as a new file",
        )
    with workshop.store.read() as connection:
        done = jobs.done_steps(connection, load.job)
    under = done["acquire"].get("given", done["acquire"]["contract"]) if "acquire" in done else None
    other = load.given is not None and under is not None and under != contracts.dump(load.given)
    if delivery.state is LoadState.PUBLISHED or (delivery.state is not LoadState.LANDED and not other):
        return Outcome(
            delivery.id, delivery.dataset, delivery.state, repeated, done, {}, _why_there(workshop, delivery, done=done)
        )
    work = Work(
        load.job, "load", _subject(load), workshop.actor, workshop.engine.interrupt,
        (partial(room.against, workshop.places.landed),),
    )  # fmt: skip
    with completing.alone(workshop, load), holding.held(workshop.store, work, write=partial(_begun, load)) as held:
        way = Way(workshop, load, held)
        try:
            if way.again(other=other):
                way.go(progress or silent)
        except BaseException as error:
            raise way.ended(error) from error.__cause__
    with workshop.store.read() as connection:
        state = deliveries.get(connection, delivery.id).state
    return Outcome(delivery.id, delivery.dataset, state, False, way.done, way.seconds, _why(state, way.done))


def _begun(load: Load, change: Change, *, attempt: int, cut_short: bool) -> None:
    """Tell lineage that an attempt begins, and of one before it that its process is gone."""
    events = [lineage.of_run(telling.run_of(load, attempt), Kind.START, at=change.at)]
    if cut_short:
        gone = "The process that ran it ended without a word"
        events.insert(0, lineage.of_run(telling.run_of(load, attempt - 1), Kind.ABORT, at=change.at, error=gone))
    jobs.lineage(change, load.job, bodies=events)


def _subject(load: Load) -> str:
    return f"dataset/{load.delivery.dataset}"


def _why_there(workshop: Workshop, delivery: Delivery, *, done: Mapping[str, Facts]) -> str:
    """Why a delivery that came before is not read: it waits, was rejected, the table was taken back from it, or a later
    one took the place of its rows."""
    dataset = delivery.dataset
    with workshop.store.read() as connection:
        release, read = releases.of_delivery(connection, delivery.id), releases.current(connection, dataset)
        there = {deliveries.first(connection, r.delivery) for r in (release, read) if r}
    if release is None:
        return _why(delivery.state, done)
    if release.state is ReleaseState.WITHDRAWN:
        return (
            f"It was published as release {release.id}, and the table was taken back from that: its rows are not read "
            f"(deliver it again, or: ids release forward {dataset} --to {release.id})"
        )
    replaces = contracts.parse(done["validate"]["contract"]).mode is Mode.REPLACE
    if read is None or not replaces or len(there) == 1:
        return _why(delivery.state, done)
    return (
        f"It was published as release {release.id}, of which release {read.id} has taken the place: nothing is changed "
        f"(to read it again: ids release back {dataset} --to {release.id})"
    )


def _why(state: LoadState, done: Mapping[str, Facts]) -> str:
    return str(done.get("validate", {}).get("reason", "")) if state in (LoadState.HELD, LoadState.REJECTED) else ""


@dataclass
class Way:
    """A load on its way. `done`: facts of its finished stages; `seconds`: how long those that ran now took; `now`: the
    stage in hand, and when it began."""

    workshop: Workshop
    load: Load
    held: Held
    done: dict[str, Facts] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    now: tuple[str, str] | None = None

    @property
    def run(self) -> lineage.Run:
        """This attempt, as lineage tells it."""
        return telling.run_of(self.load, self.held.attempt)

    def again(self, *, other: bool) -> bool:
        """See what stands, now that nobody else changes it; whether anything is left to do. `other`: another contract
        came for a delivery that was not published, so that every stage runs again under it."""
        self._sweep()
        with self.workshop.store.read() as connection:
            state = deliveries.get(connection, self.load.delivery.id).state
            self.done = jobs.done_steps(connection, self.load.job)
        if state is LoadState.PUBLISHED or (state is not LoadState.LANDED and not other):
            self._write("job.found_done", "done" if state is LoadState.PUBLISHED else "held", kind=Kind.COMPLETE)
            return False
        if other:
            facts = {"job": self.load.job, "reason": "another contract was given"}
            event = Event("job.begun_again", self.workshop.actor, _subject(self.load), facts)
            with self.workshop.store.change(event) as change:
                jobs.forget_steps(change, self.load.job, *(stage.name for stage in _stages(self.load)))
                deliveries.move(change, self.load.delivery.id, state=LoadState.LANDED)
            self.done = {}
        elif completing.moved_on(self.workshop, self.load, done=self.done):
            stages = _stages(self.load)
            later = [stage.name for stage in stages[stages.index(VALIDATE) :]]
            facts = {"job": self.load.job, "reason": "what it completes was changed since it was checked"}
            event = Event("job.begun_again", self.workshop.actor, _subject(self.load), facts)
            with self.workshop.store.change(event) as change:
                jobs.forget_steps(change, self.load.job, *later)
            self.done = {name: left for name, left in self.done.items() if name not in later}
        return True

    def _sweep(self) -> None:
        """Remove what processes that were killed had half written of this delivery, and of a held one that goes with
        it: nobody else writes them now."""
        written, places = [self.load.delivery], self.workshop.places
        if self.load.completes is not None:
            with self.workshop.store.read() as connection:
                first = deliveries.get(connection, self.load.completes.delivery)
            written += [first] if first.state is LoadState.HELD else []
        for delivery in written:
            for folder in (places.landed / delivery.id, places.deliveries / delivery.id):
                for left in folder.glob("*.part"):
                    left.unlink(missing_ok=True)
            self.workshop.lake.sweep(delivery.dataset, delivery.id)

    def go(self, progress: Progress) -> None:
        """Run the stages that are not done, to the end or to where a person must decide."""
        workshop, load = self.workshop, self.load
        for stage in _stages(load):
            if stage.name in self.done:
                continue
            self.held.check()
            progress(stage.name)
            begun, self.now = time.perf_counter(), (stage.name, _moment())
            dataset = load.delivery.dataset
            with branching.adding(workshop, dataset) if stage is PUBLISH else nullcontext():
                left = stage.run(workshop, replace(load, done=self.done))
                self.held.check()
                self.seconds[stage.name] = round(time.perf_counter() - begun, 3)
                self._write_down(stage, left)
            self.done[stage.name] = left.facts
            if left.ends is not None:
                break

    def _write_down(self, stage: Stage, left: Done) -> None:
        load, seconds = self.load, self.seconds[stage.name]
        last = left.ends is not None or stage is _stages(load)[-1]
        told = telling.tables(self.workshop, replace(load, done=self.done), stage=stage.name, left=left)
        facts = {"delivery": load.delivery.id, "stage": stage.name, "seconds": seconds}
        with self.workshop.store.change(Event("stage.done", self.workshop.actor, _subject(load), facts)) as change:
            if left.write is not None:
                left.write(change)
            jobs.step_done(change, load.job, step=stage.name, result=left.facts, seconds=seconds)
            self._tell(change, Kind.COMPLETE, tables=told, run=last)
            if last:
                jobs.finish(change, load.job, state="held" if left.ends else "done", reason=left.ends)

    def _tell(
        self, change: Change, kind: Kind, *, tables: telling.Tables = ((), ()), error: str = "", run: bool = True
    ) -> None:
        """Tell lineage how the stage in hand ended, and with `run` the whole attempt."""
        events: list[lineage.Body] = []
        if self.now is not None:
            stage, began = self.now
            events += lineage.of_step(self.run, stage, times=(began, change.at), ended=kind, error=error, tables=tables)
            self.now = None
        if run:
            events.append(lineage.of_run(self.run, kind, at=change.at, error=error))
        jobs.lineage(change, self.load.job, bodies=events)

    def ended(self, error: BaseException) -> BaseException:
        """Write down what ended the load early; returns what is to be raised."""
        if self.held.lost and self.held.stopped is not None:
            return self.held.stopped  # it is another process's now
        against = self.held.stopped or room.lacking(error) or (KeyboardInterrupt() if is_interrupt(error) else error)
        if isinstance(against, (CancelledRefusal, KeyboardInterrupt)):
            state, kind = "cancelled", Kind.ABORT
        elif isinstance(against, RoomRefusal):
            state, kind = "stopped", Kind.ABORT
        else:
            state, kind = "failed", Kind.FAIL
        reason = str(against) if isinstance(against, Refusal) else _unforeseen(against)
        with suppress(StoreError):  # no room for even that: who takes the job over sees that it was cut short
            self._write(f"job.{state}", state, kind=kind, reason=reason)
        return against

    def _write(self, event: str, state: str, *, kind: Kind, reason: str = "") -> None:
        facts = {"job": self.load.job} | ({"reason": reason} if reason else {})
        with self.workshop.store.change(Event(event, self.workshop.actor, _subject(self.load), facts)) as change:
            if not jobs.asked(change.connection, self.load.job)[0]:
                return
            self._tell(change, kind, error=reason)
            jobs.finish(change, self.load.job, state=state, reason=reason or None)


def _unforeseen(error: BaseException) -> str:
    """What is told of an error that was not foreseen: its kind, for its text may hold values."""
    return "A person stopped it" if isinstance(error, KeyboardInterrupt) else f"An unforeseen {type(error).__name__}"


def _moment() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
