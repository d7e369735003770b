"""Release: the files that were checked or reviewed leave, byte for byte; and revoking afterwards."""

import shutil
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

from integrated_data.control import freezes, lanes, outputs
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Lane, OutputRequest, OutputState, Release
from integrated_data.output import crates, earlier, lane, requested, states
from integrated_data.output.compared import adopt
from integrated_data.output.ledger import Ledger
from integrated_data.output.request import against_lane, left_of


def release(store: Store, *, request: str, actor: str, folder: Path, ledger: Ledger) -> Path:
    """Release a request that may leave; returns the folder of its files, `released/<id>`.

    The folder is written first and named by the store's record afterwards: one without a record
    has not been released, and the next call writes it again.
    """
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        drawn = lanes.samples(connection)
    if any(one.twin == request for one in drawn):
        raise OutputRefusal(f"Request {request} is no one's to release", next_step="Its reviewers are done with it")
    states.check_move(request, known.state, to=OutputState.RELEASED)
    _check_lane(store, known)
    files = unchanged(store, known, folder=folder, actor=actor)
    target, place = folder / "released" / request, requested.place(folder, request)
    compared = partial(earlier.guard, ledger=ledger, place=place, left_of=partial(left_of, store, known=known))

    def guard(now: OutputRequest, gone: Sequence[Release]) -> None:
        _check_lane(store, now)
        compared(now, gone)

    _write(target, files)
    try:
        _remember(ledger, known, place=place)
        outputs.put_release(store, known, actor=actor, files=files, guard=guard)
    except BaseException:
        _remove_unreleased(store, request, target=target)
        raise
    return target


def revoke(store: Store, *, request: str, actor: str, reason: str, folder: Path) -> None:
    """Withdraw a release from use: a note takes the place of its files, and the register says so.

    What has been copied elsewhere cannot be called back; the comparison with later requests keeps it.
    """
    if not reason.strip():
        raise OutputRefusal("A release is revoked for a reason", next_step="Give a reason")
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    states.check_move(request, known.state, to=OutputState.REVOKED)
    outputs.revoke_release(store, request, actor=actor, reason=reason)
    crates.remove(folder, request)
    _write(folder / "released" / request, {"REVOKED.txt": _revoked(known, reason=reason, day=store.now().date())})


def fetch(store: Store, *, request: str, actor: str, folder: Path) -> dict[str, bytes]:
    """The released files, for somebody who copies them out; who did is on record, for the day it is revoked."""
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        what = f"Request {request} is not copied out now"
        people = (known.person, actor)
        freezes.check(connection, what, datasets=known.datasets, people=people, refused=OutputRefusal)
    if known.state is not OutputState.RELEASED:
        raise OutputRefusal(
            f"Request {request} is {known.state.value.replace('_', ' ')}, not released",
            next_step=f"See where it stands with: ids output show {request}",
        )
    place = folder / "released" / request
    if not _unchanged(place, known.sha256):
        raise OutputRefusal(
            f"The files of release {request} are not those that left",
            why="They changed afterwards, which nobody may do",
            next_step="Tell whoever runs the service",
        )
    lanes.put_fetched(store, request, actor=actor, sha256=known.sha256)
    inside = sorted(file for file in place.rglob("*") if file.is_file())
    return {file.relative_to(place).as_posix(): file.read_bytes() for file in inside}


def unchanged(store: Store, request: OutputRequest, *, folder: Path, actor: str) -> dict[str, bytes]:
    """The files that would leave; where they are not those that were checked, the request is stopped, on record."""
    try:
        return requested.package(requested.place(folder, request.id), request.sha256)
    except OutputRefusal:
        if states.may_move(request.state, OutputState.STOPPED):
            outputs.stop(store, request.id, actor=actor)
        raise


def _check_lane(store: Store, request: OutputRequest) -> None:
    """Refuse by the automatic lane what it does not take any more."""
    if request.lane is Lane.AUTOMATIC:
        lane.check_open(request.id, against_lane(store, request))


def _revoked(request: OutputRequest, *, reason: str, day: date) -> bytes:
    """What lies where the files of a release were."""
    return (
        f"REVOKED\n\nOutput {request.id}, {request.title}, of project {request.project} was withdrawn from use on "
        f"{day:%Y-%m-%d}.\n{reason.strip()}\n\nIts files had the hash {request.sha256}. "
        "Do not use them; delete every copy.\n"
    ).encode()


def released(store: Store, *, project: str | None = None) -> list[Release]:
    """What has left, of a project or of all."""
    with store.read() as connection:
        return outputs.releases(connection, project=project)


def verify(store: Store, folder: Path) -> list[Release]:
    """Releases in force whose files are no more those of the hash on record; `folder` is the outputs folder."""
    with store.read() as connection:
        in_force = [r for r in outputs.releases(connection) if r.state is OutputState.RELEASED]
    return [r for r in in_force if not _unchanged(folder / "released" / r.request, r.sha256)]


def _remember(ledger: Ledger, request: OutputRequest, *, place: Path) -> None:
    """Write down who is behind what leaves, before it does: a table in the ledger that did not leave is passed over."""
    remembered = adopt(ledger, request=request.id, place=place)
    if not remembered and request.lane is Lane.AUTOMATIC:
        raise OutputRefusal(
            f"Who is behind request {request.id} is not written down any more",
            why="The files of its check are gone",
            next_step="Ask for it again",
        )


def _unchanged(place: Path, sha256: str) -> bool:
    inside = list(place.rglob("*")) if place.is_dir() else []
    if any(file.is_symlink() or not file.is_file() for file in inside):
        return False
    return bool(inside) and requested.digest({file.name: file.read_bytes() for file in inside}) == sha256


def _write(target: Path, files: dict[str, bytes]) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    for name, content in files.items():
        requested.put(part / name, content)
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)


def _remove_unreleased(store: Store, request: str, *, target: Path) -> None:
    with store.read() as connection:
        state = outputs.get_request(connection, request).state
    if state is not OutputState.RELEASED:
        shutil.rmtree(target, ignore_errors=True)
