"""Arrays in sealed files of the ledger: one read, one opening of the seal, no copy.

    mark · print of the key · nonce · sealed( length, directory as JSON, arrays one after the other )

Sealed whole (AES-256-GCM, the names of folder and file as associated data), so that none can be read, changed or
exchanged without showing. Files under an earlier key are read while that key is there: while keys are changed.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from integrated_data.model.errors import InstallationRefusal

Arrays = dict[str, NDArray[Any]]

MARK, PRINT, NONCE, LENGTH, ALIGNED = b"ids-ledger-2", 8, 12, 8, 8


class Seal:
    """Writes and reads sealed files. `keys`: 32 bytes each; the first is written with, all are read with."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_print(key): AESGCM(key) for key in keys}
        self._now = _print(keys[0])

    def read(self, place: Path) -> tuple[dict[str, Any], Arrays]:
        """What a file tells about itself, and its arrays, which cannot be written to."""
        plain = memoryview(self._open(place))
        body = LENGTH + int.from_bytes(plain[:LENGTH], "little")
        directory = json.loads(bytes(plain[LENGTH:body]))
        held: Any = plain[body:]
        if directory["squeezed"]:
            held = pa.decompress(pa.py_buffer(held), decompressed_size=directory["size"], codec="zstd")
        arrays = {
            name: np.frombuffer(held, np.dtype(kind), count=length, offset=offset)
            for name, kind, length, offset in directory["arrays"]
        }
        return directory["about"], arrays

    def write(
        self,
        place: Path,
        arrays: Mapping[str, NDArray[Any]],
        *,
        about: Mapping[str, Any] | None = None,
        squeezed: bool = True,
        lasting: bool = True,
    ) -> None:
        """Write arrays of one dimension in one atomic step, whole numbers in as few bytes as hold them.

        `lasting`: to disk before it returns; else whoever calls sees to that.
        """
        directory, parts, offset = [], [], 0
        for name, array in arrays.items():
            held = _narrow(np.ascontiguousarray(array))
            directory.append([name, held.dtype.str, len(held), offset])
            spare = -held.nbytes % ALIGNED
            parts += [held.tobytes(), bytes(spare)]
            offset += held.nbytes + spare
        body = b"".join(parts)
        told = {"about": dict(about or {}), "arrays": directory, "squeezed": squeezed, "size": len(body)}
        head = json.dumps(told).encode()
        head += b" " * (-len(head) % ALIGNED)
        body = pa.compress(body, codec="zstd", asbytes=True) if squeezed else body
        self._seal(place, len(head).to_bytes(LENGTH, "little") + head + body, lasting=lasting)

    def reseal(self, place: Path) -> bool:
        """Seal a file with the key of today; whether it was sealed with another."""
        with place.open("rb") as file:
            if file.read(len(MARK) + PRINT)[len(MARK) :] == self._now:
                return False
        self._seal(place, self._open(place))
        return True

    def _open(self, place: Path) -> bytes:
        sealed = place.read_bytes()
        start = len(MARK) + PRINT + NONCE
        cipher = self._ciphers.get(sealed[len(MARK) : len(MARK) + PRINT])
        try:
            if cipher is None or sealed[: len(MARK)] != MARK:
                raise InvalidTag
            return cipher.decrypt(sealed[start - NONCE : start], memoryview(sealed)[start:], _named(place))
        except InvalidTag:
            raise InstallationRefusal(
                "A file of the release ledger was changed, or sealed with another key",
                why="Comparing with it would let a difference pass",
                next_step="Restore the ledger and its key from their backups",
            ) from None

    def _seal(self, place: Path, plain: bytes, *, lasting: bool = True) -> None:
        nonce = secrets.token_bytes(NONCE)
        sealed = MARK + self._now + nonce + self._ciphers[self._now].encrypt(nonce, plain, _named(place))
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        part.replace(place)


def _print(key: bytes) -> bytes:
    return hashlib.sha256(b"ids-ledger-key" + key).digest()[:PRINT]


def _named(place: Path) -> bytes:
    return f"{place.parent.name}/{place.name}".encode()


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers from 0 in as few bytes as hold them."""
    if not len(array) or array.dtype.kind not in "iu" or array.min() < 0:
        return array
    return array.astype(np.min_scalar_type(int(array.max())), copy=False)
