"""What an operator tells other engines of the lake: where its tables are, and which snapshot of each stands; and where
it is kept."""

from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading

lake = typer.Typer(help="The lake of published tables, as other engines read it.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the lake's commands."""
    app.add_typer(lake, name="lake")


@lake.command()
@taking
def tables(call: Call) -> None:
    """List the Iceberg tables: where each lies, the snapshot that its newest release names, and its metadata file."""
    from integrated_data.site.registering_tables import tables as standing

    with opened_loading(call.home) as site:
        found = standing(site)
    shown.table(found, title="Iceberg tables", json_out=call.json)


@lake.command()
@taking
def store(
    call: Call,
    *,
    address: Annotated[str, typer.Argument(help="s3://bucket/prefix; its keys are in keyring/lake.yaml.")],
    endpoint: Annotated[str, typer.Option(help="URL of a store that is not the cloud's own.")] = "",
    region: Annotated[str, typer.Option(help="Its region.")] = "us-east-1",
    take_over: Annotated[bool, typer.Option("--take-over", help="Destroy what is there, of whomever.")] = False,
) -> None:
    """Keep the lake in an S3-compatible object store, and move every table there; what was cut short goes on."""
    from integrated_data.site import moving_lake

    wish = moving_lake.Wish(address, endpoint, region, take_over)
    with opened_loading(call.home, alone=True) as site:
        told = moving_lake.keep(site, wish, by=call.actor)
    shown.facts(told, title="The lake's object store", json_out=call.json)


@lake.command()
@taking
def leave(
    call: Call,
    theirs: Annotated[bool, typer.Option("--theirs", help="After a restore: another one keeps it there.")] = False,
) -> None:
    """Bring every table of the lake back to this machine, and destroy what is in the object store."""
    from integrated_data.site import moving_lake

    with opened_loading(call.home, alone=True) as site:
        told = moving_lake.leave(site, theirs=theirs, by=call.actor)
    shown.facts(told, title="The lake", json_out=call.json)
