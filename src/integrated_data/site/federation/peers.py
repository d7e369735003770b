"""The other installations that this one asks and answers: a file each under `federation/`, no secret in them."""

import hashlib
import re
from dataclasses import asdict
from urllib.parse import urlsplit

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from integrated_data.control import bodies
from integrated_data.control.store import Store
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.federation import Peer
from integrated_data.site.places import Places

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
#: The name of this installation among those that answer; no other may have it.
HERE = "here"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def add(places: Places, store: Store, *, peer: Peer, by: str, production: bool) -> str:
    """Put an installation on record, or its new state; returns the fingerprint of its key, to compare by voice."""
    if not _NAME.fullmatch(peer.name) or peer.name == HERE:
        raise UsageRefusal(
            "This is no name for an installation", next_step="Use small letters, digits and hyphens, and not 'here'"
        )
    _check_url(peer.url, production=production)
    print_of = fingerprint(key_of(peer.key))
    places.federation.mkdir(mode=0o700, exist_ok=True)
    place = places.federation / f"{peer.name}.yaml"
    part = place.with_suffix(".part")
    part.write_text(yaml.safe_dump(asdict(peer) | {"projects": list(peer.projects)}))
    part.replace(place)
    facts = {"url": peer.url, "key": print_of, "projects": list(peer.projects)}
    store.record(Event("federation.peer_written", by, f"peer/{peer.name}", facts))
    return print_of


def remove(places: Places, store: Store, *, name: str, by: str) -> None:
    """Ask and answer an installation no more, from now on."""
    place = places.federation / f"{name if _NAME.fullmatch(name) else '-'}.yaml"
    if not place.exists():
        raise UsageRefusal("There is no such installation on record", next_step="See which: ids federation list")
    store.record(Event("federation.peer_removed", by, f"peer/{name}", {}))
    place.unlink()


def known(places: Places) -> tuple[Peer, ...]:
    """Every installation on record, by name."""
    files = sorted(places.federation.glob("*.yaml")) if places.federation.exists() else []
    return tuple(bodies.read(Peer, yaml.safe_load(f.read_text()), what="installation") for f in files)


def key_of(pem: str) -> Ed25519PublicKey:
    """The public key of an installation; refuses what is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageRefusal(
            "This is not the public key of an installation", next_step="Ask for what its ids output key prints"
        )
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of a public key, in hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def _check_url(url: str, *, production: bool) -> None:
    parts = urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK and not production
    if not (parts.hostname and (parts.scheme == "https" or plain)) or parts.username or parts.query:
        raise UsageRefusal(
            "This is not the address of an installation's HTTP door",
            why="It must be https; plain http serves trials on this machine alone",
            next_step="Give it as https://host:port",
        )
