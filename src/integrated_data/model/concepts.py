"""Harmonised concepts: what an age band, a region or an income means, whatever dataset it is taken from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConceptVersion:
    """One version of a concept: `codes` with their labels, in order, or the `unit` of a measure.

    `before`: codes of the version before, each with the code of this one that stands for it; a code that is in
    both and means the same need not be named.
    """

    version: str
    codes: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    before: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Concept:
    """A meaning that variables of several datasets share. `versions`: oldest first."""

    id: str
    title: str
    versions: tuple[ConceptVersion, ...]
    definition: str = ""

    def version(self, version: str) -> ConceptVersion | None:
        """The version of that name, or None."""
        return next((v for v in self.versions if v.version == version), None)

    @property
    def newest(self) -> ConceptVersion:
        """The version that holds now."""
        return self.versions[-1]


@dataclass(frozen=True)
class Harmonisation:
    """The concepts of one country or house: configuration, not code."""

    country: str
    version: str
    concepts: tuple[Concept, ...]

    def concept(self, concept: str) -> Concept | None:
        """The concept of that id, or None."""
        return next((c for c in self.concepts if c.id == concept), None)


@dataclass(frozen=True)
class Band:
    """Numbers from `least` to below the next band's stand for `code`."""

    least: float
    code: str


@dataclass(frozen=True)
class ConceptMapping:
    """That a variable means a version of a concept, and how its values become the concept's: one of three ways.

    `codes`: each of the variable's codes with the concept's (empty: none of them); `bands` of a number; `factor`
    that a number is multiplied by. With none of them the codes are the concept's own.
    """

    dataset: str
    variable: str
    concept: str
    version: str
    codes: Mapping[str, str] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    factor: float | None = None
