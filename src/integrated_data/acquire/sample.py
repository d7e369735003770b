"""Sample: whole lines from places spread over a delivery, so that inference never reads all of it.

Text files are sampled by bytes: blocks at even distances, cut to whole lines. A block may begin
inside a quoted value and then gives a broken line or two, which the reader rejects. Parquet is
sampled by the engine when it is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from integrated_data.acquire.layout import Delivered
from integrated_data.engine import Landed, Sealer
from integrated_data.model.contract import Format

#: Bytes below which a file is taken whole; else so many blocks of so many bytes.
WHOLE = 8 << 20
BLOCKS = 48
BLOCK = 128 << 10


def sample_of(delivered: Delivered, place: Path, *, sealer: Sealer) -> Landed:
    """A source of at most about 6 MB of rows, from the start, middle and end of every file alike.

    Writes the sealed file `place` unless the delivery is small or Parquet. Rows that do not split
    into columns go to the table `sample_rejects`.
    """
    size = sum(sealer.size(p) for p in delivered.places)
    if size <= WHOLE or delivered.reading.format is Format.PARQUET:
        return delivered.source(rejects=_rejects(delivered))
    share = max(2, BLOCKS // len(delivered.places))
    with sealer.write(place) as sealed:
        for part in delivered.places:
            for lines in _blocks(part, sealer, blocks=share, header=delivered.reading.header):
                sealed.write(lines)
    reading = replace(delivered.reading, header=False)
    return Landed((place,), reading, delivered.columns, _rejects(delivered), delivered.empty)


def _rejects(delivered: Delivered) -> str | None:
    return "sample_rejects" if delivered.reading.format is Format.CSV else None


def _blocks(place: Path, sealer: Sealer, *, blocks: int, header: bool) -> Iterator[bytes]:
    size = sealer.size(place)
    with sealer.read(place) as source:
        for start in _starts(size, blocks):
            source.seek(start)
            block = source.read(BLOCK)
            begin = block.find(b"\n") + 1 if start or header else 0
            end = block.rfind(b"\n") + 1 if start + len(block) < size else len(block)
            lines = block[begin:end] if begin < end else b""
            yield lines if not lines or lines.endswith(b"\n") else lines + b"\n"


def _starts(size: int, blocks: int) -> Sequence[int]:
    """Where blocks begin: evenly from 0 to the last whole block, none overlapping."""
    if size <= blocks * BLOCK:
        return range(0, size, BLOCK)
    step = (size - BLOCK) // max(1, blocks - 1)
    return [i * step for i in range(blocks)]
