"""What a coder sees in a description: stems and their endings, letters, the qualifier, which word stands where."""

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
class Space:
    """Phrases as vectors of length one. `places` of features; `rarity` by place; `phrases`: phrases × features."""

    seen: Seen
    places: dict[str, int]
    rarity: Floats
    phrases: sparse.csr_matrix

    def of(self, phrases: Sequence[str]) -> tuple[sparse.csr_matrix, Floats]:
        """Vectors of phrases, and of each the share of its features that is not known."""
        counts, unknown = _counted(phrases, self.seen, places=self.places)
        return _scaled(counts, self.rarity), unknown


def space(phrases: Sequence[str], seen: Seen) -> Space:
    """A space that phrases span: features are rarer the fewer phrases have them."""
    places: dict[str, int] = {}
    for phrase in phrases:
        for feature, _ in seen(phrase):
            places.setdefault(feature, len(places))
    counts, _ = _counted(phrases, seen, places=places)
    held = np.bincount(counts.indices, minlength=len(places))
    rarity = (np.log((1 + len(phrases)) / (1 + held)) + 1e-3).astype(np.float32)
    return Space(seen, places, rarity, _scaled(counts, rarity))


def _counted(phrases: Sequence[str], seen: Seen, *, places: dict[str, int]) -> tuple[sparse.csr_matrix, Floats]:
    rows, columns, values = [], [], []
    unknown = np.zeros(len(phrases), dtype=np.float32)
    for number, phrase in enumerate(phrases):
        missed = whole = 0.0
        for feature, weight in seen(phrase):
            whole += weight
            place = places.get(feature)
            if place is None:
                missed += weight
            else:
                rows.append(number)
                columns.append(place)
                values.append(weight)
        unknown[number] = missed / whole if whole else 1.0
    shape = (len(phrases), len(places))
    return sparse.csr_matrix((values, (rows, columns)), shape, dtype=np.float32), unknown


def _scaled(counts: sparse.csr_matrix, rarity: Floats) -> sparse.csr_matrix:
    weighted = (counts @ sparse.diags(rarity)).tocsr()
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
    return (sparse.diags((1 / np.maximum(length, 1e-6)).astype(np.float32)) @ weighted).tocsr()


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


def gathered(values: npt.NDArray[np.floating], level: Ints) -> Floats:
    """Columns of codes summed over the code above them, and given to each: rows × codes."""
    groups = int(level.max()) + 1
    member = sparse.csr_matrix((np.ones(len(level), np.float32), (np.arange(len(level)), level)), (len(level), groups))
    return np.asarray((member.T @ values.T).T, dtype=np.float32)[:, level]


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
    by_level = [counts, *(gathered(counts, level) for level in levels)]
    common = (counts.sum(1, keepdims=True) + 0.5) / (counts.sum() + 0.5 * max(len(places), 1))
    share = _SHRINKAGE[-1] * common
    for weight, level_counts in zip(_SHRINKAGE, by_level, strict=False):
        share = share + weight * level_counts / (level_counts.sum(0, keepdims=True) + 1)
    often = counted("asked", len(qualifiers))
    beside = gathered(often, levels[min(1, len(levels) - 1)])
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
