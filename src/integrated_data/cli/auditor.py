"""What an auditor does: verify the chain, ask who did what."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_store, places_of
from integrated_data.site.places import open_store

audit = typer.Typer(help="The audit chain.", no_args_is_help=True)
register = typer.Typer(help="The public register of projects and releases.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the auditor's commands."""
    app.add_typer(audit, name="audit")
    app.add_typer(register, name="register")


@audit.command()
@taking
def verify(call: Call) -> None:
    """Verify every audit record and every signed head."""
    from integrated_data.site import auditing

    places = places_of(call.home)
    result = auditing.verify(places, open_store(places))
    shown.facts({"chain": "holds", **result}, title="Audit chain", json_out=call.json)


@audit.command()
@taking
def used(
    dataset: Annotated[str, typer.Argument(help="A dataset.")],
    *,
    call: Call,
) -> None:
    """Who used a dataset, when, in which project, under which decision: for auditors and its owner."""
    from integrated_data.site import auditing

    with opened_store(call.home) as (_, store):
        found = auditing.who_used(store, dataset, acting=call.acting)
    shown.table([vars(use) for use in found], title=f"Uses of {dataset}", json_out=call.json)


@dataclass(frozen=True)
class Period:
    """From which day to which; both count (UTC)."""

    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day (UTC).")] = None
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC).")] = None


@audit.command()
@taking
def uses(
    *,
    organisation: Annotated[str | None, typer.Option(help="Whose data; else of who asks.")] = None,
    dataset: Annotated[str | None, typer.Option(help="One of their datasets; else all.")] = None,
    period: Period,
    call: Call,
) -> None:
    """Every use of an organisation's data, for its own people: who, what SQL, columns, rows, when, which decision."""
    from integrated_data.site import auditing

    since, until = (day.date() if day is not None else None for day in (period.since, period.until))
    asked = auditing.OwnerQuestion(organisation, dataset, since, until)
    with opened_store(call.home) as (_, store):
        found = auditing.uses_of_owner(store, asked, acting=call.acting)
    if call.json:
        shown.table(found, title="Uses", json_out=True)
        return
    rows = [{k: "; ".join(v) if isinstance(v, (list, tuple)) else v for k, v in one.items()} for one in found]
    shown.table(rows, title="Uses of the organisation's data")


@audit.command()
@taking
def left(
    *,
    project: Annotated[str | None, typer.Option(help="Of one project.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Made from one dataset; its owner names it.")] = None,
    call: Call,
) -> None:
    """What left: files by their hash, who asked, who voted, who released, and what was revoked."""
    from integrated_data.site import auditing

    with opened_store(call.home) as (_, store):
        found = auditing.what_left(store, auditing.About(project, dataset), acting=call.acting)
    shown.table([vars(departure) for departure in found], title="What left", json_out=call.json)


@audit.command()
@taking
def decision(
    number: Annotated[int, typer.Argument(help="The number of an audit record, as `used` and `left` give it.")],
    *,
    call: Call,
) -> None:
    """The decision on its project that stood when a record was written."""
    from integrated_data.site import auditing

    with opened_store(call.home) as (_, store):
        found = auditing.under_which_decision(store, number, acting=call.acting)
    shown.facts(vars(found) if found else {"decision": None}, title=f"Decision behind {number}", json_out=call.json)


@register.command("export")
@taking
def register_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the pages and their JSON.")],
    *,
    contact: Annotated[str, typer.Option(help="Where people in the data write to, as they are to read it.")] = "",
    call: Call,
) -> None:
    """Write the public register, a page for the people in the data, and the statistics that are published anew."""
    from integrated_data.output import shelf
    from integrated_data.site.registering import export

    files.folder_to_write(folder)
    with opened_store(call.home) as (places, store):
        written = export(places, store, folder=folder, write_to=contact)
        written["editions"] = shelf.export(store, places.outputs, target=folder / "statistics")
    shown.facts(written, title="Public register", json_out=call.json)
