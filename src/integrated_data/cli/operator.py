"""What an operator does: make an installation, write the fictional country, run the demo and the benches."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.progress import steps
from integrated_data.site.settings import from_environment, home_of


def add_to(app: typer.Typer) -> None:
    """Add the operator's commands."""
    app.command()(taking(init))
    app.command()(taking(specimen))
    app.command()(taking(demo))
    app.command()(taking(bench))


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or absent folder.")], call: Call
) -> None:
    """Make a new installation: keys, control store, zones."""
    from integrated_data.site.installation import create

    places = create(directory, actor=from_environment().actor)
    shown.facts(
        {
            "home": str(places.home),
            "vault_key": "keyring/vault.key: back it up apart from the data",
            "next": f"ids deliver DATASET FILE --home {places.home}",
        },
        title="New installation",
        json_out=call.json,
    )


def specimen(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    *,
    people: Annotated[int, typer.Option(help="How many people live there.", min=1000)] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same country.")] = 1,
    call: Call,
) -> None:
    """Write the fictional country's deliveries, and the truth about them apart."""
    from integrated_data import specimen as country

    with steps() as step:
        manifest = country.write(directory, people=people, seed=seed, progress=step)
    rows = [{"department": f.department, "file": str(f.path), "rows": f.rows} for f in manifest.files]
    shown.table(rows, title=f"A country of {people:,} people", json_out=call.json)


def demo(
    *, people: Annotated[int, typer.Option(help="How many people live in the country.", min=2000)] = 100_000, call: Call
) -> None:
    """The whole journey on a fictional country: deliveries, matching, a project, a released table."""
    from integrated_data.site import demo as show

    settings = from_environment()
    folder = call.home or settings.home or Path("demo-home")
    report = show.run(home_of(settings, folder), settings=settings, people=people, quiet=call.json)
    if call.json:
        shown.document(report)


def bench(
    name: Annotated[str | None, typer.Argument(help="Which benchmark; all of them when left out.")] = None,
) -> None:
    """Run a benchmark beside its anchor, in one run; fails when a mark is missed."""
    from integrated_data.site.benches import run

    if run(name):
        raise typer.Exit(1)
