"""Erasure: somebody is taken out of everything that the service holds, in steps that go on where they were cut short.

    plan → withdraw → delivery-0001 … → index-0001 … → table-0001 …
         → twins → numbers → decisions → reviews → copy-0001 … → sweep

From the first step on no project reads a copy that holds them. Before anything is changed, the entry that says what
is erased (ids, row numbers, keyed hashes) is written to the list that lies with the keys, so that a restored copy of
the data is brought up to it. Outputs that left stay: they are about groups (see the decision page on erasure).
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from integrated_data.approve import provision
from integrated_data.control import decisions, deliveries, grants, projects, queries, releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Change
from integrated_data.deidentify.keys import project_tokens
from integrated_data.index import forget
from integrated_data.index.forget import Whom, mark
from integrated_data.journey import derived
from integrated_data.journey.workshop import Facts
from integrated_data.model.access import Grant
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.linkage import DERIVED
from integrated_data.model.output import UNITS
from integrated_data.model.rights import Asked, Right
from integrated_data.site import ledgering, rulings, tables, twinning
from integrated_data.site.loading import LoadingSite
from integrated_data.site.object_lake import keeping
from integrated_data.site.rights import asking, copies, sampled, scrubbing
from integrated_data.site.stepping import Steps, Write
from integrated_data.site.subjects import kept, somebody
from integrated_data.site.subjects.somebody import Rows, Somebody

Work = Callable[[], tuple[Facts, Write | None]]


def erase(site: LoadingSite, steps: Steps, *, asked: Asked, doubtful: bool = False) -> dict[str, Any]:
    """Take somebody out of everything; returns what was done where. `doubtful`: rows that may be theirs too."""
    keeping.check_followed(site.places)
    planned = steps.run("plan", lambda: (_plan(site, asked, doubtful=doubtful), None))
    one = next(e for e in kept.entries(site.places, right=Right.ERASE) if e.number == asked.number)
    return carry_out(site, steps, one=one) | {"deliveries_never_checked": planned["unread"]}


def carry_out(site: LoadingSite, steps: Steps, *, one: kept.Entry) -> dict[str, Any]:
    """Do what an entry of the list says, from the first step that is not done."""
    whom = kept.whom(site.places, one)
    gone = copies.withdrawn(site, steps, reached=lambda: _holding(site, one))
    done: dict[str, Any] = {"deliveries": [], "index": [], "tables": [], "scratch_tables": gone["scratch"]}
    for number, held in enumerate(one.held, 1):
        done["deliveries"].append(steps.run(f"delivery-{number:04d}", _delivery(site, held, one=one)))
    for number, folder in enumerate(somebody.folders(site, one.index), 1):
        done["index"].append(steps.run(f"index-{number:04d}", _version(site, folder, index=one.index, whom=whom)))
    for number, dataset in enumerate(one.datasets, 1):
        done["tables"].append(steps.run(f"table-{number:04d}", _table(site, dataset, one=one)))
    done |= steps.run("twins", lambda: _twins(site, steps, one=one))
    done |= steps.run("numbers", lambda: _numbers(site, one=one))
    done |= steps.run("decisions", lambda: _decisions(site, one=one, whom=whom))
    done |= steps.run("reviews", lambda: sampled.emptied(site, one=one, whom=whom))
    done["copies_made_anew"] = copies.made_anew(site, steps, gone=gone)
    done |= steps.run("sweep", lambda: _sweep(site, one=one))
    return done


def _plan(site: LoadingSite, asked: Asked, *, doubtful: bool) -> Facts:
    """Find everything that is somebody's, and write down what is to be erased."""
    who = somebody.somebody(site, asked.index, entity=asking.entity_of(site, asked))
    if doubtful:
        held = (Rows(h.delivery, h.dataset, tuple(sorted({*h.rows, *h.doubtful})), (), h.lines) for h in who.held)
        who = Somebody(who.index, who.entities, who.records, tuple(held))
    one = kept.entry(
        site.places, who, number=asked.number, right=Right.ERASE, scope=asked.scope,
        at=site.store.now().isoformat(timespec="seconds"),
    )  # fmt: skip
    kept.put(site.places, one, datasets=_reached(site, one))
    return {"records": len(one.marks), "deliveries": len(one.held), "unread": _unread(site)}


def _unread(site: LoadingSite) -> list[str]:
    """Deliveries that landed and were never checked: nobody is found in them before they are."""
    with site.store.read() as connection:
        every = [d["id"] for d in deliveries.every(connection)]
    landed = [d for d in every if (site.places.landed / d).is_dir()]
    return [d for d in landed if not (site.places.deliveries / d / "checked.parquet").exists()]


def _reached(site: LoadingSite, one: kept.Entry) -> tuple[str, ...]:
    """Published datasets with rows of somebody's: delivered, derived from those, and derived from the index."""
    with site.store.read() as connection:
        held = {h.dataset for h in one.held}
        every = {r.dataset for r in releases.all_current(connection)}
        reached = releases.derived_from(connection, held) | {d for d in every if d.startswith(DERIVED)}
    return tuple(sorted(reached & every))


def _holding(site: LoadingSite, one: kept.Entry) -> list[Grant]:
    with site.store.read() as connection:
        return [g for g in grants.active(connection) if g.dataset in one.datasets]


def _delivery(site: LoadingSite, held: Rows, *, one: kept.Entry) -> Work:
    def work() -> tuple[Facts, Write | None]:
        told = {"delivery": held.delivery, "dataset": held.dataset}
        if not (site.places.deliveries / held.delivery).is_dir():
            return told | {"rows": 0, "lines": 0, "files": []}, None  # not in this copy of the data
        files = scrubbing.delivery(site, held, ids=one.entities)
        return told | {"rows": len(held.rows), "lines": len(held.lines), "files": files}, None

    return work


def _version(site: LoadingSite, folder: Path, *, index: str, whom: Whom) -> Work:
    def work() -> tuple[Facts, Write | None]:
        counted = forget.count(site.engine, folder, whom=whom)
        changed = forget.forget(site.engine, somebody.definition_of(site, index), folder=folder, whom=whom)
        changed += somebody.unsaid(site, index, folder=folder)
        version = str(folder.relative_to(site.places.indexes))
        return {"version": version, **counted, "files": [scrubbing.hashed(site, place) for place in changed]}, None

    return work


@dataclass(frozen=True)
class _Written:
    """A release as its file is now: its rows, and the entry that tells of it."""

    id: int
    entry: dict[str, Any]


def _table(site: LoadingSite, dataset: str, *, one: kept.Entry) -> Work:
    """Write the files of every release of a dataset anew, and its table over them; old snapshots are destroyed."""

    def work() -> tuple[Facts, Write | None]:
        with site.store.read() as connection:
            every = releases.of_dataset(connection, dataset)
        if not every:  # its time was over meanwhile
            return {"dataset": dataset, "releases": 0, "rows_left": 0, "rows": 0, "files": []}, None
        rows = {h.delivery: h.rows for h in one.held}
        entity = f"{site.seats.of(one.index).definition.key}_entity"
        written: list[_Written] = []
        steps, built = [tables.step_of(site, r) for r in every], releases.bases(every)
        places = [site.lake.named(dataset, name) for step in steps for name in step.files]
        before = site.lake.rows(dataset, [p.name for p in places])
        for place in places:
            theirs = rows.get(site.lake.delivery_of(place), ())
            scrubbing.published(site, place, rows=theirs, entity=entity, ids=one.entities)
        names: list[tuple[str, ...]] = []
        for release, step, base in zip(every, steps, built, strict=True):
            names.append(step.after(names[base] if base is not None else ()))
            entry = _told(site, release, files=names[-1], every=every)
            written.append(_Written(release.id, entry))
        for stray in set((site.places.lake / "files" / dataset).glob("*")) - set(places):
            stray.unlink()  # what a killed load left: it is written again
        snapshots = site.lake.rebuild(dataset, steps, on=built)
        tables.stand(site, every, snapshots=snapshots)
        after = site.lake.rows(dataset, [p.name for p in places])

        def write(change: Change) -> None:
            for one_written, snapshot in zip(written, snapshots, strict=True):
                releases.rewrite(change, one_written.id, snapshot=snapshot, entry=one_written.entry)

        files = [scrubbing.hashed(site, place) for place in places]
        told = {
            "dataset": dataset,
            "releases": len(written),
            "rows_left": after,
            "rows": before - after,
            "files": files,
        }
        return told, write

    return work


def _told(site: LoadingSite, release: Release, *, files: Sequence[str], every: Sequence[Release]) -> dict[str, Any]:
    """The catalogue entry of a release with the counts and ranges of its file as it is now, and of what it completes.

    `files`: names of those that make up its table.
    """
    entry, dataset, first = release.entry, release.dataset, release.entry.get("completes", release.delivery)
    whole = {first, *(r.delivery for r in every if r.entry.get("completes") == first and r.id <= release.id)}
    there = [site.lake.named(dataset, n) for n in files if site.lake.delivery_of(Path(n)) in whole]
    rows = site.lake.rows(dataset, files)
    withheld = [one["name"] for one in entry["withheld"]]
    profiles = derived.profiles_of(
        site.workshop, dataset, files=[site.lake.named(dataset, n) for n in files],
        newest=there or [site.lake.place(dataset, release.delivery)], withheld=withheld,
    )  # fmt: skip
    variables = [v | {"profile": profiles[v["name"]]} if v["name"] in profiles else v for v in entry["variables"]]
    return entry | {"rows": rows, "variables": variables}


def _twins(site: LoadingSite, steps: Steps, *, one: kept.Entry) -> tuple[Facts, None]:
    """Make the synthetic twins of those datasets anew, from counts without them."""
    with site.store.read() as connection:
        held = [r.dataset for r in releases.all_current(connection) if r.dataset in one.datasets]
    twinning.make_all(site, held, by=steps.actor)
    return {"twins_made_anew": len(held)}, None


def _numbers(site: LoadingSite, *, one: kept.Entry) -> tuple[Facts, None]:
    """Take them out of what leads from an entity or a project's key to a number of the release ledger."""
    return {"ledger_numbers_forgotten": forget_numbers(site, one.index, entities=one.entities)}, None


def forget_numbers(site: LoadingSite, index: str, *, entities: Sequence[int]) -> int:
    """Forget which numbers of the release ledger entities, and the keys that projects have for them, got."""
    key = site.seats.of(index).definition.key
    if f"{key}_key" not in UNITS or not entities:
        return 0
    ids = np.array(entities, np.int64)
    with site.store.read() as connection:
        known = [p.id for p in projects.projects(connection)]
    tokens = {
        project: np.concatenate([
            project_tokens(site.vault, project, generation=generation).of(key, ids)
            for generation in site.vault.generations(project)
        ])
        for project in known if site.vault.generations(project)
    }  # fmt: skip
    return ledgering.forget(site.places, site.sealer, index=key, entities=ids, keys=tokens)


def _decisions(site: LoadingSite, *, one: kept.Entry, whom: Whom) -> tuple[Facts, Write]:
    """Take their records out of what people decided about links."""
    with site.store.read() as connection:
        every = [row for row in decisions.every(connection) if row["index"] == one.index]
    theirs = []
    for row in every:
        for side in ("left", "right"):
            record, entity = row[f"{side}_record"], row[f"{side}_entity"]
            marked = (
                record
                and mark(whom.salt, source=row[f"{side}_source"], record_id=rulings.unseal(site.vault, record))
                in whom.marks
            )
            if marked or entity in one.entities:
                theirs.append((int(row["number"]), side))

    def write(change: Change) -> None:
        for number, side in theirs:
            decisions.forget_side(change, number, side=side)

    return {"decisions_emptied": len({number for number, _ in theirs})}, write


def _sweep(site: LoadingSite, *, one: kept.Entry) -> tuple[Facts, None]:
    """Remove what killed work left anywhere, and refuse where anything of theirs is still found."""
    with site.store.read() as connection:
        busy = bool(queries.running(connection))  # their folders are theirs: none of them reads a copy that held them
    for place in site.places.scratch.iterdir():
        if not (busy and place.name.startswith("query-")):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    strays = [p for p in site.places.identified.rglob("*") if p.suffix in (".part", ".anew") and p.is_file()]
    for stray in strays:
        stray.unlink()
    provision.sweep(site.store, site.places.projects)
    site.store.rewrite()
    whom = kept.whom(site.places, one)
    left = sum(sum(forget.count(site.engine, f, whom=whom).values()) for f in somebody.folders(site, one.index))
    if left:
        raise InstallationRefusal("Somebody who was to be erased is still found", next_step="Run the request again")
    return {"left_overs_removed": len(strays), "records_still_found": left}, None
