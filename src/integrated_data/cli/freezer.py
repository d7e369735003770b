"""What is done at once when something is wrong: freeze a dataset or a person's access; and thaw it again."""

from typing import Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_store
from integrated_data.control import freezes
from integrated_data.model.freezing import Frozen

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit chain.")]

freeze = typer.Typer(help="Stop all use of a dataset, or all access of a person, at once.", no_args_is_help=True)
thaw = typer.Typer(help="Let what was frozen go on.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands that freeze and thaw."""
    app.add_typer(freeze, name="freeze")
    app.add_typer(thaw, name="thaw")


@freeze.command("dataset")
@taking
def freeze_dataset(name: Dataset, reason: Reason, *, call: Call) -> None:
    """Freeze a dataset and what is derived from it: queries stop, loads, copies and releases are refused."""
    _freeze(Frozen.DATASET, name, reason=reason, call=call)


@freeze.command("person")
@taking
def freeze_person(name: Person, reason: Reason, *, call: Call) -> None:
    """Freeze a person's access, under every account of theirs: sign-ins, queries and releases stop."""
    _freeze(Frozen.PERSON, name, reason=reason, call=call)


@freeze.command("list")
@taking
def freeze_list(call: Call) -> None:
    """List what is and was frozen: since when, by whom, why, and who thawed it."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        rows = freezes.history(connection)
    shown.table(rows, title="Freezes, newest first", json_out=call.json)


@thaw.command("dataset")
@taking
def thaw_dataset(name: Dataset, reason: Reason, *, call: Call) -> None:
    """Let a frozen dataset go on."""
    _thaw(Frozen.DATASET, name, reason=reason, call=call)


@thaw.command("person")
@taking
def thaw_person(name: Person, reason: Reason, *, call: Call) -> None:
    """Let a frozen person come in again."""
    _thaw(Frozen.PERSON, name, reason=reason, call=call)


def _freeze(kind: Frozen, name: str, *, reason: str, call: Call) -> None:
    from integrated_data.site.freezing import freeze as freeze_now

    with opened_store(call.home) as (_, store):
        told = freeze_now(store, kind, name=name, reason=reason, acting=call.acting)
    if call.json:
        shown.document(told)
        return
    aside = {k: v for k, v in told.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
    shown.facts({k: _plain(v) for k, v in told.items() if k not in aside}, title="Frozen")
    for part, rows in aside.items():
        shown.table(rows, title=f"Affected: {part.replace('_', ' ')}")


def _thaw(kind: Frozen, name: str, *, reason: str, call: Call) -> None:
    from integrated_data.site.freezing import thaw as thaw_now

    with opened_store(call.home) as (_, store):
        told = thaw_now(store, kind, name=name, reason=reason, acting=call.acting)
    shown.facts(told, title="Thawed", json_out=call.json)


def _plain(value: Any) -> Any:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
