"""The ledger follows an index version: numbers of people, of released tables and of those about to be.

Releases that come nearer to each other by it have left already: their cells are reported, for people to judge.
"""

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from integrated_data.control import outputs
from integrated_data.journey import resolving
from integrated_data.journey.linking import version_folder
from integrated_data.model.output import UNITS, Release
from integrated_data.output.following import Change, Versions, followed, nearer
from integrated_data.output.ledger import Kept, Ledger
from integrated_data.output.limits import held_to
from integrated_data.site import ledgering
from integrated_data.site.loading import LoadingSite


class Became(NamedTuple):
    """What became of the people of an index: of their entities, in order, the numbers, and the change of numbers."""

    entities: NDArray[np.int64]
    numbers: NDArray[np.uint32]
    change: Change


def follow(site: LoadingSite, index: str, *, version: int) -> dict[str, Any]:
    """Follow a version of an index; returns what was changed and which releases came nearer to each other."""
    key = site.seats.of(index).definition.key
    told: dict[str, Any] = {"index": index, "version": version, "merged": 0, "split": 0, "tables": 0, "nearer": []}
    if f"{key}_key" not in UNITS:
        return told
    with ledgering.open_ledger(site.places, alone=True) as ledger:
        became = _became(site, index, version=version, key=key)
        if became.change.nothing:
            return told
        with site.store.read() as connection:
            left = {release.request: release for release, _ in outputs.left(connection)}
        work = site.places.ledger / "followed"
        shutil.rmtree(work, ignore_errors=True)
        changed = _written(ledger, key, change=became.change, left=set(left), work=work)
        told["nearer"] = list(_nearer(site, ledger, key=key, left=left, changed=changed))
        for name, place in changed.items():
            ledger.adopt(place, index=key, name=name)
        waiting = _waiting(site, ledger, key=key, change=became.change, work=work)
        told["tables"] = len(changed.keys() | waiting)
        ledger.renumber(key, became.change.now)
        ledgering.keep(site.places, site.sealer, index=key, entities=became.entities, numbers=became.numbers)
        shutil.rmtree(work, ignore_errors=True)
    return told | {"merged": became.change.merged, "split": int(np.count_nonzero(became.change.split))}


def _became(site: LoadingSite, index: str, *, version: int, key: str) -> Became:
    entities, numbers = ledgering.known(site.places, site.sealer, index=key)
    entities, numbers = entities.copy(), numbers.copy()
    folder = version_folder(site.places.indexes, index, version=version)
    gone = resolving.succession(site.engine, index, folder=folder)
    given = int(numbers.max(initial=0)) + 1 if len(numbers) else 0
    now, split = np.arange(given, dtype=np.uint32), np.zeros(given, bool)
    for old, new in zip(*(gone.column(c).to_pylist() for c in ("old_id", "new_id")), strict=True) if gone else ():
        was, stands = _at(entities, old), _at(entities, new)
        if was is None:
            continue
        if stands is None:
            place = int(np.searchsorted(entities, new))
            entities, numbers = np.insert(entities, place, new), np.insert(numbers, place, numbers[was])
        elif numbers[was] != numbers[stands]:
            now[numbers[was]] = numbers[stands]
    for entity in _split(site, index, folder=folder, version=version):
        at = _at(entities, entity)
        if at is not None:
            split[numbers[at]] = True
    return Became(entities, now[numbers], Change(now, split))


def _at(entities: NDArray[np.int64], entity: int) -> int | None:
    place = int(np.searchsorted(entities, entity))
    return place if place < len(entities) and entities[place] == entity else None


def _split(site: LoadingSite, index: str, *, folder: Path, version: int) -> list[int]:
    """Entities that lost records to others in a version."""
    resolving.load_events(site.engine, index, folder=folder)
    try:
        asked = f"SELECT DISTINCT entity_id FROM {resolving.EVENTS} WHERE event = 'split' AND version = {version}"
        return [int(e) for e in site.engine.rows(asked).column("entity_id").to_pylist()]
    finally:
        site.engine.drop(resolving.EVENTS)


def _written(ledger: Ledger, key: str, *, change: Change, left: set[str], work: Path) -> dict[str, Path]:
    """Write the released tables that the change touches anew, beside those that are there; their places by name."""
    changed = {}
    for kept in ledger.tables(key, of=left):
        after = followed(kept.table, change)
        if after is not None:
            changed[kept.place.name] = work / kept.place.name
            ledger.write(changed[kept.place.name], after)
    return changed


def _nearer(
    site: LoadingSite, ledger: Ledger, *, key: str, left: dict[str, Release], changed: dict[str, Path]
) -> Iterator[dict[str, Any]]:
    """Pairs of releases that together give away more than before, and how many cells."""

    def versions(kept: Kept) -> Versions:
        place = changed.get(kept.place.name)
        return Versions(kept.table, ledger.read(place) if place is not None else kept.table)

    found: dict[tuple[str, str], int] = {}
    tables = list(ledger.tables(key, of=set(left)))
    for one, other in product((kept for kept in tables if kept.place.name in changed), tables):
        twice = other.place.name in changed and other.place.name <= one.place.name
        if one.request == other.request or twice:
            continue
        datasets = tuple(sorted({*left[one.request].datasets, *left[other.request].datasets}))
        below = held_to(site.store, datasets).minimum_people
        pair = min(one.request, other.request), max(one.request, other.request)
        found[pair] = found.get(pair, 0) + nearer(versions(one), versions(other), below=below)
    yield from ({"releases": list(pair), "cells": cells} for pair, cells in sorted(found.items()) if cells)


def _waiting(site: LoadingSite, ledger: Ledger, *, key: str, change: Change, work: Path) -> set[str]:
    """Follow with the tables that lie beside requests, left or not; names of those that were changed."""
    named = set()
    for place in sorted(site.places.outputs.glob(f"requests/*/ledger/{key}/[!.]*")):
        after = followed(ledger.read(place), change)
        if after is not None:
            ledger.write(work / "waiting" / place.name, after)
            ledger.exchange(work / "waiting" / place.name, place)
            named.add(place.name)
    return named
