"""How much of a regression rests on a few people: leverage of a person, and of a few on one coefficient.

*Leverage* of a person is the sum over their rows of h = w x′ (X′WX)⁻¹ x (Huber, Robust Statistics, 1981,
section 7.2). The *share* of a person in a coefficient is the part of its precision that their rows make up,
their partial leverages (Velleman and Welsch, Efficient computing of regression diagnostics, The American
Statistician 35, 1981): a coefficient of a category of m people has a share of about 1/m from each of them.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.model.estimate import Estimate, Estimator
from integrated_data.site.estimating.matrix import INTERCEPT, Matrix, matrix_of
from integrated_data.site.estimating.regression import fitted_of
from integrated_data.site.estimating.sample import Floats, Ints, Sample


def table(sample: Sample, estimate: Estimate, *, unit: str, few: int) -> pa.Table:
    """One row: `leverage` of the person with most, `share` of the `few` with most, of whichever coefficient."""
    matrix, inverse, weights = _parts(sample, estimate)
    people = _people(sample, unit)
    scaled = matrix.values @ inverse
    leverage = _summed(np.einsum("ij,ij->i", scaled, matrix.values) * weights, people)
    parts = scaled**2 * weights[:, None] / np.diag(inverse)
    told = [n for n, term in enumerate(matrix.terms) if term != INTERCEPT or len(matrix.terms) == 1]
    share = max(float(np.sort(_summed(parts[:, n], people))[-few:].sum()) for n in told)
    return pa.table({"leverage": [float(leverage.max())], "share": [share]})


def _parts(sample: Sample, estimate: Estimate) -> tuple[Matrix, Floats, Floats]:
    """The matrix, the inverse of its weighted cross products, and the weights; of Cox's about its means."""
    if estimate.estimator is not Estimator.COX:
        fitted = fitted_of(sample, estimate)
        return fitted.matrix, fitted.inverse, fitted.weights
    plain = matrix_of(sample, intercept=False)
    centred = plain.values - plain.values.mean(axis=0)
    return Matrix(centred, plain.terms, plain.saturated), np.linalg.inv(centred.T @ centred), np.ones(sample.size)


def _people(sample: Sample, unit: str) -> Ints:
    """Of each row whose it is, from 0; a row linked to nobody is a person of its own."""
    column = sample.rows.column(unit).combine_chunks()
    coded = column.dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1)).astype(np.int64)
    nobody = codes < 0
    codes[nobody] = len(coded.dictionary) + np.arange(int(nobody.sum()))
    return codes


def _summed(amounts: Floats, people: Ints) -> NDArray[np.float64]:
    return np.bincount(people, weights=amounts).astype(np.float64)
