"""Federation words: installations that answer one question together, each under its own decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: What a figure that is not in a table is written as; see `output.table`.
WITHHELD = ("[c]", "[x]", "[low]")


@dataclass(frozen=True)
class Peer:
    """Another installation: where its HTTP door is, and the public key (PEM) that it signs with.

    `certificate` (PEM): what its door shows, where that is not vouched for by an authority of the machine.
    `projects`: those that it may ask about here, all when empty.
    """

    name: str
    url: str
    key: str
    certificate: str = ""
    projects: tuple[str, ...] = ()


class PeerState(StrEnum):
    """What became of a question at one installation."""

    ANSWERED = "answered"
    HELD = "held"  # its people look at the table before it leaves
    REFUSED = "refused"  # by its decision, its gate or its output control
    UNREACHABLE = "unreachable"
    INVALID = "invalid"  # an answer came that does not verify, or is of another shape


@dataclass(frozen=True)
class Answered:
    """What one installation said. `rows`: released cells as text, in the order of `columns`; none unless ANSWERED.

    `records`: rows of the datasets that it asked; `rounding`: the base of its counts; `request`: its own request of
    output control, by which its people know it.
    """

    peer: str
    state: PeerState
    reason: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    request: str = ""
    sha256: str = ""
    at: str = ""
    records: int = 0
    rounding: int = 1

    @property
    def withheld(self) -> int:
        """Cells that it held back."""
        return sum(cell in WITHHELD for row in self.rows for cell in row)


@dataclass(frozen=True)
class FederatedAsk:
    """One question to several installations. `only`: names of those to ask, all when empty.

    `disjoint`: whoever asks vouches that nobody is at two of them, so that counts of distinct people add up.
    """

    person: str
    project: str
    sql: str
    only: tuple[str, ...] = ()
    disjoint: bool = False


@dataclass(frozen=True)
class Combined:
    """The tables of several installations as one. A row's key values come first, then its figures.

    `incomplete`: of a row (by number) and column, the installations whose part is missing from the figure.
    `apart`: columns that cannot be combined, each of one installation.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    incomplete: Mapping[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
