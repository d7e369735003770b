"""Identity keys: one vault key per installation, and what is derived from it.

Only `deidentify/` and the loading side's wiring import this module. Derivation is HKDF-SHA256
(RFC 5869); a project's key also needs the project's own salt, so deleting the salt destroys the
key for good, in backups of the data too.

    vault.key         what everything is derived from
    vault-next.key    the one that takes its place, while everything is sealed anew under it
    vault-old.key     the one that had its place, until it is destroyed
    projects/*.salt   32 bytes: the salt of a project's key; 60: the key itself, wrapped under the vault key (AES-GCM),
                      because a project's keys outlive the vault key that they were derived from
"""

import base64
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrated_data.model.errors import InstallationRefusal

KEY_BYTES = 32
NONCE_BYTES = 12
KEY, NEXT, OLD = "vault.key", "vault-next.key", "vault-old.key"


class Vault:
    """Keys of one installation, kept in `folder` (mode 0700) apart from the data."""

    def __init__(self, folder: Path, *, name: str = KEY) -> None:
        self._folder = folder
        try:
            self._master = (folder / name).read_bytes()
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
        _write_new(folder / KEY, secrets.token_bytes(KEY_BYTES))
        return cls(folder)

    @classmethod
    def coming(cls, folder: Path) -> "Vault":
        """The vault under the key that takes the place of the one in use; made when it is first asked for."""
        if not (folder / NEXT).exists():
            _write_new(folder / NEXT, secrets.token_bytes(KEY_BYTES))
        return cls(folder, name=NEXT)

    def check_settled(self) -> None:
        """Refuse while another key is taking the place of this one: files are sealed under both."""
        if (self._folder / NEXT).exists() or (self._folder / OLD).exists():
            raise InstallationRefusal(
                "The vault key is being changed", why="The change runs, or was cut short",
                next_step="Wait for it, or go on with it: ids vault rotate",
            )  # fmt: skip

    def gone_half(self) -> bool:
        """Whether the coming key is in its place already, and the old one still to be destroyed."""
        return (self._folder / OLD).exists() and not (self._folder / NEXT).exists()

    def fingerprint(self) -> str:
        """What tells this vault key from any other, and nothing of it."""
        return self.derive("fingerprint")[:8].hex()

    def hand_over(self, coming: "Vault", *, projects: Iterable[str]) -> int:
        """Wrap the keys of projects under the coming vault key; returns how many. Twice done, it changes nothing."""
        keys = [(project, generation) for project in projects for generation in self.generations(project)]
        for project, generation in keys:
            place = self._salt_place(project, generation)
            if coming._unwrapped(place.read_bytes()) is None:
                _replace(place, coming._wrapped(self.project_key(project, generation=generation)))
        return len(keys)

    def give_way(self) -> None:
        """Put the coming key in the place of this one, and destroy this one for good."""
        old, place = self._folder / OLD, self._folder / KEY
        if (self._folder / NEXT).exists():
            old.unlink(missing_ok=True)
            os.link(place, old)
            (self._folder / NEXT).replace(place)
        with old.open("r+b") as file:
            file.write(bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        old.unlink()

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
        held = place.read_bytes()
        if len(held) == KEY_BYTES:
            return self.derive(f"project/{project}", salt=held)
        found = self._unwrapped(held)
        if found is None:
            raise InstallationRefusal("A project's key does not open", next_step="Restore the keyring from its backup")
        return found

    def _wrapped(self, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.derive("project keys")).encrypt(nonce, key, None)

    def _unwrapped(self, held: bytes) -> bytes | None:
        try:
            return AESGCM(self.derive("project keys")).decrypt(held[:NONCE_BYTES], held[NONCE_BYTES:], None)
        except InvalidTag:
            return None

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
            place.write_bytes(bytes(len(place.read_bytes())))
            place.unlink()
        return fingerprints

    def _salt_place(self, project: str, generation: int) -> Path:
        safe = "".join(c for c in project if c.isalnum() or c in "-_")
        return self._folder / "projects" / f"{safe}{'' if generation == 1 else f'.{generation}'}.salt"


def _replace(place: Path, data: bytes) -> None:
    part = place.with_name(f"{place.name}.part")
    part.unlink(missing_ok=True)
    _write_new(part, data)
    part.replace(place)


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
