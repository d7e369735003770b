"""Survival: Kaplan–Meier curves at steps of many events, and Cox regression (statsmodels).

A curve is computed from every exact time (Kaplan and Meier, Journal of the American Statistical Association 53,
1958; Greenwood's variance, interval on the logarithmic scale as R's `survfit` has it) and told at the ends of
steps alone. Ends are multiples of a width, never somebody's own time; steps go on until in every group enough
events have happened, and as many are censored or none: "rounded" curves of ACRO do so for events. The same
steps serve all groups.

Cox: partial likelihood, ties by Efron's method. Columns as of a regression (`regression.py`).
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

from integrated_data.model.estimate import Estimate
from integrated_data.model.query import Failure
from integrated_data.site.estimating.groups import groups_of
from integrated_data.site.estimating.matrix import matrix_of
from integrated_data.site.estimating.regression import coefficients
from integrated_data.site.estimating.sample import Floats, Ints, Sample, Unfit

#: Steps before they are put together, and groups of one curve.
MOST_STEPS, MOST_CURVES = 10_000, 100


def kaplan_meier(sample: Sample, estimate: Estimate) -> tuple[pa.Table, dict[str, Any]]:
    """The curve of each group: the group's columns, `time`, `at_risk` at the step's beginning, `events` and
    `censored` in it, `survival`, `estimate_low`, `estimate_high` at its end, and `n` rows in all."""
    of, shown = groups_of(sample)
    groups = int(of.max()) + 1
    if groups > MOST_CURVES:
        raise Unfit(Failure.CATEGORIES, sample.formula.factors[-1].column)
    times, events = times_of(sample)
    ends = _ends(times, estimate.width)
    step = np.searchsorted(ends, times)  # a time at an end belongs to the step that it ends
    happened = _counts(step, of, flags=events == 1, shape=(len(ends), groups))
    left = _counts(step, of, flags=events == 0, shape=(len(ends), groups))
    last = _steps(happened, left, fewest=max(1, estimate.step))
    starts = np.concatenate([[0], last[:-1] + 1])
    deaths, censored = np.add.reduceat(happened, starts), np.add.reduceat(left, starts)
    gone = np.cumsum(deaths + censored, axis=0)
    columns: dict[str, list[Any]] = {name: [] for name in ("time", "at_risk", "events", "censored")}
    curves: list[Floats] = []
    for group in range(groups):
        columns["time"] += ends[last].tolist()
        columns["at_risk"] += (gone[-1, group] - gone[:, group] + (deaths + censored)[:, group]).tolist()
        columns["events"] += deaths[:, group].tolist()
        columns["censored"] += censored[:, group].tolist()
        inside = of == group
        curves.append(_curve(times[inside], events[inside], at=ends[last], level=estimate.level))
    repeated = pa.array(np.repeat(np.arange(groups), len(last)))
    survival, low, high = np.concatenate(curves, axis=1)
    told = {name: pa.array(v, mask=~np.isfinite(v)) for name, v in
            (("survival", survival), ("survival_low", low), ("survival_high", high))}  # fmt: skip
    labels = {name: values.take(repeated) for name, values in shown.items()}
    table = pa.table({**labels, **columns, **told, "n": [sample.size] * len(survival)})
    return table, {"edges": ends[last].tolist()}


def cox(sample: Sample, estimate: Estimate) -> tuple[pa.Table, dict[str, Any]]:
    """The table of log hazard ratios."""
    matrix = matrix_of(sample, intercept=False)
    times, events = times_of(sample)
    model = PHReg(times, matrix.values, status=events, ties="efron")
    try:
        result = model.fit(method="newton", maxiter=200, xtol=1e-12, disp=0)
        parameters, errors = np.asarray(result.params), np.asarray(result.bse)
        slope = np.abs(model.score(parameters)) * errors
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        raise Unfit(Failure.UNCONVERGED) from None
    if not (np.isfinite(parameters).all() and np.isfinite(errors).all() and (slope < 1e-6).all()):
        raise Unfit(Failure.UNCONVERGED)
    columns = len(parameters)
    figures = coefficients(matrix.terms, parameters, errors=errors, law=stats.norm, level=estimate.level)
    figures |= {"n": [sample.size] * columns, "events": [float(events.sum())] * columns}
    figures["residual_freedom"] = [int(events.sum()) - columns] * columns
    return pa.table(figures), {"parameters": columns, "saturated": matrix.saturated}


def times_of(sample: Sample) -> tuple[Floats, Ints]:
    """Of each row its time, and whether it ends in the event."""
    time, event = sample.formula.outcome
    times, events = sample.number(time), sample.number(event)
    if (times <= 0).any():
        raise Unfit(Failure.VALUES, time.column)
    if not np.isin(events, (0.0, 1.0)).all():
        raise Unfit(Failure.VALUES, event.column)
    return times, events.astype(np.int64)


def _ends(times: Floats, width: float) -> Floats:
    """Multiples of a width up to the one that ends the longest time; of itself a width of 1, 2 or 5 × 10ⁿ."""
    longest = float(times.max())
    if width <= 0:
        raw = longest / 20
        power = 10.0 ** np.floor(np.log10(raw))
        width = float(power * next(m for m in (1, 2, 5, 10) if m * power >= raw))
    steps = int(np.ceil(longest / width))
    if steps > MOST_STEPS:
        raise Unfit(Failure.MODEL)
    ends = np.round(width * np.arange(1, steps + 1), 10)
    ends[-1] = max(float(ends[-1]), longest) if ends[-1] < longest else ends[-1]
    return np.asarray(ends)


def _counts(step: Ints, of: Ints, *, flags: NDArray[np.bool_], shape: tuple[int, int]) -> Ints:
    place = step[flags] * shape[1] + of[flags]
    return np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)


def _steps(happened: Ints, left: Ints, *, fewest: int) -> Ints:
    """The last narrow step of each wide one: enough events in every group, as many censored or none."""

    def enough(first: int, last: int) -> bool:
        deaths, censored = happened[first : last + 1].sum(axis=0), left[first : last + 1].sum(axis=0)
        return bool((deaths >= fewest).all() and ((censored == 0) | (censored >= fewest)).all())

    found: list[int] = []
    first = 0
    for last in range(len(happened)):
        if enough(first, last):
            found.append(last)
            first = last + 1
    if first < len(happened):  # the rest goes with the steps before it
        found = found[:-1]
        while found and not enough(found[-1] + 1, len(happened) - 1):
            found.pop()
        found.append(len(happened) - 1)
    return np.array(found)


def _curve(times: Floats, events: Ints, *, at: Floats, level: float) -> Floats:
    """Survival and both ends of its interval at some times, as three rows."""
    curve = SurvfuncRight(times, events)
    place = np.searchsorted(curve.surv_times, at, side="right") - 1
    known = place >= 0
    survival = np.where(known, np.asarray(curve.surv_prob)[place], 1.0)
    errors = np.where(known, np.asarray(curve.surv_prob_se)[place], 0.0)
    with np.errstate(all="ignore"):
        reach = np.exp(stats.norm.ppf(0.5 + level / 2) * errors / survival)
        return np.array([survival, survival / reach, np.minimum(1.0, survival * reach)])
