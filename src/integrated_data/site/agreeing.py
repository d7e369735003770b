"""Agreements and the law of an installation: written down, and what stops by itself when one ends.

The law is a file of the installation; without one, the United Kingdom's as shipped.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data.approve import agree, provision
from integrated_data.control import bodies, deliveries, frameworks, freezes, grants, projects
from integrated_data.control.store import Store
from integrated_data.model.access import ProjectState
from integrated_data.model.agreement import Agreement, Annex, Framework, Law
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import AgreementRefusal, DeliveryRefusal
from integrated_data.model.event import Event
from integrated_data.model.frameworks import agreement_of, differing
from integrated_data.site import owning
from integrated_data.site.places import Places
from integrated_data.site.twin_limits import withdraw_looser


def law_of(places: Places) -> Law:
    """The law that an installation works under."""
    if not places.law.exists():
        return agree.united_kingdom()
    return agree.read_law(places.law.read_text(encoding="utf-8"))


def set_law(places: Places, store: Store, *, text: str, by: str) -> dict[str, Any]:
    """Put another law's file to use; refuses one that lacks a gateway which an agreement on record rests on."""
    law = agree.read_law(text)
    with store.read() as connection:
        agreed = projects.agreements(connection)
    left = sorted({a.gateway for a in agreed if law.gateway(a.gateway) is None})
    if left:
        raise AgreementRefusal(
            f"The law's file has no gateway {', '.join(left)}, on which agreements rest",
            next_step="Add it to the file, or write these agreements anew first: ids agreement list",
        )
    with store.change(Event("law.changed", by, "law", {"country": law.country, "version": law.version})):
        part = places.law.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(places.law)
    return {"country": law.country, "version": law.version, "gateways": [g.id for g in law.gateways]}


def add(places: Places, store: Store, *, text: str, by: str) -> dict[str, Any]:
    """Write down what a form says: an agreement, a framework, or an annex; returns it, and what to know about it."""
    law = law_of(places)
    with store.read() as connection:
        known = frameworks.known(connection)
    paper = agree.read_paper(text, law, known=known)
    _check_whose(store, paper, known=known, by=by)
    if isinstance(paper, Framework):
        frameworks.add_framework(store, paper, by=by)
        withdraw_looser(places, store, by=by)
        return {"kind": "framework", **bodies.write(paper)}
    projects.add_agreement(store, paper, by=by)
    withdraw_looser(places, store, by=by, of=(paper.dataset,))
    with store.read() as connection:
        made = projects.get_agreement(connection, paper.id)
        others = [a for a in projects.agreements(connection, paper.dataset) if a.id != paper.id]
    kind = "annex" if isinstance(paper, Annex) else "agreement"
    return {"kind": kind, **bodies.write(made), "notes": _notes(made, others, today=store.now().date())}


def _check_whose(
    store: Store, paper: Agreement | Annex | Framework, *, known: Mapping[str, Framework], by: str
) -> None:
    """Refuse a steward who writes for another organisation, or over what another one agreed to."""
    with store.read() as connection:
        agreed = [a for a in projects.agreements(connection) if a.id == paper.id]
    written = [known[paper.id]] if isinstance(paper, Framework) and paper.id in known else agreed
    for one in (*written, paper):
        about = agreement_of(one, known) if isinstance(one, Annex) else one
        dataset = None if isinstance(about, Framework) else about.dataset
        owning.check_agrees(store, dataset, owner=about.owner, by=by)


def _notes(made: Agreement, others: list[Agreement], *, today: date) -> list[str]:
    notes = []
    if today > made.ends:
        notes.append(f"It ended on {made.ends}: nothing is loaded or used under it")
    if made.suspended:
        notes.append("It is suspended: nothing is loaded or used under it")
    for other in others:
        terms = differing(made, other)
        if terms:
            notes.append(f"It differs from agreement {other.id} in {', '.join(terms)}: the stricter of the two holds")
    return notes


def check_loading(store: Store, dataset: str, *, by: str) -> None:
    """Refuse to load a dataset, before a byte of it is taken.

    That is when it or who acts is frozen, or every agreement on it has ended or is suspended. A dataset on which nobody
    agreed yet may be loaded: nothing of it can be used.
    """
    with store.read() as connection:
        agreed = projects.agreements(connection, dataset)
        freeze = freezes.against(connection, datasets=(dataset,), people=(by,))
    if freeze is not None:
        store.record(Event("delivery.stopped", by, f"dataset/{dataset}", {"reason": freeze.told}))
        raise DeliveryRefusal(f"Nothing of dataset {dataset} is loaded", why=freeze.told, next_step=freeze.change)
    reason = agree.loading_stopped(agreed, store.now().date())
    if reason:
        store.record(Event("delivery.stopped", by, f"dataset/{dataset}", {"reason": reason}))
        raise DeliveryRefusal(
            f"Nothing more of dataset {dataset} is loaded",
            why=reason,
            next_step="Ask its owner to extend the agreement, or to lift its suspension",
        )


def past_retention(store: Store) -> list[dict[str, Any]]:
    """Datasets whose data may no longer be held, by what all of their agreements say of retention."""
    today = store.now().date()
    with store.read() as connection:
        agreed = projects.agreements(connection)
        states: dict[str, set[str]] = {}
        for delivery in deliveries.every(connection):
            states.setdefault(delivery["dataset"], set()).add(delivery["state"])
    found = []
    for dataset in sorted({a.dataset for a in agreed}):
        if states.get(dataset) == {LoadState.EXPIRED}:
            continue  # it was removed
        until = agree.held_until([a for a in agreed if a.dataset == dataset])
        if until is not None and until < today:
            found.append({"dataset": dataset, "held_until": until.isoformat(), "reason": "its retention has passed"})
    return found


def close_ended(store: Store, folder: Path, *, by: str) -> list[dict[str, Any]]:
    """Close grants that no agreement or project carries any more, and delete their copies; returns what was closed.

    Such a grant answers no query already, for every query is decided afresh; this takes its files away.
    """
    today, closed = store.now().date(), []
    with store.read() as connection:
        held = grants.active(connection)
        known = {p.id: p for p in projects.projects(connection)}
        agreed = {d: projects.agreements(connection, d) for d in {g.dataset for g in held}}
    for grant in held:
        project = known[grant.project]
        covering = [a for a in agreed[grant.dataset] if a.covers(project.purpose, today)]
        if project.ends < today:
            reason = f"the project ended on {project.ends}"
        elif not covering:
            reason = "no agreement covers its use any more"
        else:
            continue  # a suspended one may be lifted again: until then the decision refuses
        provision.revoke(store, grant.project, folder=folder, dataset=grant.dataset, by=by, reason=reason)
        closed.append({"project": grant.project, "dataset": grant.dataset, "reason": reason})
    for project in known.values():
        if project.state is ProjectState.APPROVED and project.ends < today:
            projects.expire_project(store, project.id, by=by)
    return closed
