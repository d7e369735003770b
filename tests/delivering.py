"""Small deliveries for tests: bytes in, a checked table out, through the real engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_data.acquire.binding import spelled
from integrated_data.acquire.infer import infer
from integrated_data.acquire.land import land
from integrated_data.acquire.layout import Delivered, sniff
from integrated_data.acquire.prepare import prepare
from integrated_data.acquire.sample import sample_of
from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.delivery import Tally
from integrated_data.site import foreign
from integrated_data.standardise.sql import standardised_sql
from integrated_data.validate.judge import tally
from integrated_data.validate.reconcile import Account, reconcile
from integrated_data.validate.sql import checked_sql, duplicates_sql, good_sql, quarantine_sql
from integrated_data.vocabulary.marks import ROW

SEALER = FileSealer(b"s" * 32)


def delivered(folder: Path, *files: tuple[str, bytes], contract: Contract | None = None) -> Delivered:
    """Land, prepare and sniff files given as (name, bytes)."""
    folder.mkdir(parents=True, exist_ok=True)
    places = []
    for name, data in files:
        (folder / name).write_bytes(data)
        places.append(folder / name)
    landed = land(places, folder / "landed", sealer=SEALER)
    return sniff(prepare(landed, folder / "landed", sealer=SEALER, foreign=foreign), SEALER, contract=contract)


def inferred(engine: DuckDB, folder: Path, *files: tuple[str, bytes]) -> Contract:
    """The contract inferred for files."""
    found = delivered(folder, *files)
    engine.load("sample", sample_of(found, folder / "sample.sealed", sealer=SEALER))
    contract = infer(engine, "sample", dataset="example", owner="department", layout=found.layout)
    return spelled(contract, found.headings)


def contract_of(*columns: Column, layout: Layout | None = None, **more: Any) -> Contract:
    """A contract written by hand."""
    return Contract(dataset="example", owner="department", layout=layout or Layout(Format.CSV), columns=columns, **more)


@dataclass(frozen=True)
class Outcome:
    """A checked delivery: good rows, quarantined rows as (row, rule, raw), counts."""

    good: list[dict[str, Any]]
    quarantine: list[tuple[int, str, str | None]]
    tally: Tally
    account: Account


def checked(engine: DuckDB, folder: Path, *, data: bytes, contract: Contract) -> Outcome:
    """Take one text file through standardise and validate."""
    found = delivered(folder, ("0.csv", data), contract=contract)
    source = found.source(rejects="rejects" if found.reading.format is Format.CSV else None)
    engine.load("landed", source)
    engine.view("standardised", standardised_sql(contract, "landed"))
    place = folder / "checked.parquet"
    rows = engine.save(checked_sql(contract, "standardised", quoted=found.quoted), place)
    account = reconcile(engine, SEALER, source=source, lines=found.lines, rows=rows)
    engine.load("checked", Stored((place,), row_column=ROW))
    repeated = duplicates_sql(contract, "checked")
    if repeated:
        engine.create("duplicates", repeated)
    name = "duplicates" if repeated else None
    counted = tally(engine, contract, checked="checked", duplicates=name, account=account)
    good = engine.rows(good_sql(contract, "checked", duplicates=name)).drop_columns([ROW]).to_pylist()
    bad = engine.rows(quarantine_sql(contract, "checked", duplicates=name)).to_pylist()
    return Outcome(good, sorted((b[ROW], b["rule"], b["raw"]) for b in bad), counted, account)


def table(header: str, rows: Sequence[str]) -> bytes:
    """A CSV file of a header and rows, each ended by a line end."""
    return "".join(f"{line}\n" for line in [header, *rows]).encode()
