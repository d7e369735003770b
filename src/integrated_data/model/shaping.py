"""Shaping words: which rows of a dataset a project sees, and how coarse its values are."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum


class Period(StrEnum):
    """What a date is cut to, finest first."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class PostcodePart(StrEnum):
    """What is left of a postcode, finest first."""

    SECTOR = "sector"  # SW1A 1
    DISTRICT = "district"  # SW1A
    AREA = "area"  # SW


@dataclass(frozen=True)
class Coarsening:
    """How the values of one variable are coarsened: one of the ways below, alone.

    A number or an age: `band`, the width of bands; `top` and `bottom`, beyond which values are cut off. With
    `age_at` a date or year of birth becomes an age on that day first. A date: `period`. A postcode: `postcode`.
    A code: `first` characters. `withheld`: nothing of it is shown.
    """

    band: int | None = None
    top: int | None = None
    bottom: int | None = None
    age_at: date | None = None
    period: Period | None = None
    postcode: PostcodePart | None = None
    first: int | None = None
    withheld: bool = False

    @property
    def ways(self) -> frozenset[str]:
        """The ways that it coarsens by; more than one cannot be held together."""
        numeric = {"age" if self.age_at is not None else "number"}
        own = {"band": numeric, "top": numeric, "bottom": numeric, "age_at": {"age"}}
        said = [f.name for f in fields(self) if f.name != "withheld" and getattr(self, f.name) is not None]
        return frozenset(way for name in said for way in own.get(name, {name}))

    def joined(self, other: "Coarsening") -> "Coarsening":
        """What is at least as coarse as both: values that either takes for one, it takes for one."""
        if self == other:
            return self
        apart = self.ways != other.ways or self.age_at != other.age_at
        if self.withheld or other.withheld or apart:
            return Coarsening(withheld=True)
        return Coarsening(
            band=_merged(math.lcm, one=self.band, other=other.band),
            top=_merged(min, one=self.top, other=other.top),
            bottom=_merged(max, one=self.bottom, other=other.bottom),
            age_at=self.age_at,
            period=max(self.period, other.period, key=list(Period).index) if self.period and other.period else None,
            postcode=max(self.postcode, other.postcode, key=list(PostcodePart).index)
            if self.postcode and other.postcode
            else None,
            first=_merged(min, one=self.first, other=other.first),
        )


def _merged(how: Callable[..., int], *, one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return how(one, other)


def strictest(rules: Iterable[Mapping[str, Coarsening]]) -> dict[str, Coarsening]:
    """Of several sets of rules by variable, the one that keeps them all."""
    found: dict[str, Coarsening] = {}
    for each in rules:
        for variable, rule in each.items():
            found[variable] = found[variable].joined(rule) if variable in found else rule
    return found


def as_coarse(seen: Mapping[str, Coarsening], asked: Mapping[str, Coarsening], *, columns: Iterable[str]) -> bool:
    """Whether columns are seen at least as coarse as is asked of them."""
    return all(c not in asked or (c in seen and seen[c].joined(asked[c]) == seen[c]) for c in columns)


@dataclass(frozen=True)
class RowFilter:
    """Rows whose value of a column, written as text, is one of `values`; rows without a value are left out."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """Rows whose date in a column lies between two days, both of which count; rows without one are left out."""

    column: str
    starts: date
    ends: date
