"""Editions on the analyst's side: a definition's queries run for its author, as every query and request of theirs.

    queries → request → runs over other sets of links → edition → check → release

The gate decides as it would for the author; what it refuses is an edition that was refused, with the reason,
and is not tried again until there are other data. A job holds a lease for each set of releases, so that two
processes do not publish one edition twice.
"""

from collections.abc import Mapping
from typing import Any

from integrated_data.access import sensitivity as links
from integrated_data.access.asked import Question
from integrated_data.control import bodies, editions, holding, jobs
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Definition, Edition
from integrated_data.model.errors import Refusal
from integrated_data.model.event import Event
from integrated_data.model.output import Ask, Lane
from integrated_data.output import definition as defining
from integrated_data.output import editions as edited
from integrated_data.output import quality, request, requested
from integrated_data.site import outputs
from integrated_data.site.analysis import AnalysisSite

#: Runs over other sets of links behind each range.
DRAWS = 20


def rerun(site: AnalysisSite, name: str, *, by: str) -> dict[str, Any]:
    """Make the next edition of an approved definition; returns its row, with what became of it and why."""
    with site.store.read() as connection:
        known = editions.definition(connection, name)
    defining.check_approved(known)
    releases = edited.releases_of(site.store, known)
    job = f"edition/{name}/{bodies.digest(releases)[:16]}"
    with holding.held(site.store, holding.Work(job, "edition", f"definition/{name}", by)):
        try:
            made = _ask(site, known, releases=releases, by=by)
            if made.request:
                _publish(site, made, by=by)
        except BaseException:
            _finish(site.store, job, name=name, by=by, state="failed")
            raise
        _finish(site.store, job, name=name, by=by, state="done")
    return edited.rows(site.store, name)[-1]


def rerun_due(site: AnalysisSite, *, by: str) -> list[dict[str, Any]]:
    """Rerun every definition whose data have another release; returns the row of each edition."""
    return [rerun(site, known.name, by=by) for known in edited.due(site.store)]


def _ask(site: AnalysisSite, known: Definition, *, releases: Mapping[str, int], by: str) -> Edition:
    """Run the queries and ask for their results; a refusal is an edition without a request."""
    now = site.store.now()
    try:
        answers = [site.gateway.ask(Question(known.person, known.project, sql)) for sql in known.queries]
        for answer in answers:
            if answer.refusal is not None:
                raise answer.refusal
        ids = tuple(answer.query for answer in answers)
        wanted = Ask(known.project, known.person, ids, known.words.title, f"An edition of {known.name}")
        asked = outputs.ask(site, wanted)
        runs = {"unseen": links.UNSEEN, "tables": [_runs(site, known, sql=sql) for sql in known.queries]}
    except Refusal as refusal:
        return editions.put_edition(site.store, Edition(known.name, 0, "", releases, now, str(refusal)), by=by)
    kept = quality.keep(requested.place(site.places.outputs, asked.id), runs)
    return editions.put_edition(site.store, Edition(known.name, 0, asked.id, releases, now, "", kept), by=by)


def _runs(site: AnalysisSite, known: Definition, *, sql: str) -> dict[str, Any]:
    """One query over other sets of links: its cells with their intervals, or why there are none."""
    shape = request.proven(site.store, sql, project=known.project)
    if shape is None:
        return {"reason": "the shape of the query is not proven", "cells": []}
    how = links.Runs(thresholds=(), draws=DRAWS, measures=quality.figures(shape))
    try:
        found = links.sensitivity(site.gateway, Question(known.person, known.project, shape.result), runs=how)
    except Refusal as refusal:
        return {"reason": refusal.what, "cells": []}
    if found.table is None:
        return {"reason": "the query was refused", "cells": []}
    return {"reason": "", "cells": quality.ranges(found.table.to_pylist(), shape)}


def _publish(site: AnalysisSite, made: Edition, *, by: str) -> None:
    """Check an edition, and release it where it may leave at once; else people decide."""
    try:
        report = outputs.check(site, made.request, actor=by)
        if report.lane is Lane.AUTOMATIC:
            outputs.release(site.places, site.store, request=made.request, actor=by)
    except Refusal as refusal:
        editions.note_reason(site.store, made, reason=str(refusal), by=by)


def _finish(store: Store, job: str, *, name: str, by: str, state: str) -> None:
    event = Event(f"job.{state}", by, f"definition/{name}", {"job": job})
    with store.change(event) as change:
        jobs.finish(change, job, state=state)
