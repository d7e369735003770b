"""How much each degree of likeness says, learned from the records themselves without any truth.

Fellegi and Sunter's weights (1969), log2 of the share of matching over the share of random pairs
on each level, estimated by expectation–maximisation in which the candidates of one record compete:
a record is at most one entity of the index. The shares of random pairs come from pairs of different
entities of the index, drawn at random (they are no matches, whatever is delivered), and from
candidates that lose. A weight never rises as likeness falls, against strangers and against each kind
of rival: then no candidate can lose to one that is no more alike in anything. What is assumed
beforehand counts as a number of imaginary pairs, so that few records change it little.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from integrated_data.index.reference.assign import (
    FIRST_SHARING,
    MOST_CLAIMED,
    Floats,
    Ints,
    Side,
    Taste,
    share_out,
    shared,
)

#: Level of a pair of which nothing can be said, because a side lacks the text.
MISSING = -1
ROUNDS = 30
#: Rounds after which an entity that nobody else claims counts as likelier: before, the claims are not yet those.
SETTLED = 15
#: Levels of one aspect, and "nothing to say", are fewer than this.
BASE = 32
#: Imaginary matching pairs that the assumed shares stand for.
STRENGTH = 25.0
#: Levels seen among fewer random pairs than this are estimated from candidates alone.
SEEN = 20


@dataclass(frozen=True)
class Aspect:
    """One way of comparing: assumed shares of matching (`m`) and random (`u`) pairs, closest level first.

    `hard`: levels whose weight is kept as assumed, because no delivery may soften them (another
    house number is another house). `apart`: a level that no rival reaches, because it rules a pair
    out by itself, whatever else is alike.
    """

    name: str
    m: tuple[float, ...]
    u: tuple[float, ...]
    hard: tuple[int, ...] = ()
    apart: int | None = None


@dataclass(frozen=True)
class Rivals:
    """Entities that resemble one another without being one: neighbours, branches of one chain.

    `pairs`: how many pairs of them drawn from the index reach each level, by aspect; `expected`:
    how many an entity has on average.
    """

    pairs: Mapping[str, tuple[int, ...]]
    expected: float


@dataclass(frozen=True)
class Weights:
    """log2 weights by aspect, closest level first, against a stranger; `rivals`: the same of rivals.

    `present`: share of records found in the index.
    """

    by_aspect: Mapping[str, tuple[float, ...]]
    rivals: tuple[tuple[float, Mapping[str, tuple[float, ...]]], ...] = ()
    present: float = 0.5

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> "Weights":
        """From JSON text."""
        body = json.loads(text)
        rivals = tuple((odds, _tuples(by_aspect)) for odds, by_aspect in body["rivals"])
        return Weights(_tuples(body["by_aspect"]), rivals, body["present"])


def keep(place: Path, weights: Weights) -> None:
    """Write weights to a file, whole or not at all."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    part.write_text(weights.to_json(), encoding="utf-8")
    part.replace(place)


@dataclass(frozen=True)
class Edges:
    """Candidate pairs: a record, an entity, and the level each aspect reaches (-1: nothing to say)."""

    records: Ints
    entities: Ints
    levels: Mapping[str, Ints]


@dataclass(frozen=True)
class Others:
    """What pairs that are no match look like: strangers drawn at random (pairs on each level), kinds of rivals."""

    strangers: Mapping[str, tuple[int, ...]]
    rivals: tuple[Rivals, ...] = ()


def assumed(aspects: Sequence[Aspect]) -> Weights:
    """The weights before any data."""
    return Weights({a.name: tuple(np.log2(_share(a.m) / _share(a.u)).tolist()) for a in aspects})


@dataclass(frozen=True)
class Patterns:
    """The distinct combinations of levels among pairs, and which of them each pair has: there are few."""

    levels: Mapping[str, Ints]
    of: Ints

    def __len__(self) -> int:
        """How many there are."""
        return len(next(iter(self.levels.values())))


def patterns(levels: Mapping[str, Ints]) -> Patterns:
    """Group pairs by the levels they reach."""
    code = np.zeros(len(next(iter(levels.values()))), dtype=np.int64)
    for level in levels.values():
        code = code * BASE + level + 1
    _, first, of = np.unique(code, return_index=True, return_inverse=True)
    return Patterns({name: level[first] for name, level in levels.items()}, of.astype(np.int64))


def score(weights: Weights, found: Patterns) -> Floats:
    """log2 of how much likelier each pair is the same entity than a stranger or a rival.

    An aspect that is missing adds nothing.
    """
    return _scores(weights, found.levels, rows=len(found))[found.of]


def _scores(weights: Weights, levels: Mapping[str, Ints], *, rows: int) -> Floats:
    return _sum(weights.by_aspect, levels, rows=rows) - np.log2(1.0 + _against(weights, levels, rows=rows))


def _against(weights: Weights, levels: Mapping[str, Ints], *, rows: int) -> Floats:
    """How much likelier a rival than a stranger."""
    against = np.zeros(rows)
    for odds, by_aspect in weights.rivals:
        against += odds * np.exp2(np.minimum(_sum(by_aspect, levels, rows=rows), 60.0))
    return against


def _sum(by_aspect: Mapping[str, tuple[float, ...]], levels: Mapping[str, Ints], *, rows: int) -> Floats:
    total = np.zeros(rows)
    for name, by_level in by_aspect.items():
        total += np.append(np.array(by_level), 0.0)[levels[name]]
    return total


def learn(
    edges: Edges, aspects: Sequence[Aspect], *, others: Others, sizes: tuple[int, int], one_to_one: bool
) -> Weights:
    """Weights from candidate pairs and from pairs that are no match; `sizes`: records, entities in the index."""
    found = patterns(edges.levels)
    records = np.unique(edges.records, return_inverse=True)[1]
    entities = np.unique(edges.entities, return_inverse=True)[1]
    weights, everyone = assumed(aspects), float(sizes[0]) * float(sizes[1])
    by_record, by_entity = Side.of(records), Side.of(entities)
    sharing, held, left = 0.0 if one_to_one else FIRST_SHARING, 0.0, np.ones(len(records))
    for turn in range(ROUNDS if len(records) else 0):
        present = weights.present
        odds = np.exp2(np.minimum(score(weights, found), 60.0)) * present / (1 - present) / sizes[1]
        chance, free, left = share_out(
            odds, left, by_record=by_record, by_entity=by_entity, taste=Taste(sharing, held if turn >= SETTLED else 0.0)
        )
        held = min(float(np.minimum(by_entity.sums(chance), 1.0).sum() / sizes[1]), MOST_CLAIMED)
        sharing = 0.0 if one_to_one else shared(chance, free, held=held)
        mass: Floats = np.bincount(found.of, chance).astype(np.float64)
        pairs: Floats = np.bincount(found.of).astype(np.float64)
        # a rival that loses says nothing of strangers, or it would count against a match twice
        strangers = (pairs - mass) / (1.0 + _against(weights, found.levels, rows=len(found)))
        shares = {}
        for aspect in aspects:
            level, drawn = found.levels[aspect.name], others.strangers[aspect.name]
            shares[aspect.name] = Shares(
                _matching(aspect, level, mass=mass), _random(level, strangers, drawn=drawn, everyone=everyone)
            )
        weights = _weighed(aspects, shares, rivals=others.rivals, size=sizes[1])
        weights = replace(weights, present=float(np.clip(chance.sum() / sizes[0], 0.001, 0.995)))
    return weights


def unlearned(aspects: Sequence[Aspect], *, others: Others, size: int) -> Weights:
    """The weights before any record is seen: matching pairs as assumed, the others as the index shows them."""
    nothing, everyone = np.zeros(0, dtype=np.int64), float(max(size, 1)) ** 2
    shares = {
        a.name: Shares(
            STRENGTH * _share(a.m), _random(nothing, np.zeros(0), drawn=others.strangers[a.name], everyone=everyone)
        )
        for a in aspects
    }
    return _weighed(aspects, shares, rivals=others.rivals, size=size)


def _matching(aspect: Aspect, level: Ints, *, mass: Floats) -> Floats:
    told = level != MISSING
    return np.bincount(level[told], mass[told], len(aspect.m)) + STRENGTH * _share(aspect.m)


def _random(level: Ints, losing: Floats, *, drawn: tuple[int, ...], everyone: float) -> Floats:
    told = level != MISSING
    lost = np.bincount(level[told], losing[told], len(drawn)) / everyone
    strangers = np.array(drawn, dtype=np.float64)
    seen = strangers / max(strangers.sum(), 1.0)
    return _share(np.where(strangers >= SEEN, np.maximum(seen, lost), np.maximum(lost, 0.2 / everyone)))


@dataclass(frozen=True)
class Shares:
    """Of one aspect: pairs on each level that match, and the share of random ones."""

    matching: Floats
    random: Floats


def _weighed(
    aspects: Sequence[Aspect], shares: Mapping[str, Shares], *, rivals: Sequence[Rivals], size: int
) -> Weights:
    by_aspect = {aspect.name: _weights(aspect, shares[aspect.name]) for aspect in aspects}
    known = tuple((kind.expected / size, _tuples(_rival(kind, shares, by_aspect=by_aspect))) for kind in rivals)
    return Weights(_tuples(by_aspect), known)


def _weights(aspect: Aspect, shares: Shares) -> Floats:
    weight = _falling(np.log2(_share(shares.matching) / shares.random), shares.matching)
    before = np.log2(_share(aspect.m) / _share(aspect.u))
    for level in aspect.hard:
        weight[level] = before[level]
    return weight


def _rival(kind: Rivals, shares: Mapping[str, Shares], *, by_aspect: Mapping[str, Floats]) -> dict[str, Floats]:
    """log2 weights of one kind of rival against a stranger.

    What a level says against a rival is known as surely as both are often met there: the variance of a
    log ratio is the sum of the reciprocal counts (Woolf, 1955). Levels are pooled by that.
    """
    weights = {}
    for name, share in shares.items():
        drawn = np.array(kind.pairs[name], dtype=np.float64)
        smooth = drawn + 5.0 * share.random
        against = by_aspect[name] - np.log2(smooth / smooth.sum() / share.random)
        sureness = 1.0 / (1.0 / share.matching + 1.0 / smooth)
        weights[name] = by_aspect[name] - _falling(against, sureness)
    return weights


def counted(levels: Ints, aspect: Aspect) -> tuple[int, ...]:
    """Pairs on each level; those of which nothing can be said are left out."""
    counts = np.bincount(levels[levels != MISSING], minlength=len(aspect.m))
    return tuple(int(n) for n in counts)


def _tuples(by_aspect: Mapping[str, Sequence[float] | Floats]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(float(value) for value in values) for name, values in by_aspect.items()}


def _share(values: Sequence[float] | Floats) -> Floats:
    shares = np.array(values, dtype=np.float64)
    total: Floats = shares / shares.sum()
    return total


def _falling(values: Floats, mass: Floats) -> Floats:
    """The nearest values that never rise from first to last (pool adjacent violators, Ayer et al., 1955)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), mass.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] < pool[0]:
            last = pools.pop()
            total = last[1] + pool[1]
            pool = ((last[0] * last[1] + pool[0] * pool[1]) / total, total, last[2] + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(count, value) for value, _, count in pools])
