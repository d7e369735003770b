"""The rules of a fitted model: each a short function of what is known of the people behind it.

A coefficient is not a figure about one cell, so none is withheld alone: a model leaves whole or not at all. What
a model would give away as a table must be safe as one. Sources by the short names of `output/rules.py`, and
*Ritchie*: Ritchie, Disclosure detection in research environments in practice, UNECE work session on statistical
confidentiality (2007): linear regressions are safe but for few degrees of freedom and saturated models;
*Huber*: Huber, Robust Statistics (1981), section 7.2; *ACRO*: its rules for regressions and survival curves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from integrated_data.model.evidence import CellEvidence
from integrated_data.model.output import Cell, Finding, Outcome, ReleaseLimits
from integrated_data.output.rules import broken

#: Leverages above these: one to be looked at, and one to be avoided (Huber).
RISKY, TOO_MUCH = 0.2, 0.5

#: Share of a coefficient's precision beyond which a few people are all that it is about.
NOTHING_ELSE = 0.99


@dataclass(frozen=True)
class Model:
    """What is behind a model, for one unit of protection.

    `whole`: everybody in it; `categories`: the people of each category and combination that its terms name;
    `steps`: those of each step of a survival curve, whose last measure is the event. The first `outcomes`
    measures of a cell are its count and its outcome. `parameters`: 0 for a curve. `saturated`: a coefficient
    for each combination. `leverage`, `share`: see `site/estimating/influence.py`. `freedom`: the fewest degrees
    of freedom that the sample's design leaves, None without a design; `computed`: how many columns of the design
    are not a view's own.
    """

    whole: CellEvidence
    categories: Mapping[Cell, CellEvidence]
    steps: Mapping[Cell, CellEvidence]
    outcomes: int
    parameters: int = 0
    saturated: bool = False
    leverage: float = 0.0
    share: float = 0.0
    freedom: int | None = None
    computed: int = 0

    def figures(self) -> list[CellEvidence]:
        """Everybody and each category, with what is known of the outcome alone."""
        return [_of_outcome(cell, self.outcomes) for cell in (self.whole, *self.categories.values())]


@dataclass(frozen=True)
class ModelRule:
    """One rule of a model. `found`: what breaks it, nought passes; `reason`: for its author, with what would help."""

    name: str
    found: Callable[[Model, ReleaseLimits], int]
    reason: str
    argument: str
    source: str
    outcome: Outcome
    threshold: Callable[[ReleaseLimits], str] = lambda _: "none"
    limits: tuple[str, ...] = ()


def few_people(model: Model, limits: ReleaseLimits) -> int:
    """Fewer people than the minimum in all, or in a category that a term names."""
    cells = (model.whole, *model.categories.values())
    return sum(1 for cell in cells if cell.people < limits.minimum_people)


def degrees_of_freedom(model: Model, limits: ReleaseLimits) -> int:
    """People less parameters, of a model that has parameters."""
    left = model.whole.people - model.parameters
    return int(model.parameters > 0 and left < limits.degrees_of_freedom)


def table_of_means(model: Model, limits: ReleaseLimits) -> int:
    """Cells of the table that a saturated model, or the whole curve of a group, repeats, if they break a rule."""
    repeats = model.saturated or not model.parameters
    return _unsafe(model, limits) if repeats else 0


def adjusted_outcomes(model: Model, limits: ReleaseLimits) -> int:
    """The same of a model whose coefficients are adjusted for each other."""
    repeats = model.saturated or not model.parameters
    return 0 if repeats else _unsafe(model, limits)


def single_person(model: Model, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """One person determines more than half of their own fitted values."""
    return int(model.leverage > TOO_MUCH)


def influential_person(model: Model, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """One person's leverage is large enough to be looked at."""
    return int(RISKY < model.leverage <= TOO_MUCH)


def about_a_few(model: Model, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """A coefficient that is about fewer people than the minimum and nobody else."""
    return int(model.share > NOTHING_ELSE)


def mostly_about_a_few(model: Model, limits: ReleaseLimits) -> int:
    """A coefficient of which fewer people than the minimum make up more than they would of a category of as many."""
    most = (limits.minimum_people - 1) / limits.minimum_people
    return int(most + 1e-9 < model.share <= NOTHING_ELSE)


def steps(model: Model, limits: ReleaseLimits) -> int:
    """Steps of a curve with too few people, too few events, or a few censored."""
    return sum(1 for cell in model.steps.values() if _is_small_step(cell, limits))


def few_units(model: Model, limits: ReleaseLimits) -> int:
    """Too few sampling units behind a standard error."""
    return int(model.freedom is not None and model.freedom < limits.degrees_of_freedom)


def computed_design(model: Model, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Weights, strata or clusters that the query makes up."""
    return model.computed


def _is_small_step(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    event = cell.measures[1]
    few_censored = event.others > 0 and event.others_counted < limits.minimum_people
    return min(cell.people, event.people) < limits.minimum_people or few_censored


def _unsafe(model: Model, limits: ReleaseLimits) -> int:
    """Cells whose outcome could not be released as a figure; those of too few people are counted elsewhere."""
    cells = [cell for cell in model.figures() if cell.people >= limits.minimum_people]
    return sum(1 for c in cells if any(rule.outcome is Outcome.WITHHOLD for rule in broken(c, limits)))


def _of_outcome(cell: CellEvidence, outcomes: int) -> CellEvidence:
    """What is known of a cell but for its covariates, of which no figure is published."""
    families = tuple(tuple(n for n in family if n < outcomes) for family in cell.families)
    close = tuple(pair for pair in cell.close if max(pair.first, pair.second) < outcomes)
    return replace(cell, measures=cell.measures[:outcomes], close=close, families=families)


_AT_LEAST = "at least {} people"

#: Of means and totals too, whose cells are held to the rules of cells besides.
DESIGN_RULES = (
    ModelRule(
        "few sampling units", few_units,
        "Too few sampling units are behind a standard error, which nearly tells a unit's own; people look",
        "With two units, a standard error is the distance of either from their mean: of one person, where the unit is.",
        "ESSnet: at least 10 residual degrees of freedom",
        Outcome.REVIEW, lambda limits: f"at least {limits.degrees_of_freedom}", ("degrees_of_freedom",),
    ),
    ModelRule(
        "computed design", computed_design,
        "The weights, strata or clusters are computed in the query; people look, or take a dataset's own columns",
        "Standard errors under two divisions into units differ by what those are worth who changed their unit.",
        "the same as differencing: ESSnet", Outcome.REVIEW,
    ),
)  # fmt: skip

MODEL_RULES = (
    ModelRule(
        "model of few people", few_people,
        "Too few people are in the model, or in a category or combination that it names; merge categories",
        "The coefficient of a category of a few people is about them, and so is a difference of two coefficients.",
        "Handbook: regressions on a few units, and dummy variables as tables; ESSnet: at least 10 units",
        Outcome.REFUSE, lambda limits: _AT_LEAST.format(limits.minimum_people), ("minimum_people",),
    ),
    ModelRule(
        "model degrees of freedom", degrees_of_freedom,
        "The model has nearly as many coefficients as people; ask for a smaller model",
        "An estimate with as many parameters as people repeats the data.",
        "Ritchie; ESSnet: at least 10 residual degrees of freedom; ACRO: 10",
        Outcome.REFUSE, lambda limits: f"at least {limits.degrees_of_freedom}", ("degrees_of_freedom",),
    ),
    ModelRule(
        "saturated model", table_of_means,
        "Its coefficients repeat a table of its outcome, of which cells break a rule for tables; merge categories",
        "A model with a coefficient for each combination of its categories states each combination's mean.",
        "Ritchie: saturated models are tables; Handbook",
        Outcome.REFUSE, lambda _: "every cell passes the rules of a cell", ("minimum_people", "dominance_share"),
    ),
    ModelRule(
        "outcome of a few", adjusted_outcomes,
        "The outcome of a category rests on a few people, or is the same for all of it; people look",
        "Equations of a model tie each category's fitted outcome to what was observed in it, so that a coefficient is "
        "near to what a table would withhold; how near depends on what else the model adjusts for.",
        "Handbook: dummy variables; McCullagh and Nelder, Generalized Linear Models (1989), section 2.2",
        Outcome.REVIEW, lambda _: "every category passes the rules of a cell", ("minimum_people", "dominance_share"),
    ),
    ModelRule(
        "leverage", single_person,
        "One person determines the model's fit to their own values; take logarithms, top-code, or leave out a column",
        "A fitted surface that goes through one person's value tells it.",
        "Huber: leverages above 0.5 are to be avoided", Outcome.REFUSE, lambda _: f"at most {TOO_MUCH}",
    ),
    ModelRule(
        "influential person", influential_person,
        "One person weighs much in the model's fit; people look",
        "Where one person's leverage is large, the fit near them is nearly theirs.",
        "Huber: leverages between 0.2 and 0.5 are risky", Outcome.REVIEW, lambda _: f"at most {RISKY}",
    ),
    ModelRule(
        "coefficient of a few", about_a_few,
        "A coefficient is about fewer people than the minimum and nobody else; leave that column out, or coarsen it",
        "A column that is the same for all but a few people is a dummy variable for them, whatever its numbers are.",
        "Handbook: dummy variables; partial leverage: Velleman and Welsch (1981)",
        Outcome.REFUSE, lambda limits: f"{limits.minimum_people - 1} people make up at most {NOTHING_ELSE:.0%}",
        ("minimum_people",),
    ),
    ModelRule(
        "coefficient mostly of a few", mostly_about_a_few,
        "A coefficient is mostly about fewer people than the minimum; people look",
        "In a category of as many people as the minimum all but one make up that share; a coefficient that rests on "
        "as few is no better hidden.",
        "Handbook: dummy variables; partial leverage: Velleman and Welsch (1981)",
        Outcome.REVIEW,
        lambda limits: f"{limits.minimum_people - 1} people make up at most "
        f"{(limits.minimum_people - 1) / limits.minimum_people:.0%}", ("minimum_people",),
    ),
    ModelRule(
        "survival steps", steps,
        "A step of the curve is about too few people; ask for wider steps, or more events in each (step)",
        "A step is a cell of those who left at that time: those with the event, and those censored.",
        "Handbook: survival curves as tables; ACRO: rounded survival curves",
        Outcome.REFUSE,
        lambda limits: f"at least {limits.minimum_people} events, and 0 or as many censored", ("minimum_people",),
    ),
    *DESIGN_RULES,
)  # fmt: skip


def model_findings(model: Model, limits: ReleaseLimits, *, rules: Sequence[ModelRule] = MODEL_RULES) -> list[Finding]:
    """What the rules say of a model."""
    counted = [(rule, rule.found(model, limits)) for rule in rules]
    return [Finding(rule.name, rule.outcome, rule.reason, count) for rule, count in counted if count]
