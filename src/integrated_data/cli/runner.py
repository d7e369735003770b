"""What who runs loads does: see how far they are, stop one, export their lineage."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import to_write
from integrated_data.cli.opened import opened_store

run = typer.Typer(help="Loads and other jobs that run: how far they are, and stopping them.", no_args_is_help=True)
lineage = typer.Typer(help="Lineage: what every step read and made.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of runs and their lineage."""
    app.add_typer(run, name="run")
    app.add_typer(lineage, name="lineage")


@run.command("list")
@taking
def run_list(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    call: Call,
) -> None:
    """List jobs that run: how far each is, and about how long it will take yet."""
    from integrated_data.site.progressing import rows

    with opened_store(call.home) as (_, store):
        found = rows(store, running=not every, by=call.actor)
    shown.table(found, title="Jobs", json_out=call.json)


@run.command("cancel")
@taking
def run_cancel(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A delivery's id, or a job as ids run list names it.")],
    *,
    call: Call,
) -> None:
    """Stop a load at its next safe point; nothing half-done stays, and delivering again goes on from there."""
    named = job if "/" in job else f"load/{job}"
    from integrated_data.site.progressing import cancel

    with opened_store(call.home) as (_, store):
        state = cancel(store, named, acting=call.acting)
    shown.facts({"job": named, "state": state}, json_out=call.json)


@lineage.command("export")
@taking
def lineage_export(
    delivery: Annotated[str | None, typer.Argument(metavar="[DELIVERY]", help="Of this delivery alone.")] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="Write here (else to standard output).")] = None,
    call: Call,
) -> None:
    """Write the OpenLineage events of loads and their steps, one JSON document a line, as its servers take them."""
    if out is not None:
        to_write(out)
    from integrated_data.site.progressing import lineage as told

    with opened_store(call.home) as (_, store):
        found = told(store, delivery, by=call.actor)
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in found)
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, encoding="utf-8")
        shown.facts({"events": len(found), "written": str(out)}, title="Lineage", json_out=call.json)
