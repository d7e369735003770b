"""The automatic lane: when it is open, and to whom; and how often it erred, as a sample of it tells.

A stop or an opt-out takes effect at once: on a table that is checked afterwards, which goes to people and
says why, and on one that was checked before, which does not leave until it is asked for again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from scipy.special import betaincinv

from integrated_data.control import lanes
from integrated_data.control.store import Store
from integrated_data.model.agreement import Agreement
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.lane import LaneRule, Ruled, Sample, Verdict
from integrated_data.model.output import Finding, Outcome

#: Rules of findings that say nothing of the table: a reviewer sees all of them as one, `UNNAMED`.
STOPPED, OPTED_OUT, FIRST = "automatic lane", "owner's choice", "drawn for review"

#: What a reviewer sees instead of why the lane did not take a table. One that left already shows the same.
UNNAMED = Finding(
    "for people", Outcome.REVIEW,
    "No rule speaks against it: it was drawn, the automatic lane is stopped, or an owner of its data asks for people",
)  # fmt: skip

LEVEL = 0.95


def check_rule(rule: LaneRule) -> None:
    """Refuse shares that are none, and days that are not whole and positive."""
    if not (0 <= rule.share <= 1 and 0 <= rule.first < 1 and rule.days >= 1):
        raise OutputRefusal(
            "These settings of the automatic lane cannot be meant",
            next_step="Give shares between 0 and 1, and at least one day",
        )


def set_rule(store: Store, rule: LaneRule, *, by: str, reason: str) -> Ruled:
    """Put a rule of the automatic lane in force; returns it as it is on record."""
    check_rule(rule)
    if not reason.strip():
        raise OutputRefusal("The automatic lane is changed for a reason", next_step="Give a reason")
    lanes.put_rule(store, rule, by=by, reason=reason.strip())
    with store.read() as connection:
        return lanes.rule(connection)


def against(store: Store, datasets: Sequence[str], *, agreed: Iterable[Agreement]) -> list[Finding]:
    """Why the lane does not take tables of these datasets now. `agreed`: what their owners agreed to."""
    with store.read() as connection:
        rule, out = lanes.rule(connection).rule, lanes.opted_out(connection)
    found = []
    if not rule.open:
        found.append(Finding(STOPPED, Outcome.REVIEW, "The automatic lane is stopped: people decide about everything"))
    terms = [a for a in agreed if not a.conditions.automatic]
    asking = sorted({*(a.dataset for a in terms), *(d for d in {*datasets, *(a.dataset for a in agreed)} if d in out)})
    if asking:
        reason = f"The owner of {', '.join(asking)} asks that people decide about every table of it"
        found.append(Finding(OPTED_OUT, Outcome.REVIEW, reason))
    return found


def first(rule: LaneRule, draw: float) -> list[Finding]:
    """What sends a request that could leave at once to people before it does, where its draw is below the share."""
    if draw >= rule.first:
        return []
    return [Finding(FIRST, Outcome.REVIEW, "It was drawn from those that could leave at once: people look first")]


def check_open(request: str, found: Sequence[Finding]) -> None:
    """Refuse to release by the automatic lane what it does not take any more; `found` as `against` says."""
    if found:
        raise OutputRefusal(
            f"Request {request} does not leave by itself",
            why="; ".join(f.reason for f in found),
            next_step="Ask for it again with --change, so that people review it",
        )


def for_reviewers(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of a request in review as its reviewers see them: not why the lane did not take it."""
    own = [f for f in findings if f.rule not in (STOPPED, OPTED_OUT, FIRST, UNNAMED.rule)]
    doubted = any(f.outcome in (Outcome.REVIEW, Outcome.REFUSE) for f in own)
    return (*own,) if doubted else (*own, UNNAMED)


@dataclass(frozen=True)
class LaneErrors:
    """What the sample tells of the automatic lane: `errors` of `checked` releases should not have left.

    `returned`: sent back with a question, so neither. `low`, `high`: the exact 95 % interval of the error
    rate (Clopper and Pearson, 1934). No open check is counted: how many there are would tell of them.
    """

    released: int
    checked: int
    errors: int
    returned: int
    rate: float | None
    low: float
    high: float

    def told(self) -> Mapping[str, float | int | None]:
        """The same as plain values."""
        return asdict(self)


def errors(samples: Iterable[Sample], *, released: int) -> LaneErrors:
    """The error rate of the automatic lane. `released`: tables that it has released in all."""
    verdicts = [s.verdict for s in samples]
    wrong = verdicts.count(Verdict.UNSOUND)
    checked = wrong + verdicts.count(Verdict.SOUND)
    low, high = clopper_pearson(wrong, checked)
    rate = wrong / checked if checked else None
    return LaneErrors(released, checked, wrong, verdicts.count(Verdict.RETURNED), rate, low, high)


def clopper_pearson(found: int, of: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson, 1934); nought to one where nothing was looked at."""
    tail = (1 - level) / 2
    low = float(betaincinv(found, of - found + 1, tail)) if found else 0.0
    high = float(betaincinv(found + 1, of - found, 1 - tail)) if found < of else 1.0
    return low, high
