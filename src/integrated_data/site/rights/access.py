"""Access: everything that is held about somebody, in one file for the officer who answers them.

What is found: what the index knows of them and from whom, their rows as they were delivered, dataset by dataset, in
quarantine too; rows that may be theirs, apart; who holds copies of those datasets, for what and until when; which
outputs used them. Every row that is shown is an audit event.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.control import grants, jobs, projects, releases
from integrated_data.engine import Stored
from integrated_data.index.past import History
from integrated_data.journey import checking
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.rights import Asked
from integrated_data.site import concerned
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import asking
from integrated_data.site.stepping import Steps
from integrated_data.site.subjects import somebody
from integrated_data.site.subjects.somebody import Rows, Somebody
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name


def access(site: LoadingSite, steps: Steps, *, asked: Asked, out: Path) -> dict[str, Any]:
    """Write the file of everything held about somebody, for the officer alone; returns what it holds, in counts."""
    who = somebody.somebody(site, asked.index, entity=asking.entity_of(site, asked))
    for held in who.held:
        _seen(site, steps, held=held)
    told = document(site, who)
    content = json.dumps(told, indent=1, default=str, ensure_ascii=False).encode()
    _write(out, content)
    return counts(who) | {"file_sha256": sha256(content).hexdigest()}


def counts(who: Somebody) -> dict[str, Any]:
    """How much of somebody there is, where: no value."""
    return {
        "index": who.index, "index_records": len(who.records),
        "datasets": [
            {"dataset": h.dataset, "delivery": h.delivery, "rows": len(h.rows), "doubtful_rows": len(h.doubtful),
             "lines": len(h.lines)} for h in who.held
        ],
    }  # fmt: skip


def document(site: LoadingSite, who: Somebody) -> dict[str, Any]:
    """Everything held about somebody: identified values, for them and the officer who answers them."""
    datasets = sorted({held.dataset for held in who.held})
    known: dict[str, Any] = {"about": "what the Integrated Data Service holds about you", "index": []}
    for folder in somebody.folders(site, who.index, newest=True):
        for entity in who.entities:
            history = site.seats.of(who.index).history(site.engine, folder=folder, entity_id=entity)
            if history is not None and history.periods:
                known["index"].append(_history(history))
    known["deliveries"] = [_delivered(site, held) for held in who.held]
    known["recipients"] = recipients(site, datasets)
    with site.store.read() as connection:
        known["outputs"] = [
            {"dataset": d, "title": o["title"], "project": o["project"], "asked": o["asked"]}
            for d in datasets for o in concerned.outputs_using(connection, d)
        ]  # fmt: skip
        known["agreements"] = [
            {"dataset": a.dataset, "owner": a.owner, "legal_gateway": a.gateway,
             "purposes": sorted(map(str, a.purposes)), "ends": a.ends.isoformat()}
            for d in datasets for a in projects.agreements(connection, d)
        ]  # fmt: skip
    known["rights"] = (
        "You may ask for correction, object to the use of data about you, and ask for erasure; you may complain to the "
        "supervisory authority."
    )
    return known


def _history(history: History) -> dict[str, Any]:
    """What the index knows of them, but for ids of entities, which leave the service for nobody."""
    told = {k: v for k, v in asdict(history).items() if k in ("status", "sources", "records", "periods", "best")}
    events = [{k: v for k, v in event.items() if k != "other_id"} for event in history.events]
    return told | {"events": events}


def recipients(site: LoadingSite, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Projects that hold copies of datasets, or of what was derived from them: who, for what, until when."""
    with site.store.read() as connection:
        reached = releases.derived_from(connection, datasets)
        known = {p.id: p for p in projects.projects(connection)}
        held = [g for g in grants.active(connection) if g.dataset in reached]
    return [
        {"project": known[g.project].title, "organisation": known[g.project].organisation, "dataset": g.dataset,
         "purpose": str(known[g.project].purpose), "columns": list(g.columns),
         "until": known[g.project].ends.isoformat()}
        for g in held
    ]  # fmt: skip


def _delivered(site: LoadingSite, held: Rows) -> dict[str, Any]:
    folder = site.places.deliveries / held.delivery
    with site.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{held.delivery}")
    contract = contracts.parse(done.get("validate", done["acquire"])["contract"])
    columns = ", ".join(name(c.name) for c in contract.columns)
    site.engine.load(checking.CHECKED, Stored((folder / "checked.parquet",), row_column=ROW))
    told: dict[str, Any] = {"dataset": held.dataset, "delivered_by": contract.owner}
    try:
        for kind, rows in (("rows", held.rows), ("rows_that_may_be_yours", held.doubtful)):
            among = ", ".join(map(str, rows)) or "NULL"
            found = site.engine.rows(
                f"SELECT {columns} FROM {checking.CHECKED} WHERE {ROW} IN ({among}) ORDER BY {ROW}"
            )
            told[kind] = found.to_pylist()
    finally:
        site.engine.drop(checking.CHECKED)
    if held.lines:
        site.engine.load("right_unsplit", Stored((folder / "unsplit.parquet",), row_column="at"))
        among = ", ".join(map(str, held.lines))
        told["lines_that_could_not_be_read"] = site.engine.rows(f"SELECT raw FROM right_unsplit WHERE at IN ({among})")[
            "raw"
        ].to_pylist()
        site.engine.drop("right_unsplit")
    return told


def _seen(site: LoadingSite, steps: Steps, *, held: Rows) -> None:
    """An audit event for each row that is shown."""
    for row in (*held.rows, *held.doubtful, *held.lines):
        facts = {"right": steps.job, "delivery": held.delivery, "row": row}
        site.store.record(Event("subject.seen", steps.actor, f"dataset/{held.dataset}", facts))


def _write(out: Path, content: bytes) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageRefusal("There is a file of that name already", next_step="Name another with --out") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
