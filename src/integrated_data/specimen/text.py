"""Columns of text and dates as Arrow arrays: take, join, fold, blank, and dates written as departments do."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeAlias
from unicodedata import combining, normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen.chance import Bools, Ints

Text: TypeAlias = pa.StringArray

#: A day that is not known. Days are counted from 1970-01-01.
NO_DAY = -99_999
#: The day the country is seen: its census day.
CENSUS_DAY = int(np.datetime64("2021-03-21").astype(int))
YEAR = 365.25

_FIRST_DAY = date(1890, 1, 1)
_LAST_DAY = date(2030, 12, 31)
_UNCOMBINED = str.maketrans("łŁđĐøØ", "lLdDoO")


def column(values: Sequence[str | None]) -> Text:
    """Return a column of text from Python strings (None is missing)."""
    return pa.array(values, type=pa.string())


def take(words: Text, index: Ints) -> Text:
    """Return the word at each index; an index below zero gives a missing value."""
    return words.take(pa.array(index, mask=index < 0))


def join(parts: Sequence[Text | str], between: str) -> Text:
    """Join columns row by row with a separator; missing parts are left out together with their separator."""
    if any(isinstance(part, str) for part in parts):
        return pc.binary_join_element_wise(*parts, between, null_handling="skip")
    absent = pc.is_null(parts[0])
    for part in parts[1:]:
        absent = pc.and_(absent, pc.is_null(part))
    # Arrow drops a row of which every part is missing, so such a row gets an empty part first
    first = pc.if_else(absent, "", parts[0])
    joined = pc.binary_join_element_wise(first, *parts[1:], between, null_handling="skip")
    return pc.if_else(absent, pa.scalar(None, pa.string()), joined)


def choose(where: Bools, yes: Text | str | None, *, otherwise: Text | str | None) -> Text:
    """Return `yes` where the mask holds, else `otherwise`; either may be a column, one value or None."""
    scalars = [
        pa.scalar(value, pa.string()) if value is None or isinstance(value, str) else value
        for value in (yes, otherwise)
    ]
    return pc.if_else(pa.array(where), scalars[0], scalars[1])


def blank(values: Text, where: Bools) -> Text:
    """Return the column with a missing value wherever the mask holds."""
    return choose(where, None, otherwise=values)


def put(values: Text, where: Bools, *, replacement: Sequence[str | None]) -> Text:
    """Return the column with the masked rows replaced in order."""
    return pc.replace_with_mask(values, pa.array(where), column(replacement))


def present(values: Text) -> Bools:
    """Return which rows of a column are there."""
    mask: Bools = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return mask


def contains(values: Text, piece: str) -> Bools:
    """Return which rows hold the piece of text."""
    mask: Bools = pc.fill_null(pc.match_substring(values, piece), False).to_numpy(zero_copy_only=False)
    return mask


def digits(numbers: Ints, width: int) -> Text:
    """Write whole numbers with leading zeros."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def number_text(numbers: Ints) -> Text:
    """Write whole numbers; zero or less is missing."""
    return blank(pa.array(numbers).cast(pa.string()), numbers <= 0)


def _plain(word: str) -> str:
    apart = normalize("NFD", word.translate(_UNCOMBINED))
    return "".join(letter for letter in apart if not combining(letter))


def folded(values: Text) -> Text:
    """Return the column without accents, by way of its distinct values."""
    coded = values.dictionary_encode()
    plain = column([_plain(word) for word in coded.dictionary.to_pylist()])
    return plain.take(coded.indices)


@lru_cache(maxsize=32)
def _calendar(pattern: str) -> Text:
    days = (_LAST_DAY - _FIRST_DAY).days + 1
    return column([(_FIRST_DAY + timedelta(days=day)).strftime(pattern) for day in range(days)])


def dates(days: Ints, pattern: str) -> Text:
    """Write days since 1970 with a strftime pattern; `NO_DAY` is missing."""
    start = (_FIRST_DAY - date(1970, 1, 1)).days
    return take(_calendar(pattern), np.where(days == NO_DAY, -1, days - start))


def date_column(days: Ints) -> pa.Array:
    """Return days since 1970 as an Arrow date column; `NO_DAY` is missing."""
    return pa.array(days.astype(np.int32), mask=days == NO_DAY).cast(pa.date32())


def year_of(days: Ints) -> Ints:
    """Return the calendar year of each day."""
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def day_of(year: int, month: int = 1, *, day: int = 1) -> int:
    """Return a calendar date as days since 1970."""
    return (date(year, month, day) - date(1970, 1, 1)).days
