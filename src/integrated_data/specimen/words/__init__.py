"""Word lists of the fictional country, typed in from general knowledge, and how they are read."""

from functools import lru_cache
from importlib import resources

_FOLDER = resources.files("integrated_data.specimen.words")


def lines(name: str) -> list[str]:
    """Return the lines of `<name>.txt` that are neither blank nor comments; names of people stand in the vocabulary."""
    folder = resources.files("integrated_data.vocabulary.people") if name.startswith("names_") else _FOLDER
    text = folder.joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@lru_cache(maxsize=64)
def lists(name: str) -> dict[str, tuple[str, ...]]:
    """Return `key: word word …` lines as lists of different words, in order; `_` stands for a blank."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines(name):
        key, _, rest = line.partition(":")
        found[key.strip()] = tuple(dict.fromkeys(word.replace("_", " ") for word in rest.split()))
    return found


@lru_cache(maxsize=16)
def records(name: str) -> tuple[tuple[str, ...], ...]:
    """Return `a|b|c` lines as tuples of fields."""
    return tuple(tuple(cell.strip() for cell in line.split("|")) for line in lines(name))
