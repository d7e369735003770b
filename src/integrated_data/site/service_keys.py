"""The service's own keys, for sign-in and the release ledger: made when first asked for, apart from identity keys.

Whoever holds them can read the secrets of one-time codes and who is behind released cells, by number; none
opens identified data.
"""

import os
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrated_data.model.errors import InstallationRefusal
from integrated_data.site.places import Places

KEY_BYTES = 32


def service_key(places: Places, name: str) -> bytes:
    """The 32-byte key of that name (sign-in, ledger), made when it is first asked for."""
    place = places.service_keys / f"{name}.key"
    if not place.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        part = place.with_name(f"{place.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, place)  # whole, and only where no other process was first
        except FileExistsError:
            pass
        finally:
            part.unlink()
    key = place.read_bytes()
    if len(key) != KEY_BYTES:
        raise InstallationRefusal(f"The {name} key is damaged", next_step=f"Restore {name}.key from its backup")
    return key


def derived(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=b"", info=purpose.encode()).derive(key)
