"""Automatic coding: from a short description of work to ranked codes, with a probability for each.

Learned from the labelled phrases of a coding index alone, offline, without a language model.

1. A phrase becomes features: stems of words, prefixes and endings of stems, pairs of words, words by
   their place, words together with the qualifier in brackets; weighted by rarity, length one.
2. Ridge regression of code membership on the features (a linear least-squares classifier; Hastie,
   Tibshirani and Friedman, The Elements of Statistical Learning, 4.2), by conjugate gradients.
   Weights too small to change a ranking are dropped.
3. Nearest phrases of the index vote with the third power of their cosine.
4. The best codes of both compete with "none of these" in a conditional logit (McFadden 1974) over what
   2 and 3 say of each. Its coefficients come from phrases held out of the training, so that its
   probabilities are those of phrases the coder has not seen.

Probabilities hold for descriptions like those of the index; other writers' need their own check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.optimize as optimise
from scipy import sparse

from integrated_data.vocabulary.texts import words

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Codes that compete for one description.
CANDIDATES = 10
#: Nearest phrases that vote, and the power of their cosine.
NEIGHBOURS, POWER = 40, 3
_RIDGE, _STEPS = 0.5, 8
_SMALLEST = 0.01
_BLOCK = 64
_HELD_OUT = 5  # one phrase in so many calibrates
_MOST_HELD_OUT = 4_000
_SLICE = 500
_SIGNALS = 7
#: Coefficients where an index is too small to learn them: only near-copies are believed. Assumed.
ASSUMED = (4.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 3.0)
_FEWEST = 200


@dataclass(frozen=True)
class Coder:
    """A trained coder. `weights`: features × codes; `phrases`: phrases × features; `labels`: code of each phrase.

    `rarity`: weight of each feature. `coefficients`: of the signals and, last, of "none of these".
    """

    features: dict[str, int]
    rarity: Floats
    codes: tuple[str, ...]
    weights: sparse.csr_matrix
    phrases: sparse.csr_matrix
    labels: Ints
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Ranking:
    """Per description (rows) the candidates, best first: places in `Coder.codes` and probabilities."""

    codes: Ints
    probability: npt.NDArray[np.float64]


def train(phrases: Sequence[str], codes: Sequence[str], *, seed: int = 1) -> Coder:
    """A coder of labelled phrases (see `texts.phrase_sql`); the same phrases make the same coder."""
    known = tuple(sorted(set(codes)))
    place = {code: number for number, code in enumerate(known)}
    labels = np.array([place[code] for code in codes], dtype=np.int64)
    features, counts = _counted(phrases)
    order = np.random.default_rng(seed).permutation(len(phrases))
    held = order[: min(len(order) // _HELD_OUT, _MOST_HELD_OUT)]
    coefficients: tuple[float, ...] = ASSUMED
    if len(held) >= _FEWEST:
        rest = np.setdiff1d(order, held)
        trial = _fitted(counts[rest], labels[rest], features=features, codes=known)
        coefficients = _calibrated(trial, counts[held], labels=labels[held])
    final = _fitted(counts, labels, features=features, codes=known)
    return replace(final, coefficients=coefficients)


def rank(coder: Coder, phrases: Sequence[str]) -> Ranking:
    """Candidates of each phrase with probabilities that leave room for "none of these".

    A phrase that shares no feature with the index has probability 0 throughout.
    """
    counts = _vectors(phrases, coder.features)
    candidates, signals = _signals(coder, counts)
    chosen = _probability(np.array(coder.coefficients), signals)[:, :-1]
    chosen[np.asarray(counts.sum(1)).ravel() == 0] = 0.0
    order = np.argsort(-chosen, axis=1, kind="stable")
    return Ranking(np.take_along_axis(candidates, order, 1), np.take_along_axis(chosen, order, 1))


def featured(phrase: str) -> list[tuple[str, float]]:
    """The features of a phrase with their weights, before rarity."""
    said = words(phrase)
    head, qualifier = said.head, "+".join(sorted(said.qualifier))
    found = [(f"={w}", 1.0) for w in head] + [(f"({w}", 0.7) for w in said.qualifier]
    found += [(f"(){qualifier}", 0.7)] if qualifier else []
    for w in head:
        found += [(f"{qualifier}|{w}", 0.8)]
        found += [(f"{w[:n]}*", weight) for n, weight in ((3, 0.3), (4, 0.5), (5, 0.7), (6, 0.6)) if len(w) > n]
        found += [(f"*{w[-n:]}", 0.6) for n in (4, 5) if len(w) > n + 1]
    found += [(f"{a} {b}", 0.8) for a, b in pairwise(head)]
    found += [(f"{min(a, b)}~{max(a, b)}", 0.5) for i, a in enumerate(head) for b in head[i + 2 :]]
    return [*found, (f"^{head[0]}", 0.6), (f"{head[-1]}$", 0.6)] if head else found


def _counted(phrases: Sequence[str]) -> tuple[dict[str, int], sparse.csr_matrix]:
    features: dict[str, int] = {}
    for phrase in phrases:
        for feature, _ in featured(phrase):
            features.setdefault(feature, len(features))
    return features, _vectors(phrases, features)


def _vectors(phrases: Sequence[str], features: dict[str, int]) -> sparse.csr_matrix:
    rows, columns, values = [], [], []
    for number, phrase in enumerate(phrases):
        for feature, weight in featured(phrase):
            place = features.get(feature)
            if place is not None:
                rows.append(number)
                columns.append(place)
                values.append(weight)
    return sparse.csr_matrix((values, (rows, columns)), (len(phrases), len(features)), dtype=np.float32)


def _scaled(counts: sparse.csr_matrix, rarity: Floats) -> sparse.csr_matrix:
    weighted = (counts @ sparse.diags(rarity)).tocsr()
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
    return (sparse.diags((1 / np.maximum(length, 1e-6)).astype(np.float32)) @ weighted).tocsr()


def _fitted(counts: sparse.csr_matrix, labels: Ints, *, features: dict[str, int], codes: tuple[str, ...]) -> Coder:
    """A coder without learned coefficients; features that no phrase has weigh nothing."""
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log((1 + counts.shape[0]) / (1 + held)).astype(np.float32) + np.float32(1e-3)
    phrases = _scaled(counts, np.where(held > 0, rarity, 0).astype(np.float32))
    weights = _ridge(phrases, labels, codes=len(codes))
    return Coder(features, np.where(held > 0, rarity, 0).astype(np.float32), codes, weights, phrases, labels, ASSUMED)


def _ridge(phrases: sparse.csr_matrix, labels: Ints, *, codes: int) -> sparse.csr_matrix:
    """Features × codes weights of ridge regression; codes go in blocks that stay in the processor's cache."""
    turned = phrases.T.tocsr()
    blocks = [
        _ridge_of_block(phrases, turned, answers=labels[:, None] == np.arange(start, min(start + _BLOCK, codes)))
        for start in range(0, codes, _BLOCK)
    ]
    return sparse.csr_matrix(sparse.hstack(blocks, format="csr"))


def _ridge_of_block(
    phrases: sparse.csr_matrix, turned: sparse.csr_matrix, *, answers: npt.NDArray[np.bool_]
) -> sparse.csr_matrix:
    """Conjugate gradients in the dual, all codes of a block at once."""
    residual = answers.astype(np.float32)
    solution, direction = np.zeros_like(residual), residual.copy()
    size = np.einsum("ij,ij->j", residual, residual)
    for _ in range(_STEPS):
        image = phrases @ (turned @ direction)
        image += np.float32(_RIDGE) * direction
        step = size / np.maximum(np.einsum("ij,ij->j", direction, image), 1e-9)
        solution += step * direction
        residual -= step * image
        before, size = size, np.einsum("ij,ij->j", residual, residual)
        direction *= size / np.maximum(before, 1e-12)
        direction += residual
    weights = turned @ solution
    weights[np.abs(weights) < _SMALLEST] = 0.0
    return sparse.csr_matrix(weights)


def _signals(coder: Coder, counts: sparse.csr_matrix) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Candidates of each row, and what speaks for each: rows × candidates × signals."""
    found = [_signals_of_slice(coder, counts[start : start + _SLICE]) for start in range(0, counts.shape[0], _SLICE)]
    if not found:
        width = min(CANDIDATES, len(coder.codes))
        return np.zeros((0, width), dtype=np.int64), np.zeros((0, width, _SIGNALS))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _signals_of_slice(coder: Coder, counts: sparse.csr_matrix) -> tuple[Ints, npt.NDArray[np.float64]]:
    vectors, rows = _scaled(counts, coder.rarity), np.arange(counts.shape[0])[:, None]
    linear = (vectors @ coder.weights).toarray()
    likeness = (vectors @ coder.phrases.T).toarray()
    near = np.argpartition(-likeness, min(NEIGHBOURS, likeness.shape[1]) - 1, axis=1)[:, :NEIGHBOURS]
    cosine, voted = np.take_along_axis(likeness, near, 1), coder.labels[near]
    votes, nearest = np.zeros_like(linear), np.zeros_like(linear)
    np.add.at(votes, (np.broadcast_to(rows, voted.shape), voted), cosine**POWER)
    np.maximum.at(nearest, (np.broadcast_to(rows, voted.shape), voted), cosine)
    share = votes / np.maximum(votes.sum(1, keepdims=True), 1e-9)
    width = min(CANDIDATES, len(coder.codes))
    chosen = np.argsort(-(linear + 0.1 * share), axis=1, kind="stable")[:, :width]

    def picked(values: Floats) -> npt.NDArray[np.float64]:
        return np.take_along_axis(values, chosen, 1).astype(np.float64)

    score, best = np.maximum(picked(linear), 0), picked(nearest)
    group = np.array([code[:2] for code in coder.codes])
    same = (group[chosen][:, :, None] == group[chosen][:, None, :]).astype(np.float64)
    support = np.einsum("ijk,ik->ij", same, score)
    signals = [score, np.log(score + 0.02), np.log(picked(share) + 0.02), best, best**4, picked(share), support]
    return chosen, np.stack(signals, axis=2)


def _probability(coefficients: npt.NDArray[np.float64], signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rows × (candidates and, last, none of these)."""
    utility = signals @ coefficients[:-1]
    utility = np.column_stack([utility, np.full(len(utility), coefficients[-1])])
    powers = np.exp(utility - utility.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _calibrated(coder: Coder, counts: sparse.csr_matrix, *, labels: Ints) -> tuple[float, ...]:
    """Maximum-likelihood coefficients of the conditional logit over phrases held out, slightly shrunk."""
    candidates, signals = _signals(coder, counts)
    hit = candidates == labels[:, None]
    answer = np.column_stack([hit, ~hit.any(1)]).astype(np.float64)

    def loss(coefficients: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        chance = _probability(coefficients, signals)
        value = -np.log(np.maximum((chance * answer).sum(1), 1e-12)).sum() + 0.05 * (coefficients**2).sum()
        excess = chance - answer
        slope = np.append(np.einsum("ij,ijk->k", excess[:, :-1], signals), excess[:, -1].sum())
        return float(value), slope + 0.1 * coefficients

    found = optimise.minimize(loss, np.array(ASSUMED), jac=True, method="L-BFGS-B")
    return tuple(float(c) for c in found.x)
