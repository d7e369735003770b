"""Naming traditions: whose forenames and surnames, how frequent, and how two surnames are joined."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from integrated_data.specimen.chance import Bools, Floats, Ints, happens, pick, ranked_weights
from integrated_data.specimen.rates import RATES, Rates
from integrated_data.specimen.text import Text, column
from integrated_data.specimen.words import lists

TRADITIONS = tuple(RATES.tradition_share)
BRITISH, SIKH = TRADITIONS.index("british"), TRADITIONS.index("sikh")
MUSLIM, EAST_EUROPEAN = TRADITIONS.index("muslim_south_asian"), TRADITIONS.index("east_european")
IBERIAN = TRADITIONS.index("iberian")
#: How two pieces of a surname are joined: one piece alone, `a-b`, `a b`, `da a`, `dos a`.
ALONE, HYPHEN, BLANK, DA, DOS = range(5)

#: How concentrated a tradition's surnames are: a smaller shift gives the first names more. Guesses, but for
#: British, which is set so that Smith is about 1.1 % of all people.
_SHIFT = {
    "british": 8.0,
    "welsh": 3.0,
    "hindu": 2.5,
    "somali": 3.0,
    "muslim_south_asian": 4.0,
    "chinese": 6.0,
}
_TAIL_SHARE = {"british": 1 - RATES.surname_head, "muslim_south_asian": 0.08, "arabic": 0.12}
_OTHER_TAIL_SHARE = 0.38


@dataclass(frozen=True, slots=True)
class _Pool:
    """Words of the vocabulary that one kind of person draws from."""

    words: Ints
    weights: Floats

    def draw(self, rng: np.random.Generator, rows: int) -> Ints:
        """Draw words in proportion to their weights."""
        return self.words[pick(rng, self.weights, rows=rows)]


@dataclass(frozen=True, slots=True)
class Book:
    """All names of the country: two vocabularies, and pools of positions in them by tradition."""

    forenames: Text
    surnames: Text
    #: the form a woman bears (Kowalska, Ivanova), the same word where there is none
    feminine: Ints
    surname_pools: tuple[_Pool, ...]
    women_pool: _Pool
    singh: int
    kaur: int
    #: forenames by (tradition, sex); British ones also by decade in `decades`
    forename_pools: dict[tuple[int, int], _Pool]
    decade_pools: dict[tuple[int, int], _Pool]
    decades: Floats


def _feminine(word: str) -> str:
    for ending, form in (("ski", "ska"), ("cki", "cka"), ("ov", "ova"), ("ev", "eva")):
        if word.endswith(ending):
            return word[: -len(ending)] + form
    return word


def _long_tail(rng: np.random.Generator, tradition: str) -> list[str]:
    """Compose place-like (or patronymic) surnames that no list holds, in an order of their own."""
    words = lists(f"names_{tradition}")
    made = [first + last for first in words.get("tail first", ()) for last in words.get("tail last", ())]
    return [str(word) for word in rng.permutation(sorted(set(made) - set(words["surnames"])))]


@lru_cache(maxsize=1)
def book() -> Book:
    """Return the vocabularies; they are the same for every seed."""
    rng = np.random.default_rng(20_210_321)
    surnames: dict[str, int] = {}
    pools = []
    for tradition in TRADITIONS:
        head = lists(f"names_{tradition}")["surnames"]
        tail = _long_tail(rng, tradition)
        share = _TAIL_SHARE.get(tradition, _OTHER_TAIL_SHARE) if tail else 0.0
        weights = [ranked_weights(len(head), shift=_SHIFT.get(tradition, 5.0)) * (1 - share)]
        if tail:
            weights.append(ranked_weights(len(tail), shift=len(tail) / 6) * share)
        pools.append(_Pool(_positions(surnames, [*head, *tail]), np.concatenate(weights)))
    womens = lists("names_muslim_south_asian")["women surnames"]
    women = _Pool(_positions(surnames, list(womens)), ranked_weights(len(womens), shift=2.0))
    words = list(surnames)
    slavic = set(pools[EAST_EUROPEAN].words.tolist())
    feminine = _positions(surnames, [_feminine(word) if place in slavic else word for place, word in enumerate(words)])
    singh, kaur = surnames["Singh"], surnames["Kaur"]
    feminine = np.concatenate([feminine, np.arange(len(feminine), len(surnames))])
    forenames, by_tradition, by_decade, decades = _forename_pools()
    return Book(column(list(forenames)), column(list(surnames)), feminine, tuple(pools), women, singh, kaur,
                by_tradition, by_decade, decades)  # fmt: skip


def _positions(vocabulary: dict[str, int], words: list[str]) -> Ints:
    return np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], dtype=np.int64)


def _forename_pools() -> tuple[dict[str, int], dict[tuple[int, int], _Pool], dict[tuple[int, int], _Pool], Floats]:
    vocabulary: dict[str, int] = {}
    by_tradition, by_decade = {}, {}
    british = lists("names_british")
    decades = [int(key.split()[1]) for key in british if key.startswith("men 1") or key.startswith("men 2")]
    for sex, key in ((1, "men"), (2, "women")):
        for order, decade in enumerate(decades):
            words = british[f"{key} {decade}"]
            weights = ranked_weights(len(words), shift=5.0 + 25.0 * order / len(decades))
            by_decade[order, sex] = _Pool(_positions(vocabulary, list(words)), weights)
        for place, tradition in enumerate(TRADITIONS):
            words = british[f"{key} any"] if place == BRITISH else lists(f"names_{tradition}")[key]
            shift = 200.0 if place == BRITISH else 6.0
            by_tradition[place, sex] = _Pool(
                _positions(vocabulary, list(words)), ranked_weights(len(words), shift=shift)
            )
    return vocabulary, by_tradition, by_decade, np.array(decades, dtype=np.float64)


def draw_surnames(rng: np.random.Generator, tradition: Ints) -> Ints:
    """Draw a surname (men's form) of each row's tradition."""
    found = np.zeros(len(tradition), dtype=np.int64)
    for place, pool in enumerate(book().surname_pools):
        rows = np.flatnonzero(tradition == place)
        found[rows] = pool.draw(rng, len(rows))
    return found


def draw_forenames(rng: np.random.Generator, tradition: Ints, *, sex: Ints, year: Ints, rates: Rates) -> Ints:
    """Draw a forename for each row's tradition, sex and year of birth."""
    names = book()
    rows = len(tradition)
    english = np.array([rates.british_forename.get(name, 0.0) for name in TRADITIONS])[tradition]
    english = np.where((tradition > 3) & (year < 1975), english * 0.3, english)
    british = (tradition == BRITISH) | happens(rng, english, rows=rows)
    fashion = np.abs((year + rng.normal(0, 3.5, rows))[:, None] - names.decades).argmin(axis=1)
    progress = np.clip((year - 1930) / 90, 0, 1)
    tail_chance = rates.forename_tail_old + (rates.forename_tail_new - rates.forename_tail_old) * progress
    rare = happens(rng, tail_chance, rows=rows)
    found = np.zeros(rows, dtype=np.int64)
    for (order, pool_sex), pool in names.decade_pools.items():
        at = np.flatnonzero(british & ~rare & (fashion == order) & (sex == pool_sex))
        found[at] = pool.draw(rng, len(at))
    for (place, pool_sex), pool in names.forename_pools.items():
        mine = british & rare if place == BRITISH else ~british & (tradition == place)
        at = np.flatnonzero(mine & (sex == pool_sex))
        found[at] = pool.draw(rng, len(at))
    return found


def surname_code(first: Ints, second: Ints, *, joined: Ints) -> Ints:
    """Pack two surnames and how they are joined into one number."""
    size = len(book().surnames)
    return first + size * (second + size * joined)


def surname_parts(code: Ints) -> tuple[Ints, Ints, Ints]:
    """Unpack `surname_code` into first surname, second surname and how they are joined."""
    size = len(book().surnames)
    return code % size, code // size % size, code // size // size


def surname_text(code: Ints, woman: Bools) -> Text:
    """Write packed surnames, with their feminine forms for women."""
    names = book()
    first, second, joined = surname_parts(code)
    first = np.where(woman, names.feminine[first], first)
    second = np.where(woman & (joined == HYPHEN), names.feminine[second], second)
    different, place = np.unique(surname_code(first, second, joined=joined), return_inverse=True)
    words = names.surnames.to_pylist()
    written = []
    for one, two, how in zip(*(part.tolist() for part in surname_parts(different)), strict=True):
        a, b = words[one], words[two]
        written.append((a, f"{a}-{b}", f"{a} {b}", f"da {a}", f"dos {a}")[how])
    return column(written).take(place)
