"""Sealed files: bytes at rest under AES-256-GCM, in chunks, readable from any position.

Layout: 16-byte header (8 magic, 8 random file id), then chunks of `CHUNK` plain bytes, each
followed by its 16-byte tag; the last chunk may be shorter, and may be empty. A chunk's nonce is
its number with a flag for the last one, under a key derived from the vault's key and the file
id (HKDF-SHA256), so that chunks can neither be moved, swapped between files nor cut off (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
"""

import io
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fsspec.spec import AbstractFileSystem

from integrated_data.model.errors import InstallationRefusal

CHUNK = 1 << 20
TAG = 16
MAGIC = b"IDSEAL01"
HEADER = 16


def _cipher(key: bytes, file_id: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=file_id, info=b"sealed file").derive(key))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class SealedWriter(io.RawIOBase):
    """Seals what is written; the file appears under its name only when closed in order."""

    def __init__(self, key: bytes, place: Path) -> None:
        self._place, self._part = place, place.with_name(place.name + ".part")
        file_id = secrets.token_bytes(8)
        self._cipher = _cipher(key, file_id)
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._file.write(MAGIC + file_id)
        # Two buffers for the life of the file: fresh ones for every chunk cost more than the cipher.
        self._plain, self._sealed = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK + TAG))
        self._filled = 0
        self._number = 0

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, data: Any) -> int:
        """Add plain bytes."""
        added = memoryview(data).cast("B")
        start = 0
        while start < len(added):
            if self._filled == CHUNK:
                self._seal(last=False)
            taken = min(CHUNK - self._filled, len(added) - start)
            self._plain[self._filled : self._filled + taken] = added[start : start + taken]
            self._filled += taken
            start += taken
        return len(added)

    def _seal(self, *, last: bool) -> None:
        sealed = self._sealed[: self._filled + TAG]
        self._cipher.encrypt_into(_nonce(self._number, last), self._plain[: self._filled], None, sealed)
        left = sealed
        while left:
            left = left[self._file.write(left) :]
        self._number += 1
        self._filled = 0

    def close(self) -> None:
        """Seal the rest, flush to disk and give the file its name."""
        if self.closed:
            return
        self._seal(last=True)
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._place)
        super().close()

    def __exit__(self, kind: object, *_rest: object) -> None:
        """Close in order; after an error the unfinished file is removed instead."""
        if kind is None:
            self.close()
            return
        self._file.close()
        self._part.unlink(missing_ok=True)
        super().close()


class SealedReader(io.RawIOBase):
    """Reads plain bytes of a sealed file from any position; a changed byte is an error."""

    def __init__(self, key: bytes, place: Path) -> None:
        self._file = place.open("rb", buffering=0)
        head = self._file.read(HEADER)
        if head[:8] != MAGIC:
            raise InstallationRefusal("A sealed file does not begin as one", next_step="Restore it from a backup")
        self._cipher = _cipher(key, head[8:])
        self.size = plain_size(place)
        self._last = max(0, (self.size - 1) // CHUNK)
        self._position = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """Position in plain bytes."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position in plain bytes."""
        start = (0, self._position, self.size)[whence]
        self._position = start + offset
        return self._position

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(HEADER + number * (CHUNK + TAG))
            sealed = self._file.read(CHUNK + TAG)
            try:
                plain = self._cipher.decrypt(_nonce(number, number == self._last), sealed, None)
            except InvalidTag:
                raise InstallationRefusal(
                    "A sealed file does not open",
                    why="It was changed, cut short, or sealed under another vault key",
                    next_step="Restore the file, or the vault key, from a backup",
                ) from None
            self._held = (number, plain)
        return self._held[1]

    def first(self) -> None:
        """Open the first chunk; refuses where it does not."""
        self._chunk(0)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` plain bytes (all that are left, below 0), with no copy beyond joining chunks."""
        left = self.size - self._position
        wanted = left if size < 0 else min(size, left)
        pieces = []
        while wanted > 0:
            start = self._position % CHUNK
            piece = self._chunk(self._position // CHUNK)[start : start + wanted]
            pieces.append(piece)
            wanted -= len(piece)
            self._position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; returns the bytes read, 0 at the end."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


class PieceReader(SealedReader):
    """A SealedReader for who asks for much at a time and goes on where it gets less: no large copy is made of it."""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` plain bytes, a chunk at most; all that are left, below 0."""
        return super().read(min(size, CHUNK))


def plain_size(place: Path) -> int:
    """Plain size in bytes of a sealed file."""
    body = place.stat().st_size - HEADER
    chunks = max(1, -(-body // (CHUNK + TAG)))
    return body - chunks * TAG


class FileSealer:
    """Sealer over one vault key (see `engine.Sealer`)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, place: Path) -> BinaryIO:
        """See `engine.Sealer.write`."""
        return cast(BinaryIO, SealedWriter(self._key, place))

    def read(self, place: Path) -> BinaryIO:
        """See `engine.Sealer.read`."""
        return cast(BinaryIO, SealedReader(self._key, place))

    def pieces(self, place: Path) -> BinaryIO:
        """As `read`, of which each reading gives a chunk at most."""
        return cast(BinaryIO, PieceReader(self._key, place))

    def opens(self, place: Path) -> bool:
        """Whether a sealed file is under this key."""
        try:
            with SealedReader(self._key, place) as reader:
                reader.first()
        except InstallationRefusal:
            return False
        return True

    def size(self, place: Path) -> int:
        """See `engine.Sealer.size`."""
        return plain_size(place)


class SealedFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Lets an engine that knows fsspec read `sealed://` paths; read only."""

    protocol = "sealed"
    cachable = False

    def __init__(self, sealer: FileSealer) -> None:
        super().__init__()
        self._sealer = sealer

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.partition("://")[2] or path

    def _open(self, path: str, mode: str = "rb", **_options: object) -> BinaryIO:  # noqa: ARG002 - fsspec names it
        return self._sealer.read(Path(self._strip_protocol(path)))

    def info(self, path: str, **_options: object) -> dict[str, object]:
        """Size and type of one file."""
        place = Path(self._strip_protocol(path))
        return {"name": path, "size": plain_size(place), "type": "file"}

    def exists(self, path: str, **_options: object) -> bool:
        """Whether the sealed file is there."""
        return Path(self._strip_protocol(path)).exists()

    def glob(self, path: str, **_options: object) -> list[str]:
        """Paths are exact: no patterns."""
        return [path] if self.exists(path) else []

    def modified(self, path: str) -> Any:
        """When the sealed file was last written."""
        return datetime.fromtimestamp(Path(self._strip_protocol(path)).stat().st_mtime, tz=UTC)

    def created(self, path: str) -> Any:
        """When the sealed file was written."""
        return self.modified(path)


class SealedTextFileSystem(SealedFileSystem):
    """Lets an engine read `sealedtext://` paths from beginning to end, for text with delimiters: DuckDB asks for
    buffers of the longest row and fills them by as many readings as it takes."""

    protocol = "sealedtext"

    def _open(self, path: str, mode: str = "rb", **_options: object) -> BinaryIO:  # noqa: ARG002 - fsspec names it
        return self._sealer.pieces(Path(self._strip_protocol(path)))
