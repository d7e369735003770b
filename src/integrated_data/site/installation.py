"""How a new installation is made; the folders are drawn in `site/places.py`."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.event import Event
from integrated_data.site.places import Places, open_store
from integrated_data.vault import Vault


def create(home: Path, *, actor: str) -> Places:
    """A new installation in an empty or absent folder."""
    places = Places(home.resolve())
    if places.control.exists() or places.keyring.exists():
        raise InstallationRefusal(
            "There is an installation in this folder already",
            next_step="Choose another folder, or use this one",
        )
    for folder in (
        places.home, places.landed, places.deliveries, places.indexes, places.lake, places.projects,
        places.outputs / "requests", places.outputs / "released", places.scratch,
        places.service_keys,
    ):  # fmt: skip
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    Vault.create(places.keyring)
    _create_signing_key(places.service_keys / "signing.key")
    store = open_store(places)
    places.control.chmod(0o600)
    store.record(Event("installation.created", actor, "installation", {}))
    return places


def _create_signing_key(place: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
