"""What a rule of the decision looks at, and what it answers."""

from datetime import date
from typing import NamedTuple

from integrated_data.model.access import AccessRequest, Person, Project, Reason, Rule, World


class Case(NamedTuple):
    """What every rule looks at: the request, the facts found for it, and the day."""

    request: AccessRequest
    world: World
    person: Person | None
    project: Project | None
    day: date


class About(NamedTuple):
    """A rule and what it was asked of, about to be answered."""

    rule: Rule
    subject: str

    def holds(self, text: str, *, until: date | None = None) -> Reason:
        """A finding for; `until` is the last day it is true."""
        return Reason(self.rule, self.subject, text, "", until)

    def fails(self, text: str, change: str) -> Reason:
        """A finding against; `change` says what would turn it."""
        return Reason(self.rule, self.subject, text, change)
