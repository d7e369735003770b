"""What had landed of a delivery, without somebody: lines of plain text are left out where it is sure which they are.

That is so for one file of delimited text whose records are exactly the rows that were checked, in their order: then the
record of a row is known by its place, and holds a value of it. Anything else (workbooks, archives, fixed widths, files
with lines that did not split) is destroyed: a raw copy that may still hold somebody is not kept.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from integrated_data.engine import Stored
from integrated_data.model.contract import Contract, Format
from integrated_data.site.loading import LoadingSite
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name

#: Which rows' lines were left out already: beside the file, written when it is in its place.
GONE = "erased.json"
#: Fewest characters of a value that tell that a line is of its row.
TELLING = 3
CHECKED = "raw_checked"


class _UnsureError(Exception):
    """It is not sure which lines are somebody's."""


def without(site: LoadingSite, delivery: str, *, contract: Contract, rows: Sequence[int]) -> bool:
    """Leave the lines of rows out of what had landed of a delivery; False, and no change, where that is not sure."""
    landed, checked = site.places.landed / delivery, site.places.deliveries / delivery / "checked.parquet"
    files, layout = sorted(landed.glob("*.sealed")), contract.layout
    if len(files) != 1 or layout.format is not Format.CSV or len(layout.quote) > 1 or not checked.exists():
        return False
    gone = _gone(landed)
    wanted = set(rows) - gone
    if not wanted:
        return True
    site.engine.load(CHECKED, Stored((checked,), row_column=ROW))
    try:
        total = int(site.engine.rows(f"SELECT count(*) AS n FROM {CHECKED}")["n"][0].as_py())
        told = _values(site, contract, rows=wanted)
    finally:
        site.engine.drop(CHECKED)
    places = iter(row for row in range(total) if row not in gone)
    try:
        with site.sealer.read(files[0]) as held, site.sealer.write(files[0]) as kept:
            _copy(held, kept, contract=contract, places=places, told=told)
    except (_UnsureError, UnicodeDecodeError):
        return False
    part = landed / f"{GONE}.part"
    part.write_text(json.dumps(sorted(gone | wanted)))
    part.chmod(0o600)
    part.replace(landed / GONE)
    return True


def _copy(
    held: BinaryIO, kept: BinaryIO, *, contract: Contract, places: Iterator[int], told: dict[int, list[str]]
) -> None:
    """Copy records but for those of the rows `told`; an error leaves the file as it was."""
    layout, left = contract.layout, dict(told)
    records = _records(io.BufferedReader(cast(io.RawIOBase, held)), quote=layout.quote.encode())
    if layout.header:
        kept.write(next(records, b""))
    for record in records:
        row = next(places, None)
        if row is None or not record.strip():
            raise _UnsureError
        if row not in told:
            kept.write(record)
            continue
        line = record.decode("utf-8").casefold()
        if not any(value in line for value in left.pop(row)):
            raise _UnsureError
    if left or next(places, None) is not None:
        raise _UnsureError


def _records(file: io.BufferedReader, *, quote: bytes) -> Iterator[bytes]:
    """Records as they stand, each with its line end: a line, or several where a quotation goes on."""
    record, odd = b"", False
    for line in file:
        record += line
        odd ^= bool(quote and line.count(quote) % 2)
        if not odd:
            yield record
            record = b""
    if record:
        yield record


def _values(site: LoadingSite, contract: Contract, *, rows: set[int]) -> dict[int, list[str]]:
    """Of each row, texts that its line must hold one of."""
    columns = ", ".join(f"{name(c.name)}::VARCHAR AS {name(c.name)}" for c in contract.columns)
    among = ", ".join(map(str, sorted(rows)))
    found: list[dict[str, Any]] = site.engine.rows(
        f"SELECT {ROW}, {columns} FROM {CHECKED} WHERE {ROW} IN ({among})"
    ).to_pylist()
    return {
        int(row[ROW]): [str(v).casefold() for k, v in row.items() if k != ROW and v and len(str(v)) >= TELLING]
        for row in found
    }


def _gone(landed: Path) -> set[int]:
    place = landed / GONE
    return set(json.loads(place.read_text())) if place.exists() else set()
