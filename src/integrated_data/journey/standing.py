"""What stands of other datasets: the checked deliveries that their newest release is made of."""

from pathlib import Path

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, releases
from integrated_data.journey.workshop import Workshop
from integrated_data.model.contract import Contract, Rule
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling
from integrated_data.validate.rules import across_rules


def standing_of(workshop: Workshop, contract: Contract) -> dict[str, list[tuple[Contract, Path]]]:
    """By dataset that a contract's rules are held against: contract and checked rows of each delivery that stands.

    A dataset that was never published is not there. Raises ContractRefusal for a rule that would tell one owner who is
    in another's data: of other owners' datasets, published columns alone may be referred to.
    """
    found: dict[str, list[tuple[Contract, Path]]] = {}
    for rule in across_rules(contract):
        held = found.get(rule.dataset) or _deliveries(workshop, rule.dataset)
        for other, _ in held:
            _check_open(contract, rule, other=other)
        if held:
            found[rule.dataset] = held
    return found


def _check_open(contract: Contract, rule: Rule, *, other: Contract) -> None:
    closed = any(other.column(name).handling is not Handling.PAYLOAD for name in rule.others)
    if closed and other.owner != contract.owner:
        raise ContractRefusal(
            f"Rule {rule.name} refers to what dataset {other.dataset} does not publish",
            why="Counts of it would tell who is in another owner's data",
            next_step="Refer to a published column, or leave the rule to the owner of both datasets",
        )


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
