"""Dissemination words: an output that is defined once and published anew from each release of its data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class DefinitionState(StrEnum):
    """Where a definition stands."""

    PROPOSED = "proposed"  # waits for an output checker to read its words
    APPROVED = "approved"
    ENDED = "ended"


#: Allowed state changes; a definition whose words change is proposed anew.
DEFINITION_MOVES: dict[DefinitionState, tuple[DefinitionState, ...]] = {
    DefinitionState.PROPOSED: (DefinitionState.PROPOSED, DefinitionState.APPROVED, DefinitionState.ENDED),
    DefinitionState.APPROVED: (DefinitionState.PROPOSED, DefinitionState.ENDED),
    DefinitionState.ENDED: (),
}


class EditionState(StrEnum):
    """What became of an edition; it follows from its request and from later editions."""

    REFUSED = "refused"
    WAITING = "waiting"  # with reviewers, or for its release
    CURRENT = "current"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


@dataclass(frozen=True)
class TableWords:
    """How people read one table. `headings`: column to what stands above it; `chart`: whether it is drawn."""

    title: str = ""
    headings: Mapping[str, str] = field(default_factory=dict)
    chart: bool = True


@dataclass(frozen=True)
class Words:
    """What people read around the figures; an output checker approves it. Tables in the order of their queries."""

    title: str
    summary: str = ""
    footnotes: tuple[str, ...] = ()
    contact: str = ""
    tables: tuple[TableWords, ...] = ()


@dataclass(frozen=True)
class Definition:
    """An output to publish again and again: the queries of a release, and the words around them.

    `request`: the released request it was made from; `person`: in whose name its queries run;
    `sha256`: of everything that is approved.
    """

    name: str
    project: str
    person: str
    request: str
    queries: tuple[str, ...]
    words: Words
    state: DefinitionState = DefinitionState.PROPOSED
    sha256: str = ""
    approved_by: str = ""


@dataclass(frozen=True)
class Edition:
    """One run of a definition. `releases`: dataset to the release that the project's copy was made from.

    `request`: the request it became; empty where it was refused before there was one, with `reason`.
    `uncertainty`: SHA-256 of what its runs over other sets of links gave; empty where there is nothing.
    """

    definition: str
    number: int
    request: str
    releases: Mapping[str, int]
    at: datetime
    reason: str = ""
    uncertainty: str = ""
