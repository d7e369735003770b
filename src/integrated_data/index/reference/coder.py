"""Automatic coding: from a short description of work to ranked codes, with a probability for each.

Learned from the labelled phrases of a coding index alone, offline, without a language model.

1. A phrase becomes features of its words and of its letters (`phrases`), weighted by rarity, length one.
2. Ridge regression of code membership on either, and of membership in the codes above on the words
   (a linear least-squares classifier; Hastie, Tibshirani and Friedman, The Elements of Statistical
   Learning, 4.2), by conjugate gradients. Weights too small to change a ranking are dropped.
3. Nearest phrases of the index vote with the third power of their cosine; words and qualifiers are counted
   by code, shrunk towards the codes above.
4. The best codes compete with "none of these" in a conditional logit (McFadden 1974) over all that 2 and 3
   say (`signals`). Its coefficients come from phrases held out in turn of the training, so that its
   probabilities are those of phrases the coder has not seen.

Probabilities hold for descriptions like those of the index; other writers' need their own check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize as optimise
from scipy import sparse

from integrated_data.index.reference.phrases import Floats, Ints, featured, lettered, space, tally
from integrated_data.index.reference.signals import Learned, Signals, count, signals
from integrated_data.vocabulary.texts import words

#: Levels above a code that are looked at.
LEVELS = 3
_SEEN = (featured, lettered)
#: Regressions of a coder: one for each way of seeing a phrase, one for each level above.
PARTS = len(_SEEN) + LEVELS
_RIDGE, _STEPS = 0.5, 8
_SMALLEST = 0.01
_BLOCK = 64
_FOLDS = 3  # each held out once to calibrate
_SLICE = 400
_FEWEST = 1_000
#: Coefficients where an index is too small to learn them, by place: only near-copies are believed. Assumed.
_ASSUMED = {0: 4.0, 2: 1.0, 3: 1.0, 4: 2.0}
_ASSUMED_NONE = 3.0
_SHRINK = 0.05


@dataclass(frozen=True)
class Coder:
    """A trained coder: `codes` that it knows, the index's `entries`, and `coefficients` of signals (for, against)."""

    codes: tuple[str, ...]
    entries: tuple[str, ...]
    learned: Learned
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Ranking:
    """Per description (rows) the candidates, best first: places in `Coder.codes` and probabilities."""

    codes: Ints
    probability: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """What speaks for one code: words of the description with the share of their phrases that have the code,
    and the nearest entries of the index under it, with their cosine."""

    words: tuple[tuple[str, float], ...]
    entries: tuple[tuple[str, float], ...]


def train(
    phrases: Sequence[str], codes: Sequence[str], *, lines: Mapping[str, Sequence[str]] | None = None, seed: int = 1
) -> Coder:
    """A coder of labelled phrases (see `texts.phrase_sql`); the same phrases make the same coder.

    `lines`: of each code those above it, the nearest first.
    """
    known = tuple(sorted(set(codes)))
    labels = np.searchsorted(np.array(known), np.array(codes)).astype(np.int64)
    levels = _levels(known, lines or {})
    coefficients = _assumed(levels)
    if len(phrases) >= _FEWEST:
        coefficients = _calibrated(phrases, labels, levels=levels, codes=len(known), seed=seed)
    learned = _learned(phrases, labels, levels=levels, codes=len(known))
    return Coder(known, tuple(phrases), learned, coefficients)


def restored(
    entries: Sequence[tuple[str, str]], weights: Sequence[sparse.csr_matrix], *,
    lines: Mapping[str, Sequence[str]], coefficients: Sequence[float],
) -> Coder:  # fmt: skip
    """A coder as it was trained, of its entries (phrase, code), its regression weights and its coefficients."""
    known = tuple(sorted({code for _, code in entries}))
    labels = np.searchsorted(np.array(known), np.array([code for _, code in entries])).astype(np.int64)
    levels, phrases = _levels(known, lines), [phrase for phrase, _ in entries]
    learned = _learned(phrases, labels, levels=levels, codes=len(known), weights=weights)
    return Coder(known, tuple(phrases), learned, tuple(coefficients))


def rank(coder: Coder, phrases: Sequence[str]) -> Ranking:
    """Candidates of each phrase with probabilities that leave room for "none of these".

    A phrase that shares no word or part of a word with the index has probability 0 throughout.
    """
    width = signals(coder.learned, ["-"]).candidates.shape[1]
    found = [_ranked(coder, phrases[start : start + _SLICE]) for start in range(0, len(phrases), _SLICE)]
    if not found:
        return Ranking(np.zeros((0, width), dtype=np.int64), np.zeros((0, width)))
    return Ranking(np.concatenate([r.codes for r in found]), np.concatenate([r.probability for r in found]))


def reason(coder: Coder, phrase: str, *, code: int, entries: int = 3) -> Reason:
    """The evidence for one code of a phrase: words that are known under it, and its nearest entries."""
    held = coder.learned.tally
    said = dict.fromkeys(words(phrase).head)
    shares = [(word, float(held.any[held.words[word], code])) for word in said if word in held.words]
    mine = np.flatnonzero(coder.learned.labels == code)
    words_space = coder.learned.spaces[0]
    vector, _ = words_space.of([phrase])
    likeness = np.asarray((vector @ words_space.phrases[mine].T).toarray()).ravel()
    near = np.argsort(-likeness, kind="stable")[:entries]
    named = tuple((coder.entries[mine[i]], float(likeness[i])) for i in near if likeness[i] > 0)
    return Reason(tuple(sorted((s for s in shares if s[1] > 0), key=lambda s: -s[1])), named)


def _ranked(coder: Coder, phrases: Sequence[str]) -> Ranking:
    found = signals(coder.learned, phrases)
    chosen = _probability(np.array(coder.coefficients), found)[:, :-1]
    _, unknown = coder.learned.spaces[0].of(phrases)
    chosen[unknown >= 1] = 0.0
    order = np.argsort(-chosen, axis=1, kind="stable")
    return Ranking(np.take_along_axis(found.candidates, order, 1), np.take_along_axis(chosen, order, 1))


def _levels(codes: Sequence[str], lines: Mapping[str, Sequence[str]]) -> tuple[Ints, ...]:
    """Of each level upwards the group that each code is in; a line that ends earlier stays at its top."""
    found = []
    for level in range(LEVELS):
        above = [(*lines.get(code, ()),) or (code,) for code in codes]
        named = [line[min(level, len(line) - 1)] for line in above]
        found.append(np.unique(np.array(named), return_inverse=True)[1].astype(np.int64))
    return tuple(found)


def _assumed(levels: Sequence[Ints]) -> tuple[float, ...]:
    speaking, silent = count(len(levels), len(_SEEN))
    held = [_ASSUMED.get(place, 0.0) for place in range(speaking)]
    return (*held, _ASSUMED_NONE, *([0.0] * (silent - 1)))


def _learned(
    phrases: Sequence[str], labels: Ints, *, levels: Sequence[Ints], codes: int,
    weights: Sequence[sparse.csr_matrix] | None = None,
) -> Learned:  # fmt: skip
    spaces = tuple(space(phrases, seen) for seen in _SEEN)
    groups = [codes] * len(spaces) + [int(level.max()) + 1 for level in levels]
    held = [*spaces, *([spaces[0]] * len(levels))]
    if weights is None:
        answers = [*([labels] * len(spaces)), *(level[labels] for level in levels)]
        weights = [_ridge(s.phrases, a, groups=g) for s, a, g in zip(held, answers, groups, strict=True)]
    shapes = [(len(s.places), g) for s, g in zip(held, groups, strict=True)]
    weights = [_shaped(w, shape) for w, shape in zip(weights, shapes, strict=True)]
    prior = (np.bincount(labels, minlength=codes) + 1.0) / max(len(labels), 1)
    counted = tally(phrases, labels, levels=levels, codes=codes)
    split = len(spaces)
    return Learned(
        spaces, tuple(weights[:split]), tuple(weights[split:]), counted, labels, tuple(levels), prior.astype(np.float32)
    )


def _shaped(weights: sparse.spmatrix, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The same weights as a matrix of that shape: stored ones end with the last that is not zero."""
    found = weights.tocoo()
    return sparse.csr_matrix((found.data, (found.row, found.col)), shape)


def _ridge(phrases: sparse.csr_matrix, labels: Ints, *, groups: int) -> sparse.csr_matrix:
    """Features × groups weights of ridge regression; groups go in blocks that stay in the processor's cache."""
    turned = phrases.T.tocsr()
    blocks = [
        _ridge_of_block(phrases, turned, answers=labels[:, None] == np.arange(start, min(start + _BLOCK, groups)))
        for start in range(0, groups, _BLOCK)
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
    weights: Floats = turned @ solution
    weights[np.abs(weights) < _SMALLEST] = 0.0
    return sparse.csr_matrix(weights)


def _calibrated(
    phrases: Sequence[str], labels: Ints, *, levels: Sequence[Ints], codes: int, seed: int
) -> tuple[float, ...]:
    """Coefficients from every phrase, each seen by a coder that was trained without it."""
    fold = np.random.default_rng(seed).permutation(len(phrases)) % _FOLDS
    found: list[Signals] = []
    truth: list[Ints] = []
    for number in range(_FOLDS):
        rest, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        trial = _learned([phrases[i] for i in rest.tolist()], labels[rest], levels=levels, codes=codes)
        for start in range(0, len(held), _SLICE):
            part = held[start : start + _SLICE]
            found.append(signals(trial, [phrases[i] for i in part.tolist()]))
            truth.append(labels[part])
    joined = Signals(
        np.concatenate([f.candidates for f in found]),
        np.concatenate([f.speaking for f in found]),
        np.concatenate([f.silent for f in found]),
    )
    return _fitted(joined, np.concatenate(truth))


def _probability(coefficients: npt.NDArray[np.float64], found: Signals) -> npt.NDArray[np.float64]:
    """Rows × (candidates and, last, none of these)."""
    speaking = found.speaking.shape[2]
    utility = np.column_stack([found.speaking @ coefficients[:speaking], found.silent @ coefficients[speaking:]])
    powers = np.exp(utility - utility.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _fitted(found: Signals, labels: Ints) -> tuple[float, ...]:
    """Maximum-likelihood coefficients of the conditional logit, slightly shrunk; signals are standardised for it."""
    flat = found.speaking.reshape(-1, found.speaking.shape[2])
    centre, spread = flat.mean(0), flat.std(0) + 1e-9
    apart, wide = found.silent.mean(0), found.silent.std(0) + 1e-9
    apart[0], wide[0] = 0.0, 1.0
    scaled = Signals(found.candidates, (found.speaking - centre) / spread, (found.silent - apart) / wide)
    hit = found.candidates == labels[:, None]
    answer = np.column_stack([hit, ~hit.any(1)]).astype(np.float64)

    def loss(coefficients: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        chance = _probability(coefficients, scaled)
        value = -np.log(np.maximum((chance * answer).sum(1), 1e-12)).sum() + _SHRINK * (coefficients**2).sum()
        excess = chance - answer
        slope = np.append(np.einsum("ij,ijk->k", excess[:, :-1], scaled.speaking), excess[:, -1] @ scaled.silent)
        return float(value), slope + 2 * _SHRINK * coefficients

    start = np.zeros(len(centre) + len(apart))
    best = optimise.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    speaking, silent = best[: len(centre)] / spread, best[len(centre) :] / wide
    silent[0] += centre @ speaking - apart @ silent
    return tuple(float(c) for c in (*speaking, *silent))
