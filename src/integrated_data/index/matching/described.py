"""Reading the file that describes an index: every complaint names the place, why, and what to write."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from integrated_data.model.errors import IndexRefusal

_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


def wrong(at: str, why: str, *, step: str) -> IndexRefusal:
    """A refusal that names the place in the file."""
    place = f", at {at}," if at else ""
    return IndexRefusal(f"The description of the index{place} is wrong", why=why, next_step=step)


@dataclass(frozen=True)
class Described:
    """One mapping of the file, and where it stands."""

    at: str
    values: Mapping[str, Any]

    def path(self, key: str) -> str:
        """Where a key stands, for people: `comparisons[2].kind`."""
        return f"{self.at}.{key}" if self.at else key

    @staticmethod
    def is_word(value: object) -> bool:
        """Whether a value is a plain word: small letters, digits, underscores."""
        return isinstance(value, str) and _WORD.fullmatch(value) is not None

    def known(self, words: Iterable[str]) -> None:
        """Refuse keys that are none of these."""
        allowed = list(words)
        for key in self.values:
            if key not in allowed:
                near = get_close_matches(str(key), allowed, n=1)
                step = f"Write {near[0]}" if near else f"Use some of {', '.join(allowed)}"
                raise wrong(self.path(str(key)[:40]), "There is no such field", step=step)

    def text(self, key: str, default: str | None = None) -> str:
        """Text that is not empty."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise wrong(self.path(key), "It must be text and not empty", step=f"Write {key}: and its text")
        return value

    def word(self, key: str) -> str:
        """A plain word."""
        value = self.values.get(key)
        if not isinstance(value, str) or not self.is_word(value):
            step = f"Write {key}: and a word of small letters, digits and underscores"
            raise wrong(self.path(key), "It must be one plain word", step=step)
        return value

    def choice(self, key: str, words: Collection[str]) -> str:
        """One of these words."""
        value = self.values.get(key)
        if not isinstance(value, str) or value not in words:
            near = get_close_matches(str(value), list(words), n=1)
            step = f"Write {near[0]}" if near else f"Use one of {', '.join(words)}"
            raise wrong(self.path(key), "It is none of the words that are known", step=step)
        return value

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise wrong(self.path(key), "It must be true or false", step=f"Write {key}: true, or leave it out")
        return value

    def number(self, key: str, *, above: float, most: float, default: float) -> float:
        """A number above one bound and up to another."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            raise wrong(self.path(key), f"It must be a number above {above:g}, at most {most:g}", step=f"Correct {key}")
        return float(value)

    def whole(self, key: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number between bounds."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(self.path(key), f"It must be a whole number from {least} to {most}", step=f"Correct {key}")
        return value

    def numbers(self, key: str, *, default: tuple[float, ...]) -> tuple[float, ...]:
        """A list of numbers."""
        value = self.values.get(key, list(default))
        if not isinstance(value, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
            raise wrong(self.path(key), "It must be a list of numbers", step=f"Write {key}: [1, 2]")
        return tuple(map(float, value))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, at least one."""
        return _texts(self.values.get(key), self.path(key))

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts; none when absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise wrong(self.path(key), "It must be a list of lists", step=f"Write {key}: [[first, second], [third]]")
        return tuple(_texts(each, self.path(key)) for each in value)

    def mapping(self, key: str, *, needed: bool = True) -> "Described":
        """A mapping under a key."""
        found = described(self.values.get(key, None if needed else {}), self.path(key))
        if needed and not found.values:
            raise wrong(self.path(key), "It is empty", step=f"Write at least one entry under {key}")
        return found

    def entries(self, key: str, *, needed: bool = True) -> tuple["Described", ...]:
        """A list of mappings under a key."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or (needed and not value):
            raise wrong(self.path(key), "It must be a list, and not empty", step=f"Write entries of {key} under dashes")
        return tuple(described(each, f"{self.path(key)}[{i}]") for i, each in enumerate(value))

    def parts(self, key: str) -> tuple["Described", ...]:
        """A list of mappings, where a text alone stands for `of: text`."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise wrong(self.path(key), "It must be a list, and not empty", step=f"Write {key}: [first, second]")
        whole = [{"of": each} if isinstance(each, str) else each for each in value]
        return tuple(described(each, f"{self.path(key)}[{i}]") for i, each in enumerate(whole))


def described(value: object, at: str) -> Described:
    """A mapping of the file; refuses anything else."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(at, "It must be a mapping of names to values", step="Write it as lines of name: value")
    return Described(at, value)


def _texts(value: object, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise wrong(at, "It must be a list of texts", step="Write it as [first, second]")
    return tuple(value)
