"""Output words: what an analyst asks to take out, what is known of each cell, what is decided.

A *cell* is one row of a grouped table: one combination of keys. Every figure in a cell is published or withheld
together. *People* are distinct units of protection (persons, or businesses where a dataset is about those), never rows.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Value = str | int | float | None


#: In place of a project: published, but not by this service.
ELSEWHERE = "elsewhere"

#: Columns that name the unit of protection of a view, the first that it has.
UNITS = ("person_key", "business_key")


class Outcome(StrEnum):
    """What a rule says, mildest first."""

    NOTE = "note"
    REVIEW = "review"  # people decide
    WITHHOLD = "withhold"  # this cell does not leave
    REFUSE = "refuse"  # nothing of this request leaves


class Lane(StrEnum):
    """The way a checked request goes."""

    AUTOMATIC = "automatic"
    REVIEW = "review"  # two reviewers, never the author
    REFUSED = "refused"


class OutputState(StrEnum):
    """Where a request stands; the moves between states are in `output/states.py`."""

    REQUESTED = "requested"
    RELEASABLE = "releasable"
    IN_REVIEW = "in_review"
    DISPUTED = "disputed"
    APPROVED = "approved"
    RETURNED = "returned"
    STOPPED = "stopped"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    RELEASED = "released"
    REVOKED = "revoked"


class Owner(StrEnum):
    """Who may make a move."""

    AUTHOR = "author"
    SERVICE = "the service"
    REVIEWER = "one reviewer"
    REVIEWERS = "two reviewers"
    THIRD = "a third reviewer"
    CHECKER = "an output checker, or two who look at it afterwards"


#: Allowed state changes and who makes them; the diagram in the documentation is drawn from this table.
OUTPUT_MOVES: dict[OutputState, dict[OutputState, Owner]] = {
    OutputState.REQUESTED: {
        OutputState.RELEASABLE: Owner.SERVICE,
        OutputState.IN_REVIEW: Owner.SERVICE,
        OutputState.REFUSED: Owner.SERVICE,
        OutputState.REQUESTED: Owner.AUTHOR,
        OutputState.WITHDRAWN: Owner.AUTHOR,
    },
    OutputState.RELEASABLE: {
        OutputState.RELEASED: Owner.SERVICE,
        OutputState.STOPPED: Owner.SERVICE,
        OutputState.REQUESTED: Owner.AUTHOR,
        OutputState.WITHDRAWN: Owner.AUTHOR,
    },
    OutputState.IN_REVIEW: {
        OutputState.APPROVED: Owner.REVIEWERS,
        OutputState.REFUSED: Owner.REVIEWERS,
        OutputState.DISPUTED: Owner.REVIEWERS,
        OutputState.RETURNED: Owner.REVIEWER,
        OutputState.STOPPED: Owner.SERVICE,
        OutputState.REQUESTED: Owner.AUTHOR,
        OutputState.WITHDRAWN: Owner.AUTHOR,
    },
    OutputState.DISPUTED: {
        OutputState.APPROVED: Owner.THIRD,
        OutputState.REFUSED: Owner.THIRD,
        OutputState.RETURNED: Owner.REVIEWER,
        OutputState.STOPPED: Owner.SERVICE,
        OutputState.REQUESTED: Owner.AUTHOR,
        OutputState.WITHDRAWN: Owner.AUTHOR,
    },
    OutputState.APPROVED: {
        OutputState.RELEASED: Owner.SERVICE,
        OutputState.STOPPED: Owner.SERVICE,
        OutputState.REQUESTED: Owner.AUTHOR,
        OutputState.WITHDRAWN: Owner.AUTHOR,
    },
    OutputState.RETURNED: {OutputState.REQUESTED: Owner.AUTHOR, OutputState.WITHDRAWN: Owner.AUTHOR},
    OutputState.STOPPED: {OutputState.REQUESTED: Owner.AUTHOR, OutputState.WITHDRAWN: Owner.AUTHOR},
    OutputState.RELEASED: {OutputState.REVOKED: Owner.CHECKER},
    OutputState.REFUSED: {},
    OutputState.WITHDRAWN: {},
    OutputState.REVOKED: {},
}


class Vote(StrEnum):
    """What a reviewer may say."""

    APPROVE = "approve"
    REFUSE = "refuse"
    RETURN = "return"  # back to the author with a question


class Mark(StrEnum):
    """Why a figure is not shown; the shorthand of the UK Government Statistical Service."""

    WITHHELD = "[c]"  # confidential
    MISSING = "[x]"  # not available
    LOW = "[low]"  # rounds to 0 and is not 0
    NOT_APPLICABLE = "[z]"


class Role(StrEnum):
    """What a column of an output is."""

    KEY = "key"
    LABEL = "label"  # a constant, or the level of a total
    FIGURE = "figure"


@dataclass(frozen=True)
class ReleaseLimits:
    """What a table is held to; the strictest of the service's, its datasets' and its project's. See `output/rules.py`.

    `rounding`: base of released counts (1: not rounded). `minimum_population`: fewest residents that an area of a
    level must have for tables by it to leave without reviewers. `single_share`: share of cells with one
    person beyond which a table is rows of people.
    """

    minimum_people: int = 10
    dominance_people: int = 2
    dominance_share: float = 0.90
    p_ratio: float = 0.10
    degrees_of_freedom: int = 10
    rounding: int = 1
    minimum_population: int = 1_000
    single_share: float = 0.5

    @property
    def sensible(self) -> bool:
        """Whether every limit is one that the rules can hold a table to."""
        return (
            self.minimum_people >= 1 and self.rounding >= 1 and 1 <= self.dominance_people <= MOST_TOP
            and 0 < self.dominance_share <= 1 and 0 <= self.p_ratio <= 1 and self.degrees_of_freedom >= 0
            and self.minimum_population >= 0 and 0 < self.single_share <= 1
        )  # fmt: skip


#: Largest contributors that are kept of a cell: no dominance rule is about more.
MOST_TOP = 10

#: Limits of which the smaller is the stricter; of any other it is the larger.
SMALLER_IS_STRICTER = frozenset({"dominance_share", "single_share"})


def stricter(limit: str, one: float, *, other: float) -> float:
    """The stricter of two values of a limit, by its name in `ReleaseLimits`."""
    return min(one, other) if limit in SMALLER_IS_STRICTER else max(one, other)


@dataclass(frozen=True)
class View:
    """A view as the check knows it: its columns and the column that names the unit of protection.

    `unit` None with `public` says that the view holds nobody (a list of areas). `rows`: how many it
    has, 0 where that is not known.
    """

    columns: tuple[str, ...]
    unit: str | None
    public: bool = False
    rows: int = 0


@dataclass(frozen=True)
class OutputColumn:
    """One column of an output. `key`: which key it shows; `plain`: the measure that it simply states.

    `measures`: every measure behind a figure. `count`: a whole number of rows or people; `constant`:
    a value that the query itself states; `quantile`: which quantile of the query it is.
    """

    name: str
    role: Role
    key: int | None = None
    measures: tuple[int, ...] = ()
    plain: int | None = None
    count: bool = False
    constant: bool = False
    quantile: int | None = None


@dataclass(frozen=True)
class Cell:
    """Which cell: for each key whether it is summed over (a total), and its value as text."""

    total: tuple[bool, ...]
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Finding:
    """What one rule said of a request. `cells`: how many it touches. Never a value from the data."""

    rule: str
    outcome: Outcome
    reason: str
    cells: int = 0


@dataclass(frozen=True)
class Brought:
    """A file with a result that was made outside the service: its name, and what is in it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Ask:
    """What an analyst asks to take out: results of logged queries of one project.

    `request`: the request that this changes; empty for a new one. `brought`: files that were made from those
    results outside the service, which are asked for instead of them.
    """

    project: str
    person: str
    queries: tuple[str, ...]
    title: str
    purpose: str = ""
    request: str = ""
    brought: tuple[Brought, ...] = ()


@dataclass(frozen=True)
class OutputRequest:
    """A request on record. `sha256`: of what was asked, and once checked of what would leave.

    `similar`: earlier releases that people compare it with; it was checked against those that had left up to
    number `compared`, which are `seen` when it is about to leave.
    `asked`: how many times it has been asked for; it is in the files, so that votes start anew. `brought`: names
    of files that were made outside the service from the results of `queries`.
    """

    id: str
    project: str
    person: str
    state: OutputState
    sha256: str
    title: str
    purpose: str
    queries: tuple[str, ...]
    at: datetime
    datasets: tuple[str, ...] = ()
    lane: Lane | None = None
    findings: tuple[Finding, ...] = ()
    signatures: tuple["Signature", ...] = ()
    cells: int = 0
    withheld: int = 0
    similar: tuple[str, ...] = ()
    compared: int = 0
    seen: tuple[str, ...] = ()
    asked: int = 1
    brought: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """What left: the files with that hash, and where it stands now (released or revoked)."""

    request: str
    project: str
    title: str
    sha256: str
    state: OutputState
    datasets: tuple[str, ...]
    signatures: tuple["Signature", ...]
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Review:
    """One reviewer's vote on the files with that hash."""

    request: str
    reviewer: str
    vote: Vote
    sha256: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Signature:
    """What is remembered of a released table, to compare later requests with it.

    `base`: digest of its rows, `conditions`: what chose them (`output/chosen.py`; None: not known); `measures`: what
    was summed or counted, in words; `keys`: what it was grouped by; `content`: digest of the published cells.
    """

    datasets: tuple[str, ...]
    base: str
    measures: tuple[str, ...]
    keys: tuple[str, ...]
    content: str
    conditions: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class CheckReport:
    """What the check found: lane, findings, cells seen and withheld, the hash of what would leave."""

    request: str
    lane: Lane
    findings: tuple[Finding, ...]
    cells: int
    withheld: int
    sha256: str
    files: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()
    similar: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
