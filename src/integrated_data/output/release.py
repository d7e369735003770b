"""Release: the files that were checked or reviewed leave, byte for byte; and revoking afterwards."""

import shutil
from functools import partial
from pathlib import Path

from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Lane, OutputRequest, OutputState, Release
from integrated_data.output import earlier, requested, states
from integrated_data.output.compared import adopt
from integrated_data.output.ledger import Ledger
from integrated_data.output.request import left_of


def release(store: Store, *, request: str, actor: str, folder: Path, ledger: Ledger) -> Path:
    """Release a request that may leave; returns the folder of its files, `released/<id>`.

    The folder is written first and named by the store's record afterwards: one without a record
    has not been released, and the next call writes it again.
    """
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    states.check_move(request, known.state, to=OutputState.RELEASED)
    files = requested.package(requested.place(folder, request), known.sha256)
    target, place = folder / "released" / request, requested.place(folder, request)
    guard = partial(earlier.guard, ledger=ledger, place=place, left_of=partial(left_of, store, known=known))
    _write(target, files)
    try:
        _remember(ledger, known, place=place)
        outputs.put_release(store, known, actor=actor, files=files, guard=guard)
    except BaseException:
        _remove_unreleased(store, request, target=target)
        raise
    return target


def revoke(store: Store, *, request: str, actor: str, reason: str, folder: Path) -> None:
    """Withdraw a release from use: its files go from the service, and the register says so.

    What has been copied elsewhere cannot be called back; the comparison with later requests keeps it.
    """
    if not reason.strip():
        raise OutputRefusal("A release is revoked for a reason", next_step="Give a reason")
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    states.check_move(request, known.state, to=OutputState.REVOKED)
    outputs.revoke_release(store, request, actor=actor, reason=reason)
    shutil.rmtree(folder / "released" / request, ignore_errors=True)


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
