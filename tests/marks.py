"""Marked people for a search: names, birth dates and numbers that occur nowhere else, and what they may look like.

A mark is looked for as text in any case, with and without spaces, in UTF-8, UTF-16 and base 64, and in what
gzip, zip, Parquet, Arrow and SQLite files hold. A file that cannot be opened (it is encrypted) is looked at
as bytes.
"""

import base64
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

#: In every marked name, street and address of electronic mail, in whatever case it is written.
STEM = "zolquix"
#: Begins every marked NHS number, which is followed by two digits and its check digit.
NUMBER = "4857731"
#: In every marked national insurance number.
INSURED = "485773"
BORN = tuple(date(1907, 11, day) for day in range(2, 8))
#: Deeper than any file that is packed by hand.
DEEPEST = 4


@dataclass(frozen=True)
class Marked:
    """One marked person."""

    given: str
    family: str
    born: date
    nhs: str
    insured: str
    address: str
    email: str


def _nhs(nine: str) -> str | None:
    """The number with its check digit (modulus 11); None where there is none."""
    check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
    return None if check == 10 else nine + str(check % 11)


_NUMBERS = [n for n in (_nhs(f"{NUMBER}{tail:02}") for tail in range(60)) if n is not None]
MARKED = tuple(
    Marked(
        f"Zolquix{given}", f"Zolquix {family}" if n == 3 else f"Zolquix{family}", BORN[n], _NUMBERS[n],
        f"ZX{INSURED}{'ABCD'[n % 4]}", f"{n + 1} Zolquix Drove", f"zolquix{given}@example.org",
    )
    for n, (given, family) in enumerate(
        (("ander", "worth"), ("ina", "by"), ("bert", "ham"), ("wyn", "Vale"), ("etta", "ton"), ("ard", "field"))
    )
)  # fmt: skip


def dates(born: date) -> tuple[str, ...]:
    """A date as people and machines write it."""
    forms = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d%m%Y", "%m/%d/%Y")
    spelt = (f"{born.day} November {born.year}", f"{born:%d} Nov {born.year}", f"{born:%d}-Nov-{born.year}")
    return (*map(born.strftime, forms), *spelt)


def spellings() -> Mapping[str, tuple[str, ...]]:
    """Every text that gives a mark away, by its kind; names by what they share."""
    spaced = {f"{n.nhs[:3]} {n.nhs[3:6]} {n.nhs[6:]}" for n in MARKED} | {f"{n.nhs[:3]}-{n.nhs[3:6]}" for n in MARKED}
    return {
        "name": (STEM, " ".join(STEM)),
        "birth date": tuple(text for born in BORN for text in dates(born)),
        "number": (NUMBER, *sorted(spaced), INSURED, f"{INSURED[:2]} {INSURED[2:4]} {INSURED[4:]}"),
    }


def _folded(text: str) -> tuple[bytes, bytes]:
    """A text in small letters: as it is, and in UTF-16 of either order of bytes."""
    plain = text.lower()
    return plain.encode(), plain.encode("utf-16-le")[:-1]


def _packed(text: str) -> Iterator[bytes]:
    """A text as it stands inside base 64, at any of its three places."""
    for cased in {text.encode(), text.upper().encode(), text.title().encode()}:
        for before in range(3):
            whole = base64.b64encode(b"\0" * before + cased)
            yield whole[-(-before * 8 // 6) : (before + len(cased)) * 8 // 6]


_FOLDED = {kind: tuple({b for t in texts for b in _folded(t)}) for kind, texts in spellings().items()}
_PACKED = {"name": tuple({*_packed(STEM)}), "number": tuple({*_packed(NUMBER), *_packed(INSURED)})}


def kinds(data: bytes) -> set[str]:
    """Which kinds of mark there are in bytes, as they stand."""
    small = data.lower()
    folded = {kind for kind, forms in _FOLDED.items() if any(form in small for form in forms)}
    return folded | {kind for kind, forms in _PACKED.items() if any(form in data for form in forms)}


def found(data: bytes, *, depth: int = 0) -> set[str]:
    """Which kinds of mark there are in bytes and in whatever is packed in them."""
    return kinds(data).union(*(found(part, depth=depth + 1) for part in _inside(data) if depth < DEEPEST))


def _inside(data: bytes) -> Iterator[bytes]:
    """What a file holds that its bytes do not show; nothing for one that cannot be opened."""
    match data[:4]:
        case b"PK\x03\x04":
            yield from _members(data)
        case b"PAR1" if data[-4:] == b"PAR1":
            yield cells(pq.read_table(pa.BufferReader(data)))
        case b"ARRO":
            yield cells(pa.ipc.open_file(pa.BufferReader(data)).read_all())
        case b"\xff\xff\xff\xff":
            yield from _stream(data)
        case b"SQLi":
            yield from _tables(data)
        case start if start[:2] == b"\x1f\x8b":
            yield from _unpacked(data)


def _unpacked(data: bytes) -> Iterator[bytes]:
    """Each member of a gzip file, of one that is cut short what stands before the cut."""
    while data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(31)
        try:
            yield member.decompress(data)
        except zlib.error:
            return
        data = member.unused_data


def _members(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                yield member.filename.encode()
                yield archive.read(member)
    except (zipfile.BadZipFile, RuntimeError, zlib.error):
        return


def _stream(data: bytes) -> Iterator[bytes]:
    try:
        yield cells(pa.ipc.open_stream(pa.BufferReader(data)).read_all())
    except pa.ArrowInvalid:
        return


def cells(table: pa.Table) -> bytes:
    """A table as text: its headings, what is told with its schema, and every value."""
    told = [repr(table.schema.metadata), repr(table.schema)]
    return "\n".join([*told, *{str(value) for column in table.columns for value in column.to_pylist()}]).encode()


def _tables(data: bytes) -> Iterator[bytes]:
    with sqlite3.connect(":memory:") as base:
        changed = bytearray(data)
        changed[18:20] = b"\x01\x01"  # so that a copy that was kept in write-ahead mode opens without its other file
        try:
            base.deserialize(bytes(changed))
            yield "\n".join(base.iterdump()).encode()
        except sqlite3.DatabaseError:
            return


def searched(*folders: Path) -> tuple[dict[str, set[str]], int]:
    """Files under folders in which a mark is found, or in whose name, with its kinds; and bytes looked at.

    A file that is in a folder under two names is opened once.
    """
    hits: dict[str, set[str]] = {}
    looked: dict[int, int] = {}
    for folder in folders:
        for place in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            told, named = place.stat(), str(place.relative_to(folder.parent))
            some = kinds(named.encode())
            if told.st_ino not in looked:
                looked[told.st_ino] = told.st_size
                some |= found(place.read_bytes())
            if some:
                hits[named] = some
    return hits, sum(looked.values())
