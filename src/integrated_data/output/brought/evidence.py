"""Files that were refused, kept as evidence: sealed, by hash, never released.

refused/<sha256>.sealed     AES-256-GCM under a service key of its own, the hash as associated data
"""

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from integrated_data.model.errors import OutputRefusal
from integrated_data.output import requested

NONCE = 12


def keep(folder: Path, contents: Iterable[bytes], *, key: bytes) -> list[str]:
    """Seal files under the outputs folder; returns their hashes in order."""
    hashes = []
    for content in contents:
        sha256, nonce = hashlib.sha256(content).hexdigest(), secrets.token_bytes(NONCE)
        place = _place(folder, sha256)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.exists():
            requested.put(place, nonce + AESGCM(key).encrypt(nonce, content, sha256.encode()))
        hashes.append(sha256)
    return hashes


def read(folder: Path, sha256: str, *, key: bytes) -> bytes:
    """A refused file by its hash; refuses what is not there, or not what was kept."""
    requested.check_hash(sha256, shown_by="ids audit")
    place = _place(folder, sha256)
    if not place.exists():
        raise OutputRefusal("No refused file with that hash is kept", next_step="Its event names it: ids audit")
    sealed = place.read_bytes()
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], sha256.encode())
    except InvalidTag:
        raise OutputRefusal(
            "The refused file is not what was kept", next_step="Restore the outputs folder from a backup"
        ) from None


def _place(folder: Path, sha256: str) -> Path:
    return folder / "refused" / f"{sha256}.sealed"
