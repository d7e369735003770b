"""Lane words: how the automatic lane stands, what is looked at afterwards, what is said of a request, and when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from integrated_data.model.output import OutputState


@dataclass(frozen=True)
class LaneRule:
    """How the automatic lane runs.

    `share`: of its releases, how many people check afterwards, 0 to 1. `first`: of its requests, how many
    people check before they leave, so that a request without a doubt is nothing special to them.
    `days`: working days that a review may take.
    """

    open: bool = True
    share: float = 0.05
    first: float = 0.0
    days: int = 5


@dataclass(frozen=True)
class Ruled:
    """A lane's rule with who set it, when and why; nobody did where it is the one shipped."""

    rule: LaneRule
    by: str = ""
    reason: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class OptOut:
    """A dataset whose tables never leave without people having looked at them."""

    dataset: str
    by: str
    reason: str
    at: datetime


class Verdict(StrEnum):
    """What two people said of an automatic release, not knowing that it had left."""

    OPEN = "open"
    SOUND = "sound"
    UNSOUND = "unsound"  # they would not have let it leave
    RETURNED = "returned"  # one asked for a change first


#: What the end of the twin's review says of the release.
VERDICTS = {
    OutputState.APPROVED: Verdict.SOUND,
    OutputState.REFUSED: Verdict.UNSOUND,
    OutputState.RETURNED: Verdict.RETURNED,
}


@dataclass(frozen=True)
class Sample:
    """An automatic release that people check afterwards, as the request `twin`."""

    twin: str
    request: str
    share: float
    at: datetime
    verdict: Verdict


class Side(StrEnum):
    """On whose side somebody speaks."""

    AUTHOR = "author"
    REVIEWER = "reviewer"


@dataclass(frozen=True)
class Comment:
    """What somebody said of the files with that hash."""

    request: str
    person: str
    side: Side
    sha256: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Step:
    """A state that a request was in. `until` None: it still is."""

    state: OutputState
    since: datetime
    until: datetime | None
