"""What a supplier with many tables does: deliver a whole folder."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, settings
from integrated_data.cli.progress import steps


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(taking(batch))


def batch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A dataset for each file or folder in it.")],
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Loads that run at a time (else one for a core).")
    ] = None,
    call: Call,
) -> None:
    """Deliver every table of a folder, unattended; again, it goes on where it stood. Each failure is named."""
    from integrated_data.site.batching.run import run

    settled = settings()
    with opened_loading(call.home) as site, steps() as step:
        told = run(site, folder, settings=settled, workers=workers or settled.threads, progress=step)
    if call.json:
        shown.document(told)
    else:
        shown.facts({k: v for k, v in told.items() if k != "not_published"}, title="Batch")
        shown.table(told["not_published"], title="Not published")
    if told["not_published"]:
        raise typer.Exit(1)
