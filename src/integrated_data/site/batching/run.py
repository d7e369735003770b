"""Running a batch: so many loads at a time, each failure its own, what is done written down, the rest taken up again.

    plan → one step for each delivery → derive

A batch is a job, and each delivery a step of it. The same folder again goes on where it stood: what was published,
held or refused and did not change since is left as it is, also where the table was taken back from it, or a batch every
night would bring that again; what a crash or a full disk stopped is tried again, and so is what another process is
loading just then.
"""

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from integrated_data.control import deliveries, holding, jobs
from integrated_data.control.holding import Held
from integrated_data.journey import room
from integrated_data.model.errors import DeliveryRefusal, Refusal, is_interrupt
from integrated_data.model.event import Event
from integrated_data.site.batching.plan import BUSY, Item, items
from integrated_data.site.batching.pool import Loader, Lot, memory_has_room
from integrated_data.site.loading import LoadingSite
from integrated_data.site.loads import derive
from integrated_data.site.settings import Settings

#: States that a delivery is not tried again in while its files stay what they are.
SETTLED = ("published", "held", "rejected", "refused")
#: What is told of one that was published before, and whose table was taken back from it.
WITHDRAWN = {
    "state": "withdrawn",
    "reason": "The table was taken back from it. Written again, or delivered by itself, it is loaded again.",
}
#: Times that a delivery is given to a process before one that ends without a word is taken for its fault.
TRIES = 2
#: Seconds between looks for room.
PAUSE = 0.5
#: Seconds that a delivery which something else keeps busy is tried again for; then by the next run.
PATIENCE = 60.0


@dataclass
class Batch:
    """One run over a folder. `said`: why no more is handed out, once something says so."""

    site: LoadingSite
    lot: Lot
    job: str
    total: int
    progress: Callable[[str], None]
    waiting: "queue.SimpleQueue[Item]" = field(default_factory=queue.SimpleQueue)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: Held | None = None
    said: str = ""
    begun: float = field(default_factory=time.perf_counter)
    running: int = 0
    patience: float = PATIENCE
    busy: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def stopped(self) -> str:
        """Why no more is handed out; empty while more is."""
        asked = self.held.stopped if self.held is not None else None
        return self.said or (asked.what if asked is not None else "")

    def work(self) -> None:
        """What one thread does: keep a process from its first delivery on, give it one after another."""
        loader: Loader | None = None
        try:
            while not self.stopped:
                try:
                    item = self.waiting.get_nowait()
                except queue.Empty:
                    return
                if not self._room(item):
                    return
                begun, told = time.perf_counter(), None
                for _ in range(TRIES):
                    loader = loader or self.lot.start()
                    told = loader.load(item)
                    if told is not None:
                        break
                    loader.close()
                    loader = None
                gone = {"state": "failed", "reason": "The process that loaded it ended without a word"}
                if self._note(item, told or gone, seconds=time.perf_counter() - begun):
                    time.sleep(PAUSE)
        finally:
            if loader is not None:
                loader.end()

    def _room(self, item: Item) -> bool:
        """Wait for room on disk and in memory while others run; without any, the disk stops the batch."""
        while not self.stopped:
            with self.lock:
                disk = room.has_disk(self.site.places.home, [item.size])
                if disk and (memory_has_room() or not self.running):
                    self.running += 1
                    return True
                if not disk and not self.running:
                    self.said = "The disk is nearly full"
            time.sleep(PAUSE)
        return False

    def _note(self, item: Item, told: dict[str, Any], *, seconds: float) -> bool:
        """Write down what became of a delivery; whether nothing is left to do at once, as a busy one is put off."""
        with self.lock:
            self.running -= 1
            if told["state"] == "stopped":
                self.said = told["reason"].rstrip(".")
                return False
            now = time.perf_counter()
            if told["state"] == BUSY and now - self.busy.setdefault(item.dataset, now) < self.patience:
                self.waiting.put(item)
                return self.waiting.qsize() <= len(self.busy.keys() - self.told.keys())
            note(self.site, self.job, item=item, told=told, seconds=seconds)
            self.told[item.dataset] = told
            self.progress(self._estimate())
            return False

    def _estimate(self) -> str:
        """How far the batch is, and about how long it will take yet."""
        done = len(self.told)
        left = (self.total - done) * (time.perf_counter() - self.begun) / max(done, 1)
        bad = sum(t["state"] != "published" for t in self.told.values())
        return f"{done:,} of {self.total:,} done, {bad:,} not published, about {left:,.0f} s left"


def run(
    site: LoadingSite, folder: Path, *, settings: Settings, workers: int, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Deliver all that a folder holds; returns what became of each, the files that were not published first."""
    job = f"batch/{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
    every = items(folder)
    with holding.held(site.store, holding.Work(job, "batch", job, site.actor)) as held:
        batch = _planned(site, every, folder=folder, held=held, settings=settings, workers=workers)
        batch.progress = progress or batch.progress
        try:
            with ThreadPoolExecutor(workers) as pool:
                for done in [pool.submit(batch.work) for _ in range(min(workers, batch.waiting.qsize()))]:
                    done.result()
        except BaseException as error:
            batch.said = "It was stopped"
            if not is_interrupt(error):
                raise
        return _ended(batch, every)


def _planned(
    site: LoadingSite, every: tuple[Item, ...], *, folder: Path, held: Held, settings: Settings, workers: int
) -> Batch:
    """The batch with what waits to be loaded; what is settled already is told at once."""
    job = held.work.job
    with site.store.read() as connection:
        known = {r["dataset"]: r for r in jobs.done_steps(connection, job).values()}
        taken_back = {n for n, r in known.items() if deliveries.is_withdrawn(connection, r.get("delivery") or "")}
    share = replace(settings, threads=max(1, settings.threads // workers), memory=_shared(settings.memory, workers))
    batch = Batch(site, Lot(site.places.home, share, folder), job, len(every), lambda _: None, held=held)
    for item in every:
        before = known.get(item.dataset)
        if item.wrong:
            batch.told[item.dataset] = {"state": "refused", "reason": item.wrong}
            note(site, job, item=item, told=batch.told[item.dataset], seconds=0.0)
        elif before is not None and before["state"] in SETTLED and before["stamp"] == item.stamp:
            withdrawn = WITHDRAWN if item.dataset in taken_back else {}
            batch.told[item.dataset] = before | {"repeated": True} | withdrawn
        else:
            batch.waiting.put(item)
    return batch


def note(site: LoadingSite, job: str, *, item: Item, told: dict[str, Any], seconds: float) -> None:
    """Write down what became of a delivery of a batch."""
    facts = {"job": job, "state": told["state"], "delivery": told.get("delivery")}
    step = hashlib.sha256(item.dataset.encode()).hexdigest()[:24]
    with site.store.change(Event("batch.told", site.actor, f"dataset/{item.dataset}", facts)) as change:
        result = {"dataset": item.dataset, "stamp": item.stamp, **told}
        jobs.step_done(change, job, step=step, result=result, seconds=round(seconds, 3))


def _ended(batch: Batch, every: tuple[Item, ...]) -> dict[str, Any]:
    """Derive what follows from what was published, end the job, and tell."""
    site = batch.site
    states: dict[str, int] = {}
    derived: list[str] = []
    if not batch.stopped:
        batch.progress("deriving")
        derived = derive(site)
    for told in batch.told.values():
        states[told["state"]] = states.get(told["state"], 0) + 1
    seconds = round(time.perf_counter() - batch.begun, 1)
    facts = {"job": batch.job, **states, "left": len(every) - len(batch.told), "seconds": seconds}
    with site.store.change(Event("batch.ended", site.actor, batch.job, facts)) as change:
        jobs.finish(change, batch.job, state="stopped" if batch.stopped else "done", reason=batch.stopped or None)
    if batch.stopped:
        raise DeliveryRefusal(
            f"{batch.stopped}; {facts['left']:,} of {len(every):,} deliveries are left",
            why="What was published stays, and nothing half-done was kept",
            next_step="Where room lacks, make some; the same command goes on where this one stood",
        )
    files = {item.dataset: item.files[0].name for item in every}
    bad = [
        {"dataset": name, "file": files[name], "state": t["state"], "reason": t["reason"]}
        for name, t in sorted(batch.told.items()) if t["state"] != "published"
    ]  # fmt: skip
    return {
        "batch": batch.job, "deliveries": len(every), **states, "seconds": seconds, "derived": derived,
        "repeated": sum(bool(t.get("repeated")) for t in batch.told.values()), "not_published": bad,
    }  # fmt: skip


def _shared(memory: str, workers: int) -> str:
    """A worker's share of memory as settings write it: a number, then a unit."""
    digits = memory.rstrip("KMGTiBkmgtb ")
    try:
        return f"{float(digits) / workers:.3f}{memory[len(digits) :].strip()}"
    except ValueError:
        raise Refusal("IDS_MEMORY cannot be shared between loads", next_step="Write it as 8GB") from None
