"""Other ways for a request to leave: proposing them, and asking for it again in the one that its author accepts."""

import json
from dataclasses import replace
from pathlib import Path

from integrated_data.control import bodies, outputs
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import OUTPUT_MOVES, Ask, OutputRequest, OutputState
from integrated_data.model.proposal import Form, Proposal
from integrated_data.output import request as requests
from integrated_data.output import requested
from integrated_data.output.check import Run
from integrated_data.output.limits import held_to
from integrated_data.output.linked import protect
from integrated_data.output.proposals import Draft, propose
from integrated_data.output.protect import Optimiser

#: Where the proposals of a request lie, under its folder.
FILE = "proposals.json"


def alternatives(
    store: Store, run: Run, *, request: str, actor: str, folder: Path, optimiser: Optimiser | None = None
) -> tuple[Proposal, ...]:
    """Ways of making a request of one's own safe, least loss first; none where no cell breaks a rule.

    They are found from the queries as they were asked for, whatever form was accepted since, and kept
    beside the request. `optimiser`: another way to choose which cells to withhold, tried too.
    """
    known = _own(store, request, actor=actor)
    views, limits = requests.views_of(store, known.project), held_to(store, known.datasets, project=known.project)
    asked = requests.results_of(store, run, ask=_ask(known), form=Form(), views=views)
    checked = [requests.check_asked(one, views=views, run=run, limits=limits) for one in asked]
    protected = protect(checked, limits, run=run)
    found = propose(Draft(checked, protected, tuple(one.sql for one in asked), views, limits, run, optimiser))
    requested.put(requested.place(folder, request) / FILE, requested.as_json([bodies.write(one) for one in found]))
    return found


def accept(store: Store, run: Run, *, request: str, proposal: str, actor: str, folder: Path) -> OutputRequest:
    """Ask for a request again in the form of a proposal; a request that was refused is asked for under a new id.

    `request` is its id and `proposal` the proposal's. The form is checked like any other before it may leave.
    """
    known = _own(store, request, actor=actor)
    place = requested.place(folder, request) / FILE
    if not place.is_file():
        raise OutputRefusal(
            f"Nothing has been proposed for request {request} as it stands",
            next_step=f"Ask for proposals: ids output propose {request}",
        )
    found = [bodies.read(Proposal, one, what="proposal") for one in json.loads(place.read_bytes())]
    chosen = next((one for one in found if one.id == proposal), None)
    if chosen is None:
        raise OutputRefusal(
            f"Request {request} has no proposal of that name",
            next_step=f"Choose from: {', '.join(one.id for one in found) or 'none'}",
        )
    ask = _ask(known)
    if OutputState.REQUESTED not in OUTPUT_MOVES[known.state]:
        ask = replace(ask, request="")
    form = replace(chosen.form, what=chosen.what) if chosen.form != Form() else chosen.form  # withheld as asked for
    return requests.request(store, run, ask=ask, folder=folder, form=form)


def _own(store: Store, request: str, *, actor: str) -> OutputRequest:
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    if known.person != actor:
        raise OutputRefusal(f"Request {request} is not {actor}'s", next_step="Ask its author to choose a form")
    if known.brought:
        raise OutputRefusal(
            f"Request {request} is about files, which the service did not make",
            next_step="Ask for the results of queries",
        )
    return known


def _ask(known: OutputRequest) -> Ask:
    return Ask(known.project, known.person, known.queries, known.title, known.purpose, known.id)
