"""What a new release does to its table, by its contract's mode: rows it adds, files of before it leaves out."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data.control import deliveries, feeds
from integrated_data.control.releases import Release
from integrated_data.journey import changing, checking
from integrated_data.journey.workshop import Workshop
from integrated_data.lake import SUFFIX, Step
from integrated_data.model.contract import AS_AT, Contract, Mode
from integrated_data.vocabulary.sql import text


@dataclass(frozen=True)
class Placed:
    """A release's place in its table: its step, the condition (over `c`) of rows that are published, columns that are
    the same in all of them (name to SQL), and changes of records that a later one had overtaken."""

    step: Step
    good: str = "TRUE"
    constants: dict[str, str] = field(default_factory=dict)
    overtaken: int = 0


def placed(workshop: Workshop, contract: Contract, *, delivery: str, base: Release | None) -> Placed:
    """The place of a delivery whose good rows are in the relation GOOD; `base`: the release of before.

    Where deliveries are added, one of a feed takes the place of those of the same period.
    """
    match contract.mode:
        case Mode.REPLACE:
            return Placed(Step(delivery))
        case Mode.CHANGES:
            done = changing.apply(workshop, contract, delivery=delivery, good=checking.GOOD, base=base)
            return Placed(done.step, done.good, overtaken=done.overtaken)
        case _:
            period, earlier = _of_feed(workshop, delivery)
            there = workshop.lake.files(contract.dataset, base.snapshot) if base and earlier else ()
            held = {file.name for file in there}  # of a release that was withdrawn, nothing is there to leave out
            step = Step(delivery, tuple(n for e in earlier if (n := f"{e}{SUFFIX}") in held))
            if contract.mode is Mode.APPEND:
                return Placed(step)
            day = period or _received(workshop, contract.dataset, delivery=delivery)
            return Placed(step, constants={AS_AT: f"CAST({text(day.isoformat())} AS DATE)"})


def _of_feed(workshop: Workshop, delivery: str) -> tuple[date | None, list[str]]:
    """The first day of the period of a delivery that came by a feed, and the published ones of the same period, with
    what completed them on whatever way."""
    with workshop.store.read() as connection:
        came = feeds.of_delivery(connection, delivery)
        if came is None:
            return None, []
        definition, file = came
        whole = [d for d in feeds.of_period(connection, definition.id, period=file.period) if d != delivery]
        earlier = list(dict.fromkeys(p for d in whole for p in (d, *deliveries.completed_by(connection, d))))
    return (date.fromisoformat(file.period[:10]) if file.period else None), earlier


def _received(workshop: Workshop, dataset: str, *, delivery: str) -> date:
    with workshop.store.read() as connection:
        known = deliveries.of_dataset(connection, dataset)
    return date.fromisoformat(next(d["received_at"] for d in known if d["id"] == delivery)[:10])


def files_after(workshop: Workshop, dataset: str, *, step: Step, base: Release | None) -> tuple[Path, ...]:
    """The files that make up the table once a step is done, where `base` is what is read until then."""
    before = workshop.lake.files(dataset, base.snapshot) if base is not None and step.without is not None else ()
    return tuple(workshop.lake.named(dataset, name) for name in dict.fromkeys(step.after([f.name for f in before])))


def told(workshop: Workshop, contract: Contract, *, placed: Placed, before: int) -> dict[str, Any]:
    """What the catalogue entry of a release says of its table: its rows, and what is no longer in it.

    `before`: rows of the table until now.
    """
    step = placed.step
    own = workshop.lake.rows(contract.dataset, step.files)
    if step.without is None:
        return {"rows": own}
    gone = workshop.lake.rows(contract.dataset, step.without)
    left_out = {"without": list(step.without), "rewritten": list(step.rewritten)} if step.without else {}
    return {"rows": before + own - gone, **left_out}
