"""What a steward asks of the indexes over time: an entity's history, what changed, decisions on links."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import parquet_to_write
from integrated_data.cli.opened import opened_loading
from integrated_data.cli.steward import Index, reference
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.linkage import LinkDecision

Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit chain.")]


@dataclass(frozen=True)
class Verdict:
    """What is decided: one of the three."""

    must: Annotated[bool, typer.Option("--must", help="They are one entity.")] = False
    cannot: Annotated[bool, typer.Option("--cannot", help="They are not; the right one leaves the left one.")] = False
    withdraw: Annotated[int | None, typer.Option(help="Withdraw the decision of this number.")] = None

    def kind(self, sides: int) -> LinkDecision | None:
        """Must or cannot, or None for a withdrawal; refuses a call that gives no one of them, or the wrong sides."""
        withdrawn = self.withdraw is not None
        if [self.must, self.cannot, withdrawn].count(True) != 1 or sides != (0 if withdrawn else 2):
            raise UsageRefusal(
                "The decision cannot be read",
                next_step="Give --must or --cannot with LEFT and RIGHT, or --withdraw NUMBER alone",
            )
        return None if withdrawn else LinkDecision.MUST if self.must else LinkDecision.CANNOT


def add_to(_app: typer.Typer) -> None:
    """Add the commands to the steward's group `reference`."""
    reference.command("history")(reference_history)
    reference.command("changes")(reference_changes)
    reference.command("decide")(reference_decide)
    reference.command("decisions")(reference_decisions)
    reference.command("apply")(reference_apply)
    reference.command("units")(reference_units)


@taking
def reference_history(
    entity_id: Annotated[str, typer.Argument(metavar="ID", help="An entity's id.")],
    *,
    as_at: Annotated[str | None, typer.Option("--as-at", help="As the index knew it on this day (YYYY-MM-DD).")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why its records and attributes must be seen; every look is audited.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Show this attribute only; may be given several times.")
    ] = None,
    call: Call,
) -> None:
    """Show what happened to an entity; with a reason also its records, and what each source said of it and when."""
    from integrated_data.site import identity

    if not (entity_id.isascii() and entity_id.isdigit()):
        raise UsageRefusal("The id of an entity is a whole number", next_step="Take it from a link or a report")
    look = None if reason is None else identity.Look(call.actor, reason, tuple(field or ()))
    day = None if as_at is None else _day(as_at)
    with opened_loading(call.home) as site:
        found = identity.history(site, int(entity_id), as_at=day, look=look)
    if call.json:
        shown.document(found)
        return
    events, records, periods = found.pop("events"), found.pop("record_ids", None), found.pop("periods", None)
    best = found.pop("best", [])
    shown.facts(found, title=f"Entity {entity_id}")
    shown.table(events, title="What happened")
    if periods is not None:
        shown.table(records or [], title="Records")
        shown.table(best, title="Best values, by quality and recency of the sources")
        columns = dict.fromkeys(k for p in periods for k in p)
        shown.table([{k: p.get(k) for k in columns} for p in periods], title="What was said of it")


def _day(written: str) -> date:
    try:
        return datetime.strptime(written, "%Y-%m-%d").date()
    except ValueError:
        raise UsageRefusal("The day cannot be read", next_step="Write it as YYYY-MM-DD") from None


@taking
def reference_changes(
    index: Index,
    *,
    before: Annotated[int, typer.Option("--from", help="The older version.")],
    after: Annotated[int, typer.Option("--to", help="The newer version.")],
    call: Call,
) -> None:
    """Show what changed between two versions of an index, and which tables and projects it touches."""
    from integrated_data.site import identity

    with opened_loading(call.home) as site:
        found = identity.changes(site, index, before=before, after=after)
    if call.json:
        shown.document(found)
        return
    tables, projects, named = found.pop("tables"), found.pop("projects"), found.pop("ids")
    shown.facts(found, title="What changed")
    shown.table([{"change": c, "entity": i} for c, listed in named.items() for i in listed], title="Entities")
    shown.table(tables, title="Published tables with links to what changed")
    shown.table(projects, title="Projects that hold them")


@taking
def reference_decide(
    index: Index,
    *,
    sides: Annotated[
        list[str] | None, typer.Argument(metavar="LEFT RIGHT", help="Two records as SOURCE:RECORD, or ids of entities.")
    ] = None,
    verdict: Verdict,
    reason: Why,
    call: Call,
) -> None:
    """Decide that two records are one entity or cannot be; it binds every later version, whatever a model says."""
    from integrated_data.control import decisions
    from integrated_data.site import identity

    kind = verdict.kind(len(sides or ()))
    with opened_loading(call.home) as site:
        if kind is None or sides is None:
            number = verdict.withdraw or 0
            decisions.withdraw(site.store, index, number=number, by=call.actor, reason=reason)
            shown.facts({"decision": number, "withdrawn": True}, json_out=call.json)
            return
        made = identity.decide(site, index, kind=kind, sides=(sides[0], sides[1]), by=call.actor, reason=reason)
    shown.facts(made, title="Decided", json_out=call.json)


@taking
def reference_decisions(index: Index, call: Call) -> None:
    """List the decisions on links that bind an index."""
    from integrated_data.site import identity

    with opened_loading(call.home) as site:
        rows = identity.decided(site, index)
    shown.table(rows, title="Decisions", json_out=call.json)


@taking
def reference_apply(index: Index, call: Call) -> None:
    """Make a version of an index in which every decision holds, without waiting for a source."""
    from integrated_data.site import identity

    with opened_loading(call.home) as site:
        made = identity.apply_decisions(site, index)
    shown.facts(made, title=f"{index} index", json_out=call.json)


@taking
def reference_units(
    as_at: Annotated[str, typer.Argument(metavar="QUARTER", help="A quarter, as 2024 Q3 (its last day), or a day.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="UNITS.parquet to write, a row per legal unit: a file of the identified zone.")
    ] = None,
    call: Call,
) -> None:
    """Show to how many enterprises and groups legal units belonged in a quarter; with --out, each to which."""
    from integrated_data.site import enterprises

    if out is not None:
        parquet_to_write(out, what="The units")
    with opened_loading(call.home) as site:
        found = enterprises.as_at(site, as_at, out=out)
    shown.facts(found, title="Statistical units", json_out=call.json)
