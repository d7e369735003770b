"""What every index offers, whatever its method: add a source, match records, publish attributes.

The journey and the matching service speak to an index through this seat alone; `index/registry.py`
lists who sits in it. A version is an immutable folder of sealed files with an `about.json` that
holds no personal data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from integrated_data.engine import Engine
from integrated_data.index.matching.train import Trainer
from integrated_data.index.past import History, Laid
from integrated_data.model.linkage import EntityStatus, IndexDefinition


@dataclass(frozen=True)
class Tools:
    """What an index works with: the engine of the identified zone, and who trains match models."""

    engine: Engine
    trainer: Trainer


@dataclass(frozen=True)
class Addition:
    """A source to add. `records`: relation with `record_id` (text or number, unique) and one column
    per meaning (`journey` makes it from a contract); `recorded_at`: when the service came to know, ISO 8601.

    `columns` names, per meaning column of `records`, the delivered columns behind it (an area code's
    level and boundary year stand in its name). `decisions`: relation of what people decided (see
    `index.decisions`), or None. `settled`: relation of `record_id` and `entity_id` that says of every
    record which entity it is, or NULL for a new one; then nothing is matched. `status`: of the entities it
    makes. `beside`: the version of the index that they are provisional to: its models, and how common values
    are in it, count for them.
    `met`: relation of `record_id` and `entity_id`: provisional entities, not of the version before, that
    records were found to be. `numbered`: record ids are rows of the file: they say nothing of the next one.
    """

    source: str
    records: str
    recorded_at: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    one_to_one: bool = False
    decisions: str | None = None
    settled: str | None = None
    status: EntityStatus = EntityStatus.CURRENT
    beside: Path | None = None
    met: str | None = None
    numbered: bool = False


@dataclass(frozen=True)
class Matching:
    """Records to match. `out`: table to make, with LINK_COLUMNS, one row per record in any order.

    `models`: folder where trained models of this dataset are kept and found again, or None. `explain`:
    table to make with every comparison, its weight, the posterior and the alternatives (see
    `index.explain`); an index that explains says so in its report (`explained`).

    `telling`: table to make of the `record_id`s that say enough to be told apart from others: what a
    provisional entity can be made of. `residual`: the records are what an index could
    not place; stored weights decide, or assumed ones, and nothing is learned from them. `without`:
    relation of `entity_id`s that no record is to be.
    """

    records: str
    out: str
    one_to_one: bool = False
    models: Path | None = None
    explain: str | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    telling: str | None = None
    residual: bool = False
    without: str | None = None


class Seat(Protocol):
    """One index."""

    @property
    def definition(self) -> IndexDefinition:
        """Name, title, key and attributes."""
        ...

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """Write the version that follows `previous` and holds the source too, in `folder` (made by this call).

        Returns a report as plain JSON values: at least `records`, `entities`, `created`.
        """
        ...

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """Match records to the version in `folder`; returns a report: at least `records`, `accepted`, `clerical`."""
        ...

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:
        """Make view `relation` (entity_id, attributes that may be published) and name those columns.

        Empty, and no view, for an index that publishes keys alone.
        """
        ...

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """Make view `relation` (source, record_id as text, entity_id): which entity each loaded record is."""
        ...

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """Make the relations of the version in `folder` that every index has (see `index.past.Laid`)."""
        ...

    def succession(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """Make table `relation` (old_id, new_id, version, recorded_at): who stands for absorbed entities in
        this version, however many steps there were, and when the old id ended. Other ids stand for themselves;
        which of them lost records since a version is `life.unsettled_sql`'s to say.
        """
        ...

    def history(self, engine: Engine, *, folder: Path, entity_id: int) -> History | None:
        """What the version knows of an entity, identified values included; None where it has no such entity."""
        ...

    def changes(self, engine: Engine, *, before: Path, after: Path, relation: str) -> dict[str, Any]:
        """Make table `relation` of what changed between two versions, and count it; refuses versions that do not
        follow each other.

        One row per entity and change: entity_id, change (an `EntityEvent`, or `changed`: something else is said
        of it), other_id, attributes (names of those that changed). The counts: entities by change, and by attribute.
        """
        ...
