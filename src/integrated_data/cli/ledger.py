"""The release ledger: what it holds, how long, under which key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.checker import output
from integrated_data.cli.opened import opened_analysis, opened_store
from integrated_data.control import ledgers

ledger = typer.Typer(help="The release ledger: who is behind what has left.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of the ledger."""
    app.add_typer(ledger, name="ledger")


@output.command()
@taking
def using(dataset: Annotated[str, typer.Argument(help="A dataset.")], call: Call) -> None:
    """List every output that used a dataset, or what was derived from it: for its owner and auditors."""
    from integrated_data.site import concerned

    with opened_store(call.home) as (_, store):
        found = concerned.using(store, dataset, acting=call.acting)
    shown.table(found, title=f"Outputs that used {dataset}", json_out=call.json)


@dataclass(frozen=True)
class Shows:
    """What a table from elsewhere shows."""

    query: Annotated[str, typer.Option(help="The id of a query, of any project, that gives the same table.")] = ""
    dataset: Annotated[list[str] | None, typer.Option(help="A dataset it is about; several may be named.")] = None
    rounding: Annotated[int, typer.Option(help="The base to which its counts were rounded.", min=1)] = 1


@output.command("import")
@taking
def output_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The table, as CSV.")],
    *,
    title: Annotated[str, typer.Option(help="What it shows.")],
    source: Annotated[str, typer.Option(help="Where it was published.")],
    shows: Shows,
    call: Call,
) -> None:
    """Take a table that was published elsewhere into the ledger, so that requests are compared with it."""
    from integrated_data.site.importing import Brought, bring

    content = files.content_of(file)
    brought = Brought(content, title, source, tuple(shows.dataset or ()), shows.query, shows.rounding)
    with opened_analysis(call.home) as site:
        made = bring(site, brought, by=call.actor)
    facts = {"import": made.id, "proven": made.proven, "why_not": made.why, "datasets": list(made.datasets)}
    shown.facts(facts, title="Taken into the ledger", json_out=call.json)


@ledger.command()
@taking
def show(call: Call) -> None:
    """Show how many releases the ledger holds people of, how many expired or came from elsewhere, and the retention."""
    from integrated_data.site import keeping

    with opened_store(call.home) as (places, store):
        facts = keeping.held(places, store)
    shown.facts(facts, title="Release ledger", json_out=call.json)


@ledger.command()
@taking
def keep(
    *,
    reason: Annotated[str, typer.Option(help="Why so long; kept in the audit chain.")],
    days: Annotated[int | None, typer.Option(help="Days after a release; for ever when left out.")] = None,
    call: Call,
) -> None:
    """Set how long the people behind what left are kept."""
    with opened_store(call.home) as (_, store):
        ledgers.set_retention(store, days, reason=reason, by=call.actor)
    shown.facts({"kept_days": days, "reason": reason}, title="Retention of the ledger", json_out=call.json)


@ledger.command()
@taking
def expire(call: Call) -> None:
    """Destroy what is kept of people behind releases past the retention; run it every day."""
    from integrated_data.site import keeping

    with opened_store(call.home) as (places, store):
        done = keeping.expire(places, store, by=call.actor)
    shown.table(done, title="Kept no more", json_out=call.json)


@ledger.command("change-key")
@taking
def change_key(call: Call) -> None:
    """Seal the ledger with another key, and destroy the one it had."""
    from integrated_data.site import keeping

    with opened_store(call.home) as (places, store):
        done = keeping.change_key(places, store, by=call.actor)
    shown.facts(done, title="Key of the ledger changed", json_out=call.json)
