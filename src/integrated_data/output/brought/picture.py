"""Pictures: a PNG that holds its pixels and nothing else (W3C, Portable Network Graphics, third edition)."""

import struct
import zlib
from collections.abc import Iterator

from integrated_data.model.output import Finding, Outcome
from integrated_data.output.brought.text import refused

#: Chunks that say how pixels look; all others may carry text or data.
_PLAIN = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD"})

#: Longest such chunk but for palette and pixels, in bytes, and pixels of a picture.
_LONGEST, _MOST_PIXELS = 512, 16_000_000

_DEPTHS = (1, 2, 4, 8, 16)
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

FOR_PEOPLE = Finding(
    "picture", Outcome.REVIEW, "What a picture shows no rule can read: people compare it with the figures behind it"
)


def look_at_picture(content: bytes) -> list[Finding]:
    """What is said of a picture."""
    chunks = list(_chunks(content))
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"] or names[-1:] != [b"IEND"] or len(chunks[0][1]) != 13:
        return [refused("not what it says", "It is not a whole picture, or something follows its end")]
    findings = []
    odd = sorted({n.decode("ascii", "replace") for n, held in chunks if n not in _PLAIN or _long(n, held)})
    if odd:
        reason = f"It carries text or data beside its pixels ({', '.join(odd)}): save it without metadata"
        findings.append(refused("metadata", reason, cells=len(odd)))
    if not _plain_pixels(chunks[0][1], b"".join(held for name, held in chunks if name == b"IDAT")):
        findings.append(refused("embedded data", "Its pixels are not as many as it says, or are interlaced"))
    return [*findings, FOR_PEOPLE]


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks by name; one without a name stands for what is broken, or follows the last."""
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        name, held = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if content[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(name + held)):
            break
        yield name, held
        at += 12 + length
    if at != len(content):
        yield b"", b""


def _long(name: bytes, held: bytes) -> bool:
    return name not in (b"IDAT", b"PLTE") and len(held) > _LONGEST


def _plain_pixels(header: bytes, packed: bytes) -> bool:
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if interlaced or colour not in _SAMPLES or depth not in _DEPTHS or not 0 < width * height <= _MOST_PIXELS:
        return False
    expected = height * (1 + (width * depth * _SAMPLES[colour] + 7) // 8)
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, expected + 1)
    except zlib.error:
        return False
    return len(pixels) == expected and unpacking.eof and not unpacking.unused_data
