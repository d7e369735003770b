"""The signed proof of a request that was done: what was done where, in counts and hashes, and nothing about whom.

A statement is signed with the key that releases are signed with; its hash stands in a record of the audit chain, and
that record and a signed head of the chain are in the file too. So anybody with the public key can verify it, and an
auditor finds it in the chain. It names no person, no value, no entity id.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from integrated_data.audit import chain, heads
from integrated_data.audit.chain import Record
from integrated_data.audit.heads import Head
from integrated_data.audit.public_keys import fingerprint, read_public
from integrated_data.control.store import Change, Store, record_at
from integrated_data.model.errors import AuditRefusal
from integrated_data.model.rights import ARTICLES, Asked
from integrated_data.site.places import Places, signing_key

#: What a proof is made of, nothing else.
PARTS = frozenset({"statement", "record", "head", "key", "signature"})
PURPOSE = b"integrated data service proof of a right\n"
ACTION = "right.done"


def statement(asked: Asked, *, done: dict[str, Any], by: str, at: str) -> dict[str, Any]:
    """What is proved: the request, who asked and who did it, and what was done where."""
    return {
        "statement": "A request about data on a person was done by the Integrated Data Service",
        "request": asked.id, "right": str(asked.right), "article": ARTICLES[asked.right],
        "scope": {"dataset": asked.scope.dataset, "purpose": asked.scope.purpose},
        "asked": {"by": asked.by, "at": asked.at}, "done": {"by": by, "at": at}, "what": done,
    }  # fmt: skip


def digest(told: dict[str, Any]) -> str:
    """SHA-256 over a statement in canonical JSON."""
    return hashlib.sha256(_canonical(told)).hexdigest()


def note(change: Change, told: dict[str, Any]) -> None:
    """Put the hash of a statement into the record of a change."""
    change.note(statement=digest(told))


def write(places: Places, store: Store, *, told: dict[str, Any], out: Path, action: str = ACTION) -> Path:
    """Write the signed proof of a statement that is on record under an action; the same file each time."""
    with store.read() as connection:
        record = record_at(connection, action, fact=("statement", digest(told)))
    if record is None:
        raise AuditRefusal("The audit chain knows nothing of this proof", next_step="Run the request again")
    key = signing_key(places)
    body = {
        "statement": told, "record": vars(record), "head": vars(heads.sign(record.number, record.hash, key=key)),
        "key": fingerprint(key.public_key()), "signature": key.sign(PURPOSE + _canonical(told)).hex(),
    }  # fmt: skip
    part = out.with_name(f".{out.name}.part")
    part.write_text(json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    part.chmod(0o600)
    part.replace(out)
    return out


def verify(file: Path, *, key: Ed25519PublicKey) -> dict[str, Any]:
    """What a proof of a request says; refuses it, saying why, where anything about it is not as it was signed."""
    told, record = opened(file, key=key, action=ACTION)
    return {"request": told["request"], "right": told["right"], "done_at": told["done"]["at"], "record": record.number,
            "what": told["what"]}  # fmt: skip


def opened(file: Path, *, key: Ed25519PublicKey, action: str) -> tuple[dict[str, Any], Record]:
    """The statement of a proof, and its record of the audit chain; refuses one that is not as it was signed."""
    if not file.is_file():
        what = f"{file.name} is a folder" if file.is_dir() else f"There is no file {file.name}"
        raise AuditRefusal(what, next_step="Give a proof's file: ids right proof and ids retention proof write one")
    try:
        body = json.loads(file.read_text("utf-8"), object_pairs_hook=_once)
        added = not set(body) <= PARTS
        told, record, head = body["statement"], Record(**body["record"]), Head(**body["head"])
        signature, by = bytes.fromhex(body["signature"]), str(body["key"])
    except (OSError, ValueError, KeyError, TypeError):
        raise AuditRefusal(f"{file.name} is no proof of the service", next_step="Check its path") from None
    if added:
        raise _refused("Something was added that nobody signed")
    if by != fingerprint(key):
        raise _refused("It is signed with another key than this one")
    try:
        key.verify(signature, PURPOSE + _canonical(told))
    except InvalidSignature:
        raise _refused("Its statement was changed") from None
    if record.action != action or record.facts.get("statement") != digest(told) or record.hash != chain.seal(record):
        raise _refused("Its record of the audit chain is of something else")
    if (head.number, head.hash) != (record.number, record.hash):
        raise _refused("Its head of the audit chain is of another record")
    heads.check(head, key)
    return told, record


def public(places: Places | None, key: Path | None) -> Ed25519PublicKey:
    """The key to verify with: of a file, else of the installation."""
    if key is not None:
        if not key.is_file():
            raise AuditRefusal("There is no such file of a key", next_step="Check its path")
        return read_public(key.read_text("utf-8", "replace"))
    if places is None:
        raise AuditRefusal("No key to verify with was given", next_step="Give --key FILE: ids output key")
    return signing_key(places).public_key()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; refuses a key that stands twice, of which readers may see either."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _canonical(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _refused(why: str) -> AuditRefusal:
    return AuditRefusal("The proof does not hold", why=why, next_step="Ask the service for it again")
