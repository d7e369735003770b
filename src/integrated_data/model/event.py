"""What is written to the audit chain."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One thing that happened: who did what to which subject, with facts that are never personal data."""

    action: str  # e.g. "delivery.landed", "query.run", "output.released"
    actor: str  # a person's or process's identifier in the service
    subject: str  # what it happened to, e.g. "dataset/pay", "project/P1"
    facts: dict[str, Any] = field(default_factory=dict)
