"""Every rule that an output is held to, in one list: what it asks, of which limit, set by whom, why and after whom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from integrated_data.model.output import Outcome, ReleaseLimits
from integrated_data.output.limits import HeldTo
from integrated_data.output.model_rules import MODEL_RULES
from integrated_data.output.rules import CELL_RULES, DEGREES_OF_FREEDOM
from integrated_data.output.table_rules import TABLE_RULES


@dataclass(frozen=True)
class Principle:
    """A rule that is kept where a query is read, tables are protected or releases are compared."""

    name: str
    outcome: Outcome
    argument: str
    source: str
    threshold: Callable[[ReleaseLimits], str] = lambda _: "none"
    limits: tuple[str, ...] = ()


PRINCIPLES = (
    Principle(
        "shape", Outcome.REVIEW,
        "Only of a query whose every row and figure can be followed is it known who is behind its cells.",
        "Handbook: outputs whose making is not understood are not safe",
    ),
    Principle(
        "extremes", Outcome.REFUSE, "A largest or smallest value, or any picked one, is what one person is worth.",
        "ESSnet: maxima and minima are unsafe",
    ),
    Principle(
        "secondary suppression", Outcome.WITHHOLD, "Withheld cells must not follow from totals.",
        "Fischetti and Salazar (2001); Hundepool",
        lambda limits: f"no withheld count confined to within {limits.minimum_people}, "
        f"no amount to within {limits.p_ratio:.0%}", ("minimum_people", "p_ratio"),
    ),
    Principle(
        "rounding", Outcome.WITHHOLD, "A rounded count differs from another by more than the people between them.",
        "Handbook: rounding as a protection; ONS", lambda limits: f"counts to a multiple of {limits.rounding}",
        ("rounding",),
    ),
    Principle(
        "difference between releases", Outcome.REFUSE,
        "Subtracting one table from another gives a table about the people they do not share.",
        "ESSnet: disclosure by differencing; ABS: no difference of fewer than 10",
        lambda limits: f"by 0 or at least {limits.minimum_people} people", ("minimum_people",),
    ),
    Principle(
        "class between releases", Outcome.REVIEW,
        "The same people under two conditions all meet both, which neither table says by itself.",
        "Hundepool and others (2012): group disclosure",
    ),
)  # fmt: skip


def rule_rows(limits: HeldTo) -> list[dict[str, str]]:
    """The rules in the order in which they are reported, with the threshold in force and who set it."""
    return [
        {
            "rule": rule.name, "outcome": str(rule.outcome), "threshold": rule.threshold(limits),
            "set_by": limits.sources(rule.limits) if rule.limits else "", "argument": rule.argument,
            "source": rule.source,
        }
        for rule in _rules()
    ]  # fmt: skip


def limit_rows(limits: HeldTo) -> list[dict[str, object]]:
    """The limits in force by name, as agreements and projects write them, and who set each."""
    return [{"limit": name, "value": getattr(limits, name), "set_by": who} for name, who in limits.set_by.items()]


def _rules() -> Iterator["Principle"]:
    for rule in (*CELL_RULES, DEGREES_OF_FREEDOM, *TABLE_RULES, *MODEL_RULES):
        yield Principle(rule.name, rule.outcome, rule.argument, rule.source, rule.threshold, rule.limits)
    yield from PRINCIPLES
