"""Errors of writing: keyboard, scanned form, by ear, pet forms, other spellings, lost parts, wrong days.

Each function takes a column and a mask, and returns the column with the masked rows written wrongly. Rows to
which an error cannot happen (no pet form, no second part) stay as they are.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from integrated_data.specimen.chance import Bools, Floats, Ints
from integrated_data.specimen.text import NO_DAY, Text, put
from integrated_data.specimen.words import lines

_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok",
    "o": "ipl", "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jilm",
    "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
_MISREAD = (("rn", "m"), ("m", "rn"), ("cl", "d"), ("h", "b"), ("e", "c"), ("u", "v"), ("n", "u"),
    ("a", "o"), ("l", "i"), ("i", "l"),
            ("t", "f"), ("g", "q"), ("w", "vv"))  # fmt: skip
_MISREAD_IN_CODE = {
    "0": "O",
    "O": "0",
    "1": "I",
    "I": "1",
    "5": "S",
    "S": "5",
    "2": "Z",
    "Z": "2",
    "8": "B",
    "B": "8",
}

_Rewrite = Callable[[str, Floats], str]


def _rewrite(rng: np.random.Generator, values: Text, *, where: Bools, rule: _Rewrite) -> Text:
    """Apply a rule, given the word and three random numbers, to the masked rows that are not missing."""
    rows = np.flatnonzero(where)
    if not len(rows):
        return values
    words = values.take(rows).to_pylist()
    draws = rng.random((len(rows), 3))
    return put(
        values,
        where,
        replacement=[rule(word, draw) if word else word for word, draw in zip(words, draws, strict=True)],
    )


def misspell(rng: np.random.Generator, values: Text, *, where: Bools) -> Text:
    """Put one slip in each masked word: three in five by hand, a quarter by ear, the rest by a scanner."""
    return _rewrite(rng, values, where=where, rule=_slip)


def _slip(word: str, draw: Floats) -> str:
    if draw[0] < 0.60:
        return _keyboard(word, draw[0] / 0.60, where=draw[1], which=draw[2])
    table = _by_ear() if draw[0] < 0.85 else _MISREAD
    lower = word.lower()
    fitting = [pair for pair in table if lower.find(pair[0], 1) > 0]
    if not fitting:
        return _keyboard(word, draw[1], where=draw[2], which=draw[1])
    found, written = fitting[int(draw[1] * len(fitting))]
    at = lower.find(found, 1)
    written = written.upper() if word[at].isupper() else written
    return word[:at] + written + word[at + len(found) :]


def _keyboard(word: str, kind: float, *, where: float, which: float) -> str:
    """Lose, double, move or mistake one letter, seldom the first."""
    if len(word) < 3:
        return word
    at = 1 + int(where * (len(word) - 1)) if which > 0.08 else 0
    letter = word[at]
    if kind < 0.28:
        return word[:at] + word[at + 1 :]
    if kind < 0.42:
        return word[:at] + letter + word[at:]
    if kind < 0.62 and at + 1 < len(word):
        return word[:at] + word[at + 1] + letter + word[at + 2 :]
    near = _NEIGHBOURS.get(letter.lower(), "e")
    other = near[int(which * len(near))]
    return word[:at] + (other.upper() if letter.isupper() else other) + word[at + 1 :]


@lru_cache(maxsize=1)
def _by_ear() -> tuple[tuple[str, str], ...]:
    pairs = [line.split() for line in lines("phonetic")]
    return tuple((pair[0], pair[1]) for pair in pairs)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, tuple[str, ...]]:
    """Return for each name the other names that are written for it."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines("variants"):
        group = line.split()
        for word in group:
            found[word] = found.get(word, ()) + tuple(other for other in group if other != word)
    return found


@lru_cache(maxsize=1)
def _pet_forms() -> dict[str, tuple[str, ...]]:
    pairs = [line.partition(":") for line in lines("nicknames")]
    return {formal.strip(): tuple(short.split()) for formal, _, short in pairs}


def respell(rng: np.random.Generator, values: Text, *, where: Bools) -> Text:
    """Write the masked names in another customary spelling, where they have one."""
    return _rewrite(
        rng,
        values,
        where=where,
        rule=lambda word, draw: _one_of(_spellings().get(word, ()), draw[0], otherwise=word),
    )


def pet_form(rng: np.random.Generator, values: Text, *, where: Bools) -> Text:
    """Write the masked forenames in a pet form, where they have one."""
    return _rewrite(
        rng,
        values,
        where=where,
        rule=lambda word, draw: _one_of(_pet_forms().get(word, ()), draw[0] ** 1.5, otherwise=word),
    )


def _one_of(options: tuple[str, ...], draw: float, *, otherwise: str) -> str:
    return options[int(draw * len(options))] if options else otherwise


def lose_part(rng: np.random.Generator, values: Text, *, where: Bools) -> Text:
    """Lose one part of a double surname, or its particle or apostrophe, or join what was apart."""
    return _rewrite(rng, values, where=where, rule=_shorten)


def _shorten(word: str, draw: Floats) -> str:
    if "'" in word:
        return word.replace("'", "" if draw[0] < 0.6 else " ")
    mark = "-" if "-" in word else " "
    first, found, last = word.partition(mark)
    if not found:
        return word
    if draw[0] < 0.35:
        return first + ("" if len(first) <= 3 and draw[1] < 0.5 else " " if mark == "-" else "-") + last
    return last if len(first) <= 3 or draw[1] < 0.45 else first


def mistype_code(rng: np.random.Generator, values: Text, *, where: Bools) -> Text:
    """Change, move or misread one character of a postcode or number."""
    return _rewrite(rng, values, where=where, rule=_slip_in_code)


def _slip_in_code(word: str, draw: Floats) -> str:
    at = int(draw[0] * len(word))
    if word[at] == " ":
        at -= 1
    letter = word[at]
    if draw[1] < 0.3 and at + 1 < len(word) and word[at + 1] != " ":
        return word[:at] + word[at + 1] + letter + word[at + 2 :]
    if draw[1] < 0.45 and letter in _MISREAD_IN_CODE:
        return word[:at] + _MISREAD_IN_CODE[letter] + word[at + 1 :]
    if letter.isdigit():
        return word[:at] + str((int(letter) + 1 + int(draw[2] * 9)) % 10) + word[at + 1 :]
    near = _NEIGHBOURS.get(letter.lower(), "e")
    return word[:at] + near[int(draw[2] * len(near))].upper() + word[at + 1 :]


def swap_day_and_month(days: Ints, where: Bools) -> Ints:
    """Write day as month and month as day where both are at most twelve; other rows stay."""
    year, month, day = _split(days)
    possible = where & (day <= 12) & (days != NO_DAY)
    return np.where(possible, _compose(year, np.where(possible, day, 1), day=np.where(possible, month, 1)), days)


def wrong_digit(rng: np.random.Generator, days: Ints, *, where: Bools) -> Ints:
    """Change one digit of the day or the month: off by one, by ten or to another month."""
    year, month, day = _split(days)
    rows = len(days)
    step = np.array([-1, 1, -10, 10])[rng.integers(0, 4, rows)]
    other_day = np.where((day + step >= 1) & (day + step <= 28), day + step, np.where(day > 1, day - 1, 2))
    other_month = (month + rng.integers(0, 11, rows)) % 12 + 1
    in_month = rng.random(rows) < 0.35
    month, day = np.where(in_month, other_month, month), np.where(in_month, np.minimum(day, 28), other_day)
    return np.where(where & (days != NO_DAY), _compose(year, month, day=day), days)


def wrong_year(rng: np.random.Generator, days: Ints, *, where: Bools, latest: int) -> Ints:
    """Change the year by one, two or ten, never past the day the record is written."""
    year, month, day = _split(days)
    step = np.array([-1, 1, -1, 1, -2, 2, -10, 10])[rng.integers(0, 8, len(days))]
    changed = _compose(year + step, month, day=np.minimum(day, 28))
    changed = np.where(changed > latest, _compose(year - np.abs(step), month, day=np.minimum(day, 28)), changed)
    return np.where(where & (days != NO_DAY), changed, days)


def first_of_january(days: Ints, where: Bools) -> Ints:
    """Write 1 January of the same year."""
    year, _, _ = _split(days)
    one = np.ones(len(days), dtype=np.int64)
    return np.where(where & (days != NO_DAY), _compose(year, one, day=one), days)


def _split(days: Ints) -> tuple[Ints, Ints, Ints]:
    moment = days.astype("datetime64[D]")
    months = moment.astype("datetime64[M]")
    day = (moment - months).astype(np.int64) + 1
    number = months.astype(np.int64)
    return number // 12 + 1970, number % 12 + 1, day


def _compose(year: Ints, month: Ints, *, day: Ints) -> Ints:
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return (months.astype("datetime64[D]").astype(np.int64) + day - 1).astype(np.int64)
