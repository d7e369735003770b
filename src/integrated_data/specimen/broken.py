"""Twenty ways in which a delivered file is broken: each makes it from the text of a good one, and names its ending."""

import gzip
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

Broken = Callable[[bytes], tuple[str, bytes]]

#: Bytes that unpack to far more than a table: the length of a run of one character, packed.
_BOMB = 300_000_000


def _zip(*members: tuple[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            entry = zipfile.ZipInfo(name, date_time=(2021, 6, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _head(text: bytes) -> bytes:
    return text.split(b"\n", 1)[0] + b"\n"


def _unclosed(text: bytes) -> bytes:
    """A quotation mark that opens early in the file and never closes."""
    head, rest = text.split(b"\n", 1)
    return head + b'\nE06000001,"2020-01-01,F,0-15,1' + b",1" * (head.count(b",") - 4) + b"\n" + rest


def _ragged(text: bytes) -> bytes:
    """Lines of which each has its own number of columns."""
    lines = text.splitlines()
    return b"\n".join(line + b",x" * (i % 7) for i, line in enumerate(lines)) + b"\n"


def _locked(text: bytes) -> bytes:
    """A zip whose member says that it has a password."""
    packed = bytearray(_zip(("a.csv", text)))
    packed[6] |= 1
    at = packed.rindex(b"PK\x01\x02")
    packed[at + 8] |= 1
    return bytes(packed)


#: By name, how it is made.
BROKEN: Mapping[str, Broken] = {
    "empty": lambda _: (".csv", b""),
    "header only": lambda text: (".csv", _head(text)),
    "blank lines": lambda _: (".csv", b"\n" * 400),
    "web page": lambda _: (".csv", b"<!DOCTYPE html><html><body>Sign in to download</body></html>\n"),
    "XML": lambda _: (".csv", b'<?xml version="1.0"?><rows><row><count>1</count></row></rows>\n'),
    "one JSON array": lambda _: (
        ".json",
        b'[\n{"area": "E06000001", "count": 1},\n{"area": "E06000002", "count": 2}\n]\n',
    ),
    "PDF": lambda text: (".csv", b"%PDF-1.7\n" + text),
    "picture": lambda text: (".csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + text),
    "old Excel": lambda text: (".xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + text),
    "noise": lambda _: (".csv", bytes(range(256)) * 40),
    "gzip cut short": lambda text: (".csv.gz", gzip.compress(text, mtime=0)[:-40]),
    "gzip of nothing": lambda _: (".csv.gz", gzip.compress(b"", mtime=0)),
    "zip cut short": lambda text: (".zip", _zip(("a.csv", text))[:-60]),
    "zip in a zip": lambda text: (".zip", _zip(("inner.zip", _zip(("a.csv", text))))),
    "zip with a password": lambda text: (".zip", _locked(text)),
    "zip of nothing": lambda _: (".zip", _zip(("a.csv", b""))),
    "zip that swells": lambda text: (".zip", _zip(("a.csv", _head(text) + b"0" * _BOMB))),
    "Parquet cut short": lambda _: (".parquet", _parquet(pa.table({"count": list(range(500))}))[:-200]),
    "quotation mark not closed": lambda text: (".csv", _unclosed(text)),
    "ragged lines": lambda text: (".csv", _ragged(text)),
}
