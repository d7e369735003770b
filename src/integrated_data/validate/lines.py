"""Lines: on which physical line of a delivered text each record stands.

The engine reads text in parallel and does not say where a row came from. Only where rows were rejected, and only where
counting alone does not tell, are the sealed bytes passed over once, record by record, by the rules by which the engine
splits them: a quotation mark opens a value at its beginning alone, a doubled one is part of it, and what follows the
closing one belongs to the value until the next delimiter or line end, unless another opens after blanks. The pass
proves itself: it must meet every record that the engine rejected, and as many others as there are rows.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from integrated_data.model.contract import Format

CHUNK = 1 << 20

#: Which lines of a text hold no record, by its format.
BLANK = {
    Format.CSV: re.compile(rb"\r?\n|\r"),
    Format.FIXED: re.compile(rb"[ \t]*(\r?\n|\r)?"),
    Format.JSONL: re.compile(rb"\s*"),
}

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Written:
    """How a text is written, as far as its records go.

    `delimiter` and `quote`: of text with delimiters; without a quote each line is a record. `header`: the first record
    names the columns. `blanks`: which lines hold no record, as a pattern (of `BLANK`); none where every line does.
    """

    delimiter: bytes = b","
    quote: bytes = b""
    header: bool = False
    blanks: re.Pattern[bytes] | None = None


@dataclass(frozen=True)
class Run:
    """Records that follow one another, each on one line; or one record, on `lines` lines.

    `line`: the line of the first, from 1; `mark`: its number as the engine counts, from 1: records and blank lines.
    """

    line: int
    mark: int
    count: int = 1
    lines: int = 1


@dataclass(frozen=True)
class Places:
    """Where records stand in one file.

    `rows`: for each row that was asked for, its line and its number among all records of the file, from 1 with the
    header; `rejected`: the same of each rejected record, and on how many lines it stands. `count`: the rows that the
    file gives.
    """

    rows: tuple[Numbers, Numbers]
    rejected: tuple[Numbers, Numbers, Numbers]
    count: int


def places(runs: Iterable[Run], *, header: bool, wanted: Numbers, rejected: Numbers) -> Places:
    """Find records of one file. `header`: the first names the columns; `wanted`: numbers of its rows, from 0, in order;
    `rejected`: numbers of rejected records as the engine counts them, in order, from 1 with the header.
    """
    lines, numbers = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
    broken = [np.zeros((0, 3), np.int64)]
    row, number, done, never = 0, int(header), 0, 1 << 62
    next_rejected, next_wanted = int(rejected[0]) if len(rejected) else never, int(wanted[0]) if len(wanted) else never
    for run in _without_header(runs) if header else runs:
        if next_rejected >= run.mark + run.count and next_wanted >= row + run.count:  # nothing here, most often
            row, number = row + run.count, number + run.count
            continue
        first, last = np.searchsorted(rejected, [run.mark, run.mark + run.count])
        out = rejected[first:last] - run.mark
        rows = run.count - len(out)
        upto = int(np.searchsorted(wanted, row + rows))
        at = wanted[done:upto] - row
        at = at + np.searchsorted(out - np.arange(len(out)), at, side="right")  # over the rejected ones before
        lines[done:upto], numbers[done:upto] = run.line + at, number + 1 + at
        if len(out):
            broken.append(np.stack([run.line + out, number + 1 + out, np.full(len(out), run.lines)], axis=1))
        done, row, number = upto, row + rows, number + run.count
        next_rejected = int(rejected[last]) if last < len(rejected) else never
        next_wanted = int(wanted[done]) if done < len(wanted) else never
    found = np.concatenate(broken)
    return Places((lines, numbers), (found[:, 0], found[:, 1], found[:, 2]), row)


def _without_header(runs: Iterable[Run]) -> Iterator[Run]:
    rest = iter(runs)
    first = next(rest, None)
    if first is not None and first.count > 1:
        yield Run(first.line + 1, first.mark + 1, first.count - 1)
    yield from rest


def runs_of(file: BinaryIO, written: Written, *, chunk: int = CHUNK) -> Iterator[Run]:
    """The records of a text whose lines end in one way only, in one pass and memory of one `chunk`."""
    end = _end_of(file)
    simple = _simple(written, end) if written.quote else None
    line, mark, first = 1, 1, written.header  # which is a record also where it is blank
    begun, held = 1, 0  # of a record whose value goes on over a line end: its line, and how many it has had
    for block in _blocks(file, end, chunk=chunk):
        if not held and _plain(block, written, first=first, end=end):
            count = block.count(end) + (not block.endswith(end))
            yield Run(line, mark, count)
            line, mark, first = line + count, mark + count, False
            continue
        at = 0
        while at < len(block):
            run = simple.match(block, at) if simple is not None and not held else None
            if run is not None and run.end() > at:
                count, at = block.count(end, at, run.end()), run.end()
                yield Run(line, mark, count)
                line, mark, first = line + count, mark + count, False
                continue
            to = block.find(end, at) + 1 or len(block)
            text, at = block[at:to], to
            begun = begun if held else line
            line += 1
            if not held and not first and written.blanks is not None and written.blanks.fullmatch(text):
                mark += 1
                continue
            held, first = held + 1, False
            if not (written.quote and _goes_on(text, written, inside=held > 1)):
                yield Run(begun, mark, lines=held)
                mark, held = mark + 1, 0
    if held:
        yield Run(begun, mark, lines=held)


def _end_of(file: BinaryIO) -> bytes:
    """What ends the lines: CR where no LF is in it."""
    file.seek(0)
    found = b"\r"
    while chunk := file.read(CHUNK):
        if b"\n" in chunk:
            found = b"\n"
            break
        if b"\r" in chunk[:-1]:
            break
    file.seek(0)
    return found


def _blocks(file: BinaryIO, end: bytes, *, chunk: int) -> Iterator[bytes]:
    """The bytes of a file in pieces that end with a line's end, but for the last."""
    rest: list[bytes] = []
    while read := file.read(chunk):
        cut = read.rfind(end) + 1
        if cut:
            yield b"".join([*rest, read[:cut]])
            rest = []
        rest.append(read[cut:])
    if any(rest):
        yield b"".join(rest)


def _simple(written: Written, end: bytes) -> re.Pattern[bytes]:
    """Lines after one another that are a record each, as most are: values without quotation marks, or closed ones."""
    quote, delimiter = re.escape(written.quote), re.escape(written.delimiter)
    others = b"[^" + quote + end + b"]*+"
    quoted = b" *+" + quote + others + b"(?:" + quote * 2 + others + b")*+" + quote + b" *+"
    value = b"(?:" + quoted + b"|[^" + quote + delimiter + end + b"]*+)"
    blank = b"" if written.blanks is None else b"(?!\r?" + end + b")"
    ends = b"\r?\n" if end == b"\n" else end
    return re.compile(b"(?:" + blank + value + b"(?:" + delimiter + value + b")*+" + ends + b")*+")


def _plain(block: bytes, written: Written, *, first: bool, end: bytes) -> bool:
    """Whether every line of a block is a record by itself, seen without looking at each."""
    if written.quote and written.quote in block:
        return False
    if written.blanks is None:
        return True
    follows = block if first else end + block  # the first line of a file, blank or not, is looked at as it is
    return not any(end + begin in follows for begin in (b"\n", b"\r", b" ", b"\t"))


def _goes_on(text: bytes, written: Written, *, inside: bool) -> bool:
    """Whether a value is open at the end of a line of a record; `inside`: it was at the beginning."""
    quote, delimiter, at = written.quote, written.delimiter, 0
    if not inside and quote not in text:
        return False
    while True:
        if not inside:  # at the beginning of a value, or after one that was closed
            begin = at
            while text[begin : begin + 1] == b" ":
                begin += 1
            if text[begin : begin + 1] == quote:
                inside, at = True, begin + 1
        if not inside:
            found = text.find(delimiter, at)
            if found < 0:
                return False
            at = found + len(delimiter)
            continue
        found = text.find(quote, at)
        if found < 0:
            return True
        inside = text[found + 1 : found + 2] == quote
        at = found + 1 + inside
        if inside:
            continue
