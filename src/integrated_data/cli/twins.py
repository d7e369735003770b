"""Before there is a project: synthetic twins, asked with `ids query --twin`, and the catalogue for assistants."""

import contextlib
import sys

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store
from integrated_data.model.people import Action

twin = typer.Typer(help="Synthetic twins of published tables, which hold no row of anybody.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands about twins."""
    app.add_typer(twin, name="twin")
    app.command()(taking(mcp))


def mcp(call: Call) -> None:
    """Tell an assistant of the catalogue over standard input and output (Model Context Protocol): metadata only.

    Who starts it is who asks: their sign-in is looked at again for each question.
    """
    from integrated_data.serving.mcp import Server
    from integrated_data.serving.metadata import WHAT, Metadata

    out = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr), opened_store(call.home) as (places, store):
        tools = Metadata(store, places).tools()
        Server(tools, WHAT, admit=lambda: call.act().check(Action.LOOK)).serve(sys.stdin.buffer, out)


@twin.command("make")
@taking
def make(dataset: str, call: Call) -> None:
    """Make the twin of a dataset anew from safe counts of its newest release; publishing does so by itself."""
    from integrated_data.site import twinning

    with opened_loading(call.home) as site:
        made = twinning.make(site, dataset, by=call.actor)
    shown.facts({k: v for k, v in made.items() if k not in ("file", "of")}, json_out=call.json)


@twin.command("list")
@taking
def list_twins(call: Call) -> None:
    """List the twins: from which release, rows, columns, fewest people behind each count."""
    from integrated_data.access.twins import Twins

    with opened_store(call.home) as (places, _):
        facts = Twins(places.twins).facts()
    rows = [
        {"dataset": f["dataset"], "release": f["release"], "rows": f["rows"], "columns": len(f["columns"]),
         "fewest_people": f["minimum"], "at": f["at"]}
        for f in facts
    ]  # fmt: skip
    shown.table(rows, title="Synthetic twins", json_out=call.json)
