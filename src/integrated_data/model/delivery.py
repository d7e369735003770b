"""A delivery: one hand-over of files for one dataset, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum


class LoadState(StrEnum):
    """Where a delivery stands."""

    LANDED = "landed"
    HELD = "held"  # waits for a steward: too many rows in quarantine to accept alone
    REJECTED = "rejected"
    PUBLISHED = "published"


#: Allowed state changes; the diagram in the documentation is drawn from this table.
LOAD_MOVES: dict[LoadState, tuple[LoadState, ...]] = {
    LoadState.LANDED: (LoadState.HELD, LoadState.REJECTED, LoadState.PUBLISHED),
    LoadState.HELD: (LoadState.LANDED, LoadState.REJECTED),
    LoadState.REJECTED: (),
    LoadState.PUBLISHED: (),
}


@dataclass(frozen=True)
class LandedFile:
    """One file as it came: its own name is kept sealed, not here; `lines` counts line ends.

    `place` is the file's name in the landing folder; `size` in bytes; `sha256` of the plain bytes.
    """

    place: str
    suffix: str
    size: int
    sha256: str
    lines: int


@dataclass(frozen=True)
class Delivery:
    """One hand-over. `id` is the first 16 hex digits of a hash over dataset and file checksums."""

    id: str
    dataset: str
    files: tuple[LandedFile, ...]
    state: LoadState = LoadState.LANDED


@dataclass(frozen=True)
class Tally:
    """Row counts that must reconcile: read = good + quarantined."""

    read: int
    good: int
    quarantined: int
    by_rule: tuple[tuple[str, int], ...] = ()

    @property
    def share_quarantined(self) -> float:
        """Quarantined rows as a share of those read; 0 for an empty delivery."""
        return self.quarantined / self.read if self.read else 0.0
