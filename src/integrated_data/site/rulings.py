"""Decisions on links, sealed and opened: record ids may identify people, so the store keeps them sealed.

The seal is AES-SIV (RFC 5297) under a vault key: the same id always has the same seal, so that the
store sees contradictions without seeing ids.
"""

import base64

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from integrated_data.control import decisions
from integrated_data.control.store import Store
from integrated_data.vault import Vault

PURPOSE = "decisions"
_COLUMNS = ("number", "kind", "left_source", "left_record", "right_source", "right_record")


def seal(vault: Vault, record_id: str) -> str:
    """A record id as the store keeps it."""
    return base64.b64encode(AESSIV(vault.derive(PURPOSE)).encrypt(record_id.encode(), None)).decode()


def unseal(vault: Vault, sealed: str) -> str:
    """The record id behind what the store keeps."""
    return AESSIV(vault.derive(PURPOSE)).decrypt(base64.b64decode(sealed), None).decode()


def rulings(vault: Vault, store: Store, *, index: str) -> pa.Table:
    """Decisions on two records, as index code takes them (see `index.decisions`); identified values."""
    with store.read() as connection:
        known = decisions.of_index(connection, index)
    rows = [
        (d.number, d.kind.value, d.left.source, unseal(vault, d.left.record), d.right.source,
         unseal(vault, d.right.record))
        for d in known if d.left.record and d.right.record
    ]  # fmt: skip
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    kinds = (pa.int64(), *(pa.string(),) * (len(_COLUMNS) - 1))
    return pa.table({c: pa.array(v, k) for c, v, k in zip(_COLUMNS, columns, kinds, strict=True)})
