"""Completing a load: its supplier sends the mended rows of those that were rejected, and nothing else.

A redelivery goes the way of every delivery, under the contract of the first one. Rows are judged one by one; what is
unique, rules on the whole table, rules across datasets and thresholds are judged over both together, and over what
completed it before. Lines are reconciled: of those of the first delivery each is published, still rejected, or
withdrawn. One redelivery of a delivery runs at a time; what was checked beside other rows is checked again.

The release of a redelivery is the table as it was with the mended rows added. Of a first delivery that was held, the
good rows are published by it as well: it is matched and de-identified then, and both are one release.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.drift import check_header
from integrated_data.acquire.layout import Delivered
from integrated_data.control import deliveries, jobs, releases
from integrated_data.control.store import Change
from integrated_data.journey.workshop import Done, Facts, Load, Workshop
from integrated_data.model.contract import Contract, Mode
from integrated_data.model.delivery import Delivery, LoadState, ReleaseState, Tally
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.validate import judge

#: What the first delivery of a dataset must have gone through before it can be completed.
CHECKED = "validate"


@dataclass(frozen=True)
class Whole:
    """A first delivery, and what completed it before.

    `done`: facts of its finished stages; `parts`: deliveries that completed it and stand in the table, oldest first;
    `lines`: its rows, with those that did not split; `published`: good rows of all, its own also where it is held.
    """

    first: Delivery
    contract: Contract
    done: dict[str, Facts]
    parts: tuple[str, ...]
    lines: int
    published: int
    withdrawn: int

    @property
    def open(self) -> int:
        """Rows that are still rejected."""
        return self.lines - self.published - self.withdrawn

    @property
    def beside(self) -> dict[str, Any]:
        """What a redelivery was checked beside, to see whether it still is."""
        return {"state": str(self.first.state), "parts": list(self.parts)}


def first_of(workshop: Workshop, dataset: str, *, named: str) -> str:
    """The first delivery that is meant: of one that completes another, that one. Refuses what is not the dataset's."""
    with workshop.store.read() as connection:
        known = deliveries.find(connection, named)
        first = deliveries.completes(connection, named)
    if known is None or known.dataset != dataset:
        raise DeliveryRefusal(
            f"Dataset {dataset} has no delivery {named}",
            why="A redelivery completes a delivery of the same dataset",
            next_step="Look its id up in what the delivery answered, or with: ids quarantine list",
        )
    return first.delivery if first else named


def whole_of(workshop: Workshop, first: str) -> Whole:
    """The first delivery as it stands; refuses one that cannot be completed, with what to do instead."""
    with workshop.store.read() as connection:
        known = deliveries.get(connection, first)
        done = jobs.done_steps(connection, f"load/{first}")
        after = deliveries.completed_by(connection, first)
        steps = {d: jobs.done_steps(connection, f"load/{d}") for d in after}
        base, was = releases.current(connection, known.dataset), releases.of_delivery(connection, first)
    _check_goes_on(known, done)
    contract = contracts.parse(done[CHECKED]["contract"])
    files = workshop.lake.files(known.dataset, base.snapshot) if base else ()
    held = {workshop.lake.delivery_of(file) for file in files}
    if known.state is LoadState.PUBLISHED and first not in held:
        raise _refused(known, "is not in the table any more", next_step=_instead(known, was=was))
    if not (workshop.places.deliveries / first / "checked.parquet").exists():
        raise _refused(known, "is kept no longer", next_step="Deliver the whole file again")
    newest = base is not None and (base.entry.get("completes") or base.delivery) == first
    if contract.mode is Mode.CHANGES and not (contract.changes and contract.changes.sequence) and not newest:
        raise _refused(
            known, "tells changes without a sequence, and others came after it", next_step="Deliver them as a new batch"
        )
    parts = tuple(d for d in after if d in held)
    checked = done[CHECKED]
    account = [steps[d][CHECKED]["completes"] for d in parts]
    whole = Whole(
        known, contract, done, parts, checked["read"],
        checked["good"] + sum(steps[d][CHECKED]["good"] for d in parts), sum(a["withdraws"] for a in account),
    )  # fmt: skip
    if not whole.open:
        raise _refused(
            known, "is complete", next_step="Nothing is to be redelivered; a correction of all of it is a new delivery"
        )
    return whole


def _check_goes_on(known: Delivery, done: dict[str, Facts]) -> None:
    if known.state is LoadState.EXPIRED:
        raise _refused(known, "has expired", next_step="Under a new agreement, deliver the whole file as a new one")
    if done.get("acquire", {}).get("feed"):
        raise _refused(known, "is a reference source", next_step="Load the whole source again: ids reference load")
    if known.state is LoadState.REJECTED:
        raise _refused(
            known, "was rejected, and nothing of it stands", next_step="Correct the whole file and deliver it again"
        )
    if known.state is LoadState.HELD and _waits(done[CHECKED]):
        raise _refused(
            known, "waits for a decision of its own", next_step=f"Decide it first: ids quarantine accept {known.id}"
        )
    if CHECKED not in done or known.state is LoadState.LANDED:
        raise _refused(known, "is on its way", next_step="Wait for it, or give the same file again if it was stopped")


def _waits(checked: Facts) -> bool:
    """Whether a held delivery waits for something else than its counts and rules, which are judged anew."""
    counted = Tally(
        checked["read"], checked["good"], checked["quarantined"], broken=tuple(checked.get("broken", ())),
        untested=tuple(checked.get("untested", ())),
    )  # fmt: skip
    alone = judge.judge(contracts.parse(checked["contract"]), counted) is LoadState.PUBLISHED
    changes = contracts.parse(checked["contract"]).mode is Mode.CHANGES
    return bool(checked.get("unusual") or checked.get("drift")) or alone or changes


def _instead(known: Delivery, *, was: releases.Release | None) -> str:
    """What is done instead where a delivery is not in the table. `was`: the release that it became."""
    if was is None or was.state is not ReleaseState.WITHDRAWN:
        return "Deliver the whole file again"
    return (
        f"Deliver the whole file again, the same or a corrected one, or take the table forward to it: "
        f"ids release forward {known.dataset} --to {was.id}"
    )


def _refused(known: Delivery, state: str, *, next_step: str) -> DeliveryRefusal:
    return DeliveryRefusal(f"Delivery {known.id} {state} and cannot be completed", next_step=next_step)


def check_contract(workshop: Workshop, first: str, *, given: Contract | None) -> None:
    """Refuse another contract than that of the first delivery."""
    with workshop.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{first}")
    theirs = {done[stage]["contract"] for stage in ("acquire", CHECKED) if stage in done}
    if given is not None and contracts.dump(given) not in theirs:
        raise ContractRefusal(
            f"The contract is not that of delivery {first}",
            why="Mended rows are checked as those were that they are added to",
            next_step="Leave --contract out; for a new contract, deliver the whole file",
        )


def contract_of(workshop: Workshop, load: Load) -> Contract:
    """The contract that a redelivery is loaded under: that of its first delivery, as it was checked."""
    assert load.completes is not None
    with workshop.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{load.completes.delivery}")
    return contracts.parse(done[CHECKED]["contract"])


def acquired(workshop: Workshop, load: Load, *, delivered: Delivered) -> Done:
    """What acquiring a redelivery leaves; refuses one that lacks columns of the first delivery."""
    contract = contract_of(workshop, load)
    drift = check_header(contract, delivered.columns)
    facts: Facts = {
        "contract": contracts.dump(contract), "version": contract.version, "inferred": contract.inferred,
        "fresh": False, "feed": None, "left_out": list(drift.new),
    }  # fmt: skip
    inputs = (f"delivery/{load.delivery.id}",)
    return Done(facts, inputs, (f"contract/{contract.dataset}/{contract.version}",))


@contextmanager
def alone(workshop: Workshop, load: Load) -> Iterator[None]:
    """No other redelivery of the same delivery runs meanwhile; waits for one that does."""
    if load.completes is None:
        yield
        return
    with workshop.lake.alone(f"{load.delivery.dataset}.{load.completes.delivery}"):
        yield


def moved_on(workshop: Workshop, load: Load, *, done: Mapping[str, Facts]) -> bool:
    """Whether something else was published since a redelivery was checked, so that it must be checked again."""
    if load.completes is None or CHECKED not in done:
        return False
    beside: dict[str, Any] = whole_of(workshop, load.completes.delivery).beside
    return bool(beside != done[CHECKED]["completes"]["beside"])


def carried(workshop: Workshop, load: Load) -> Load | None:
    """The first delivery, where it is held and goes on with the redelivery that completes it.

    Raises DeliveryRefusal where it was decided meanwhile, and is on its way by itself.
    """
    if load.completes is None:
        return None
    with workshop.store.read() as connection:
        first = deliveries.get(connection, load.completes.delivery)
        done = jobs.done_steps(connection, f"load/{first.id}")
    if first.state not in (LoadState.HELD, LoadState.PUBLISHED):
        raise _refused(first, "was decided meanwhile", next_step="Give the same file again: it is checked anew")
    return Load(first, done=done) if first.state is LoadState.HELD else None


def carried_on(change: Change, first: Load, *, stage: str, facts: Facts) -> None:
    """Write down, inside a change, a stage of a held first delivery; refuses where it was decided meanwhile."""
    state = deliveries.get(change.connection, first.delivery.id).state
    if state is not LoadState.HELD:
        raise _refused(
            first.delivery, "was decided meanwhile", next_step="Give the same file again: it is checked anew"
        )
    jobs.keep_step(change, first.job, step=stage, result=facts)


def published_with(change: Change, first: Load, *, facts: Facts) -> None:
    """Write down, inside the change that names the release, that a held first delivery is published by it."""
    carried_on(change, first, stage=deliveries.PUBLISH, facts=facts)
    deliveries.move(change, first.delivery.id, state=LoadState.LANDED)
    deliveries.move(change, first.delivery.id, state=LoadState.PUBLISHED)
    jobs.finish(change, first.job)
