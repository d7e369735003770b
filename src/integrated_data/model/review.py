"""Clerical review: what a person may answer about a case, and when a case is decided.

A case about links is one record beside a few others, called 1, 2, …. The answer names those that are the
same as the first one: `1`, `1,2`, `none`; or `unsure`.

A case about a cluster is records that stand for one entity, called 1, 2, …. The answer is `all` where they
are one, else who stands apart: `2` (2 from the rest), `2,3` (2 and 3 are one, and not the rest), `2/3` (2, 3 and
the rest are three); or `unsure`. Scores are never shown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from integrated_data.model.errors import UsageRefusal

#: Others that a case shows at most.
MOST_OTHERS = 3

#: Records of a cluster that a case shows at most: each is called by one digit.
MOST_RECORDS = 9

NONE, UNSURE, ALL = "none", "unsure", "all"

_WRITTEN = re.compile(r"[1-9](,[1-9])*")
_GROUPS = re.compile(rf"{_WRITTEN.pattern}(/{_WRITTEN.pattern})*")


class ReviewKind(StrEnum):
    """What a review set is made of."""

    LINKS = "links"  # a record of a delivery beside entities of an index
    CLUSTERS = "clusters"  # the records that an index takes for one entity


class CaseState(StrEnum):
    """Standing of a case."""

    OPEN = "open"  # waits for an answer
    DISPUTED = "disputed"  # two answers differ, or one is unsure: waits for one more person
    DECIDED = "decided"
    UNDECIDED = "undecided"  # three people could not tell


@dataclass(frozen=True)
class Standing:
    """Where a case stands: its state and, once decided, the answer that counts."""

    state: CaseState
    answer: str | None = None


@dataclass(frozen=True)
class Draw:
    """How a sample is drawn: cases, the seed that decides which, and the share that two people code."""

    size: int = 400
    seed: int = 1
    double: float = 0.2


def read_answer(written: str, *, others: int) -> str:
    """An answer in one form (`2,1` becomes `1,2`); refuses what names no record of the case."""
    plain = written.strip().lower().replace(" ", "")
    plain = {"n": NONE, "u": UNSURE, "0": NONE}.get(plain, plain)
    if plain in (NONE, UNSURE):
        return plain
    numbers = sorted(set(plain.split(","))) if _WRITTEN.fullmatch(plain) else []
    if not numbers or int(numbers[-1]) > others:
        raise UsageRefusal(
            "The answer names no record of the case",
            next_step=f"Answer with numbers from 1 to {others}, such as 1 or 1,2; or none; or unsure",
        )
    return ",".join(numbers)


def read_groups(written: str, *, records: int) -> str:
    """An answer about a cluster in one form (`3,2` of four records becomes `1,4/2,3`, all groups from the smallest
    number on); refuses what names no record, or one twice."""
    plain = written.strip().lower().replace(" ", "")
    plain = {"a": ALL, "y": ALL, "u": UNSURE}.get(plain, plain)
    if plain in (ALL, UNSURE):
        return plain
    named = [sorted(int(n) for n in group.split(",")) for group in plain.split("/")] if _GROUPS.fullmatch(plain) else []
    numbers = [n for group in named for n in group]
    if not numbers or max(numbers) > records or len(set(numbers)) < len(numbers):
        raise UsageRefusal(
            "The answer does not say which records of the case stand apart",
            next_step=f"Answer all; or who stands apart, by numbers from 1 to {records}: 2, or 2,3, or 2/3; or unsure",
        )
    rest = [n for n in range(1, records + 1) if n not in numbers]
    groups = sorted([*named, rest] if rest else named)
    return ALL if len(groups) == 1 else "/".join(",".join(map(str, group)) for group in groups)


def groups_of(answer: str, *, records: int) -> tuple[tuple[int, ...], ...]:
    """The groups of record numbers that an answer about a cluster makes; none where it does not tell."""
    if answer == UNSURE:
        return ()
    if answer == ALL:
        return (tuple(range(1, records + 1)),)
    return tuple(tuple(int(n) for n in group.split(",")) for group in answer.split("/"))


def read(kind: ReviewKind, written: str, *, others: int) -> str:
    """An answer about a case of that kind in one form; `others`: records beside the first."""
    return (
        read_groups(written, records=others + 1) if kind is ReviewKind.CLUSTERS else read_answer(written, others=others)
    )


def same(answer: str) -> tuple[int, ...]:
    """Numbers of the records that an answer calls the same as the first one."""
    return () if answer in (NONE, UNSURE) else tuple(int(n) for n in answer.split(","))


def standing(answers: Sequence[str], *, double: bool) -> Standing:
    """Where a case stands after the answers of different people, in the order they came.

    One answer decides, or two that agree where the case is coded twice (`double`). Where they differ
    or somebody is unsure, a further person decides.
    """
    wanted = 2 if double else 1
    first = answers[:wanted]
    if len(first) < wanted:
        return Standing(CaseState.OPEN)
    if len(set(first)) == 1 and first[0] != UNSURE:
        return Standing(CaseState.DECIDED, first[0])
    third = answers[2:3] or (answers[1:2] if not double else [])
    if not third:
        return Standing(CaseState.DISPUTED)
    if third[0] != UNSURE:
        return Standing(CaseState.DECIDED, third[0])
    if not double and len(answers) == 2:
        return Standing(CaseState.DISPUTED)
    return Standing(CaseState.UNDECIDED)
