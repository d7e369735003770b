"""Public keys of the service as they are published, read and told apart."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from integrated_data.model.errors import OutputRefusal


def public_pem(key: Ed25519PublicKey) -> str:
    """The public key as it is published (SubjectPublicKeyInfo, PEM)."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public(pem: str) -> Ed25519PublicKey:
    """A published key; refuses what is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise OutputRefusal(
            "This is not a public key of the service", why="It is no Ed25519 key in PEM",
            next_step="Take it from the public register, or ask the service: ids output key",
        )  # fmt: skip
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 over the public key (SubjectPublicKeyInfo, DER), in hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
