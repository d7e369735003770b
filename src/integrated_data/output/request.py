"""Asking for results to leave, and checking what was asked for.

A request names queries of the project's log. The service runs them again, so that what leaves is
computed and not claimed; a proven query is run from its tree.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import pyarrow as pa

from integrated_data.control import grants, lanes, outputs, queries
from integrated_data.control.store import Store
from integrated_data.model.access import QueryState
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.estimate import Estimate, Fit, of_told
from integrated_data.model.output import (
    UNITS,
    Ask,
    CheckReport,
    Finding,
    Lane,
    Outcome,
    OutputRequest,
    OutputState,
    Release,
    ReleaseLimits,
    Signature,
    View,
)
from integrated_data.model.proposal import ACCEPTED, Form
from integrated_data.model.twins import TWINS
from integrated_data.output import derived, earlier, editions, lane, package, requested, states, wording
from integrated_data.output.check import Checked, Run, check_table, shape_of
from integrated_data.output.compared import Left, compare
from integrated_data.output.ledger import Ledger
from integrated_data.output.limits import agreed, held_to
from integrated_data.output.linked import Rounding, hidden_by, protect
from integrated_data.output.modelled import check_model, runnable
from integrated_data.output.requested import Asked, as_json
from integrated_data.output.shape import Shape
from integrated_data.output.table import to_csv
from integrated_data.output.told import told
from integrated_data.output.tree import Unproven, tables

#: Queries in one request, and cells of one result.
MOST, MOST_CELLS = 20, 100_000


def request(store: Store, run: Run, *, ask: Ask, folder: Path, form: Form | None = None) -> OutputRequest:
    """Ask for the results of queries to leave. `run` runs one SELECT for the project's author.

    `folder` is the outputs folder. A changed request (`ask.request`) keeps its id and loses its votes.
    `form`: a proposal's, in which they are to leave instead.
    """
    form = form or Form()
    wording.check_ask(ask.title, ask.purpose)
    if not 1 <= len(ask.queries) <= MOST:
        raise OutputRefusal(f"A request is about 1 to {MOST} queries", next_step="Split it up")
    with store.read() as connection:
        views = views_of(store, ask.project)
        known = outputs.get_request(connection, ask.request) if ask.request else None
    if known is not None:
        check_author(known, ask)
        states.check_move(known.id, known.state, to=OutputState.REQUESTED)
    number = known.id if known is not None else f"O-{secrets.token_hex(6)}"
    results = results_of(store, run, ask=ask, form=form, views=views)
    sha256 = requested.keep(requested.place(folder, number), results)
    read = sorted({table for one in results for table in datasets_of(one.sql, store, project=ask.project)})
    check_may_leave(store, tuple(read))
    outputs.put_request(store, number, ask=ask, sha256=sha256, datasets=read)
    with store.read() as connection:
        return outputs.get_request(connection, number)


def check(store: Store, run: Run, *, request: str, actor: str, folder: Path, ledger: Ledger) -> CheckReport:
    """Check a request: rules, protection, comparison with what has left; decides its lane.

    Writes the package that would leave beside the request, and the evidence, which never leaves.
    """
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        gone = tuple(release for release, _ in outputs.left(connection))
    states.check_move(request, known.state, to=OutputState.RELEASABLE)
    views, limits = views_of(store, known.project), held_to(store, known.datasets, project=known.project)
    place = requested.place(folder, request)
    asked = requested.asked(place, known.sha256)
    rounded = Rounding(asked[0].form.rounding, asked[0].form.additive) if asked[0].form.rounding else None
    tables_asked = [check_asked(one, views=views, run=run, limits=limits) for one in asked]
    checked = protect(tables_asked, limits, run=run, rounded=rounded, hidden=hidden_by(asked[0].form))
    signatures = tuple(_signature(c, limits, datasets=known.datasets) for c in checked)
    left, signed = left_of(store, gone, known=known), tuple(zip(checked, signatures, strict=True))
    met = compare(ledger, known.project, request=request, tables=signed, place=place, left=left)
    remembered = ledger.requests() if not met.unnumbered else frozenset()
    found = earlier.similar(signatures, known.project, request=request, releases=gone, remembered=remembered)
    findings = _findings(
        checked, *_changed(asked[0].form), *wording.of_title(known.title), earlier.within(signatures),
        earlier.finding(found), earlier.rounded(signatures, request=request, releases=gone),
        *met.findings(known.project, left, request=request),
    )  # fmt: skip
    if lane_of(findings) is Lane.AUTOMATIC:
        findings += (*against_lane(store, known), *_first(store, known, ledger=ledger))
    way = lane_of(findings)
    files: dict[str, bytes] = {}
    if way is not Lane.REFUSED:
        texts = [
            told(one.sql, views, headings=(c.name for c in t.table.columns))
            for one, t in zip(asked, checked, strict=True)
        ]
        beside = partial(editions.files, store=store, request=known, tables=checked, limits=limits, folder=folder)
        files = package.build(
            known, tuple(zip(texts, checked, strict=True)), limits=limits, findings=findings, compared=len(met.seen),
            beside=beside,
        )  # fmt: skip
        requested.put_package(place, files)
    requested.put(
        place / "evidence.json", json.dumps([_evidence(c) for c in checked], default=vars).encode(), lasting=False
    )
    requested.put(place / "compared.json", as_json(met.told()), lasting=False)
    requested.settle(place)
    report = CheckReport(
        request, way, findings, cells=sum(len(c.table.rows) for c in checked),
        withheld=sum(len(c.withheld) for c in checked),
        sha256=requested.digest(files) if files else known.sha256,
        files=tuple(sorted(files)), signatures=signatures, similar=found, seen=met.seen,
    )  # fmt: skip
    outputs.put_check(store, report, actor=actor, asked=known.sha256)
    return report


def withdraw(store: Store, *, request: str, actor: str) -> None:
    """Take one's own request back before it is released."""
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    if known.person != actor:
        raise OutputRefusal(f"Request {request} is not {actor}'s", next_step="Ask its author to take it back")
    states.check_move(request, known.state, to=OutputState.WITHDRAWN)
    outputs.withdraw(store, request, actor=actor)


def check_may_leave(store: Store, datasets: tuple[str, ...]) -> None:
    """Refuse where an agreement or licence of these datasets, or of their origins, allows no derived products."""
    for agreement in agreed(store, datasets):
        licence = agreement.licence
        if not agreement.conditions.derived_products or (licence is not None and not licence.derived_products):
            raise OutputRefusal(
                f"Nothing made from dataset {agreement.dataset} may leave the service",
                why=f"Agreement {agreement.id} allows no derived products",
                next_step=f"Ask {agreement.owner} to allow them",
            )


def against_lane(store: Store, known: OutputRequest) -> tuple[Finding, ...]:
    """Why the automatic lane does not take a request now; nothing where it does."""
    return tuple(lane.against(store, known.datasets, agreed=agreed(store, known.datasets)))


def proven(store: Store, sql: str, *, project: str) -> Shape | None:
    """The proven shape of a query over a project's views, or None."""
    try:
        return shape_of(sql, views_of(store, project))
    except Unproven:
        return None


def left_of(store: Store, releases: Sequence[Release], *, known: OutputRequest) -> Left:
    """What has left, with the fewest people that a request's difference from each may be about."""

    @cache
    def fewest(datasets: tuple[str, ...]) -> int:
        return held_to(store, datasets, project=known.project).minimum_people

    with_each = {r.request: fewest(tuple(sorted({*known.datasets, *r.datasets}))) for r in releases}
    return Left(tuple(releases), fewest(known.datasets), with_each)


def lane_of(findings: tuple[Finding, ...]) -> Lane:
    """The lane that findings lead to: one refusal refuses, one doubt asks people."""
    outcomes = {f.outcome for f in findings}
    if Outcome.REFUSE in outcomes:
        return Lane.REFUSED
    return Lane.REVIEW if Outcome.REVIEW in outcomes else Lane.AUTOMATIC


def _first(store: Store, known: OutputRequest, *, ledger: Ledger) -> list[Finding]:
    """What sends a drawn request to people first: so one without a doubt is nothing special to reviewers."""
    with store.read() as connection:
        rule = lanes.rule(connection).rule
    return lane.first(rule, ledger.draw(f"first/{known.id}/{known.sha256}"))


def texts(store: Store, ask: Ask) -> Mapping[str, str]:
    """Text of each query; refuses one that is not the project's or did not finish, and all over synthetic twins."""
    if ask.project == TWINS:
        raise OutputRefusal(
            "Nothing made from synthetic twins can be asked to leave as a result",
            why="It is about nobody: it needs no release, and would be taken for what it is not",
            next_step="Run the same SQL in an approved project and ask for that",
        )
    found = {}
    with store.read() as connection:
        for query in ask.queries:
            row = queries.get(connection, query)
            if row["project"] != ask.project:
                raise OutputRefusal(f"Query {query} is not of project {ask.project}", next_step="Name its own queries")
            if row["state"] != QueryState.DONE.value:
                raise OutputRefusal(f"Query {query} has no result", next_step="Run it again until it is done")
            found[query] = derived.text_of(row["body"], query=query)
    return found


def results_of(store: Store, run: Run, *, ask: Ask, form: Form, views: Mapping[str, View]) -> tuple[Asked, ...]:
    """The queries of a request with their results, in the form in which they are to leave."""
    with store.read() as connection:
        bodies = {query: queries.get(connection, query)["body"] for query in ask.queries}
    models = {query: of_told(body["estimate"]) for query, body in bodies.items() if "estimate" in body}
    asked = {query: form.sql.get(query, sql) for query, sql in texts(store, ask).items()}
    return tuple(
        Asked(query, sql, _result(run, sql, views=views, model=models.get(query)), models.get(query), form)
        for query, sql in asked.items()
    )


def views_of(store: Store, project: str) -> dict[str, View]:
    """The views of a project as the check knows them."""
    with store.read() as connection:
        held = grants.active(connection, project=project)
    return {
        g.view: View(g.columns, next((unit for unit in UNITS if unit in g.columns), None), rows=g.rows) for g in held
    }


def datasets_of(sql: str, store: Store, *, project: str) -> list[str]:
    """Datasets that a query reads; every one of the project where that cannot be told."""
    with store.read() as connection:
        held = {g.view.lower(): g.dataset for g in grants.active(connection, project=project)}
    try:
        return sorted({held[table] for table in tables(sql) if table in held})
    except Unproven:
        return sorted(held.values())


def check_asked(asked: Asked, *, views: Mapping[str, View], run: Run, limits: ReleaseLimits) -> Checked:
    """Check one table of a request by itself."""
    if asked.estimate is not None:
        return check_model(asked, views=views, run=run, limits=limits)
    return check_table(asked.query, asked.sql, result=asked.result, views=views, run=run, limits=limits)


def _result(run: Run, sql: str, *, views: Mapping[str, View], model: Estimate | None) -> pa.Table:
    shown = _runnable(sql, views, model=model)
    result = run(shown) if model is None else run(shown, Fit(model))
    if result.num_rows * result.num_columns > MOST_CELLS:
        raise OutputRefusal(
            f"The result of a query has more than {MOST_CELLS:,} cells",
            why="An output is a table that people can read, not a data set",
            next_step="Group it more coarsely, or ask for less",
        )
    return result


def _runnable(sql: str, views: Mapping[str, View], *, model: Estimate | None) -> str:
    try:
        return shape_of(sql, views).result if model is None else runnable(sql, model, views=views)
    except Unproven:
        return sql


def _changed(form: Form) -> tuple[Finding, ...]:
    return (Finding(ACCEPTED, Outcome.NOTE, form.what),) if form.what else ()


def check_author(known: OutputRequest, ask: Ask) -> None:
    """Refuse to change somebody else's request, or one of another project."""
    if (known.person, known.project) != (ask.person, ask.project):
        raise OutputRefusal(
            f"Request {known.id} is not {ask.person}'s in project {ask.project}",
            next_step="Make a new request",
        )


def _findings(checked: list[Checked], *compared: Finding | None) -> tuple[Finding, ...]:
    """Findings of all tables, those that say the same counted together, and of the comparisons."""
    together: dict[tuple[str, Outcome, str], int] = {}
    for finding in [f for c in checked for f in c.findings]:
        key = (finding.rule, finding.outcome, finding.reason)
        together[key] = together.get(key, 0) + finding.cells
    findings = [Finding(*key, cells) for key, cells in together.items()]
    return (*findings, *(f for f in compared if f is not None))


def recheck(store: Store, run: Run, *, query: str) -> Checked:
    """Run a logged query again and prove its shape; without its rules, for what it shows has left already."""
    with store.read() as connection:
        row = queries.get(connection, query)
    if row["state"] != QueryState.DONE.value:
        raise OutputRefusal(f"Query {query} has no result", next_step="Run it again until it is done")
    project, sql = str(row["project"]), derived.text_of(row["body"], query=query)
    views = views_of(store, project)
    result = _result(run, sql, views=views, model=None)
    return check_table(query, sql, result=result, views=views, run=run, limits=held_to(store, (), project=project))


def _signature(checked: Checked, limits: ReleaseLimits, *, datasets: tuple[str, ...]) -> Signature:
    content = requested.digest({"": to_csv(checked.table, withheld=checked.withheld, limits=limits)})
    return signature_of(checked, datasets=datasets, content=content)


def signature_of(checked: Checked, *, datasets: tuple[str, ...], content: str) -> Signature:
    """What is remembered of a table. `content`: the digest of what was published."""
    if checked.shape is None:
        return Signature(datasets, "", (earlier.UNKNOWN,), (), content)
    shape = checked.shape
    mark = f"{earlier.ROUNDED}{checked.rounded}" if checked.rounded else ""
    words = tuple(m.words + mark for m in shape.measures)
    return Signature(datasets, shape.base, words, shape.keys, content, shape.chosen.conditions)


def _evidence(checked: Checked) -> dict[str, object]:
    """Everything known of one table's cells, for the reviewers inside."""
    broken = checked.broken or {}
    cells = [
        {
            "cell": cell, "withheld": cell in checked.withheld,
            "broken": [rule.name for rule in broken.get(cell, ())],
            "behind": [known[cell] for known in checked.evidence],
        }
        for cell in (checked.evidence[0] if checked.evidence else ())
    ]  # fmt: skip
    measures = [m.words for m in checked.shape.measures] if checked.shape else []
    keys = checked.shape.key_names if checked.shape else ()
    return {
        "query": checked.query, "proven": checked.shape is not None, "keys": keys, "measures": measures, "cells": cells,
    }  # fmt: skip
