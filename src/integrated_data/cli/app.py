"""The `ids` command: its groups."""

import sys

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
    contracts,
    dissemination,
    federation,
    feeder,
    freezer,
    identity,
    kits,
    lake,
    ledger,
    operator,
    record,
    released,
    retained,
    reviewer,
    rights,
    rolled,
    runner,
    shell,
    steward,
    supplier,
    twins,
)
from integrated_data.cli.ending import run

app = typer.Typer(
    name="ids",
    help="The Integrated Data Service: index once, link often.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for role in (
    contracts,
    supplier,
    kits,
    batches,
    feeder,
    rolled,
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
    lake,
    freezer,
    rights,
    runner,
    retained,
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
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is the answer's
    run(app)
