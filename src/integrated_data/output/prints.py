"""Numbers drawn for people, whose sums tell whether two groups are of the same people, or of all the same but one.

SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014): each number is
drawn once, and leads back to whom it was drawn for.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Prints: TypeAlias = NDArray[np.uint64]

WORD = 1 << 64
GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
BACK = tuple(pow(factor, -1, WORD) for factor in (SECOND, FIRST, GAMMA))


def drawn(numbers: NDArray[Any]) -> Prints:
    """A number drawn by each; no sum of few of them is another."""
    mixed = numbers.astype(np.uint64)
    mixed += np.uint64(1)
    mixed *= np.uint64(GAMMA)
    for bits, factor in ((30, FIRST), (27, SECOND)):
        mixed ^= mixed >> np.uint64(bits)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def whose(print_: int) -> int:
    """Whom a number was drawn for: of `drawn` the other way round."""
    mixed = (print_ ^ (print_ >> 31) ^ (print_ >> 62)) * BACK[0] % WORD
    mixed = (mixed ^ (mixed >> 27) ^ (mixed >> 54)) * BACK[1] % WORD
    mixed = (mixed ^ (mixed >> 30) ^ (mixed >> 60)) * BACK[2] % WORD
    return (mixed - 1) % WORD


def apart(one: int, other: int, *, people: int) -> int | None:
    """How many of so many people are in one of two groups alone, from their sums: none or one; None for more."""
    between = (one - other) % WORD
    if not between:
        return 0
    return 1 if min(whose(between), whose(WORD - between)) < people else None
