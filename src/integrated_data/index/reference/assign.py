"""From weights to probabilities where records of one delivery may share an entity, or may not.

Each record is one entity of the index or none, and its candidates compete with each other and with
"not in the index". Whether records compete for an entity as well depends on the delivery. A register
lists a unit once: who is given an entity that somebody else has, is mistaken. Pay records name one
employer a thousand times. So the `sharing` of a delivery is estimated from itself, together with the
share of records that are in the index:

    sharing = how often a record's entity is held by another record
              divided by how often it would be, if records were drawn from the index independently

0 is one to one, 1 (and more, taken as 1) is no competition. The probabilities of such an assignment
follow by belief propagation on the candidates (the Bethe approximation for matchings: Bayati and Nair,
2006; Zdeborová and Mézard, 2006), an entity that another record holds being left to this one as far as
entities are shared.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = 30
#: What is known before a delivery is seen, as records: their share in the index, and the sharing of entities.
PRIOR_RECORDS, PRIOR_PRESENT = 20.0, 0.8
PRIOR_HELD = 1.0
#: Where estimating begins: sharing has to show by evidence that outweighs it, or a register would teach that
#: neighbours are one.
FIRST_SHARING = 0.05
LEAST_SHARING = 1e-4
LOWEST, HIGHEST = 0.001, 0.999
MOST_CLAIMED = 0.98
HUGE = 900.0  # log2; beyond it a double overflows


@dataclass(frozen=True)
class Assigned:
    """`probability` of every edge, the share of records `present` in the index, and the `sharing` of entities."""

    probability: Floats
    present: float
    sharing: float


@dataclass(frozen=True)
class Taste:
    """What is known of a delivery: the `sharing` of entities, and the share of the index that is `claimed`."""

    sharing: float
    claimed: float = 0.0

    @property
    def for_free(self) -> float:
        """How much likelier than at random an entity is that nobody else holds: the fewer there are, the more.

        Without sharing it is the uniform prior over matchings (Fortini, Liseo, Nuccitelli and Scanu, 2001).
        """
        return (1.0 - self.sharing * self.claimed) / (1.0 - self.claimed)


@dataclass(frozen=True)
class Side:
    """Edges grouped by one of their ends: `order` sorts them by it, groups start at `starts`; `group` in that order."""

    order: Ints
    starts: Ints
    group: Ints

    @staticmethod
    def of(ends: Ints) -> "Side":
        """Group edges by these ends."""
        order = np.argsort(ends, kind="stable").astype(np.int64)
        first = np.ones(len(ends), dtype=bool)
        first[1:] = ends[order][1:] != ends[order][:-1]
        return Side(order, np.flatnonzero(first).astype(np.int64), (np.cumsum(first) - 1).astype(np.int64))

    def others(self, values: Floats) -> Floats:
        """For every edge the sum over the other edges of its group, exact also beside a huge value."""
        if not len(values):
            return values
        v = values[self.order]
        top = np.maximum.reduceat(v, self.starts)
        tops = np.flatnonzero(v == top[self.group])
        _, first = np.unique(self.group[tops], return_index=True)  # of equal tops one is taken out
        is_top = np.zeros(len(v), dtype=bool)
        is_top[tops[first]] = True
        rest = np.add.reduceat(np.where(is_top, 0.0, v), self.starts)[self.group]
        result = np.empty_like(v)
        # the top is left out of its own sum by never being in it; taking the smaller ones out is exact enough
        result[self.order] = np.where(is_top, rest, np.maximum(rest + top[self.group] - v, 0.0))
        return result

    def sums(self, values: Floats) -> Floats:
        """The sum over each group."""
        total: Floats = np.add.reduceat(values[self.order], self.starts)
        return total


def assign(records: Ints, entities: Ints, *, weight: Floats, sizes: tuple[int, int], one_to_one: bool) -> Assigned:
    """Probability of each edge, from a record to an entity, that it is that entity; `weight` in log2.

    `sizes`: records that hold anything to match on, and entities in the index.
    """
    if not len(weight):
        return Assigned(np.zeros(0), LOWEST, 0.0)
    by_record, by_entity = Side.of(records), Side.of(entities)
    ratio = np.exp2(np.minimum(weight, HUGE)) / sizes[1]
    present, claimed, sharing = PRIOR_PRESENT, 0.0, 0.0 if one_to_one else FIRST_SHARING
    left: Floats = np.ones(len(weight))
    chance: Floats = np.zeros(len(weight))
    for _ in range(ROUNDS):
        odds, taste = ratio * present / (1.0 - present), Taste(sharing, claimed)
        chance, free, left = share_out(odds, left, by_record=by_record, by_entity=by_entity, taste=taste)
        taken = np.minimum(by_entity.sums(chance), 1.0)
        seen = chance.sum() + PRIOR_RECORDS * PRIOR_PRESENT
        present = float(np.clip(seen / (sizes[0] + PRIOR_RECORDS), LOWEST, HIGHEST))
        claimed = float(np.clip(taken.sum() / sizes[1], 0.0, MOST_CLAIMED))
        if not one_to_one:
            sharing = shared(chance, free, held=float(taken.sum() / sizes[1]))
    return Assigned(chance, present, sharing)


def share_out(
    odds: Floats, left: Floats, *, by_record: Side, by_entity: Side, taste: Taste
) -> tuple[Floats, Floats, Floats]:
    """One round of messages: the chance of every edge, that no other record holds its entity, and what is `left`.

    `odds`: of each edge against "not in the index"; `left`: of the round before, ones to begin with.
    """
    odds = odds * taste.for_free
    claims = odds / (1.0 + by_record.others(odds * left))
    free = 1.0 / (1.0 + by_entity.others(claims))
    left = free + (1.0 - free) * taste.sharing / taste.for_free
    joint = claims * left
    return joint / (1.0 + joint), free, left


def shared(chance: Floats, free: Floats, *, held: float) -> float:
    """The sharing that probabilities tell of: `free` is the chance that no other record holds an edge's entity.

    `held`: the share of the index that some record holds.
    """
    met = float((chance * (1.0 - free)).sum())
    expected = float(chance.sum()) * held
    return float(np.clip((met + PRIOR_HELD) / (expected + PRIOR_HELD), LEAST_SHARING, 1.0))
