"""How long the people behind what left are kept, and under which key.

Retention destroys the sealed tables of a release, beside its request too, and leaves a record in the audit
chain, whose head is signed when the command is done. From then on the release counts as unproven: whatever
resembles it goes to people. Copies in backups are under the key of their time: change the key afterwards.
"""

import shutil
from datetime import timedelta
from hashlib import sha256
from typing import Any

from integrated_data.control import ledgers, outputs
from integrated_data.control.store import Store
from integrated_data.model.event import Event
from integrated_data.output import requested
from integrated_data.output.compared import FOLDER
from integrated_data.site.ledgering import KEY, NEXT, open_ledger
from integrated_data.site.places import Places
from integrated_data.site.service_keys import service_key


def expire(places: Places, store: Store, *, by: str) -> list[dict[str, Any]]:
    """Destroy what is kept of the people behind releases that are older than the retention; returns those."""
    with store.read() as connection:
        setting, done = ledgers.retention(connection), ledgers.expired(connection)
        gone = [release for release, _ in outputs.left(connection)]
    if setting is None or setting.days is None:
        return []
    until = store.now() - timedelta(days=setting.days)
    told = []
    with open_ledger(places, alone=True) as ledger:
        for release in gone:
            if release.at >= until or release.request in done:
                continue

            def destroy(request: str = release.request) -> int:
                shutil.rmtree(requested.place(places.outputs, request) / FOLDER, ignore_errors=True)
                return ledger.remove(request)

            tables = ledgers.put_expired(store, release, days=setting.days, by=by, destroy=destroy)
            told.append({"request": release.request, "left": release.at.date().isoformat(), "tables": tables})
    return told


def change_key(places: Places, store: Store, *, by: str) -> dict[str, Any]:
    """Seal the ledger with another key and destroy the one it had; one that was cut short goes on."""
    old, new = service_key(places, KEY), service_key(places, NEXT)
    with open_ledger(places, alone=True) as ledger:
        files = ledger.reseal(*places.outputs.glob(f"requests/*/{FOLDER}"))
        facts = {"files": files, "old": _print(old), "new": _print(new)}
        with store.change(Event("ledger.key_changed", by, ledgers.SUBJECT, facts)):
            (places.service_keys / f"{NEXT}.key").replace(places.service_keys / f"{KEY}.key")
    return facts


def _print(key: bytes) -> str:
    """What proves on record which key it was."""
    return sha256(b"ids-ledger-key" + key).hexdigest()[:16]


def held(places: Places, store: Store) -> dict[str, Any]:
    """What the ledger holds: how many releases with people, without them, from elsewhere; and the retention."""
    with store.read() as connection:
        setting, done = ledgers.retention(connection), ledgers.expired(connection)
        gone = [release.request for release, _ in outputs.left(connection)]
        imports = len(ledgers.imports(connection))
    with open_ledger(places) as ledger:
        known = ledger.requests()
    return {
        "releases": len(gone), "with_people": len(known & set(gone)), "expired": len(done), "from_elsewhere": imports,
        "kept_days": setting.days if setting else None, "reason": setting.reason if setting else "",
    }  # fmt: skip
