"""How far a load is, and about how long it will take yet, by the measured speed of loads before it.

A stage's speed is what it took for each delivered byte in the newest loads of the same dataset, or of any where that
one was never loaded. Nothing is told where nothing was measured.
"""

from dataclasses import dataclass

from integrated_data.control import deliveries, jobs
from integrated_data.control.store import Store
from integrated_data.journey.going import stages_of
from integrated_data.journey.workshop import Feed

#: Loads that a speed is measured over.
LOADS = 5


@dataclass(frozen=True)
class Pace:
    """Where a load is: the step in hand, its number, how many there are, lines delivered, seconds of this attempt so
    far, and about how many are left (None: nothing tells)."""

    step: str
    number: int
    of: int
    lines: int
    elapsed: float
    left: float | None


def pace(store: Store, delivery: str, *, elapsed: float) -> Pace:
    """How far the load of a delivery is; `elapsed`: seconds since this attempt began."""
    with store.read() as connection:
        known = deliveries.get(connection, delivery)
        done = jobs.done_steps(connection, f"load/{delivery}")
        took = jobs.step_seconds(connection, f"load/{delivery}")
    feed = done.get("acquire", {}).get("feed")
    names = [stage.name for stage in stages_of(Feed(**feed) if feed else None)]
    ahead = [name for name in names if name not in done]
    speeds = _speeds(store, known.dataset)
    size = sum(file.size for file in known.files)
    left = sum(speeds[n] for n in ahead) * size if all(n in speeds for n in ahead) else None
    if left is not None and ahead:
        spent = elapsed - sum(took.values())
        left = max(left - max(0.0, min(spent, speeds[ahead[0]] * size)), 0.0)
    number = len(names) - len(ahead) + 1
    step = ahead[0] if ahead else "done"
    return Pace(step, min(number, len(names)), len(names), sum(f.lines for f in known.files), elapsed, left)


def told(found: Pace) -> str:
    """The same in a few words, for a terminal."""
    left = f", about {_time(found.left)} left" if found.left is not None else ""
    lines = f", {found.lines:,} lines" if found.lines else ""
    return f"{found.step} (step {found.number} of {found.of}{lines}{left})"


def _time(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:,.0f} s"


def _speeds(store: Store, dataset: str) -> dict[str, float]:
    """Seconds for each delivered byte, by stage."""
    seconds: dict[str, float] = {}
    size = 0
    with store.read() as connection:
        for job in jobs.newest_done(connection, "load", subject=f"dataset/{dataset}", most=LOADS):
            before = deliveries.find(connection, job.removeprefix("load/"))
            if before is not None:
                size += sum(file.size for file in before.files)
                for step, took in jobs.step_seconds(connection, job).items():
                    seconds[step] = seconds.get(step, 0.0) + took
    return {step: took / size for step, took in seconds.items()} if size else {}
