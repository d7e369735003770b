"""What a reviewer is shown of a case: the fields that matching compares, side by side, and nothing more.

Numbers of a person are not shown, only whether they agree. Fields that cannot be compared are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrated_data.engine import Engine
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.store import Version
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.sql import name, names

#: Meanings whose agreement decides and whose value does not matter.
AGREEMENT_ONLY = (Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.TELEPHONE, Meaning.EMAIL)

Values = Mapping[str, tuple[str, ...]]  # field to its values, the newest first


@dataclass(frozen=True)
class Line:
    """One field of a case: what each record says, and which of the others differ from the first."""

    field: str
    texts: tuple[str, ...]
    differs: tuple[bool, ...]


def fields(definition: MatchDefinition) -> tuple[str, ...]:
    """Meanings that the index compares, in the order of its fields."""
    return tuple(dict.fromkeys(column for field in definition.fields for column in field.reads))


def of_record(engine: Engine, relation: str, *, record: int, definition: MatchDefinition) -> Values:
    """Values of one row of a records relation."""
    held = [f for f in fields(definition) if f in engine.columns(relation)]
    if not held:
        return {}
    rows = engine.rows(f"SELECT {names(held)} FROM {name(relation)} WHERE record_id = {int(record)}").to_pylist()
    return {f: _texts([r[f] for r in rows]) for f in held}


def of_entities(engine: Engine, version: Version, *, entities: Sequence[int], where: str = "TRUE") -> dict[int, Values]:
    """Values that an index holds now of entities, by entity id. `where`: condition on attribute rows `a`."""
    work = "shown_index"
    version.load(engine, work)
    try:
        columns = engine.columns(f"{work}_attributes")
        held = [f for f in fields(version.definition) if f in columns]
        rows = engine.rows(
            f"SELECT e.entity_id, {names(held)} FROM {name(f'{work}_attributes')} a "
            f"JOIN {name(f'{work}_entities')} e ON e.entity = a.entity WHERE {where} AND a.recorded_to IS NULL "
            f"AND e.entity_id IN ({', '.join(str(int(e)) for e in entities) or 'NULL'}) ORDER BY a.recorded_from DESC"
        ).to_pylist()
    finally:
        version.unload(engine, work)
    return {e: {f: _texts([r[f] for r in rows if r["entity_id"] == e]) for f in held} for e in entities}


def first_records(engine: Engine, version: Version, *, entities: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The first record (source, record id) of each entity: what a decision about the entity names."""
    work = "shown_index"
    version.load(engine, work)
    try:
        rows = engine.rows(
            f"SELECT e.entity_id, min(struct_pack(source := r.source, record := r.record_id::VARCHAR)) AS first "
            f"FROM {name(f'{work}_records')} r "
            f"JOIN {name(f'{work}_entities')} e ON e.entity = r.entity "
            f"WHERE e.entity_id IN ({', '.join(str(int(e)) for e in entities) or 'NULL'}) GROUP BY e.entity_id"
        ).to_pylist()
    finally:
        version.unload(engine, work)
    return {r["entity_id"]: (r["first"]["source"], r["first"]["record"]) for r in rows}


def side_by_side(first: Values, others: Sequence[Values]) -> list[Line]:
    """The lines of a case, in the order of fields: those that the first record and another hold."""
    lines = []
    for field in dict.fromkeys([*first, *(f for other in others for f in other)]):
        said = [record.get(field, ()) for record in (first, *others)]
        if not said[0] or not any(said[1:]):  # nothing to compare
            continue
        alike = [not s or _agrees(said[0], s) for s in said]
        if field in AGREEMENT_ONLY:
            texts = ["held", *(_agreement(said[0], s) for s in said[1:])]
        else:
            texts = [" / ".join(s) for s in said]
        lines.append(Line(field, tuple(texts), tuple(not a for a in alike)))
    return lines


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(v) for v in values if v is not None and str(v).strip()))


def _agrees(first: Sequence[str], other: Sequence[str]) -> bool:
    return not {_plain(v) for v in first}.isdisjoint(_plain(v) for v in other)


def _plain(value: str) -> str:
    return "".join(c for c in value.casefold() if c.isalnum())


def _agreement(first: Sequence[str], other: Sequence[str]) -> str:
    if not other:
        return ""
    if _agrees(first, other):
        return "the same"
    nearly = any(_one_off(_plain(a), _plain(b)) for a in first for b in other)
    return "one character off" if nearly else "another"


def _one_off(a: str, b: str) -> bool:
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1
