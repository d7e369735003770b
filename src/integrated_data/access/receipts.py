"""Signed answers: what the gateway told whom, so that neither side can say otherwise later.

Ed25519 (RFC 8032) under the service keyring's signing key, which is not an identity key, over the
answer as canonical JSON. A receipt holds no row of a result, only its digest.
"""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from integrated_data.model.errors import AuditRefusal


def sign(answer: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """The signature of an answer, in hexadecimal."""
    return key.sign(_words(answer)).hex()


def check(answer: Mapping[str, Any], signature: str, *, key: Ed25519PublicKey) -> None:
    """Refuse an answer that is not the one that was signed."""
    try:
        key.verify(bytes.fromhex(signature), _words(answer))
    except (InvalidSignature, ValueError):
        raise AuditRefusal(
            "The receipt does not hold",
            why="The answer was changed, or the service did not give it",
            next_step="Ask the service for the query by its id",
        ) from None


def _words(answer: Mapping[str, Any]) -> bytes:
    return b"query answer " + json.dumps(answer, sort_keys=True, separators=(",", ":")).encode()
