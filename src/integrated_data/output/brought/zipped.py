"""The container of a workbook: a zip file that holds nothing but its parts, each of which can be read.

A zip reader goes by the directory at the end, so bytes before, between and after the parts are seen by nobody
(PKWARE, APPNOTE 6.3): a second file can hide there. Here every byte belongs to a part or to the directory.
"""

import io
import struct
import zipfile
import zlib

#: Bytes of all parts together, and how many times a part may be larger than it is packed.
LARGEST, MOST_TIMES = 50_000_000, 200

_LOCAL, _END = 30, 22


class Hidden(Exception):  # noqa: N818 - an answer, caught where the file is looked at
    """Why a zip file is not taken for a workbook's."""


def parts(content: bytes) -> dict[str, bytes]:
    """Every part by name; raises `Hidden` where the file holds anything beside them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = sorted(archive.infolist(), key=lambda i: i.header_offset)
            _check_whole(content, infos)
            if sum(i.file_size for i in infos) > LARGEST:
                raise Hidden(f"Its parts are larger than {LARGEST // 1_000_000} MB once unpacked")
            if any(i.file_size > MOST_TIMES * max(i.compress_size, 1) and i.file_size > 1_000_000 for i in infos):
                raise Hidden("It unpacks to many times its size")
            names = [i.filename for i in infos]
            if len({n.lower() for n in names}) != len(names):
                raise Hidden("Two of its parts have one name")
            return {i.filename: archive.read(i) for i in infos}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, struct.error, ValueError):
        raise Hidden("It cannot be unpacked, or is encrypted") from None


def _check_whole(content: bytes, infos: list[zipfile.ZipInfo]) -> None:
    end = content[-_END:]
    if end[:4] != b"PK\x05\x06" or end[20:] != b"\x00\x00":
        raise Hidden("Something follows its end")
    size, start = struct.unpack("<II", end[12:20])
    if start + size + _END != len(content):
        raise Hidden("Bytes of it belong to no part")
    at = 0
    for info in infos:
        if info.header_offset != at:
            raise Hidden("Bytes of it belong to no part")
        if info.flag_bits & 0x1:
            raise Hidden("A part is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Hidden("A part is packed in an unusual way")
        if info.comment:
            raise Hidden("A part carries a comment")
        name, extra = struct.unpack("<HH", content[at + 26 : at + _LOCAL])
        at += _LOCAL + name + extra + info.compress_size
        if extra and any(content[at - info.compress_size - extra : at - info.compress_size]) and extra > 64:
            raise Hidden("A part carries more than its name")
        if info.flag_bits & 0x8:  # sizes follow the part
            at += 16 if content[at : at + 4] == b"PK\x07\x08" else 12
    if at != start:
        raise Hidden("Bytes of it belong to no part")
