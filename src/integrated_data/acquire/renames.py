"""Renames: a column of the contract that did not come, found again under a new name.

Two things speak for it: that the names are alike (Ratcliff and Obershelp, "Pattern matching: the gestalt approach",
1988, and what headings mean), and that the values are: they are read as the column's type, mean what it means, and
are spread as in deliveries before. Values that contradict end it; names alone must be very alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from integrated_data.model.contract import Column
from integrated_data.model.meanings import DIRECT_IDENTIFIERS, Kind, Meaning
from integrated_data.vocabulary.headings import hints, respelled_as, words_of

#: Likeness of names that is enough where values say nothing, and what a heading of the same meaning counts as.
VERY_ALIKE, SAME_MEANING = 0.75, 0.8
#: Share of the values that must be read as the column is.
READS = 0.9
#: By how much the names of a pair must be more alike than those of its rivals.
MARGIN = 0.1
#: Columns of a kind that are compared; a header that differs in more is another one.
MOST = 12

#: Meanings that many columns of one file share.
_COMMON = (Meaning.UNKNOWN, Meaning.CODE, Meaning.FLAG, Meaning.MEASURE, Meaning.COUNT, Meaning.FREE_TEXT,
           Meaning.MONEY, Meaning.EVENT_DATE, Meaning.PERSON_REFERENCE, Meaning.ORGANISATION_REFERENCE)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A column of the contract and a delivered name that it may have now.

    `alike`: likeness of the names, 0 to 1; `agrees`: whether the values do; None where they say nothing.
    """

    source: str
    delivered: str
    alike: float
    agrees: bool | None


def likeness(one: str, other: str) -> float:
    """How alike two headings are, 0 to 1: their letters, their words, what they mean."""
    letters = SequenceMatcher(None, respelled_as(one), respelled_as(other), autojunk=False).ratio()
    a, b = set(words_of(one).split()), set(words_of(other).split())
    words = len(a & b) / max(len(a), len(b)) if a and b else 0.0
    meant = {h.meaning for h in hints(one)[:1]} & {h.meaning for h in hints(other)[:1]} - set(_COMMON)
    return max(letters, words, SAME_MEANING if meant else 0.0)


def agrees(column: Column, seen: Column, *, reads: float, alike: bool | None) -> bool | None:
    """Whether what came under a new name is the column, by its values.

    `seen`: what it seems to be; `reads`: the share of its values that are read as the column is; `alike`: whether they
    are spread as before, None where that is not known.
    """
    if reads < READS or alike is False or _other(column, seen):
        return False
    telling = column.meaning is seen.meaning and column.meaning not in _COMMON
    return True if telling or alike else None


def _other(column: Column, seen: Column) -> bool:
    """Whether the values are seen to be something that the column is not."""
    if {column.meaning, seen.meaning} & set(DIRECT_IDENTIFIERS) and column.meaning is not seen.meaning:
        return seen.meaning is not Meaning.UNKNOWN and column.meaning is not Meaning.UNKNOWN
    dated = (Kind.DATE, Kind.TIMESTAMP)
    return (column.kind in dated) != (seen.kind in dated) and Kind.STRING not in (column.kind, seen.kind)


def paired(candidates: Sequence[Candidate]) -> tuple[tuple[str, str], ...]:
    """Pairs of the contract's and the delivered name: each in one pair at most, and none where two would do."""
    possible = [c for c in candidates if c.agrees is not False and (c.agrees or c.alike >= VERY_ALIKE)]
    found: list[Candidate] = []
    for one in sorted(possible, key=_weight, reverse=True):
        taken = {c.source for c in found} | {c.delivered for c in found}
        if one.source in taken or one.delivered in taken:
            continue
        rivals = [
            r for r in possible
            if r is not one and r.source not in taken and r.delivered not in taken
            and (r.source == one.source or r.delivered == one.delivered)
        ]  # fmt: skip
        if all(_beats(one, r) for r in rivals):
            found.append(one)
    return tuple((c.source, c.delivered) for c in found)


def _weight(candidate: Candidate) -> tuple[bool, float]:
    return bool(candidate.agrees), candidate.alike


def _beats(one: Candidate, other: Candidate) -> bool:
    if bool(one.agrees) is not bool(other.agrees):
        return bool(one.agrees)
    return one.alike >= other.alike + MARGIN
