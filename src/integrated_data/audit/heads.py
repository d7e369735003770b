"""Signed heads: a signature over the chain's last record, so that a cut tail shows.

Ed25519 (RFC 8032) under the service keyring's signing key, which is not an identity key.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from integrated_data.model.errors import AuditRefusal


@dataclass(frozen=True)
class Head:
    """The chain's last record at one time, signed."""

    number: int
    hash: str
    signature: str


def sign(number: int, record_hash: str, *, key: Ed25519PrivateKey) -> Head:
    """Sign the last record of the chain."""
    return Head(number, record_hash, key.sign(_words(number, record_hash)).hex())


def check(head: Head, key: Ed25519PublicKey) -> None:
    """Refuse a head whose signature does not hold."""
    try:
        key.verify(bytes.fromhex(head.signature), _words(head.number, head.hash))
    except (InvalidSignature, ValueError):
        raise AuditRefusal(
            f"The signed head at record {head.number} does not hold",
            why="It was changed, or signed with another key",
            next_step="Restore the control store from a backup",
        ) from None


def _words(number: int, record_hash: str) -> bytes:
    return f"audit head {number} {record_hash}".encode()
