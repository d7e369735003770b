"""Files of the lake that an object store keeps: what is there by which digest, and the copies that lie here.

A file is written here, sent, and only then named by a snapshot. What was sent is noted beside the lake with its
SHA-256: a copy that is missing here is fetched and must have it, and one that was written anew (an erasure) no longer
has it and is sent again, its old versions destroyed.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from integrated_data.model.errors import StoreRefusal, is_disk_full

#: Where files lie, here and in the store: files/<dataset>/<name>.
FILES = "files"
#: Where snapshots lie in the store: tables/<dataset>/records.
TABLES = "tables"
#: Where it is noted, in the lake's folder, what was sent: a file each. No dataset has such a name.
NOTED = ".objects"
_CHUNK = 1 << 20


class ObjectStore(Protocol):
    """Where an installation's tables lie for other engines, by keys below one root that is its own.

    Every method raises StoreRefusal where the store does not do what it is asked, and says nothing of a secret.
    """

    @property
    def root(self) -> str:
        """The URL that keys are below, e.g. s3://bucket/prefix; without a slash at its end."""
        ...

    @property
    def properties(self) -> Mapping[str, str]:
        """What pyiceberg must know to read and write there."""
        ...

    def check_own(self) -> None:
        """Refuse a place that is not this installation's."""
        ...

    def put(self, key: str, place: Path) -> None:
        """Send a file whole; afterwards it is the only version under its key."""
        ...

    def fetch(self, key: str, place: Path) -> None:
        """Write an object to a file."""
        ...

    def clear(self, under: str, *, besides: Collection[str] = ()) -> frozenset[str]:
        """Destroy all that is below a prefix, in every version, and uploads that were never finished.

        `besides`: keys whose newest version stays; returns those that are there. Raises where anything else is still
        listed afterwards.
        """
        ...

    def give_up(self, under: str, *, naming: str) -> None:
        """Destroy what uploads that were never finished have left below a prefix, of keys that hold a text."""
        ...

    def held(self, under: str) -> tuple[str, ...]:
        """Keys below a prefix of which there is anything: a version, a mark of deletion, an unfinished upload."""
        ...


class Objects:
    """The lake's files in a store, known by their digests; `folder` is the lake's."""

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        self._folder, self.store = folder, store
        self._noted, self._checked = folder / NOTED, False

    def sent(self, dataset: str, place: Path) -> str:
        """The URL of a file in the store, where it is sent unless it is there as it is here."""
        key, note, told = f"{FILES}/{dataset}/{place.name}", self._note(dataset, place.name), digest(place)
        if self._known(note) != told:
            self.check_own()
            note.unlink(missing_ok=True)
            self.store.put(key, place)
            _write(note, told)
        return f"{self.store.root}/{key}"

    def fetched(self, dataset: str, place: Path) -> None:
        """Have a file here that was sent and is not here any more; raises StoreRefusal where another one comes."""
        told = None if place.exists() else self._known(self._note(dataset, place.name))
        if told is None:
            return
        part = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part")
        try:
            self.store.fetch(f"{FILES}/{dataset}/{place.name}", part)
            if digest(part) != told:
                raise StoreRefusal(
                    f"A file of dataset {dataset} in the object store is not the one that was sent",
                    why="Its SHA-256 is another one: it was changed there",
                    next_step="Find out who writes there, and restore the newest backup",
                )
            part.chmod(0o600)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    def checked(self, dataset: str, names: Collection[str]) -> Collection[str]:
        """The same names of files; refuses one that was never sent, which a snapshot in the store names."""
        if not set(names) <= set(self._names(dataset)):
            raise StoreRefusal(
                f"A snapshot of dataset {dataset} in the object store names a file that was never sent",
                why="It was changed there",
                next_step="Find out who writes there, and move the lake again: ids lake leave, then ids lake store",
            )
        return names

    def gather(self, dataset: str) -> None:
        """Have every file of a dataset here that was sent."""
        folder = self._folder / FILES / dataset
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self._names(dataset):
            self.fetched(dataset, folder / name)

    def datasets(self) -> list[str]:
        """Datasets of which anything was sent."""
        return sorted(p.name for p in self._noted.glob("*")) if self._noted.is_dir() else []

    def settle(self, dataset: str, places: Collection[Path]) -> None:
        """Let the store hold these files of a dataset as they are here, and of anything else of it nothing.

        Nothing is left of what was written anew, of other files, of the table's snapshots, and of older versions of
        any of them. Killed half-way, it is done again.
        """
        self.check_own()
        for place in places:
            self.sent(dataset, place)
        names = {place.name for place in places}
        there = self.store.clear(f"{FILES}/{dataset}/", besides=[f"{FILES}/{dataset}/{name}" for name in names])
        self.store.clear(f"{TABLES}/{dataset}/")
        for place in places:
            if f"{FILES}/{dataset}/{place.name}" not in there:  # somebody else took it away
                self._note(dataset, place.name).unlink()
                self.sent(dataset, place)
        for name in self._names(dataset):
            if name not in names:
                self._note(dataset, name).unlink()
        if not names and (self._noted / dataset).is_dir():
            (self._noted / dataset).rmdir()

    def left(self, dataset: str) -> tuple[str, ...]:
        """Keys of the store under which anything of a dataset is found."""
        return (*self.store.held(f"{FILES}/{dataset}/"), *self.store.held(f"{TABLES}/{dataset}/"))

    def check_own(self) -> None:
        """Refuse a place in the store that is another installation's; asked once."""
        if not self._checked:
            self.store.check_own()
            self._checked = True

    def _names(self, dataset: str) -> list[str]:
        return sorted(p.name for p in (self._noted / dataset).glob("*") if p.suffix != ".part")

    def _note(self, dataset: str, name: str) -> Path:
        return self._noted / dataset / name

    @staticmethod
    def _known(note: Path) -> str | None:
        return note.read_text("ascii") if note.exists() else None


def digest(place: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    told = hashlib.sha256()
    with place.open("rb") as file:
        while block := file.read(_CHUNK):
            told.update(block)
    return told.hexdigest()


def _write(note: Path, told: str) -> None:
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = note.with_name(f"{note.name}.{secrets.token_hex(4)}.part")
    part.write_text(told, encoding="ascii")
    part.replace(note)


@contextmanager
def asking() -> Iterator[None]:
    """Errors of a store inside become one sentence that holds nothing of theirs: no key of an object, no secret."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise
        raise StoreRefusal(
            "The object store of the lake did not do what it was asked",
            why=f"It failed with {type(error).__name__}",
            next_step="Check that it answers, and its bucket and keys (keyring/lake.yaml); then do the same again",
        ) from None
