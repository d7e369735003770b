"""What an operator does: make an installation, write the fictional country, run the demo and the benches."""

import json
import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import places_of
from integrated_data.cli.progress import steps
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings, from_environment, home_of


def add_to(app: typer.Typer) -> None:
    """Add the operator's commands."""
    app.command()(taking(init))
    app.command()(taking(specimen))
    app.command()(taking(demo))
    app.command()(taking(serve))
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
    mobility: Annotated[
        bool, typer.Option("--mobility", help="Also a year of a mobile-phone operator's daily files, some wrong.")
    ] = False,
    tables: Annotated[int, typer.Option(min=0, help="Write so many small tables instead, one in 100 broken.")] = 0,
    call: Call,
) -> None:
    """Write the fictional country's deliveries, and the truth about them apart."""
    from integrated_data import specimen as country

    if tables:
        written = country.write_small_tables(directory, count=tables, seed=seed).to_pylist()
        broken = sum(one["broken"] is not None for one in written)
        shown.facts({"tables": tables, "broken": broken}, title="Small tables", json_out=call.json)
        return
    with steps() as step:
        manifest = country.write(directory, people=people, seed=seed, progress=step)
        if mobility:
            country.mobility.write_year(directory, people=people, seed=seed, progress=step)
    rows = [{"department": f.department, "file": str(f.path), "rows": f.rows} for f in manifest.files]
    shown.table(rows, title=f"A country of {people:,} people", json_out=call.json)


def demo(
    *,
    people: Annotated[int, typer.Option(help="How many people live in the country.", min=2000)] = 100_000,
    serving: Annotated[bool, typer.Option("--serve", help="Then open the gateway's doors.")] = False,
    call: Call,
) -> None:
    """The whole journey on a fictional country: deliveries, matching, a project, a released table."""
    from integrated_data.site import demo as show

    settings = from_environment()
    folder = call.home or settings.home or Path("demo-home")
    home = home_of(settings, folder)
    report = show.run(home, settings=settings, people=people, quiet=call.json)
    if call.json:
        shown.document(report)
    if serving:
        places = Places(home / "service")
        _serve(places, settings, quiet=call.json, token=show.token(places, settings))


class What(StrEnum):
    """What is served."""

    PORTAL = "portal"
    GATEWAY = "gateway"
    ALL = "all"


def serve(
    what: Annotated[What, typer.Argument(help="The gateway is both doors: HTTP and Arrow Flight SQL.")] = What.GATEWAY,
    *,
    call: Call,
) -> None:
    """Open the doors for analysts' programs, until stopped; --json names the addresses in one document."""
    if what is What.PORTAL:
        raise UsageRefusal("The portal is not part of this version", next_step="Serve the gateway: ids serve gateway")
    _serve(places_of(call.home), from_environment(), quiet=call.json)


def _serve(places: Places, settings: Settings, *, quiet: bool, token: str | None = None) -> None:
    from integrated_data.serving.run import open_doors

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_doors(places, settings) as doors:
        facts = {
            "http": doors.http,
            "flight": doors.flight,
            "certificate": str(doors.certificate.chain),
            "process": os.getpid(),
        }
        facts |= {} if token is None else {"token": token}
        if quiet:
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
        else:
            shown.facts(facts, title="Doors are open; Ctrl-C closes them")
        stop.wait()


def bench(
    name: Annotated[str | None, typer.Argument(help="Which benchmark; all of them when left out.")] = None,
) -> None:
    """Run a benchmark beside its anchor, in one run; fails when a mark is missed."""
    from integrated_data.site.benches import run

    if run(name):
        raise typer.Exit(1)
