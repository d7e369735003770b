"""Signing the audit chain of an installation.

Apart from what verifies it: every command signs, and few read what was released.
"""

import json
import os
from typing import Any

from integrated_data.audit import heads as signed_heads
from integrated_data.control import heads
from integrated_data.control.store import Store
from integrated_data.model.errors import AuditRefusal
from integrated_data.site.places import Places, service_file, signing_key

#: The newest signed head, beside the signing key.
HEAD = "audit-head.json"


def sign_head(places: Places, store: Store) -> None:
    """Sign the chain's last record, so that cutting the chain off behind it shows.

    The newest head is also kept beside the signing key, apart from the database: a chain that does
    not reach it has been cut, and is not signed anew.
    """
    with store.read() as connection:
        last = heads.last_record(connection)
        check_reaches(connection, kept_head(places))
    if last is not None:
        head = signed_heads.sign(last[0], last[1], key=signing_key(places))
        heads.keep(store.engine, head)
        _keep_head(places, head)


def kept_head(places: Places) -> signed_heads.Head | None:
    """The newest head as kept beside the signing key, its signature checked; None for a new installation."""
    place = service_file(places, HEAD)
    if not place.exists():
        return None
    head = signed_heads.Head(**json.loads(place.read_text()))
    signed_heads.check(head, signing_key(places).public_key())
    return head


def _keep_head(places: Places, head: signed_heads.Head) -> None:
    part = places.service_keys / f"{HEAD}.{os.getpid()}.part"
    part.write_text(json.dumps(vars(head)))
    part.chmod(0o600)
    part.replace(places.service_keys / HEAD)


def check_reaches(connection: Any, head: signed_heads.Head | None) -> None:
    """Refuse a chain that does not reach a head that was signed."""
    if head is not None and heads.hash_at(connection, head.number) != head.hash:
        raise AuditRefusal(
            f"The audit chain does not reach its signed head at record {head.number}",
            why="Records behind it were removed or rewritten",
            next_step="Restore the control store from a backup",
        )
