"""What leaves: ask, check, review, release, revoke."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import lanes, shown
from integrated_data.cli.call import Call, Wished, taking
from integrated_data.cli.files import folder_to_write, to_write
from integrated_data.cli.opened import opened_analysis, opened_store
from integrated_data.control import lanes as known_lanes
from integrated_data.control import outputs, projects
from integrated_data.control.store import Store
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.output import Ask, Brought, CheckReport, OutputRequest, Review, Vote

#: Files that are printed for reviewers; others are copied to a folder.
READABLE = (".csv", ".tsv", ".txt", ".md", ".py", ".r", ".R", ".sql")

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")]

output = typer.Typer(help="Outputs: what leaves passes disclosure control.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of authors and output checkers."""
    output.add_typer(lanes.lane, name="lane")
    app.add_typer(output, name="output")


@output.command()
@taking
def request(
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="Ids of queries that were run.")],
    project: Annotated[str, typer.Option(help="The project that asks.")],
    *,
    title: Annotated[str, typer.Option(help="What the output shows.")],
    wished: Wished,
    call: Call,
) -> None:
    """Ask for results of logged queries to leave, which the service runs again itself, or for files made from them."""
    from integrated_data.site import outputs as control

    brought = tuple(Brought(file.name, _content(file, number=n)) for n, file in enumerate(wished.file or (), 1))
    with opened_analysis(call.home) as site:
        asked = Ask(project, call.actor, tuple(queries), title, wished.purpose, wished.change, brought)
        made = control.ask(site, asked)
    shown.facts(_request(made), title="Output requested", json_out=call.json)


@output.command()
@taking
def evidence(
    sha256: Annotated[str, typer.Argument(metavar="SHA256", help="The hash of a file that was refused.")],
    out: Annotated[Path, typer.Option(help="The file to write it to.")],
    *,
    call: Call,
) -> None:
    """Write down a file that was refused, for auditors; its event names its hash, and every look is on record."""
    from integrated_data.site import outputs as control

    to_write(out)
    with opened_store(call.home) as (places, store):
        content = control.refused_file(places, store, sha256=sha256, actor=call.actor)
    out.write_bytes(content)
    shown.facts({"sha256": sha256, "bytes": len(content), "written": str(out)}, json_out=call.json)


@output.command()
@taking
def check(request_id: RequestId, call: Call) -> None:
    """Check a request: the rules, protection of cells, comparison with what has left."""
    from integrated_data.site import outputs as control

    with opened_analysis(call.home) as site:
        check_sees(site.store, request_id, call=call)
        report = control.check(site, request_id, actor=call.actor)
    _show_report(report, call=call)


@output.command()
@taking
def propose(request_id: RequestId, call: Call) -> None:
    """Propose ways of making an unsafe request of yours safe: cells withheld, counts rounded, values merged."""
    from integrated_data.site import outputs as control

    with opened_analysis(call.home) as site:
        check_sees(site.store, request_id, call=call)
        found = control.propose(site, request_id, actor=call.actor)
    rows = [{k: v for k, v in vars(one).items() if k != "form"} for one in found]
    if not found and not call.json:
        shown.plain("No cell of it breaks a rule, or nothing that the service knows would make it safe.\n")
        return
    shown.table(rows, title="Proposals, least loss first; take one with: ids output accept", json_out=call.json)


@output.command()
@taking
def accept(
    request_id: RequestId,
    proposal: Annotated[str, typer.Argument(help="The proposal's id, as `propose` gives it.")],
    *,
    call: Call,
) -> None:
    """Ask for a request of yours again in a proposed form, and check it in that form."""
    from integrated_data.site import outputs as control

    with opened_analysis(call.home) as site:
        check_sees(site.store, request_id, call=call)
        made = control.accept(site, request_id, proposal=proposal, actor=call.actor)
        report = control.check(site, made.id, actor=call.actor)
    _show_report(report, call=call)


def _show_report(report: CheckReport, *, call: Call) -> None:
    facts = {
        "request": report.request, "lane": str(report.lane), "cells": report.cells, "withheld": report.withheld,
        "sha256": report.sha256, "files": list(report.files), "similar": list(report.similar),
    }  # fmt: skip
    findings = [{k: plain(v) for k, v in vars(f).items()} for f in report.findings]
    if call.json:
        shown.document(facts | {"findings": findings})
        return
    shown.facts(facts, title="Checked")
    shown.table(findings, title="Findings")


@output.command()
@taking
def rules(
    *,
    project: Annotated[str, typer.Option(help="As they hold for its datasets and itself.")] = "",
    dataset: Annotated[
        list[str] | None, typer.Option(help="As they hold for this dataset; several may be named.")
    ] = None,
    call: Call,
) -> None:
    """List every rule that outputs are held to: its threshold, who set it, the argument for it and its source."""
    from integrated_data.output import rulebook
    from integrated_data.output.limits import held_to
    from integrated_data.site import lanes as laning

    with opened_store(call.home) as (_, store):
        named = tuple(dataset or ())
        if project:
            with store.read() as connection:
                known = projects.get_project(connection, project)
            call.acting.check_team(known.team, others=laning.SEE_ALL)
            named += tuple(request.dataset for request in known.datasets)
        limits = held_to(store, named, project=project)
    found = rulebook.rule_rows(limits)
    if call.json:
        shown.document({"rules": found, "limits": rulebook.limit_rows(limits)})
        return
    shown.table(
        [{k: row[k] for k in ("rule", "outcome", "threshold", "set_by", "source")} for row in found], title="Rules"
    )
    shown.table(rulebook.limit_rows(limits), title="Limits, as agreements and projects write them")


@output.command("list")
@taking
def output_list(*, project: Annotated[str | None, typer.Option(help="Of one project.")] = None, call: Call) -> None:
    """List requests and where they stand."""
    from integrated_data.output import listing
    from integrated_data.site import lanes as laning

    call.acting.check_known()
    with opened_store(call.home) as (_, store):
        with store.read() as connection:
            known = outputs.requests(connection, project=project)
        asked = [seen.request for seen in laning.visible(store, known, acting=call.acting)]
        due = laning.due(store, asked)
    if call.json:
        shown.document([_request(r) for r in asked])
        return
    shown.table(listing.request_rows(asked, due=due), title="Output requests")


@output.command()
@taking
def show(
    request_id: RequestId,
    *,
    out: Annotated[Path | None, typer.Option(help="Copy the files to this folder, to open them.")] = None,
    call: Call,
) -> None:
    """Show what would leave, to whoever reviews it: its files, the hash to vote on, comments and clocks."""
    from integrated_data.model.output import OutputState
    from integrated_data.site import lanes as laning
    from integrated_data.site import outputs as control

    with opened_store(call.home) as (places, store):
        looking = laning.look(store, request_id, acting=call.acting)
        known, told = looking.request, laning.told(store, looking, acting=call.acting)
        kept = known.state not in (OutputState.REQUESTED, OutputState.REFUSED, OutputState.STOPPED)
        files = control.read(places, store, request=known, actor=call.actor) if kept else {}
    if out is not None:
        _copy(files, out)
    readable = {n: c.decode() for n, c in files.items() if n.endswith(READABLE) and "/" not in n}
    facts = _request(known) | {"files": sorted(files)}
    if call.json:
        shown.document(facts | told | {"contents": readable})
        return
    del facts["findings"]
    shown.facts(facts | {k: told[k] for k in ("review_due", "overdue")}, title="Would leave")
    for part in ("findings", "states", "votes", "comments", "fetched"):
        if told[part]:
            shown.table(told[part], title=part.capitalize())
    for name, content in readable.items():
        shown.plain(f"--- {name}\n{content}")


@output.command()
@taking
def comment(
    request_id: RequestId, text: Annotated[str, typer.Argument(help="What there is to say.")], *, call: Call
) -> None:
    """Say something of a request; a reviewer's words are read by others once the votes are in."""
    from integrated_data.output import review as reviewing
    from integrated_data.site import lanes as laning

    with opened_store(call.home) as (_, store):
        known = laning.look(store, request_id, acting=call.acting).request
        side = laning.side_of(store, known, acting=call.acting)
        said = reviewing.comment(store, known, person=call.actor, side=side, text=text)
    shown.facts({"request": known.id, "side": said.side.value}, title="Said", json_out=call.json)


@output.command()
@taking
def withdraw(request_id: RequestId, call: Call) -> None:
    """Take your own request back before it is released."""
    from integrated_data.output import request as requests

    with opened_store(call.home) as (_, store):
        requests.withdraw(store, request=request_id, actor=call.actor)
    shown.facts({"request": request_id, "state": "withdrawn"}, json_out=call.json)


@output.command()
@taking
def review(
    request_id: RequestId,
    vote: Annotated[str, typer.Option(help="approve, refuse or return.")],
    *,
    sha256: Annotated[str, typer.Option(help="The hash of what was read, as `show` gives it.")],
    reason: Annotated[str, typer.Option(help="Why; needed to refuse or return.")] = "",
    call: Call,
) -> None:
    """Vote on a request: two reviewers, never its author, blind to each other until both have voted."""
    from integrated_data.site import outputs as control

    if vote not in list(Vote):
        raise UsageRefusal("There is no such vote", next_step="Use --vote approve, refuse or return")
    with opened_store(call.home) as (places, store):
        cast = Review(request_id, call.actor, Vote(vote), sha256, reason, store.now())
        known = control.review(places, store, cast=cast)
    shown.facts(_request(known), title="Voted", json_out=call.json)


@output.command()
@taking
def release(
    request_id: RequestId,
    *,
    out: Annotated[Path | None, typer.Option(help="Copy the released files to this folder too.")] = None,
    call: Call,
) -> None:
    """Release a request that may leave: exactly the files that were checked or reviewed."""
    import shutil

    from integrated_data.output import release as releasing
    from integrated_data.site import outputs, verifying

    with opened_store(call.home) as (places, store):
        check_sees(store, request_id, call=call)
        folder = outputs.release(places, store, request=request_id, actor=call.actor)
        if out is not None:
            releasing.fetch(store, request=request_id, actor=call.actor, folder=places.outputs)
            shutil.copytree(folder, out, dirs_exist_ok=True)
            verifying.put_checksums(out)
            shutil.copy(verifying.crate(places, store, request=request_id), out)
    files = sorted(p.name for p in folder.iterdir())
    shown.facts({"request": request_id, "released": str(out or folder), "files": files}, json_out=call.json)


@output.command()
@taking
def fetch(
    request_id: RequestId,
    out: Annotated[Path, typer.Option(help="The folder to copy the released files to.")],
    *,
    call: Call,
) -> None:
    """Copy released files out once more; who did is on record, for the day the release is revoked."""
    from integrated_data.output import release as releasing

    with opened_store(call.home) as (places, store):
        check_sees(store, request_id, call=call)
        files = releasing.fetch(store, request=request_id, actor=call.actor, folder=places.outputs)
    _copy(files, out)
    shown.facts({"request": request_id, "copied": str(out), "files": sorted(files)}, json_out=call.json)


@output.command()
@taking
def revoke(
    request_id: RequestId, reason: Annotated[str, typer.Option(help="Why; the register says so.")], *, call: Call
) -> None:
    """Withdraw a release from use; it lists who copied it, as far as is known: that cannot be called back."""
    from integrated_data.output import release as releasing

    with opened_store(call.home) as (places, store):
        releasing.revoke(store, request=request_id, actor=call.actor, reason=reason, folder=places.outputs)
        with store.read() as connection:
            copied = sorted({who for who, _ in known_lanes.fetched(connection, request_id)})
    shown.facts({"request": request_id, "state": "revoked", "copied_by": copied}, json_out=call.json)


@output.command()
@taking
def withheld(request_id: RequestId, call: Call) -> None:
    """Show which rules hold cells of a request back, to output checkers alone; every look is on record."""
    from integrated_data.output import listing
    from integrated_data.output import review as reviewing

    with opened_store(call.home) as (places, store):
        reviewing.look_at_withheld(store, request=request_id, reviewer=call.actor)
        rows = listing.withheld_rows(places.outputs, request_id)
    for query in dict.fromkeys(row["query"] for row in rows) if not call.json else ():
        shown.table([row for row in rows if row["query"] == query], title=f"Held back of query {query}")
    if call.json or not rows:
        shown.table(rows, title="Held back", json_out=call.json)


def _copy(files: Mapping[str, bytes], out: Path) -> None:
    folder_to_write(out).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)


def _content(file: Path, *, number: int) -> bytes:
    """A file from the command line, the how manieth; refuses one that is not there, or larger than any may be."""
    from integrated_data.output.brought.look import LARGEST

    which = f"File {number}, {''.join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(file))},"
    if file.is_dir():
        raise UsageRefusal(f"{which} is a folder", next_step="Give each of its files with --file")
    try:
        if file.stat().st_size > LARGEST:
            most = f"{LARGEST // 1_000_000} MB"
            raise UsageRefusal(f"{which} is larger than {most}", next_step="Bring a table that people can read")
        return file.read_bytes()
    except FileNotFoundError:
        raise UsageRefusal(f"{which} is not there", next_step="Give files that are there") from None
    except (OSError, ValueError):
        raise UsageRefusal(f"{which} cannot be read", next_step="Give files that you may read") from None


def check_sees(store: Store, request_id: str, *, call: Call) -> OutputRequest:
    """The request; refuses somebody who is not on its project's team, and neither output checker nor auditor."""
    from integrated_data.site import lanes as laning

    return laning.look(store, request_id, acting=call.acting).request


def _request(known: Any) -> dict[str, Any]:
    return {k: plain(v) for k, v in vars(known).items()}


def plain(value: Any) -> Any:
    """A value as it is shown."""
    return (
        value
        if isinstance(value, int | float | str | None)
        else list(value)
        if isinstance(value, tuple)
        else str(value)
    )
