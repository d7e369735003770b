"""What a new release does to its table: which files of before it leaves out."""

from typing import Any

from integrated_data.control import feeds
from integrated_data.journey.workshop import Workshop
from integrated_data.lake import SUFFIX, Step
from integrated_data.model.contract import Contract, Mode


def step_of(workshop: Workshop, contract: Contract, *, delivery: str) -> Step:
    """The step that a delivery makes by its contract's mode.

    Where deliveries are added, one of a feed takes the place of those of the same period.
    """
    if contract.mode is Mode.REPLACE:
        return Step(delivery)
    with workshop.store.read() as connection:
        came = feeds.of_delivery(connection, delivery)
        if came is None:
            return Step(delivery, ())
        definition, file = came
        earlier = feeds.of_period(connection, definition.id, period=file.period)
    return Step(delivery, tuple(f"{e}{SUFFIX}" for e in earlier if e != delivery))


def told(workshop: Workshop, contract: Contract, *, step: Step, before: int) -> dict[str, Any]:
    """What the catalogue entry of a step's release says of the table: its rows, and what is no longer in it.

    `before`: rows of the table until now.
    """
    own = workshop.lake.rows(contract.dataset, step.files)
    if step.without is None:
        return {"rows": own}
    gone = workshop.lake.rows(contract.dataset, step.without)
    left_out = {"without": list(step.without), "rewritten": list(step.rewritten)} if step.without else {}
    return {"rows": before + own - gone, **left_out}
