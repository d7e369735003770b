"""What one may look for in the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from integrated_data.model.errors import UsageRefusal

#: Words that one search may have.
MOST_WORDS = 64


class Facet(StrEnum):
    """What narrows a search. A dataset may have several values of each."""

    OWNER = "owner"
    INDEX = "index"  # its records were matched to it, so that it has a key
    MEANING = "meaning"  # semantic type of a variable
    CONCEPT = "concept"  # harmonised concept that a variable maps to
    PERIOD = "period"  # decades that its dated variables touch, as 2010s
    CONDITION = "condition"  # of agreements in force: purpose, gateway, and what they forbid


@dataclass(frozen=True)
class Wanted:
    """A search: every word occurs (or begins a word), one value of each facet holds, the period overlaps.

    `since` and `until` are days, both included. `most` results after `skip`.
    """

    words: str = ""
    facets: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None
    most: int = 100
    skip: int = 0

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins."""
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageRefusal(
                "The period that is searched ends before it begins",
                next_step="Give --since the earlier of the two days",
            )


@dataclass(frozen=True)
class Shared:
    """Entities of an index that two datasets share: about so many (None: fewer than `base`), within `base` of it.

    `minimum`: the fewest that had to be behind it; `releases`: those that were counted, lower first.
    """

    index: str
    about: int | None
    base: int
    minimum: int
    releases: tuple[int, ...]


def facets_of(given: list[str]) -> dict[Facet, tuple[str, ...]]:
    """Facets from texts such as `index=demographic`; refuses any other."""
    found: dict[Facet, tuple[str, ...]] = {}
    for text in given:
        name, _, value = text.partition("=")
        if value and name not in list(Facet):
            raise UsageRefusal("There is no such facet", next_step=f"Use one of {', '.join(Facet)}, as owner=NAME")
        if not value:
            raise UsageRefusal(
                "A facet is not written as FACET=VALUE", next_step=f"Use one of {', '.join(Facet)}, as owner=NAME"
            )
        found[Facet(name)] = (*found.get(Facet(name), ()), value)
    return found
