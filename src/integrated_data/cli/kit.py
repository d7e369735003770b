"""The supplier's kit as a program of its own: the commands on contracts and nothing that needs an installation."""

import typer

from integrated_data.cli import contracts
from integrated_data.cli.ending import run

app = typer.Typer(
    name="ids-kit",
    help="The supplier's kit: say what a file holds, and hold it against a contract. Nothing leaves this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
contracts.add_to(app)


@app.callback()
def kit() -> None:
    """The supplier's kit: say what a file holds, and hold it against a contract. Nothing leaves this machine."""


def main() -> None:
    """Run the kit."""
    run(app)
