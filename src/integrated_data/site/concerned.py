"""Which outputs used a dataset: asked by its owner, and told when its agreement ends or is suspended.

An output used a dataset when a query of it read the dataset itself, or what was ever derived from it.
"""

from typing import Any

import sqlalchemy as sa

from integrated_data.control import outputs, projects, releases, tables
from integrated_data.control.store import Store
from integrated_data.model.agreement import Agreement
from integrated_data.model.event import Event
from integrated_data.site.acting import Acting

ACTION = "dataset.use_ended"


def using(store: Store, dataset: str, *, acting: Acting) -> list[dict[str, Any]]:
    """Every output that used a dataset, for its owner or an auditor; the question is written down."""
    from integrated_data.site import auditing  # brings charts and the attacker along, which no load needs

    auditing.check_asks(store, dataset, acting=acting)
    auditing.note(store, f"dataset/{dataset}", question="using", acting=acting)
    with store.read() as connection:
        return outputs_using(connection, dataset)


def tell(store: Store, *, by: str) -> list[dict[str, Any]]:
    """Write down, once for each agreement that has ended or is suspended, which outputs used its dataset."""
    today = store.now().date()
    with store.read() as connection:
        over = [(a, reason) for a in projects.agreements(connection) if (reason := _over(a, ended=a.ends < today))]
        asked = sa.select(tables.audit_event.c.facts).where(tables.audit_event.c.action == ACTION)
        known = (
            {(facts["agreement"], facts["reason"]) for facts in connection.execute(asked).scalars()} if over else set()
        )
    told = []
    for agreement, reason in over:
        if (agreement.id, reason) in known:
            continue
        with store.read() as connection:
            found = outputs_using(connection, agreement.dataset)
        facts: dict[str, Any] = {"agreement": agreement.id, "owner": agreement.owner, "reason": reason}
        facts["outputs"] = [output["request"] for output in found]
        store.record(Event(ACTION, by, f"dataset/{agreement.dataset}", facts))
        told.append({"dataset": agreement.dataset, **facts})
    return told


def _over(agreement: Agreement, *, ended: bool) -> str:
    if ended:
        return f"agreement {agreement.id} ended on {agreement.ends}"
    return f"agreement {agreement.id} is suspended" if agreement.suspended else ""


def outputs_using(connection: sa.Connection, dataset: str) -> list[dict[str, Any]]:
    """Outputs that used a dataset, or what was ever derived from it, in order of asking."""
    derived = releases.derived_from(connection, (dataset,))
    found = []
    for request in outputs.requests(connection):
        through = sorted(derived & set(request.datasets))
        if through:
            found.append({
                "request": request.id, "title": request.title, "project": request.project, "state": str(request.state),
                "asked": request.at.date().isoformat(), "through": through,
            })  # fmt: skip
    return found
