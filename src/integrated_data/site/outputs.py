"""Output control on the analyst's side: the service runs a request's queries for its author, through the gate."""

from pathlib import Path

import pyarrow as pa

from integrated_data.access.gateway import Question
from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.model.estimate import Fit
from integrated_data.model.output import Ask, CheckReport, OutputRequest
from integrated_data.output import release as releasing
from integrated_data.output import request as requests
from integrated_data.output.check import Run
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.places import Places


def runner(site: AnalysisSite, project: str, *, person: str) -> Run:
    """Runs one SELECT for a person of a project, as they could: decided, checked, sandboxed, logged."""

    def run(sql: str, fit: Fit | None = None, /) -> pa.Table:
        return site.gateway.query(Question(person, project, sql, fit))

    return run


def ask(site: AnalysisSite, asked: Ask) -> OutputRequest:
    """Ask for the results of queries to leave."""
    run = runner(site, asked.project, person=asked.person)
    return requests.request(site.store, run, ask=asked, folder=site.places.outputs)


def check(site: AnalysisSite, request: str, *, actor: str) -> CheckReport:
    """Check a request; its queries run as its author's."""
    with site.store.read() as connection:
        known = outputs.get_request(connection, request)
    run = runner(site, known.project, person=known.person)
    with open_ledger(site.places) as ledger:
        return requests.check(site.store, run, request=request, actor=actor, folder=site.places.outputs, ledger=ledger)


def release(places: Places, store: Store, *, request: str, actor: str) -> Path:
    """Release a request that may leave; returns the folder of its files."""
    with open_ledger(places) as ledger:
        return releasing.release(store, request=request, actor=actor, folder=places.outputs, ledger=ledger)
