"""Clerical review: what a person may answer about a case, and when a case is decided.

A case is one record beside a few others, called 1, 2, …. The answer names those that are the same
as the first one: `1`, `1,2`, `none`; or `unsure`. Scores are never shown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from integrated_data.model.errors import UsageRefusal

#: Others that a case shows at most.
MOST_OTHERS = 3

NONE, UNSURE = "none", "unsure"

_WRITTEN = re.compile(r"[1-9](,[1-9])*")


class ReviewKind(StrEnum):
    """What a review set is made of."""

    LINKS = "links"  # a record of a delivery beside entities of an index


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
