"""What one pass over the bytes of a file tells: size, checksum, lines, encoding, kind.

Nothing here keeps more than one chunk in memory.
"""

import codecs
import hashlib
from collections.abc import Iterator
from enum import StrEnum
from typing import BinaryIO

#: Bytes that are looked at together: few enough to stay in the processor's cache from one look to the next.
CHUNK = 1 << 16

UTF8, UTF8_MARKED, UTF16, WINDOWS = "utf-8", "utf-8-sig", "utf-16", "windows-1252"


class Wrapping(StrEnum):
    """What the first bytes of a file say it is."""

    TEXT = "text"
    GZIP = "gzip"
    ZIP = "zip"  # also an Excel workbook, which is a zip of XML
    PARQUET = "parquet"
    OLD_EXCEL = "old_excel"
    STATISTICAL = "statistical"  # SPSS, Stata, SAS
    OTHER = "other"


#: First bytes of files that people hand in. Those marked OTHER are known and not read.
SIGNATURES: tuple[tuple[bytes, Wrapping], ...] = (
    (b"\x1f\x8b", Wrapping.GZIP),
    (b"PK\x03\x04", Wrapping.ZIP),
    (b"PK\x05\x06", Wrapping.ZIP),
    (b"PAR1", Wrapping.PARQUET),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Wrapping.OLD_EXCEL),
    (b"$FL2", Wrapping.STATISTICAL),
    (b"$FL3", Wrapping.STATISTICAL),
    (b"<stata_dta>", Wrapping.STATISTICAL),
    *(
        (bytes([release, order, 1]), Wrapping.STATISTICAL)
        for release in (*range(110, 116), 105, 108)
        for order in (1, 2)
    ),
    (bytes(12) + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf", Wrapping.STATISTICAL),
    (b"HEADER RECORD*******LIB", Wrapping.STATISTICAL),
    (b"%PDF", Wrapping.OTHER),
    (b"Rar!", Wrapping.OTHER),
    (b"7z\xbc\xaf\x27\x1c", Wrapping.OTHER),
    (b"BZh", Wrapping.OTHER),
    (b"\xfd7zXZ", Wrapping.OTHER),
    (b"\x28\xb5\x2f\xfd", Wrapping.OTHER),
    (b"\x89PNG", Wrapping.OTHER),
    (b"\xff\xd8\xff", Wrapping.OTHER),
    (b"SQLite format 3", Wrapping.OTHER),
    (b"ORC", Wrapping.OTHER),
)


def wrapping_of(head: bytes) -> Wrapping:
    """What a file is by its first bytes; text that holds zero bytes without being UTF-16 is OTHER."""
    for signature, wrapping in SIGNATURES:
        if head.startswith(signature):
            return wrapping
    if b"\x00" in head and not _is_utf16(head):
        return Wrapping.OTHER
    return Wrapping.TEXT


def _is_utf16(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    even, odd = head[0:4096:2], head[1:4096:2]
    return bool(odd) and (odd.count(0) > 0.9 * len(odd) or even.count(0) > 0.9 * len(even))


class Survey:
    """Facts of a file, gathered chunk by chunk.

    `size`, `sha256`, `lines`, `encoding` (empty for a file that is not text), `mixed`, `quotes`
    and `wrapping` are right once every chunk has been seen.
    """

    def __init__(self) -> None:
        self.size = 0
        self.wrapping = Wrapping.TEXT
        self.quotes = False
        self._hash = hashlib.sha256()
        self._feeds = self._returns = self._pairs = 0
        self._last = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._letters = self._broken = 0
        self._head = b""

    def see(self, chunk: bytes) -> None:
        """Take in the next chunk."""
        if not chunk:
            return
        if self.size == 0:
            self._head = chunk[: 1 << 12]
            self.wrapping = wrapping_of(self._head)
        self.size += len(chunk)
        self._hash.update(chunk)
        if self.wrapping is Wrapping.TEXT:
            self._see_text(chunk)
        self._last = (self._last + chunk[-2:])[-2:]

    def _see_text(self, chunk: bytes) -> None:
        self._feeds += chunk.count(b"\n")
        split = self._last[-1:] == b"\r" and chunk[:1] == b"\n"
        if split or b"\r" in chunk:
            self._returns += chunk.count(b"\r")
            self._pairs += chunk.count(b"\r\n") + split
        self.quotes = self.quotes or b'"' in chunk
        if not chunk.isascii() or self._utf8.getstate()[0]:
            text = self._utf8.decode(chunk)
            whole = text.encode("utf-32-le", "ignore")  # without what stands for bytes that are no letter
            broken = len(text) - len(whole) // 4
            self._letters += len(text) - len(text.encode("ascii", "ignore")) - broken
            self._broken += broken

    @property
    def sha256(self) -> str:
        """SHA-256 of all bytes, in hex."""
        return self._hash.hexdigest()

    @property
    def encoding(self) -> str:
        """How the text is encoded; empty for a file that is not text.

        What is not valid UTF-8 and not UTF-16 is Windows-1252, which also reads Latin-1; but where most letters beyond
        ASCII are whole in UTF-8, it is that, and damaged: the lines that are not valid go to quarantine.
        """
        if self.wrapping is not Wrapping.TEXT:
            return ""
        if _is_utf16(self._head):
            return UTF16
        broken = self._broken + bool(self._utf8.getstate()[0])
        if self._letters < broken:
            return WINDOWS
        return UTF8_MARKED if self._head.startswith(codecs.BOM_UTF8) else UTF8

    @property
    def lines(self) -> int:
        """Lines of a text file, the last one with or without its end."""
        if self.wrapping is not Wrapping.TEXT or self.size == 0:
            return 0
        ends = self._feeds if self._feeds else self._returns
        return ends + (self._last.strip(b"\x00")[-1:] not in (b"\n", b"\r"))

    @property
    def mixed(self) -> bool:
        """Whether lines end in more than one way (LF, CRLF, CR)."""
        ways = (self._feeds - self._pairs > 0, self._pairs > 0, self._returns - self._pairs > 0)
        return sum(ways) > 1


def chunks(file: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """The bytes of a file, in chunks of at most `size`."""
    while chunk := file.read(size):
        yield chunk
