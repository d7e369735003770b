"""Counting, on the loading side and once per release, what a dataset is joinable with."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from integrated_data.approve.answers import answered
from integrated_data.control import bodies, indexes, releases
from integrated_data.control.releases import Release
from integrated_data.engine import Held
from integrated_data.journey import resolving
from integrated_data.model.catalogue import Shared
from integrated_data.model.event import Event
from integrated_data.publish.joinable import entities_sql, shared_sql, told
from integrated_data.site import joinable, twinning
from integrated_data.site.loading import LoadingSite

#: Other datasets that are counted with at a release, newest first.
MOST_OTHERS = 100

#: What the key is derived for that gives pairs their offsets.
PURPOSE = "joinable"

ENTITIES, ROWS, HEIRS = "join_entities", "join_rows", "join_heirs"


def count_all(site: LoadingSite, datasets: Sequence[str], *, by: str) -> None:
    """Count what was just released with the others; a count that fails stops no load, and is on record."""
    for dataset in datasets:
        try:
            count(site, dataset, by=by)
        except Exception as error:  # the table is published: what it joins with can be counted at its next release
            kind = type(error).__name__
            structlog.get_logger().error("what a dataset is joinable with was not counted", dataset=dataset, kind=kind)
            site.store.record(Event("joinable.failed", by, f"dataset/{dataset}", {"kind": kind}))


def count(site: LoadingSite, dataset: str, *, by: str) -> None:
    """Count the newest release of a dataset with the others that share an index; nothing is counted twice."""
    with site.store.read() as connection:
        if not _keys(releases.get(connection, dataset)):
            return
        every = {r.dataset: r for r in releases.all_current(connection)}
    mine = every.pop(dataset)
    found: dict[str, dict[str, Any]] = {}
    known = joinable.kept(site.places, dataset)
    newest = [r for r in sorted(every.values(), key=lambda r: -r.id) if _keys(r) & _keys(mine)][:MOST_OTHERS]
    key = site.vault.derive(PURPOSE)
    for index in sorted(_keys(mine)):
        others = [r for r in newest if index in _keys(r) and not _counted(known, index, releases=(mine, r))]
        counts = _shared(site, index, mine=mine, others=others) if others else []
        for other, exact in zip(others, counts, strict=True):
            least = joinable.minimum_of(site.store, dataset, other=other.dataset)
            about, base = told(exact, minimum=least, key=key, index=index, datasets=(dataset, other.dataset))
            ids = tuple(sorted((mine.id, other.id)))
            found.setdefault(other.dataset, {})[index] = bodies.write(Shared(index, about, base, least, ids))
    if found:
        facts = {"release": mine.id, "with": len(found)}
        with site.store.change(Event("joinable.counted", by, f"dataset/{dataset}", facts)):
            joinable.keep(site.places, dataset, found=found)
            for partner, shared in found.items():
                joinable.keep(site.places, partner, found={dataset: shared})


def _keys(release: Release) -> set[str]:
    return {v["name"].removesuffix("_entity") for v in release.entry["variables"] if v["meaning"] == "entity"}


def _counted(kept: Mapping[str, Any], index: str, *, releases: tuple[Release, Release]) -> bool:
    body = kept.get(releases[1].dataset, {}).get(index)
    return body is not None and body["releases"] == sorted(r.id for r in releases)


def _shared(site: LoadingSite, index: str, *, mine: Release, others: Sequence[Release]) -> list[int]:
    """How many entities of an index, as it is now, each of the others shares: exact, and for `told` alone."""
    counts, engine = [], site.engine
    try:
        _entities(site, mine, key=index, relation=ENTITIES)
        for other in others:
            _entities(site, other, key=index, relation=f"{ENTITIES}_other")
            counts += engine.rows(shared_sql(ENTITIES, f"{ENTITIES}_other"))["n"].to_pylist()
            engine.drop(f"{ENTITIES}_other")
    finally:
        engine.drop(ENTITIES, f"{ENTITIES}_other")
    return counts


def _entities(site: LoadingSite, release: Release, *, key: str, relation: str) -> None:
    """Make table `relation` (`e`) of the entities that a release has links to, as they stand now."""
    engine, made = site.engine, list[str]()
    files = twinning.files_of(site, release)
    index = resolving.index_of(site.seats, key)
    with site.store.read() as connection:
        version = indexes.current(connection, index) if index else None
    answer = resolving.answer(site.workshop, index, version=version.version, files=files) if index and version else None
    try:
        answered(engine, files, answers={key: answer} if answer else {}, relation=ROWS, made=made)
        heirs = answer.succession if answer else None
        if heirs is not None:
            made.append(HEIRS)
            engine.load(HEIRS, Held(heirs))
        engine.create(relation, entities_sql(ROWS, key, heirs=HEIRS if heirs is not None else None))
    finally:
        engine.drop(*reversed(made))
