"""Identity keys: one vault key per installation, and what is derived from it.

Only `deidentify/` and the loading side's wiring import this module. Derivation is HKDF-SHA256
(RFC 5869); a project's key also needs the project's own salt, so deleting the salt destroys the
key for good, in backups of the data too.
"""

import base64
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrated_data.model.errors import InstallationRefusal

KEY_BYTES = 32


class Vault:
    """Keys of one installation, kept in `folder` (mode 0700) apart from the data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._master = (folder / "vault.key").read_bytes()
        except FileNotFoundError:
            raise InstallationRefusal(
                "The vault key is missing",
                why="Without it nothing in the identified zone can be read",
                next_step="Put vault.key back from its own backup; never make a new one over existing data",
            ) from None
        if len(self._master) != KEY_BYTES:
            raise InstallationRefusal("The vault key is damaged", next_step="Restore it from its backup")

    @classmethod
    def create(cls, folder: Path) -> "Vault":
        """A new vault in `folder`; refuses when there is a key already."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(folder / "vault.key", secrets.token_bytes(KEY_BYTES))
        return cls(folder)

    def derive(self, purpose: str, *, salt: bytes = b"") -> bytes:
        """A 32-byte key for one purpose; the same purpose always gives the same key."""
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=purpose.encode()).derive(self._master)

    def parquet_key(self) -> str:
        """The key of encrypted Parquet files, as the engine takes it (base64 of 32 bytes)."""
        return base64.b64encode(self.derive("parquet")).decode()

    def project_key(self, project: str, *, generation: int = 1) -> bytes:
        """The 32-byte key of one project; made when first asked for. Each rotation is a generation of its own."""
        place = self._salt_place(project, generation)
        if not place.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            _write_new(place, secrets.token_bytes(KEY_BYTES))
        return self.derive(f"project/{project}", salt=place.read_bytes())

    def project_fingerprint(self, project: str, *, generation: int = 1) -> str:
        """What tells a project's key from any other, and nothing of it; empty where there is none."""
        if not self._salt_place(project, generation).exists():
            return ""
        key = self.project_key(project, generation=generation)
        return HKDF(hashes.SHA256(), 8, salt=None, info=b"fingerprint").derive(key).hex()

    def generations(self, project: str) -> tuple[int, ...]:
        """The generations of a project's key that are here, oldest first; none before it is first asked for."""
        first = self._salt_place(project, 1)
        later = first.parent.glob(f"{first.stem}.*.salt") if first.parent.is_dir() else ()
        found = [int(place.stem.rpartition(".")[2]) for place in later]
        return tuple(sorted(([1] if first.exists() else []) + found))

    def destroy_project_key(self, project: str, *, generation: int | None = None) -> str:
        """Destroy a project's keys up to a generation (None: all) for good; returns their fingerprints, oldest first.

        Their tokens can never be made again.
        """
        gone = [g for g in self.generations(project) if generation is None or g <= generation]
        fingerprints = ", ".join(self.project_fingerprint(project, generation=each) for each in gone)
        for each in gone:
            place = self._salt_place(project, each)
            place.write_bytes(bytes(KEY_BYTES))
            place.unlink()
        return fingerprints

    def _salt_place(self, project: str, generation: int) -> Path:
        safe = "".join(c for c in project if c.isalnum() or c in "-_")
        return self._folder / "projects" / f"{safe}{'' if generation == 1 else f'.{generation}'}.salt"


def _write_new(place: Path, data: bytes) -> None:
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InstallationRefusal(
            "A key is there already", next_step="Choose an empty folder, or keep the installation as it is"
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
