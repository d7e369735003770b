"""What records are taken for when their own entity is taken out of the index: strangers who resemble them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching import absence
from integrated_data.index.matching.decide import Edges, Floats, Ints

TABLES = ("taken",)


def taken(engine: Engine, edges: Edges, *, sure: npt.NDArray[np.bool_], work: str) -> Ints | None:
    """Make table `<work>_taken` of some sure pairs, evenly over the records; their records, in order.

    None: too few are sure to show anything.
    """
    places = np.flatnonzero(sure)
    if len(places) < absence.FEWEST:
        return None
    chosen = places[np.linspace(0, len(places) - 1, min(len(places), absence.TRIALS)).astype(np.int64)]
    pairs = {"record": edges.record[chosen], "entity": edges.entity[chosen]}
    engine.load(f"{work}_taken", Held(pa.table(pairs)))
    return np.unique(pairs["record"])


def without(edges: Edges, records: Ints, *, found: Edges) -> Edges:
    """Edges as they would be for `records` without their entities, and for those who want the same candidates.

    `found`: the candidates that `records` have then.
    """
    others = ~np.isin(edges.record, records)
    rivals = np.unique(edges.record[others & np.isin(edges.entity, found.entity)])
    beside = others & np.isin(edges.record, rivals)
    record = np.concatenate([found.record, edges.record[beside]])
    entity = np.concatenate([found.entity, edges.entity[beside]])
    weight = np.concatenate([found.weight, edges.weight[beside]])
    order = np.lexsort((entity, record))
    return Edges(record[order], entity[order], weight[order])


def chances(edges: Edges, probability: Floats, *, records: Ints) -> Floats:
    """How likely each of `records` is in the index at all; 0 where nothing resembles it."""
    if len(edges) == 0:
        return np.zeros(len(records))
    each = absence.in_index(edges, probability)[0]
    result = np.zeros(len(records))
    known = records < len(each)
    result[known] = each[records[known]]
    return result
