"""Taking what datasets said out of a version of an index that compares by likeness: from its files, and nothing else's.

An entity of which nobody else says anything keeps its row, retired: ids are never given again. What others say of the
rest is described anew. Events stay: they hold ids, words and dates.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.forget import OF_SOURCES, SOURCES
from integrated_data.index.reference import alike
from integrated_data.index.reference.alike import Alike
from integrated_data.index.reference.registers import FILES, PARENTS
from integrated_data.model.linkage import EntityStatus
from integrated_data.vocabulary.sql import text

SAYING = ("records", "attributes")
#: Files that name a source and say nothing of what its records say.
_KEPT = ("entities", "events")
_TOUCHED, _ORPHANS, _RESAID = "forget_touched", "forget_orphans", "forget_resaid"


def count(engine: Engine, folder: Path, *, sources: Collection[str]) -> dict[str, int]:
    """How many rows of a version's records and attributes are of datasets."""
    with _opened(engine, folder, sources=sources):
        return {
            file: int(engine.rows(f"SELECT count(*) AS n FROM forget_{file} WHERE {OF_SOURCES}")["n"][0].as_py())
            for file in SAYING
        }


def only_theirs(engine: Engine, folder: Path, *, sources: Collection[str]) -> list[int]:
    """Ids of the entities of a version of which nobody but these datasets says anything."""
    with _opened(engine, folder, sources=sources):
        found = engine.rows(f"SELECT entity_id FROM {_ORPHANS} ORDER BY 1")
        return [int(number) for number in found["entity_id"].to_pylist()]


def forget(engine: Engine, definition: Alike, *, folder: Path, sources: Collection[str]) -> list[Path]:
    """Take what datasets said out of the version in `folder`; returns the files that were written anew.

    Files are written aside and take their places, those that say whose the rest is last; done twice, it changes
    nothing more.
    """
    with _opened(engine, folder, sources=sources):
        if not int(engine.rows(f"SELECT count(*) AS n FROM {_TOUCHED}")["n"][0].as_py()):
            return []
        size = _described(engine, definition)
        written = {file: f"SELECT * FROM forget_new_{file}" for file in FILES}
        if definition.parents is not None and (folder / f"{PARENTS}.parquet").exists():
            written[PARENTS] = definition.parents("forget_new_forms")
        written["entities"] = (
            f"SELECT * REPLACE (CASE WHEN entity_id IN (SELECT entity_id FROM {_ORPHANS}) AND status <> "
            f"{text(EntityStatus.ABSORBED)} THEN {text(EntityStatus.RETIRED)} ELSE status END AS status) "
            "FROM forget_entities"
        )
        others = [f for f in _naming(engine, folder) if f not in (*SAYING, *written)]
        written |= {file: f"SELECT * FROM forget_{file} WHERE NOT {OF_SOURCES}" for file in (*others, *SAYING)}
        for file, sql in written.items():
            engine.save(sql, folder / f"{file}.parquet.anew", sealed=True)
        _tell(folder, forms=size)
        for file in written:
            (folder / f"{file}.parquet.anew").replace(folder / f"{file}.parquet")
        return [folder / f"{file}.parquet" for file in written]


def _described(engine: Engine, definition: Alike) -> int:
    """Tables `forget_new_<file>` of forms, words and frequencies without what the datasets said; how many forms."""
    fields, meanings = ", ".join(definition.fields), ", ".join(map(str, definition.index.attributes))
    engine.create(
        _RESAID,
        f"SELECT row_number() OVER () AS record_id, entity_id, {meanings} FROM forget_attributes "
        f"SEMI JOIN {_TOUCHED} USING (entity_id) WHERE NOT {OF_SOURCES}",
    )
    forms = definition.forms(_RESAID, engine.columns(_RESAID))
    said = (
        f"SELECT entity_id, {fields} FROM forget_forms ANTI JOIN {_TOUCHED} USING (entity_id) UNION "
        f"SELECT s.entity_id, {fields} FROM ({forms}) AS f "
        f"JOIN (SELECT record_id, entity_id FROM {_RESAID}) AS s ON s.record_id = f.record_id"
    )
    ordered = f"row_number() OVER (ORDER BY hash({fields}), entity_id) AS number"
    tables = [f"forget_new_{file}" for file in FILES]
    engine.create(tables[0], f"SELECT {ordered}, *, {definition.known} FROM ({said})")
    return alike.describe(engine, definition, forms=tables[0], words=tables[1], frequencies=tables[2])


def _naming(engine: Engine, folder: Path) -> list[str]:
    """Files of a version, but for `_KEPT`, with a column that names the source of each row."""
    named = [place.stem for place in sorted(folder.glob("*.parquet")) if place.stem not in _KEPT]
    return [file for file in named if "source" in engine.columns(f"forget_{file}")]


@contextmanager
def _opened(engine: Engine, folder: Path, *, sources: Collection[str]) -> Iterator[None]:
    """Views `forget_<file>` of a version's files, and tables of the entities that are touched and left with nothing."""
    files = [place.stem for place in sorted(folder.glob("*.parquet"))]
    for file in files:
        engine.load(f"forget_{file}", Stored((folder / f"{file}.parquet",)))
    engine.load(SOURCES, Held(pa.table({"source": pa.array(sorted(sources), pa.string())})))
    said = " UNION ".join(f"SELECT entity_id FROM forget_{file} WHERE {OF_SOURCES}" for file in SAYING)
    left = " UNION ".join(f"SELECT entity_id FROM forget_{file} WHERE NOT {OF_SOURCES}" for file in SAYING)
    engine.create(_TOUCHED, said)
    engine.create(_ORPHANS, f"SELECT entity_id FROM {_TOUCHED} EXCEPT ({left})")
    try:
        yield
    finally:
        engine.drop(_RESAID, _ORPHANS, _TOUCHED, SOURCES)
        engine.drop(*(f"forget_{file}" for file in files), *(f"forget_new_{file}" for file in FILES))


def _tell(folder: Path, *, forms: int) -> None:
    place = folder / "about.json"
    body = json.loads(place.read_text("utf-8")) | {"forms": forms}
    part = folder / "about.json.anew"
    part.write_text(json.dumps(body, indent=1), encoding="utf-8")
    part.chmod(0o600)
    part.replace(place)
