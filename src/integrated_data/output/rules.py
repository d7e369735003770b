"""The rules of disclosure control: each a short function of what is known of one cell.

Sources, by the short names used below:

- *Handbook*: Griffiths and others, Handbook on Statistical Disclosure Control for Outputs, Safe
  Data Access Professionals Working Group, version 1.0 (2019): tables, percentages, means.
- *ESSnet*: Brandt and others, Guidelines for the checking of output based on microdata research,
  ESSnet SDC (2010): the rules of thumb.
- *ABS*: Australian Bureau of Statistics, DataLab input and output clearance: rule of 10 for
  counts, percentages (numerator and denominator) and differences between tables.
- *Hundepool*: Hundepool and others, Statistical Disclosure Control (2012), chapter on magnitude
  tables: (n, k) dominance, p % rule, secondary suppression.
- *ACRO*: Smith and others, ACRO, a tool for semi-automated checking of outputs: its default limits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from integrated_data.model.evidence import CellEvidence, MeasureEvidence
from integrated_data.model.output import Outcome, ReleaseLimits


@dataclass(frozen=True)
class Rule:
    """One rule of a cell. `fails`: whether a cell breaks it; `threshold`: the limit, in words; `limits`: by name."""

    name: str
    fails: Callable[[CellEvidence, ReleaseLimits], bool]
    threshold: Callable[[ReleaseLimits], str]
    argument: str
    source: str
    outcome: Outcome = Outcome.WITHHOLD
    limits: tuple[str, ...] = ()


def minimum_people(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """Fewer people than the minimum, in the cell or behind one of its figures; none at all is a zero."""
    behind = [m for m in cell.measures if m.people or m.total]
    return cell.people < limits.minimum_people or any(m.people < limits.minimum_people for m in behind)


def remainder(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """A share whose other side is a few people: the base less the count gives them away."""
    return any(m.indicator and m.others > 0 and m.others_counted < limits.minimum_people for m in cell.measures)


def difference(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """Figures of one row that can be added and subtracted until a few people are left.

    Sums of one column are compared in pairs, person by person. Counts, and sums that share columns,
    are compared all together: each is a sum over the parts of the cell; if leaving the small parts
    out makes fewer of them independent, some combination of them is about small parts alone. Amounts
    that are all 0 or 1 are counts too. A cell of few people breaks the minimum, not this.
    """
    if cell.people < limits.minimum_people:
        return False
    if any(pair.apart > 0 and pair.counted < limits.minimum_people for pair in cell.close):
        return True
    return any(_isolates(cell, family, limits=limits) for family in _families(cell))


def _families(cell: CellEvidence) -> Iterator[tuple[int, ...]]:
    counts, *sums = cell.families or ((),)
    flags = [n for family in sums for n in family if cell.measures[n].indicator]
    yield tuple(dict.fromkeys((*counts, *flags)))
    yield from sums


def _isolates(cell: CellEvidence, family: Sequence[int], *, limits: ReleaseLimits) -> bool:
    """Whether some combination of the family's figures is about parts of too few people alone."""
    people: dict[tuple[bool, ...], int] = {}
    for part in cell.parts:
        adds = tuple(part.adds[n] for n in family)
        people[adds] = people.get(adds, 0) + part.counted
    large = [adds for adds, counted in people.items() if counted >= limits.minimum_people]
    return len(large) < len(people) and _rank(list(people)) > _rank(large)


def class_disclosure(cell: CellEvidence, limits: ReleaseLimits) -> bool:  # noqa: ARG001 - rules share a shape
    """A share of exactly 0 or 1, or one amount that everybody has: it tells about each of them."""
    return any(_shares_all(m) or _same_for_all(m) for m in cell.measures)


def dominance_nk(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """The largest n people make up share k of a total, or more."""
    return any(sum(m.top[: limits.dominance_people]) / m.total >= limits.dominance_share for m in _with_total(cell))


def p_ratio(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """What the others add, seen by the second largest, is too small to hide the largest."""
    return any(m.total - sum(m.top[:2]) < limits.p_ratio * m.top[0] for m in _with_total(cell))


def degrees_of_freedom(cell: CellEvidence, limits: ReleaseLimits, *, parameters: int = 0) -> bool:
    """People less estimated parameters, for a cell that states an interval."""
    return parameters > 0 and cell.people - parameters < limits.degrees_of_freedom


def tail(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """A quantile with fewer people than the minimum on one side of it: as good as the largest or the smallest."""
    return any(min(q.lower, q.upper) < limits.minimum_people for q in cell.quantiles)


def quantiles(cell: CellEvidence, limits: ReleaseLimits) -> bool:
    """A quantile that fewer people than the minimum could move, or that all but a few people have."""
    if minimum_people(cell, limits) or tail(cell, limits):  # withheld anyway
        return False
    return any(
        min(q.before, q.after) < q.unsure + q.most * limits.minimum_people or q.others < limits.minimum_people
        for q in cell.quantiles
    )


def negative_amounts(cell: CellEvidence, limits: ReleaseLimits) -> bool:  # noqa: ARG001 - rules share a shape
    """Amounts below zero: shares of a total mean little, so people look."""
    return any(m.negative for m in cell.measures)


def _rank(parts: Sequence[Sequence[bool]]) -> int:
    """How many counts are independent over these parts."""
    return int(np.linalg.matrix_rank(np.array(parts, dtype=float))) if parts else 0


def _with_total(cell: CellEvidence) -> Iterator[MeasureEvidence]:
    return (m for m in cell.measures if m.total > 0 and m.top)


def _shares_all(measure: MeasureEvidence) -> bool:
    return measure.indicator and (measure.total == 0 or measure.others == 0)


def _same_for_all(measure: MeasureEvidence) -> bool:
    return measure.lowest is not None and measure.lowest == measure.highest


#: Every rule of a cell, in the order in which it is reported.
CELL_RULES = (
    Rule(
        "minimum people", minimum_people, lambda limits: f"at least {limits.minimum_people} people",
        "Somebody who knows that a person is in a small cell learns the person's other characteristics; "
        "people are counted, not rows, since one person may have many.",
        "Handbook and ESSnet: at least 10 units in every cell", limits=("minimum_people",),
    ),
    Rule(
        "remainder", remainder, lambda limits: f"0 or at least {limits.minimum_people} on the other side",
        "A percentage with a known base states two counts, and both must be safe.",
        "Handbook; ABS: both numerator and denominator", limits=("minimum_people",),
    ),
    Rule(
        "difference", difference, lambda limits: f"by 0 or at least {limits.minimum_people} people",
        "Subtracting one figure from another gives a figure about the people they do not share.",
        "ESSnet: disclosure by differencing; ABS: no difference of fewer than 10", limits=("minimum_people",),
    ),
    Rule(
        "class disclosure", class_disclosure, lambda _: "no share of exactly 0 or 1, no amount that all have",
        "If everybody in a group has a characteristic, each member's is known whatever the group's size.",
        "ESSnet: group disclosure; Handbook: class disclosure",
    ),
    Rule(
        "dominance (n, k)", dominance_nk,
        lambda limits: f"the largest {limits.dominance_people} hold less than {limits.dominance_share:.0%}",
        "A total that one or two contributors make up is close to their value.",
        "Hundepool; ACRO: n = 2, k = 0.90", limits=("dominance_people", "dominance_share"),
    ),
    Rule(
        "p-ratio", p_ratio, lambda limits: f"the others make up at least {limits.p_ratio:.0%} of the largest",
        "The second-largest contributor can take its own value off the total and so estimate the largest.",
        "Hundepool (p % rule); ACRO: 0.10", limits=("p_ratio",),
    ),
    Rule(
        "tail", tail, lambda limits: f"at least {limits.minimum_people} people on either side of a quantile",
        "A quantile near the end of the order is as good as the largest or the smallest value.",
        "ESSnet and Handbook: percentiles near the maximum or minimum are unsafe", limits=("minimum_people",),
    ),
    Rule(
        "quantiles", quantiles,
        lambda limits: f"the rows of {limits.minimum_people} people with the same value on either side, and "
        f"{limits.minimum_people} people with another",
        "A median is the amount of one person or two, unless so many share it that no few of them could move it: round "
        "the amounts before they are put in order.",
        "Handbook and ESSnet: percentiles; ONS: rounded, with people on both sides",
        limits=("minimum_people",),
    ),
    Rule(
        "negative amounts", negative_amounts, lambda _: "no amount below zero, or people look",
        "Dominance rules are about shares of a total, and are not defined when amounts cancel.",
        "Hundepool; ACRO sends negative amounts to review", outcome=Outcome.REVIEW,
    ),
)  # fmt: skip

DEGREES_OF_FREEDOM = Rule(
    "degrees of freedom", degrees_of_freedom, lambda limits: f"at least {limits.degrees_of_freedom}",
    "An estimate with as many parameters as people repeats the data.",
    "Handbook and ESSnet: at least 10 residual degrees of freedom", limits=("degrees_of_freedom",),
)  # fmt: skip


def broken(cell: CellEvidence, limits: ReleaseLimits, *, parameters: int = 0) -> tuple[Rule, ...]:
    """The rules that a cell breaks. `parameters`: estimated in the cell where an interval is stated."""
    found = [rule for rule in CELL_RULES if rule.fails(cell, limits)]
    if degrees_of_freedom(cell, limits, parameters=parameters):
        found.append(DEGREES_OF_FREEDOM)
    return tuple(found)
