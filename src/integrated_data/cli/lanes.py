"""The automatic lane of outputs: how it stands, its stop switch, its settings, owners who opt out."""

from dataclasses import replace
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_store
from integrated_data.control import lanes
from integrated_data.model.lane import LaneRule

Reason = Annotated[str, typer.Option(help="Why; it is on record.")]
DatasetId = Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's id.")]

lane = typer.Typer(help="The automatic lane: what leaves without people having looked at it.", no_args_is_help=True)


@lane.command("show")
@taking
def show_lane(call: Call) -> None:
    """Show how the automatic lane stands, who opted out, and its error rate as people found it afterwards."""
    from integrated_data.site import lanes as laning
    from integrated_data.site.ledgering import open_ledger

    with opened_store(call.home) as (places, store), open_ledger(places) as ledger:
        told = laning.report(places, store, ledger=ledger)
    shown.facts(told, title="Automatic lane", json_out=call.json)


@lane.command()
@taking
def stop(reason: Reason, *, call: Call) -> None:
    """Stop the automatic lane at once: from now on people decide about every request."""
    _set(call, reason=reason, open=False)


@lane.command()
@taking
def start(reason: Reason, *, call: Call) -> None:
    """Start the automatic lane again."""
    _set(call, reason=reason, open=True)


@lane.command("set")
@taking
def set_lane(
    reason: Reason,
    *,
    share: Annotated[float | None, typer.Option(help="Of its releases, how many people check afterwards.")] = None,
    first: Annotated[float | None, typer.Option(help="Of its requests, how many people check before.")] = None,
    days: Annotated[int | None, typer.Option(help="Working days that a review may take.")] = None,
    call: Call,
) -> None:
    """Set what share of the automatic lane people check, and how long a review may take."""
    given = {"share": share, "first": first, "days": days}
    _set(call, reason=reason, **{name: held for name, held in given.items() if held is not None})


@lane.command("opt-out")
@taking
def opt_out(dataset: DatasetId, reason: Reason, *, call: Call) -> None:
    """Take a dataset out of the automatic lane; a steward of its owner does."""
    _opt(dataset, call, out=True, reason=reason)


@lane.command("opt-in")
@taking
def opt_in(dataset: DatasetId, reason: Reason, *, call: Call) -> None:
    """Let a dataset into the automatic lane again, unless its agreement says otherwise."""
    _opt(dataset, call, out=False, reason=reason)


def _opt(dataset: str, call: Call, *, out: bool, reason: str) -> None:
    from integrated_data.site import lanes as laning

    with opened_store(call.home) as (_, store):
        laning.opt_out(store, dataset, out=out, reason=reason, acting=call.acting)
    shown.facts({"dataset": dataset, "automatic": not out}, json_out=call.json)


def _set(call: Call, *, reason: str, **changed: float | bool) -> None:
    from integrated_data.output import lane as ruling

    with opened_store(call.home) as (_, store):
        with store.read() as connection:
            rule: LaneRule = replace(lanes.rule(connection).rule, **changed)  # type: ignore[arg-type]
        ruled = ruling.set_rule(store, rule, by=call.actor, reason=reason)
    shown.facts(
        {**vars(ruled.rule), "by": ruled.by, "reason": ruled.reason}, title="Automatic lane", json_out=call.json
    )
