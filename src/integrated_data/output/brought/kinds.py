"""Kinds of files: which may be brought, which are refused by default and why, and what a file really is.

What a file is follows from its first bytes ("magic numbers"; those of each format's own specification), never
from its name alone: the two must agree.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath

#: What may be brought, by the end of its name.
TEXT, TABLE, WORKBOOK, PICTURE, DRAWING = "text", "table", "workbook", "picture", "drawing"

KINDS: Mapping[str, str] = {
    "csv": TABLE, "tsv": TABLE, "xlsx": WORKBOOK, "png": PICTURE, "svg": DRAWING, "txt": TEXT, "md": TEXT, "py": TEXT,
    "r": TEXT, "sql": TEXT,
}  # fmt: skip

_ARCHIVE = "an archive: bring each file by itself"
_MODEL = "a model: it can hold the rows that it was fitted to; bring its estimates as a table"
_DATA = "a store of rows: bring a table that people can read"
_MACROS = "a document that runs macros: bring its values as .xlsx or .csv"
_OLD = "a document of an old or compound kind, whose parts cannot be looked at: bring .xlsx, .csv or .txt"
_PAGE = "a page or notebook: it can hold scripts and the rows behind its results; bring tables and pictures apart"
_PICTURE = "a picture of a kind whose hidden parts cannot be looked at: draw it as .png or .svg"
_PROGRAM = "a program"

#: Ends of names that are refused, and why.
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "jar", "whl", "lz4"), _ARCHIVE),
    **dict.fromkeys(
        ("pkl", "pickle", "joblib", "rds", "rda", "rdata", "onnx", "safetensors", "pt", "pth", "h5", "hdf5", "keras",
         "npy", "npz", "model", "bin", "pmml", "dill"), _MODEL,
    ),
    **dict.fromkeys(
        ("parquet", "arrow", "feather", "ipc", "sqlite", "db", "duckdb", "dta", "sav", "sas7bdat", "avro", "orc",
         "json", "jsonl", "ndjson", "xml", "yaml", "yml"), _DATA,
    ),
    **dict.fromkeys(("xlsm", "xltm", "xlsb", "docm", "pptm", "xlam"), _MACROS),
    **dict.fromkeys(("xls", "doc", "ppt", "docx", "pptx", "odt", "ods", "odp", "rtf", "msg"), _OLD),
    **dict.fromkeys(("ipynb", "html", "htm", "rmd", "qmd", "mhtml"), _PAGE),
    **dict.fromkeys(("pdf", "jpg", "jpeg", "gif", "tif", "tiff", "webp", "bmp", "eps", "ps", "emf", "svgz"), _PICTURE),
    **dict.fromkeys(("exe", "dll", "so", "sh", "bat", "js", "com", "vbs", "ps1", "class", "pyc"), _PROGRAM),
}  # fmt: skip

#: What files begin with: place of the bytes, the bytes, what it is.
_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "png"), (0, b"PK\x03\x04", "zip"), (0, b"PK\x05\x06", "zip"), (0, b"\x1f\x8b", "gz"),
    (0, b"BZh", "bz2"), (0, b"\xfd7zXZ\x00", "xz"), (0, b"\x28\xb5\x2f\xfd", "zst"), (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"), (257, b"ustar", "tar"), (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (0, b"%PDF-", "pdf"), (0, b"\xff\xd8\xff", "jpg"), (0, b"GIF8", "gif"), (0, b"II*\x00", "tif"),
    (0, b"MM\x00*", "tif"), (8, b"WEBP", "webp"), (0, b"BM", "bmp"), (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow"), (0, b"SQLite format 3\x00", "sqlite"), (8, b"DUCK", "duckdb"), (0, b"\x89HDF", "h5"),
    (0, b"\x93NUMPY", "npy"), (0, b"RDX", "rdata"), (0, b"X\n\x00\x00\x00", "rds"), (0, b"MZ", "exe"),
    (0, b"\x7fELF", "so"), (0, b"{\\rtf", "rtf"), (0, b"Obj\x01", "avro"), (0, b"ORC", "orc"),
)  # fmt: skip

#: Kinds that are text themselves; a text may begin with the letters of any other, as ORCID does.
_TEXTS = ("pdf", "rtf")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x80-\xff]")

#: Protocols of Python's pickle that begin with a mark of their own.
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in (2, 3, 4, 5))


def suffix(name: str) -> str:
    """The end of a file's name, in small letters without its dot."""
    return PurePath(name).suffix.lower().removeprefix(".")


def beginning(content: bytes) -> str:
    """What a file begins like, as the usual end of its name; empty where it begins like nothing that is known."""
    if content.startswith(_PICKLES):
        return "pkl"
    if (
        len(content) > 8
        and b"\x00" in content[:8]
        and content[8:9] == b"{"
        and int.from_bytes(content[:8], "little") < len(content)
    ):
        return "safetensors"
    found = next((kind for at, mark, kind in _BEGINNINGS if content[at : at + len(mark)] == mark), "")
    return found if found in _TEXTS or _CONTROLS.search(content[:512]) else ""
