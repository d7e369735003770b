"""How delivered files end: with a total of the rows above, which is none of them, or cut off within a value."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from integrated_data.acquire.last import Last
from integrated_data.acquire.layout import Delivered
from integrated_data.engine import Engine, Held
from integrated_data.model.contract import Column, Contract, Mode
from integrated_data.model.delivery import Tally
from integrated_data.model.meanings import Kind
from integrated_data.standardise.sql import standardised_sql
from integrated_data.validate.rules import TOTALS
from integrated_data.vocabulary.marks import UNREAD, bit_sql, typed
from integrated_data.vocabulary.sql import name

#: What is told of a file that ends within its last row.
CUT = "A file has no line end after its last row, and that row is not whole: it may have been cut off on its way"
#: What is told of a total.
TOTALLED = "The last row is a total of the rows above: it is in quarantine, so that sums do not count it"

_ROW, _LAST, _TOTALS = "ending_row", "ending_last", "ending_totals"


def totals(engine: Engine, contract: Contract, *, delivered: Delivered, standardised: str) -> str | None:
    """SQL of whether a standardised row is the last of a file and a total of those above; None where none is.

    A row is one that is called so and lacks a value that rows usually have; or that is called so or lacks such a value,
    and whose numbers are the sums of those above. Leaves the relation of totals.
    """
    rows = [last for last in delivered.last if last.looks_total]
    columns = [c for c in contract.columns if c.source in delivered.columns]
    numbers = [c for c in columns if c.kind in (Kind.INTEGER, Kind.NUMBER)]
    found = []
    for last in rows:
        with _standard(engine, contract, delivered=delivered, last=last) as relation:
            if (last.called and last.lacks) or _sums(engine, numbers, standardised=standardised, last=relation):
                found.append(last)
    if not found:
        return None
    engine.load(_ROW, Held(_table(contract, delivered, rows=found)))
    engine.view(_LAST, standardised_sql(contract, _ROW))
    shown = ", ".join(f"{name(c.name)} AS v{k}" for k, c in enumerate(columns))
    engine.create(_TOTALS, f"SELECT {shown} FROM {_LAST}")
    same = " AND ".join(f"v{k} IS NOT DISTINCT FROM {name(c.name)}" for k, c in enumerate(columns))
    return f"EXISTS (SELECT 1 FROM {_TOTALS} WHERE {same})"


def told(engine: Engine, contract: Contract, *, delivered: Delivered, counted: Tally, checked: str) -> tuple[str, ...]:
    """What a person should know of a checked delivery's end, and of a key that nobody agreed on; no value."""
    found = [TOTALLED] if TOTALS in dict(counted.by_rule) else []
    found += [CUT] if is_cut(engine, contract, delivered=delivered) else []
    repeats = _repeats(engine, contract, checked=checked)
    if repeats:
        found.append(
            f"What seems to be the key repeats: {repeats:,} rows have one that another has. Nobody has agreed on it, "
            "so no row is held back for it"
        )
    return tuple(found)


def kept(notices: Sequence[str], *, vouched: bool) -> list[str]:
    """What is told of a load: not that a file may be cut where a manifest says that it is whole."""
    return [told for told in notices if not (vouched and told == CUT)]


def _repeats(engine: Engine, contract: Contract, *, checked: str) -> int:
    """Rows whose key an earlier one has, where the key is a guess."""
    keys = [name(c.name) for c in contract.columns if c.key]
    if not keys or not contract.inferred or contract.mode is Mode.CHANGES:
        return 0
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    listed = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    (row,) = engine.rows(
        f"SELECT count(*) - count(DISTINCT {listed}) AS n FROM {name(checked)} WHERE {there}"
    ).to_pylist()
    return int(row["n"])


def _sums(engine: Engine, numbers: Sequence[Column], *, standardised: str, last: str) -> bool:
    """Whether the numbers of a last row, some of them not 0, are each the sum of those above it."""
    if not numbers:
        return False
    listed = ", ".join(f"{name(c.name)}::DOUBLE AS n{k}" for k, c in enumerate(numbers))
    (row,) = engine.rows(f"SELECT {listed} FROM {last}").to_pylist()
    told = {k: value for k, value in row.items() if value is not None}
    if not any(told.values()):
        return False
    summed = ", ".join(f"sum({name(c.name)}::DOUBLE) AS n{k}" for k, c in enumerate(numbers) if f"n{k}" in told)
    (whole,) = engine.rows(f"SELECT {summed} FROM {name(standardised)}").to_pylist()
    return all(abs(whole[k] - 2 * value) <= 1e-9 * max(1.0, abs(whole[k])) for k, value in told.items())


def is_cut(engine: Engine, contract: Contract, *, delivered: Delivered) -> bool:
    """Whether a file ends without a line end, within a row that is not whole or whose last value cannot be read."""
    for last in delivered.last:
        if last.ended:
            continue
        reading = typed(contract)
        bits = [k for k, c in enumerate(reading) if c.source == delivered.columns[-1]]
        if last.cut:
            return True
        if bits and last.cells:
            with _standard(engine, contract, delivered=delivered, last=last) as relation:
                (row,) = engine.rows(f"SELECT {bit_sql(UNREAD, bits[0])} AS unread FROM {relation}").to_pylist()
            if row["unread"]:
                return True
    return False


@contextmanager
def _standard(engine: Engine, contract: Contract, *, delivered: Delivered, last: Last) -> Iterator[str]:
    """The last row of one file in its standard."""
    engine.load(_ROW, Held(_table(contract, delivered, rows=[last])))
    engine.view(_LAST, standardised_sql(contract, _ROW))
    try:
        yield _LAST
    finally:
        engine.drop(_LAST, _ROW)


def _table(contract: Contract, delivered: Delivered, *, rows: Sequence[Last]) -> pa.Table:
    held = {
        column: pa.array([last.cells[k] or None for last in rows], pa.string())
        for k, column in enumerate(delivered.columns)
    }
    absent = {c.source for c in contract.columns} - set(held)
    return pa.table(held | {source: pa.nulls(len(rows), pa.string()) for source in absent})
