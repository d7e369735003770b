"""Whose a dataset is, and who of whom does what with it: every function here that takes one, or a delivery, asks.

People on record are asked about; the account that runs the service, which is nobody's, is not: what it may do is said
in `approve/roles.py`. A dataset is its owner's on record, and of those who have an agreement on it as theirs.
"""

from collections.abc import Callable

import sqlalchemy as sa

from integrated_data.approve import roles
from integrated_data.control import deliveries, jobs, people, projects
from integrated_data.control.store import Store
from integrated_data.model.contract import Contract, names_owner
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import RoleRefusal
from integrated_data.model.people import Action


def owners(connection: sa.Connection, dataset: str) -> frozenset[str]:
    """The organisations that a dataset is of; until its first contract is on record, those named by what is under way.

    None where nobody has been named yet.
    """
    if deliveries.owner(connection, dataset) is not None:
        return _recorded(connection, dataset)
    under_way = [d["id"] for d in deliveries.of_dataset(connection, dataset) if d["state"] != LoadState.REJECTED]
    named = {jobs.done_steps(connection, f"load/{d}").get("acquire", {}).get("owner", "") for d in under_way}
    return _recorded(connection, dataset) | {n for n in named if names_owner(n, dataset)}


def _recorded(connection: sa.Connection, dataset: str) -> frozenset[str]:
    held = deliveries.owner(connection, dataset)
    named = {held} if held is not None and names_owner(held, dataset) else set()
    return frozenset(named | {a.owner for a in projects.agreements(connection, dataset)})


def check(store: Store, dataset: str, *, action: Action, by: str) -> None:
    """Refuse a person who may do this with their own organisation's data alone, where a dataset is another's."""
    with store.read() as connection:
        person = people.admission(connection, by).person
        if person is not None:
            roles.check_of_owner(person, action, dataset=dataset, owners=owners(connection, dataset))


def check_delivery(store: Store, delivery: str, *, action: Action, by: str) -> None:
    """As `check`, of the dataset that a delivery is of; refuses one that is not known."""
    with store.read() as connection:
        dataset = deliveries.get(connection, delivery).dataset
    check(store, dataset, action=action, by=by)


def check_delivers(
    store: Store, dataset: str, *, contract: Contract | None, by: str, action: Action = Action.DELIVER
) -> None:
    """As `check`, before a byte of a delivery is taken; the first one makes a dataset the deliverer's organisation's.

    Refuses a first contract that names another organisation: its own people deliver it, or who runs the service.
    """
    with store.read() as connection:
        person = people.admission(connection, by).person
        if person is None or roles.everywhere(person, action):
            return
        held, known = _recorded(connection, dataset), deliveries.owner(connection, dataset)
    if known is not None or held:
        roles.check_of_owner(person, action, dataset=dataset, owners=held)
    elif contract is not None and names_owner(contract.owner, dataset) and contract.owner != person.organisation:
        raise RoleRefusal(
            f"{by} may not deliver what the contract calls {contract.owner}'s",
            why="A first delivery says whose a dataset is, and people deliver for their own organisation",
            next_step="Put your organisation's name into team.name, or let theirs deliver it",
        )


def check_agrees(store: Store, dataset: str | None, *, owner: str, by: str) -> None:
    """Refuse a steward who writes down what another organisation agrees to; `dataset`: None for a framework."""
    with store.read() as connection:
        person = people.admission(connection, by).person
        if person is None or roles.everywhere(person, Action.AGREE):
            return
        held = _recorded(connection, dataset) if dataset is not None else frozenset()
    if dataset is not None and held:
        roles.check_of_owner(person, Action.AGREE, dataset=dataset, owners=held)
    if owner not in held | {person.organisation}:
        raise RoleRefusal(
            f"{by} may not write down what {owner} agrees to",
            why="A steward writes down what their own organisation agrees to",
            next_step="Ask a steward of that organisation, or an approver",
        )


def seen_by(connection: sa.Connection, person: str, *, action: Action) -> Callable[[str], bool]:
    """Of which datasets somebody is shown what there is to see: `check` for lists, while the connection is open."""
    known = people.admission(connection, person).person
    if known is None or roles.everywhere(known, action):
        return lambda _: True
    theirs = deliveries.owned(connection, known.organisation)
    theirs |= {a.dataset for a in projects.agreements(connection) if a.owner == known.organisation}
    return lambda dataset: dataset in theirs or known.organisation in owners(connection, dataset)
