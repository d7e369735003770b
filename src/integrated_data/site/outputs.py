"""Output control on the analyst's side: the service runs a request's queries for its author, through the gate.

Files that people bring are looked at instead, and kept as evidence where they are refused.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.access.asked import Question
from integrated_data.control import outputs, queries
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal, Refusal
from integrated_data.model.estimate import Fit
from integrated_data.model.event import Event
from integrated_data.model.output import Ask, CheckReport, OutputRequest, Review
from integrated_data.model.proposal import Proposal
from integrated_data.output import alternatives, sample
from integrated_data.output import bring as bringing
from integrated_data.output import release as releasing
from integrated_data.output import request as requests
from integrated_data.output import review as reviewing
from integrated_data.output.brought import evidence
from integrated_data.output.brought.look import look
from integrated_data.output.check import Run
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.places import Places
from integrated_data.site.service_keys import service_key
from integrated_data.site.tau_argus import tau_argus
from integrated_data.site.verifying import crate


def runner(site: AnalysisSite, project: str, *, person: str, asked: Sequence[str]) -> Run:
    """Runs one SELECT for a person of a project, as they could: decided, checked, sandboxed, logged.

    As at the day that the queries `asked` were asked as at; refuses those of several days together.
    """

    @cache
    def as_at() -> str:  # asked when something is run: by then it is checked that the queries may be asked for
        with site.store.read() as connection:
            days = {str(queries.get(connection, query)["body"].get("as_at", "")) for query in asked}
        if len(days) > 1:
            raise OutputRefusal("Queries as at several days do not leave together", next_step="Ask for each by itself")
        return next(iter(days), "")

    def run(sql: str, fit: Fit | None = None, /) -> pa.Table:
        return site.gateway.query(Question(person, project, sql, fit, as_at()))

    return run


def ask(site: AnalysisSite, asked: Ask) -> OutputRequest:
    """Ask for the results of queries to leave, or for files made from them; what is refused is kept on record."""
    run = runner(site, asked.project, person=asked.person, asked=asked.queries)
    try:
        if asked.brought:
            site.gateway.tables(asked.person, asked.project)  # refuses who may not work in the project now
            return bringing.bring(site.store, ask=asked, folder=site.places.outputs)
        return requests.request(site.store, run, ask=asked, folder=site.places.outputs)
    except Refusal as refusal:
        _keep_refused(site, asked, refusal=refusal)
        raise


def check(site: AnalysisSite, request: str, *, actor: str) -> CheckReport:
    """Check a request; its queries run as its author's, files that were brought are looked at."""
    with site.store.read() as connection:
        known = outputs.get_request(connection, request)
    if known.brought:
        return bringing.check(site.store, request_id=request, actor=actor, folder=site.places.outputs)
    run = _runner_of(site, request)
    with open_ledger(site.places) as ledger:
        return requests.check(site.store, run, request=request, actor=actor, folder=site.places.outputs, ledger=ledger)


def propose(site: AnalysisSite, request: str, *, actor: str) -> tuple[Proposal, ...]:
    """Ways of making a request safe, least loss first; its queries run as its author's."""
    run, folder = _runner_of(site, request), site.places.outputs
    optimiser = tau_argus(site.places.scratch)
    return alternatives.alternatives(site.store, run, request=request, actor=actor, folder=folder, optimiser=optimiser)


def accept(site: AnalysisSite, request: str, *, proposal: str, actor: str) -> OutputRequest:
    """Ask for a request again in the form of a proposal."""
    run, folder = _runner_of(site, request), site.places.outputs
    return alternatives.accept(site.store, run, request=request, proposal=proposal, actor=actor, folder=folder)


def _runner_of(site: AnalysisSite, request: str) -> Run:
    with site.store.read() as connection:
        known = outputs.get_request(connection, request)
    return runner(site, known.project, person=known.person, asked=known.queries)


def refused_file(places: Places, store: Store, *, sha256: str, actor: str) -> bytes:
    """A file that was refused, by its hash, for an auditor; who looked is on record."""
    content = evidence.read(places.outputs, sha256, key=service_key(places, "evidence"))
    store.record(Event("output.evidence_seen", actor, f"file/{sha256}"))
    return content


def _keep_refused(site: AnalysisSite, asked: Ask, *, refusal: Refusal) -> None:
    """Write a refused request down, and seal the files that it brought."""
    facts: dict[str, Any] = {"project": asked.project, "queries": list(asked.queries), "reason": refusal.what}
    if asked.brought:
        contents = [brought.content for brought in asked.brought]
        kept = evidence.keep(site.places.outputs, contents, key=service_key(site.places, "evidence"))
        found = [look(brought.name, brought.content) for brought in asked.brought]
        facts["files"] = [
            {"sha256": sha256, "kind": one.suffix, "rules": one.rules} for sha256, one in zip(kept, found, strict=True)
        ]
    site.store.record(Event("output.request_refused", asked.person, f"project/{asked.project}", facts))


def read(places: Places, store: Store, *, request: OutputRequest, actor: str) -> dict[str, bytes]:
    """What would leave, for somebody who reads it; files that are not those that were checked stop the request."""
    return releasing.unchanged(store, request, folder=places.outputs, actor=actor)


def review(places: Places, store: Store, *, cast: Review) -> OutputRequest:
    """Vote on a request; where it shows an error of the automatic lane, the release is revoked and the lane stops."""
    known = reviewing.review(
        store, request=cast.request, reviewer=cast.reviewer, vote=cast.vote, sha256=cast.sha256, reason=cast.reason
    )
    sample.settle(store, folder=places.outputs)
    return known


def release(places: Places, store: Store, *, request: str, actor: str) -> Path:
    """Release a request that may leave; returns the folder of its files. Its signed archive is made beside them."""
    with open_ledger(places) as ledger:
        place = releasing.release(store, request=request, actor=actor, folder=places.outputs, ledger=ledger)
        sample.take(store, ledger, folder=places.outputs)
    crate(places, store, request=request)
    return place
