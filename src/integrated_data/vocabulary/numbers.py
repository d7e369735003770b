"""Reading numbers and truth values from text, as SQL.

The first reading is the engine's plain cast; only values it cannot read are looked at again for
the forms people write: £12,345.00, (1,250), 12.5%, 1 234. A value is never bent into another
number: 3.5 is not an integer, and 1,5 is not 15.
"""

from integrated_data.vocabulary.sql import text, texts

#: Currency signs that may stand before or after an amount.
CURRENCIES = "£$€"

#: An amount with thousands marks, a currency sign, brackets for minus, or a percent sign.
WRITTEN_NUMBER = r"[-+(]?\s*[£$€]?\s*[-+]?([0-9]+|[0-9]{1,3}([, ][0-9]{3})+)(\.[0-9]+)?\s*[£$€%]?\s*\)?"

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")


def _written_sql(value: str) -> str:
    """Text of a written number as the engine reads it: signs and thousands marks taken out."""
    plain = f"translate({value}, {text(CURRENCIES + ', %)+')}, '')"
    return f"CASE WHEN regexp_full_match({value}, {text(WRITTEN_NUMBER)}) THEN replace({plain}, '(', '-') END"


def _point_sql(value: str, decimal: str) -> str:
    if decimal == ".":
        return value
    return f"replace(replace(replace({value}, '.', ''), ' ', ''), {text(decimal)}, '.')"


def number_sql(value: str, *, decimal: str = ".") -> str:
    """A DOUBLE, or NULL where `value` is no finite number; `decimal` is the decimal mark."""
    point = _point_sql(value, decimal)
    read = f"coalesce(TRY_CAST({point} AS DOUBLE), TRY_CAST({_written_sql(point)} AS DOUBLE))"
    return f"CASE WHEN isfinite({read}) THEN {read} END"


def integer_sql(value: str, *, decimal: str = ".") -> str:
    """A BIGINT, or NULL where `value` is no whole number; 4.0 is one, 3.5 is not."""
    point = _point_sql(value, decimal)
    wide = f"coalesce(TRY_CAST({point} AS DOUBLE), TRY_CAST({_written_sql(point)} AS DOUBLE))"
    whole = f"CASE WHEN {wide} = TRY_CAST({wide} AS BIGINT) THEN TRY_CAST({wide} AS BIGINT) END"
    plain = f"TRY_CAST({point} AS BIGINT)"
    return f"CASE WHEN {plain} IS NOT NULL AND NOT contains({point}, '.') THEN {plain} ELSE {whole} END"


def boolean_sql(value: str) -> str:
    """A BOOLEAN from the words people use for it; NULL for any other."""
    low = f"lower(trim({value}))"
    return f"CASE WHEN {low} IN {texts(TRUE_WORDS)} THEN true WHEN {low} IN {texts(FALSE_WORDS)} THEN false END"
