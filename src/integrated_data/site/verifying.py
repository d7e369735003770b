"""What anybody can do with what was released: verify it by the public key or register, without the service."""

import json
from pathlib import Path
from typing import Any

from integrated_data.audit import public_keys
from integrated_data.control import freezes, outputs
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import OutputState
from integrated_data.output import crates, requested, sealed
from integrated_data.output.acro import checksums
from integrated_data.output.bag import MOST_BYTES
from integrated_data.site.places import Places, signing_key


def crate(places: Places, store: Store, *, request: str) -> Path:
    """The signed archive of a release: a Five Safes RO-Crate that anybody can verify; refused while it is frozen."""
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        what = f"Request {request} is not copied out now"
        freezes.check(connection, what, datasets=known.datasets, people=(known.person,), refused=OutputRefusal)
    return crates.crate(store, request=request, folder=places.outputs, key=signing_key(places))


def put_checksums(folder: Path) -> None:
    """Write ACRO's checksums beside copied files, so that checkers' tools take them for whole."""
    files = {place.name: place.read_bytes() for place in folder.iterdir() if place.is_file()}
    requested.put_all(folder, checksums(files))


def public_key(places: Places) -> str:
    """The key that releases are verified with, in PEM."""
    return public_keys.public_pem(signing_key(places).public_key())


def verify(file: Path, *, key: Path | None, register: Path | None) -> dict[str, Any]:
    """What a released file is, by the published key or by the public register, which also says what was revoked."""
    told = _register(register) if register is not None else {}
    pem = str(told["signing_key"]) if told else _text(key) if key is not None else ""
    found = sealed.verify(_bytes(file), public_keys.read_public(pem))
    if register is not None:
        listed = next((r for r in told["releases"] if r["id"] == found.request), None)
        if listed is None or listed["sha256"] != found.sha256:
            raise OutputRefusal(
                f"Release {found.request} is not in this register",
                why="It is older than the release, or of another service",
                next_step="Take the newest register",
            )  # fmt: skip
        if listed["state"] != OutputState.RELEASED.value:
            raise OutputRefusal(f"Release {found.request} was withdrawn from use", next_step="Do not rely on it")
    return vars(found) | {"state": "in force" if register is not None else "not asked: give --register"}


def _register(place: Path) -> dict[str, Any]:
    try:
        held = json.loads(_text(place))
        return {"signing_key": held["signing_key"], "releases": list(held["releases"])}
    except (ValueError, KeyError, TypeError):
        raise OutputRefusal(
            f"{place.name} is no public register", next_step="Take register.json of the service's public register"
        ) from None


def _text(place: Path) -> str:
    return _bytes(place).decode("utf-8", "replace")


def _bytes(place: Path) -> bytes:
    if not place.is_file():
        raise OutputRefusal(f"There is no file {place.name}", next_step="Check its path")
    if place.stat().st_size > MOST_BYTES:
        raise OutputRefusal(f"{place.name} is larger than any release", next_step="Check its path")
    return place.read_bytes()
