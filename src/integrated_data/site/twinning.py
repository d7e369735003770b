"""Synthetic twins of published tables, made on the loading side from safe counts alone."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from integrated_data.access.twins import Twins
from integrated_data.control import freezes, releases
from integrated_data.engine import Stored
from integrated_data.model.errors import DeliveryRefusal, is_interrupt
from integrated_data.model.event import Event
from integrated_data.model.people import Action
from integrated_data.output.limits import held_to
from integrated_data.publish import safe_counts, twin
from integrated_data.site import joinable, owning
from integrated_data.site.loading import LoadingSite

RELATION = "_twin_of"


def make(site: LoadingSite, dataset: str, *, by: str) -> dict[str, Any]:
    """Make the twin of a dataset anew, for a steward of its owner; returns what the twin is."""
    owning.check(site.store, dataset, action=Action.SETTLE_LOADS, by=by)
    return _make(site, dataset, by=by)


def _make(site: LoadingSite, dataset: str, *, by: str) -> dict[str, Any]:
    """Count a dataset's newest release safely and make its twin from the counts; returns what the twin is.

    The fewest people behind a count are the service's, or more where an agreement asks for more. Refuses what is
    frozen.
    """
    with site.store.read() as connection:
        what = f"No twin is made of dataset {dataset}"
        freezes.check(connection, what, datasets=(dataset,), refused=DeliveryRefusal)
        release = releases.get(connection, dataset)
    files = files_of(site, release)
    minimum = held_to(site.store, (dataset,)).minimum_people
    overlaps: dict[str, dict[str, int]] = {}
    for other, by_index in joinable.kept(site.places, dataset).items():
        for index, shared in by_index.items():
            about = shared["about"] or 0
            overlaps.setdefault(index, {})[other] = about if about >= minimum else 0
    with site.engine.apart() as engine:
        engine.load(RELATION, Stored(files, sealed=False))
        try:
            counts = safe_counts.count(engine, RELATION, dataset=dataset, minimum=minimum, overlaps=overlaps)
        finally:
            engine.drop(RELATION)
    told = _written(site, counts, release=release, files=files)
    facts = {k: told[k] for k in ("release", "rows", "minimum")}
    site.store.record(Event("twin.made", by, f"dataset/{dataset}", facts))
    return told


def make_all(site: LoadingSite, datasets: list[str], *, by: str) -> None:
    """Make the twins of datasets that were published; one that cannot be made stops no load, and is on record."""
    for dataset in datasets:
        try:
            _make(site, dataset, by=by)
        except Exception as error:  # the table is published: its twin can be made later
            if is_interrupt(error):
                raise KeyboardInterrupt from error
            kind = type(error).__name__
            structlog.get_logger().error("no synthetic twin was made", dataset=dataset, kind=kind)
            site.store.record(Event("twin.failed", by, f"dataset/{dataset}", {"kind": kind}))


def _written(
    site: LoadingSite, counts: safe_counts.SafeCounts, *, release: releases.Release, files: Sequence[Path]
) -> dict[str, Any]:
    """Write the counts, the twin that they give, and what it is; what was there before goes."""
    folder, dataset = site.places.twins, counts.dataset
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    twins = Twins(folder)
    others = _keys(twins, besides=dataset) if counts.links else {}
    rows = twin.build(counts, seed=release.id, others=others)
    again, file = (folder / f"{dataset}.json").exists(), f"{dataset}-{secrets.token_hex(8)}.parquet"
    pq.write_table(rows, folder / file, compression="zstd")
    keys = [link.index for link in counts.links]
    told = {
        "dataset": dataset, "synthetic": True, "release": release.id, "rows": rows.num_rows, "minimum": counts.minimum,
        "columns": rows.column_names, "keys": keys, "file": file, "at": site.store.now().isoformat(timespec="seconds"),
        "of": [str(p.relative_to(site.lake.folder.resolve())) for p in files],
    }  # fmt: skip
    for name, body in ((f"{dataset}.counts.json", counts.told()), (f"{dataset}.json", told)):
        part = folder / f"{name}.part"
        part.write_text(json.dumps(body), encoding="utf-8")
        part.replace(folder / name)
    for old in folder.glob(f"{dataset}-*.parquet") if again else ():  # thousands of others stand there too
        if old.name != file:
            old.unlink(missing_ok=True)
    return told


def files_of(site: LoadingSite, release: releases.Release) -> tuple[Path, ...]:
    """The files of a release: as its twin has noted them, which is quicker, or as the lake says."""
    noted = site.places.twins / f"{release.dataset}.json"
    facts = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    if facts.get("release") == release.id:
        return tuple(site.lake.here(site.lake.folder.resolve() / file) for file in facts["of"])
    return site.lake.files(release.dataset, release.snapshot)


def _keys(twins: Twins, *, besides: str) -> dict[str, dict[str, twin.Keys]]:
    """Keys of the other twins' entities, by index and dataset."""
    found: dict[str, dict[str, twin.Keys]] = {}
    for facts in twins.facts():
        if facts["dataset"] == besides:
            continue
        for index in facts["keys"]:
            table = pq.read_table(twins.folder / facts["file"], columns=[f"{index}_key"])
            keys: pa.Array = table.column(0).combine_chunks().drop_null().unique()
            found.setdefault(index, {})[facts["dataset"]] = keys.to_numpy()
    return found
