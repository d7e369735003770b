"""People words: organisations, roles, and what is done with the service."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody does in the service; a person may have several roles."""

    SUPPLIER = "supplier"
    ENGINEER = "engineer"
    STEWARD = "steward"
    ANALYST = "analyst"
    APPROVER = "approver"
    OUTPUT_CHECKER = "output checker"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What is done with the service; which roles may do it is said in `approve/roles.py`."""

    LOOK = "look at the catalogue"
    DELIVER = "deliver"
    SEE_FEEDS = "see feeds"
    INDEX = "feed and look after the indexes"
    MATCH = "match a file"
    REVIEW_LINKS = "review links"
    SEE_REJECTS = "see where rows were rejected"
    CANCEL = "stop a load or another job"
    SEE_LINEAGE = "see what every step read and made"
    SEE_QUARANTINE = "see quarantined rows"
    ROLL = "take a table to another release"
    SETTLE_LOADS = "settle held loads and withheld columns"
    AGREE = "write agreements down"
    APPLY = "apply for projects"
    SEE_PROJECTS = "see projects and agreements"
    DECIDE = "decide projects"
    CLOSE = "close projects"
    QUERY = "query"
    REQUEST_OUTPUT = "ask for outputs"
    SEE_OUTPUTS = "see what was asked to leave"
    CHECK_OUTPUTS = "review and revoke outputs"
    RULE_LANE = "stop, start and set the automatic lane"
    OPT_OUT = "decide for an owner what may leave by itself"
    ADMINISTER = "administer people and organisations"
    OWN_ACCOUNT = "look after their own sign-in"
    VERIFY = "verify the audit chain"
    AUDIT = "ask who did what"
    SEE_USES = "see every use of data"
    FREEZE = "freeze datasets and people"
    THAW = "thaw what is frozen"
    SEE_FREEZES = "see what is frozen"
    SEE_TO_RIGHTS = "see to people's rights"
    OPERATE = "run the installation"


@dataclass(frozen=True)
class Organisation:
    """A body that hands in data or uses them, by the name that people and agreements give it."""

    name: str
    suspended: bool = False
