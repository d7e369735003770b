"""The partition of records into entities, from what every pair of them weighs.

Constrained agglomeration: among records that a chain of sure pairs connects, the two groups whose records
agree most on average are joined until no two are likelier one than not (average linkage; Sokal and
Michener, 1958). People's decisions bind it: what must be
one entity is joined first, what cannot be one never is. Everything is decided within a component of
pairs that agree, and equal weights are taken in the order of the records' own numbers: the partition
depends on the records as they stand, the model and the decisions, never on the order in which they came.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from integrated_data.index.matching.decide import Floats, Ints

Bools = npt.NDArray[np.bool_]

#: One pair speaks for a group no louder than this (log2 of the odds), and against it no louder than that.
LOUDEST, SHARPEST = 20.0, -60.0

#: Records of one component that are weighed against each other; a larger one is cut at its weakest pairs.
LARGEST = 1_000

#: A pair of one component that was never weighed.
UNSEEN = -10.0

#: Groups are joined while they are on average likelier one entity than two.
EVEN = 0.0

NEVER = -math.inf
STEP = 2.0  # log2, by which a component that is too large is cut again


@dataclass(frozen=True)
class Weighed:
    """Pairs of records (positions), each once, and log2 of the odds that the two are one entity."""

    left: Ints
    right: Ints
    weight: Floats

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.weight)

    def of(self, chosen: Bools | Ints) -> "Weighed":
        """Those pairs alone."""
        return Weighed(self.left[chosen], self.right[chosen], self.weight[chosen])

    def and_also(self, others: "Weighed") -> "Weighed":
        """These and those."""
        return Weighed(
            np.concatenate([self.left, others.left]),
            np.concatenate([self.right, others.right]),
            np.concatenate([self.weight, others.weight]),
        )


NO_PAIRS = Weighed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Bonds:
    """What binds a partition: the `source` of every record (numbered), whether each source holds every
    entity once at most (`single`), and pairs that people have decided (weights unused)."""

    source: Ints
    single: Bools
    must: Weighed = NO_PAIRS
    cannot: Weighed = NO_PAIRS


@dataclass(frozen=True)
class Sure:
    """From which weight a pair of one source (`within`), and of two (`across`), is sure."""

    within: float
    across: float

    def of(self, pairs: Weighed, bonds: Bonds) -> Bools:
        """Which pairs are sure."""
        one = bonds.source[pairs.left] == bonds.source[pairs.right]
        return np.asarray(pairs.weight >= np.where(one, self.within, self.across), dtype=bool)

    def more(self, step: float) -> "Sure":
        """The same with more asked."""
        return Sure(self.within + step, self.across + step)


def log_odds(probability: float) -> float:
    """log2 of the odds of a probability."""
    return math.log2(probability / (1.0 - probability))


def components(pairs: Weighed, records: int) -> Ints:
    """Component of every record: those that a chain of pairs connects share one."""
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs.left, pairs.right)), shape=(records, records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def pieces(pairs: Weighed, bonds: Bonds, *, sure: Sure) -> Ints:
    """Component of every record over sure pairs; cut at its weaker ones where it is too large."""
    records = len(bonds.source)
    strong = pairs.of(sure.of(pairs, bonds))
    piece = components(strong.and_also(bonds.must), records)
    while True:
        large = np.bincount(piece, minlength=1) > LARGEST
        if not large.any():
            return piece
        inside = large[piece[strong.left]]
        if not inside.any():
            return piece
        sure = sure.more(STEP)
        strong = strong.of(~inside | sure.of(strong, bonds))
        piece = components(strong.and_also(bonds.must), records)


def unweighed(pairs: Weighed, piece: Ints) -> tuple[Ints, Ints]:
    """Pairs of records (left before right) of one piece that `pairs` does not hold."""
    order = np.argsort(piece, kind="stable")
    sizes = np.bincount(piece)
    starts = np.cumsum(sizes) - sizes
    lefts, rights = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[(sizes > 2) & (sizes <= LARGEST)]).tolist():
        members = order[starts[sizes == size][:, None] + np.arange(size)]  # one row per piece of this size
        a, b = np.triu_indices(size, 1)
        lefts.append(members[:, a].ravel())
        rights.append(members[:, b].ravel())
    left, right = np.concatenate(lefts), np.concatenate(rights)
    low, high = np.minimum(left, right), np.maximum(left, right)
    new = ~np.isin(_number(low, high, total=len(piece)), _number(*_ordered(pairs), total=len(piece)))
    return low[new].astype(np.int64), high[new].astype(np.int64)


def rivalled(pairs: Weighed, bonds: Bonds) -> Weighed:
    """The pairs of two sources less what speaks for another record of the same source instead.

    Of several records of one source that are not one another, a record of another source is one at
    most: the odds of each are against all of them together.
    """
    known = np.sort(_number(*_ordered(pairs), total=len(bonds.source))[pairs.weight >= 0.0])
    against = np.zeros(len(pairs))
    sources = len(bonds.single)
    for here, there in ((pairs.left, pairs.right), (pairs.right, pairs.left)):
        across = np.flatnonzero((bonds.source[here] != bonds.source[there]) & (pairs.weight > NEVER))
        seat = here[across] * sources + bonds.source[there[across]]
        first, second = _both_of_each(seat)
        first, second = across[first], across[second]
        apart = ~_among(_number(*_sorted_pair(there[first], there[second]), total=len(bonds.source)), known)
        odds = np.exp2(np.minimum(pairs.weight[second[apart]], 900.0))
        np.maximum(against, np.bincount(first[apart], weights=odds, minlength=len(pairs)), out=against)
    return Weighed(pairs.left, pairs.right, pairs.weight - np.log2(1.0 + against))


def grouped(pairs: Weighed, piece: Ints, *, bonds: Bonds, sure: Sure) -> Ints:
    """Group of every record (0, 1, …, dense). `pairs`: all that were weighed; `piece` from `pieces`."""
    judged = _bound(rivalled(pairs, bonds), bonds)
    inner = judged.of(piece[judged.left] == piece[judged.right])
    strong = inner.of(sure.of(inner, bonds))
    part = components(strong.and_also(bonds.must), len(piece))
    sizes = np.bincount(part)
    agreed = np.bincount(part[strong.left], minlength=len(sizes))
    doubtful = agreed < sizes * (sizes - 1) // 2
    group = part.copy()
    chosen = inner.of((part[inner.left] == part[inner.right]) & doubtful[part[inner.left]])
    where = part[chosen.left]
    by_part = chosen.of(np.argsort(where, kind="stable"))
    members = np.argsort(part, kind="stable")
    starts, ends = np.cumsum(sizes) - sizes, np.cumsum(sizes)
    counts = np.bincount(where, minlength=len(sizes))
    stops = np.cumsum(counts)
    musts = _by_part(bonds.must, part)
    fresh = len(sizes)
    for p in np.flatnonzero(doubtful).tolist():
        nodes = members[starts[p] : ends[p]]
        own = by_part.of(np.arange(stops[p] - counts[p], stops[p]))
        found = _agglomerated(nodes, own, must=musts.get(p, NO_PAIRS))
        group[nodes] = np.where(found == 0, p, fresh + found - 1)
        fresh += int(found.max())
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _bound(pairs: Weighed, bonds: Bonds) -> Weighed:
    """Pairs that may never be one weigh so: two records of a source that holds each entity once, and decisions."""
    total = len(bonds.source)
    twice = (bonds.source[pairs.left] == bonds.source[pairs.right]) & bonds.single[bonds.source[pairs.left]]
    barred = np.isin(_number(*_ordered(pairs), total=total), _number(*_ordered(bonds.cannot), total=total))
    kept = Weighed(pairs.left, pairs.right, np.where(twice | barred, NEVER, pairs.weight))
    unseen = ~np.isin(_number(*_ordered(bonds.cannot), total=total), _number(*_ordered(pairs), total=total))
    more = bonds.cannot.of(unseen)
    return kept.and_also(Weighed(more.left, more.right, np.full(len(more), NEVER)))


def _by_part(must: Weighed, part: Ints) -> dict[int, Weighed]:
    where = part[must.left]
    return {int(p): must.of(where == p) for p in np.unique(where)}


def _agglomerated(nodes: Ints, pairs: Weighed, *, must: Weighed) -> Ints:
    """Groups (0, 1, …) of the records `nodes`, in ascending order, by average linkage."""
    size = len(nodes)
    sums = np.full((size, size), UNSEEN)
    left, right = np.searchsorted(nodes, pairs.left), np.searchsorted(nodes, pairs.right)
    sums[left, right] = sums[right, left] = np.where(
        pairs.weight == NEVER, NEVER, np.clip(pairs.weight, SHARPEST, LOUDEST)
    )
    counts, parent = np.ones(size), np.arange(size)
    np.fill_diagonal(sums, NEVER)
    for a, b in zip(np.searchsorted(nodes, must.left), np.searchsorted(nodes, must.right), strict=True):
        keep, gone = sorted((int(parent[a]), int(parent[b])))
        if keep != gone:
            _join(sums, counts, parent=parent, pair=(keep, gone))
    mean = sums / np.outer(counts, counts)
    best = mean.argmax(axis=1)
    top = mean[np.arange(size), best]
    while True:
        a = int(top.argmax())
        if top[a] < EVEN:
            return np.unique(parent, return_inverse=True)[1].astype(np.int64)
        keep, gone = sorted((a, int(best[a])))
        _join(sums, counts, parent=parent, pair=(keep, gone))
        mean[keep] = mean[:, keep] = sums[keep] / (counts[keep] * counts)
        mean[gone] = mean[:, gone] = NEVER
        stale = np.flatnonzero((best == keep) | (best == gone))
        stale = np.unique(np.append(stale, [keep, gone]))
        best[stale] = mean[stale].argmax(axis=1)
        top[stale] = mean[stale, best[stale]]


def _join(sums: Floats, counts: Floats, *, parent: Ints, pair: tuple[int, int]) -> None:
    keep, gone = pair
    sums[keep] += sums[gone]
    sums[:, keep] = sums[keep]
    sums[keep, keep] = NEVER
    sums[gone] = sums[:, gone] = NEVER
    counts[keep] += counts[gone]
    parent[parent == gone] = keep


def _ordered(pairs: Weighed) -> tuple[Ints, Ints]:
    return _sorted_pair(pairs.left, pairs.right)


def _sorted_pair(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    return np.minimum(a, b), np.maximum(a, b)


def _number(low: Ints, high: Ints, *, total: int) -> Ints:
    return low * np.int64(total) + high


def _among(values: Ints, ordered: Ints) -> Bools:
    """Which values are in `ordered`, which is sorted."""
    if len(ordered) == 0:
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values, dtype=bool)


def _both_of_each(seat: Ints) -> tuple[Ints, Ints]:
    """All ordered pairs of positions that hold the same value."""
    order = np.argsort(seat, kind="stable")
    ordered = seat[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(order)])
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes > 1]).tolist():
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        a, b = np.nonzero(~np.eye(size, dtype=bool))
        firsts.append(members[:, a].ravel())
        seconds.append(members[:, b].ravel())
    return np.concatenate(firsts).astype(np.int64), np.concatenate(seconds).astype(np.int64)
