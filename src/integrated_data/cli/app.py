"""The `ids` command: its groups, and how a refusal becomes an exit code."""

import os
import sys
import traceback
from pathlib import Path

import structlog
import typer

from integrated_data import __version__
from integrated_data.cli import (
    account,
    analyst,
    approver,
    auditor,
    backups,
    batches,
    checker,
    concepts,
    dissemination,
    federation,
    feeder,
    freezer,
    identity,
    ledger,
    operator,
    record,
    released,
    reviewer,
    rights,
    shell,
    steward,
    supplier,
    twins,
)
from integrated_data.cli.shown import ERRORS
from integrated_data.model.errors import Refusal, is_disk_full

app = typer.Typer(
    name="ids",
    help="The Integrated Data Service: index once, link often.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for role in (
    supplier,
    batches,
    feeder,
    steward,
    identity,
    reviewer,
    approver,
    account,
    analyst,
    concepts,
    twins,
    checker,
    released,
    dissemination,
    federation,
    ledger,
    auditor,
    record,
    backups,
    freezer,
    rights,
    shell,
    operator,
):
    role.add_to(app)


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")


def main() -> None:
    """Run the command line; a refusal prints its one sentence and ends with its exit code."""
    os.umask(0o077)  # whatever this process writes is its owner's alone
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is the answer's
    try:
        app()
    except Refusal as refusal:
        ERRORS.print(f"Refused: {refusal}", style="red", markup=False, soft_wrap=True)
        sys.exit(refusal.exit_code)
    except Exception as error:
        ERRORS.print(f"Failed: {failure(error)}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        ERRORS.print("Stopped. What was finished is kept; run the same command again to go on.")
        sys.exit(1)


def failure(error: Exception) -> str:
    """An unforeseen error in one sentence: its kind and where it arose, never its text."""
    if is_disk_full(error):
        return "the disk is full. Nothing half-done was kept; make room and run the command again: it goes on."
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "integrated_data" in f.filename]
    where = f" at {Path(own[-1].filename).stem}:{own[-1].lineno}" if own else ""
    return (
        f"an unforeseen {type(error).__name__}{where}. Nothing half-done was kept; run the command again, "
        "and report this line if it comes back."
    )
