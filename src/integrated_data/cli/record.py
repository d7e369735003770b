"""What an owner of data answers a regulator with: a record of processing, a draft of an impact assessment."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store, settings

if TYPE_CHECKING:
    from integrated_data.approve.written import Paper

record = typer.Typer(help="Documents for regulators, written from what is on record.", no_args_is_help=True)

Out = Annotated[Path | None, typer.Option(help="Write it here as Markdown, and beside it as JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands that write documents for regulators."""
    app.add_typer(record, name="record")


@record.command("processing")
@taking
def processing(*, out: Out = None, call: Call) -> None:
    """Write the record of processing activities (UK GDPR, article 30) as things stand."""
    from integrated_data.approve import processing as processings
    from integrated_data.site.accounting import gather

    _check(out)
    with opened_store(call.home) as (places, store):
        held = gather(places, store, settings=settings())
    _give(processings.record(held), out, call=call)


@record.command("impact")
@taking
def impact(*, out: Out = None, call: Call) -> None:
    """Draft a data protection impact assessment from what is on record; says what a person must write."""
    from integrated_data.approve import impact as impacts
    from integrated_data.site.accounting import by_group, gather

    _check(out)
    with opened_loading(call.home) as site:
        held = gather(site.places, site.store, settings=settings(), linked=by_group(site))
    _give(impacts.assess(held), out, call=call)


def _check(out: Path | None) -> None:
    if out is not None:
        files.to_write(out)
        files.to_write(out.with_suffix(".json"))


def _give(paper: "Paper", out: Path | None, *, call: Call) -> None:
    from integrated_data.approve.written import markdown

    if out is not None:
        out.write_text(markdown(paper))
        out.with_suffix(".json").write_text(json.dumps(paper.told(), indent=2, ensure_ascii=False) + "\n")
        shown.facts(
            {"written": str(out), "sections": len(paper.sections), "left_to_people": len(paper.told()["to_write"])},
            json_out=call.json,
        )
    elif call.json:
        shown.document(paper.told())
    else:
        shown.plain(markdown(paper))
