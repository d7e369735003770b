"""An estimate: a model that the service fits itself over the rows of a query."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

#: Where a result's schema says what the check must know of the model, as JSON: `sets` of columns with few
#: values, by term; `numbers`, columns with many; `flag`, whether the outcome is true or false; `parameters`,
#: `saturated`; `edges` of a curve's steps.
METADATA = b"estimate"


class Estimator(StrEnum):
    """What is fitted."""

    MEAN = "mean"
    TOTAL = "total"
    LINEAR = "linear"
    LOGISTIC = "logistic"
    POISSON = "poisson"
    KAPLAN_MEIER = "kaplan-meier"
    COX = "cox"

    @property
    def grouped(self) -> bool:
        """Whether its result is a table with a row for each group."""
        return self in (Estimator.MEAN, Estimator.TOTAL)

    @property
    def survival(self) -> bool:
        """Whether its outcome is a time and whether the event happened."""
        return self in (Estimator.KAPLAN_MEIER, Estimator.COX)


@dataclass(frozen=True)
class Estimate:
    """Which model, over the columns of a query's result.

    `formula`: see `vocabulary/formula.py`. `weights`, `stratum`, `cluster`: columns that say how a sample
    was drawn, empty where they do not apply; with any of them intervals are design-based. `level` of the
    intervals. `width`: of the steps of a survival curve in units of its time, 0 for a twentieth of the
    longest; `step`: fewest events of a step.
    """

    estimator: Estimator
    formula: str
    weights: str = ""
    stratum: str = ""
    cluster: str = ""
    level: float = 0.95
    width: float = 0.0
    step: int = 10

    @property
    def design(self) -> tuple[str, ...]:
        """The columns that say how the sample was drawn."""
        return tuple(c for c in (self.weights, self.stratum, self.cluster) if c)

    def told(self) -> dict[str, Any]:
        """As plain values, what is as always left out."""
        plain = asdict(Estimate(self.estimator, self.formula))
        return {k: v for k, v in asdict(self).items() if k in ("estimator", "formula") or v != plain[k]}


@dataclass(frozen=True)
class Fit:
    """An estimate to be made. `unit`, of the check alone: the column that says whose each row is.

    With a `unit` it is not the estimate that comes back, but how much of it rests on one person and on `few`.
    """

    estimate: Estimate
    unit: str = ""
    few: int = 0


def of_told(told: Mapping[str, Any]) -> Estimate:
    """An estimate from plain values, as `Estimate.told` writes them."""
    return Estimate(**{**told, "estimator": Estimator(told["estimator"])})
