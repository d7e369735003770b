"""From pair weights to a posterior per record: which candidate it is, or none of the index.

Each record is one entity of the index or none. Before looking, a record is in the index with
probability `present` (estimated from the data itself, by expectation–maximisation) and then each
entity is equally likely. Two records of one delivery are one entity only if they are duplicates
of each other, so candidates are shared out between records: an entity that another record claims
is the less likely for this one, and where most entities are claimed, one that nobody else wants is
the likelier. The probabilities of such an assignment follow by belief propagation on the candidates
(the Bethe approximation for matchings: Bayati and Nair, 2006; Zdeborová and Mézard, 2006).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from integrated_data.index.matching.definition import Policy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = 14  # of estimating `present`; messages settle on the way
PRIOR_RECORDS, PRIOR_PRESENT = 20.0, 0.8  # what is known of `present` before a delivery is seen
LOWEST, HIGHEST = 0.001, 0.999
MOST_CLAIMED = 0.98
SURE = 1.0 - 1e-12
HUGE = 900.0  # log2; beyond it a double overflows


@dataclass(frozen=True)
class Edges:
    """Candidate pairs, one array element each: record number, entity number, weight in log2."""

    record: Ints
    entity: Ints
    weight: Floats

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.weight)


@dataclass(frozen=True)
class Competing:
    """Pairs of edges with one entity and different records, each in both directions.

    `edge` and `other` are positions in `Edges`; `same` the probability that the two records are
    duplicates of each other, and so may both have the entity.
    """

    edge: Ints
    other: Ints
    same: Floats


@dataclass(frozen=True)
class Posterior:
    """`probability` of every edge, the share of records estimated to be `present` in the index, and the
    share of its entities that they claim."""

    probability: Floats
    present: float
    claimed: float = 0.0


@dataclass(frozen=True)
class _Side:
    """Edges grouped by one of their ends: `order` sorts them by it, groups start at `starts`."""

    order: Ints
    starts: Ints
    group: Ints  # of each edge in `order`


def posterior(
    edges: Edges, *, sizes: tuple[int, int], competing: Competing | None = None, given: Posterior | None = None
) -> Posterior:
    """Probability that each pair is one entity.

    `sizes`: records that hold anything to match on, and entities in the index. `competing` None
    means that no two records are one entity (one-to-one). `given`: what is known of the share present and the
    share claimed; estimated otherwise.
    """
    if len(edges) == 0:
        return Posterior(np.zeros(0), LOWEST)
    by_record, by_entity = _side(edges.record), _side(edges.entity)
    ratio = np.exp2(np.minimum(edges.weight, HUGE)) / sizes[1]
    present, claimed = (given.present, given.claimed) if given else (PRIOR_PRESENT, 0.0)
    to_record: Floats = np.ones(len(edges))
    chance: Floats = np.zeros(len(edges))
    for _ in range(ROUNDS):
        odds = ratio * present / ((1.0 - present) * (1.0 - claimed))
        to_entity = 1.0 / (1.0 + _others(odds * to_record, by_record))
        claims = odds * to_entity
        to_record = _left(claims, by_entity, competing=competing)
        joint = claims * to_record
        chance = joint / (1.0 + joint)
        if given is not None:
            continue
        seen = chance.sum() + PRIOR_RECORDS * PRIOR_PRESENT
        present = float(np.clip(seen / (sizes[0] + PRIOR_RECORDS), LOWEST, HIGHEST))
        taken = np.minimum(np.add.reduceat(chance[by_entity.order], by_entity.starts), 1.0)
        claimed = float(np.clip(taken.sum() / sizes[1], 0.0, MOST_CLAIMED))
    return Posterior(chance, present, claimed)


def _left(claims: Floats, by_entity: _Side, *, competing: Competing | None) -> Floats:
    """How far each edge's entity is left to it by the other records that claim it."""
    if competing is None:
        return 1.0 / (1.0 + _others(claims, by_entity))
    taken = claims[competing.other] / (1.0 + claims[competing.other])
    apart = np.log1p(-np.minimum(taken * (1.0 - competing.same), SURE))
    left: Floats = np.exp(np.bincount(competing.edge, weights=apart, minlength=len(claims)))
    return left


def best(edges: Edges, probability: Floats) -> Ints:
    """Position of every record's likeliest edge; of equals the one of more weight, then the lower entity."""
    order = np.lexsort((edges.entity, -edges.weight, -probability, edges.record))
    ordered = edges.record[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order[first].astype(np.int64)


def threshold(probability: Floats, policy: Policy) -> float:
    """The probability from which best candidates are accepted.

    From `policy.sure` always; below it, down to `policy.accept`, while the expected share of false
    links among all that are accepted stays within `policy.error`.
    """
    falling = np.sort(probability[probability >= policy.accept])[::-1]
    if len(falling) == 0:
        return policy.sure
    expected = np.cumsum(1.0 - falling) / np.arange(1, len(falling) + 1)
    within = falling[expected <= policy.error]
    return float(min(within[-1], policy.sure)) if len(within) else policy.sure


def duplicates(weight: Floats, records: int) -> Floats:
    """Probability that pairs of records of one delivery are duplicates, from their weights in log2.

    The rate of duplicates is estimated from the pairs themselves.
    """
    others = 0.01
    chance: Floats = np.zeros(len(weight))
    for _ in range(ROUNDS):
        odds = np.exp2(np.minimum(weight, HUGE)) * others / max(records, 1)
        chance = odds / (1.0 + odds)
        others = rate(chance, records)
    return chance


def rate(chance: Floats, records: int) -> float:
    """How many duplicates an average record has, from the probability of every pair."""
    return float(np.clip(2.0 * chance.sum() / max(records, 1), 1e-4, 100.0))


def _side(ends: Ints) -> _Side:
    order = np.argsort(ends, kind="stable").astype(np.int64)
    first = np.ones(len(ends), dtype=bool)
    first[1:] = ends[order][1:] != ends[order][:-1]
    return _Side(order, np.flatnonzero(first).astype(np.int64), (np.cumsum(first) - 1).astype(np.int64))


def _others(values: Floats, side: _Side) -> Floats:
    """For every edge the sum over the other edges of its group, exact also beside a huge value."""
    v = values[side.order]
    top = np.maximum.reduceat(v, side.starts)
    tops = np.flatnonzero(v == top[side.group])
    _, first = np.unique(side.group[tops], return_index=True)  # of equal tops one is taken out
    is_top = np.zeros(len(v), dtype=bool)
    is_top[tops[first]] = True
    rest = np.add.reduceat(np.where(is_top, 0.0, v), side.starts)[side.group]
    result = np.empty_like(v)
    # the top is left out of its own sum by never being in it; taking the smaller ones out is exact enough
    result[side.order] = np.where(is_top, rest, rest + top[side.group] - v)
    return result
