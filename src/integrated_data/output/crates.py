"""The signed archives of releases, as the service keeps them: `crates/<id>.zip` in the outputs folder."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from integrated_data.control import outputs, projects
from integrated_data.control.store import Store
from integrated_data.model.access import Person
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import OutputState
from integrated_data.output import requested, sealed
from integrated_data.output.crate import Story


def crate(store: Store, *, request: str, folder: Path, key: Ed25519PrivateKey) -> Path:
    """The signed archive of a release in force, made where it is not there yet; `folder` is the outputs folder."""
    place = _place(folder, request)
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        history = outputs.history(connection, request)
        project = projects.get_project(connection, known.project)
        people = {person.id: person for person in projects.people(connection)}
    if known.state is not OutputState.RELEASED:
        raise OutputRefusal(f"Release {request} was revoked", next_step="Ask for it anew")
    if not place.exists():
        files = requested.contents(folder / "released" / request)
        if files is None or requested.digest(files) != known.sha256:
            raise OutputRefusal(
                f"The files of release {request} are not those that were released",
                next_step="Restore the outputs folder from a backup",
            )
        author = people.get(known.person, Person(known.person, known.person, project.organisation))
        place.parent.mkdir(mode=0o700, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        requested.put(part, sealed.seal(Story(known, project, author, history), files, key=key))
        part.replace(place)
    return place


def verify(store: Store, folder: Path, *, key: Ed25519PublicKey) -> list[str]:
    """Releases in force whose archive is there and is no more what was written."""
    with store.read() as connection:
        in_force = [r.request for r in outputs.releases(connection) if r.state is OutputState.RELEASED]
    places = {request: _place(folder, request) for request in in_force}
    return [request for request, place in places.items() if place.exists() and not _holds(place, request, key=key)]


def remove(folder: Path, request: str) -> None:
    """Take the archive of a release away that was revoked."""
    _place(folder, request).unlink(missing_ok=True)


def _holds(place: Path, request: str, *, key: Ed25519PublicKey) -> bool:
    try:
        return sealed.verify(place.read_bytes(), key).request == request
    except OutputRefusal:
        return False


def _place(folder: Path, request: str) -> Path:
    return folder / "crates" / f"{request}.zip"
