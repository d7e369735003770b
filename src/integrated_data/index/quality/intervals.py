"""Intervals of shares estimated from a stratified sample, at 95 %; pure functions.

For strata: Wilson's interval (1927) at the effective sample size (Korn and Graubard, "Confidence
intervals for proportions with small expected number of positive counts estimated from survey data",
Survey Methodology 24, 1998; compared by Dean and Pagano, Journal of Survey Statistics and
Methodology 3, 2015). The variance within a stratum is taken about Agresti and Coull's centre (The
American Statistician 52, 1998), so that a stratum in which every case agrees still has some. A finite
stratum counts through n(N − 1)/(N − n); one that was looked at whole has no error. For a ratio
of two totals: MOVER (Donner and Zou, "Closed-form confidence intervals for functions of the normal
mean and standard deviation", Statistical Methods in Medical Research 21, 2012).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z = 1.959964  # two-sided 95 %

#: Cases of each kind that Agresti and Coull add to what was seen.
DOUBT = 2.0


@dataclass(frozen=True)
class Estimate:
    """A share with its 95 % interval; `judged`: cases it rests on, `of`: units it speaks about."""

    value: float
    low: float
    high: float
    judged: int
    of: int

    def to_dict(self) -> dict[str, float | int]:
        """As JSON can hold it, rounded to what can be read."""
        shares = {k: round(getattr(self, k), 5) for k in ("value", "low", "high")}
        return shares | {"judged": self.judged, "of": self.of}


@dataclass(frozen=True)
class Cell:
    """One stratum: units it holds, units judged, and how many of those have the property."""

    units: int
    judged: int
    having: int


def wilson(share: float, n: float, *, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share of `n` (which may be an effective size); all of nought to one for none."""
    if n <= 0:
        return (0.0, 1.0)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    return (max(0.0, middle - half), min(1.0, middle + half))


def stratified(cells: Iterable[Cell], *, doubt: float = DOUBT) -> Estimate | None:
    """The share of units that have the property; None where nothing was judged at all.

    Strata in order of likeness: one in which nothing was judged counts with the judged one next to it.
    `doubt`: cases of each kind that are added to a stratum when its variance is worked out.
    """
    held = collapsed([c for c in cells if c.units > 0])
    if not held:
        return None
    units, judged = sum(c.units for c in held), sum(c.judged for c in held)
    weights = [c.units / units for c in held]
    value = math.fsum(w * c.having / c.judged for w, c in zip(weights, held, strict=True))
    centres = [(c.having + doubt) / (c.judged + 2 * doubt) for c in held]
    variance = math.fsum(
        w * w * p * (1 - p) / _effective(c) for w, p, c in zip(weights, centres, held, strict=True)
    )  # fmt: skip
    if variance == 0.0:  # every stratum was looked at whole
        return Estimate(value, value, value, judged, units)
    centre = math.fsum(w * p for w, p in zip(weights, centres, strict=True))
    low, high = wilson(value, centre * (1 - centre) / variance)
    return Estimate(value, min(low, value), max(high, value), judged, units)


def collapsed(cells: Sequence[Cell]) -> list[Cell]:
    """Strata with something judged in each: those without are added to the one before, the first to the next."""
    made: list[Cell] = []
    waiting = 0
    for cell in cells:
        if cell.judged > 0:
            made.append(Cell(cell.units + waiting, cell.judged, cell.having))
            waiting = 0
        elif made:
            made[-1] = Cell(made[-1].units + cell.units, made[-1].judged, made[-1].having)
        else:
            waiting += cell.units
    return made


def _effective(cell: Cell) -> float:
    if cell.judged >= cell.units:
        return math.inf
    return cell.judged * (cell.units - 1) / (cell.units - cell.judged)


def part_of_sum(first: Estimate, second: Estimate) -> tuple[float, float, float]:
    """a / (a + b), with limits, for independent totals a = first.value × first.of and b likewise."""
    a, al, au = (first.of * v for v in (first.value, first.low, first.high))
    b, bl, bu = (second.of * v for v in (second.value, second.low, second.high))
    if a + b == 0:
        return (0.0, 0.0, 1.0)
    value = a / (a + b)
    low = 1.0 / (1.0 + _ratio_upper((b, bu), (a, al))) if al > 0 else 0.0
    high = 1.0 / (1.0 + _ratio_lower((b, bl), (a, au))) if au > 0 else 1.0
    return (value, min(low, value), max(high, value))


def _ratio_upper(top: tuple[float, float], bottom: tuple[float, float]) -> float:
    """Upper MOVER limit of top/bottom from each estimate, the top's upper and the bottom's lower limit."""
    (t, tu), (b, bl) = top, bottom
    under = bl * (2 * b - bl)
    inside = max((t * b) ** 2 - tu * (2 * t - tu) * under, 0.0)
    return (t * b + math.sqrt(inside)) / under


def _ratio_lower(top: tuple[float, float], bottom: tuple[float, float]) -> float:
    """Lower MOVER limit of top/bottom from each estimate, the top's lower and the bottom's upper limit."""
    (t, tl), (b, bu) = top, bottom
    under = bu * (2 * b - bu)
    if under <= 0:
        return 0.0
    inside = max((t * b) ** 2 - tl * (2 * t - tl) * under, 0.0)
    return max((t * b - math.sqrt(inside)) / under, 0.0)


def kappa(both: Sequence[tuple[str, str]], *, groups: Sequence[tuple[str, str]]) -> dict[str, float | int] | None:
    """Cohen's kappa (1960) of two coders with a 95 % interval; None for no pairs.

    `both`: the answers of each double-coded case; `groups`: the same in the classes by which chance
    agreement is worked out. The interval is Wilson's of the observed agreement, with chance agreement
    as it was seen, so that it is not a point where all agree.
    """
    n = len(both)
    if n == 0:
        return None
    observed = sum(a == b for a, b in both) / n
    classes = {c for pair in groups for c in pair}
    chance = sum(sum(a == c for a, _ in groups) * sum(b == c for _, b in groups) for c in classes) / (n * n)
    low, high = wilson(observed, n)
    if chance >= 1.0:  # one class only: agreement says nothing beyond chance
        return {"cases": n, "agreement": observed, "kappa": 1.0, "low": -1.0, "high": 1.0}
    told = {k: max(-1.0, (v - chance) / (1 - chance)) for k, v in (("kappa", observed), ("low", low), ("high", high))}
    return {"cases": n, "agreement": round(observed, 4), **{k: round(v, 4) for k, v in told.items()}}
