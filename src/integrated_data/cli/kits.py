"""What an engineer does for suppliers: the kit as one file that needs no installation."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import to_write
from integrated_data.cli.progress import steps

kit = typer.Typer(help="The supplier's kit as one file.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the group of the kit."""
    app.add_typer(kit, name="kit")


@kit.command("build")
@taking
def kit_build(
    out: Annotated[Path, typer.Argument(metavar="OUT.pyz", help="The file to write.")],
    *,
    wheels: Annotated[
        Path | None, typer.Option(help="Folder of the libraries' wheels for another platform (else those here).")
    ] = None,
    call: Call,
) -> None:
    """Write the kit as one file, to be run with Python alone; see `ids kit needs` for another platform."""
    from integrated_data.site.supplying import zipped

    to_write(out)
    with steps("zipping"):
        made = zipped.build(out, wheels=wheels)
    told = {"kit": str(made.place), "bytes": made.size, "modules": made.modules, "libraries": list(made.libraries)}
    shown.facts(told | ({} if wheels else {"python": zipped.python_here()}), title="Kit", json_out=call.json)


@kit.command("needs")
@taking
def kit_needs(*, call: Call) -> None:
    """List the libraries that the kit carries, as `pip download` takes them."""
    from integrated_data.site.supplying import zipped

    if call.json:
        shown.document(zipped.needs())
    else:
        shown.plain("\n".join(zipped.needs()))
