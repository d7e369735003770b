"""Editions: what became of each run of a definition, what is due, and what is published of one.

An edition is a request like any other, and passes the same check; beside the files of every release it
brings the published forms (`formats/`), the quality of its links, and what it revises.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integrated_data.control import editions, grants, outputs, projects, queries
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Definition, DefinitionState, Edition, EditionState
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Lane, Outcome, OutputRequest, OutputState, ReleaseLimits, Role
from integrated_data.output import quality, requested
from integrated_data.output.check import Checked
from integrated_data.output.definition import check_approved
from integrated_data.output.derived import text_of
from integrated_data.output.formats import writing
from integrated_data.output.formats.publication import Grid, Publication, Sheet, sheet
from integrated_data.output.lane import for_reviewers
from integrated_data.output.table import to_csv

#: States of a request that wait for somebody.
WAITING = (
    OutputState.REQUESTED, OutputState.RELEASABLE, OutputState.IN_REVIEW, OutputState.APPROVED, OutputState.RETURNED,
)  # fmt: skip


def due(store: Store) -> list[Definition]:
    """Approved definitions whose data have another release than their last edition is about."""
    with store.read() as connection:
        approved = [d for d in editions.definitions(connection) if d.state is DefinitionState.APPROVED]
        last = {d.name: editions.of_definition(connection, d.name)[-1:] for d in approved}
    return [d for d in approved if not last[d.name] or dict(last[d.name][0].releases) != releases_of(store, d)]


def releases_of(store: Store, definition: Definition) -> dict[str, int]:
    """The releases that the project's copies of the definition's datasets are made from."""
    with store.read() as connection:
        read = outputs.get_request(connection, definition.request).datasets
        return {
            g.dataset: g.release for g in grants.active(connection, project=definition.project) if g.dataset in read
        }


def state_of(request: OutputRequest | None, *, later: Sequence[OutputRequest]) -> EditionState:
    """What became of an edition that is this request (None: refused before). `later`: those of the editions after."""
    if request is None or request.state in (OutputState.REFUSED, OutputState.WITHDRAWN):
        return EditionState.REFUSED
    if request.state is OutputState.REVOKED:
        return EditionState.REVOKED
    if any(r.state is OutputState.RELEASED for r in later):
        return EditionState.SUPERSEDED
    if request.state in WAITING:
        return EditionState.WAITING
    return EditionState.CURRENT


def rows(store: Store, name: str) -> list[dict[str, Any]]:
    """One row an edition, oldest first: what became of it, and why."""
    with store.read() as connection:
        editions.definition(connection, name)
        found = editions.of_definition(connection, name)
        asked = {e.number: outputs.get_request(connection, e.request) for e in found if e.request}
    told = []
    for edition in found:
        request = asked.get(edition.number)
        later = [r for number, r in asked.items() if number > edition.number]
        told.append(
            {
                "definition": name, "edition": edition.number, "state": state_of(request, later=later).value,
                "request": edition.request, "of_request": request.state.value.replace("_", " ") if request else "",
                "why": edition.reason or _why(request), "releases": dict(edition.releases),
                "at": edition.at.isoformat(timespec="seconds"),
            }
        )  # fmt: skip
    return told


def _why(request: OutputRequest | None) -> str:
    """Why it did not leave at once, as reviewers may know it."""
    if request is None or request.lane in (None, Lane.AUTOMATIC):
        return ""
    return "; ".join(f.reason for f in for_reviewers(request.findings) if f.outcome in (Outcome.REVIEW, Outcome.REFUSE))


def files(
    made: Mapping[str, bytes],
    *,
    store: Store,
    request: OutputRequest,
    tables: Sequence[Checked],
    limits: ReleaseLimits,
    folder: Path,
) -> dict[str, bytes]:
    """The published forms of a request that is an edition; none for any other. `made`: the files of its release."""
    with store.read() as connection:
        edition = editions.of_request(connection, request.id)
        if edition is None:
            return {}
        definition = editions.definition(connection, edition.definition)
        organisation = projects.get_project(connection, request.project).organisation
        texts = tuple(text_of(queries.get(connection, query)["body"], query=query) for query in request.queries)
    check_approved(definition)
    if (texts, request.title) != (definition.queries, definition.words.title):
        raise OutputRefusal(
            f"Request {request.id} is no edition of {definition.name} any more",
            why="Its queries or its title are others than those that were approved",
            next_step="Ask for them in a request of their own",
        )
    earlier = _earlier(store, edition)
    sheets = tuple(
        _sheet(checked, definition, limits=limits, number=n, made=made) for n, checked in enumerate(tables, start=1)
    )
    words = definition.words
    facts = [
        ("Published by", organisation), ("Edition", str(edition.number)),
        ("Made on", edition.at.date().isoformat()), ("Output", f"{request.id} of project {request.project}"),
        ("Made from", ", ".join(request.datasets)), ("Contact", words.contact),
        ("Earlier edition", f"Edition {earlier.number}, which this one supersedes" if earlier else ""),
    ]  # fmt: skip
    publication = Publication(
        definition.name, words.title, words.summary, tuple((n, text) for n, text in facts if text), sheets,
        words.footnotes,
        quality.statement(store, edition, tables=tables, place=requested.place(folder, request.id)),
        _revisions(tables, earlier, limits=limits, folder=folder),
    )  # fmt: skip
    return writing.write(publication, beside=(*sorted(made), "README.txt", "record.json"))


def _sheet(
    checked: Checked, definition: Definition, *, limits: ReleaseLimits, number: int, made: Mapping[str, bytes]
) -> Sheet:
    words = definition.words.tables[number - 1]
    mark = "" if number == 1 else f"-{number}"
    drawn = made.get(f"chart{mark}.vl.json") if words.chart else None
    told = json.loads(drawn)["description"] if drawn else ""
    svg = made.get(f"chart{mark}.svg", b"") if drawn else b""
    return sheet(
        checked.table, withheld=checked.withheld, limits=limits, title=words.title, headings=words.headings,
        drawing=(told, svg),
    )  # fmt: skip


def _earlier(store: Store, edition: Edition) -> Edition | None:
    """The newest edition before this one whose release is in force."""
    with store.read() as connection:
        before = [e for e in editions.of_definition(connection, edition.definition) if e.number < edition.number]
        in_force = [
            e for e in before if e.request
            and outputs.get_request(connection, e.request).state is OutputState.RELEASED
        ]  # fmt: skip
    return in_force[-1] if in_force else None


def _revisions(tables: Sequence[Checked], earlier: Edition | None, *, limits: ReleaseLimits, folder: Path) -> Grid:
    """Every figure that the earlier edition gave otherwise, from the two tables as they were released."""
    headings = ("Table", "Cell", "Figure", "Earlier", "Now")
    found: list[tuple[str | int | float, ...]] = []
    for number, checked in enumerate(tables, start=1):
        keys = len(checked.table.names(Role.KEY))
        file = f"table{'' if number == 1 else f'-{number}'}.csv"
        place = folder / "released" / earlier.request / file if earlier else None
        if not keys or place is None or not place.is_file():
            continue
        now = to_csv(checked.table, withheld=checked.withheld, limits=limits)
        found += [(number, *told) for told in changed(place.read_bytes(), now, checked=checked)]
    title = f"Figures that differ from edition {earlier.number}" if earlier else ""
    return Grid(title, headings, tuple(found))


def changed(before: bytes, now: bytes, *, checked: Checked) -> list[tuple[str, str, str, str]]:
    """Cell, figure, earlier and present value of what differs between two released tables, as text."""
    keys, figures = checked.table.names(Role.KEY), checked.table.names(Role.FIGURE)
    old = {tuple(r.get(k, "") for k in keys): r for r in _read(before)}
    new = {tuple(r.get(k, "") for k in keys): r for r in _read(now)}
    told = []
    for cell in dict.fromkeys([*new, *old]):
        for name in figures:
            was, is_now = (rows_of.get(cell, {}).get(name, "not listed") for rows_of in (old, new))
            if was != is_now:
                told.append((", ".join(cell), name, was, is_now))
    return told


def _read(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode(), newline="")))
