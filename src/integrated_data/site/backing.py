"""Backups: the data, sealed and without any key; the keys, without any data; each in a folder of its own.

    DATA/manifest.json      what was copied, when, up to which record of the audit chain; signed
    DATA/files/<path>       every file, sealed once more under a key of the vault, so that a backup alone says nothing
    KEYS/keyring/ KEYS/service-keys/

A backup of the data has the loading side alone: no load runs beside it. Queries go on; the control store is copied
first and whole, and what is written after it is only ever more. The list of who objected or was erased goes with the
keys: back them up after every erasure.
"""

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from integrated_data import __version__
from integrated_data.audit.public_keys import fingerprint
from integrated_data.control import heads
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import InstallationRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.site import ledgering
from integrated_data.site.loading import LoadingSite
from integrated_data.site.places import Places, signing_key

MANIFEST, FILES, CONTROL = "manifest.json", "files", "control.sqlite"
PURPOSE = b"integrated data service backup\n"

#: What is no data, or lies among the keys.
LEFT_OUT = ("keyring", "service-keys", "scratch")
#: Files of the control store that its copy makes up for, and locks.
PASSING = (CONTROL, f"{CONTROL}-wal", f"{CONTROL}-shm", f"{CONTROL}-journal")


def back_up(site: LoadingSite, to: Path, *, by: str) -> dict[str, Any]:
    """Copy the data to an empty or absent folder; refuses while loads run."""
    _empty(to)
    sealer = FileSealer(site.vault.derive("backup"))
    site.lake.gather()
    site.store.record(Event("backup.begun", by, "installation", {}))
    with site.store.read() as connection:
        last = heads.last_record(connection)
    with roomy(), ledgering.open_ledger(site.places):
        control = to / "control.part"
        _copy_control(site.places.control, control)
        told = [_seal(sealer, control, name=CONTROL, to=to)]
        control.unlink()
        told += [
            _seal(sealer, place, name=str(place.relative_to(site.places.home)), to=to) for place in _data(site.places)
        ]
        manifest = {
            "made_at": site.store.now().isoformat(timespec="seconds"), "service": __version__,
            "record": list(last or ()), "files": told,
        }  # fmt: skip
        _write(to / MANIFEST, json.dumps(_signed(site.places, manifest), indent=1).encode())
    facts = {"files": len(told), "bytes": sum(each["bytes"] for each in told), "sha256": _digest(to / MANIFEST)}
    site.store.record(Event("backup.made", by, "installation", facts))
    return {"to": str(to), **facts, "keys": "not in it: ids backup keys DIR, on other media"}


def back_up_keys(places: Places, to: Path) -> dict[str, Any]:
    """Copy the keys, and the list of who objected or was erased, to an empty or absent folder."""
    _empty(to)
    with roomy():
        for folder in (places.keyring, places.service_keys):
            shutil.copytree(folder, to / folder.name)
        for place in to.rglob("*"):
            place.chmod(0o700 if place.is_dir() else 0o600)
    return {"to": str(to), "files": sum(1 for place in to.rglob("*") if place.is_file()), "keep": "apart from the data"}


def read_manifest(backup: Path, *, key: Ed25519PublicKey) -> dict[str, Any]:
    """The manifest of a backup; refuses one that is missing, changed, or of another installation."""
    try:
        body = json.loads((backup / MANIFEST).read_text("utf-8"))
        manifest, signature = dict(body["manifest"]), bytes.fromhex(body["signature"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InstallationRefusal(
            "This is no whole backup", why="Its manifest is missing or cannot be read: it was cut short, or is none",
            next_step="Take another backup",
        ) from None  # fmt: skip
    try:
        key.verify(signature, PURPOSE + _canonical(manifest))
    except InvalidSignature:
        raise InstallationRefusal(
            "The manifest of the backup does not hold", why="It was changed, or made by another installation",
            next_step="Take another backup, or the keys that belong to it",
        ) from None  # fmt: skip
    return manifest


def check_files(backup: Path, manifest: dict[str, Any]) -> None:
    """Refuse a backup in which a file is missing, changed, or too many."""
    wanted = {each["file"]: each["sha256"] for each in manifest["files"]}
    there = {str(p.relative_to(backup / FILES)) for p in (backup / FILES).rglob("*") if p.is_file()}
    wrong = sorted(there ^ set(wanted)) or [f for f, told in wanted.items() if _digest(backup / FILES / f) != told]
    if wrong:
        raise InstallationRefusal(
            f"The backup is not what was made: {len(wrong)} of its files", why="Files are missing, changed or added",
            next_step="Take another backup",
        )  # fmt: skip


@contextmanager
def roomy() -> Iterator[None]:
    """A full disk is told as one."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InstallationRefusal(
            "The disk is full", why="The copy could not be written to its end", next_step="Make room and try again"
        ) from None


def _data(places: Places) -> Iterator[Path]:
    """Every file that is data, but for the control store and what work in progress left."""
    for place in sorted(places.home.rglob("*")):
        top = place.relative_to(places.home).parts[0]
        passing = place.parent == places.home and (place.name in PASSING or place.name.startswith("."))
        if top not in LEFT_OUT and place.is_file() and not passing and place.suffix not in (".part", ".anew"):
            yield place


def _copy_control(place: Path, to: Path) -> None:
    """The control store as it stood at one moment, whatever is written meanwhile."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(place)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    to.chmod(0o600)


def _seal(sealer: FileSealer, place: Path, *, name: str, to: Path) -> dict[str, Any]:
    target = to / FILES / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.open("rb") as file, sealer.write(target) as sealed:
        shutil.copyfileobj(file, sealed, 1 << 20)
    return {"file": name, "bytes": place.stat().st_size, "sha256": _digest(target)}


def _digest(place: Path) -> str:
    told = sha256()
    with place.open("rb") as file:
        while block := file.read(1 << 20):
            told.update(block)
    return told.hexdigest()


def _signed(places: Places, manifest: dict[str, Any]) -> dict[str, Any]:
    key = signing_key(places)
    signature = key.sign(PURPOSE + _canonical(manifest)).hex()
    return {"manifest": manifest, "key": fingerprint(key.public_key()), "signature": signature}


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _empty(to: Path) -> None:
    if to.exists() and any(to.iterdir()):
        raise UsageRefusal("The folder is not empty", next_step="Name an empty or absent one")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(place: Path, content: bytes) -> None:
    part = place.with_name(f"{place.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(place)
