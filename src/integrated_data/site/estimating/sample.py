"""The rows that a model is about, as arrays: who has every column, their weights, and how they were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from integrated_data.model.estimate import Estimate, Estimator
from integrated_data.model.query import Failure
from integrated_data.vocabulary.formula import Factor, Formula, read

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Categories of one column, and distinct numbers of one that the check can look at one by one.
MOST_CATEGORIES, FEW_VALUES = 100, 20


class Unfit(Exception):  # noqa: N818 - carries a class of failure out of the worker
    """No model could be fitted. `named`: a word of the formula, or empty."""

    def __init__(self, failure: Failure, named: str = "") -> None:
        super().__init__(failure.value)
        self.failure, self.named = failure, named


@dataclass(frozen=True)
class Sample:
    """Rows with every column of a formula. `weights`: 1 where there are none.

    `psu` and `stratum`: of every drawn row, those left out included, its primary sampling unit and its
    stratum, from 0; `held`: which of the drawn rows these are. A group is a domain of the whole sample.
    """

    rows: pa.Table
    formula: Formula
    weights: Floats
    designed: bool
    psu: Ints
    stratum: Ints
    held: Ints

    @property
    def size(self) -> int:
        """How many rows there are."""
        return int(self.rows.num_rows)

    def is_category(self, factor: Factor) -> bool:
        """Whether a factor is taken as a category: it says so, or it is neither a number nor true or false."""
        kind = self.rows.schema.field(factor.column).type
        return factor.category or not (factor.log or _is_number(kind) or pa.types.is_boolean(kind))

    def number(self, factor: Factor) -> Floats:
        """A factor as numbers; its logarithm where it asks for that."""
        kind = self.rows.schema.field(factor.column).type
        if not (_is_number(kind) or pa.types.is_boolean(kind)):
            raise Unfit(Failure.KIND, factor.column)
        found = numbers(self.rows.column(factor.column))
        if not np.isfinite(found).all() or (factor.log and (found <= 0).any()):
            raise Unfit(Failure.VALUES, factor.column)
        return np.log(found) if factor.log else found

    def category(self, column: str, *, most: int = MOST_CATEGORIES) -> tuple[Ints, pa.Array]:
        """Of each row its category from 0, and the categories in order."""
        coded = self.rows.column(column).combine_chunks().dictionary_encode()
        levels = coded.dictionary
        if len(levels) > most:
            raise Unfit(Failure.CATEGORIES, column)
        order = np.asarray(pc.sort_indices(levels)).astype(np.int64)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return rank[np.asarray(coded.indices).astype(np.int64)], levels.take(pa.array(order))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Columns of the terms that have few values, so that the people behind each can be counted."""
        return frozenset(
            f.column
            for f in self.formula.factors
            if self.is_category(f) or pc.count_distinct(self.rows.column(f.column)).as_py() <= FEW_VALUES
        )

    def told(self) -> dict[str, Any]:
        """What the check must know of the columns; see `METADATA`."""
        sets = [sorted({f.column for f in term} & self.keys) for term in self.formula.terms]
        besides = [*self.formula.outcome[:-1], *([self.formula.offset] if self.formula.offset else [])]
        many = [f.column for f in self.formula.factors if f.column not in self.keys]
        return {
            "sets": [list(s) for s in dict.fromkeys(tuple(s) for s in sets if s)],
            "numbers": list(dict.fromkeys([*many, *(f.column for f in besides)])),
            "flag": pa.types.is_boolean(self.rows.schema.field(self.formula.outcome[-1].column).type),
        }

    def spread(self, scores: Floats) -> Floats:
        """The covariance of sums over the sample. `scores`: rows × figures, what each row adds, weighted.

        Primary sampling units as drawn with replacement within strata (Wolter, Introduction to Variance
        Estimation, 2007, chapter 6); a stratum with one is centred at the sample's mean.
        """
        units = int(self.psu.max()) + 1
        own = self.psu[self.held]
        sums = np.column_stack([np.bincount(own, weights=column, minlength=units) for column in scores.T])
        of = np.zeros(units, np.int64)
        of[self.psu] = self.stratum
        count = np.bincount(of)
        means = np.column_stack([np.bincount(of, weights=column) for column in sums.T]) / count[:, None]
        centre = np.where((count > 1)[of, None], means[of], sums.mean(axis=0))
        factor = np.where(count > 1, count / np.maximum(count - 1, 1), 1.0)[of]
        apart = sums - centre
        return np.asarray((apart * factor[:, None]).T @ apart)

    def freedom(self, among: NDArray[np.bool_] | None = None) -> int:
        """Degrees of freedom of the design: primary sampling units less strata, of rows that are there."""
        held = self.held if among is None else self.held[among]
        return len(np.unique(self.psu[held])) - len(np.unique(self.stratum[held]))


def sample_of(rows: pa.Table, estimate: Estimate, *, besides: Sequence[str] = ()) -> Sample:
    """The sample of an estimate among rows; `besides`: other columns to keep, which may be missing."""
    formula = read(estimate.formula)
    check_asked(formula, estimate)
    wanted = dict.fromkeys((*formula.columns, *estimate.design, *besides))
    for column in wanted:
        if rows.column_names.count(column) != 1:
            raise Unfit(Failure.NAME, column)
    rows = rows.select(list(wanted))
    drawn = rows.filter(_complete(rows, estimate.design)) if estimate.design else rows
    whole = _complete(drawn, formula.columns)
    held = np.flatnonzero(np.asarray(whole))
    kept = drawn.filter(whole)
    if len(held) < 2:
        raise Unfit(Failure.TOO_FEW)
    weights = np.ones(len(held))
    if estimate.weights:
        weights = numbers(kept.column(estimate.weights), named=estimate.weights)
        if not np.isfinite(weights).all() or (weights <= 0).any():
            raise Unfit(Failure.VALUES, estimate.weights)
    stratum = _codes(drawn, [estimate.stratum]) if estimate.stratum else np.zeros(drawn.num_rows, np.int64)
    psu = np.arange(drawn.num_rows)
    if estimate.cluster:
        psu = _codes(drawn, [c for c in (estimate.stratum, estimate.cluster) if c])
    return Sample(kept, formula, weights, bool(estimate.design), psu, stratum, held)


def check_asked(formula: Formula, estimate: Estimate) -> None:
    """Refuse what an estimator does not do."""
    plain = not any(f.log for f in formula.factors) and all(len(term) == 1 for term in formula.terms)
    wrong = (
        formula.survival != estimate.estimator.survival
        or (formula.offset is not None and estimate.estimator is not Estimator.POISSON)
        or (estimate.estimator.survival and bool(estimate.design))
        or (estimate.estimator.grouped and (not plain or formula.outcome[0].log))
        or (estimate.estimator is Estimator.KAPLAN_MEIER and not plain)
        or (estimate.estimator is Estimator.COX and not formula.terms)
        or (estimate.estimator in (Estimator.LOGISTIC, Estimator.POISSON) and formula.outcome[0].log)
    )
    if wrong:
        raise Unfit(Failure.MODEL)


def numbers(column: pa.ChunkedArray, *, named: str = "") -> Floats:
    """A column of numbers as doubles."""
    if not (_is_number(column.type) or pa.types.is_boolean(column.type)):
        raise Unfit(Failure.KIND, named)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64(), safe=False).combine_chunks()).astype(np.float64)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _complete(rows: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray:
    return reduce(pc.and_, [pc.is_valid(rows.column(column)) for column in columns])


def _codes(rows: pa.Table, columns: Sequence[str]) -> Ints:
    """One number from 0 for each combination of values."""
    codes = np.zeros(rows.num_rows, np.int64)
    for column in columns:
        coded = rows.column(column).combine_chunks().dictionary_encode()
        both = codes * (len(coded.dictionary) + 1) + np.asarray(coded.indices).astype(np.int64)
        codes = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return codes
