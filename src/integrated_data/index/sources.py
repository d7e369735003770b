"""A source that an index is fed from, and what became of its records."""

from dataclasses import dataclass, field
from typing import Any

from integrated_data.index.link import LinkReport
from integrated_data.index.store import Version
from integrated_data.model.linkage import EntityStatus


@dataclass(frozen=True)
class Source:
    """One source to add, and what else the version is built by.

    `records`: relation with `record_id` and meaning columns, `effective_from` and `effective_to` where
    known; `recorded_at`: when the service came to know, ISO 8601. `one_to_one`: no two of its records
    are one entity. `decisions`: relation of what people decided (see `index.decisions`), or None.
    `basis`: what to judge by; None means the basis of the version before, and learning where that is
    silent. `anew`: every pair is weighed anew, whatever the delivery touches. `settled`, `status`, `met`,
    `numbered`: see `seat.Addition`.
    """

    name: str
    records: str
    recorded_at: str
    one_to_one: bool = False
    decisions: str | None = None
    basis: Version | None = None
    anew: bool = False
    settled: str | None = None
    status: EntityStatus = EntityStatus.CURRENT
    met: str | None = None
    numbered: bool = False


@dataclass(frozen=True)
class LoadReport:
    """What a source brought; holds no personal data. `links`: how its records met the version before,
    where an index links them; `events`: what became of entities, by kind."""

    source: str
    records: int
    known: int  # records that this source had before, under the same id
    matched: int  # records found to be entities of the index
    created: int  # new entities
    merged: int  # records that share a new entity with another of the source
    entities: int  # of the new version
    links: LinkReport | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return vars(self) | {"links": self.links.to_dict() if self.links else None}
