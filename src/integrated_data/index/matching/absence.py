"""How often a record that is not in the index seems to be: the local false discovery rate.

A model multiplies what names, birth and place say as if they were independent. They are not: names go
together within a tradition, first names with years of birth. So a stranger resembles a record more
often than the model believes, and the middle of its probabilities is too sure of itself. The index
itself shows how often: take the entity away that a record was surely found at, and see what the record
is taken for instead (a leave-one-out null distribution). Of all records that seem to be in the index
with some probability, as many are strangers as records that are absent seem to be so (Efron, "Local
false discovery rates", 2005). No known links are needed. Who is absent may resemble others more than
who is present does (a lodger where somebody lived before), so that what is seen makes the model less
sure of itself and never more.
"""

import numpy as np

from integrated_data.index.matching.decide import Edges, Floats, Ints, Posterior
from integrated_data.index.matching.model import Strangers

#: Records tried at most, and the fewest that say anything.
TRIALS, FEWEST = 20_000, 500

#: What the model says of a bin counts as so many strangers seen.
PRIOR = 2.0

#: Bins of the probability of being in the index: log2 odds from, to.
LOWEST, HIGHEST = -5, 25
TINY = 1e-12


def in_index(edges: Edges, probability: Floats) -> tuple[Floats, Floats]:
    """Probability that each record is in the index at all, by record number; and that of every edge's record."""
    records = int(edges.record.max()) + 1 if len(edges) else 0
    each = np.minimum(np.bincount(edges.record, weights=probability, minlength=records), 1.0)
    return each, each[edges.record]


def counted(chances: Floats) -> Strangers:
    """What trials showed. `chances`: of being in the index, for every record tried without its entity."""
    place = _bin(chances)
    return Strangers(len(chances), tuple(np.bincount(place[place >= 0], minlength=HIGHEST - LOWEST).tolist()))


def adjusted(edges: Edges, found: Posterior, *, records: int, strangers: Strangers | None) -> Posterior:
    """The posterior with as many strangers at each probability as were seen, where those are more than it believes.

    `records`: how many could match. A record's candidates keep their shares of its probability.
    """
    if len(edges) == 0 or strangers is None:
        return found
    each, own = in_index(edges, found.probability)
    seen = each[np.unique(edges.record)]
    shift = _shifts(seen, strangers, absent=max((1.0 - found.present) * records, TINY))
    if shift is None:
        return found
    places, by = shift
    # no record may overtake another, whatever the shifts on either side of it
    order = np.argsort(own, kind="stable")
    odds = _log_odds(own[order])
    moved = np.maximum.accumulate(odds + np.interp(odds, places, by))
    share = np.empty_like(own)
    share[order] = np.minimum(_chance(moved) / np.maximum(own[order], TINY), 1.0)
    return Posterior(found.probability * share, found.present, found.claimed)


def _shifts(seen: Floats, strangers: Strangers, *, absent: float) -> tuple[Floats, Floats] | None:
    """By how much log2 odds move, at the middles of the bins that hold anything."""
    bins, place = HIGHEST - LOWEST, _bin(seen)
    inside = place >= 0
    if not inside.any():
        return None
    held = np.bincount(place[inside], minlength=bins).astype(np.float64)
    believed = np.maximum(np.bincount(place[inside], weights=1.0 - seen[inside], minlength=bins), TINY)
    # strangers a record tried: the model's word (gamma, weight PRIOR) and what was counted (Poisson)
    rate = (PRIOR + np.array(strangers.counted)) / (PRIOR * absent / believed + strangers.tried)
    full = held > 0
    false = np.minimum(np.maximum(absent * rate, believed)[full] / held[full], 1.0 - TINY)
    false = np.clip(_falling(false, held[full]), TINY, 1.0 - TINY)
    odds = _log_odds(1.0 - believed[full] / held[full])
    return odds, np.minimum(_log_odds(1.0 - false) - odds, 0.0)


def _bin(chance: Floats) -> Ints:
    """The bin of each probability; -1: below all."""
    places: Ints = np.clip(np.floor(_log_odds(chance)) - LOWEST, -1, HIGHEST - LOWEST - 1).astype(np.int64)
    return places


def _falling(values: Floats, weights: Floats) -> Floats:
    """The nearest series that never rises (pool adjacent violators: Ayer et al., 1955)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] < pool[0]:
            before, heavy, length = pools.pop()
            both = heavy + pool[1]
            pool = ((before * heavy + pool[0] * pool[1]) / both, both, length + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(length, value) for value, _, length in pools])


def _log_odds(chance: Floats) -> Floats:
    inside = np.clip(chance, TINY, 1.0 - TINY)
    result: Floats = np.log2(inside / (1.0 - inside))
    return result


def _chance(odds: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp2(-odds))
    return result
