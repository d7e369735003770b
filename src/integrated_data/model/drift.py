"""Drift: how a delivery differs from its contract and from the deliveries before it, and what becomes of it."""

from dataclasses import dataclass
from enum import StrEnum


class DriftKind(StrEnum):
    """In what a delivery has drifted."""

    NEW = "new"  # a column that the contract does not know
    MISSING = "missing"  # a column of the contract that was not delivered
    RESPELLED = "respelled"  # a column's name in other case, blanks or punctuation
    RENAMED = "renamed"  # a column under another name, known by its name's likeness and its values
    RETYPED = "retyped"  # most values of a column are of another type, or written in another way
    CODES = "codes"  # a code list has codes that it never had, or lacks codes that it always had
    SHIFTED = "shifted"  # a column's values are spread otherwise


class Policy(StrEnum):
    """What becomes of a delivery that has drifted."""

    EVOLVE = "evolve"  # it goes on, and the contract follows it under a new version
    HOLD = "hold"  # it waits for a steward; once accepted, the contract follows it
    REFUSE = "refuse"


#: What holds where a contract says nothing: what only adds goes on, what may mean something else waits, what
#: breaks is refused.
DEFAULTS: dict[DriftKind, Policy] = {
    DriftKind.NEW: Policy.EVOLVE, DriftKind.MISSING: Policy.REFUSE, DriftKind.RESPELLED: Policy.EVOLVE,
    DriftKind.RENAMED: Policy.HOLD, DriftKind.RETYPED: Policy.HOLD, DriftKind.CODES: Policy.HOLD,
    DriftKind.SHIFTED: Policy.HOLD,
}  # fmt: skip

#: Kinds that a delivery which is a part of its table shows by nature: there, they are told and go on.
OF_WHOLES = frozenset({DriftKind.CODES, DriftKind.SHIFTED})


@dataclass(frozen=True)
class Drifted:
    """One thing in which a delivery has drifted.

    `column`: as the supplier calls it; `told`: a clause that holds names of columns and counts, and no value;
    `policy`: what becomes of it.
    """

    kind: DriftKind
    column: str
    told: str
    policy: Policy
