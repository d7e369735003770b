"""Whose a dataset is, as contracts come in: a first one says it, and no later one changes it."""

from dataclasses import replace

from integrated_data.acquire import contracts
from integrated_data.approve import roles
from integrated_data.control import deliveries, people
from integrated_data.journey.workshop import Workshop
from integrated_data.model.contract import Contract, names_owner
from integrated_data.model.people import Action


def given(workshop: Workshop, dataset: str, *, contract: Contract | None) -> Contract | None:
    """The contract that comes with a delivery, with its owner where it names none: see `owner_of`.

    Raises ContractRefusal for one that is new and names another owner than the dataset's on record.
    """
    if contract is None:
        return None
    if not names_owner(contract.owner, dataset):
        return replace(contract, owner=owner_of(workshop, dataset) or contract.owner)
    with workshop.store.read() as connection:
        held = deliveries.owner(connection, dataset)
        kept = deliveries.contract_body(connection, dataset, version=contract.version)
    if held is not None and held != contract.owner and kept != contracts.dump(contract):
        deliveries.check_same_owner(dataset, held, named=contract.owner)
    return contract


def owner_of(workshop: Workshop, dataset: str) -> str | None:
    """Whose a dataset is: the organisation on record, else that of the supplier or steward who delivers it first."""
    with workshop.store.read() as connection:
        held = deliveries.owner(connection, dataset)
        person = people.admission(connection, workshop.actor).person
    if held is not None:
        return held
    return None if person is None or roles.everywhere(person, Action.DELIVER) else person.organisation
