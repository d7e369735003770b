"""Reference sources and the matching service, on the loading side."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data import journey
from integrated_data.acquire.drift import check_header
from integrated_data.control import indexes
from integrated_data.control.indexes import IndexVersion
from integrated_data.index.records import named, records_of
from integrated_data.index.seat import Matching, Tools
from integrated_data.journey import checking, presence
from integrated_data.journey.going import Outcome, Progress
from integrated_data.journey.linking import version_folder
from integrated_data.model.contract import Column, Contract, IndexUse
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.linkage import LINK_COLUMNS
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.model.people import Action
from integrated_data.site import owning
from integrated_data.site.agreeing import check_loading
from integrated_data.site.handing import handed_with
from integrated_data.site.kit import Kit, infer_delivered, read_contract
from integrated_data.site.loading import LoadingSite
from integrated_data.site.refreshing import refresh_index
from integrated_data.vocabulary import sql

#: Table of the links while a file is matched.
LINKS = "matched_links"
#: Table of the reasons for them, where they are asked for.
EXPLAINED = "explained_links"


@dataclass(frozen=True)
class SourceOrder:
    """What `ids reference load` was asked."""

    index: str
    files: tuple[Path, ...]
    source: str
    id_column: str | None = None
    contract_file: Path | None = None
    manifest_file: Path | None = None


@dataclass(frozen=True)
class MatchOrder:
    """What `ids match` was asked. Whether records may share an entity is the contract's to say.

    `version`, or `as_at` a day: which version of the index is matched to; the newest where neither is given.
    """

    index: str
    file: Path
    out: Path
    id_column: str | None = None
    contract_file: Path | None = None
    explain: bool = False
    version: int | None = None
    as_at: date | None = None


def load_reference(site: LoadingSite, order: SourceOrder, *, progress: Progress | None = None) -> dict[str, Any]:
    """Load a reference source into an index, and renew the grants that its merges and splits touch.

    Returns what became of it, as plain values; `refreshed` holds a report for each version whose refresh
    was to be done, those that an earlier call left unfinished among them.
    """
    site.seats.of(order.index)
    handed = handed_with(order.contract_file, order.manifest_file)
    owning.check_delivers(site.store, order.source, contract=handed.contract, by=site.actor, action=Action.INDEX)
    check_loading(site.store, order.source, by=site.actor)
    feed = journey.Feed(order.index, order.id_column)
    outcome = journey.deliver(
        site.workshop, order.source, files=order.files, handed=handed, feed=feed, progress=progress
    )
    if outcome.state is not LoadState.PUBLISHED:
        raise DeliveryRefusal(
            f"The source is {outcome.state}", why=outcome.reason,
            next_step=f"See the rows: ids quarantine show {outcome.delivery} --reason TEXT",
        )  # fmt: skip
    return loaded(site, outcome, index=order.index, progress=progress)


def loaded(site: LoadingSite, outcome: Outcome, *, index: str, progress: Progress | None = None) -> dict[str, Any]:
    """After a source became a version of an index: renew the grants that it touches; returns what became of it."""
    fed = outcome.stages.get("feed", {})
    refreshed = refresh_index(site, index, progress=progress)
    presence.refresh(site.workshop)
    report = fed.get("report", {})
    shown = {k: v for k, v in report.items() if isinstance(v, int | float | str)}
    return {
        "delivery": outcome.delivery, "source": outcome.dataset, "index": index, "version": fed.get("version"),
        "repeated": outcome.repeated, **shown, "seconds": dict(outcome.seconds),
        "refreshed": refreshed,
    }  # fmt: skip


def _version(site: LoadingSite, order: MatchOrder) -> IndexVersion:
    """The index version a file is matched to; refuses one that never was, or was before the index began."""
    if order.version is not None and order.as_at is not None:
        raise UsageRefusal("A version and a day were given", next_step="Give --index-version or --as-at")
    with site.store.read() as connection:
        if order.as_at is not None:
            return indexes.as_at(connection, order.index, day=order.as_at, today=site.store.now().date())
        return indexes.get(connection, order.index, version=order.version)


def match_file(site: LoadingSite, order: MatchOrder, *, progress: Progress | None = None) -> dict[str, Any]:
    """Match a file to an index and write one link per record; the index is not changed."""
    seat = site.seats.of(order.index)
    version = _version(site, order)
    folder = Path(tempfile.mkdtemp(prefix="match-", dir=site.places.scratch))
    try:
        (progress or _silent)("reading")
        kit = Kit(site.engine, site.sealer, folder)
        contract = standardised(kit, order)
        (progress or _silent)("matching")
        use = next(
            (u for u in contract.indexes if u.index == order.index),
            IndexUse(order.index, one_to_one=seat.definition.one_to_one),
        )
        id_column = next((c for c in contract.columns if c.key), None)
        record_id = sql.name(id_column.name) if id_column else "(row_number() OVER () - 1)::VARCHAR"
        records = records_of(
            contract, use, relation=checking.STANDARDISED, record_id=record_id, also=named(contract, seat.definition)
        )
        site.engine.create("match_records", records.sql)
        models = site.places.indexes / order.index / "models" / contract.dataset
        matching = Matching(
            "match_records",
            LINKS,
            use.one_to_one,
            models,
            explain=EXPLAINED if order.explain else None,
            columns=records.columns,
        )
        place = version_folder(site.places.indexes, order.index, version=version.version)
        report = seat.match(Tools(site.engine, site.linker), matching, folder=place)
        columns = ", ".join(LINK_COLUMNS)
        rows = site.engine.save(f"SELECT {columns} FROM {LINKS}", order.out, sealed=False)
        explained = _explained(site, order, report=report)
    finally:
        site.engine.drop(LINKS, EXPLAINED, "match_records", checking.STANDARDISED, checking.LANDED)
        shutil.rmtree(folder, ignore_errors=True)
    facts: dict[str, Any] = {"index_version": version.version, "records": rows, "accepted": report["accepted"]}
    if order.as_at is not None:
        facts["as_at"] = order.as_at.isoformat()
    site.store.record(Event("file.matched", site.actor, f"index/{order.index}", facts))
    return facts | {
        "clerical": report["clerical"], "one_to_one": use.one_to_one, "links": str(order.out), **explained,
        "note": "a file of the identified zone: keep it there",
    }  # fmt: skip


def _explained(site: LoadingSite, order: MatchOrder, *, report: dict[str, Any]) -> dict[str, str]:
    """Write every comparison beside the links: record, candidate, step, level, weight; no values."""
    if not order.explain:
        return {}
    if not report.get("explained"):
        return {"explained": f"the {order.index} index names the method of each link, and no more"}
    place = order.out.with_suffix(".explained.parquet")
    site.engine.save(f"SELECT * FROM {EXPLAINED}", place, sealed=False)
    return {"explained": str(place)}


def standardised(kit: Kit, order: MatchOrder) -> Contract:
    """Bind the file's standard projection; returns its contract with the record id marked as key."""
    contract = read_contract(order.contract_file) if order.contract_file else None
    delivered = kit.delivered([order.file], contract)
    if contract is None:
        contract = infer_delivered(kit, delivered, dataset="matched", owner="unknown")
    else:
        check_header(contract, delivered.columns)
    if order.id_column is not None:
        contract = _with_id(contract, order.id_column)
    checking.view(kit.engine, contract, delivered=delivered)
    return contract


def _with_id(contract: Contract, wanted: str) -> Contract:
    """The contract with that column as its record id, taken as it was written."""
    if not any(wanted in (c.source, c.name) for c in contract.columns):
        raise ContractRefusal("The file has no column of the name given by --id", next_step="Name a column of the file")

    def marked(column: Column) -> Column:
        if wanted not in (column.source, column.name):
            return replace(column, key=False)
        return replace(
            column, key=True, kind=Kind.STRING, meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER,
            formats=(), missing=(),
        )  # fmt: skip

    return replace(contract, columns=tuple(marked(c) for c in contract.columns))


def _silent(_step: str) -> None:
    pass
