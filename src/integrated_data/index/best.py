"""The best value of each attribute of an entity, of all that sources say: by their quality, and by recency.

Every statement stays. Of those that are said now, a value is worth the sum over the sources that say it of
the log-odds that a match agrees with the source there (its own m, learnt when it was loaded), which counts
half as much for every half-life that the statement is older than the newest one. What is no longer said,
or ended, comes after everything that is. Attributes that are compared together (a house and its postcode,
the parts of a birthday) are chosen together, so that no best address is put together from two. What somebody had
corrected stands; what sources said until that day does not, where it is about the same.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from integrated_data.index.matching.basis import Basis
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.model.linkage import CORRECTIONS
from integrated_data.model.meanings import Meaning

#: Years in which a statement comes to count half; what does not change is as good as ever. Conventions.
HALF_LIVES: dict[str, float] = {
    **dict.fromkeys((Meaning.ADDRESS, Meaning.POSTCODE, Meaning.TELEPHONE, Meaning.EMAIL), 2.0),
    **dict.fromkeys(
        (Meaning.DATE_OF_BIRTH, Meaning.BIRTH_DAY, Meaning.BIRTH_MONTH, Meaning.BIRTH_YEAR, Meaning.SEX,
         Meaning.NHS_NUMBER, Meaning.NATIONAL_INSURANCE_NUMBER, Meaning.COMPANY_NUMBER, Meaning.UPRN), math.inf,
    ),
}  # fmt: skip
HALF_LIFE = 10.0

#: No source is relied on less, or more, than this.
LEAST, MOST = 0.55, 0.999

#: What a source is taken to be worth where nothing was learnt of it.
UNLEARNT = 0.9

Said = Mapping[str, Any]  # a period of `past.History`


@dataclass(frozen=True)
class Trust:
    """Which attributes are chosen together, and how likely a match agrees with a source there."""

    together: tuple[tuple[str, ...], ...] = ()
    agreement: Mapping[tuple[str, str], float] | None = None  # by source and first attribute

    def groups(self, attributes: Sequence[str]) -> list[tuple[str, ...]]:
        """The attributes in groups, in their order."""
        of = {a: group for group in self.together for a in group}
        found = dict.fromkeys(tuple(b for b in of.get(a, (a,)) if b in attributes) for a in attributes)
        return list(found)

    def weight(self, source: str, attribute: str) -> float:
        """log2 of the odds that a match agrees with what the source says of an attribute."""
        share = (self.agreement or {}).get((source, attribute), UNLEARNT)
        share = min(max(share, LEAST), MOST)
        return math.log2(share / (1.0 - share))


def trust_of(definition: MatchDefinition, basis: Basis) -> Trust:
    """What an index with a model has learnt of its sources."""
    reads = _reads(definition)
    of = _compared_by(definition, reads)
    groups: dict[str, list[str]] = {c.name: [] for c in definition.comparisons}
    for attribute, comparison in of.items():
        if attribute in reads[definition.comparison(comparison).fields[0]]:
            groups[comparison].append(attribute)
    agreement = {
        (source, attribute): learnt.model.shares[comparison].m[0]
        for source, learnt in basis.sources.items()
        for attribute, comparison in of.items()
    }
    return Trust(tuple(tuple(g) for g in groups.values() if len(g) > 1), agreement)


def _compared_by(definition: MatchDefinition, reads: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The comparison that each attribute is for: the one about the least beside it, else one that looks at it."""
    found = {}
    for attribute in map(str, definition.index.attributes):
        about = [c for c in definition.comparisons if attribute in reads[c.fields[0]]]
        looks = [c for c in definition.comparisons if any(attribute in reads[f] for f in c.fields)]
        if about or looks:
            found[attribute] = min(about, key=lambda c: len(reads[c.fields[0]])).name if about else looks[0].name
    return found


def _reads(definition: MatchDefinition) -> dict[str, frozenset[str]]:
    """The attributes that each cleaned field is made of, directly or by way of others."""
    found: dict[str, frozenset[str]] = {}
    for field in definition.fields:
        words = set(re.findall(r"\w+", field.sql)) | {field.of or ""}
        direct = {w.removeprefix("in_") for w in words if w.startswith("in_")} | set(field.reads)
        through = frozenset().union(*(found[w] for w in words if w in found))
        found[field.name] = frozenset(a for a in direct if a in definition.index.attributes) | through
    return found


def best(said: Sequence[Said], attributes: Sequence[str], *, trust: Trust) -> list[dict[str, Any]]:
    """The best value of each attribute that is told: attribute, value, sources that say it, rivals it has."""
    found = []
    for group in trust.groups(attributes):
        order = ranked(said, group, trust=trust)
        if not order:
            continue
        values, sources = order[0]
        found += [
            {"attribute": a, "value": value, "sources": sources, "others": len(order) - 1}
            for a, value in zip(group, values, strict=True)
            if value is not None
        ]
    return found


def ranked(
    said: Sequence[Said], group: Sequence[str], *, trust: Trust
) -> list[tuple[tuple[str | None, ...], tuple[str, ...]]]:
    """The values of attributes that are chosen together, best first, each with the sources that say it.

    The order of statements does not matter; a value is written as its weightiest statement writes it.
    """
    stated = [s for s in said if any(s.get(a) is not None for a in group)]
    newest = max((_day(s) for s in stated), default=0)
    corrected = max((_day(s) for s in stated if s["source"] == CORRECTIONS and _stands(s)), default=0)
    half = HALF_LIVES.get(group[0], HALF_LIFE) if group else HALF_LIFE
    worth: dict[tuple[str, ...], dict[str, tuple[bool, float, tuple[str, ...]]]] = {}
    for s in stated:
        values = tuple("" if s.get(a) is None else str(s[a]) for a in group)
        age = (newest - _day(s)) / 365.25
        stands = _stands(s) and (s["source"] == CORRECTIONS or _day(s) > corrected)
        told = (stands, trust.weight(str(s["source"]), group[0]) * 0.5 ** (age / half), values)
        by_source = worth.setdefault(tuple(_plain(v) for v in values), {})
        by_source[str(s["source"])] = max(told, by_source.get(str(s["source"]), told))

    def order(key: tuple[str, ...]) -> tuple[bool, float, tuple[str, ...]]:
        standing = [w for stands, w, _ in worth[key].values() if stands]
        return (not standing, -sum(standing or [w for _, w, _ in worth[key].values()]), key)

    found = []
    for key in sorted(worth, key=order):
        written = max(worth[key].values())[2]
        sources = sorted(source for source, told in worth[key].items() if told[0]) or sorted(worth[key])
        found.append((tuple(v or None for v in written), tuple(sources)))
    return found


def _stands(said: Said) -> bool:
    return said.get("recorded_to") is None and said.get("effective_to") is None


def _day(said: Said) -> int:
    written = str(said.get("effective_from") or said.get("recorded_from") or "")[:10]
    try:
        return date.fromisoformat(written).toordinal()
    except ValueError:
        return 0


def _plain(value: str) -> str:
    return "".join(c for c in value.casefold() if c.isalnum())
