"""Objection: somebody's rows leave all views, of a dataset, for a purpose or altogether, and stay away.

    plan → withdraw → copy-0001 …

Copies that the objection reaches are taken out of service at once and made anew without their rows. The objection
lies on the list with the keys: it holds for what is delivered, rebuilt or restored later. The data stay where the
law keeps them: nothing is erased.
"""

from typing import Any

from integrated_data.control import grants, projects
from integrated_data.model.access import Grant
from integrated_data.model.rights import Asked, Right
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import asking, copies
from integrated_data.site.stepping import Steps
from integrated_data.site.subjects import kept, leaving, somebody
from integrated_data.site.subjects.somebody import Somebody


def object_to(site: LoadingSite, steps: Steps, *, asked: Asked) -> dict[str, Any]:
    """Leave somebody's rows out of every view that the objection reaches; returns which copies were made anew."""
    steps.run("plan", lambda: (_plan(site, asked), None))
    one = next(e for e in kept.entries(site.places, right=Right.OBJECT) if e.number == asked.number)
    return carry_out(site, steps, one=one)


def carry_out(site: LoadingSite, steps: Steps, *, one: kept.Entry) -> dict[str, Any]:
    """Do what an objection on the list says, from the first step that is not done."""
    return copies.renewed(site, steps, reached=lambda: _reached(site, one))


def _plan(site: LoadingSite, asked: Asked) -> dict[str, Any]:
    ids = somebody.ids_of(site, asked.index, entity=asking.entity_of(site, asked))
    who = Somebody(asked.index, ids, ())
    at = site.store.now().isoformat(timespec="seconds")
    kept.put(
        site.places, kept.entry(site.places, who, number=asked.number, right=Right.OBJECT, scope=asked.scope, at=at)
    )
    return {"dataset": asked.scope.dataset, "purpose": asked.scope.purpose}


def _reached(site: LoadingSite, one: kept.Entry) -> list[Grant]:
    with site.store.read() as connection:
        held = grants.active(connection)
        purposes = {p.id: str(p.purpose) for p in projects.projects(connection)}
    return [g for g in held if one in leaving.reaching(site, g.dataset, purpose=purposes[g.project])]
