"""What stands of other datasets: the checked deliveries that their newest release is made of."""

from pathlib import Path

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, releases
from integrated_data.journey.workshop import Workshop
from integrated_data.model.contract import Contract
from integrated_data.validate.rules import across_rules


def standing_of(workshop: Workshop, contract: Contract) -> dict[str, list[tuple[Contract, Path]]]:
    """By dataset that a contract's rules are held against: contract and checked rows of each delivery that stands.

    A dataset that was never published is not there.
    """
    found = {}
    for dataset in sorted({rule.dataset for rule in across_rules(contract)}):
        held = _deliveries(workshop, dataset)
        if held:
            found[dataset] = held
    return found


def _deliveries(workshop: Workshop, dataset: str) -> list[tuple[Contract, Path]]:
    with workshop.store.read() as connection:
        release = releases.current(connection, dataset)
        if release is None:
            return []
        made_of = [workshop.lake.delivery_of(file) for file in workshop.lake.files(dataset, release.snapshot)]
        held = []
        for delivery in made_of:
            place = workshop.places.deliveries / delivery / "checked.parquet"
            body = deliveries.contract_body(
                connection, dataset, version=deliveries.contract_version(connection, delivery)
            )
            if place.exists() and body is not None:
                held.append((contracts.parse(body), place))
    return held
