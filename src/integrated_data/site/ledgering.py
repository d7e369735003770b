"""The release ledger in the wiring: its key, and the numbers that people have in it.

A number is given when a project's keys are made: the loading side knows entity and key, the ledger keeps
key and number, so that tables of two projects can be compared and no entity id is there to be found. Numbers
are given in random order, because the ledger reads the first ones as a sample.
"""

import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from integrated_data.approve.keyed import Tokens
from integrated_data.engine import Sealer
from integrated_data.output.ledger import Ledger
from integrated_data.output.request import UNITS
from integrated_data.site.places import Places
from integrated_data.site.service_keys import service_key

Ids: TypeAlias = NDArray[np.int64]


def open_ledger(places: Places) -> Ledger:
    """The release ledger of an installation."""
    return Ledger(places.ledger, service_key(places, "ledger"))


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
    ledger = open_ledger(places)
    for index, pairs in made.made.items():
        if f"{index}_key" not in UNITS:
            continue
        entities, tokens = (np.concatenate([pair[n] for pair in pairs]) for n in (0, 1))
        with _locked(places, index):
            entities, first = np.unique(entities, return_index=True)
            numbers = _numbers(places, sealer, index=index, entities=entities)
            ledger.put_numbers(index, project, keys=tokens[first], numbers=numbers)


def _numbers(places: Places, sealer: Sealer, *, index: str, entities: Ids) -> NDArray[np.uint32]:
    """The number of each entity; new ones follow those that were given, in random order."""
    place = places.identified / "numbers" / f"{index}.npz"
    known, numbers = np.zeros(0, np.int64), np.zeros(0, np.uint32)
    if place.exists():
        with sealer.read(place) as file:
            held = np.load(io.BytesIO(file.read()))
        known, numbers = held["entities"], held["numbers"]
    new = np.setdiff1d(entities, known)
    if len(new):
        given = len(known) + np.random.default_rng().permutation(len(new)).astype(np.uint32)
        known, numbers = np.concatenate([known, new]), np.concatenate([numbers, given.astype(np.uint32)])
        order = np.argsort(known)
        known, numbers = known[order], numbers[order]
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with sealer.write(place) as file:
            np.savez(file, entities=known, numbers=numbers)
    return np.asarray(numbers[np.searchsorted(known, entities)])


@contextmanager
def _locked(places: Places, index: str) -> Iterator[None]:
    """One process at a time gives numbers."""
    folder = places.identified / "numbers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / f"{index}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
