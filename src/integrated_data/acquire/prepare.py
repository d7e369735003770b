"""Prepare: a sealed copy is made only of a file that the engine cannot read as it landed.

Unpacked: gzip, zip (each member, or each that is named, a file of the same layout), Excel workbooks (one sheet),
files of SPSS, Stata and SAS. Written anew: maps (a feature a line), text in another encoding than UTF-8 without a byte
order mark, and text whose lines end in more than one way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from integrated_data.acquire.around import Around, around_lines
from integrated_data.acquire.bytes import SIGNATURES, UTF8, Survey, Wrapping, chunks, wrapping_of
from integrated_data.acquire.carried import carried
from integrated_data.acquire.features import feature_lines, is_map
from integrated_data.acquire.labels import Label
from integrated_data.acquire.unpack import (
    archive,
    gunzipped,
    is_workbook,
    member_bytes,
    members,
    named,
    recoded,
    refused,
)
from integrated_data.engine import Sealer
from integrated_data.model.contract import Format
from integrated_data.model.delivery import LandedFile
from integrated_data.model.errors import DeliveryRefusal

#: Where records are not numbered by the lines of their text: pairs of a record's number, from 1 with the header, and
#: its number where it was delivered (the row of a sheet, the case of a file); those after it count on.
Numbered = tuple[tuple[int, int], ...]


#: What to do where a zip holds more than its table.
ONE_OF = "Of a zip, name the file that holds the table: ids contract infer FILE --member NAME"
#: Bytes of either end of a text in which what stands around its table is looked for.
EDGE = 1 << 16


@dataclass(frozen=True)
class Prepared:
    """Sealed files an engine can read, all of one layout.

    `lines` counts their physical lines (0 for Parquet); `quoted`: a double quotation mark occurs,
    so that a value may span lines; `parquet`: they are Parquet and not text; `origin`: the format of what they were
    written from, an Excel sheet or a statistical package's file; `labels`: what the files say of their own columns, by
    delivered name.
    `numbered`, for each place: how its records are numbered where they were delivered, as `Numbered` says.
    `above`, for each place: lines that stood above its table and were left out; `notices`: what is told of the files.
    """

    places: tuple[Path, ...]
    lines: int
    quoted: bool
    parquet: bool = False
    origin: Format | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    numbered: tuple[Numbered, ...] = ()
    above: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()


class Package(Protocol):
    """A file of a statistical package (see `acquire.statistical`)."""

    def lines(self) -> Iterator[bytes]:
        """UTF-8 CSV with a header and LF line ends; refuses a damaged file."""
        ...

    @property
    def format(self) -> Format:
        """Which package wrote it."""
        ...

    @property
    def labels(self) -> Mapping[str, Label]:
        """What the file says of its columns, once `lines` has come to its end."""
        ...


class Foreign(Protocol):
    """Reads sealed files of formats that need a library of their own: handed in, for those are heavy, and few
    deliveries need them."""

    def package(self, sealer: Sealer, place: Path) -> Package:
        """The file of a statistical package."""
        ...

    def sheet_lines(
        self, sealer: Sealer, place: Path, *, sheet: str | None, numbered: list[tuple[int, int]], told: list[str]
    ) -> Iterator[bytes]:
        """One sheet of a workbook (see `acquire.workbook`)."""
        ...


@dataclass(frozen=True)
class _Means:
    """What files are made readable with."""

    sealer: Sealer
    foreign: Foreign
    sheet: str | None
    member: str | None


@dataclass(frozen=True)
class _Piece:
    place: Path
    lines: int = 0
    quoted: bool = False
    parquet: bool = False
    origin: Format | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    numbered: Numbered = ()
    above: int = 0
    notices: tuple[str, ...] = ()


def prepare(
    files: Sequence[LandedFile],
    folder: Path,
    *,
    sealer: Sealer,
    foreign: Foreign,
    sheet: str | None = None,
    member: str | None = None,
) -> Prepared:
    """Make landed files readable; `folder` is where they landed and where copies are put.

    `sheet` names the sheet of an Excel workbook (otherwise its only visible sheet with rows), `member` the file of a
    zip, or several by a pattern (otherwise all of them). Doing it twice leaves the same.
    Raises DeliveryRefusal with the reason for a file that cannot be read.
    """
    means = _Means(sealer, foreign, sheet, member)
    pieces = [piece for file in files for piece in _pieces(file, folder, means=means)]
    if len({piece.parquet for piece in pieces}) > 1:
        raise DeliveryRefusal(
            "The delivery mixes Parquet with other files", next_step=f"Deliver files of one layout together. {ONE_OF}"
        )
    return Prepared(
        tuple(p.place for p in pieces),
        sum(p.lines for p in pieces),
        any(p.quoted for p in pieces),
        parquet=pieces[0].parquet,
        origin=next((p.origin for p in pieces if p.origin), None),
        labels=_merged([p.labels for p in pieces]),
        numbered=tuple(p.numbered for p in pieces),
        above=tuple(p.above for p in pieces),
        notices=tuple(notice for p in pieces for notice in p.notices),
    )


def _merged(labels: Sequence[Mapping[str, Label]]) -> dict[str, Label]:
    """Labels of several files: those of the first that has them, whole where they are in every file."""
    names = dict.fromkeys(name for found in labels for name in found)
    first = {name: next(found[name] for found in labels if name in found) for name in names}
    return {
        name: replace(label, whole=all(name in found and found[name].whole for found in labels))
        for name, label in first.items()
    }


def _pieces(file: LandedFile, folder: Path, *, means: _Means) -> list[_Piece]:
    sealer, place = means.sealer, folder / file.place
    if file.encoding == UTF8 and not file.mixed and not is_map(sealer, place):
        return [_table_of(_Piece(place, file.lines, file.quotes), sealer=sealer)]
    with sealer.read(place) as source:
        wrapping = wrapping_of(source.read(1 << 12))
    stem = file.place.removesuffix(".sealed")
    if wrapping is Wrapping.GZIP:
        return [_unpacked(gunzipped(sealer, place), folder / f"{stem}.0.sealed", means=means)]
    if wrapping is Wrapping.ZIP and not is_workbook(sealer, place):
        return _unzipped(place, stem, means=means)
    return [_readable(_surveyed(sealer, place), place, means=means)]


def _unzipped(place: Path, stem: str, *, means: _Means) -> list[_Piece]:
    with means.sealer.read(place) as source, archive(means.sealer, place, source=source) as opened:
        inside = members(opened)
        chosen = named(inside, means.member) if means.member else inside
        try:
            pieces = [
                _unpacked(member_bytes(opened, member), place.with_name(f"{stem}.{i}.sealed"), means=means)
                for i, member in enumerate(chosen)
            ]
        except DeliveryRefusal as refusal:
            if len(chosen) == 1:
                raise
            raise DeliveryRefusal(refusal.what, why=refusal.why, next_step=f"{refusal.next_step}. {ONE_OF}") from None
    if len(chosen) < len(inside):
        read = f"{len(chosen)} {'is' if len(chosen) == 1 else 'are'} read, as the contract or --member says"
        pieces[0] = replace(pieces[0], notices=(f"Of {len(inside)} files in the zip {read}", *pieces[0].notices))
    return pieces


def _unpacked(plain: Iterable[bytes], target: Path, *, means: _Means) -> _Piece:
    survey = _copied(plain, target, sealer=means.sealer)
    if survey.wrapping in (Wrapping.GZIP, Wrapping.ZIP) and not (
        survey.wrapping is Wrapping.ZIP and is_workbook(means.sealer, target)
    ):
        target.unlink()
        raise refused("is an archive inside an archive", "Pack the tables once, not twice")
    piece = _readable(survey, target, means=means)
    if piece.place != target:
        target.unlink()
    return piece


def _readable(survey: Survey, place: Path, *, means: _Means) -> _Piece:
    """The file itself when an engine reads it, else a copy that it reads."""
    sealer, target = means.sealer, place.with_name(place.name.replace(".sealed", ".utf8.sealed"))
    match survey.wrapping:
        case Wrapping.PARQUET:
            return _Piece(place, parquet=True, labels=_carried(sealer, place))
        case Wrapping.ZIP:
            rows, told = list[tuple[int, int]](), list[str]()
            read = means.foreign.sheet_lines(sealer, place, sheet=means.sheet, numbered=rows, told=told)
            copied = _copied(read, target, sealer=sealer)
            return _Piece(
                target, copied.lines, copied.quotes, origin=Format.EXCEL, numbered=tuple(rows), notices=tuple(told)
            )  # fmt: skip
        case Wrapping.STATISTICAL:
            package = means.foreign.package(sealer, place)
            copied = _copied(package.lines(), target, sealer=sealer)
            return _Piece(
                target, copied.lines, copied.quotes, origin=package.format, labels=package.labels, numbered=((1, 0),)
            )  # fmt: skip
        case Wrapping.OLD_EXCEL:
            raise refused("is an old Excel or Word file", "Save the table as .xlsx or CSV")
        case Wrapping.TEXT:
            if survey.size == 0:
                raise refused("is empty", "It is packed, but holds no bytes; deliver it again once written")
            if is_map(sealer, place):
                copied = _copied(feature_lines(sealer, place), target, sealer=sealer)
                return _Piece(target, copied.lines, copied.quotes, numbered=((1, 1),))
            if survey.encoding == UTF8 and not survey.mixed:
                return _table_of(_Piece(place, survey.lines, survey.quotes), sealer=sealer)
            copied = _copied(recoded(sealer, place, encoding=survey.encoding), target, sealer=sealer)
            return _table_of(_Piece(target, copied.lines, copied.quotes), sealer=sealer)
        case _:
            _refuse_zero_bytes(sealer, place)
            raise refused(
                "is not a table",
                "Deliver CSV, fixed-width text, JSON lines, GeoJSON, Parquet, .xlsx, SPSS, Stata or SAS",
            )


def _table_of(piece: _Piece, *, sealer: Sealer) -> _Piece:
    """A text without what stands around its table (see `acquire.around`): itself where nothing does."""
    size = sealer.size(piece.place)
    with sealer.read(piece.place) as source:
        head = source.read(EDGE)
        source.seek(max(0, size - EDGE))
        tail = source.read(EDGE)
    end = b"\n" if b"\n" in head else b"\r"
    opening, closing = _lines(head, end), _lines(tail, end)
    if len(head) < size:
        opening, closing = opening[:-1], closing[1:]
    found = around_lines(*([line.decode("utf-8", "replace") for line in lines] for lines in (opening, closing)))
    if found is None:
        raise DeliveryRefusal(
            "Lines with one value each stand above a table whose header is not seen",
            why="They seem to be titles; no line below them seems to name the columns",
            next_step="Take out the lines above the header, see that there is one, and deliver it again",
        )
    if found == Around():
        return piece
    first = sum(len(line) + 1 for line in opening[: found.above])
    last = size - sum(len(line) + 1 for line in closing[len(closing) - found.below :]) + (not tail.endswith(end))
    target = piece.place.with_name(piece.place.name.replace(".sealed", ".table.sealed"))
    copied = _copied(_between(piece.place, first, last=last, sealer=sealer), target, sealer=sealer)
    told = found.told(last=piece.lines)
    return _Piece(target, copied.lines, copied.quotes, above=found.above, notices=(told,))


def _lines(text: bytes, end: bytes) -> list[bytes]:
    lines = text.split(end)
    return lines if lines[-1] else lines[:-1]


def _between(place: Path, first: int, *, last: int, sealer: Sealer) -> Iterator[bytes]:
    """The bytes of a sealed file from one place to before another."""
    with sealer.read(place) as source:
        source.seek(first)
        left = last - first
        for chunk in chunks(source):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return


def _refuse_zero_bytes(sealer: Sealer, place: Path) -> None:
    """Refuse text that holds a few zero bytes, by where the first one stands; other bytes are no text at all."""
    with sealer.read(place) as source:
        head = source.read(EDGE)
    strange = sum(head.count(bytes([b])) for b in range(32) if b not in b"\t\n\r")
    if head.count(0) > 0 and strange * 10 < len(head) and not head.startswith(tuple(known for known, _ in SIGNATURES)):
        at = head.index(0)
        line, column = head.count(b"\n", 0, at) + 1, at - head.rfind(b"\n", 0, at)
        raise refused(
            f"is text with zero bytes, the first at byte {column:,} of line {line:,}",
            "Take them out (an editor shows them as NUL), or write the file again from where it comes",
        )


def _carried(sealer: Sealer, place: Path) -> Mapping[str, Label]:
    """The labels in a Parquet file; none of one that is damaged, which is refused when its columns are read."""
    try:
        with sealer.read(place) as source, pq.ParquetFile(source) as file:
            return carried(file.schema_arrow)
    except (pa.ArrowException, OSError):
        return {}


def _surveyed(sealer: Sealer, place: Path) -> Survey:
    survey = Survey()
    with sealer.read(place) as source:
        for chunk in chunks(source):
            survey.see(chunk)
    return survey


def _copied(plain: Iterable[bytes], target: Path, *, sealer: Sealer) -> Survey:
    survey = Survey()
    with sealer.write(target) as sealed:
        for chunk in plain:
            survey.see(chunk)
            sealed.write(chunk)
    return survey
