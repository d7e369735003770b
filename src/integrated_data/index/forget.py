"""Taking a person out of a version of an index that keeps records: from its files, and from nothing else's.

A version is immutable but for this. Rows of the person's records go (`records`, `former`, `attributes`); forms that no
record says any more go, and their keys; a frequency goes whose value nobody else has. The entity keeps its row,
retired: ids and numbers are never given again. Events stay: they hold ids, words and dates.

Records are known by the hash of their source and id under a secret of the installation's own (`Whom.salt`), so
that who was erased can be erased again, from an older copy, without a list of names being kept for it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.build import number_sql
from integrated_data.index.matching import block
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.model.linkage import EntityStatus
from integrated_data.vocabulary.sql import name, text, texts

SAYING = ("records", "former", "attributes")
#: What says whose the rest is goes last: a run that is cut short finds the person's rows again.
ORDER = ("frequencies", "keys", "edges", "decided", "entities", "forms", "attributes", "former", "records")
_SEPARATOR = "\x1f"
_IDS, _MARKS, _SALT = "forget_ids", "forget_marks", "forget_salt"
#: Relation of the datasets whose records are meant, and the condition that a record is of one of them: what a
#: delivery brought that nobody knew has the delivery's id behind the dataset's name.
SOURCES = "forget_sources"
OF_SOURCES = f"(split_part(source, '/', 1) IN (SELECT source FROM {SOURCES}))"


@dataclass(frozen=True)
class Whom:
    """Whose rows they are: `entities`, all ids that stand for the person; `marks`, of the records (`mark`).

    `sources`: instead of one person's, all records of these datasets.
    """

    entities: tuple[int, ...]
    marks: frozenset[str]
    salt: bytes = field(repr=False)
    sources: frozenset[str] = frozenset()


def mark(salt: bytes, *, source: str, record_id: str) -> str:
    """What a record is known by: SHA-256 over the secret, the source and the id."""
    told = f"{salt.hex()}{_SEPARATOR}{source}{_SEPARATOR}{record_id}"
    return hashlib.sha256(told.encode()).hexdigest()


def said(engine: Engine, folder: Path, *, entities: Iterable[int]) -> list[tuple[str, str]]:
    """Source and record id of everything that a version holds of entities, what was said before included."""
    ids = pa.table({"entity_id": pa.array(sorted(entities), pa.int64())})
    tables = [f"forget_said_{file}" for file in ("entities", *SAYING)]
    for table in tables:
        engine.load(table, Stored((folder / f"{table.removeprefix('forget_said_')}.parquet",)))
    engine.load(_IDS, Held(ids))
    try:
        whose = f"SELECT entity FROM {tables[0]} SEMI JOIN {_IDS} USING (entity_id)"
        parts = [f"SELECT source, record_id::VARCHAR AS record_id, entity FROM {table}" for table in tables[1:]]
        rows = engine.rows(
            f"SELECT DISTINCT source, record_id FROM ({' UNION ALL '.join(parts)}) SEMI JOIN ({whose}) USING (entity) "
            "ORDER BY ALL"
        )
        return list(zip(rows["source"].to_pylist(), rows["record_id"].to_pylist(), strict=True))
    finally:
        engine.drop(_IDS, *tables)


def count(engine: Engine, folder: Path, *, whom: Whom) -> dict[str, int]:
    """How many rows of each file of a version are the person's."""
    with _opened(engine, folder, whom=whom):
        return {
            file: int(engine.rows(f"SELECT count(*) AS n FROM forget_{file} WHERE {_theirs(whom)}")["n"][0].as_py())
            for file in SAYING
        }


def only_theirs(engine: Engine, folder: Path, *, whom: Whom) -> list[int]:
    """Ids of the entities of a version of which nobody but `whom` says anything."""
    files = ("records", "former")
    with _opened(engine, folder, whom=whom):
        theirs = " UNION ".join(f"SELECT entity FROM forget_{file} WHERE {_theirs(whom)}" for file in files)
        others = " UNION ".join(f"SELECT entity FROM forget_{file} WHERE NOT {_theirs(whom)}" for file in files)
        sql = f"SELECT entity_id FROM forget_entities SEMI JOIN ({theirs} EXCEPT ({others})) USING (entity) ORDER BY 1"
        return [int(number) for number in engine.rows(sql)["entity_id"].to_pylist()]


def forget(engine: Engine, definition: MatchDefinition, *, folder: Path, whom: Whom) -> list[Path]:
    """Take the person out of the version in `folder`; returns the files that were written anew.

    Every file is written aside and takes its place; done twice, it changes nothing more.
    """
    with _opened(engine, folder, whom=whom):
        made = _made(engine, definition, whom=whom)
        changed = [file for file in made if _differs(engine, file)]
        for file in changed:
            engine.save(f"SELECT * FROM forget_new_{file}", folder / f"{file}.parquet.anew", reread=file == "forms")
        for file in sorted(changed, key=ORDER.index):
            (folder / f"{file}.parquet.anew").replace(folder / f"{file}.parquet")
        return [folder / f"{file}.parquet" for file in changed]


def unsaid(engine: Engine, folder: Path, *, beside: Path) -> Path | None:
    """Take values that nobody says any more out of the frequencies of provisional entities; the file, if it changed.

    They were counted in the index (`beside`: its newest version, without who was taken out of it).
    """
    place = folder / "frequencies.parquet"
    forms = {"forget_forms": folder, "forget_beside_forms": beside}
    engine.load("forget_frequencies", Stored((place,)))
    for relation, of in forms.items():
        engine.load(relation, Stored((of / "forms.parquet",)))
    try:
        fields = engine.rows("SELECT DISTINCT field FROM forget_frequencies")["field"].to_pylist()
        had = [f for f in fields if all(f in engine.columns(relation) for relation in forms)]
        if not had:
            return None
        said = " UNION ".join(
            f"SELECT {text(f)} AS field, {name(f)}::VARCHAR AS value FROM {relation}" for relation in forms for f in had
        )
        lost = f"SELECT field, value FROM forget_frequencies WHERE field IN {texts(had)} EXCEPT ({said})"
        if not engine.rows(f"SELECT * FROM ({lost}) LIMIT 1").num_rows:
            return None
        kept = f"SELECT * FROM forget_frequencies ANTI JOIN ({lost}) USING (field, value) ORDER BY field, value"
        engine.save(kept, folder / "frequencies.parquet.anew")
        (folder / "frequencies.parquet.anew").replace(place)
        return place
    finally:
        engine.drop("forget_frequencies", *forms)


@contextmanager
def _opened(engine: Engine, folder: Path, *, whom: Whom) -> Iterator[None]:
    """Views `forget_<file>` of a version's files, and tables of whom it is about."""
    files = ("entities", *SAYING, "forms", "keys", "edges", "decided", "frequencies")
    for file in files:
        engine.load(f"forget_{file}", Stored((folder / f"{file}.parquet",)))
    engine.load(_IDS, Held(pa.table({"entity_id": pa.array(sorted(whom.entities), pa.int64())})))
    engine.load(_MARKS, Held(pa.table({"mark": pa.array(sorted(whom.marks), pa.string())})))
    engine.load(_SALT, Held(pa.table({"salt": pa.array([whom.salt.hex()])})))
    engine.load(SOURCES, Held(pa.table({"source": pa.array(sorted(whom.sources), pa.string())})))
    try:
        yield
    finally:
        engine.drop(_IDS, _MARKS, _SALT, SOURCES, *(f"forget_{file}" for file in files))
        engine.drop(*(f"forget_new_{file}" for file in files))


def _theirs(whom: Whom) -> str:
    """SQL condition on a file that says something of records: the row is the person's."""
    if whom.sources:
        return OF_SOURCES
    told = f"(SELECT salt FROM {_SALT}) || chr({ord(_SEPARATOR)}) || source || chr({ord(_SEPARATOR)}) || record_id"
    return f"(sha256({told}) IN (SELECT mark FROM {_MARKS}))"


def _made(engine: Engine, definition: MatchDefinition, *, whom: Whom) -> tuple[str, ...]:
    """Tables `forget_new_<file>` of every file as it is without the person."""
    for file in SAYING:
        engine.create(f"forget_new_{file}", f"SELECT * FROM forget_{file} WHERE NOT {_theirs(whom)}")
    told = "SELECT form FROM forget_new_records UNION SELECT form FROM forget_new_former"
    engine.create("forget_new_forms", f"SELECT * FROM forget_forms SEMI JOIN ({told}) USING (form) ORDER BY entity")
    gone = "SELECT form FROM forget_forms ANTI JOIN forget_new_forms USING (form)"
    touched = " UNION ".join(f"SELECT entity FROM forget_{file} WHERE {_theirs(whom)}" for file in SAYING)
    engine.create("forget_new_keys", _keys_sql(definition, touched=touched))
    number = number_sql("source", "record_id")
    numbers = " UNION ".join(f"SELECT {number} AS number FROM forget_{file} WHERE {_theirs(whom)}" for file in SAYING)
    for file in ("edges", "decided"):
        kept = f"low NOT IN ({numbers}) AND high NOT IN ({numbers})"
        engine.create(f"forget_new_{file}", f"SELECT * FROM forget_{file} WHERE {kept} ORDER BY ALL")
    engine.create("forget_new_frequencies", _frequencies_sql(engine, gone=gone))
    meant = f"entity IN ({touched})" if whom.sources else f"entity_id IN (SELECT entity_id FROM {_IDS})"
    retired = f"{meant} AND entity NOT IN (SELECT entity FROM forget_new_forms)"
    becomes = f"CASE WHEN {retired} AND status <> {text(EntityStatus.ABSORBED)} THEN {text(EntityStatus.RETIRED)}"
    engine.create(
        "forget_new_entities",
        f"SELECT * REPLACE ({becomes} ELSE status END AS status) FROM forget_entities ORDER BY entity",
    )
    return ORDER


def _keys_sql(definition: MatchDefinition, *, touched: str) -> str:
    """The keys but for those that only the person's forms gave to the entities `touched`."""
    still = block.keys_sql(definition, "forget_new_forms", number="entity", where=f"entity IN ({touched})")
    return (
        f"SELECT * FROM forget_keys AS k WHERE entity NOT IN ({touched}) OR (k.kind, k.key, k.entity) IN "
        f"(SELECT (kind, key, number) FROM ({still})) ORDER BY kind, key, entity"
    )


def _frequencies_sql(engine: Engine, *, gone: str) -> str:
    """The frequencies but for values that the forms that go had, and no other has."""
    columns = engine.columns("forget_forms")
    fields = engine.rows("SELECT DISTINCT field FROM forget_frequencies")["field"].to_pylist()
    had = [f for f in fields if f in columns]
    if not had:
        return "SELECT * FROM forget_frequencies"

    def values(forms: str) -> str:
        return " UNION ".join(f"SELECT {text(f)} AS field, {name(f)}::VARCHAR AS value FROM {forms}" for f in had)

    lost = f"SELECT * FROM ({values(f'(SELECT * FROM forget_forms WHERE form IN ({gone}))')}) EXCEPT "
    lost += f"SELECT * FROM ({values('forget_new_forms')})"
    return f"SELECT * FROM forget_frequencies ANTI JOIN ({lost}) USING (field, value) ORDER BY field, value"


def _differs(engine: Engine, file: str) -> bool:
    if file == "entities":
        told = "SELECT count(*) AS n FROM forget_entities o JOIN forget_new_entities n USING (entity) "
        return bool(engine.rows(f"{told} WHERE o.status <> n.status")["n"][0].as_py())
    before, after = (
        engine.rows(f"SELECT count(*) AS n FROM {table}")["n"][0].as_py()
        for table in (f"forget_{file}", f"forget_new_{file}")
    )
    return bool(before != after)
