"""Automatic coding: from a short description of work to ranked codes, with a probability for each.

Learned from the labelled phrases of a coding index alone, offline, without a language model.

1. A phrase becomes features of its words and of its letters (`phrases`), weighted by rarity, length one.
2. Ridge regression of code membership on either (a linear least-squares classifier; Hastie, Tibshirani and
   Friedman, The Elements of Statistical Learning, 4.2), by conjugate gradients. Weights too small to change a
   ranking are dropped. Membership in a code above is the sum over its codes, since least squares is linear.
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
from scipy import sparse

from integrated_data.index.reference.logit import fitted, probability
from integrated_data.index.reference.phrases import Counts, Floats, Ints, counts, featured, lettered, space, tally
from integrated_data.index.reference.signals import Learned, Signals, count, signals, width
from integrated_data.vocabulary.texts import words

#: Levels above a code that are looked at.
LEVELS = 3
_SEEN = (featured, lettered)
#: Regressions of a coder: one for each way of seeing a phrase.
PARTS = len(_SEEN)
_RIDGE, _STEPS = 0.5, 8
_SMALLEST = 0.01
_BLOCK = 64
#: Folds, and phrases held out that are enough to calibrate: a hundred for each coefficient nearly. Assumed.
_FOLDS, _ENOUGH = 3, 4_000
_SLICE = 400
_FEWEST = 1_000
#: Coefficients where an index is too small to learn them, by place: only near-copies are believed. Assumed.
_ASSUMED = {0: 4.0, 2: 1.0, 3: 1.0, 4: 2.0}
_ASSUMED_NONE = 3.0


@dataclass(frozen=True)
class Coder:
    """A trained coder: `codes` that it knows, the index's `entries`, `counts` of their features by way of seeing
    them, and `coefficients` of signals (for, against)."""

    codes: tuple[str, ...]
    entries: tuple[str, ...]
    counts: tuple[Counts, ...]
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
    told = _Told(tuple(phrases), labels, _levels(known, lines or {}), tuple(counts(phrases, seen) for seen in _SEEN))
    coefficients = _calibrated(told, seed=seed) if len(phrases) >= _FEWEST else _assumed(told.levels)
    return Coder(known, told.phrases, told.counts, _learned(told), coefficients)


def restored(
    entries: Sequence[tuple[str, str]], counted: Sequence[Counts], *, weights: Sequence[sparse.csr_matrix],
    lines: Mapping[str, Sequence[str]], coefficients: Sequence[float],
) -> Coder:  # fmt: skip
    """A coder as it was trained: entries (phrase, code), their features, regression weights, coefficients."""
    known = tuple(sorted({code for _, code in entries}))
    labels = np.searchsorted(np.array(known), np.array([code for _, code in entries])).astype(np.int64)
    told = _Told(tuple(phrase for phrase, _ in entries), labels, _levels(known, lines), tuple(counted))
    return Coder(known, told.phrases, told.counts, _learned(told, weights=weights), tuple(coefficients))


def rank(coder: Coder, phrases: Sequence[str]) -> Ranking:
    """Candidates of each phrase with probabilities that leave room for "none of these".

    A phrase that shares no word or part of a word with the index has probability 0 throughout.
    """
    found = [_ranked(coder, phrases[start : start + _SLICE]) for start in range(0, len(phrases), _SLICE)]
    if not found:
        nothing = np.zeros((0, width(coder.learned)))
        return Ranking(nothing.astype(np.int64), nothing)
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
    chosen = probability(np.array(coder.coefficients), found)[:, :-1]
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


@dataclass(frozen=True)
class _Told:
    """What is learned from: phrases, the code of each, groups of codes by level, features by way of seeing."""

    phrases: tuple[str, ...]
    labels: Ints
    levels: tuple[Ints, ...]
    counts: tuple[Counts, ...]


def _learned(told: _Told, *, rows: Ints | None = None, weights: Sequence[sparse.csr_matrix] | None = None) -> Learned:
    """What all phrases teach, or those of some rows. `weights` that are known are not found again."""
    codes = len(told.levels[0])
    labels = told.labels if rows is None else told.labels[rows]
    phrases = told.phrases if rows is None else [told.phrases[row] for row in rows.tolist()]
    spaces = tuple(space(counted, seen, rows=rows) for counted, seen in zip(told.counts, _SEEN, strict=True))
    if weights is None:
        weights = [_ridge(s.phrases, labels, groups=codes) for s in spaces]
    held = tuple(_shaped(w, (len(s.places), codes)) for w, s in zip(weights, spaces, strict=True))
    prior = (np.bincount(labels, minlength=codes) + 1.0) / max(len(labels), 1)
    counted = tally(phrases, labels, levels=told.levels, codes=codes)
    return Learned(spaces, held, counted, labels, told.levels, prior.astype(np.float32))


def _shaped(weights: sparse.spmatrix, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The same weights as a matrix of that shape: stored ones end with the last that is not zero."""
    found = weights.tocoo()
    return sparse.csr_matrix((found.data, (found.row, found.col)), shape)


def _ridge(phrases: sparse.csr_matrix, labels: Ints, *, groups: int) -> sparse.csr_matrix:
    """Features × groups weights of ridge regression; groups go in blocks that stay in the processor's cache.

    A feature that one phrase alone has joins no two phrases: it adds to that phrase's own product and no other.
    """
    shared = np.bincount(phrases.indices, minlength=phrases.shape[1]) > 1
    alone = np.asarray(phrases[:, ~shared].power(2).sum(1), dtype=np.float32).reshape(-1, 1)
    products = _Products(phrases[:, shared].tocsr(), phrases[:, shared].T.tocsr(), alone + np.float32(_RIDGE))
    turned = phrases.T.tocsr()
    blocks = []
    for start in range(0, groups, _BLOCK):
        answers = labels[:, None] == np.arange(start, min(start + _BLOCK, groups))
        weights = turned @ _solved(products, answers.astype(np.float32))
        weights[np.abs(weights) < _SMALLEST] = 0.0
        blocks.append(sparse.csr_matrix(weights))
    return sparse.csr_matrix(sparse.hstack(blocks, format="csr"))


@dataclass(frozen=True)
class _Products:
    """Products of phrases with phrases: by the features they share, and by those of one alone, the ridge added."""

    phrases: sparse.csr_matrix
    turned: sparse.csr_matrix
    alone: Floats


def _solved(products: _Products, answers: Floats) -> Floats:
    """Conjugate gradients in the dual, all codes of a block at once: phrases × codes."""
    residual, direction, solution = answers, answers.copy(), np.zeros_like(answers)
    size = np.einsum("ij,ij->j", residual, residual)
    for _ in range(_STEPS):
        image = products.phrases @ (products.turned @ direction)
        image += products.alone * direction
        step = size / np.maximum(np.einsum("ij,ij->j", direction, image), 1e-9)
        solution += step * direction
        residual -= step * image
        before, size = size, np.einsum("ij,ij->j", residual, residual)
        direction *= size / np.maximum(before, 1e-12)
        direction += residual
    return solution


def _calibrated(told: _Told, *, seed: int) -> tuple[float, ...]:
    """Coefficients from phrases that were held out of the coder that saw them, fold after fold until enough are."""
    fold = np.random.default_rng(seed).permutation(len(told.phrases)) % _FOLDS
    found: list[Signals] = []
    truth: list[Ints] = []
    for number in range(_FOLDS):
        trial = _learned(told, rows=np.flatnonzero(fold != number))
        held = np.flatnonzero(fold == number)
        for start in range(0, len(held), _SLICE):
            part = held[start : start + _SLICE]
            found.append(signals(trial, [told.phrases[i] for i in part.tolist()]))
            truth.append(told.labels[part])
        if sum(map(len, truth)) >= _ENOUGH:
            break
    joined = Signals(
        np.concatenate([f.candidates for f in found]),
        np.concatenate([f.speaking for f in found]),
        np.concatenate([f.silent for f in found]),
    )
    return fitted(joined, np.concatenate(truth))
