"""What the removal of a dataset will reach, looked up before anything is changed: files by count, bytes and digest."""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from integrated_data.control import indexes, releases
from integrated_data.index import forget
from integrated_data.index.forget import Whom
from integrated_data.index.matched import MatchedIndex
from integrated_data.index.reference import forgetting
from integrated_data.index.reference.registers import RegisterIndex
from integrated_data.journey import derived
from integrated_data.journey.workshop import Facts
from integrated_data.model.errors import IndexRefusal
from integrated_data.site.loading import LoadingSite
from integrated_data.site.places import Places
from integrated_data.site.retention import due
from integrated_data.site.subjects import somebody

CHUNK = 1 << 20


def plan(site: LoadingSite, dataset: str) -> Facts:
    """The rule, and what of a dataset there is; nothing is changed. Refuses what cannot be removed."""
    rule = due.rule(site.store, dataset)
    due.check_not_frozen(site.store, dataset)
    check_removable(site, dataset)
    held = due.deliveries_held(site.store, dataset)
    with site.store.read() as connection:
        known = releases.of_dataset(connection, dataset)
        indexed = any(indexes.links_of(connection, d) for d, _ in held)
        indexed |= any(v.source == dataset for v in indexes.versions(connection))
    places = site.places
    site.lake.gather(dataset)
    table = digest(places, _files(places.lake / "files" / dataset)) | _beyond(site, dataset)
    told = [
        {"delivery": d, **digest(places, [p for zone in (places.landed, places.deliveries) for p in _files(zone / d)])}
        for d, _ in held
    ]
    return {
        "rule": rule, "deliveries": told, "releases": [r.id for r in known], "indexed": indexed,
        "rows_published": known[-1].rows if known else 0,
        "table": table, "versions": versions(site),
        "backups": due.backups(site.store, since=held[0][1]) if held else [],
    }  # fmt: skip


def digest(places: Places, files: Iterable[Path]) -> dict[str, Any]:
    """How many files, their bytes, and SHA-256 over the name and digest of each: what proves which they were."""
    whole, count, size = sha256(), 0, 0
    for place in files:
        told = sha256()
        with place.open("rb") as file:
            while block := file.read(CHUNK):
                told.update(block)
                size += len(block)
        whole.update(f"{place.relative_to(places.home)}\0{told.hexdigest()}\n".encode())
        count += 1
    return {"files": count, "bytes": size, "sha256": whole.hexdigest()}


def _beyond(site: LoadingSite, dataset: str) -> dict[str, int]:
    """How many objects there are of a dataset in the lake's store, where it has one."""
    return {"objects": len(site.lake.left(dataset))} if site.lake.objects is not None else {}


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def check_removable(site: LoadingSite, dataset: str) -> None:
    """Refuse a dataset that fed an index which keeps no record of who said what."""
    with site.store.read() as connection:
        fed = {v.index for v in indexes.versions(connection) if v.source == dataset}
    other = sorted(i for i in fed if i in site.seats and not isinstance(site.seats.of(i), RegisterIndex | MatchedIndex))
    if other:
        raise IndexRefusal(
            f"Dataset {dataset} fed the {', '.join(other)} index and is not removed by itself",
            why="That index is of codes and places, and does not keep apart what each source said",
            next_step="Load the index anew from its other sources in a new installation",
        )


def versions(site: LoadingSite) -> list[list[str]]:
    """Every version of every index that is told by records, provisional entities too: index, folder."""
    told = [i for i, seat in site.seats.items() if isinstance(seat, RegisterIndex | MatchedIndex)]
    return [[i, str(f.relative_to(site.places.indexes))] for i in told for f in somebody.folders(site, i)]


def said(site: LoadingSite, dataset: str, *, index: str, version: str) -> dict[str, int]:
    """How many rows of a version of an index are what a dataset said."""
    folder, sources = site.places.indexes / version, frozenset({dataset})
    if isinstance(site.seats.of(index), RegisterIndex):
        return forgetting.count(site.engine, folder, sources=sources)
    return forget.count(site.engine, folder, whom=Whom((), frozenset(), b"", sources))


def holding(site: LoadingSite, dataset: str, *, planned: Facts) -> list[Path]:
    """Folders that held a dataset."""
    places, known = site.places, [one["delivery"] for one in planned["deliveries"]]
    folders = [zone / d for zone in (places.landed, places.deliveries) for d in known]
    return [*folders, places.lake / "files" / dataset, places.lake / dataset / "records"]


def remove_made(places: Places, dataset: str) -> int:
    """Remove the twin of a dataset, what it is joinable with, and what its variables map to; how many files."""
    made = [*places.twins.glob(f"{dataset}.*"), *places.twins.glob(f"{dataset}-*.parquet"),
            *places.joinable.glob(f"{dataset}.json"), *places.concepts.glob(f"{dataset}.json")]  # fmt: skip
    for place in made:
        place.unlink()
    for place in places.joinable.glob("*.json"):
        kept = json.loads(place.read_text("utf-8"))
        if kept.pop(dataset, None) is not None:
            part = place.with_suffix(".part")
            part.write_text(json.dumps(kept, sort_keys=True), encoding="utf-8")
            part.replace(place)
    return len(made)


def marker(site: LoadingSite) -> dict[str, Any]:
    """What a derived release says that was made without what expired."""
    return derived.expired(site.workshop)
