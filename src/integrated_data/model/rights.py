"""What somebody may ask of data about them, as the law of data protection names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Everything, where a scope names no dataset or no purpose.
ALL = "*"


class Right(StrEnum):
    """A right of the person whom data are about."""

    ACCESS = "access"
    RECTIFY = "rectify"
    OBJECT = "object"
    ERASE = "erase"


#: Where each is written (UK GDPR; the numbers are those of Regulation (EU) 2016/679).
ARTICLES: Mapping[Right, str] = {
    Right.ACCESS: "article 15",
    Right.RECTIFY: "article 16",
    Right.OBJECT: "article 21",
    Right.ERASE: "article 17",
}


@dataclass(frozen=True)
class Scope:
    """What an objection is about: a dataset, a purpose, or with `ALL` each of them."""

    dataset: str = ALL
    purpose: str = ALL

    def holds(self, *, datasets: frozenset[str], purpose: str) -> bool:
        """Whether it reaches a use, for a purpose, of something made from these datasets."""
        return (self.dataset == ALL or self.dataset in datasets) and self.purpose in (ALL, purpose)


@dataclass(frozen=True)
class Asked:
    """A request that was written down. `found`: whether the service knows surely whom it is about."""

    number: int
    right: Right
    index: str
    found: bool
    by: str
    at: str
    scope: Scope
    state: str  # waiting, running, failed, done

    @property
    def id(self) -> str:
        """How people call it."""
        return f"R-{self.number}"

    @property
    def job(self) -> str:
        """The job that does it."""
        return f"right/{self.number}"

    def told(self) -> dict[str, Any]:
        """As a list shows it: nothing of whom it is about."""
        return {
            "request": self.id, "right": str(self.right), "article": ARTICLES[self.right], "state": self.state,
            "found": self.found, "asked_by": self.by, "asked_at": self.at[:10],
            "dataset": self.scope.dataset, "purpose": self.scope.purpose,
        }  # fmt: skip
