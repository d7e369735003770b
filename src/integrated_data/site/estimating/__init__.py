"""Models fitted over the rows of a query, inside its worker: figures about many people, never about a row.

`fit` gives the table that an analyst sees and may ask to take out; `influence` tells the check how much of it
rests on a few people. Neither gives a residual, a fitted value or a row.
"""

import json
import warnings

import pyarrow as pa

from integrated_data.model.estimate import METADATA, Estimate, Estimator
from integrated_data.site.estimating import groups, regression, survival
from integrated_data.site.estimating import influence as influencing
from integrated_data.site.estimating.sample import Unfit, sample_of

__all__ = ["Unfit", "fit", "influence"]

_FITS = {
    Estimator.MEAN: groups.fit, Estimator.TOTAL: groups.fit, Estimator.LINEAR: regression.fit,
    Estimator.LOGISTIC: regression.fit, Estimator.POISSON: regression.fit,
    Estimator.KAPLAN_MEIER: survival.kaplan_meier, Estimator.COX: survival.cox,
}  # fmt: skip


def fit(rows: pa.Table, estimate: Estimate) -> pa.Table:
    """The table of an estimate over rows; its columns are those of the estimator's own module.

    Raises `Unfit` where there is no answer. Rows that lack a column of the formula are left out.
    """
    sample = sample_of(rows, estimate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        table, more = _FITS[estimate.estimator](sample, estimate)
    return table.replace_schema_metadata({METADATA: json.dumps(sample.told() | more)})


def influence(rows: pa.Table, estimate: Estimate, *, unit: str, few: int) -> pa.Table:
    """One row about a regression: `leverage`, the largest of one person, and `share`, see `influence.py`.

    `unit`: the column that says whose each row is.
    """
    sample = sample_of(rows, estimate, besides=(unit,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return influencing.table(sample, estimate, unit=unit, few=few)
