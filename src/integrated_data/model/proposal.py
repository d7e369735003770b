"""What is proposed for an unsafe request, and the form in which it then leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The finding that says in which form a request's tables leave instead of as they were asked for.
ACCEPTED = "accepted form"


@dataclass(frozen=True)
class Form:
    """How results leave instead of as they were asked for: other queries, by the id of the one that each replaces;
    counts rounded to a base (0: not), `additive` such that the rounded table adds up; `hidden`: cells that are to be
    withheld for the sake of others, by their keys' SQL and values. `what` was done, in words.
    """

    sql: Mapping[str, str] = field(default_factory=dict)
    rounding: int = 0
    additive: bool = False
    hidden: tuple[tuple[tuple[str, str | None], ...], ...] = ()
    what: str = ""


@dataclass(frozen=True)
class Proposal:
    """One way of making a request safe. `loss`: share of the people of its finest cells whose place is not told.

    Of a withheld cell it is all of them; of a group of m values 1 − 1/m; of a rounded count what it was
    rounded by. `cells` would leave, `withheld` would not. `review`: people would still have to look at it.
    """

    id: str
    what: str
    loss: float
    cells: int
    withheld: int
    review: bool
    form: Form = field(default_factory=Form)
