"""Numbers that departments give people and businesses, with their official forms and check digits."""

import numpy as np
import pyarrow.compute as pc

from integrated_data.specimen.chance import Ints, opaque
from integrated_data.specimen.text import Text, column, digits

_FIRST = "ABCEGHJKLMNOPRSTWXYZ"
_SECOND = "ABCEGHJKLMNPRSTWXYZ"
_BANNED = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def nhs_numbers(rng: np.random.Generator, rows: int) -> Text:
    """Return different ten-digit numbers whose modulus-11 check holds, from 900…, which is not issued."""
    body = opaque(rng, int(rows * 1.12) + 50, low=900_000_000, high=999_000_000)
    check = check_digit(body)
    return digits((body * 10 + check)[check < 10][:rows], 10)


def check_digit(body: Ints) -> Ints:
    """Return the modulus-11 check digit of nine-digit bodies; 10 marks a body that is not used."""
    total = np.zeros(len(body), dtype=np.int64)
    for place in range(9):
        total += (body // 10 ** (8 - place) % 10) * (10 - place)
    return (11 - total % 11) % 11


def national_insurance_numbers(rng: np.random.Generator, rows: int) -> Text:
    """Return different numbers AA999999A with prefixes and suffixes (A-D) that are allowed."""
    prefixes = [a + b for a in _FIRST for b in _SECOND if a + b not in _BANNED]
    number = opaque(rng, rows, low=0, high=len(prefixes) * 4_000_000)
    prefix = column(prefixes).take(number // 4_000_000)
    suffix = column(list("ABCD")).take(number % 4)
    return pc.binary_join_element_wise(prefix, digits(number // 4 % 1_000_000, 6), suffix, "")


def record_ids(rng: np.random.Generator, rows: int, *, prefix: str = "") -> Text:
    """Return different ten-digit ids in random order after a prefix; they carry no truth."""
    return pc.binary_join_element_wise(
        prefix, digits(opaque(rng, rows, low=1_000_000_000, high=10_000_000_000), 10), ""
    )
