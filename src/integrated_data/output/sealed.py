"""A release as one signed file, and what anybody can verify of it with the service's public key alone.

What is signed is the tag manifest, which vouches for the bag's other files; the release's record in the audit
chain is inside, its hash signed like every head of the chain (`audit/heads.py`). Ed25519 (RFC 8032).
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from integrated_data.audit import chain, heads
from integrated_data.audit.chain import Record
from integrated_data.audit.public_keys import fingerprint
from integrated_data.model.errors import AuditRefusal, OutputRefusal
from integrated_data.output import bag, crate, profile, requested
from integrated_data.output.crate import Story
from integrated_data.output.requested import as_json

SIGNATURE = "signature.json"
ALGORITHM = "Ed25519"
PURPOSE = b"integrated data service release\n"


@dataclass(frozen=True)
class Verified:
    """What a file was found to be.

    `record`: the release's number in the audit chain; `sha256`: the hash that the public register has of it.
    """

    request: str
    project: str
    title: str
    released: str
    record: int
    sha256: str
    key: str
    files: tuple[str, ...]


def seal(story: Story, files: dict[str, bytes], *, key: Ed25519PrivateKey) -> bytes:
    """The signed archive of a release, the same bytes each time; `files`: those that were checked or reviewed."""
    record = story.release
    head = heads.sign(record.number, record.hash, key=key)
    inside = crate.payload(story, files) | {crate.AUDIT: crate.audit_file(record, head=vars(head))}
    wrong = profile.problems(json.loads(inside[crate.METADATA]), files=set(inside))
    if wrong:
        raise OutputRefusal("This release does not make a Five Safes RO-Crate", why=wrong[0], next_step="Report it")
    info = {
        "External-Identifier": uuid.UUID(story.made("bag")).urn, "Bagging-Date": record.at[:10],
        "Source-Organization": "Integrated Data Service",
    }  # fmt: skip
    bagged = bag.bagged(inside, info=info)
    signature = {
        "algorithm": ALGORITHM, "key": fingerprint(key.public_key()), "signs": bag.TAGS,
        "signature": key.sign(PURPOSE + bagged[bag.TAGS]).hex(),
    }  # fmt: skip
    return bag.archived(story.request.id, bagged | {SIGNATURE: as_json(signature)})


def verify(data: bytes, key: Ed25519PublicKey) -> Verified:
    """What a file is; refuses it, saying why, where anything about it is not as it was released."""
    root, files = bag.opened(data)
    _check_signature(files, key)
    wrong = bag.broken({name: content for name, content in files.items() if name != SIGNATURE})
    loose = {n for n in files if "/" not in n} - {SIGNATURE, bag.BAGIT, bag.INFO, bag.MANIFEST, bag.TAGS}
    if wrong or loose or any("/" in n and not n.startswith(bag.PAYLOAD) for n in files):
        raise _refused(wrong or f"{min(loose, default='A file')} is no part of it")
    inside = {n.removeprefix(bag.PAYLOAD): held for n, held in files.items() if n.startswith(bag.PAYLOAD)}
    record = _check_record(inside, key)
    told = record.facts
    if requested.digest(crate.reviewed(inside)) != told.get("sha256") or record.subject != f"output/{root}":
        raise _refused("Its files are not those that were checked or reviewed")
    metadata = json.loads(inside[crate.METADATA])
    broken = profile.problems(metadata, files=set(inside))
    if broken:
        raise _refused(broken[0])
    title = next(str(e["name"]) for e in metadata["@graph"] if e["@id"] == "./")
    return Verified(
        root, str(told["project"]), title, record.at, record.number, str(told["sha256"]), fingerprint(key),
        tuple(sorted(inside)),
    )  # fmt: skip


def _check_signature(files: Mapping[str, bytes], key: Ed25519PublicKey) -> None:
    try:
        held: Any = json.loads(files[SIGNATURE])
        by, signature = held["key"], bytes.fromhex(held["signature"])
    except (KeyError, ValueError, TypeError):
        raise _refused("Its signature is missing or cannot be read") from None
    if by != fingerprint(key):
        raise _refused("It is signed with another key than this one")
    plain = {"algorithm": ALGORITHM, "key": by, "signs": bag.TAGS, "signature": signature.hex()}
    if as_json(plain) != files[SIGNATURE]:
        raise _refused(f"{SIGNATURE} was changed")
    try:
        key.verify(signature, PURPOSE + files.get(bag.TAGS, b""))
    except InvalidSignature:
        raise _refused("Its signature does not hold: a file of it was changed") from None


def _check_record(inside: Mapping[str, bytes], key: Ed25519PublicKey) -> Record:
    """The record of the release, its hash computed anew and found signed."""
    try:
        record, told = crate.read_audit(inside[crate.AUDIT])
        heads.check(heads.Head(**told), key)
    except (KeyError, ValueError, TypeError, AuditRefusal):
        raise _refused("The record of its release in the audit chain is not signed by the service") from None
    signed = (told["number"], told["hash"])
    if (
        record.hash != chain.seal(record)
        or signed != (record.number, record.hash)
        or record.action != "output.released"
    ):
        raise _refused("The record of its release in the audit chain does not hold")
    return record


def _refused(why: str) -> OutputRefusal:
    return OutputRefusal(
        "This file is not a release of the service as it was written", why=why,
        next_step="Do not rely on it; ask whoever published it for the original file",
    )  # fmt: skip
