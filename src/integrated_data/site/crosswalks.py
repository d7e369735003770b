"""Crosswalks between versions of areas and classifications, and the area of places, from the command line."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_data.control import indexes
from integrated_data.index.records import records_of
from integrated_data.index.reference import area_lookups, correspondences
from integrated_data.index.reference.crosswalk import Crosswalk, Table, carried_sql, totals_sql, unknown_sql
from integrated_data.journey import checking
from integrated_data.journey.linking import version_folder
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.errors import ContractRefusal, IndexRefusal
from integrated_data.model.event import Event
from integrated_data.site.kit import Kit
from integrated_data.site.loading import LoadingSite
from integrated_data.site.references import MatchOrder, standardised
from integrated_data.vocabulary.sql import name

WEIGHTS, CARRIED, FOUND, RECORDS = "crosswalk_weights", "crosswalk_carried", "area_found", "area_records"
#: How each index makes a crosswalk.
MAKERS = {"geography": area_lookups.crosswalk, "classification": correspondences.crosswalk}


@dataclass(frozen=True)
class CrosswalkOrder:
    """What `ids reference crosswalk` was asked; without `file` the weights themselves are written."""

    index: str
    asked: Crosswalk
    out: Path
    file: Path | None = None
    code: str | None = None
    values: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class AreasOrder:
    """What `ids reference areas` was asked."""

    file: Path
    column: str
    how: str
    out: Path
    id_column: str | None = None
    contract_file: Path | None = None


def crosswalk(site: LoadingSite, order: CrosswalkOrder) -> dict[str, Any]:
    """Write a crosswalk, or a table carried over by it; totals before and after are in the answer."""
    maker = MAKERS.get(order.index)
    if maker is None:
        raise IndexRefusal(f"The {order.index} index has no crosswalks", next_step=f"Choose from: {', '.join(MAKERS)}")
    version, place = _version(site, order.index)
    try:
        way = maker(site.engine, place, asked=order.asked, relation=WEIGHTS)
        facts: dict[str, Any] = {"index_version": version, "weights": way}
        if order.file is None:
            facts["rows"] = _save(site, f"SELECT * FROM {WEIGHTS} ORDER BY from_code, to_code", out=order.out)
        else:
            with _reading(site, MatchOrder(order.index, order.file, order.out)) as contract:
                facts |= _carry(site, _table(contract, order), out=order.out)
    finally:
        site.engine.drop(WEIGHTS, CARRIED)
    about = {"from": order.asked.source, "to": order.asked.target}
    site.store.record(Event("crosswalk.made", site.actor, f"index/{order.index}", about | facts))
    return about | facts | {"out": str(order.out)}


def areas(site: LoadingSite, order: AreasOrder) -> dict[str, Any]:
    """Write the area of each record of a file: record_id, area_code, method."""
    version, place = _version(site, "geography")
    reading = MatchOrder("geography", order.file, order.out, order.id_column, order.contract_file)
    try:
        with _reading(site, reading) as contract:
            id_column = next((c for c in contract.columns if c.key), None)
            record_id = name(id_column.name) if id_column else "(row_number() OVER () - 1)::VARCHAR"
            use = IndexUse("geography")
            records = records_of(contract, use, relation=checking.STANDARDISED, record_id=record_id)
            site.engine.create(RECORDS, records.sql)
            found = area_lookups.areas_of(
                site.engine, place, places=(RECORDS, FOUND), column=order.column, how=order.how, columns=records.columns
            )
            rows = _save(site, f"SELECT record_id, area_code, method FROM {FOUND}", out=order.out)
    finally:
        site.engine.drop(FOUND, RECORDS)
    facts = {"index_version": version, "records": rows, "methods": found}
    site.store.record(Event("areas.found", site.actor, "index/geography", facts))
    return facts | {"out": str(order.out), "note": "a file of the identified zone: keep it there"}


def _carry(site: LoadingSite, table: Table, *, out: Path) -> dict[str, Any]:
    site.engine.create(CARRIED, carried_sql(table, WEIGHTS))
    before = site.engine.rows(totals_sql(table.relation, table.values)).to_pylist()[0]
    after = site.engine.rows(totals_sql(CARRIED, table.values)).to_pylist()[0]
    unknown = site.engine.rows(unknown_sql(table, WEIGHTS)).to_pylist()[0]
    rows = _save(site, f"SELECT * FROM {CARRIED}", out=out)
    return {
        "rows": rows, "rows_without_a_new_code": unknown["rows"], "codes_without_a_new_code": unknown["codes"],
        "totals_before": before, "totals_after": after,
    }  # fmt: skip


def _table(contract: Contract, order: CrosswalkOrder) -> Table:
    """The table's columns under contract names; refuses a name the file does not have."""

    def named(wanted: str) -> str:
        found = next((c.name for c in contract.columns if wanted in (c.source, c.name)), None)
        if found is None:
            raise ContractRefusal(
                "The file has no column of a name that was given", next_step="Name columns of the file"
            )
        return found

    if order.code is None or not order.values:
        raise ContractRefusal(
            "The table was not carried over", why="It was not said which columns hold codes and totals",
            next_step="Give --code COLUMN and at least one --value COLUMN",
        )  # fmt: skip
    values, by = tuple(named(v) for v in order.values), tuple(named(b) for b in order.by)
    return Table(checking.STANDARDISED, named(order.code), values, by)


@contextmanager
def _reading(site: LoadingSite, order: MatchOrder) -> Iterator[Contract]:
    folder = Path(tempfile.mkdtemp(prefix="match-", dir=site.places.scratch))
    try:
        yield standardised(Kit(site.engine, site.sealer, folder), order)
    finally:
        site.engine.drop(checking.STANDARDISED, checking.LANDED)
        shutil.rmtree(folder, ignore_errors=True)


def _version(site: LoadingSite, index: str) -> tuple[int, Path]:
    with site.store.read() as connection:
        version = indexes.get(connection, index).version
    return version, version_folder(site.places.indexes, index, version=version)


def _save(site: LoadingSite, statement: str, *, out: Path) -> int:
    return site.engine.save(statement, out, sealed=False)
