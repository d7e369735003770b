"""The vault key changes: the identified zone is sealed anew under another one, and the old one is destroyed at the end.

Every file is written aside and put in its place, so that each is whole under one key or the other; while both are
there, nothing opens but the change itself, which goes on where it was cut short. Keys of projects stay what they are,
wrapped under the new key: no project's keys change with it. A backup of the data needs the keys of its time.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from integrated_data.control import decisions, projects
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.engines.sealed import MAGIC, FileSealer
from integrated_data.model.event import Event
from integrated_data.site import backing, locking, rulings
from integrated_data.site.loading import open_engine
from integrated_data.site.places import Places, open_store
from integrated_data.site.settings import Settings
from integrated_data.vault import Vault

PARQUET = b"PARE"
CHUNK = 1 << 20


def rotate(
    places: Places, settings: Settings, *, by: str, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Change the vault key, or go on changing it; returns how many files were sealed anew, and fingerprints."""
    places.check()
    with locking.held(places, alone=True), backing.roomy():
        vault, store = Vault(places.keyring), open_store(places)
        if vault.gone_half():
            vault.give_way()
            return {"files": 0, "old": "destroyed", "new": vault.fingerprint()}
        coming = Vault.coming(places.keyring)
        engine = open_engine(
            settings, places, sealer=FileSealer(vault.derive("landed")), parquet_key=vault.parquet_key()
        )
        try:
            files = sum(
                _reseal(engine, place, vault=vault, coming=coming, progress=progress) for place in _files(places)
            )
        finally:
            engine.close()
        with store.read() as connection:
            known = [project.id for project in projects.projects(connection)]
        facts = {"files": files, "old": vault.fingerprint(), "new": coming.fingerprint()}
        facts["project_keys"] = vault.hand_over(coming, projects=known)
        _decisions(store, vault, coming=coming, event=Event("vault.key_changed", by, "vault", facts))
        vault.give_way()
    return facts | {"next": "ids backup keys DIR, then ids backup data DIR: older backups need the keys of their time"}


def _files(places: Places) -> Iterator[Path]:
    for place in sorted(places.identified.rglob("*")):
        if place.is_file() and place.suffix not in (".part", ".anew"):
            yield place


def _reseal(
    engine: DuckDB, place: Path, *, vault: Vault, coming: Vault, progress: Callable[[str], None] | None
) -> bool:
    """Seal one file anew; False where it is no sealed file, or sealed so already."""
    with place.open("rb") as file:
        head = file.read(len(MAGIC))
    if progress is not None:
        progress(f"sealing anew {place.parent.name}")
    if head.startswith(PARQUET):
        return engine.reseal(place, key=coming.parquet_key())
    if head != MAGIC:
        return False
    old, new = FileSealer(vault.derive("landed")), FileSealer(coming.derive("landed"))
    if new.opens(place):
        return False
    with old.read(place) as held, new.write(place) as sealed:
        while block := held.read(CHUNK):
            sealed.write(block)
    return True


def _decisions(store: Store, vault: Vault, *, coming: Vault, event: Event) -> None:
    """Seal the records of people's decisions on links anew, all at once, with the record of the change."""
    with store.read() as connection:
        every = decisions.every(connection)
    with store.change(event) as change:
        for row in every:
            sides = {
                side: rulings.seal(coming, rulings.unseal(vault, held))
                for side in ("left", "right")
                if (held := row[f"{side}_record"]) and not _opens(coming, held)
            }
            if sides:
                decisions.reseal(change, int(row["number"]), sides=sides)


def _opens(vault: Vault, sealed: str) -> bool:
    try:
        AESSIV(vault.derive(rulings.PURPOSE)).decrypt(base64.b64decode(sealed), None)
    except InvalidTag:
        return False
    return True
