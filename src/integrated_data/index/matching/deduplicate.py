"""Records of one source that are the same entity.

Most pairs that look alike within a source are not duplicates but rivals: twins, fathers and sons of
one name, branches at one address. A pair must be likelier one entity than two rivals, and a group
holds no two records that were compared and found to differ.
"""

from dataclasses import dataclass

import numpy as np

from integrated_data.engine import Engine
from integrated_data.index.matching import block, decide, prepare, score, train
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model, RivalCounts, with_rivals
from integrated_data.index.matching.rivals import rival_counts
from integrated_data.vocabulary.sql import name

#: Training on duplicates needs this share of records to have one, and at least this many pairs.
DUPLICATED, FEWEST_PAIRS = 0.05, 300

#: In a larger source, duplicates are looked for among pairs that share two keys, not one.
LARGE = 200_000

#: Pairs this unlikely, once compared, keep a group apart.
DIFFERENT = 0.00001

NO_FLOOR = -1e6


@dataclass(frozen=True)
class Groups:
    """`group` of every record (0, 1, …, dense); `model` used; `rivals` seen among the records."""

    group: Ints
    model: Model
    rivals: RivalCounts | None


def groups(
    engine: Engine, trainer: train.Trainer, *, start: Model, definition: MatchDefinition, records: str
) -> Groups:
    """Group the records of a cleaned relation (`record` 0, 1, …) that are one entity.

    `start`: the model to begin with; it is trained further only where duplicates abound.
    """
    work = f"{records}_dedup"
    try:
        total = _prepare(engine, definition, records=records, work=work)
        rivals = rival_counts(engine, definition, model=start, work=work)
        model = with_rivals(start, definition, counts=rivals)
        pairs = _scored(engine, definition, model=model, work=work, total=total)
        alike = decide.duplicates(pairs[2], total)
        if model.origin == "assumed" and alike.sum() > max(FEWEST_PAIRS, DUPLICATED * total):
            sides = train.Sides(f"{work}_forms", None, (total, total))
            model = with_rivals(
                train.trained(engine, trainer, start=start, definition=definition, sides=sides),
                definition,
                counts=rivals,
            )
            pairs = _scored(engine, definition, model=model, work=work, total=total)
            alike = decide.duplicates(pairs[2], total)
        return Groups(
            _grouped(pairs[0], pairs[1], alike=alike, total=total, merge=definition.policy.merge), model, rivals
        )
    finally:
        engine.drop(*(f"{work}_{t}" for t in ("forms", "record_keys", "keys", "pairs")))


def _prepare(engine: Engine, definition: MatchDefinition, *, records: str, work: str) -> int:
    forms = f"{work}_forms"
    numbered = (
        f"(SELECT *, record AS form, record AS entity FROM ({prepare.with_frequencies_sql(definition, records)}))"
    )
    engine.create(forms, f"SELECT * FROM {numbered}")
    engine.create(f"{work}_record_keys", block.keys_sql(definition, forms, number="form"))
    engine.create(f"{work}_keys", block.stored_keys_sql(definition, f"{work}_record_keys", entities=forms))
    total = int(engine.rows(f"SELECT count(*) AS n FROM {name(forms)}").column("n")[0].as_py())
    engine.create(f"{work}_pairs", block.pairs_within_sql(f"{work}_keys", least=1 if total <= LARGE else 2))
    return total


def _scored(
    engine: Engine, definition: MatchDefinition, *, model: Model, work: str, total: int
) -> tuple[Ints, Ints, Floats]:
    compared = score.compared_sql(definition, score.Relations(f"{work}_pairs", f"{work}_forms", f"{work}_forms"))
    table = engine.rows(
        "SELECT * FROM ("
        + score.scored_sql(definition, model, compared=compared, among=total, floor=NO_FLOOR)
        + ") ORDER BY record, entity"
    )
    return (
        table.column("record").to_numpy().astype(np.int64),
        table.column("entity").to_numpy().astype(np.int64),
        table.column("weight").to_numpy().astype(np.float64),
    )


def _grouped(left: Ints, right: Ints, *, alike: Floats, total: int, merge: float) -> Ints:
    """Groups by joining pairs from the likeliest down, unless that would join two that differ."""
    parent = np.arange(total)
    members: dict[int, list[int]] = {}
    apart: dict[int, set[int]] = {}
    for a, b in zip(left[alike < DIFFERENT].tolist(), right[alike < DIFFERENT].tolist(), strict=True):
        apart.setdefault(a, set()).add(b)
        apart.setdefault(b, set()).add(a)
    chosen = np.flatnonzero(alike >= merge)
    for i in chosen[np.argsort(-alike[chosen], kind="stable")].tolist():
        a, b = int(parent[left[i]]), int(parent[right[i]])
        if a == b:
            continue
        ours, theirs = members.get(a, [a]), members.get(b, [b])
        if any(apart.get(x, _NONE) & set(theirs) for x in ours):
            continue
        parent[theirs] = a
        members[a] = ours + theirs
        members.pop(b, None)
    return np.unique(parent, return_inverse=True)[1].astype(np.int64)


_NONE: set[int] = set()
