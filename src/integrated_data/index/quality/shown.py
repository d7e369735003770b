"""What a reviewer is shown of a case: the fields that matching compares, side by side, and nothing more.

Numbers of a person are not shown, only whether they agree. Fields that cannot be compared are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.best import Trust, ranked
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.past import TIMES, Laid
from integrated_data.model.meanings import Meaning
from integrated_data.vocabulary.sql import name, names

#: Meanings whose agreement decides and whose value does not matter.
AGREEMENT_ONLY = (Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.TELEPHONE, Meaning.EMAIL)

Values = Mapping[str, tuple[str, ...]]  # field to its values, the best or newest first


@dataclass(frozen=True)
class Line:
    """One field of a case: what each record says, and which of the others differ from the first."""

    field: str
    texts: tuple[str, ...]
    differs: tuple[bool, ...]


def fields(definition: MatchDefinition) -> tuple[str, ...]:
    """Meanings that the index compares, in the order of its fields."""
    return tuple(dict.fromkeys(column for field in definition.fields for column in field.reads))


def of_record(engine: Engine, relation: str, *, record: int, fields: Sequence[str]) -> Values:
    """Values of one row of a records relation."""
    held = [f for f in fields if f in engine.columns(relation)]
    if not held:
        return {}
    rows = engine.rows(f"SELECT {names(held)} FROM {name(relation)} WHERE record_id = {int(record)}").to_pylist()
    return {f: _texts([r[f] for r in rows]) for f in held}


def of_entities(
    engine: Engine, laid: Laid, *, entities: Sequence[int], fields: Sequence[str], trust: Trust
) -> dict[int, Values]:
    """Values that an index holds now of entities, by entity id; of each field the best first (see `index.best`)."""
    held = [f for f in fields if f in laid.attributes]
    rows = engine.rows(
        f"SELECT entity_id, source, {names((*held, *TIMES))} FROM {laid.of('attributes')} WHERE recorded_to IS NULL "
        f"AND entity_id IN ({_listed(entities)}) ORDER BY recorded_from DESC, source, record_id"
    ).to_pylist()
    own = {e: [r for r in rows if r["entity_id"] == e] for e in entities}
    return {
        e: {f: _texts([value for (value,), _ in ranked(said, (f,), trust=trust)]) for f in held}
        for e, said in own.items()
    }


def of_records(
    engine: Engine, laid: Laid, *, records: Sequence[tuple[str, str]], fields: Sequence[str]
) -> list[Values]:
    """Values that an index holds now of records (source, record id), in their order."""
    held = [f for f in fields if f in laid.attributes]
    sources, ids = zip(*records, strict=True)
    engine.load("shown_wanted", Held(pa.table({"source": sources, "record_id": ids})))
    try:
        rows = engine.rows(
            f"SELECT a.source, a.record_id::VARCHAR AS record_id, {names(held)} FROM {laid.of('attributes')} AS a "
            "JOIN shown_wanted AS w ON w.source = a.source AND w.record_id = a.record_id::VARCHAR "
            "WHERE a.recorded_to IS NULL ORDER BY a.recorded_from DESC"
        ).to_pylist()
    finally:
        engine.drop("shown_wanted")
    own = [[r for r in rows if (r["source"], r["record_id"]) == record] for record in records]
    return [{f: _texts([r[f] for r in said]) for f in held} for said in own]


def first_records(engine: Engine, laid: Laid, *, entities: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The first record (source, record id) of each entity: what a decision about the entity names."""
    rows = engine.rows(
        f"SELECT entity_id, min(struct_pack(source := source, record := record_id::VARCHAR)) AS first "
        f"FROM {laid.of('records')} WHERE entity_id IN ({_listed(entities)}) GROUP BY entity_id"
    ).to_pylist()
    return {r["entity_id"]: (r["first"]["source"], r["first"]["record"]) for r in rows}


def _listed(entities: Sequence[int]) -> str:
    return ", ".join(str(int(e)) for e in entities) or "NULL"


def side_by_side(first: Values, others: Sequence[Values]) -> list[Line]:
    """The lines of a case, in the order of fields: those that the first record and another hold."""
    lines = []
    for field in dict.fromkeys([*first, *(f for other in others for f in other)]):
        said = [record.get(field, ()) for record in (first, *others)]
        if said[0] and any(said[1:]):  # else there is nothing to compare
            lines.append(_line(field, said, to=0))
    return lines


def together(records: Sequence[Values]) -> list[Line]:
    """The lines of a case about records that stand for one thing: fields that two of them hold or more."""
    lines = []
    for field in dict.fromkeys(f for record in records for f in record):
        said = [record.get(field, ()) for record in records]
        holding = [place for place, values in enumerate(said) if values]
        if len(holding) > 1:
            lines.append(_line(field, said, to=holding[0]))
    return lines


def _line(field: str, said: Sequence[Sequence[str]], *, to: int) -> Line:
    """What records say of a field, compared to one of them."""
    alike = [not s or _agrees(said[to], s) for s in said]
    if field in AGREEMENT_ONLY:
        texts = ["held" if place == to else _agreement(said[to], s) for place, s in enumerate(said)]
    else:
        texts = [" / ".join(s) for s in said]
    return Line(field, tuple(texts), tuple(not a for a in alike))


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
