"""What is done with the releases of a published table: list them, take the table back to one, and forward again."""

from typing import Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store
from integrated_data.cli.supplier import editions_after

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit chain.")]
To = Annotated[int | None, typer.Option(help="The release's number; the nearest one when left out.")]

release = typer.Typer(help="The releases of a published table.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands on releases of tables."""
    app.add_typer(release, name="release")


@release.command("list")
@taking
def release_list(dataset: Dataset, *, call: Call) -> None:
    """List every release of a table: which one is read, which were withdrawn or expired, and why."""
    from integrated_data.site import rolling

    with opened_store(call.home) as (_, store):
        rows = rolling.listed(store, dataset, by=call.actor)
    shown.table(rows, title=f"Releases of {dataset}, newest first", json_out=call.json)


@release.command("back")
@taking
def release_back(dataset: Dataset, reason: Reason, *, to: To = None, call: Call) -> None:
    """Take a table back to an earlier release; who reads from then on reads that one, copies and all."""
    _roll(dataset, to=to, back=True, reason=reason, call=call)


@release.command("forward")
@taking
def release_forward(dataset: Dataset, reason: Reason, *, to: To = None, call: Call) -> None:
    """Take a table forward again, to a release that was withdrawn."""
    _roll(dataset, to=to, back=False, reason=reason, call=call)


@release.command("grant")
@taking
def release_grant(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="An approved project that holds the dataset.")],
    dataset: Dataset,
    *,
    as_at: Annotated[
        str, typer.Option(metavar="DAY|RELEASE", help="As it was read when this day was over, or a release.")
    ],
    call: Call,
) -> None:
    """Make a project's copy of an earlier release, so that its people can ask as at that day: ids query --as-at."""
    from integrated_data.site import earlier

    with opened_loading(call.home) as site:
        made = earlier.grant(site, project, dataset=dataset, as_at=as_at, by=call.actor)
    shown.facts(made, title="Earlier release", json_out=call.json)


def _roll(dataset: str, *, to: int | None, back: bool, reason: str, call: Call) -> None:
    from integrated_data.site import rolling

    with opened_loading(call.home) as site:
        told: dict[str, Any] = rolling.roll(site, dataset, to=to, back=back, reason=reason, acting=call.acting)
    told["editions"] = editions_after(told, call)
    if call.json:
        shown.document(told)
        return
    renewed, editions = told.pop("projects_refreshed"), told.pop("editions")
    shown.facts(told, title="Taken to another release")
    shown.table(renewed, title="Copies of projects")
    shown.table(editions, title="Published anew")
