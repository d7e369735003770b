"""What speaks for each candidate code of a description, and what speaks for none of them.

Every signal is a number per description and candidate. Regression and votes are taken at the code and at the
three levels above it, so that a code gains from what is known of its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from integrated_data.index.reference.phrases import Floats, Ints, Space, Tally, grouped
from integrated_data.vocabulary.texts import words

#: Codes that compete for one description.
CANDIDATES = 20
#: Nearest phrases that vote, and the power of their cosine.
NEIGHBOURS, POWER = 40, 3
#: Log share of a qualifier that is not known.
_NO_QUALIFIER = float(np.log(0.02))

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """What was learned of labelled phrases. `labels`: code of each; `levels`: group of each code, upwards.

    `weights`: features × codes of each space.
    """

    spaces: tuple[Space, ...]
    weights: tuple[sparse.csr_matrix, ...]
    tally: Tally
    labels: Ints
    levels: tuple[Ints, ...]
    prior: Floats


@dataclass(frozen=True)
class Signals:
    """Per description: `candidates` (places of codes), `speaking` (× candidates × signals), `silent` (× signals)."""

    candidates: Ints
    speaking: Signal
    silent: Signal


def signals(learned: Learned, phrases: Sequence[str]) -> Signals:
    """The signals of phrases; the best codes of all ways together are the candidates."""
    views = [_viewed(learned, number, phrases=phrases) for number in range(len(learned.spaces))]
    said = _told(learned, phrases)
    total = sum(v.linear + 0.3 * v.share for v in views) + 0.3 * said.likely
    chosen = np.argsort(-total, axis=1, kind="stable")[:, : width(learned)].astype(np.int64)

    def picked(values: npt.NDArray[np.floating]) -> Signal:
        return np.take_along_axis(values, chosen, 1).astype(np.float64)

    def summed(values: npt.NDArray[np.floating], level: Ints) -> Signal:
        return np.take_along_axis(grouped(values, level), level[chosen], 1).astype(np.float64)

    speaking: list[Signal] = []
    for view in views:
        speaking += [picked(view.linear), np.log(picked(view.linear) + 0.02)]
        speaking += [picked(view.share), np.log(picked(view.share) + 0.02)]
        speaking += [picked(view.nearest), picked(view.nearest) ** 4]
        for level in learned.levels:
            speaking.append(np.log(summed(view.linear, level) + 0.02))
            speaking.append(np.log(summed(view.share, level) + 0.02))
            speaking.append(np.log(np.maximum(summed(view.either, level), 0) + 0.02))
    speaking += [picked(each) for each in said.speaking]
    speaking += [summed(each, learned.levels[-1]) for each in (said.first, said.last)]
    speaking += [np.log(summed(said.likely, level) + 1e-3) for level in learned.levels]
    speaking.append(np.log(np.asarray(learned.prior, dtype=np.float64)[chosen]))
    silent = [np.ones(len(chosen)), *said.silent, said.likely.max(1)]
    for view in views:
        best = np.sort(view.linear, axis=1)[:, -2:]
        silent += [view.nearest.max(1), view.nearest.max(1) ** 4, view.unknown, best[:, -1], best[:, 0]]
    return Signals(chosen, np.stack(speaking, axis=2), np.stack(silent, axis=1).astype(np.float64))


def width(learned: Learned) -> int:
    """How many candidates a description has."""
    return min(CANDIDATES, len(learned.prior))


def count(levels: int, spaces: int) -> tuple[int, int]:
    """How many signals there are for a candidate, and for none of them."""
    return spaces * (6 + 3 * levels) + (levels + 12) + levels + 1, 1 + 3 + 1 + 5 * spaces


@dataclass(frozen=True)
class _View:
    either: Floats
    linear: Floats
    share: Floats
    nearest: Floats
    unknown: Floats


def _viewed(learned: Learned, number: int, *, phrases: Sequence[str]) -> _View:
    """Regression and votes of the nearest phrases in one space."""
    space, codes = learned.spaces[number], len(learned.prior)
    vectors, unknown = space.of(phrases)
    likeness = (vectors @ space.turned).toarray()
    near = np.argpartition(-likeness, min(NEIGHBOURS, likeness.shape[1]) - 1, axis=1)[:, :NEIGHBOURS]
    cosine, voted = np.take_along_axis(likeness, near, 1), learned.labels[near]
    rows = np.broadcast_to(np.arange(len(likeness))[:, None], voted.shape)
    votes, nearest = np.zeros((2, len(likeness), codes), dtype=np.float32)
    np.add.at(votes, (rows, voted), cosine**POWER)
    np.maximum.at(nearest, (rows, voted), cosine)
    share = votes / np.maximum(votes.sum(1, keepdims=True), 1e-9)
    either = (vectors @ learned.weights[number]).toarray()
    return _View(either, np.maximum(either, 0), share, nearest, unknown)


@dataclass(frozen=True)
class _Told:
    likely: Floats
    first: Floats
    last: Floats
    speaking: tuple[Floats, ...]
    silent: tuple[Signal, ...]


def _told(learned: Learned, phrases: Sequence[str]) -> _Told:
    """What the counts of words say: likelihood, words covered, first and last word, any word, qualifier."""
    tally, codes, size = learned.tally, len(learned.prior), len(phrases)
    rare = float(tally.rarity.max()) if len(tally.rarity) else 1.0
    first, last, most, mean, logs = np.zeros((5, size, codes), dtype=np.float32)
    asked = np.full((size, codes), _NO_QUALIFIER, dtype=np.float32)
    rows, columns = [], []
    whole, missed, known = np.zeros(size), np.zeros(size), np.zeros(size)
    for number, phrase in enumerate(phrases):
        said = words(phrase)
        places = [tally.words.get(word) for word in said.head]
        held = [place for place in places if place is not None]
        missed[number] = rare * (len(places) - len(held))
        whole[number] = missed[number] + tally.rarity[held].sum()
        known[number] = len(held)
        rows += [number] * len(held)
        columns += held
        if held:
            shares = tally.any[held]
            weight = tally.rarity[held] + np.float32(1e-6)
            most[number], mean[number] = shares.max(0), weight / weight.sum() @ shares
            logs[number] = np.log(shares + 0.01).mean(0)
            if places[0] is not None:
                first[number] = tally.first[places[0]]
            if places[-1] is not None:
                last[number] = tally.last[places[-1]]
        qualifier = tally.qualifiers.get("+".join(sorted(said.qualifier)))
        if qualifier is not None:
            asked[number] = tally.asked[qualifier]
    counts = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (size, len(tally.words)))
    odds = np.asarray(counts @ tally.likely, dtype=np.float32)
    rated = counts @ sparse.diags(tally.rarity)
    cover = [np.asarray(rated @ h, dtype=np.float32) / np.maximum(whole, 1e-6)[:, None] for h in tally.held]
    likely = _shared(odds)
    speaking = (
        odds / 3, likely, np.log(likely + 1e-3), asked, first, last, most, mean, logs, *cover,
    )  # fmt: skip
    return _Told(
        likely, first, last, speaking, (missed / np.maximum(whole, 1e-6), known, (known == 0).astype(np.float64))
    )


def _shared(odds: Floats) -> Floats:
    powers = np.exp(0.7 * (odds - odds.max(1, keepdims=True)))
    return np.asarray(powers / powers.sum(1, keepdims=True), dtype=np.float32)
