"""Regrouping a key: which of its values to merge, so that every cell is safe and as little as possible is lost.

What may be merged depends on the values: neighbours where they have an order (ages, bands, years), codes with
their like under one parent where they are a classification's (SIC 4711 and 4719 are both 471), and else the
smallest together as others. Of people in a group made of `m` values a reader can tell the value of one in
`m`, so 1 − 1/m of them are lost; that is the loss that is kept least, exactly so for neighbours
(dynamic programming over the places to cut).

Global recoding and its loss: Willenborg and de Waal, Elements of Statistical Disclosure Control (2001).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Groups = tuple[tuple[str, ...], ...]
Safe = Callable[[tuple[str, ...]], bool]

#: Values of a key beyond which it is not regrouped: it is hardly a key.
MOST_VALUES = 200

#: What the values that are merged for being few are called.
OTHERS = "Others"

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BAND = re.compile(
    r"(?:under |up to |over |<=?|>=?)?(-?\d+(?:\.\d+)?)(?:\s*(?:-|–|to|and)\s*(-?\d+(?:\.\d+)?|over)|\+)?"
)
_CODE = re.compile(r"[A-Z]{0,2}\d[\dA-Z.]*")


@dataclass(frozen=True)
class Way:
    """One way of merging values. `groups` covers every value; `names` of those that are merged."""

    how: str
    groups: Groups
    names: Mapping[str, str]


def ways(values: Sequence[str], mass: Mapping[str, float], *, safe: Safe) -> list[Way]:
    """The ways of merging that fit these values and make every group safe; none where even all together is not."""
    if not 2 <= len(values) <= MOST_VALUES:
        return []
    found = []
    line = ordered(values)
    if line is not None and (groups := neighbours(line, mass, safe=safe)) is not None:
        found.append(Way("neighbours merged", groups, _named_in_order(groups)))
    if is_coded(values) and (tree := under_parents(values, safe=safe)) is not None:
        found.append(Way("codes merged under their parents", tuple(tree.values()), _named_by(tree)))
    if line is None and (groups := smallest(values, mass, safe=safe)) is not None:
        found.append(Way("the smallest merged", groups, dict.fromkeys(groups[0], OTHERS)))
    return [way for way in found if any(len(group) > 1 for group in way.groups)]


def loss(groups: Groups, mass: Mapping[str, float]) -> float:
    """The people of whom a reader can no longer tell the value: of a group of m values, 1 − 1/m."""
    return sum(sum(mass[v] for v in group) * (1 - 1 / len(group)) for group in groups)


def ordered(values: Sequence[str]) -> list[str] | None:
    """The values in the order that they have as numbers, bands of numbers or dates; None where they have none."""
    if all(_NUMBER.fullmatch(v) for v in values):
        return sorted(values, key=float)
    if all(re.fullmatch(r"\d{4}-\d\d(?:-\d\d)?.*|\d{4}[- ]?Q[1-4]", v) for v in values):
        return sorted(values)
    bands = [_BAND.fullmatch(v.lower()) for v in values]
    if all(bands):
        starts = {v: _start(v, float(b[1])) for v, b in zip(values, bands, strict=True) if b is not None}
        return sorted(values, key=starts.__getitem__)
    return None


def _start(band: str, first: float) -> float:
    return first - 0.5 if re.match(r"under|up to|<", band.lower()) else first


def neighbours(line: Sequence[str], mass: Mapping[str, float], *, safe: Safe) -> Groups | None:
    """The cheapest cut of a line into safe runs, or None."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(line) + 1):
        choices = []
        for start in range(end):
            run = tuple(line[start:end])
            if best[start][1] >= 0 and safe(run):
                choices.append((best[start][0] + loss((run,), mass), start))
        best.append(min(choices, default=(float("inf"), -1)))
    if best[-1][1] < 0:
        return None
    groups, end = [], len(line)
    while end:
        start = best[end][1]
        groups.append(tuple(line[start:end]))
        end = start
    return tuple(reversed(groups))


def is_coded(values: Sequence[str]) -> bool:
    """Whether the values are codes of which the first characters are their parents' codes; years and ages are none."""
    plain = [v.replace(".", "") for v in values]
    heads = {p[:-1] for p in plain}
    years = all(re.fullmatch(r"(?:1[89]|20)\d\d", v) for v in values)
    return (
        all(_CODE.fullmatch(v) and (len(v) >= 3 or v[0].isalpha()) for v in values)
        and not years and len(heads) < len(set(plain))
    )  # fmt: skip


def under_parents(values: Sequence[str], *, safe: Safe) -> dict[str, tuple[str, ...]] | None:
    """Codes merged upwards where one of them is not safe, with all that share its parent; None where none are left."""
    tree: dict[str, tuple[str, ...]] = {v: (v,) for v in sorted(values)}
    while bad := sorted((code for code, group in tree.items() if not safe(group)), key=len, reverse=True):
        parent = bad[0][:-1].rstrip(".")
        if not parent:
            return None
        below = [code for code in tree if code.startswith(parent)]
        tree[parent] = tuple(v for code in below for v in tree.pop(code))
    return dict(sorted(tree.items()))


def smallest(values: Sequence[str], mass: Mapping[str, float], *, safe: Safe) -> Groups | None:
    """The unsafe values, then the smallest, together: the first group; others by themselves. None if no way."""
    line = sorted(values, key=lambda v: (mass[v], v))
    merged = [v for v in line if not safe((v,))]
    left = [v for v in line if v not in merged]
    while len(merged) < 2 or not safe(tuple(sorted(merged))):
        if not left:
            return None
        merged.append(left.pop(0))
    return (tuple(sorted(merged)), *((v,) for v in sorted(left)))


def _named_in_order(groups: Groups) -> dict[str, str]:
    """Names of runs; the first and the last are open, so that no largest or smallest value is told."""
    names = {}
    for place, group in enumerate(groups):
        if len(group) > 1:
            ends = _BAND.fullmatch(group[-1].lower())
            last = ends[2] if ends is not None and ends[2] not in (None, "over") else group[-1]
            first = _BAND.fullmatch(group[0].lower())
            start = first[1] if first is not None else group[0]
            name = f"{start} to {last}"
            if place == len(groups) - 1:
                name = f"{start} or more"
            elif place == 0:
                name = f"{last} or less"
            names.update(dict.fromkeys(group, "all" if len(groups) == 1 else name))
    return names


def _named_by(tree: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {v: code for code, group in tree.items() if len(group) > 1 for v in group}


def by_parents(parents: Mapping[str, str]) -> Way:
    """Every value as what it belongs to: a district as its region."""
    groups: dict[str, tuple[str, ...]] = {}
    for child, parent in sorted(parents.items()):
        groups[parent] = (*groups.get(parent, ()), child)
    return Way("areas merged into those that they belong to", tuple(groups.values()), dict(parents))
