"""The blind sample: some automatic releases are checked by two people afterwards, who do not know that they left.

Whether a release is drawn follows from its id and files under the ledger's key, so nobody without the key foresees
it, and an auditor with it can repeat every draw. The reviewers see a *twin*: a request of another
id with the same files, in review like any other. Where they refuse it, the release is revoked and the lane stops.
"""

import hashlib
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from integrated_data.control import lanes, outputs
from integrated_data.control.store import Store
from integrated_data.model.lane import Sample, Verdict
from integrated_data.model.output import Lane, OutputRequest, OutputState
from integrated_data.output import lane, release, requested
from integrated_data.output.ledger import Ledger

#: Who acts where the service does by its own rule.
SERVICE = "service"

#: What else of a request's folder its reviewers may look at.
EVIDENCE = ("evidence.json", "compared.json")

REVOKED = "Two people who checked it afterwards would not have let it leave"


def take(store: Store, ledger: Ledger, *, folder: Path) -> int:
    """Open the later check of every automatic release that is drawn and has none; returns how many.

    The share is the one in force now; `folder` is the outputs folder.
    """
    with store.read() as connection:
        rule = lanes.rule(connection).rule
        known = {s.request for s in lanes.samples(connection)}
        left = [r for r in outputs.releases(connection) if r.state is OutputState.RELEASED and r.request not in known]
        due = [r.request for r in left if ledger.draw(f"after/{r.request}/{r.sha256}") < rule.share]
        requests = [outputs.get_request(connection, request) for request in due]
    automatic = [r for r in requests if r.lane is Lane.AUTOMATIC]
    for request in automatic:
        _open(store, request, share=rule.share, folder=folder)
    return len(automatic)


def settle(store: Store, *, folder: Path) -> tuple[str, ...]:
    """Act on what the sample found: revoke releases that should not have left, and stop the lane; returns their ids."""
    with store.read() as connection:
        bad = [s for s in lanes.samples(connection) if s.verdict is Verdict.UNSOUND]
        standing = {r.request for r in outputs.releases(connection) if r.state is OutputState.RELEASED}
        rule = lanes.rule(connection).rule
    found = tuple(s.request for s in bad if s.request in standing)
    if found and rule.open:
        reason = f"The sample found an error: {', '.join(found)} should not have left"
        lanes.put_rule(store, replace(rule, open=False), by=SERVICE, reason=reason)
    for request in found:
        release.revoke(store, request=request, actor=SERVICE, reason=REVOKED, folder=folder)
    return found


def twins(samples: Collection[Sample]) -> frozenset[str]:
    """Requests that only reviewers see: the twins of releases."""
    return frozenset(s.twin for s in samples)


def hidden(samples: Collection[Sample]) -> frozenset[str]:
    """Releases that reviewers do not see while their twin is in review."""
    return frozenset(s.request for s in samples if s.verdict is Verdict.OPEN)


def blinded(files: Mapping[str, bytes], *, request: str, twin: str) -> dict[str, bytes]:
    """The files of a release under the id of its twin and in the lane of those in review, with their own hashes."""
    words = {request: twin, f'"{Lane.AUTOMATIC}"': f'"{Lane.REVIEW}"'}
    made = {name: _reworded(content, words) for name, content in files.items()}
    for _ in files:  # one file may state the hash of another, that of a third
        words |= {_sha256(files[name]): _sha256(content) for name, content in made.items()}
        made = {name: _reworded(content, words) for name, content in files.items()}
    return made


def _reworded(content: bytes, words: Mapping[str, str]) -> bytes:
    for before, after in words.items():
        content = content.replace(before.encode(), after.encode())
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _open(store: Store, request: OutputRequest, *, share: float, folder: Path) -> None:
    """Make the twin: its folder first, then its record."""
    twin = f"O-{secrets.token_hex(6)}"
    mine, its = requested.place(folder, request.id), requested.place(folder, twin)
    files = blinded(requested.package(mine, request.sha256), request=request.id, twin=twin)
    requested.write(its / "package", files)
    for name in EVIDENCE:
        if (mine / name).exists():
            requested.put(its / name, (mine / name).read_bytes())
    made = replace(
        request, id=twin, state=OutputState.IN_REVIEW, sha256=requested.digest(files), lane=Lane.REVIEW,
        findings=lane.for_reviewers(request.findings),
    )  # fmt: skip
    try:
        lanes.put_sample(store, made, of=request.id, share=share)
    except BaseException:
        shutil.rmtree(its, ignore_errors=True)
        raise
