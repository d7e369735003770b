"""What pairs of different entities of an index look like: strangers drawn at random, and kinds of rivals.

They are no matches, whatever is delivered, so they show how much likeness says nothing.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.reference.alike import Alike, Known, edges_of, levels_sql
from integrated_data.index.reference.assign import Ints
from integrated_data.index.reference.weights import Others, Rivals, counted

#: Random pairs, and pairs of each kind of rivals, that are drawn.
STRANGERS = 100_000
#: Rivals looked at for each entity.
NEXT = 3


def others(engine: Engine, alike: Alike, *, known: Known, work: str) -> Others:
    """What pairs of different entities of the index look like: at random, and those that share a field."""

    def levels(pairs: str) -> Mapping[str, Ints]:
        table = engine.rows(levels_sql(alike, known, pairs=pairs, forms=known.forms, words=known.words))
        return edges_of(table, alike).levels

    def counts(found: Mapping[str, Ints], rows: npt.NDArray[np.bool_] | slice) -> Mapping[str, tuple[int, ...]]:
        return {aspect.name: counted(found[aspect.name][rows], aspect) for aspect in alike.aspects}

    engine.load(f"{work}_random", Held(_random_pairs(engine, known)))
    kinds = []
    for shared in alike.rivals:
        engine.create(f"{work}_rivals", _rival_pairs_sql(known.forms, shared, size=known.size))
        crowd = f"SELECT count(*) AS n FROM {known.forms} WHERE {shared} IS NOT NULL GROUP BY {shared}"
        pairs = engine.rows(f"SELECT coalesce(sum(n * (n - 1)), 0)::BIGINT AS n FROM ({crowd})")["n"][0].as_py()
        found = levels(f"{work}_rivals")
        may = np.all([found[a.name] != a.apart for a in alike.aspects if a.apart is not None] or [True], axis=0)
        rows = np.broadcast_to(may, found[alike.aspects[0].name].shape)
        expected = float(rows.mean()) * int(pairs) / max(known.size, 1) if len(rows) else 0.0
        kinds.append(Rivals(counts(found, rows), expected))
    strangers = counts(levels(f"{work}_random"), slice(None))
    engine.drop(f"{work}_rivals", f"{work}_random")
    return Others(strangers, tuple(kinds))


def _random_pairs(engine: Engine, known: Known) -> pa.Table:
    """Pairs of different entities at random (`record`, `form`), the same on every run."""
    entities: Ints = engine.rows(f"SELECT entity_id FROM {known.forms} ORDER BY number")["entity_id"].to_numpy()
    draw, size = np.random.default_rng(1), min(STRANGERS, known.size * known.size)
    left, right = (draw.integers(0, max(known.size, 1), size) for _ in range(2))
    other = entities[left] != entities[right] if known.size else np.zeros(size, dtype=bool)
    return pa.table({"record": left[other] + 1, "form": right[other] + 1})


def _rival_pairs_sql(forms: str, shared: str, *, size: int) -> str:
    """Pairs of different entities that share a field: each form with a few of its group, in an order by chance."""
    ahead = ", ".join(
        f"{{'form': lead(number, {step}) OVER by_chance, 'entity': lead(entity_id, {step}) OVER by_chance}}"
        for step in range(1, NEXT + 1)
    )
    return f"""
        SELECT record, other.form AS form FROM (
            SELECT number AS record, entity_id, unnest([{ahead}]) AS other FROM {forms}
            WHERE {shared} IS NOT NULL AND hash({shared}) % {1 + size * NEXT // STRANGERS} = 0
            WINDOW by_chance AS (PARTITION BY {shared} ORDER BY hash(number)))
        WHERE other.entity <> entity_id"""
