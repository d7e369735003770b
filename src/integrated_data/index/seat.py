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
from integrated_data.model.linkage import IndexDefinition


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
    level and boundary year stand in its name).
    """

    source: str
    records: str
    recorded_at: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    one_to_one: bool = False


@dataclass(frozen=True)
class Matching:
    """Records to match. `out`: table to make, with LINK_COLUMNS, one row per record in any order.

    `models`: folder where trained models of this dataset are kept and found again, or None. `explain`:
    table to make with every comparison, its weight, the posterior and the alternatives (see
    `index.explain`); an index that explains says so in its report (`explained`).
    """

    records: str
    out: str
    one_to_one: bool = False
    models: Path | None = None
    explain: str | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)


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
