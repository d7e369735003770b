"""Retention: what is due, its removal, and the signed record of it."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store, places_of

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.")]

retention = typer.Typer(help="Data whose time is over: due, removed, proved.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of retention."""
    app.add_typer(retention, name="retention")


@retention.command("due")
@taking
def retention_due(call: Call) -> None:
    """List the datasets whose data may no longer be held and still are, and what holds their removal up."""
    from integrated_data.site.retention import due

    with opened_store(call.home) as (_, store):
        rows = due.seen(store, by=call.actor)
    shown.table(rows, title="Due for removal", json_out=call.json)


@retention.command("run")
@taking
def retention_run(
    *,
    dataset: Annotated[str | None, typer.Argument(metavar="[DATASET]", help="All that are due when left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")] = False,
    call: Call,
) -> None:
    """Remove datasets whose time is over, data and identifiers, for good; it goes on where it was cut short.

    One that is frozen, or was made into something that is, stays.
    """
    from integrated_data.site.retention import due, running

    with opened_loading(call.home, alone=not dry_run) as site:
        named = [dataset] if dataset else [d["dataset"] for d in due.due(site.store) if not d["stopped_by"]]
        told = [running.dry_run(site, n) if dry_run else running.run(site, n, by=call.actor) for n in named]
    if call.json:
        shown.document(told)
        return
    for each in told:
        shown.facts(each, title="Would be removed" if dry_run else "Removed")


@retention.command("proof")
@taking
def retention_proof(
    dataset: Dataset, *, out: Annotated[Path, typer.Option(help="Where to write it.")], call: Call
) -> None:
    """Write the signed record of a removal."""
    from integrated_data.site.retention import running

    files.to_write(out)
    with opened_store(call.home) as (places, store):
        place = running.proved(places, store, dataset=dataset, out=out, by=call.actor)
    shown.facts({"dataset": dataset, "proof": str(place)}, title="Proof", json_out=call.json)


@retention.command("verify")
@taking
def retention_verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof.")],
    *,
    key: Annotated[Path | None, typer.Option(help="The published key (else the installation's).")] = None,
    call: Call,
) -> None:
    """Verify the record of a removal by the service's public key: no installation is needed with --key."""
    from integrated_data.site.retention import running
    from integrated_data.site.rights import proof

    found = running.verify(file, key=proof.public(None if key else places_of(call.home), key))
    shown.facts(found, title="The proof holds", json_out=call.json)
