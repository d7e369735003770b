"""A dataset whose time is over is removed, in steps that go on where they were cut short.

    plan → withdraw → expire → delivery-0001 … → index-0001 … → tables → beside → derived → copy-0001 … → sweep

From `withdraw` on no project reads it, from `expire` on it is published no more. What had landed, checked rows,
quarantine and links go; what it said in every version of every index and among provisional entities, with the numbers
by which the release ledger knew those of whom nobody else says anything; its tables with all snapshots; its synthetic
twin, counts, models, clerical samples, and what people decided about its records. What is derived from several
datasets is made anew without it, and all that was derived before is removed. Outputs that left stay: they are about
groups, and the ledger has a time of its own.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from integrated_data.approve import provision
from integrated_data.control import decisions, deliveries, grants, queries, releases, reviews
from integrated_data.control.store import Change
from integrated_data.index import forget
from integrated_data.index.forget import Whom
from integrated_data.index.matched import MatchedIndex
from integrated_data.index.reference import forgetting
from integrated_data.index.reference.registers import RegisterIndex
from integrated_data.index.seat import Seat
from integrated_data.journey import associations, presence
from integrated_data.journey.workshop import Facts
from integrated_data.model.access import Grant
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.linkage import DERIVED
from integrated_data.model.review import ReviewKind
from integrated_data.site import tables, twinning
from integrated_data.site.loading import LoadingSite
from integrated_data.site.retention import due, planning
from integrated_data.site.rights import copies, sampled, scrubbing
from integrated_data.site.rights.erasing import forget_numbers
from integrated_data.site.stepping import Steps, Write
from integrated_data.site.subjects import somebody

Work = Callable[[], tuple[Facts, Write | None]]


def carry_out(site: LoadingSite, steps: Steps, *, dataset: str, planned: Facts) -> dict[str, Any]:
    """Remove a dataset as planned, from the first step that is not done; returns what was removed where.

    A freeze of it, or of something that is made from it, stops it before the next step.
    """

    def step(name: str, work: Work) -> Facts:
        due.check_not_frozen(site.store, dataset)
        return steps.run(name, work)

    gone = copies.withdrawn(site, steps, reached=lambda: _holding(site, dataset))
    done: dict[str, Any] = {"copies_withdrawn": sum(len(of) for _, of in gone["copies"])}
    done |= step("expire", lambda: _expired(dataset, planned=planned))
    for number, one in enumerate(planned["deliveries"], 1):
        step(f"delivery-{number:04d}", _delivery(site, one["delivery"]))
    versions = [
        step(f"index-{number:04d}", _version(site, dataset, index=index, version=version))
        for number, (index, version) in enumerate(planned["versions"], 1)
    ]
    done["index_versions"] = [v for v in versions if any(v["rows"].values())]
    step("tables", lambda: _table(site, dataset))
    done |= step("beside", lambda: _beside(site, dataset))
    if planned["indexed"]:
        done |= step("derived", lambda: _derived(site))
    with site.store.read() as connection:
        published = {r.dataset for r in releases.all_current(connection)}
    anew = {**gone, "copies": [(p, kept) for p, of in gone["copies"] if (kept := [d for d in of if d in published])]}
    done["copies_made_anew"] = copies.made_anew(site, steps, gone=anew)
    done |= steps.run("sweep", lambda: _sweep(site, dataset, planned=planned))
    return done


def _holding(site: LoadingSite, dataset: str) -> list[Grant]:
    """Copies of the dataset, and of everything that is derived."""
    with site.store.read() as connection:
        reached = releases.derived_from(connection, [dataset])
        return [g for g in grants.active(connection) if g.dataset in reached or g.dataset.startswith(DERIVED)]


def _expired(dataset: str, *, planned: Facts) -> tuple[Facts, Write]:
    """The dataset is published no more, and none of its deliveries is held."""

    def write(change: Change) -> None:
        releases.expire(change, dataset)
        for one in planned["deliveries"]:
            deliveries.expire(change, one["delivery"])

    return {"releases": planned["releases"], "deliveries": planned["deliveries"]}, write


def _delivery(site: LoadingSite, delivery: str) -> Work:
    def work() -> tuple[Facts, None]:
        for folder in (site.places.landed, site.places.deliveries):
            _remove(folder / delivery)
        return {"delivery": delivery}, None

    return work


def _version(site: LoadingSite, dataset: str, *, index: str, version: str) -> Work:
    """Take what the dataset said out of one version of an index, and those nobody else knows out of the ledger."""

    def work() -> tuple[Facts, None]:
        folder, seat = site.places.indexes / version, site.seats.of(index)
        told: Facts = {"version": version, "entities_left_with_nothing": 0}
        ways = _ways(site, seat, folder=folder, dataset=dataset)
        if ways is not None:
            count, only_theirs, take_out = ways
            told["rows"] = count()
            if any(told["rows"].values()):
                orphans = only_theirs()
                told["entities_left_with_nothing"] = len(orphans)
                told["numbers"] = forget_numbers(site, index, entities=orphans)  # while they can still be found
                take_out()
        if isinstance(seat, MatchedIndex):
            somebody.unsaid(site, index, folder=folder)
        return told, None

    return work


def _ways(
    site: LoadingSite, seat: Seat, *, folder: Path, dataset: str
) -> tuple[Callable[[], dict[str, int]], Callable[[], list[int]], Callable[[], list[Path]]] | None:
    """How rows of a dataset are counted in a version, whose they alone are is found, and they are taken out."""
    engine, sources = site.engine, frozenset({dataset})
    if isinstance(seat, RegisterIndex):
        return (
            partial(forgetting.count, engine, folder, sources=sources),
            partial(forgetting.only_theirs, engine, folder, sources=sources),
            partial(forgetting.forget, engine, seat.alike, folder=folder, sources=sources),
        )
    if isinstance(seat, MatchedIndex):
        whom = Whom((), frozenset(), b"", sources)
        return (
            partial(forget.count, engine, folder, whom=whom),
            partial(forget.only_theirs, engine, folder, whom=whom),
            partial(forget.forget, engine, seat.matching, folder=folder, whom=whom),
        )
    return None


def _table(site: LoadingSite, dataset: str) -> tuple[Facts, None]:
    """Remove the files of a table and its snapshots."""
    site.lake.rebuild(dataset, [])
    for folder in (site.lake.folder / "files" / dataset, site.lake.folder / dataset):
        _remove(folder)
    return {"dataset": dataset}, None


def _remove(folder: Path) -> None:
    """Remove a folder, which may have gone in a run that was cut short; one that stays is an error, not silence."""
    if folder.exists():
        shutil.rmtree(folder)


def _beside(site: LoadingSite, dataset: str) -> tuple[Facts, Write]:
    """Remove what was made of the dataset beside its table, and what people said of its records."""
    made = planning.remove_made(site.places, dataset)
    for models in site.places.indexes.glob(f"*/models/{dataset}"):
        shutil.rmtree(models)
    shown = {known: _cases(site, about, dataset=dataset) for known, about in _sets(site).items()}
    with site.store.read() as connection:
        theirs = [
            (int(row["number"]), side) for row in decisions.every(connection) for side in ("left", "right")
            if str(row[f"{side}_source"]).partition("/")[0] == dataset and row[f"{side}_record"]
        ]  # fmt: skip

    def write(change: Change) -> None:
        for known, numbers in shown.items():
            reviews.close(change, known, numbers=numbers)
        for number, side in theirs:
            decisions.forget_side(change, number, side=side)

    told = {"made_of_it": made, "review_cases": sum(map(len, shown.values())), "decisions_emptied": len(theirs)}
    return told, write


def _sets(site: LoadingSite) -> dict[str, dict[str, Any]]:
    with site.store.read() as connection:
        return {str(s["id"]): s for s in reviews.sets(connection)}


def _cases(site: LoadingSite, about: dict[str, Any], *, dataset: str) -> list[int]:
    """Empty what a clerical sample shows of the dataset; the numbers of its cases that showed it."""
    folder, rows = site.places.identified / about["place"], sampled.cases(site, about)
    if about["kind"] != ReviewKind.CLUSTERS:
        if about["dataset"] != dataset:
            return []
        _remove(folder)
        return [int(row["number"]) for row in rows]
    numbers = [int(r["number"]) for r in rows if any(s.partition("/")[0] == dataset for s in r["sources"])]
    if numbers:
        scrubbing.clusters(site, folder / "cases.parquet", numbers=numbers)
    return numbers


def _derived(site: LoadingSite) -> tuple[Facts, Write]:
    """Make what is derived anew without the dataset; remove what was derived before, with its snapshots."""
    made = [*associations.refresh(site.workshop), *presence.refresh(site.workshop)]
    twinning.make_all(site, made, by=site.actor)
    gone, kept = {}, {}
    with site.store.read() as connection:
        for dataset in sorted({r.dataset for r in releases.all_current(connection) if r.dataset.startswith(DERIVED)}):
            current = releases.get(connection, dataset)
            kept[dataset] = current if dataset in made or _counts(current, made_of=planning.marker(site)) else None
            gone[dataset] = [r for r in releases.of_dataset(connection, dataset) if kept[dataset] != r]
    snapshots = {}
    for dataset, old in gone.items():
        one = kept[dataset]
        snapshots[dataset] = site.lake.rebuild(dataset, [] if one is None else [tables.step_of(site, one)])
        if one is None:
            planning.remove_made(site.places, dataset)
        for release in old:
            site.lake.place(dataset, release.delivery).unlink(missing_ok=True)

    def write(change: Change) -> None:
        for dataset, one in kept.items():
            releases.expire(change, dataset, besides=one.id if one is not None else None)
            if one is not None:
                releases.rewrite(change, one.id, snapshot=snapshots[dataset][0], entry=one.entry)

    return {"derived_anew": made, "derived_releases_removed": sum(map(len, gone.values()))}, write


def _counts(release: releases.Release, *, made_of: dict[str, Any]) -> bool:
    """Whether a derived release was made without what expired: by an attempt that was killed before it was noted."""
    return all(release.entry.get(k) == v for k, v in made_of.items())


def _sweep(site: LoadingSite, dataset: str, *, planned: Facts) -> tuple[Facts, None]:
    """Remove what killed work left anywhere, and refuse where anything of the dataset is still found."""
    with site.store.read() as connection:
        busy = bool(queries.running(connection))
    for place in site.places.scratch.iterdir():
        if not (busy and place.name.startswith("query-")):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    for stray in [p for p in site.places.identified.rglob("*") if p.suffix in (".part", ".anew") and p.is_file()]:
        stray.unlink()
    provision.sweep(site.store, site.places.projects)
    site.store.rewrite()
    left = [p for p in planning.holding(site, dataset, planned=planned) if p.exists()]
    said = (planning.said(site, dataset, index=index, version=version) for index, version in planned["versions"])
    if left or site.lake.left(dataset) or any(any(rows.values()) for rows in said):
        raise InstallationRefusal(
            f"Something of dataset {dataset} is still found", next_step="Run the same command again"
        )
    return {"still_found": 0}, None
