"""Freezing words: a dataset or a person that nothing is done with until somebody entitled thaws it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Frozen(StrEnum):
    """What can be frozen."""

    DATASET = "dataset"
    PERSON = "person"


@dataclass(frozen=True)
class Freeze:
    """One freeze that stands. `reason` is for who may list freezes, not for who is refused."""

    number: int
    kind: Frozen
    subject: str
    by: str
    reason: str
    at: datetime

    @property
    def told(self) -> str:
        """What somebody is told who is refused because of it."""
        what = f"Dataset {self.subject} is" if self.kind is Frozen.DATASET else f"The access of {self.subject} is"
        return f"{what} frozen since {self.at:%Y-%m-%d %H:%M} UTC (freeze {self.number})"

    @property
    def change(self) -> str:
        """What would turn the refusal."""
        return f"Wait until it is thawed by somebody entitled: ids thaw {self.kind.value} {self.subject}"
