"""What a person decides about a held delivery: it goes on as it is, is checked again, or ends.

A decision is one change of the store, made from what stands there then: of two people who decide at once, the second
is told what the first one said. What was decided and cut short goes on when it is asked for again.
"""

from integrated_data.control import deliveries, jobs
from integrated_data.control.store import Change
from integrated_data.journey import following
from integrated_data.journey.going import Outcome, Progress
from integrated_data.journey.run import resume
from integrated_data.journey.stages import DEIDENTIFY, INDEX, VALIDATE
from integrated_data.journey.workshop import Workshop
from integrated_data.model.delivery import Delivery, LoadState
from integrated_data.model.errors import DeliveryRefusal, UsageRefusal
from integrated_data.model.event import Event


def accept_held(workshop: Workshop, delivery: str, *, reason: str, progress: Progress | None = None) -> Outcome:
    """A steward accepts a held delivery; its good rows go on."""
    if not _accepted(workshop, delivery):
        with workshop.store.change(_event(workshop, delivery, word="accepted", reason=reason)) as change:
            _move(change, delivery, state=LoadState.LANDED)
            checked = jobs.done_steps(change.connection, _job(delivery)).get(VALIDATE.name, {})
            following.accepted(change, workshop, checked=checked)
    return resume(workshop, delivery, progress=progress)


def recheck_held(workshop: Workshop, delivery: str, *, reason: str, progress: Progress | None = None) -> Outcome:
    """A steward has a held delivery checked again: what its rules are held against may have come meanwhile."""
    with workshop.store.change(_event(workshop, delivery, word="rechecked", reason=reason)) as change:
        _move(change, delivery, state=LoadState.LANDED)
        jobs.forget_steps(change, _job(delivery), VALIDATE.name, INDEX.name, DEIDENTIFY.name)
        given = following.begin_again(change, _job(delivery))
    return resume(workshop, delivery, contract=given, progress=progress)


def reject_held(workshop: Workshop, delivery: str, *, reason: str) -> None:
    """A steward rejects a held delivery; nothing of it is published."""
    with workshop.store.change(_event(workshop, delivery, word="rejected", reason=reason)) as change:
        _move(change, delivery, state=LoadState.REJECTED)


def _event(workshop: Workshop, delivery: str, *, word: str, reason: str) -> Event:
    if not reason.strip():
        raise UsageRefusal("No reason was given for the decision", next_step="Add --reason TEXT")
    with workshop.store.read() as connection:
        dataset = deliveries.get(connection, delivery).dataset
    facts = {"delivery": delivery, "reason": reason}
    return Event(f"delivery.{word}", workshop.actor, f"dataset/{dataset}", facts)


def _move(change: Change, delivery: str, *, state: LoadState) -> None:
    known = deliveries.get(change.connection, delivery)
    if known.state is not LoadState.HELD:
        raise _not_held(known)
    deliveries.move(change, delivery, state=state)


def _accepted(workshop: Workshop, delivery: str) -> bool:
    """Whether it was held and accepted before, and did not come to its end."""
    with workshop.store.read() as connection:
        known = deliveries.get(connection, delivery)
        checked = jobs.done_steps(connection, _job(delivery)).get(VALIDATE.name, {})
    return known.state is LoadState.LANDED and bool(checked.get("reason"))


def _not_held(known: Delivery) -> DeliveryRefusal:
    return DeliveryRefusal(
        f"Delivery {known.id} is not held: it is {known.state.value}", next_step="Nothing is to be decided"
    )


def _job(delivery: str) -> str:
    return f"load/{delivery}"
