"""Rectification: what is right about somebody is told to the index, and to every supplier who says otherwise.

    plan → correct → refresh

A correction is a statement of a source of its own (`corrections`, a record for each request), dated, and bound to
the person by a decision on links; it stands before whatever sources said until then, and after what they say later
(`index/best.py`). Statements of sources stay as they were made: what somebody had said is part of the record. What
suppliers deliver is theirs to correct, so each gets a notice with its own records' ids.
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.control import decisions, deliveries, jobs
from integrated_data.control.decisions import Side
from integrated_data.engine import Stored
from integrated_data.journey import checking
from integrated_data.journey.workshop import Facts
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.delivery import LoadState
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import CORRECTIONS, LinkDecision
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.model.rights import Asked
from integrated_data.site.loading import LoadingSite
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.rights import asking
from integrated_data.site.rights.correctable import CORRECTABLE, check
from integrated_data.site.rulings import seal
from integrated_data.site.stepping import Steps
from integrated_data.site.subjects import somebody
from integrated_data.site.subjects.somebody import Rows
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name


def rectify(site: LoadingSite, steps: Steps, *, asked: Asked, notices: Path) -> dict[str, Any]:
    """Correct what the index says of somebody and write a notice for each supplier; returns what was done."""
    corrected = check(asking.opened(site, asked)["corrected"])
    told = steps.run("plan", lambda: (_plan(site, asked), None))
    made = steps.run("correct", lambda: (_correct(site, asked, corrected=corrected), None))
    renewed = steps.run("refresh", lambda: ({"projects": _refresh(site, asked.index)}, None))
    who = somebody.somebody(site, asked.index, entity=asking.entity_of(site, asked))
    written = _notices(site, who.held, corrected=corrected, request=asked.id, folder=notices)
    return {
        "index": asked.index, "attributes": sorted(corrected), "version": made["version"], "notices": written,
        "records": told["records"], "projects_renewed": renewed["projects"],
    }  # fmt: skip


def _plan(site: LoadingSite, asked: Asked) -> Facts:
    """Bind the record of the correction to the person, before it is there."""
    entity = asking.entity_of(site, asked)
    who = somebody.somebody(site, asked.index, entity=entity)
    if not who.records:
        raise IndexRefusal("The index holds no record of theirs", next_step="Ask for access to see what is held")
    source, record = next((r for r in who.records if "/" not in r[0]), who.records[0])
    sides = Side(CORRECTIONS, seal(site.vault, asked.id)), Side(source, seal(site.vault, record), entity)
    decisions.decide(
        site.store, asked.index, kind=LinkDecision.MUST, sides=sides, by=site.actor, reason=f"correction {asked.id}"
    )
    return {"records": len(who.records)}


def _correct(site: LoadingSite, asked: Asked, *, corrected: Mapping[str, str]) -> Facts:
    """Deliver every correction that stands, and this one, as the source that they are of."""
    entity = asking.entity_of(site, asked)
    mine = _together(site, asked.index, entity=entity, corrected=corrected)
    rows = [row for row in _standing(site, asked.index) if row["record_id"] != asked.id]
    with _unwritten(_text([*rows, {"record_id": asked.id, **mine}])) as file:
        outcome = journey.deliver(
            site.workshop, CORRECTIONS, files=[file], handed=journey.Handed(contract()),
            feed=journey.Feed(asked.index, "record_id"),
        )  # fmt: skip
    if outcome.state is not LoadState.PUBLISHED:
        raise IndexRefusal("The correction cannot be read", why=outcome.reason, next_step="Ask again with other values")
    return {"version": outcome.stages["feed"]["version"], "corrections": len(rows) + 1}


def contract() -> Contract:
    """How corrections are delivered: a record id and a column for each meaning that can be corrected."""
    columns = [Column("record_id", "record_id", meaning=Meaning.RECORD_ID, handling=Handling.IDENTIFIER, key=True)]
    for meaning in CORRECTABLE:
        kind = Kind.DATE if meaning is Meaning.DATE_OF_BIRTH else Kind.STRING
        columns.append(Column(str(meaning), str(meaning), kind, meaning, Handling.IDENTIFIER))
    layout = Layout(Format.CSV)
    title = "What people had corrected"
    return Contract(CORRECTIONS, "Integrated Data Service", layout, tuple(columns), title=title)


def _together(site: LoadingSite, index: str, *, entity: int, corrected: Mapping[str, str]) -> dict[str, str]:
    """Corrected values, with the best of what is chosen together with them (a postcode and its address)."""
    for folder in somebody.folders(site, index, newest=True):
        seat = somebody.seat_of(site, index)
        history = seat.history(site.engine, folder=folder, entity_id=entity)
        if history is None:
            continue
        now = {str(b["attribute"]): str(b["value"]) for b in history.best}
        groups = seat.trust(folder).groups([str(m) for m in CORRECTABLE])
        beside = {a for group in groups if set(group) & set(corrected) for a in group}
        return {a: now[a] for a in beside if a in now} | dict(corrected)
    return dict(corrected)


def _standing(site: LoadingSite, index: str) -> list[dict[str, str]]:
    """The corrections that stand: those of the newest delivery, but for people who were erased since."""
    with site.store.read() as connection:
        known = [d["id"] for d in deliveries.of_dataset(connection, CORRECTIONS) if d["state"] == LoadState.PUBLISHED]
        feeds = {d: jobs.done_steps(connection, f"load/{d}")["acquire"]["feed"]["index"] for d in known}
    newest = next((d for d in known if feeds[d] == index), None)
    if newest is None:
        return []
    checking.load_good(site.engine, contract(), place=site.places.deliveries / newest / "checked.parquet")
    found = site.engine.rows(f"SELECT * EXCLUDE ({ROW}) FROM {checking.GOOD}").to_pylist()
    return [{column: str(value) for column, value in row.items() if value is not None} for row in found]


def _text(rows: list[dict[str, str]]) -> str:
    file = io.StringIO()
    out = csv.DictWriter(file, ["record_id", *map(str, CORRECTABLE)], restval="")
    out.writeheader()
    out.writerows(rows)
    return file.getvalue()


@contextmanager
def _unwritten(text: str) -> Iterator[Path]:
    """A file that is on no disk: what is delivered lands sealed and nowhere else."""
    descriptor = os.memfd_create("corrections")
    try:
        os.write(descriptor, text.encode())
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _refresh(site: LoadingSite, index: str) -> int:
    return sum(len(report["projects"]) for report in refresh_index(site, index))


def _notices(
    site: LoadingSite, held: tuple[Rows, ...], *, corrected: Mapping[str, str], request: str, folder: Path
) -> list[dict[str, Any]]:
    """Write what each supplier is asked to correct: its newest delivery's own record, what it says, what is right."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    newest = {h.dataset: h for h in held if h.rows and h.dataset != CORRECTIONS}
    written = []
    for dataset, rows in sorted(newest.items()):
        wrong = _differing(site, rows, corrected=corrected)
        if wrong:
            told = {"request": request, "dataset": dataset, "law": "article 16 and 19 of the UK GDPR", "records": wrong}
            place = folder / f"{request}-{dataset}.json"
            place.write_text(json.dumps(told, indent=1, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
            place.chmod(0o600)
            written.append({"dataset": dataset, "delivery": rows.delivery, "records": len(wrong)})
    return written


def _differing(site: LoadingSite, rows: Rows, *, corrected: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of a delivery that say something else than is right: the supplier's own id, each value, what is right."""
    with site.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{rows.delivery}")
    promised = contracts.parse(done["validate"]["contract"])
    numbered = (done["acquire"].get("feed") or {}).get("id_column")
    own = [c for c in promised.columns if c.meaning is Meaning.RECORD_ID or numbered in (c.source, c.name)]
    told = {m: next(iter(promised.meaning(Meaning(m))), None) for m in corrected}
    columns = {m: c for m, c in told.items() if c is not None}
    if not columns:
        return []
    parts = [f"{name(c.name)}::VARCHAR AS {name(m)}" for m, c in columns.items()]
    parts.append(f"{name(own[0].name)}::VARCHAR AS record_id" if own else f"({ROW} + 1)::VARCHAR AS record_id")
    known_by = own[0].source if own else "row"
    place = site.places.deliveries / rows.delivery / "checked.parquet"
    site.engine.load(checking.CHECKED, Stored((place,), row_column=ROW))
    among = ", ".join(map(str, rows.rows))
    try:
        found = site.engine.rows(f"SELECT {', '.join(parts)} FROM {checking.CHECKED} WHERE {ROW} IN ({among})")
    finally:
        site.engine.drop(checking.CHECKED)
    return [
        {"record": row["record_id"], "known_by": known_by, "column": columns[m].source, "says": row[m], "right": right}
        for row in found.to_pylist() for m, right in corrected.items()
        if m in columns and str(row[m] or "").casefold() != right.casefold()
    ]  # fmt: skip
