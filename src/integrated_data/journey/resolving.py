"""What published links are in the index version that a project wants: the newest, a pinned one, or as at a day."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from integrated_data.approve.answers import RELINKED, Answer
from integrated_data.control import indexes, releases
from integrated_data.control.indexes import LinkSet
from integrated_data.control.store import Store
from integrated_data.engine import Engine, Stored
from integrated_data.index import life
from integrated_data.index.registry import Seats
from integrated_data.journey.linking import version_folder
from integrated_data.journey.workshop import Workshop
from integrated_data.model.access import DatasetRequest, Project
from integrated_data.model.errors import AgreementRefusal, IndexRefusal
from integrated_data.vocabulary import sql

#: Views made while links are resolved.
EVENTS, OVERLAY = "version_events", "link_overlay"


def index_of(seats: Seats, key: str) -> str | None:
    """The index whose ids a key of that name stands for, or None."""
    return next((index for index, seat in seats.items() if seat.definition.key == key), None)


def pinned(project: Project, index: str) -> bool:
    """Whether a project's keys of an index stay with one version of it."""
    return index in project.index_versions or project.as_at is not None


def wanted(store: Store, project: Project, *, index: str) -> int | None:
    """The version of an index that a project wants; None where it pins none and nothing was loaded.

    Refuses a pinned version that does not exist, and a day before the index began or yet to come.
    """
    with store.read() as connection:
        if index in project.index_versions:
            return indexes.get(connection, index, version=project.index_versions[index]).version
        if project.as_at is not None:
            return indexes.as_at(connection, index, day=project.as_at, today=store.now().date()).version
        newest = indexes.current(connection, index)
    return newest.version if newest is not None else None


def check_pins(store: Store, seats: Seats, *, project: Project) -> None:
    """Refuse pins that cannot be kept, and pins of an index by which the project asks for no key."""
    asked = {index for r in project.datasets for key in r.keys if (index := index_of(seats, key)) is not None}
    idle = sorted(set(project.index_versions) - asked)
    if idle:
        raise AgreementRefusal(
            f"Project {project.id} pins the {', '.join(idle)} index, and asks for no key of it",
            next_step="Ask for the key in field keys of a dataset, or leave the pin out",
        )
    for index in sorted(asked):
        if pinned(project, index):
            wanted(store, project, index=index)


def answers(
    workshop: Workshop, project: Project, *, request: DatasetRequest, files: Sequence[Path]
) -> dict[str, Answer]:
    """Of every key that a project asks of a dataset, what the published links are in the version it wants."""
    found: dict[str, Answer] = {}
    for key in request.keys:
        index = index_of(workshop.seats, key)
        version = wanted(workshop.store, project, index=index) if index is not None else None
        if index is not None and version is not None:
            found[key] = answer(workshop, index, version=version, files=files)
    return found


def answer(workshop: Workshop, index: str, *, version: int, files: Sequence[Path]) -> Answer:
    """What the links of published files to an index are in one of its versions."""
    with workshop.store.read() as connection:
        sets = {f: indexes.links_of(connection, workshop.lake.delivery_of(f), index=index) for f in files}
    linked = {f: _linked_to(workshop, f, index=index, known=sets[f]) for f in files}
    later = frozenset(f for f, first in linked.items() if first is not None and first > version)
    relinked: dict[Path, pa.Table] = {}
    rests_on: list[str] = []
    for file, known in sets.items():
        laid = [s for s in known if not s.whole and s.index_version <= version]
        if laid:
            relinked[file] = overlay(workshop, laid)
            rests_on += [s.place for s in laid]
    folder = version_folder(workshop.places.indexes, index, version=version)
    return Answer(version, succession(workshop.engine, index, folder=folder), relinked, later, tuple(rests_on))


def _linked_to(workshop: Workshop, file: Path, *, index: str, known: Sequence[LinkSet]) -> int | None:
    """The version of an index from which the ids of a published file hold; None where it has none of it.

    A table that the service derived says itself from which version its ids are.
    """
    if known:
        return known[0].index_version
    with workshop.store.read() as connection:
        release = releases.of_delivery(connection, workshop.lake.delivery_of(file))
    found = release.entry.get("as_of", {}).get(index) if release is not None else None
    return int(found) if found is not None else None


def overlay(workshop: Workshop, sets: Sequence[LinkSet]) -> pa.Table:
    """Links of records that were matched again: record_id and RELINKED, the newest of each record."""
    parts = []
    try:
        for one in sets:
            relation = f"{OVERLAY}_{one.index_version}"
            workshop.engine.load(relation, Stored((place_of(workshop, one),)))
            parts.append(
                f"SELECT record_id, {', '.join(RELINKED)}, {one.index_version} AS since FROM {sql.name(relation)}"
            )
        return workshop.engine.rows(
            f"SELECT * EXCLUDE (since) FROM ({' UNION ALL '.join(parts)}) "
            "QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY since DESC) = 1"
        )
    finally:
        workshop.engine.drop(*(f"{OVERLAY}_{one.index_version}" for one in sets))


def place_of(workshop: Workshop, links: LinkSet) -> Path:
    """The file of a link set; refuses when it is not there."""
    place = workshop.places.deliveries.parent / links.place
    if not place.exists():
        raise IndexRefusal(
            f"The links of delivery {links.delivery} to version {links.index_version} of the {links.index} index "
            "are not there",
            why="Their file is missing from the identified zone",
            next_step="Restore it from a backup",
        )
    return place


def succession(engine: Engine, index: str, *, folder: Path) -> pa.Table | None:
    """old_id and new_id of entities that others stand for in a version; None where there are none."""
    load_events(engine, index, folder=folder)
    try:
        found = engine.rows(f"SELECT old_id, new_id FROM ({life.succession_sql(EVENTS)})")
    finally:
        engine.drop(EVENTS)
    return found if found.num_rows else None


def load_events(engine: Engine, index: str, *, folder: Path) -> None:
    """Make view EVENTS of a version; refuses a version whose files are gone."""
    if not folder.is_dir():
        raise IndexRefusal(
            f"A version of the {index} index is not there",
            why="Its folder is missing",
            next_step="Restore it from a backup, or load its sources again",
        )
    life.load(engine, folder if (folder / life.FILE).exists() else None, relation=EVENTS)


def kept_back(seats: Seats, project: Project, *, found: Mapping[str, Answer]) -> bool:
    """Whether a project keeps its old copy of a dataset: it pins versions, and the new release was linked later."""
    return any(answer.later and pinned(project, index_of(seats, key) or "") for key, answer in found.items())
