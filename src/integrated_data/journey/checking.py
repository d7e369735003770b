"""Checking a delivered file against a contract: every row saved with its marks, counted and accounted for.

The load and the supplier's kit check in the same way, so what the kit says is what the load does.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from integrated_data.acquire.layout import Delivered
from integrated_data.engine import Engine, Landed, Sealer, Stored
from integrated_data.model.contract import Contract, Format
from integrated_data.model.delivery import Tally
from integrated_data.standardise.sql import standardised_sql
from integrated_data.validate import judge, reconcile, sql
from integrated_data.vocabulary.marks import ROW

LANDED, STANDARDISED, CHECKED, GOOD = "landed", "standardised", "checked", "good"
REJECTS, DUPLICATES, QUARANTINE = "rejects", "duplicates", "quarantine"


@dataclass(frozen=True)
class Checked:
    """What checking found: where the lines went, and the counts."""

    account: reconcile.Account
    tally: Tally


def view(engine: Engine, contract: Contract, *, delivered: Delivered) -> dict[str, str]:
    """Bind the standard projection of a delivery, copying nothing; returns its columns and types."""
    engine.load(LANDED, source_of(delivered))
    engine.view(STANDARDISED, standardised_sql(contract, LANDED))
    types = engine.columns(STANDARDISED)
    return {c.name: types[c.name] for c in contract.columns}


def source_of(delivered: Delivered) -> Landed:
    """The delivery as the engine reads it; only text with delimiters has lines that do not split."""
    return delivered.source(rejects=REJECTS if delivered.reading.format is Format.CSV else None)


def check(engine: Engine, sealer: Sealer, *, contract: Contract, delivered: Delivered, place: Path) -> Checked:
    """Save every row with its marks, sealed, at `place`; count, and account for every line.

    Leaves the relations CHECKED (with its row number) and, where the contract has unique columns,
    DUPLICATES.
    """
    view(engine, contract, delivered=delivered)
    rows = engine.save(sql.checked_sql(contract, STANDARDISED, quoted=delivered.quoted), place)
    account = reconcile.reconcile(engine, sealer, source=source_of(delivered), lines=delivered.lines, rows=rows)
    repeated = load_checked(engine, contract, place=place)
    return Checked(account, judge.tally(engine, contract, checked=CHECKED, duplicates=repeated, account=account))


def load_checked(engine: Engine, contract: Contract, *, place: Path) -> str | None:
    """Make the relation CHECKED from what was saved, and DUPLICATES; returns its name where there is one."""
    engine.load(CHECKED, Stored((place,), row_column=ROW))
    text = sql.duplicates_sql(contract, CHECKED)
    if text is None:
        return None
    engine.create(DUPLICATES, text)
    return DUPLICATES


def load_good(engine: Engine, contract: Contract, *, place: Path) -> None:
    """Make the relation GOOD, of rows that broke no rule, from what was saved."""
    repeated = load_checked(engine, contract, place=place)
    engine.view(GOOD, sql.good_sql(contract, CHECKED, duplicates=repeated))


def save_quarantine(engine: Engine, contract: Contract, *, found: Checked, delivered: Delivered, folder: Path) -> None:
    """Save what was quarantined, sealed: broken rows with rule and reason, and lines that did not split."""
    repeated = DUPLICATES if sql.duplicates_sql(contract, CHECKED) else None
    if found.tally.by_rule:
        text = sql.quarantine_sql(contract, CHECKED, duplicates=repeated)
        engine.save(text, folder / "quarantine.parquet")
    if found.account.rejected and source_of(delivered).rejects is not None:
        engine.save(reconcile.rejects_sql(REJECTS), folder / "unsplit.parquet")


def quarantined(engine: Engine, contract: Contract, *, folder: Path, most: int) -> pa.Table:
    """Quarantined rows of a delivery saved in `folder`, one per broken rule, with their values: at most `most`."""
    engine.load(QUARANTINE, Stored((folder / "quarantine.parquet",)))
    engine.load(CHECKED, Stored((folder / "checked.parquet",), row_column=ROW))
    try:
        return engine.rows(sql.seen_sql(contract, CHECKED, quarantine=QUARANTINE, most=most))
    finally:
        engine.drop(QUARANTINE, CHECKED)
