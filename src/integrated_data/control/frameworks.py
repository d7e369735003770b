"""What the store knows of frameworks, and agreements as they stand under them."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies, catalogue
from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.agreement import Agreement, Annex, Framework
from integrated_data.model.event import Event
from integrated_data.model.frameworks import agreement_of, chain, under

#: A field that an agreement has and an annex has not: its owner comes from the framework.
WHOLE = "owner"


def add_framework(store: Store, framework: Framework, *, by: str) -> None:
    """Write a framework down, or its new version under the same id; its annexes follow at once.

    Refuses one that would stand under itself, or under what is not on record.
    """
    event = Event("framework.written", by, f"framework/{framework.id}")
    with store.change(event) as change:
        others = known(change.connection)
        chain(framework.id, {**others, framework.id: framework})
        values = {"body": bodies.write(framework), "at": change.at}
        if framework.id in others:
            change.connection.execute(sa.update(t.framework).where(t.framework.c.id == framework.id).values(**values))
        else:
            change.connection.execute(sa.insert(t.framework).values(id=framework.id, **values))
        for dataset in change.connection.execute(sa.select(t.agreement.c.dataset).distinct()).scalars().all():
            restate(change.connection, dataset)
        change.note(sha256=bodies.digest(values["body"]), replaced=framework.id in others)


def known(connection: sa.Connection) -> dict[str, Framework]:
    """Every framework on record, by id."""
    rows = connection.execute(sa.select(t.framework.c.body).order_by(t.framework.c.id)).scalars()
    found = (bodies.read(Framework, body, what="framework") for body in rows)
    return {framework.id: framework for framework in found}


def agreements(connection: sa.Connection, dataset: str | None = None) -> list[Agreement]:
    """Agreements on record, of one dataset or of all, by id, as they stand under their frameworks."""
    query = sa.select(t.agreement.c.body).order_by(t.agreement.c.id)
    if dataset is not None:
        query = query.where(t.agreement.c.dataset == dataset)
    frameworks = known(connection)
    return [read_agreement(body, frameworks) for body in connection.execute(query).scalars()]


def restate(connection: sa.Connection, dataset: str) -> None:
    """Let the catalogue tell the conditions of a dataset's agreements as they are now."""
    catalogue.restate(connection, dataset, agreements=agreements(connection, dataset))


def read_agreement(body: Mapping[str, Any], frameworks: Mapping[str, Framework]) -> Agreement:
    """An agreement from its body on record: one by itself, or an annex, as it stands under its framework today."""
    if WHOLE not in body:
        return agreement_of(bodies.read(Annex, body, what="annex"), frameworks)
    agreement = bodies.read(Agreement, body, what="agreement")
    above = chain(agreement.framework, frameworks) if agreement.framework in frameworks else ()
    for framework in above:
        agreement = under(agreement, framework)
    return agreement
