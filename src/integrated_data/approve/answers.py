"""Answers: what the entity ids of published files are in the index version that a project wants.

A published file keeps the ids that its rows were given when it was matched, for good. Ids that were
absorbed since are answered by succession, where tokens are made; records of a split entity were
matched again, and their links are laid over the file's by row number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.model.errors import AgreementRefusal
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

#: What a published file says of each link after the name of its key, and the type of each.
ENTITY = "_entity"
LINK = {ENTITY: "BIGINT", "_link_probability": "FLOAT", "_link_method": "VARCHAR"}

#: Columns of links laid over a file, in the order of `LINK`.
RELINKED = ("entity_id", "probability", "method")

#: The place of a row in its file, from 0.
AT = "_at"


@dataclass(frozen=True)
class Answer:
    """What the links to one index are in the version wanted.

    `succession`: old_id and new_id of entities that others stand for by then. `relinked`: by file,
    record_id (the row number) and RELINKED of records that were matched again. `later`: files that
    were linked only after that version: their rows have no key. `rests_on`: the sets of links behind
    it, by name.
    """

    version: int
    succession: pa.Table | None = field(default=None, compare=False)
    relinked: Mapping[Path, pa.Table] = field(default_factory=dict, compare=False)
    later: frozenset[Path] = frozenset()
    rests_on: tuple[str, ...] = ()


def answered(
    engine: Engine,
    files: Sequence[Path],
    *,
    answers: Mapping[str, Answer],
    relation: str,
    made: list[str],
    left_out: Mapping[Path, pa.Table] | None = None,
) -> bool:
    """Make view `relation` of published files with every link as answered, but for succession.

    `left_out`: by file, the places (`_at`) of rows that are not in the view.

    What is made goes to the end of `made`, to be dropped from there. Returns whether the view's rows are
    those of the files as they lie, so that they come in the same order each time.
    """
    without = left_out or {}
    touched = [f for f in files if f in without or any(f in a.later or f in a.relinked for a in answers.values())]
    rest = tuple(f for f in files if f not in touched)
    if not touched:
        made.append(relation)
        engine.load(relation, Stored(rest, sealed=False))
        return True
    parts = []
    if rest:
        made.append(f"{relation}_rest")
        engine.load(made[-1], Stored(rest, sealed=False))
        parts.append(f"SELECT * FROM {sql.name(made[-1])}")
    for number, file in enumerate(touched):
        part = f"{relation}_{number}"
        _load_part(engine, file, part=part, without=without.get(file), made=made)
        _refuse_without_rows(engine, part, relinked=any(file in a.relinked for a in answers.values()))
        laid: dict[str, str | None] = {}
        for key, answer in answers.items():
            if file in answer.later:
                laid[key] = None
            elif file in answer.relinked:
                laid[key] = f"{part}_{key}"
                made.append(f"{part}_{key}")
                engine.load(f"{part}_{key}", Held(answer.relinked[file]))
        parts.append(part_sql(part, laid=laid))
    made.append(relation)
    engine.view(relation, " UNION ALL BY NAME ".join(parts))
    return False


def _load_part(engine: Engine, file: Path, *, part: str, without: pa.Table | None, made: list[str]) -> None:
    """Make view `part` of one file, but for the rows at those places."""
    if without is None:
        made.append(part)
        engine.load(part, Stored((file,), sealed=False))
        return
    made += [f"{part}_all", f"{part}_left", part]
    engine.load(f"{part}_all", Stored((file,), sealed=False, row_column=AT))
    engine.load(f"{part}_left", Held(without))
    engine.view(part, f"SELECT * EXCLUDE ({AT}) FROM {part}_all ANTI JOIN {part}_left USING ({AT})")


def part_sql(part: str, *, laid: Mapping[str, str | None]) -> str:
    """SELECT of one published file with its links replaced.

    `laid`: by key, the relation (record_id, RELINKED) that is laid over the file's links; None where
    the file has no link in the version wanted.
    """
    if not laid:
        return f"SELECT * FROM {sql.name(part)}"
    replaced, joins = [], []
    for number, (key, over) in enumerate(laid.items()):
        again = f"o{number}"
        for (suffix, kind), column in zip(LINK.items(), RELINKED, strict=True):
            own = sql.name(key + suffix)
            value = f"CASE WHEN {again}.record_id IS NULL THEN r.{own} ELSE {again}.{column} END"
            replaced.append(f"{'NULL' if over is None else value}::{kind} AS {own}")
        if over is not None:
            joins.append(f"LEFT JOIN {sql.name(over)} AS {again} ON {again}.record_id = r.{ROW}")
    return f"SELECT r.* REPLACE ({', '.join(replaced)}) FROM {sql.name(part)} AS r {' '.join(joins)}"


def _refuse_without_rows(engine: Engine, part: str, *, relinked: bool) -> None:
    if relinked and ROW not in engine.columns(part):
        raise AgreementRefusal(
            "A published file cannot be given the keys of this index version",
            why="It was published before row numbers were kept, and some of its records were linked anew",
            next_step="Deliver the dataset again",
        )


def crosswalk_sql(relation: str, key: str, *, succession: str | None) -> str:
    """SELECT of entity (each id that a relation holds, once) and current (the id that stands for it)."""
    held = (
        f"SELECT DISTINCT {sql.name(key + ENTITY)} AS entity FROM {sql.name(relation)} "
        f"WHERE {sql.name(key + ENTITY)} IS NOT NULL"
    )
    if succession is None:
        return f"SELECT entity, entity AS current FROM ({held})"
    return (
        f"SELECT h.entity, coalesce(s.new_id, h.entity) AS current FROM ({held}) AS h "
        f"LEFT JOIN {sql.name(succession)} AS s ON s.old_id = h.entity"
    )


def without_key(engine: Engine, answers: Mapping[str, Answer]) -> dict[str, int]:
    """Of each key, the linked rows that have none: those of files linked after the version wanted."""
    counts = {}
    for key, answer in answers.items():
        if not answer.later:
            continue
        engine.load("linked_later", Stored(tuple(sorted(answer.later)), sealed=False))
        try:
            found = engine.rows(f"SELECT count({sql.name(key + ENTITY)}) AS n FROM linked_later")
        finally:
            engine.drop("linked_later")
        counts[key] = int(found["n"][0].as_py())
    return {key: count for key, count in counts.items() if count}
