"""Restoring: a backup is verified, opened with the keys of its time, and brought up to what was erased since.

Until that is done the installation carries a mark and opens for nobody; a restore that was killed begins again.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from integrated_data.audit import heads as signed_heads
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import InstallationRefusal, UsageRefusal
from integrated_data.model.event import Event
from integrated_data.site import auditing, backing, signing_heads, tables
from integrated_data.site.loading import open_loading
from integrated_data.site.object_lake import keeping
from integrated_data.site.places import RESTORING, Places, signing_key
from integrated_data.site.rights import replaying
from integrated_data.site.rights.asking import RESTORED
from integrated_data.site.settings import Settings
from integrated_data.vault import Vault


def restore(settings: Settings, backup: Path, *, home: Path, keys: Path, rights: Path | None = None) -> dict[str, Any]:
    """Restore a backup into an empty or absent folder; returns what came back, what was erased again, what is lost.

    `keys`: the backup of the keys of that time; `rights`: a newer one, for its list of who objected or was erased.
    """
    places = Places(home.resolve())
    _check_place(places)
    if not (keys / "keyring" / "vault.key").exists():
        raise InstallationRefusal(
            "The keys of the backup are not here", why="Without them nothing of it can be read",
            next_step="Name the folder that ids backup keys wrote: --keys DIR",
        )  # fmt: skip
    aside = Places(keys.resolve())
    if rights is not None and not (rights / "keyring").is_dir():
        raise InstallationRefusal(
            "The newer backup of the keys is not here", why="Its list of who was erased is wanted",
            next_step="Name the folder that ids backup keys wrote: --rights DIR",
        )  # fmt: skip
    manifest = backing.read_manifest(backup, key=signing_key(aside).public_key())
    backing.check_files(backup, manifest)
    newest = max(_heads(aside, Places(rights.resolve()) if rights else aside), default=0)
    with backing.roomy():
        places.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (places.home / RESTORING).touch(0o600)
        _take_keys(places, keys=keys, rights=rights)
        _open_files(places, backup, manifest=manifest)
        kept = keeping.detach(places)
    _put_head(places, manifest)
    with open_loading(places, settings, alone=True, restoring=True) as site:
        tables.register(site)
        again = replaying.replay(site, by=settings.actor)
        facts = {"made_at": manifest["made_at"], "files": len(manifest["files"]), "replayed": again}
        site.store.record(Event(RESTORED, settings.actor, "installation", facts))
        signing_heads.sign_head(places, site.store)
        auditing.verify(places, site.store)
    (places.home / RESTORING).unlink()
    lost = max(0, newest - int(manifest["record"][0])) if manifest["record"] else 0
    lake = {"lake": f"on this machine; it was kept in {kept}. {keeping.DECIDE}"} if kept else {}
    return {
        "home": str(places.home), **facts, "lost_since": manifest["made_at"], "audit_records_lost_at_least": lost,
        **lake, "list_of_rights": _age(rights),
        "next": "deliver again what came since, and have decisions of people and corrections since then made again "
        "(ids right ask rectify): neither is on the list of rights",
    }  # fmt: skip


def _age(rights: Path | None) -> str:
    """What is not known here of who was erased or objected: a list is as old as the backup of keys it came with."""
    of = "keys (no newer list was given with --rights)" if rights is None else "newer keys (--rights)"
    return (
        f"as old as the {of}: requests after it are not known here, and people erased since are back; "
        "look their proofs up and ask again for them"
    )


def _heads(*backups: Places) -> list[int]:
    """The newest record of the audit chain that each backup of the keys knows of."""
    return [head.number for head in map(signing_heads.kept_head, backups) if head is not None]


def _check_place(places: Places) -> None:
    """Refuse a folder that holds anything but a restore that was cut short, which is cleared."""
    if (places.home / RESTORING).exists():
        shutil.rmtree(places.home)
    if places.home.exists() and any(places.home.iterdir()):
        raise UsageRefusal(
            "The folder to restore into is not empty", next_step="Name an empty or absent one: --home DIR"
        )


def _take_keys(places: Places, *, keys: Path, rights: Path | None) -> None:
    for folder in (places.keyring, places.service_keys):
        shutil.copytree(keys / folder.name, folder)
    newer = rights / "keyring" / "rights" if rights is not None else None
    if newer is not None and newer.is_dir():
        shutil.copytree(newer, places.rights, dirs_exist_ok=True)  # entries of either are kept


def _open_files(places: Places, backup: Path, *, manifest: dict[str, Any]) -> None:
    sealer = FileSealer(Vault(places.keyring).derive("backup"))
    for folder in (places.landed, places.deliveries, places.indexes, places.projects, places.scratch,
                   places.outputs / "requests", places.outputs / "released"):  # fmt: skip
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in manifest["files"]:
        place = places.home / each["file"]
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with sealer.read(backup / backing.FILES / each["file"]) as sealed, place.open("wb") as file:
            shutil.copyfileobj(sealed, file, 1 << 20)
        place.chmod(0o600)


def _put_head(places: Places, manifest: dict[str, Any]) -> None:
    """The head of the chain as the backup has it: a newer one would tell of a cut chain, which it is."""
    place = places.service_keys / signing_heads.HEAD
    place.unlink(missing_ok=True)
    if manifest["record"]:
        number, told = manifest["record"]
        head = signed_heads.sign(int(number), str(told), key=signing_key(places))
        place.write_text(json.dumps(vars(head)))
        place.chmod(0o600)
