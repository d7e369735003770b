"""The release ledger in the wiring: its key, and the numbers that people have in it.

A number is given when a project's keys are made: the loading side knows entity and key, the ledger keeps
key and number, so that tables of two projects can be compared and no entity id is there to be found. Numbers
are given in random order, because the ledger reads the first ones as a sample.
"""

import fcntl
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from integrated_data.approve.keyed import Tokens
from integrated_data.engine import Sealer
from integrated_data.model.output import UNITS
from integrated_data.output.ledger import LOCK, Ledger
from integrated_data.site.places import Places
from integrated_data.site.service_keys import service_key

Ids: TypeAlias = NDArray[np.int64]

#: Names of the ledger's key, and of the one that takes its place.
KEY, NEXT = "ledger", "ledger-next"


@contextmanager
def open_ledger(places: Places, *, alone: bool = False) -> Iterator[Ledger]:
    """The release ledger of an installation; `alone`: while nobody else has it open, to change what is in it."""
    places.ledger.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(places.ledger / LOCK, alone=alone):
        key = service_key(places, KEY)
        if (places.service_keys / f"{NEXT}.key").exists():  # changing the key was cut short
            yield Ledger(places.ledger, service_key(places, NEXT), earlier=(key,))
        else:
            yield Ledger(places.ledger, key)


@dataclass(frozen=True)
class Remembering:
    """Tokens of one project that remembers which entity got which; see `number`."""

    tokens: Tokens
    made: dict[str, list[tuple[Ids, Ids]]] = field(default_factory=dict)

    def of(self, index: str, entities: Ids) -> Ids:
        """Tokens of entity ids of an index, in their order."""
        tokens = self.tokens.of(index, entities)
        self.made.setdefault(index, []).append((entities, tokens))
        return tokens


def number(places: Places, sealer: Sealer, *, project: str, made: Remembering) -> None:
    """Give everybody behind a project's new keys a number in the ledger, where they have none."""
    with open_ledger(places, alone=True) as ledger:
        for index, pairs in made.made.items():
            if f"{index}_key" in UNITS:
                entities, tokens = (np.concatenate([pair[n] for pair in pairs]) for n in (0, 1))
                entities, first = np.unique(entities, return_index=True)
                numbers = _numbers(places, sealer, index=index, entities=entities)
                ledger.put_numbers(index, project, keys=tokens[first], numbers=numbers)


def known(places: Places, sealer: Sealer, *, index: str) -> tuple[Ids, NDArray[np.uint32]]:
    """Entities of an index that have a ledger number, in order, and the number of each."""
    place = _place(places, index)
    if not place.exists():
        return np.zeros(0, np.int64), np.zeros(0, np.uint32)
    with sealer.read(place) as file:
        held = np.load(io.BytesIO(file.read()))
    return held["entities"], held["numbers"]


def keep(places: Places, sealer: Sealer, *, index: str, entities: Ids, numbers: NDArray[np.uint32]) -> None:
    """Write down which entity has which number, in place of what was written."""
    order, place = np.argsort(entities), _place(places, index)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sealer.write(place) as file:
        np.savez(file, entities=entities[order], numbers=numbers[order])


def forget(places: Places, sealer: Sealer, *, index: str, entities: Ids, keys: Mapping[str, Ids]) -> int:
    """Forget which number some entities, and the keys that projects have for them, got; returns how many.

    The number stays given, to nobody: no newcomer gets it, and what left about it cannot be followed back.
    """
    with open_ledger(places, alone=True) as ledger:
        held, numbers = known(places, sealer, index=index)
        theirs = np.isin(held, entities)
        if theirs.any():
            nobody = np.where(theirs, -1 - numbers.astype(np.int64), held)
            keep(places, sealer, index=index, entities=nobody, numbers=numbers)
        for project, tokens in keys.items():
            ledger.forget_keys(index, project, keys=tokens)
    return int(theirs.sum())


def _place(places: Places, index: str) -> Path:
    return places.identified / "numbers" / f"{index}.npz"


def _numbers(places: Places, sealer: Sealer, *, index: str, entities: Ids) -> NDArray[np.uint32]:
    """The number of each entity; new ones follow those that were given, in random order."""
    held, numbers = known(places, sealer, index=index)
    new = np.setdiff1d(entities, held)
    if len(new):
        first = int(numbers.max(initial=0)) + 1 if len(numbers) else 0
        given = first + np.random.default_rng().permutation(len(new)).astype(np.uint32)
        held, numbers = np.concatenate([held, new]), np.concatenate([numbers, given.astype(np.uint32)])
        keep(places, sealer, index=index, entities=held, numbers=numbers)
        order = np.argsort(held)
        held, numbers = held[order], numbers[order]
    return np.asarray(numbers[np.searchsorted(held, entities)])


@contextmanager
def _locked(place: Path, *, alone: bool) -> Iterator[None]:
    """Hold a file's lock, with others or alone."""
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
