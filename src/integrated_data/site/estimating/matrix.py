"""The model matrix of a formula: numbers as they are, categories against their first."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from integrated_data.model.query import Failure
from integrated_data.site.estimating.sample import Floats, Sample, Unfit
from integrated_data.vocabulary.formula import Factor

MOST_COLUMNS, MOST_NUMBERS = 300, 400_000_000  # of one matrix

INTERCEPT = "(Intercept)"

#: Columns whose length outside the others' span is less than this share of their own tell each other.
SAME = 1e-9


@dataclass(frozen=True)
class Matrix:
    """`values` (rows × columns) and what each column is called; whether the model is `saturated`.

    A model with a coefficient for each combination of its categories repeats the means of those.
    """

    values: Floats
    terms: tuple[str, ...]
    saturated: bool


def matrix_of(sample: Sample, *, intercept: bool = True) -> Matrix:
    """The matrix of a sample's formula; refuses one whose columns tell each other."""
    columns = {factor: _columns(sample, factor) for factor in sample.formula.factors}
    parts: list[tuple[str, Floats]] = [(INTERCEPT, np.ones(sample.size))] if intercept else []
    for term in sample.formula.terms:
        for chosen in product(*(columns[factor] for factor in term)):
            value = chosen[0][1]
            for _, other in chosen[1:]:
                value = value * other
            parts.append((":".join(name for name, _ in chosen), value))
        if len(parts) > MOST_COLUMNS or len(parts) * sample.size > MOST_NUMBERS:
            raise Unfit(Failure.MEMORY)
    if len(parts) >= sample.size:
        raise Unfit(Failure.TOO_FEW)
    values = np.column_stack([value for _, value in parts])
    _check_apart(values if intercept else values - values.mean(axis=0))
    patterns = _patterns(sample)
    return Matrix(values, tuple(name for name, _ in parts), patterns is not None and patterns <= len(parts))


def _columns(sample: Sample, factor: Factor) -> list[tuple[str, Floats]]:
    if not sample.is_category(factor):
        return [(str(factor), sample.number(factor))]
    codes, levels = sample.category(factor.column)
    names = [f"{factor}[{level}]" for level in levels.to_pylist()]
    return [(name, (codes == n).astype(np.float64)) for n, name in enumerate(names) if n > 0]


def _patterns(sample: Sample) -> int | None:
    """How many combinations of values the covariates take, or None where some column has many values."""
    if any(f.column not in sample.keys for f in sample.formula.factors):
        return None
    seen = np.zeros(sample.size, np.int64)
    for factor in sample.formula.factors:
        codes, levels = sample.category(factor.column)
        seen = np.unique(seen * len(levels) + codes, return_inverse=True)[1].astype(np.int64)
    return int(seen.max()) + 1


def _check_apart(values: Floats) -> None:
    lengths = np.sqrt((values**2).sum(axis=0))
    if not values.shape[1]:
        return
    if not lengths.all():
        raise Unfit(Failure.SINGULAR)
    own = np.abs(np.diag(np.linalg.qr(values / lengths, mode="r")))
    if own.min() < SAME:
        raise Unfit(Failure.SINGULAR)
