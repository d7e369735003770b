"""Approval words: who must agree to an application, to which parts of it, and by when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """In which capacity somebody approves."""

    OWNER = "data owner"
    REPRESENTATIVE = "representative steward"  # of the owner's organisation, for the owner
    ENTERPRISE = "enterprise steward"  # of the organisation that runs the service, for owners who leave it to it
    DELEGATED = "delegated route"  # low risk: the enterprise steward alone, instead of owners and panel
    PANEL = "panel"


class Part(StrEnum):
    """A part of an application: what an approval is about, and what an amendment may change."""

    QUESTION = "question"  # purpose, title, aims, methods
    DATA = "data"  # datasets, columns, keys, rows and time windows
    TEAM = "team"
    SPONSOR = "sponsor"  # the organisation, and who pays
    BENEFIT = "public benefit"
    ETHICS = "ethics"
    DATES = "dates"


#: What each approval is about. An amendment of another part leaves it standing.
SCOPES: dict[Stage, tuple[Part, ...]] = {
    Stage.OWNER: (Part.QUESTION, Part.DATA, Part.SPONSOR, Part.DATES),
    Stage.REPRESENTATIVE: (Part.QUESTION, Part.DATA, Part.SPONSOR, Part.DATES),
    Stage.ENTERPRISE: (Part.QUESTION, Part.DATA, Part.TEAM, Part.DATES),
    Stage.DELEGATED: tuple(Part),
    Stage.PANEL: (Part.QUESTION, Part.DATA, Part.SPONSOR, Part.BENEFIT, Part.ETHICS, Part.DATES),
}

#: Days that each may take, where the law's file does not say otherwise.
DAYS: dict[Stage, int] = {
    Stage.OWNER: 14, Stage.REPRESENTATIVE: 7, Stage.ENTERPRISE: 4, Stage.DELEGATED: 4, Stage.PANEL: 28,
}  # fmt: skip


class Risk(StrEnum):
    """What the ethics self-assessment of an application comes to."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ApprovalState(StrEnum):
    """Where an approval stands."""

    OPEN = "open"
    GIVEN = "given"
    REFUSED = "refused"
    LAPSED = "lapsed"  # an amendment took away what it was about


@dataclass(frozen=True)
class Needed:
    """One approval that an application needs. `scope` is the digest of the parts of it that it is about."""

    stage: Stage
    organisation: str
    scope: str
    days: int
    why: str

    @property
    def told(self) -> str:
        """Who it is, in words."""
        return f"{self.stage.value} ({self.organisation})" if self.organisation else self.stage.value


@dataclass(frozen=True)
class Approval:
    """One approval on record, with its clock."""

    number: int
    project: str
    needed: Needed
    asked_at: datetime
    state: ApprovalState
    by: str = ""
    reason: str = ""
    decided_at: datetime | None = None

    def taken(self, now: datetime) -> float:
        """Days it took, or has taken so far."""
        return ((self.decided_at or now) - self.asked_at).total_seconds() / 86_400

    def late(self, now: datetime) -> bool:
        """Whether it took, or has taken, longer than it may."""
        return self.taken(now) > self.needed.days
