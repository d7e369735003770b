"""The candidates of a delivery's records: pairs worth comparing, scored."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine
from integrated_data.index.matching import block, prepare, score
from integrated_data.index.matching.decide import Edges, Floats, Ints
from integrated_data.index.matching.model import Model
from integrated_data.index.store import Version
from integrated_data.vocabulary.sql import name

#: Pairs this far (log2) below even odds against the whole index are not kept: no posterior feels them.
FLOOR = 8.0

#: Weight (log2) of a record that the index was loaded from: nothing else competes.
IDENTICAL = 400.0

#: Stands for the number of an exact rule where a record is known to be an entity.
SETTLED = -2  # as context.CONTEXT does where its household decided

#: Tables made on the way.
TABLES = ("pairs", "same")


@dataclass(frozen=True)
class Scored:
    """Candidates of a delivery: edges, the rule each satisfies (-1: none), and how many records can match."""

    edges: Edges
    rule: Ints
    records: int
    evidence: int


def scored(engine: Engine, version: Version, *, model: Model, work: str) -> Scored:
    """Score all candidate pairs, a chunk of records at a time; only pairs that can matter are kept."""
    definition, records = version.definition, f"{work}_records"
    total = count(engine, records)
    sql = _scored_sql(engine, version, model=model, work=work)
    parts = []
    for start in range(0, max(total, 1), definition.policy.chunk):
        chunk = f"record BETWEEN {start} AND {start + definition.policy.chunk - 1}"
        pairs = block.candidates_sql(definition, records, index_keys=f"{work}_index_keys", where=chunk)
        engine.create(f"{work}_pairs", pairs)
        parts.append(engine.rows(sql))
    parts.append(_same_records(engine, version, work=work))
    edges, rule = _merged(pa.concat_tables(parts))
    return Scored(edges, rule, total, count(engine, records, where=prepare.has_evidence_sql(definition)))


def apart(engine: Engine, version: Version, *, model: Model, taken: str, work: str) -> Edges:
    """The candidates that some records would have if the index did not hold their entities.

    `taken`: table of those pairs, `record` and `entity`.
    """
    pairs = block.candidates_sql(
        version.definition, f"{work}_records", index_keys=f"{work}_index_keys",
        where=f"record IN (SELECT record FROM {name(taken)})", apart=taken,
    )  # fmt: skip
    engine.create(f"{work}_pairs", pairs)
    return _merged(engine.rows(_scored_sql(engine, version, model=model, work=work)))[0]


def count(engine: Engine, relation: str, *, where: str = "TRUE") -> int:
    """Rows of a relation for which `where` holds."""
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)} WHERE {where}").column("n")[0].as_py())


def _scored_sql(engine: Engine, version: Version, *, model: Model, work: str) -> str:
    """SQL that scores `<work>_pairs`."""
    definition, records = version.definition, f"{work}_records"
    relations = score.Relations(f"{work}_pairs", records, f"{work}_index_forms")
    silent = score.silent(engine, definition, records=records)
    return score.scored_sql(
        definition, model, compared=score.compared_sql(definition, relations, silent=silent, tellers=model.told),
        among=version.about.entities, floor=float(np.log2(max(version.about.entities, 1))) - FLOOR,
    )  # fmt: skip


def _same_records(engine: Engine, version: Version, *, work: str) -> pa.Table:
    """Pairs of records that the index was loaded from: the same record id, the same content, one entity."""
    engine.create(
        f"{work}_same",
        f"SELECT l.record, l.record_id::VARCHAR AS record_id, f.form FROM "
        f"(SELECT record, record_id, {prepare.print_sql(version.definition)} AS print FROM "
        f"{name(f'{work}_records')}) l "
        f"JOIN {name(f'{work}_index_forms')} f ON f.print = l.print",
    )
    return engine.rows(
        f"SELECT s.record, any_value(r.entity) AS entity, {IDENTICAL}::DOUBLE AS weight, {SETTLED}::TINYINT AS rule "
        f"FROM {name(f'{work}_same')} s JOIN {name(f'{work}_index_records')} r "
        "ON r.form = s.form AND r.record_id = s.record_id "
        "GROUP BY s.record HAVING count(DISTINCT r.entity) = 1"
    )


def _merged(table: pa.Table) -> tuple[Edges, Ints]:
    """Edges in a fixed order, each pair once with its highest weight."""
    record = table.column("record").to_numpy().astype(np.int64)
    entity = table.column("entity").to_numpy().astype(np.int64)
    weight: Floats = table.column("weight").to_numpy().astype(np.float64)
    rule = table.column("rule").to_numpy().astype(np.int64)
    order = np.lexsort((-weight, entity, record))
    record, entity = record[order], entity[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (record[1:] != record[:-1]) | (entity[1:] != entity[:-1])
    return Edges(record[first], entity[first], weight[order][first]), rule[order][first]
