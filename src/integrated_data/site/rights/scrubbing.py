"""Taking rows out of files, each written aside and put in its place: twice done, it changes nothing more.

A checked file keeps the number of every row, because links and published tables know rows by it: an erased row stays,
empty, under a mark that is no rule's. What was delivered cannot stay as it came: their lines are left out of it where
it is sure which these are (`raw`), else it is destroyed; the checked rows of everybody else remain.
"""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.acquire import contracts
from integrated_data.control import jobs
from integrated_data.engine import Held, Stored
from integrated_data.index.quality.design import FRAME
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rights import raw
from integrated_data.site.subjects.somebody import Rows
from integrated_data.vocabulary.marks import ERASED, FAILED, RAW, ROW, UNREAD
from integrated_data.vocabulary.sql import name

FILE, GONE, IDS, AT = "scrub_file", "scrub_gone", "scrub_ids", "_at"


def delivery(site: LoadingSite, held: Rows, *, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Take somebody's rows out of a delivery: checked rows, quarantine, lines, links, weights, what had landed.

    Returns every file with its hash by now; None for one that was destroyed.
    """
    folder, landed = site.places.deliveries / held.delivery, site.places.landed / held.delivery
    told = [{"file": str(p.relative_to(site.places.home)), "sha256": None} for p in sorted(landed.rglob("*.sealed"))]
    with site.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{held.delivery}")
    body = done.get("validate", done.get("acquire", {})).get("contract")
    contract = contracts.parse(body) if body else None
    if contract and not held.lines and raw.without(site, held.delivery, contract=contract, rows=held.rows):
        told = [hashed(site, place) for place in sorted(landed.rglob("*.sealed"))]
    elif landed.exists():
        shutil.rmtree(landed)  # what stays is an error, not silence
    _empty(site, folder / "checked.parquet", rows=held.rows)
    _without(site, folder / "quarantine.parquet", column=ROW, rows=held.rows)
    _without(site, folder / "unsplit.parquet", column=AT, rows=held.lines)
    for place in sorted(folder.glob("links-*.parquet")):
        _without(site, place, column="record_id", rows=held.rows, ids=ids)
    for place in sorted(folder.glob("weights-*.parquet")):
        _without(site, place, column="record", rows=held.rows)
    return told + [hashed(site, place) for place in sorted(folder.glob("*.parquet"))]


def published(site: LoadingSite, place: Path, *, rows: Sequence[int], entity: str, ids: Sequence[int]) -> int:
    """Take rows out of a published file: those rows of the delivery, or where it has no numbers of rows, those of
    these ids in column `entity`. Returns how many rows are left."""
    site.engine.load(FILE, Stored((place,), sealed=False))
    site.engine.load(GONE, Held(pa.table({"gone": pa.array(rows, pa.int64())})))
    site.engine.load(IDS, Held(pa.table({"id": pa.array(ids, pa.int64())})))
    columns = site.engine.columns(FILE)
    try:
        gone = []
        if ROW in columns and rows:
            gone.append(f"{ROW} IN (SELECT gone FROM {GONE})")
        if entity in columns and not (ROW in columns and rows):
            gone.append(f"coalesce({name(entity)} IN (SELECT id FROM {IDS}), FALSE)")
        where = f"NOT ({' OR '.join(gone)})" if gone else "TRUE"
        before, left = (_count(site, f"SELECT count(*) FROM {FILE}{w}") for w in ("", f" WHERE {where}"))
        if before != left:
            site.engine.save(f"SELECT * FROM {FILE} WHERE {where}", place, sealed=False)
        return left
    finally:
        site.engine.drop(FILE, GONE, IDS)


def reviewed(site: LoadingSite, place: Path, *, rows: Sequence[int]) -> None:
    """Empty, in the frame of a clerical sample, what it tells of rows of its delivery beside their numbers."""
    if not place.exists() or not rows:
        return
    site.engine.load(FILE, Stored((place,), row_column=AT))
    site.engine.load(GONE, Held(pa.table({"gone": pa.array(rows, pa.int64())})))
    told = [
        name(column) if column in FRAME
        else f"CASE WHEN record IN (SELECT gone FROM {GONE}) THEN NULL ELSE {name(column)} END AS {name(column)}"
        for column in site.engine.columns(FILE) if column != AT
    ]  # fmt: skip
    try:
        site.engine.save(f"SELECT {', '.join(told)} FROM {FILE} ORDER BY {AT}", place)
    finally:
        site.engine.drop(FILE, GONE)


def clusters(site: LoadingSite, place: Path, *, numbers: Sequence[int]) -> None:
    """Empty the ids of records that cases of a sample of clusters show."""
    site.engine.load(FILE, Stored((place,), row_column=AT))
    site.engine.load(GONE, Held(pa.table({"gone": pa.array(numbers, pa.int64())})))
    empty = "list_transform(records, lambda each: '')"
    records = f"CASE WHEN number IN (SELECT gone FROM {GONE}) THEN {empty} ELSE records END AS records"
    told = f"* EXCLUDE ({AT}) REPLACE ({records})"
    try:
        site.engine.save(f"SELECT {told} FROM {FILE} ORDER BY {AT}", place)
    finally:
        site.engine.drop(FILE, GONE)


def hashed(site: LoadingSite, place: Path) -> dict[str, Any]:
    """A file of the installation and its hash, as a proof tells it."""
    told = sha256()
    with place.open("rb") as file:
        while block := file.read(1 << 20):
            told.update(block)
    return {"file": str(place.relative_to(site.places.home)), "sha256": told.hexdigest()}


def _empty(site: LoadingSite, place: Path, *, rows: Sequence[int]) -> None:
    """Empty rows of a checked file, in their places."""
    if not rows:
        return
    site.engine.load(FILE, Stored((place,), row_column=AT))
    site.engine.load(GONE, Held(pa.table({"gone": pa.array(rows, pa.int64())})))
    theirs = f"{AT} IN (SELECT gone FROM {GONE})"
    marks = {FAILED: str(ERASED), RAW: "NULL"}
    parts = []
    for column, kind in site.engine.columns(FILE).items():
        if column == AT:
            continue
        other = "0" if column.startswith((UNREAD, FAILED)) else "NULL"
        value = marks.get(column, other)
        parts.append(f"CASE WHEN {theirs} THEN {value}::{kind} ELSE {name(column)} END AS {name(column)}")
    try:
        site.engine.save(f"SELECT {', '.join(parts)} FROM {FILE} ORDER BY {AT}", place)
        site.engine.load(FILE, Stored((place,), row_column=AT))
        erased = _count(site, f"SELECT count(*) FROM {FILE} WHERE {theirs} AND {FAILED} = {ERASED}")
    finally:
        site.engine.drop(FILE, GONE)
    if erased != len(rows):
        raise DeliveryRefusal(
            "A delivery does not hold the rows that are to be erased", why="Its checked file is another one by now",
            next_step="Look at its history: ids audit used",
        )  # fmt: skip


def _without(site: LoadingSite, place: Path, *, column: str, rows: Sequence[int], ids: Sequence[int] = ()) -> None:
    """Take rows out of a sealed file by their number in `column`; no other row's candidate is one of `ids` any more."""
    if not place.exists() or not (rows or ids):
        return
    site.engine.load(FILE, Stored((place,), row_column=AT))
    site.engine.load(GONE, Held(pa.table({"gone": pa.array(rows, pa.int64())})))
    site.engine.load(IDS, Held(pa.table({"id": pa.array(ids, pa.int64())})))
    gone = f"{name(column)} IN (SELECT gone FROM {GONE})"
    told = f"* EXCLUDE ({AT})"
    touched = f"SELECT count(*) FROM {FILE} WHERE {gone}"
    if ids:
        doubt = f"candidate_id IN (SELECT id FROM {IDS})"
        told += f" REPLACE (CASE WHEN {doubt} THEN NULL ELSE candidate_id END AS candidate_id)"
        touched += f" OR coalesce({doubt}, FALSE)"
    try:
        if _count(site, touched):
            site.engine.save(f"SELECT {told} FROM {FILE} WHERE NOT ({gone}) ORDER BY {AT}", place)
    finally:
        site.engine.drop(FILE, GONE, IDS)


def _count(site: LoadingSite, sql: str) -> int:
    return int(site.engine.rows(sql).column(0)[0].as_py())
