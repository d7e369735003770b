"""Layout: how a delivered file is written, read from its first lines and held against the contract."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.acquire.around import DELIMITERS, is_header
from integrated_data.acquire.binding import Heading, check_apart, headings, notices, plain, spelled_of, unique
from integrated_data.acquire.bytes import chunks
from integrated_data.acquire.labels import Label
from integrated_data.acquire.last import Last, last_row
from integrated_data.acquire.prepare import EDGE, ONE_OF, Numbered, Prepared
from integrated_data.acquire.ruler import cut, widths_of
from integrated_data.acquire.unpack import refused
from integrated_data.engine import Landed, Sealer
from integrated_data.model.contract import Contract, Format, Layout
from integrated_data.model.errors import DeliveryRefusal

HEAD = 1 << 20
#: Rows of the head that are looked at, and the share of them that must agree on a width.
LOOKED_AT = 2_000
AGREED = 0.8


@dataclass(frozen=True)
class Delivered:
    """What was delivered, ready to be read.

    `layout` is how the delivery is written (what a contract says); `reading` is how the engine reads
    the prepared files; `columns` are the delivered names in order, each different from the others
    also without regard to case. `lines`, `quoted`, `labels`, `numbered`, `above` and `notices` as in `Prepared`.
    `empty`: names for columns at the end that hold nothing and are left out. `last`: how texts with delimiters end.
    `headings`: the columns as they are spelled.
    """

    places: tuple[Path, ...]
    layout: Layout
    reading: Layout
    columns: tuple[str, ...]
    lines: int
    quoted: bool
    labels: Mapping[str, Label] = field(default_factory=dict)
    numbered: tuple[Numbered, ...] = ()
    above: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    last: tuple[Last, ...] = ()
    headings: tuple[Heading, ...] = ()

    def source(self, *, rejects: str | None = None) -> Landed:
        """The source an engine loads; `rejects` names the table for lines that do not split."""
        return Landed(self.places, self.reading, self.columns, rejects, self.empty)


def sniff(prepared: Prepared, sealer: Sealer, *, contract: Contract | None = None) -> Delivered:
    """Find layout and delivered column names of prepared files.

    Raises DeliveryRefusal when no table shows, when it holds no row, or when the files of one
    delivery differ in layout.
    """
    seen = [_sniff_one(place, prepared, sealer=sealer, contract=contract) for place in prepared.places]
    if any(other != seen[0] for other in seen):
        raise DeliveryRefusal(
            "The files of the delivery differ in their columns",
            why="All files of one delivery are read as one table, column by column",
            next_step=f"Deliver files of one layout together, the others as a delivery of their own. {ONE_OF}",
        )
    reading, named, empty = seen[0]
    if prepared.lines and prepared.lines <= len(prepared.places) * int(reading.header):
        raise DeliveryRefusal(
            "The delivery has a header and no rows", next_step="Deliver the file again once it holds rows"
        )
    layout = reading
    if prepared.origin is not None:
        layout = Layout(prepared.origin, header=reading.header, sheet=contract.layout.sheet if contract else None)
    dropped = ("Each line ends with a delimiter: the empty last column, which has no heading, is left out",)
    return Delivered(
        prepared.places, layout, reading, tuple(h.name for h in named), prepared.lines, prepared.quoted,
        prepared.labels, prepared.numbered, prepared.above,
        prepared.notices + (dropped if empty else ()) + notices(named, contract), empty,
        last=_lasts(prepared.places, reading, sealer=sealer), headings=named,
    )  # fmt: skip


def _lasts(places: Sequence[Path], reading: Layout, *, sealer: Sealer) -> tuple[Last, ...]:
    """The last rows of texts with delimiters, where they show."""
    found = []
    for place in places if reading.format is Format.CSV else ():
        size = sealer.size(place)
        with sealer.read(place) as source:
            head = source.read(EDGE).decode("utf-8", "replace").splitlines()
            source.seek(max(0, size - EDGE))
            tail = source.read(EDGE)
        _, rows = _rows(head if size <= EDGE else head[:-1], reading.delimiter)
        ended = tail.endswith((b"\n", b"\r"))
        found.append(last_row(
            tail.decode("utf-8", "replace"), rows[int(reading.header) :], delimiter=reading.delimiter, ended=ended
        ))  # fmt: skip
    return tuple(last for last in found if last is not None)


def _sniff_one(
    place: Path, prepared: Prepared, *, sealer: Sealer, contract: Contract | None
) -> tuple[Layout, tuple[Heading, ...], tuple[str, ...]]:
    """How a file is read, its columns, and names for those at its end that are left out."""
    if prepared.parquet:
        return Layout(Format.PARQUET, header=False), _described(_parquet_columns(place, sealer), contract), ()
    lines = _head(place, sealer)
    first = next((line.lstrip() for line in lines if line.strip()), "")
    if not first:
        raise refused("holds blank lines only", "Deliver the file again once it holds rows")
    if first.startswith("<"):
        raise refused("is a web page or XML", "Deliver CSV, fixed-width text, JSON lines, Parquet or .xlsx")
    if first.startswith("{"):
        return Layout(Format.JSONL, header=False), _described(_json_columns(lines), contract), ()
    if first.startswith("["):
        raise refused("is one JSON array", "Write one JSON object per line (JSON lines)")
    given = contract.layout if contract else None
    if given is not None and given.format is Format.FIXED and given.widths:
        reading, rows = given, [cut(line, given.widths) for line in lines[:LOOKED_AT]]
    else:
        reading, rows = _promised(lines, contract) or _text_layout(lines, given)
    known = contract is not None and len(rows[0]) <= len(contract.columns)
    ended = not known and _ended(reading, rows) and _each_ends(place, reading.delimiter, sealer=sealer)
    if ended:
        rows = [row[:-1] if len(row) == len(rows[0]) else row for row in rows]
    reading, columns = _headed(reading, rows, contract=contract)
    if reading.header and not lines[0].strip():  # the engine would take it for the header, and the header for a row
        raise refused("begins with a blank line", "Take out the lines above the header and deliver it again")
    return reading, columns, (unique([*(h.name for h in columns), ""])[-1],) if ended else ()


def _ended(reading: Layout, rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last column of a text with delimiters seems to be a delimiter too many: no heading, no value."""
    width = len(rows[0])
    ends = reading.format is Format.CSV and width > 2 and not rows[0][-1].strip()
    return ends and not any(row[-1].strip() for row in rows if len(row) == width)


def _each_ends(place: Path, delimiter: str, *, sealer: Sealer) -> bool:
    """Whether each line that is not empty ends with the delimiter, so that the column after it holds nothing.

    In a text with values over several lines they do not, and the column stays.
    """
    mark, held, lines, ended = delimiter.encode(), b"", 0, 0
    with sealer.read(place) as source:
        for chunk in chunks(source):
            block = held + chunk
            end = b"\n" if b"\n" in block else b"\r"
            whole, held = block[: block.rfind(end) + 1], block[block.rfind(end) + 1 :]
            lines += whole.count(end)
            ended += whole.count(mark + end) + whole.count(mark + b"\r\n")
    return lines + bool(held) == ended + held.endswith(mark)


def _head(place: Path, sealer: Sealer) -> list[str]:
    with sealer.read(place) as source:
        head = source.read(HEAD)
        whole = not source.read(1)
    lines = head.decode("utf-8", "replace").splitlines()
    return lines if whole or len(lines) < 2 else lines[:-1]


def _parquet_columns(place: Path, sealer: Sealer) -> tuple[str, ...]:
    try:
        with sealer.read(place) as source, pq.ParquetFile(source) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
    except (pa.ArrowInvalid, pa.ArrowException, OSError):
        raise refused("is a damaged, cut or encrypted Parquet file", "Write it again and deliver it") from None
    if rows == 0:
        raise DeliveryRefusal("The delivery has columns and no rows", next_step="Deliver it once it holds rows")
    return tuple(names)


def _json_columns(lines: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    read = 0
    for line in lines[:LOOKED_AT]:
        try:
            value: Any = json.loads(line, object_pairs_hook=_members) if line.strip() else None
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(value, _Members):
            names |= dict.fromkeys(value)
            read += 1
            if len(set(value)) < len(value):
                check_apart(value)
    if not read:
        raise refused("is JSON, but not one object per line", "Write one JSON object per line (JSON lines)")
    return tuple(names)


class _Members(list[str]):
    """The names of an object's members, each as often as it stands there."""


def _members(pairs: Iterable[tuple[str, Any]]) -> _Members:
    return _Members(name for name, _ in pairs)


def _described(names: Sequence[str], contract: Contract | None) -> tuple[Heading, ...]:
    """Columns of a file that names them itself: the engine reads them under these names and no other."""
    check_apart(names)
    headings(names, contract)
    return tuple(Heading(name, name) for name in names)


def _promised(lines: Sequence[str], contract: Contract | None) -> tuple[Layout, list[list[str]]] | None:
    """The contract's own layout when the header holds its columns, however ragged the rows below are."""
    if contract is None or contract.layout.format is not Format.CSV or not contract.layout.header:
        return None
    _, rows = _rows(lines, contract.layout.delimiter)
    there = {*plain(rows[0]), *unique(rows[0])} if rows else set()
    if not there or not {spelled_of(c) for c in contract.columns if not c.optional} <= there:
        return None
    return Layout(Format.CSV, contract.layout.delimiter, contract.layout.quote), rows


def _text_layout(lines: Sequence[str], given: Layout | None) -> tuple[Layout, list[list[str]]]:
    """The delimiter on whose width most rows agree, else a ruler, else one column."""
    wanted = given.delimiter if given and given.format is Format.CSV else None
    best: tuple[float, int, str, list[list[str]]] | None = None
    for delimiter in dict.fromkeys([*([wanted] if wanted else []), *DELIMITERS]):
        share, rows = _rows(lines, delimiter)
        width = len(rows[0]) if rows else 0
        if width > 1 and share >= AGREED and (best is None or (share, width) > best[:2]):
            best = (share, width, delimiter, rows)
    if best is not None:
        return Layout(Format.CSV, delimiter=best[2]), best[3]
    filled = [line for line in lines[:LOOKED_AT] if line.strip()]
    widths = widths_of(filled)
    if len(widths) > 1:
        return Layout(Format.FIXED, widths=widths), [cut(line, widths) for line in filled]
    _refuse_ragged(filled)
    return Layout(Format.CSV), [[line] for line in filled]


def _rows(lines: Sequence[str], delimiter: str) -> tuple[float, list[list[str]]]:
    """Rows by one delimiter, and the share of them as wide as the first.

    Read twice, with values that span lines and with every line by itself: a quotation mark that is
    never closed would take the rest of the head for one value.
    """
    seen = lines[:LOOKED_AT]
    readings = []
    for parts in ([seen], [[line] for line in seen]):
        try:
            rows = [
                row for part in parts for row in csv.reader(part, delimiter=delimiter, skipinitialspace=True) if row
            ]
        except csv.Error:
            continue
        if rows:
            readings.append((sum(len(row) == len(rows[0]) for row in rows) / len(rows), rows))
    return max(readings, key=lambda reading: reading[0], default=(0.0, []))


def _refuse_ragged(lines: Sequence[str]) -> None:
    for delimiter in DELIMITERS[:4]:
        holding = sum(delimiter in line for line in lines)
        if holding > AGREED * len(lines):
            raise DeliveryRefusal(
                "The lines of a file do not agree on how many columns there are",
                why="Titles may stand above the header, or values hold the delimiter without quotation marks",
                next_step="Take out lines above the header and quote such values, or name the layout in a contract",
            )


def _headed(reading: Layout, rows: list[list[str]], *, contract: Contract | None) -> tuple[Layout, tuple[Heading, ...]]:
    width = len(rows[0])
    if contract is not None and not contract.layout.header:
        names = [c.source for c in contract.columns]
        if len(names) != width:
            raise DeliveryRefusal(
                f"A file has {width} columns where the contract for dataset {contract.dataset} names {len(names)}",
                why="The contract says that there is no header, so columns are taken in order",
                next_step="Correct the file or the contract",
            )
        header = False
    else:
        header = contract is not None or is_header(rows[0], rows[1:])
        names = rows[0] if header else [f"column_{i + 1}" for i in range(width)]
    return _with_header(reading, header), headings(names, contract if header else None)


def _with_header(layout: Layout, header: bool) -> Layout:
    return Layout(layout.format, layout.delimiter, layout.quote, header=header, widths=layout.widths)
