"""What the operator does against loss: back the data up, the keys apart from them, and restore both."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, places_of, settings
from integrated_data.cli.progress import steps
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.places import open_store
from integrated_data.site.settings import from_environment, home_of
from integrated_data.site.signing_heads import sign_head

backup = typer.Typer(help="Backups: the data sealed and without keys, the keys apart.", no_args_is_help=True)
vault = typer.Typer(help="The vault key, under which the identified zone is sealed.", no_args_is_help=True)

To = Annotated[Path, typer.Argument(metavar="TO", help="An empty or absent folder.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands against loss."""
    app.add_typer(backup, name="backup")
    app.add_typer(vault, name="vault")
    app.command()(taking(restore))


@backup.command()
@taking
def data(to: To, call: Call) -> None:
    """Copy the data, sealed and without any key, with a signed manifest; refused while loads run."""
    from integrated_data.site import backing

    with opened_loading(call.home, alone=True) as site:
        told = backing.back_up(site, to, by=call.actor)
    shown.facts(told, title="Backup of the data", json_out=call.json)


@backup.command()
@taking
def keys(to: To, call: Call) -> None:
    """Copy the keys, and the list of who objected or was erased: keep them apart from the data."""
    from integrated_data.site import backing

    shown.facts(backing.back_up_keys(places_of(call.home), to), title="Backup of the keys", json_out=call.json)


@vault.command()
@taking
def rotate(call: Call) -> None:
    """Seal the identified zone under another vault key and destroy the one it had; goes on where it was cut short."""
    from integrated_data.site import rotating

    places = places_of(call.home)
    with steps() as step:
        told = rotating.rotate(places, settings(), by=call.actor, progress=step)
    sign_head(places, open_store(places))
    shown.facts(told, title="Vault key changed", json_out=call.json)


def restore(
    backup_of_data: Annotated[Path, typer.Argument(metavar="FROM", help="A backup of the data.")],
    *,
    keys: Annotated[Path | None, typer.Option(help="The backup of the keys of that time.")] = None,
    rights: Annotated[
        Path | None, typer.Option(help="A newer backup of the keys, for its list of who was erased.")
    ] = None,
    call: Call,
) -> None:
    """Restore a backup into an empty folder: verified, erased again who was erased since, with what is lost."""
    from integrated_data.site import restoring

    if keys is None:
        raise UsageRefusal(
            "A backup alone cannot be read", why="The keys are not in it",
            next_step="Name the folder that ids backup keys wrote: --keys DIR",
        )  # fmt: skip
    found = from_environment()
    home = home_of(found, call.home)
    told = restoring.restore(found, backup_of_data, home=home, keys=keys, rights=rights)
    shown.facts(told, title="Restored", json_out=call.json)
