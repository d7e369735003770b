"""Rejected rows: kept sealed with rule, reason and the line they stand on, and listed without a value.

Work is done only where there are some. Where each row is a line of its own their lines are counted; else the sealed
text is passed over once (see `validate.lines`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.acquire.layout import Delivered
from integrated_data.acquire.prepare import Numbered
from integrated_data.engine import Engine, Held, Sealer, Stored
from integrated_data.journey import checking
from integrated_data.model.contract import Contract, Format
from integrated_data.validate import lines, reconcile, sql
from integrated_data.validate.judge import UNSPLIT
from integrated_data.validate.lines import Numbers, Places, Run, Written
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import text

QUARANTINE, UNSPLIT_FILE = "quarantine.parquet", "unsplit.parquet"

#: Why a delivery is held of which rows and rejected lines cannot be told apart.
APART = "quotation marks are broken so that rows and rejected lines cannot be told apart"

_BROKEN, _SEEN, _STANDS, _STANDS_BROKEN = "rejecting_broken", "rejecting_seen", "rejecting_rows", "rejecting_lines"


def save_quarantine(
    engine: Engine, sealer: Sealer, *, contract: Contract, found: checking.Checked, delivered: Delivered, folder: Path
) -> bool:
    """Save what was quarantined, sealed: broken rows with rule, reason and line, and lines that did not split.

    False where the reader and the pass do not agree on what a record is: then no line is told, and what was read may
    hold a row of the pieces of a rejected one.
    """
    repeated = checking.DUPLICATES if sql.duplicates_sql(contract, checking.CHECKED) else None
    unsplit = bool(found.account.rejected) and checking.source_of(delivered).rejects is not None
    for left in (QUARANTINE, UNSPLIT_FILE):
        (folder / left).unlink(missing_ok=True)  # of the check before
    if not found.tally.by_rule:
        return True
    broken = sql.quarantine_sql(contract, checking.CHECKED, duplicates=repeated)
    broken = f"{broken} UNION ALL {found.more}" if found.more else broken
    first = _counted(delivered, found.account)
    if first is not None and not unsplit:
        engine.save(f"SELECT *, 1 AS file, {ROW} + {first} AS line FROM ({broken})", folder / QUARANTINE)
        return True
    try:
        engine.create(_BROKEN, broken)
        wanted = engine.rows(f"SELECT DISTINCT {ROW} FROM {_BROKEN} ORDER BY {ROW}")[ROW].to_numpy().astype(np.int64)
        rejected = engine.rows(
            f"SELECT DISTINCT file_id::BIGINT AS file_id, line::BIGINT AS line FROM {checking.REJECTS} ORDER BY 1, 2"
            if unsplit else "SELECT 0::BIGINT AS file_id, 0::BIGINT AS line WHERE false"
        )  # fmt: skip
        rows, unsplit_rows = _located(sealer, delivered, account=found.account, wanted=wanted, rejected=rejected)
        engine.load(_STANDS, Held(rows))
        engine.save(f"SELECT q.*, file, line FROM {_BROKEN} q LEFT JOIN {_STANDS} USING ({ROW})", folder / QUARANTINE)
        if unsplit:
            engine.load(_STANDS_BROKEN, Held(unsplit_rows))
            engine.save(reconcile.rejects_sql(checking.REJECTS, stands=_STANDS_BROKEN), folder / UNSPLIT_FILE)
        return bool(len(wanted) == rows.num_rows and len(rejected) == unsplit_rows.num_rows)
    finally:
        engine.drop(_BROKEN, _STANDS, _STANDS_BROKEN)


def _counted(delivered: Delivered, account: reconcile.Account) -> int | None:
    """What is added to a row's number, from 0, to have its line, where counting tells; None where it does not."""
    numbered = delivered.numbered[0] if delivered.numbered else ()
    header = int(delivered.reading.header)
    if delivered.reading.format is Format.PARQUET:
        return 1 if len(delivered.places) == 1 else None
    if len(delivered.places) > 1 or not _each_a_line(account) or account.rejects or len(numbered) > 1:
        return None
    return numbered[0][1] - numbered[0][0] + header + 1 if numbered else header + 1 + delivered.above[0]


def _each_a_line(account: reconcile.Account) -> bool:
    return not (account.inside or account.blank) and account.rejected == account.rejects


def _located(
    sealer: Sealer, delivered: Delivered, *, account: reconcile.Account, wanted: Numbers, rejected: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Where rows stand (`_row`, file, line), and rejected records (file_id, mark, file, line, lines).

    No line is said where the pass and the engine do not agree on what a record is.
    """
    rows, broken, base, sure = [], [], 0, True
    files, marks = (rejected[c].to_numpy().astype(np.int64) for c in ("file_id", "line"))
    for number, place in enumerate(delivered.places):
        mine, own = wanted[np.searchsorted(wanted, base) :] - base, marks[files == number]
        found = _places(sealer, delivered, account=account, place=place, wanted=mine, rejected=own)
        told, told_rejected = _told(delivered, number, found=found)
        mine = mine[: np.searchsorted(mine, found.count)]
        sure = sure and len(told_rejected) == len(own)
        rows.append([mine + base, np.full(len(mine), number + 1), told[: len(mine)]])
        if sure:
            broken.append(
                [np.full(len(own), number), own, np.full(len(own), number + 1), told_rejected, found.rejected[2]]
            )
        base += found.count
    if not sure or base != account.rows:
        return _table((ROW, "file", "line"), []), _table(("file_id", "mark", "file", "line", "lines"), [])
    return _table((ROW, "file", "line"), rows), _table(("file_id", "mark", "file", "line", "lines"), broken)


def _table(names: Sequence[str], parts: Sequence[Sequence[Numbers]]) -> pa.Table:
    none = np.zeros(0, np.int64)
    return pa.table({n: np.concatenate([none, *(part[i] for part in parts)]) for i, n in enumerate(names)})


def _places(
    sealer: Sealer, delivered: Delivered, *, account: reconcile.Account, place: Path, wanted: Numbers, rejected: Numbers
) -> Places:
    reading = delivered.reading
    if reading.format is Format.PARQUET:
        with sealer.read(place) as file:
            count = pq.ParquetFile(file).metadata.num_rows
        return lines.places([Run(1, 1, count)], header=False, wanted=wanted, rejected=rejected)
    if len(delivered.places) == 1 and _each_a_line(account) and not (delivered.quoted and account.rejects):
        runs = [Run(1, 1, account.lines)]
        return lines.places(runs, header=reading.header, wanted=wanted, rejected=rejected)
    delimited = reading.format is Format.CSV
    alone = delimited and len(delivered.columns) == 1  # whose blank lines are rows
    written = Written(
        reading.delimiter.encode(), reading.quote.encode() if delimited and delivered.quoted else b"",
        reading.header, None if alone else lines.BLANK[reading.format],
    )  # fmt: skip
    with sealer.read(place) as file:
        return lines.places(lines.runs_of(file, written), header=reading.header, wanted=wanted, rejected=rejected)


def _told(delivered: Delivered, number: int, *, found: Places) -> tuple[Numbers, Numbers]:
    """Lines of rows and of rejected records of a file; their numbers where it was delivered, where it has no lines."""
    numbered = delivered.numbered[number] if delivered.numbered else ()
    if not numbered:
        return found.rows[0] + delivered.above[number], found.rejected[0] + delivered.above[number]
    return _counted_on(numbered, found.rows[1]), _counted_on(numbered, found.rejected[1])


def _counted_on(numbered: Numbered, records: Numbers) -> Numbers:
    begins, told = np.array(numbered, np.int64).T
    at = np.maximum(np.searchsorted(begins, records, side="right") - 1, 0)
    result: Numbers = records - begins[at] + told[at]
    return result


def quarantined(engine: Engine, contract: Contract, *, folder: Path, most: int) -> list[dict[str, Any]]:
    """Quarantined rows of a delivery saved in `folder`, one per broken rule, with their values: at most `most`.

    Lines that did not split come first.
    """
    found: list[dict[str, Any]] = []
    if (folder / UNSPLIT_FILE).exists():
        engine.load(_SEEN, Stored((folder / UNSPLIT_FILE,)))
        found += engine.rows(f"SELECT * FROM {_SEEN} LIMIT {most}").to_pylist()
        engine.drop(_SEEN)
    if not (folder / QUARANTINE).exists():
        return found
    engine.load(_SEEN, Stored((folder / QUARANTINE,)))
    engine.load(checking.CHECKED, Stored((folder / "checked.parquet",), row_column=ROW))
    try:
        return [*found, *engine.rows(sql.seen_sql(contract, checking.CHECKED, quarantine=_SEEN, most=most)).to_pylist()]
    finally:
        engine.drop(_SEEN, checking.CHECKED)


def listed(engine: Engine, *, folder: Path, delivery: str) -> pa.Table:
    """What was rejected of a delivery, without a value: delivery, file, line, lines, column, rule, reason.

    One row for each rule that a row breaks, in the order of files and lines. `line`: the physical line on which the
    record begins, or the sheet's row, or the number of the record where a file has no lines; none where quotation marks
    are broken so that it cannot be told. `lines`: how many lines the record takes that did not split; else none.
    """
    parts: list[str] = []
    for file, columns in ((QUARANTINE, "NULL::BIGINT AS lines, column_name, rule, reason"),
                          (UNSPLIT_FILE, f"lines, '' AS column_name, {text(UNSPLIT)} AS rule, reason")):  # fmt: skip
        if (folder / file).exists():
            relation = f"{_SEEN}_{len(parts)}"
            engine.load(relation, Stored((folder / file,)))
            known = engine.columns(relation)
            stands = "file, line" if "file" in known else "NULL::BIGINT AS file, NULL::BIGINT AS line"
            told = columns if "lines" in known or file == QUARANTINE else f"NULL::BIGINT AS {columns}"
            parts.append(f"SELECT {stands}, {told} FROM {relation}")
    kinds = {"file": "BIGINT", "line": "BIGINT", "lines": "BIGINT", "column_name": "VARCHAR", "rule": "VARCHAR"}
    none = ", ".join(f"NULL::{kind} AS {column}" for column, kind in {**kinds, "reason": "VARCHAR"}.items())
    nothing = f"SELECT {none} WHERE false"
    found = engine.rows(
        f"SELECT {text(delivery)} AS delivery, file, line, lines, column_name AS column, rule, reason "
        f"FROM ({' UNION ALL '.join(parts) or nothing}) ORDER BY file, line, rule"
    )
    engine.drop(*(f"{_SEEN}_{n}" for n in range(len(parts))))
    return found
