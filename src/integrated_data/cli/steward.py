"""What a steward does: reference sources, the matching service, quarantine, withheld columns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, Matched, Reading, taking
from integrated_data.cli.files import parquet_to_write
from integrated_data.cli.opened import opened_loading, opened_store
from integrated_data.cli.progress import steps
from integrated_data.cli.supplier import ManifestFile, editions_after, show_outcome
from integrated_data.cli.table_files import list_to_write, write_list
from integrated_data.control import indexes
from integrated_data.model.errors import UsageRefusal

Index = Annotated[
    str,
    typer.Argument(metavar="INDEX", help="demographic, business, address, geography, classification, or one defined."),
]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit chain.")]
DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")]

reference = typer.Typer(help="Reference sources and their indexes.", no_args_is_help=True)
quarantine = typer.Typer(help="Rows that broke a rule, and deliveries that wait for a decision.", no_args_is_help=True)
column = typer.Typer(help="Columns withheld from publication.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the steward's commands."""
    app.add_typer(reference, name="reference")
    app.add_typer(quarantine, name="quarantine")
    app.add_typer(column, name="column")
    app.command()(taking(match))


@reference.command("load")
@taking
def reference_load(
    index: Index,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files of one source.")],
    *,
    source: Annotated[str, typer.Option(help="The source's name.")],
    manifest_file: ManifestFile = None,
    reading: Reading,
    call: Call,
) -> None:
    """Load a reference source into an index, as its next version."""
    from integrated_data.site.references import SourceOrder, load_reference

    order = SourceOrder(index, tuple(files), source, reading.id_column, reading.contract, manifest_file)
    with opened_loading(call.home) as site, steps() as step:
        report = load_reference(site, order, progress=step)
    shown.facts(report, title=f"{index} index", json_out=call.json)


@reference.command("define")
@taking
def reference_define(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The description of the index, in YAML.")], call: Call
) -> None:
    """Define an index of one's own by a file; then load, match and name it in contracts as any other."""
    from integrated_data.site.defining import define_index

    with opened_store(call.home) as (places, store):
        made = define_index(places, store, file=file, by=call.actor)
    shown.facts(made, title="Index defined", json_out=call.json)


@reference.command("show")
@taking
def reference_show(
    *, index: Annotated[str | None, typer.Argument(help="One index; all when left out.")] = None, call: Call
) -> None:
    """Show the versions of the indexes: when each was recorded, and what it did to the entities."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = indexes.versions(connection, index)
    rows = [
        {"index": v.index, "version": v.version, "source": v.source, "recorded": v.at, **_plain(v.report)}
        for v in known
    ]
    shown.table(rows, title="Index versions", json_out=call.json)


@reference.command("refresh")
@taking
def reference_refresh(index: Index, call: Call) -> None:
    """Renew the grants that merges and splits touch, where that was left unfinished."""
    from integrated_data.site.refreshing import refresh_index

    with opened_loading(call.home) as site, steps() as step:
        site.seats.of(index)
        done = refresh_index(site, index, progress=step)
    shown.table(done, title=f"Refreshed after versions of the {index} index", json_out=call.json)


@reference.command("quality")
@taking
def reference_quality(
    *,
    subject: Annotated[
        str | None, typer.Argument(metavar="[INDEX|DATASET]", help="An index or a dataset; all indexes when left out.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="LINKS.parquet of a rival: estimated on the same judged sample.")
    ] = None,
    call: Call,
) -> None:
    """Show how good links are: counted, and estimated from judged samples, by group."""
    from integrated_data.site import measuring

    with opened_loading(call.home) as site:
        if subject is None or subject in site.seats:
            if compare is not None:
                step = "Name the dataset before --compare"
                raise UsageRefusal("Rival links are compared for one dataset", next_step=step)
            rows = measuring.overview(site, index=subject)
            shown.table(rows, title="Link quality", json_out=call.json)
            return
        found = measuring.details(site, subject, compare=compare)
    if call.json:
        shown.document(found)
        return
    for each in found:
        quality_tables(each)


def quality_tables(told: dict[str, Any]) -> None:
    """Print what is known of one link set."""
    tables = {"groups": "By group", "calibration": "Calibration: expected and judged, by tenth of the probability"}
    review, compared = told.get("review") or {}, told.get("compared") or {}
    aside = {*tables, "profile", "warnings", "review", "compared"}
    facts = {k: _estimate(v) for k, v in told.items() if k not in aside}
    facts |= {f"review: {k}": v for k, v in review.items() if k != "strata"}
    facts |= {f"rival: {k}": _estimate(v) for k, v in compared.items() if k != "groups"}
    shown.facts(facts, title=f"{told['dataset']} linked to the {told['index']} index")
    for warning in told["warnings"]:
        shown.plain(f"Behind: {warning}")
    parts = {(r["group"], r["value"]): r for r in told["profile"]}
    rows = [
        {k: _estimate(v) for k, v in r.items()}
        | {k: parts[r["group"], r["value"]][k] for k in ("share_of_linked", "share_of_unlinked")}
        for r in told["groups"]
    ]
    shown.table(rows, title=tables["groups"])
    if told["calibration"]:
        shown.table([{k: _estimate(v) for k, v in r.items()} for r in told["calibration"]], title=tables["calibration"])


def _estimate(value: Any) -> Any:
    """An estimate with its interval in one cell; anything else as it is."""
    if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
        return f"{value['value']:.4f} ({value['low']:.4f}–{value['high']:.4f})"
    return value


@dataclass(frozen=True)
class Carried:
    """What weights count, and a table to carry over to new codes."""

    weights: Annotated[str | None, typer.Option(help="lookup, area or postcodes; else the best there is.")] = None
    file: Annotated[Path | None, typer.Option("--table", help="A table to carry over; else the weights.")] = None
    code: Annotated[str | None, typer.Option(help="The table's column of codes.")] = None
    value: Annotated[list[str] | None, typer.Option(help="A column of totals; may be given again.")] = None
    by: Annotated[list[str] | None, typer.Option(help="A column to keep apart by; may be given again.")] = None


@reference.command("crosswalk")
@taking
def reference_crosswalk(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="geography or classification.")],
    source: Annotated[str, typer.Argument(metavar="FROM", help="As lsoa_2011, or 'SOC 2010'.")],
    *,
    target: Annotated[str, typer.Argument(metavar="TO", help="As lsoa_2021, or 'SOC 2020'.")],
    out: Annotated[Path, typer.Option(help="Parquet to write: from_code, to_code, weight, or the table.")],
    table: Carried,
    call: Call,
) -> None:
    """Write how old codes go over to new ones, weights summing to one; or carry a table over, totals kept."""
    from integrated_data.index.reference.crosswalk import Crosswalk
    from integrated_data.site.crosswalks import CrosswalkOrder, crosswalk

    values, by = tuple(table.value or ()), tuple(table.by or ())
    wanted = Crosswalk(source, target, table.weights)
    parquet_to_write(out, what="Answers")
    order = CrosswalkOrder(index, wanted, out, table.file, table.code, values, by)
    with opened_loading(call.home) as site:
        report = crosswalk(site, order)
    shown.facts(report, title=f"{source} to {target}", json_out=call.json)


@reference.command("areas")
@taking
def reference_areas(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Records with postcodes, coordinates or areas.")],
    *,
    to: Annotated[str, typer.Option(help="Level and boundary year, as lsoa_2021.")],
    exact: Annotated[
        bool, typer.Option("--exact/--best-fit", help="The polygon that holds the point, or its postcode's area.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Parquet to write: record_id, area_code, method.")],
    reading: Reading,
    call: Call,
) -> None:
    """Write the area of each record of a file, at any boundary year that was loaded."""
    from integrated_data.index.reference.area_lookups import BEST_FIT, EXACT
    from integrated_data.site.crosswalks import AreasOrder, areas

    how = EXACT if exact else BEST_FIT
    order = AreasOrder(file, to, how, parquet_to_write(out, what="Answers"), reading.id_column, reading.contract)
    with opened_loading(call.home) as site:
        report = areas(site, order)
    shown.facts(report, title=f"Areas of {to}", json_out=call.json)


def _plain(report: dict[str, object]) -> dict[str, object]:
    events = report.get("events")
    turned = events if isinstance(events, dict) else {}
    counted = {k: turned.get(k, 0) for k in ("absorbed", "split", "retired", "revived")}
    return {k: report.get(k) for k in ("records", "entities", "created")} | counted


def match(
    index: Index,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to match.")],
    out: Annotated[Path, typer.Option(help="LINKS.parquet to write: a file of the identified zone.")],
    matched: Matched,
    reading: Reading,
    call: Call,
) -> None:
    """Match a file to an index in bulk; changes no index."""
    from integrated_data.site.encoding import match_encoded_file
    from integrated_data.site.references import MatchOrder, match_file

    parquet_to_write(out, what="Links")
    order = MatchOrder(
        index, file, out, reading.id_column, reading.contract, matched.explain, matched.index_version,
        matched.as_at.date() if matched.as_at else None,
    )  # fmt: skip
    with opened_loading(call.home) as site, steps() as step:
        if matched.secret is not None:
            report = match_encoded_file(site, order, secret_file=matched.secret)
        else:
            report = match_file(site, order, progress=step)
    shown.facts(report, title=f"Matched to the {index} index", json_out=call.json)


@quarantine.command("show")
@taking
def quarantine_show(delivery: DeliveryId, reason: Reason, *, call: Call) -> None:
    """See quarantined rows with the rule each broke; they hold identified values, so every look is audited."""
    from integrated_data.site import loads

    with opened_loading(call.home) as site:
        rows = loads.quarantine(site, delivery, by=call.actor, reason=reason)
    shown.table(rows, title=f"Quarantine of {delivery}", json_out=call.json)


@quarantine.command("lines")
@taking
def quarantine_lines(
    delivery: DeliveryId,
    *,
    out: Annotated[Path | None, typer.Option(help="Write the list here, as .csv or .json.")] = None,
    call: Call,
) -> None:
    """List where rejected rows stand in the file, with column, rule and reason: no value, for whoever delivered it."""
    from integrated_data.site import loads

    if out is not None:
        list_to_write(out)
    with opened_loading(call.home) as site:
        found = loads.rejected_lines(site, delivery, acting=call.acting)
    if out is not None:
        write_list(found, out)
        shown.facts({"delivery": delivery, "rejected": found.num_rows, "list": str(out)}, json_out=call.json)
        return
    shown.table(found.to_pylist(), title=f"Rejected of {delivery}", json_out=call.json)


@quarantine.command("list")
@taking
def quarantine_list(call: Call) -> None:
    """List deliveries that are not published: held ones wait for a decision."""
    from integrated_data.site import loads

    with opened_store(call.home) as (_, store):
        rows = loads.waiting(store, by=call.actor)
    shown.table(rows, title="Not published", json_out=call.json)


@quarantine.command("accept")
@taking
def quarantine_accept(delivery: DeliveryId, reason: Reason, *, call: Call) -> None:
    """Accept a held delivery: its good rows go on to be published."""
    from integrated_data.site import loads

    _goes_on(loads.accept, delivery, reason=reason, call=call)


@quarantine.command("recheck")
@taking
def quarantine_recheck(delivery: DeliveryId, reason: Reason, *, call: Call) -> None:
    """Check a held delivery again, where what its rules are held against has come meanwhile."""
    from integrated_data.site import loads

    _goes_on(loads.recheck, delivery, reason=reason, call=call)


def _goes_on(settle: Callable[..., dict[str, Any]], delivery: str, *, reason: str, call: Call) -> None:
    """Settle a held delivery, and show what became of it."""
    with opened_loading(call.home) as site, steps() as step:
        outcome = settle(site, delivery, reason=reason, progress=step)
    outcome["editions"] = editions_after(outcome, call)
    show_outcome(outcome, call.json)


@quarantine.command("reject")
@taking
def quarantine_reject(delivery: DeliveryId, reason: Reason, *, call: Call) -> None:
    """Reject a held delivery: nothing of it is published."""
    from integrated_data.site import loads

    with opened_loading(call.home) as site:
        loads.reject(site, delivery, reason=reason)
    shown.facts({"delivery": delivery, "state": "rejected"}, json_out=call.json)


@column.command("release")
@taking
def column_release(
    dataset: str,
    name: Annotated[str, typer.Argument(metavar="COLUMN", help="A column that is withheld.")],
    *,
    reason: Reason,
    call: Call,
) -> None:
    """Release a withheld column: it is published from the next delivery on."""
    from integrated_data.site import loads

    with opened_store(call.home) as (_, store):
        loads.release_column(store, dataset, column=name, by=call.actor, reason=reason)
    shown.facts({"dataset": dataset, "column": name, "published": "from the next delivery on"}, json_out=call.json)
