"""Weighted means and totals by group, with design-based intervals.

A mean is the ratio Σwy / Σw; its variance is that of the linearised values w (y − mean) / Σw, a total's that of
w y, over the whole sample of which the group is a domain (Lumley, Complex Surveys, 2010, chapters 2 and 3).
Intervals by Student's t with as many degrees of freedom as the group has primary sampling units less strata
(Korn and Graubard, Analysis of Health Surveys, 1999, section 5.2).

Columns: one for each column of the formula's right side, then `n` rows, `estimate`, `estimate_low`,
`estimate_high`, `std_error`, `freedom`.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from integrated_data.model.estimate import Estimate, Estimator
from integrated_data.site.estimating.sample import Floats, Ints, Sample

#: Groups of one table.
MOST_GROUPS = 1_000


def fit(sample: Sample, estimate: Estimate) -> tuple[pa.Table, dict[str, Any]]:
    """The table of means or totals, groups in order."""
    of, shown = groups_of(sample)
    outcome = sample.number(sample.formula.outcome[0])
    groups = int(of.max()) + 1
    n = np.bincount(of, minlength=groups)
    wy, w = (np.bincount(of, weights=v, minlength=groups).astype(np.float64)
             for v in (sample.weights * outcome, sample.weights))  # fmt: skip
    is_mean = estimate.estimator is Estimator.MEAN
    value: Floats = wy / w if is_mean else wy
    scores = sample.weights * (outcome - value[of]) / w[of] if is_mean else sample.weights * outcome
    errors, freedom = np.zeros(groups), np.zeros(groups, np.int64)
    for group in range(groups):
        inside = of == group
        errors[group] = np.sqrt(max(0.0, float(sample.spread(np.where(inside, scores, 0.0)[:, None])[0, 0])))
        freedom[group] = sample.freedom(inside)
    low, high = interval(value, errors, freedom=freedom, level=estimate.level)
    figures = {"n": n, "estimate": value, "estimate_low": low, "estimate_high": high, "std_error": errors}
    told = {name: pa.array(v, mask=~np.isfinite(v)) for name, v in figures.items()}
    return pa.table({**shown, **told, "freedom": freedom}), {}


def groups_of(sample: Sample) -> tuple[Ints, dict[str, pa.Array]]:
    """Of each row its group from 0, and the groups' values by column; one group where the formula names none."""
    columns = [f.column for f in sample.formula.factors]
    if not columns:
        return np.zeros(sample.size, np.int64), {}
    coded = [sample.category(column, most=MOST_GROUPS) for column in columns]
    sizes = tuple(len(levels) for _, levels in coded)
    places = np.ravel_multi_index(tuple(codes for codes, _ in coded), sizes)
    found, of = np.unique(places, return_inverse=True)
    at = np.unravel_index(found, sizes)
    shown = {c: levels.take(pa.array(at[n])) for n, (c, (_, levels)) in enumerate(zip(columns, coded, strict=True))}
    return of.astype(np.int64), shown


def interval(value: Floats, errors: Floats, *, freedom: Ints, level: float) -> tuple[Floats, Floats]:
    """Both ends by Student's t; not a number where no degree of freedom is left."""
    reach = stats.t.ppf(0.5 + level / 2, np.where(freedom > 0, freedom, np.nan)) * errors
    return value - reach, value + reach
