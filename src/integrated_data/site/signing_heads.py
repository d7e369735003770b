"""Signing the audit chain of an installation.

Apart from what verifies it: every command signs, and few read what was released.
"""

import json
import os
from typing import Any

from integrated_data.audit import heads as signed_heads
from integrated_data.control import heads
from integrated_data.control.store import Store, StoreError
from integrated_data.model.errors import AuditRefusal, is_disk_full
from integrated_data.site.places import Places, service_file, signing_key

#: The newest signed head, beside the signing key.
HEAD = "audit-head.json"


def sign_head(places: Places, store: Store) -> None:
    """Sign the chain's last record, so that cutting the chain off behind it shows.

    The newest head is also kept beside the signing key, apart from the database: a chain that does
    not reach it has been cut, and is not signed anew. On a full disk it is signed by the next command that has room,
    as after one that was killed.
    """
    with store.read() as connection:
        last = heads.last_record(connection)
        check_reaches(connection, kept_head(places))
    if last is None:
        return
    head = signed_heads.sign(last[0], last[1], key=signing_key(places))
    try:
        heads.keep(store.engine, head)
        _keep_head(places, head)
    except (OSError, StoreError) as error:
        if not is_disk_full(error):
            raise


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
    try:
        part.write_text(json.dumps(vars(head)))
        part.chmod(0o600)
        part.replace(places.service_keys / HEAD)
    finally:
        part.unlink(missing_ok=True)


def check_reaches(connection: Any, head: signed_heads.Head | None) -> None:
    """Refuse a chain that does not reach a head that was signed."""
    if head is not None and heads.hash_at(connection, head.number) != head.hash:
        raise AuditRefusal(
            f"The audit chain does not reach its signed head at record {head.number}",
            why="Records behind it were removed or rewritten",
            next_step="Restore the control store from a backup",
        )
