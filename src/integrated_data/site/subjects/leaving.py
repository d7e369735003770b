"""Rows that leave every view: those of people who objected, wherever their objection reaches.

An objection is to a dataset, a purpose, or all. It follows its person: what is delivered later is matched as ever,
and whatever is linked to them, by the newest version of the index, is left out of copies made from then on. A dataset
that was derived from the one objected to leaves them out too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from integrated_data.approve.answers import AT
from integrated_data.control import indexes, releases
from integrated_data.engine import Held, Stored
from integrated_data.model.rights import Right
from integrated_data.site.loading import LoadingSite
from integrated_data.site.subjects import kept, somebody
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name


def reaching(site: LoadingSite, dataset: str, *, purpose: str) -> tuple[kept.Entry, ...]:
    """The objections that reach a use of a dataset for a purpose."""
    held = kept.entries(site.places, right=Right.OBJECT)
    if not held:
        return ()
    with site.store.read() as connection:
        made_of = releases.derivations(connection, (dataset,))
    datasets = frozenset({dataset, *made_of, *(source for sources in made_of.values() for source in sources)})
    return tuple(one for one in held if one.scope.holds(datasets=datasets, purpose=purpose))


def left_out(site: LoadingSite, dataset: str, *, purpose: str, files: Sequence[Path]) -> dict[Path, pa.Table]:
    """Of each published file, the places of rows (`_at`) that a copy for a purpose leaves out."""
    found: dict[Path, set[int]] = {}
    for index, entities in _entities(reaching(site, dataset, purpose=purpose)).items():
        key = site.seats.of(index).definition.key
        ids = sorted({i for entity in entities for i in somebody.ids_of(site, index, entity=entity)})
        for file in files:
            found.setdefault(file, set()).update(_places(site, index, key=key, ids=ids, file=file))
    return {file: pa.table({AT: pa.array(sorted(rows), pa.int64())}) for file, rows in found.items() if rows}


def edition(site: LoadingSite, dataset: str, *, purpose: str) -> str:
    """What copies of a dataset are told apart by: the newest request that reached it; '' where none did."""
    numbers = [one.number for one in kept.entries(site.places, right=Right.ERASE) if dataset in one.datasets]
    objections = reaching(site, dataset, purpose=purpose)
    if not objections:
        return str(max(numbers)) if numbers else ""
    with site.store.read() as connection:  # whom an objection is about changes with merges and splits
        versions = {one.index: indexes.current(connection, one.index) for one in objections}
    told = " ".join(f"{index} {found.version if found else 0}" for index, found in sorted(versions.items()))
    return f"{max(numbers + [one.number for one in objections])} {told}"


def _entities(objections: Sequence[kept.Entry]) -> Mapping[str, set[int]]:
    found: dict[str, set[int]] = {}
    for one in objections:
        found.setdefault(one.index, set()).add(one.entities[0])
    return found


def _places(site: LoadingSite, index: str, *, key: str, ids: Sequence[int], file: Path) -> set[int]:
    """Places of a file's rows that are linked to one of these ids: by the newest links where they are kept."""
    linked = somebody.rows_linked(site, index, delivery=site.lake.delivery_of(file), ids=ids)
    site.engine.load("leaving_file", Stored((file,), sealed=False, row_column=AT))
    columns = site.engine.columns("leaving_file")
    site.engine.load("leaving_rows", Held(pa.table({"row": pa.array(linked["theirs"], pa.int64())})))
    site.engine.load("leaving_ids", Held(pa.table({"id": pa.array(ids, pa.int64())})))
    conditions = []
    if ROW in columns and any(linked.values()):
        conditions.append(f"{ROW} IN (SELECT row FROM leaving_rows)")
    elif f"{key}_entity" in columns:
        conditions.append(f"{name(f'{key}_entity')} IN (SELECT id FROM leaving_ids)")
    try:
        if not conditions:
            return set()
        rows = site.engine.rows(f"SELECT {AT} FROM leaving_file WHERE {' OR '.join(conditions)}")
        return {int(row) for row in rows[AT].to_pylist()}
    finally:
        site.engine.drop("leaving_file", "leaving_rows", "leaving_ids")
