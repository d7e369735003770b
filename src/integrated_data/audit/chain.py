"""A hash chain over audit events: a changed, removed or reordered record breaks it.

Each record's hash is SHA-256 over the previous hash and the record in canonical JSON (sorted
keys, no spaces, UTF-8). Cutting the tail off is caught by the signed heads (`audit/heads.py`).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from integrated_data.model.errors import AuditRefusal

GENESIS = "0" * 64


@dataclass(frozen=True)
class Record:
    """One stored event. `at` is UTC in ISO 8601; `number` counts from 1 without a gap."""

    number: int
    at: str
    action: str
    actor: str
    subject: str
    facts: dict[str, Any]
    previous: str
    hash: str


def seal(record: Record) -> str:
    """The hash that belongs to a record (its own `hash` field is not read)."""
    body = [record.number, record.at, record.action, record.actor, record.subject, record.facts]
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(record.previous.encode() + canonical.encode()).hexdigest()


def verify(records: Iterable[Record]) -> Record | None:
    """Walk a chain from its first record; returns the last one, or refuses at the first break."""
    last: Record | None = None
    for record in records:
        number, previous = (last.number + 1, last.hash) if last else (1, GENESIS)
        if record.number != number or record.previous != previous or record.hash != seal(record):
            raise AuditRefusal(
                f"The audit chain breaks at record {number}",
                why="A record was changed, removed or reordered",
                next_step="Restore the control store from a backup and compare from this record on",
            )
        last = record
    return last
