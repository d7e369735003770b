"""What an operator tells other engines of the lake: where its tables are, and which snapshot of each stands."""

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
