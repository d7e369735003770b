"""A delivery: one hand-over of files for one dataset, and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class ReleaseState(StrEnum):
    """Whether a published version of a table is among those that its readers' one rests on."""

    STANDING = "standing"  # the newest of these is what is read
    WITHDRAWN = "withdrawn"  # the table was taken back to an earlier one; it can be taken forward to it again
    EXPIRED = "expired"  # its data were removed when their time was over


class LoadState(StrEnum):
    """Where a delivery stands."""

    LANDED = "landed"
    HELD = "held"  # waits for a steward: too many rows in quarantine to accept alone
    REJECTED = "rejected"
    PUBLISHED = "published"
    EXPIRED = "expired"  # its time was over: what was held of it is removed


#: Allowed state changes; the diagram in the documentation is drawn from this table.
LOAD_MOVES: dict[LoadState, tuple[LoadState, ...]] = {
    LoadState.LANDED: (LoadState.HELD, LoadState.REJECTED, LoadState.PUBLISHED, LoadState.EXPIRED),
    LoadState.HELD: (LoadState.LANDED, LoadState.REJECTED, LoadState.EXPIRED),
    LoadState.REJECTED: (LoadState.LANDED, LoadState.EXPIRED),  # under another contract, or once its period is free
    LoadState.PUBLISHED: (LoadState.EXPIRED,),
    LoadState.EXPIRED: (),
}


@dataclass(frozen=True)
class LandedFile:
    """One file as it came: its own name is not kept, for it may hold a personal value.

    `place` is the file's name in the landing folder; `size` in bytes; `sha256` of the plain bytes;
    `lines` counts lines of a text file, the last with or without its line end (0 for other files).
    `encoding` of a text file (empty for other files); `mixed`: lines end in more than one way;
    `quotes`: a double quotation mark occurs.
    """

    place: str
    suffix: str
    size: int
    sha256: str
    lines: int
    encoding: str = ""
    mixed: bool = False
    quotes: bool = False


@dataclass(frozen=True)
class Promised:
    """What a manifest says of one file: its name, the SHA-256 of its bytes in hex, and their number if it is told."""

    name: str = field(repr=False)
    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class Completes:
    """That a delivery completes an earlier one: it holds the mended rows of those that were rejected of it.

    `delivery`: the first one; `withdraws`: what is not among its rows is withdrawn.
    """

    delivery: str
    withdraws: bool = False


@dataclass(frozen=True)
class Delivery:
    """One hand-over. `id` is the first 16 hex digits of a hash over dataset and file checksums."""

    id: str
    dataset: str
    files: tuple[LandedFile, ...]
    state: LoadState = LoadState.LANDED


@dataclass(frozen=True)
class Tally:
    """Row counts that must reconcile: read = good + quarantined.

    `by_rule`: broken rules with their rows; `unread`: columns with values that could not be read as
    their type, quarantined or only noted. `broken`: rules on the whole table that it breaks; `untested`: those
    that could not be tested, for nothing of the dataset that they are held against is there.
    """

    read: int
    good: int
    quarantined: int
    by_rule: tuple[tuple[str, int], ...] = ()
    unread: tuple[tuple[str, int], ...] = ()
    broken: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()

    @property
    def share_quarantined(self) -> float:
        """Quarantined rows as a share of those read; 0 for an empty delivery."""
        return self.quarantined / self.read if self.read else 0.0
