"""The lake's own branch follows the release that is read, for engines that ask the lake itself.

The store's change comes first, for what it says is what stands. That the branch is to follow is noted before it, in a
file by the dataset's name, which goes once the branch is there: where a process dies in between, whoever opens the
loading side next makes up for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from integrated_data.control import releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Change
from integrated_data.journey.workshop import Workshop
from integrated_data.model.errors import StoreRefusal
from integrated_data.model.event import Event


def stand(
    workshop: Workshop, release: Release, *, event: Event, check: Callable[[Change], None] = lambda _: None
) -> None:
    """Make a release what is read, and then the lake's branch; nobody else may add to the dataset meanwhile.

    `check` refuses inside the change: then both stay as they are.
    """
    with kept(workshop, release.dataset), workshop.store.change(event) as change:
        check(change)
        releases.stand(change, release.dataset, release=release.id)


@contextmanager
def adding(workshop: Workshop, dataset: str) -> Iterator[None]:
    """Nobody else adds a release to the dataset meanwhile, and one that is not named in the end is in the lake for
    nobody."""
    with workshop.lake.alone(dataset), kept(workshop, dataset):
        yield


@contextmanager
def kept(workshop: Workshop, dataset: str) -> Iterator[None]:
    """Whatever becomes of what is done within, the lake's branch is then at the release that is read; nobody else may
    add to the dataset meanwhile."""
    note = _notes(workshop) / dataset
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    note.touch()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what ended it is told; the note stays
            _follow(workshop, note)
        raise
    _follow(workshop, note)


def make_up(workshop: Workshop) -> None:
    """Let branches follow that processes which died left behind; whoever is at it does so without."""
    notes = _notes(workshop)
    for note in sorted(notes.iterdir()) if notes.is_dir() else ():
        with workshop.lake.alone(note.name, wait=False) as free:
            if free:
                _follow(workshop, note)


def _follow(workshop: Workshop, note: Path) -> None:
    with workshop.store.read() as connection:
        read = releases.current(connection, note.name)
    with suppress(StoreRefusal):  # the note stays: it is made up for when the object store answers again
        if read is not None:
            workshop.lake.stand(read.dataset, read.snapshot)
        else:
            workshop.lake.forget(note.name)
        note.unlink(missing_ok=True)


def _notes(workshop: Workshop) -> Path:
    return workshop.places.scratch / "branches"
