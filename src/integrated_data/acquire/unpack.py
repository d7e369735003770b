"""Streams of plain bytes out of packed or otherwise encoded files; memory of one chunk.

What would grow without measure is refused (`Growth`), and nothing is ever written under a name
that an archive gives.
"""

import codecs
import fnmatch
import gzip
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from integrated_data.acquire.bytes import CHUNK, chunks
from integrated_data.engine import Sealer
from integrated_data.model.errors import DeliveryRefusal

#: Unpacked bytes at which a delivery is refused as too large, and the growth that is suspicious
#: once `GROWTH_FROM` bytes have come out (deflate reaches 1,032; real tables stay far below 200).
MOST_BYTES = 1 << 42
MOST_GROWTH = 200
GROWTH_FROM = 1 << 28
MOST_MEMBERS = 10_000

#: Windows-1252, and Latin-1 for the five bytes that it leaves undefined.
_WINDOWS = "".join(bytes([b]).decode("cp1252", "replace").replace("\ufffd", chr(b)) for b in range(256))


def refused(state: str, next_step: str) -> DeliveryRefusal:
    """A refusal of one file of a delivery: what it is or does, and what to do."""
    return DeliveryRefusal(f"A file of the delivery {state}", next_step=next_step)


def check_growth(plain: int, packed: int) -> None:
    """Refuse what unpacks to more than a table of `packed` bytes ever would."""
    if plain > MOST_BYTES or (plain > GROWTH_FROM and plain > MOST_GROWTH * packed):
        raise DeliveryRefusal(
            "A file of the delivery unpacks to far more than a table would",
            why=f"It grows more than {MOST_GROWTH} times or beyond {MOST_BYTES >> 40} TiB",
            next_step="Deliver it unpacked, or in smaller files",
        )


def _measured(source: BinaryIO, packed: int) -> Iterator[bytes]:
    out = 0
    for chunk in chunks(source):
        out += len(chunk)
        check_growth(out, packed)
        yield chunk


def gunzipped(sealer: Sealer, place: Path) -> Iterator[bytes]:
    """The plain bytes of a gzip file, all its members after one another."""
    try:
        with sealer.read(place) as source, gzip.GzipFile(fileobj=io.BufferedReader(_raw(source), CHUNK)) as plain:
            yield from _measured(cast(BinaryIO, plain), sealer.size(place))
    except EOFError:
        raise refused("is cut short", "Its gzip packing has no end; deliver it again whole") from None
    except (gzip.BadGzipFile, zlib.error):
        raise refused("is damaged", "Its gzip packing does not open; pack and deliver it again") from None


def _raw(source: BinaryIO) -> io.RawIOBase:
    return cast(io.RawIOBase, source)


def archive(sealer: Sealer, place: Path, *, source: BinaryIO) -> zipfile.ZipFile:
    """A zip file opened for reading; refuses a damaged or suspicious one."""
    try:
        opened = zipfile.ZipFile(io.BufferedReader(_raw(source), 1 << 16))
    except zipfile.BadZipFile:
        raise refused("is damaged or cut short", "Its zip packing does not open; deliver it again") from None
    inside = opened.infolist()
    if len(inside) > MOST_MEMBERS:
        raise refused(f"packs more than {MOST_MEMBERS} files", "Deliver them in several archives")
    check_growth(sum(m.file_size for m in inside), sealer.size(place))
    return opened


def members(opened: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, ...]:
    """The files of an archive that may hold a table; refuses encrypted ones, those that lead elsewhere, and none."""
    found = []
    for member in opened.infolist():
        last = member.filename.rsplit("/", 1)[-1]
        if member.is_dir() or member.filename.startswith("__MACOSX/") or last.startswith("."):
            continue
        if _escapes(member):
            raise refused(
                "is a zip with a member whose name leads out of its folder, or that is a link",
                "Nothing is ever written under such a name; pack the tables themselves, by plain names",
            )
        if member.flag_bits & 1:
            raise refused("is a zip with a password", "Pack it without one: it is sealed where it lands")
        if member.file_size:
            found.append(member)
    if not found:
        raise refused("is a zip that holds no file", "Pack the table and deliver it again")
    return tuple(found)


def named(found: tuple[zipfile.ZipInfo, ...], name: str) -> tuple[zipfile.ZipInfo, ...]:
    """Of the files of an archive those of a name, with or without its folder, or of a pattern such as `pay_*.csv`."""
    told = {member: (member.filename, member.filename.rsplit("/", 1)[-1]) for member in found}
    chosen = [member for member in found if name in told[member]]
    chosen = chosen or [m for m in found if any(fnmatch.fnmatchcase(one, name) for one in told[m])]
    if not chosen:
        raise DeliveryRefusal(
            f"The zip has no file {name} that holds anything",
            why="The contract, or --member, names it",
            next_step="Name the file so, or correct layout.member in the contract",
        )
    return tuple(chosen)


def _escapes(member: zipfile.ZipInfo) -> bool:
    """Whether a member's name is absolute or climbs, as the archive writes it, or the member is a symbolic link."""
    name = member.orig_filename.replace("\\", "/")
    return (
        name.startswith("/")
        or re.match(r"[A-Za-z]:", name) is not None
        or ".." in name.split("/")
        or stat.S_ISLNK(member.external_attr >> 16)
    )


def member_bytes(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The plain bytes of one file of an archive."""
    try:
        with opened.open(member) as plain:
            yield from _measured(cast(BinaryIO, plain), max(1, member.compress_size))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        raise refused("is damaged", "A file in its zip does not unpack; pack and deliver it again") from None


def recoded(sealer: Sealer, place: Path, *, encoding: str) -> Iterator[bytes]:
    """UTF-8 without a mark, every line ended by LF."""
    newline = io.IncrementalNewlineDecoder(None, translate=True)
    with sealer.read(place) as source:
        for text in _decoded(source, encoding):
            yield newline.decode(text).encode("utf-8", "surrogateescape")
        yield newline.decode("", final=True).encode()


def _decoded(source: BinaryIO, encoding: str) -> Iterator[str]:
    if encoding == "windows-1252":
        for chunk in chunks(source):
            yield codecs.charmap_decode(chunk, "strict", _WINDOWS)[0]
        return
    head = source.read(2)
    source.seek(0)
    if encoding == "utf-16" and head not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16-be" if head[:1] == b"\x00" else "utf-16-le"
    damage = "replace" if encoding.startswith("utf-16") else "surrogateescape"  # which stays, for the reader to find
    decoder = codecs.getincrementaldecoder(encoding)(damage)
    for chunk in chunks(source):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def is_workbook(sealer: Sealer, place: Path) -> bool:
    """Whether a sealed zip file is an Excel workbook."""
    with sealer.read(place) as source, archive(sealer, place, source=source) as opened:
        return "xl/workbook.xml" in opened.namelist()
