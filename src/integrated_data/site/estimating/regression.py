"""Linear, logistic and Poisson regression (statsmodels), with design-based intervals where a design is given.

Without a design: least squares with Student's t; maximum likelihood with the normal distribution. With weights,
strata or clusters: estimating equations weighted to the population and the covariance by linearisation
(Binder, On the variances of asymptotically normal estimators from complex surveys, International Statistical
Review 51, 1983), with primary sampling units less strata less coefficients plus one degrees of freedom, as
`svyglm` of R's survey package has them.

Columns: `term`, `estimate`, `estimate_low`, `estimate_high`, `std_error`, `p_value`, `n` rows, `events` where the
outcome counts, `residual_freedom`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from integrated_data.model.estimate import Estimate, Estimator
from integrated_data.model.query import Failure
from integrated_data.site.estimating.matrix import Matrix, matrix_of
from integrated_data.site.estimating.sample import Floats, Sample, Unfit

#: A probability nearer to 0 or 1 says that a column tells the outcome outright.
NEAR = 1e-8

_FAMILIES = {
    Estimator.LINEAR: families.Gaussian, Estimator.LOGISTIC: families.Binomial, Estimator.POISSON: families.Poisson,
}  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """A regression. `inverse`: of the weighted cross products of the matrix; `weights`: of each row in those."""

    matrix: Matrix
    parameters: Floats
    outcome: Floats
    mean: Floats
    inverse: Floats
    weights: Floats


def fit(sample: Sample, estimate: Estimate) -> tuple[pa.Table, dict[str, Any]]:
    """The table of coefficients."""
    fitted = fitted_of(sample, estimate)
    size, columns = fitted.matrix.values.shape
    covariance, freedom = _covariance(fitted, sample, estimate=estimate)
    by_t = sample.designed or estimate.estimator is Estimator.LINEAR
    law = stats.t(max(freedom, 1)) if by_t else stats.norm
    errors = np.sqrt(np.diag(covariance))
    figures: dict[str, Any] = coefficients(
        fitted.matrix.terms, fitted.parameters, errors=errors, law=law, level=estimate.level
    )
    figures["n"] = [size] * columns
    if estimate.estimator is not Estimator.LINEAR:
        figures["events"] = [float(fitted.outcome.sum())] * columns
    figures["residual_freedom"] = [freedom] * columns
    return pa.table(figures), {"parameters": columns, "saturated": fitted.matrix.saturated}


def fitted_of(sample: Sample, estimate: Estimate) -> Fitted:
    """The regression itself."""
    matrix, outcome = matrix_of(sample), outcome_of(sample, estimate)
    offset = None if sample.formula.offset is None else sample.number(sample.formula.offset)
    model = GLM(
        outcome, matrix.values, family=_FAMILIES[estimate.estimator](), freq_weights=sample.weights, offset=offset
    )
    try:
        result = model.fit(maxiter=100, tol=1e-12, tol_criterion="deviance")
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        raise Unfit(Failure.UNCONVERGED) from None
    mean = np.asarray(result.mu, np.float64)
    likely = estimate.estimator is not Estimator.LOGISTIC or bool((mean > NEAR).all() and (mean < 1 - NEAR).all())
    if not result.converged or not np.isfinite(result.params).all() or not likely:
        raise Unfit(Failure.UNCONVERGED)
    weights = sample.weights * np.asarray(model.family.variance(mean), np.float64)
    inverse: Floats = np.linalg.inv(matrix.values.T @ (matrix.values * weights[:, None])).astype(np.float64)
    return Fitted(matrix, np.asarray(result.params, np.float64), outcome, mean, inverse, weights)


def outcome_of(sample: Sample, estimate: Estimate) -> Floats:
    """The outcome as numbers that the estimator takes."""
    factor = sample.formula.outcome[0]
    outcome = sample.number(factor)
    wrong = {
        Estimator.LOGISTIC: not np.isin(outcome, (0.0, 1.0)).all(),
        Estimator.POISSON: bool((outcome < 0).any()),
    }  # fmt: skip
    if wrong.get(estimate.estimator, False):
        raise Unfit(Failure.VALUES, factor.column)
    return outcome


def coefficients(
    terms: tuple[str, ...], estimates: Floats, *, errors: Floats, law: Any, level: float
) -> dict[str, Any]:
    """Columns about coefficients: intervals and two-sided p-values by a law of the standard form."""
    reach = law.ppf(0.5 + level / 2) * errors
    return {
        "term": list(terms), "estimate": estimates, "estimate_low": estimates - reach,
        "estimate_high": estimates + reach, "std_error": errors,
        "p_value": 2 * law.sf(np.abs(estimates) / errors),
    }  # fmt: skip


def _covariance(fitted: Fitted, sample: Sample, *, estimate: Estimate) -> tuple[Floats, int]:
    """The covariance of the coefficients, and the degrees of freedom that are left."""
    values, residual = fitted.matrix.values, fitted.outcome - fitted.mean
    size, columns = values.shape
    if sample.designed:
        scores = values * (sample.weights * residual)[:, None] @ fitted.inverse
        return sample.spread(scores), sample.freedom() + 1 - columns
    scale = float(residual @ residual) / (size - columns) if estimate.estimator is Estimator.LINEAR else 1.0
    return scale * fitted.inverse, size - columns
