"""Manifests: what a sender says of the files it sends, held against the bytes that landed.

Read are the lists that `sha256sum` writes (as BagIt's `manifest-sha256.txt` does, RFC 8493), BSD's `SHA256 (name) = …`,
and JSON: a list `files` of objects with `name`, `sha256` and, where told, `bytes`. A name counts by its last part: a
manifest leads to no file. Names may hold personal values, so files are told of by their place in the delivery.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from integrated_data.model.delivery import LandedFile, Promised
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.vocabulary.nested import load_json

#: A manifest is short: larger files are none.
LARGEST = 1 << 24

_SUMS = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_BSD = re.compile(r"SHA256 \((.+)\) = ([0-9a-fA-F]{64})")


def read(place: Path) -> tuple[Promised, ...]:
    """What the manifest in a file promises, file by file.

    Raises DeliveryRefusal where it cannot be read, holds no checksum, or names a file twice.
    """
    try:
        data = place.read_bytes() if place.stat().st_size <= LARGEST else b""
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise _refused("The manifest cannot be read", "It is not there, or no text") from None
    promised = _of_json(text) if text.lstrip().startswith(("{", "[")) else _of_lines(text)
    if not promised:
        raise _refused("The manifest names no file", "It holds no checksum")
    names = [one.name for one in promised]
    if len(set(names)) != len(names):
        raise _refused("The manifest names a file twice", "Files of one delivery have different names")
    return promised


def check(promised: Sequence[Promised], *, names: Sequence[str], landed: Sequence[LandedFile]) -> None:
    """Refuse what landed of files of these `names` where it is not, file by file, what was promised; sizes in bytes.

    Raises DeliveryRefusal for a file that the manifest does not name, one that it names and that did not come, and
    one whose bytes differ.
    """
    by_name = {one.name: one for one in promised}
    for number, (name, one) in enumerate(zip(names, landed, strict=True), 1):
        which = f"File {number} of the delivery"
        told = by_name.pop(name, None)
        if told is None:
            raise _refused(f"{which} is not in the manifest", "A manifest names every file of its delivery")
        if told.size is not None and told.size != one.size:
            why = f"It has {one.size:,} bytes, where {told.size:,} were promised"
            raise _refused(f"{which} does not have the size that its manifest says", why)
        if told.sha256 != one.sha256:
            raise _refused(
                f"{which} does not match the checksum of its manifest", "It was changed or cut on its way, or before"
            )
    if by_name:
        raise _refused(
            f"{len(by_name)} of the {len(promised)} files that the manifest names did not come",
            "A delivery is all of the files of its manifest",
        )


def _of_lines(text: str) -> tuple[Promised, ...]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        sums, bsd = _SUMS.fullmatch(line.rstrip()), _BSD.fullmatch(line.strip())
        if sums is None and bsd is None:
            raise _refused(f"Line {number} of the manifest cannot be read", "It is no SHA-256 checksum with a name")
        sha256, name = (sums[1], sums[2]) if sums is not None else (bsd[2], bsd[1]) if bsd is not None else ("", "")
        found.append(Promised(_plain(name), sha256.lower()))
    return tuple(found)


def _of_json(text: str) -> tuple[Promised, ...]:
    try:
        held: Any = load_json(text)
    except ValueError:
        raise _refused("The manifest cannot be read", "It is no valid JSON") from None
    entries = held.get("files") if isinstance(held, dict) else held
    if not isinstance(entries, list):
        raise _refused("The manifest cannot be read", "It has no list of files")
    return tuple(_entry(entry, number) for number, entry in enumerate(entries, 1))


def _entry(entry: Any, number: int) -> Promised:
    told = entry if isinstance(entry, dict) else {}
    name, sha256, size = told.get("name"), told.get("sha256"), told.get("bytes")
    whole = size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)
    if not isinstance(name, str) or not name or not re.fullmatch("[0-9a-fA-F]{64}", str(sha256)) or not whole:
        raise _refused(
            f"Entry {number} of the manifest cannot be read", "It needs name, sha256 (64 hex digits), and bytes if told"
        )
    return Promised(_plain(name), str(sha256).lower(), size)


def _plain(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _refused(what: str, why: str) -> DeliveryRefusal:
    return DeliveryRefusal(what, why=why, next_step="Ask the sender for the files and their manifest again")
