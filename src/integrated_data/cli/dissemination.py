"""Outputs that are published anew from each release of their data: define, approve, rerun, end."""

from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.checker import RequestId, output
from integrated_data.cli.opened import opened_analysis, opened_store
from integrated_data.control import editions, projects
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Definition

Name = Annotated[str, typer.Argument(metavar="NAME", help="The definition's name.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of definitions to those of `ids output`, which `app` has already."""
    assert any(group.typer_instance is output for group in app.registered_groups)
    for command in (define, definitions, approve, rerun, end):
        output.command()(taking(command))


def define(
    request_id: RequestId,
    name: Name,
    *,
    words: Annotated[
        Path | None, typer.Option(help="YAML: title, summary, footnotes, contact, a title and headings for each table.")
    ] = None,
    call: Call,
) -> None:
    """Define an output from a released request, to be published anew from each release of its data."""
    from integrated_data.output import definition as defining

    read = defining.read_words(files.text_of(words)) if words is not None else None
    with opened_store(call.home) as (_, store):
        made = defining.define(store, request=request_id, name=name, words=read, by=call.actor)
    _show(made, call=call)


def definitions(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One definition, with its editions.")] = None,
    *,
    call: Call,
) -> None:
    """List definitions; with a name, show what is approved with it, and what became of its editions."""
    from integrated_data.output import editions as edited

    call.acting.check_known()
    with opened_store(call.home) as (_, store):
        if name is None:
            with store.read() as connection:
                known = editions.definitions(connection)
            seen = [d for d in known if _sees(store, d, call=call)]
            shown.table([_row(d) for d in seen], title="Definitions", json_out=call.json)
            return
        found = _check_sees(store, name, call=call)
        rows = edited.rows(store, name)
    if call.json:
        shown.document(_document(found) | {"editions": rows})
        return
    _show(found, call=call)
    shown.table(rows, title="Editions")


def approve(
    name: Name,
    *,
    sha256: Annotated[str, typer.Option(help="The hash of what was read, as `definitions` gives it.")],
    call: Call,
) -> None:
    """Approve a definition, as an output checker who has read it and is not on its project's team."""
    from integrated_data.output import definition as defining

    with opened_store(call.home) as (_, store):
        made = defining.approve(store, name=name, sha256=sha256, by=call.actor)
    shown.facts(_row(made), title="Approved", json_out=call.json)


def rerun(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One definition; what is due when left out.")
    ] = None,
    *,
    call: Call,
) -> None:
    """Make the next edition of a definition: its queries run, checked, and released where they may leave at once."""
    from integrated_data.output import editions as edited
    from integrated_data.site import disseminating

    with opened_analysis(call.home) as site:
        if name is not None:
            _check_sees(site.store, name, call=call)
            rows = [disseminating.rerun(site, name, by=call.actor)]
        else:
            due = [d.name for d in edited.due(site.store) if _sees(site.store, d, call=call)]
            rows = [disseminating.rerun(site, one, by=call.actor) for one in due]
    shown.table(rows, title="Editions", json_out=call.json)


def end(name: Name, reason: Annotated[str, typer.Option(help="Why; kept with it.")], *, call: Call) -> None:
    """Publish a definition no more; what has been published stays."""
    from integrated_data.output import definition as defining

    with opened_store(call.home) as (_, store):
        made = defining.end(store, name=name, reason=reason, by=call.actor)
    shown.facts(_row(made), title="Ended", json_out=call.json)


def _check_sees(store: Store, name: str, *, call: Call) -> Definition:
    """The definition; refuses somebody who is not on its project's team, and neither output checker nor auditor."""
    from integrated_data.site.lanes import SEE_ALL

    with store.read() as connection:
        known = editions.definition(connection, name)
        team = projects.get_project(connection, known.project).team
    call.acting.check_team(team, others=SEE_ALL)
    return known


def _sees(store: Store, known: Definition, *, call: Call) -> bool:
    from integrated_data.site.lanes import SEE_ALL

    with store.read() as connection:
        team = projects.get_project(connection, known.project).team
    return call.acting.sees(team, others=SEE_ALL)


def _show(made: Definition, *, call: Call) -> None:
    from integrated_data.output import definition as defining

    if call.json:
        shown.document(_document(made))
        return
    shown.plain(defining.as_yaml(made))


def _row(made: Definition) -> dict[str, Any]:
    return {
        "name": made.name, "project": made.project, "author": made.person, "state": made.state.value,
        "title": made.words.title, "queries": len(made.queries), "request": made.request, "sha256": made.sha256,
        "approved_by": made.approved_by,
    }  # fmt: skip


def _document(made: Definition) -> dict[str, Any]:
    from integrated_data.control import bodies

    document: dict[str, Any] = bodies.write(made)
    return document
