"""What is behind a cell of an output and each of its figures. It never leaves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasureEvidence:
    """What is behind one summed or counted quantity in one cell.

    `people`: those who contribute (not null, not zero); `others`, `others_counted`: contributors of
    the cell who add nothing to it, all and accepted. `total`: sum of the people's absolute totals;
    `net`: the sum itself; `top`: largest and second-largest absolute total of one person.
    `lowest`, `highest`: extremes of the rows' values; `negative`: some value is below zero;
    `indicator`: every value is 0 or 1.
    """

    people: int
    others: int = 0
    others_counted: int = 0
    total: float = 0.0
    net: float = 0.0
    top: tuple[float, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    indicator: bool = False

    @property
    def negative(self) -> bool:
        """Whether some value is below zero."""
        return self.lowest is not None and self.lowest < 0


@dataclass(frozen=True)
class Close:
    """Two sums of one cell whose amounts differ for `apart` contributors, `counted` of them accepted."""

    first: int
    second: int
    apart: int
    counted: int


@dataclass(frozen=True)
class Part:
    """The contributors of a cell with a row that adds to the same measures. `adds`: to which, in their order."""

    adds: tuple[bool, ...]
    contributors: int
    counted: int


@dataclass(frozen=True)
class QuantileEvidence:
    """What is behind one quantile of a cell, whose rows are put in order of a value.

    `lower`, `upper`: accepted people with at most and at least the quantile; `others`: with another value.
    `before`, `after`: rows of the very same value on either side of its place, less than nought where another
    value stands there. `most`: rows of one person at most; `unsure`: rows of nobody who is accepted.
    """

    lower: int
    upper: int
    others: int
    before: int
    after: int
    most: int = 1
    unsure: int = 0


@dataclass(frozen=True)
class CellEvidence:
    """What is behind one cell. `people`: distinct accepted units; `contributors`: with the unmatched.

    An unmatched row is a contributor of its own: it adds nothing to the minimum and counts in
    every difference. `parts`: the contributors by which of the measures their rows add to;
    `families`: places of the measures that can be added and subtracted, the counts that are told first.
    """

    people: int
    contributors: int
    rows: int
    measures: tuple[MeasureEvidence, ...] = ()
    close: tuple[Close, ...] = ()
    parts: tuple[Part, ...] = ()
    families: tuple[tuple[int, ...], ...] = ()
    quantiles: tuple[QuantileEvidence, ...] = ()
