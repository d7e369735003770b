"""Zip files whose bytes depend on their content alone, and text as XML can hold it."""

import io
import re
import zipfile
from collections.abc import Sequence

#: The date of every part: the earliest that a zip file can say.
DATED = (1980, 1, 1, 0, 0, 0)

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def pack(parts: Sequence[tuple[str, bytes]], *, first_stored: bool = False) -> bytes:
    """A zip file of named parts in their order. `first_stored`: the first is not compressed (ODS)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(parts):
            info = zipfile.ZipInfo(name, DATED)
            stored = first_stored and number == 0
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def unpack(content: bytes) -> list[tuple[str, bytes]]:
    """The parts of a zip file in their order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def legible(text: str) -> str:
    """A text without the characters that XML cannot hold, each replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)
