"""Household context: a record's household may find it where its own address does not.

People who live with one another move with one another. Where the members of a record's household (the
key that rivals share: a dwelling) were surely found, and their entities lived with a candidate, that
candidate is the likelier to be the record; one that lived elsewhere is the less likely. How much so is
counted on the links that are sure already and whose own address does not agree. Only records that are
not surely found are looked at again, and a candidate at the record's own address gains nothing: its
place was compared. A member of the same household gains as much, so that names and birth decide
between them, as ever (`score.guarded_sql`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching import block, score
from integrated_data.index.matching.decide import Edges, Floats, Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model
from integrated_data.vocabulary.sql import name

#: Stands for the number of an exact rule where a record's household decided.
CONTEXT = -3
BY_CONTEXT = "household context"

#: Records of one delivery at one key; more are an institution, not a household.
HOUSEHOLD = 15

#: Moves seen before any is counted, and in which share of them the household moved along: a guess
#: that a few dozen sure links outweigh. Fewer links than `FEWEST` say nothing.
GUESSED_MOVES, TOGETHER, FEWEST = 10.0, 0.5, 20

NO_FLOOR = -1e6
FLOOR = 8.0  # log2 below even odds against the whole index, as in a first pass
TABLES = ("lived", "first", "sure", "homes", "mates", "near", "moved", "again", "near_again")


@dataclass(frozen=True)
class Seen:
    """A first pass over a delivery: its edges, the rule each satisfies and its probability."""

    edges: Edges
    rule: Ints
    probability: Floats


def with_context(
    engine: Engine, definition: MatchDefinition, *, model: Model, seen: Seen, among: int, work: str
) -> Seen | None:
    """The edges again, with what households say of records that were not surely found; None: nothing.

    Reads `<work>_records` and `<work>_index_keys`; `among`: entities of the index. Probabilities are
    those of before.
    """
    if definition.rivals is None or len(seen.edges) == 0:
        return None
    kind = next(i for i, key in enumerate(definition.keys) if key.name == definition.rivals.key)
    _homes(engine, definition, seen=seen, kind=kind, work=work)
    lift = _lift(engine, among=among, work=work)
    if lift is None:
        return None
    gain, loss = lift
    relations = score.Relations(f"{work}_near_again", f"{work}_records", f"{work}_index_forms")
    engine.create(
        f"{work}_near_again", f"SELECT n.record, n.entity FROM {name(f'{work}_near')} n SEMI JOIN "
        f"{name(f'{work}_again')} USING (record)",
    )  # fmt: skip
    guarded = replace(model, rivals=model.rivals * 2.0**gain)
    silent = score.silent(engine, definition, records=f"{work}_records")
    found = engine.rows(
        f"SELECT record, entity, weight + {gain!r} AS weight FROM ("
        + score.scored_sql(
            definition,
            guarded,
            compared=score.compared_sql(definition, relations, silent=silent, tellers=model.told),
            among=among,
            floor=NO_FLOOR,
        )
        + f") WHERE weight + {gain!r} >= {math.log2(max(among, 1)) - FLOOR!r} ORDER BY record, entity"
    )
    others = engine.rows(
        f"SELECT f.edge FROM {name(f'{work}_first')} f SEMI JOIN {name(f'{work}_again')} USING (record) "
        f"WHERE f.record IN (SELECT record FROM {name(f'{work}_mates')}) AND NOT f.home"
    )
    return _together(seen, found=found, others=others.column("edge").to_numpy().astype(np.int64), loss=loss)


def _homes(engine: Engine, definition: MatchDefinition, *, seen: Seen, kind: int, work: str) -> None:
    """Tables of the first pass (with `home`: the candidate has the record's key), of who was surely found,
    of housemates' entities, and of entities that lived with those."""
    t = {table: name(f"{work}_{table}") for table in (*TABLES, "records")}
    index = name(f"{work}_lived")
    engine.create(f"{work}_lived", f"SELECT key, entity FROM {name(f'{work}_index_keys')} WHERE kind = {kind}")
    keys = block.keys_sql(definition, f"{work}_records", number="record")
    engine.create(
        f"{work}_homes",
        f"SELECT key, number AS record FROM ({keys}) WHERE kind = {kind} "
        f"QUALIFY count(*) OVER (PARTITION BY key) <= {HOUSEHOLD}",
    )
    edges = seen.edges
    columns = {
        "edge": np.arange(len(edges)), "record": edges.record, "entity": edges.entity, "probability": seen.probability,
    }  # fmt: skip
    engine.load(f"{work}_seen", Held(pa.table(columns)))
    engine.create(
        f"{work}_first",
        f"SELECT s.*, i.entity IS NOT NULL AS home FROM {name(f'{work}_seen')} s LEFT JOIN {t['homes']} h "
        f"ON h.record = s.record LEFT JOIN {index} i ON i.key = h.key AND i.entity = s.entity",
    )
    engine.drop(f"{work}_seen")
    engine.create(
        f"{work}_sure",
        f"SELECT record, entity, home FROM {t['first']} WHERE probability >= {definition.policy.sure}",
    )
    engine.create(f"{work}_again", f"SELECT record FROM {t['records']} ANTI JOIN {t['sure']} USING (record)")
    engine.create(
        f"{work}_moved",
        f"SELECT s.record, s.entity FROM {t['sure']} s SEMI JOIN {t['homes']} h ON h.record = s.record "
        "WHERE NOT s.home",
    )
    looked = f"SELECT record FROM {t['again']} UNION ALL SELECT record FROM {t['moved']}"
    engine.create(
        f"{work}_mates",
        f"SELECT DISTINCT a.record, s.entity FROM {t['homes']} a SEMI JOIN ({looked}) w ON w.record = a.record "
        f"JOIN {t['homes']} b ON b.key = a.key AND b.record <> a.record JOIN {t['sure']} s ON s.record = b.record",
    )
    engine.create(
        f"{work}_near",
        f"SELECT DISTINCT m.record, c.entity FROM {t['mates']} m JOIN {index} l ON l.entity = m.entity "
        f"JOIN {index} c ON c.key = l.key AND c.entity <> m.entity "
        f"ANTI JOIN (SELECT h.record, i.entity FROM {t['homes']} h JOIN {index} i ON i.key = h.key) own "
        "ON own.record = m.record AND own.entity = c.entity",
    )


def _lift(engine: Engine, *, among: int, work: str) -> tuple[float, float] | None:
    """log2 that a candidate gains by having lived with the household, and loses by not; None: too little is known."""
    moved, mates, near = (name(f"{work}_{table}") for table in ("moved", "mates", "near"))
    counts = engine.rows(
        f"SELECT count(*) AS moved, count(n.record) AS together, "
        f"(SELECT count(*) / greatest(count(DISTINCT record), 1) FROM {near}) AS each FROM {moved} m "
        f"SEMI JOIN {mates} w ON w.record = m.record "
        f"LEFT JOIN {near} n ON n.record = m.record AND n.entity = m.entity"
    ).to_pylist()[0]
    if counts["moved"] < FEWEST:
        return None
    share = (counts["together"] + GUESSED_MOVES * TOGETHER) / (counts["moved"] + GUESSED_MOVES)
    chance = max(counts["each"], 1.0) / max(among, 1)
    return max(math.log2(share / chance), 0.0), math.log2((1.0 - share) / (1.0 - min(chance, 0.5)))


def _together(seen: Seen, *, found: pa.Table, others: Ints, loss: float) -> Seen:
    """Edges in a fixed order, each pair once: those that context speaks for instead of what they were."""
    weight = seen.edges.weight.copy()
    weight[others] += min(loss, 0.0)
    record = np.concatenate([found.column("record").to_numpy().astype(np.int64), seen.edges.record])
    entity = np.concatenate([found.column("entity").to_numpy().astype(np.int64), seen.edges.entity])
    both = np.concatenate([found.column("weight").to_numpy().astype(np.float64), weight])
    rule = np.concatenate([np.full(len(found), CONTEXT, dtype=np.int64), seen.rule])
    chance = np.concatenate([np.zeros(len(found)), seen.probability])
    _, first = np.unique(record * (int(entity.max()) + 1) + entity, return_index=True)
    return Seen(Edges(record[first], entity[first], both[first]), rule[first], chance[first])
