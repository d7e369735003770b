"""Handing a dataset over to another organisation: the one way in which its owner changes."""

from dataclasses import replace

from integrated_data.acquire import contracts, evolve
from integrated_data.control import deliveries, people, projects
from integrated_data.control.store import Store
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import DERIVED


def hand_over(store: Store, dataset: str, *, to: str, by: str, reason: str) -> dict[str, str]:
    """Make a dataset another organisation's, with a version of its contract that says so.

    The catalogue tells it with the next release. Refuses an organisation of which nobody is on record.
    """
    if not reason.strip():
        raise AgreementRefusal("No reason was given", next_step="Add --reason TEXT")
    with store.read() as connection:
        body, was = deliveries.contract_body(connection, dataset), deliveries.owner(connection, dataset)
        versions = deliveries.versions(connection, dataset)
        known = {o.name for o in people.organisations(connection)}
        known |= {p.organisation for p in projects.people(connection)}
    if body is None or dataset.startswith(DERIVED):
        raise AgreementRefusal(f"There is no dataset {dataset} to hand over", next_step="See: ids catalogue search")
    if to not in known:
        raise AgreementRefusal(f"There is no organisation {to} on record", next_step="Add it: ids organisation add")
    contract = contracts.parse(body)
    version = evolve.next_version(contract.version, kept=versions, breaking=False)
    made = replace(contract, owner=to, version=version, follows=contract.version)
    facts = {"was": was, "owner": to, "contract": version, "reason": reason}
    with store.change(Event("dataset.handed_over", by, f"dataset/{dataset}", facts)) as change:
        deliveries.hand_over(change, dataset, to=to)
        about = {"owner": to, "title": made.title, "inferred": made.inferred}
        deliveries.save_contract(change, dataset=dataset, version=version, body=contracts.dump(made), about=about)
    return {"dataset": dataset, "was": was or "", "owner": to, "contract": version}
