"""What a coder sees in a description: stems and their endings, letters, the qualifier, which word stands where."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from integrated_data.vocabulary.texts import words

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Weights of back-off from a code to the codes above it and, last, to all phrases (Jelinek–Mercer).
_SHRINKAGE = (0.35, 0.20, 0.15, 0.10, 0.20)


def featured(phrase: str) -> list[tuple[str, float]]:
    """Words of a phrase, their beginnings and endings, pairs and places, with weights before rarity."""
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


def lettered(phrase: str) -> list[tuple[str, float]]:
    """Three to five letters in a row of every word, its beginning and end marked."""
    spaced = phrase.replace("(", " (").replace(")", " ")
    marked = [f" {w} " for w in spaced.split()]
    return [(w[i : i + n], 1.0) for w in marked for n in (3, 4, 5) for i in range(len(w) - n + 1)]


Seen = Callable[[str], list[tuple[str, float]]]


@dataclass(frozen=True)
class Counts:
    """Features of phrases before rarity: phrases × features. `places` of features among the columns."""

    places: dict[str, int]
    matrix: sparse.csr_matrix


@dataclass(frozen=True)
class Space:
    """Phrases as vectors of length one: phrases × features, and `turned`. `rarity` of a feature that none has is 0."""

    seen: Seen
    places: dict[str, int]
    rarity: Floats
    phrases: sparse.csr_matrix
    turned: sparse.csr_matrix

    def of(self, phrases: Sequence[str]) -> tuple[sparse.csr_matrix, Floats]:
        """Vectors of phrases, and of each the share of its features that is not known."""
        matrix, missed = _counted(phrases, self.seen, places=self.places, grow=False)
        whole = missed + np.asarray(matrix.sum(1)).ravel()
        unknown = missed + matrix @ (self.rarity == 0).astype(np.float32)
        return _scaled(matrix, self.rarity), np.where(whole > 0, unknown / np.maximum(whole, 1e-6), 1).astype(
            np.float32
        )


def counts(phrases: Sequence[str], seen: Seen) -> Counts:
    """The features of phrases, in the order in which they come."""
    places: dict[str, int] = {}
    matrix, _ = _counted(phrases, seen, places=places, grow=True)
    return Counts(places, matrix)


def space(counted: Counts, seen: Seen, *, rows: Ints | None = None) -> Space:
    """The space that all counted phrases, or some of them, span: features are rarer the fewer phrases have them."""
    matrix = counted.matrix if rows is None else counted.matrix[rows]
    held = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rarity = np.where(held > 0, np.log((1 + matrix.shape[0]) / (1 + held)) + 1e-3, 0).astype(np.float32)
    vectors = _scaled(matrix, rarity)
    return Space(seen, counted.places, rarity, vectors, vectors.T.tocsr())


def _counted(
    phrases: Sequence[str], seen: Seen, *, places: dict[str, int], grow: bool
) -> tuple[sparse.csr_matrix, Floats]:
    """Counts, and of each phrase the weight of features that have no place; these get one if places may grow."""
    ends, columns, values = [0], array("i"), array("f")
    missed = np.zeros(len(phrases), dtype=np.float32)
    for number, phrase in enumerate(phrases):
        for feature, weight in seen(phrase):
            place = places.setdefault(feature, len(places)) if grow else places.get(feature)
            if place is None:
                missed[number] += weight
            else:
                columns.append(place)
                values.append(weight)
        ends.append(len(columns))
    shape = (len(phrases), len(places))
    matrix = sparse.csr_matrix((np.array(values, np.float32), np.array(columns, np.int32), np.array(ends)), shape)
    matrix.sum_duplicates()
    return matrix, missed


def _scaled(counted: sparse.csr_matrix, rarity: Floats) -> sparse.csr_matrix:
    values = counted.data * rarity[counted.indices]
    size = np.diff(counted.indptr)
    length = np.sqrt(np.bincount(np.repeat(np.arange(len(size)), size), weights=values**2, minlength=len(size)))
    values /= np.repeat(np.maximum(length, 1e-6), size).astype(np.float32)
    return sparse.csr_matrix((values, counted.indices, counted.indptr), counted.shape)


@dataclass(frozen=True)
class Tally:
    """How often words go with codes. Matrices are words × codes, `levels` of them from a code upwards.

    `likely`: log odds of a word under a code against all phrases, shrunk towards the codes above it
    (McCallum and others 1998); `held`: whether a phrase of a code, or of the codes beside it, has the word;
    `first`, `last`, `any`: share of the word's phrases that have a code, by its place; `asked`: log share of
    a code's phrases that have a qualifier (qualifiers × codes).
    """

    words: dict[str, int]
    qualifiers: dict[str, int]
    rarity: Floats
    likely: Floats
    held: tuple[Floats, ...]
    first: Floats
    last: Floats
    any: Floats
    asked: Floats


def grouped(values: npt.NDArray[np.floating], level: Ints) -> Floats:
    """Columns of codes summed over the code above them: rows × groups."""
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1), dtype=np.float32)


def tally(phrases: Sequence[str], labels: Ints, *, levels: Sequence[Ints], codes: int) -> Tally:
    """Count words and qualifiers of labelled phrases. `levels`: of each level, the group that each code is in."""
    places: dict[str, int] = {}
    qualifiers: dict[str, int] = {}
    seen: dict[str, list[tuple[int, int]]] = {"any": [], "first": [], "last": [], "asked": []}
    for phrase, label in zip(phrases, labels.tolist(), strict=True):
        said = words(phrase)
        for word in said.head:
            seen["any"].append((places.setdefault(word, len(places)), label))
        if said.head:
            seen["first"].append((places[said.head[0]], label))
            seen["last"].append((places[said.head[-1]], label))
        named = "+".join(sorted(said.qualifier))
        seen["asked"].append((qualifiers.setdefault(named, len(qualifiers)), label))

    def counted(way: str, rows: int) -> Floats:
        pairs = np.array(seen[way], dtype=np.int64).reshape(-1, 2)
        matrix = sparse.csr_matrix((np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), (rows, codes))
        return np.asarray(matrix.toarray(), dtype=np.float32)

    counts = counted("any", len(places))
    by_level = [counts, *(grouped(counts, level)[:, level] for level in levels)]
    common = (counts.sum(1, keepdims=True) + 0.5) / (counts.sum() + 0.5 * max(len(places), 1))
    share = _SHRINKAGE[-1] * common
    for weight, level_counts in zip(_SHRINKAGE, by_level, strict=False):
        share = share + weight * level_counts / (level_counts.sum(0, keepdims=True) + 1)
    often = counted("asked", len(qualifiers))
    near = levels[min(1, len(levels) - 1)]
    beside = grouped(often, near)[:, near]
    beside = beside / np.maximum(beside.sum(0, keepdims=True), 1)
    held = np.bincount([word for word, _ in seen["any"]], minlength=len(places))
    return Tally(
        places,
        qualifiers,
        np.log((1 + len(phrases)) / (1 + held)).astype(np.float32),
        np.log(share / common).astype(np.float32),
        tuple((c > 0).astype(np.float32) for c in by_level),
        _shares(counted("first", len(places))),
        _shares(counted("last", len(places))),
        _shares(counts),
        np.log((often + 0.3 * beside + 0.02) / (often.sum(0, keepdims=True) + 0.4)).astype(np.float32),
    )


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1), dtype=np.float32)
