"""The release of a redelivery: mended rows are added to the table, and those of a first delivery that was held.

See `journey.completing`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integrated_data.control import deliveries, jobs
from integrated_data.control.releases import Release
from integrated_data.deidentify import attach
from integrated_data.journey import checking, completing, linking, placing
from integrated_data.journey.placing import Placed
from integrated_data.journey.workshop import Facts, Load, Workshop
from integrated_data.lake import Step
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.errors import DeliveryRefusal

#: Counts of a link report that add up over deliveries; the rest of it is the first one's.
COUNTS = ("records", "accepted", "clerical", "provisional", "none")


def like_first(workshop: Workshop, load: Load, *, facts: Facts) -> Facts:
    """What is withheld of a redelivery: also what is of its first delivery, whatever was released since."""
    assert load.completes is not None
    with workshop.store.read() as connection:
        first = jobs.done_steps(connection, f"load/{load.completes.delivery}")["deidentify"]
    return {"withheld": {**facts["withheld"], **first["withheld"]}, "released": first["released"]}


def placed(workshop: Workshop, load: Load, *, contract: Contract, base: Release | None) -> Placed:
    """The place of a redelivery in its table; the file of a held first delivery is written for the same release.

    Raises DeliveryRefusal where the first delivery cannot be completed any more.
    """
    assert load.completes is not None
    carried, first = completing.carried(workshop, load), load.completes.delivery
    if completing.moved_on(workshop, load, done=load.done):
        raise DeliveryRefusal(
            f"Delivery {first} was changed while this one was loaded",
            next_step="Give the same file again: it is checked anew",
        )
    if carried is not None:
        return _with_first(workshop, carried, contract=contract, load=load, base=base)
    if contract.mode is Mode.CHANGES:
        return placing.placed(workshop, contract, delivery=load.delivery.id, base=base)
    constants = {}
    if contract.mode is Mode.SNAPSHOT:
        constants = placing.placed(workshop, contract, delivery=first, base=base).constants
    return Placed(Step(load.delivery.id, ()), constants=constants)


def _with_first(workshop: Workshop, carried: Load, *, contract: Contract, load: Load, base: Release | None) -> Placed:
    first, folder = carried.delivery.id, workshop.places.deliveries / carried.delivery.id
    there = placing.placed(workshop, contract, delivery=first, base=base)
    checking.load_good(workshop.engine, contract, place=folder / "checked.parquet")
    text = attach.published_sql(
        contract, checking.GOOD, good=there.good,
        attachments=linking.attachments(workshop, carried.done["index"]["links"], folder=folder),
        withheld=frozenset(carried.done["deidentify"]["withheld"]), constants=there.constants,
    )  # fmt: skip
    place = workshop.lake.place(contract.dataset, first)
    workshop.engine.save(text, place, sealed=False)
    own = workshop.places.deliveries / load.delivery.id / "checked.parquet"
    checking.load_good(workshop.engine, contract, place=own)
    return Placed(Step(load.delivery.id, there.step.without, (place.name,)), constants=there.constants)


def family(workshop: Workshop, load: Load, *, files: Sequence[Path]) -> tuple[Path, ...]:
    """Of a table's files, those of a first delivery and of all that completes it."""
    assert load.completes is not None
    with workshop.store.read() as connection:
        theirs = {load.completes.delivery, *deliveries.completed_by(connection, load.completes.delivery)}
    return tuple(file for file in files if workshop.lake.delivery_of(file) in theirs)


def told(
    workshop: Workshop, load: Load, *, step: Step, base: Release | None, made: Mapping[str, Any]
) -> dict[str, Any]:
    """What the catalogue entry of a redelivery's release says otherwise than that of a whole delivery."""
    assert load.completes is not None
    first, completes = load.completes.delivery, load.done["validate"]["completes"]
    account = completes["account"]
    with workshop.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{first}")
    before = {index: facts["report"] for index, facts in done.get("index", {}).get("links", {}).items()}
    if base is not None and base.entry.get("completes", base.delivery) == first:
        before = base.entry["links"]
    links = {index: _added(before.get(index), own) for index, own in made["links"].items()}
    entry = {
        "completes": first, "read": account["lines"], "quarantined": account["rejected"], "links": {**before, **links},
        "withdrawn": account["withdrawn"], "rewritten": list(step.rewritten),
    }  # fmt: skip
    return entry if step.without is None else {**entry, "without": list(step.without)}


def _added(before: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    if before is None:
        return dict(own)
    both = {c: before[c] + own[c] for c in COUNTS if isinstance(before.get(c), int) and isinstance(own.get(c), int)}
    return {**before, **both}
