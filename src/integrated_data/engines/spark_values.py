"""Values on Spark: types, literals and casts that mean there what they mean to DuckDB.

What is not listed here is refused, so that nothing differs in silence. Sources: Spark's SQL reference
(ANSI mode) and DuckDB's documentation; every line is held by `tests/spec/test_spark_values.py`.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

#: Types as Spark names them; DuckDB's HUGEINT lives in the widest decimal, whose overflow is an error.
NAMES = {
    "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INTEGER": "INT", "BIGINT": "BIGINT",
    "HUGEINT": "DECIMAL(38, 0)", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE", "VARCHAR": "STRING", "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP_NTZ",
}  # fmt: skip

WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})

#: Decimal digits that hold every whole number of a type.
DIGITS = {"BOOLEAN": 1, "TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 38}

WIDEST = 38

#: Begins an error that a translated query raises by itself, followed by one of `STOPS`.
STOP = "ids-stop:"
STOPS = frozenset({"unconvertible", "undefined", "letters", "rows"})

PLAIN = re.compile(r"[A-Za-z0-9 _.,:+%/()-]*")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
INTEGER = re.compile(r"-?[0-9]{1,18}")
NUMBER = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,17})?")


class Untranslated(Exception):  # noqa: N818 - carries what is refused out of a translation
    """A query asks for something that Spark is not known to answer as DuckDB does.

    `named`: a word of SQL or of the engine's, never a value.
    """

    def __init__(self, named: str) -> None:
        super().__init__(named)
        self.named = named


class Kind(NamedTuple):
    """A type as DuckDB's binder found it."""

    id: str
    width: int = 0
    scale: int = 0

    @property
    def name(self) -> str:
        """The type in Spark's SQL; refuses one that has no counterpart."""
        if self.id == "DECIMAL":
            return f"DECIMAL({self.width}, {self.scale})"
        if self.id not in NAMES:
            raise Untranslated(f"values of type {self.id}")
        return NAMES[self.id]

    @property
    def digits(self) -> int:
        """Decimal digits before the point that hold every value of a number without a fraction."""
        return DIGITS[self.id] if self.id in DIGITS else self.width - self.scale


#: The column of a join that tells whether there was a match; not a value.
MARK = Kind("MARK")


@dataclass(frozen=True)
class Value:
    """A piece of Spark SQL that is one value. `constant`: of a literal, as Python has it."""

    sql: str
    kind: Kind
    constant: object = None


def kind_of(told: dict[str, Any]) -> Kind:
    """A type as a plan tells it."""
    more = told.get("type_info") or {}
    if more.get("collation"):
        raise Untranslated("a collation")
    return Kind(str(told["id"]), int(more.get("width") or 0), int(more.get("scale") or 0))


def text(value: str) -> str:
    """A literal of text: as bytes in hexadecimal where it holds anything that a reader of SQL might take up."""
    if PLAIN.fullmatch(value):
        return f"'{value}'"
    return f"CAST(X'{value.encode().hex().upper()}' AS STRING)"


def name(column: str) -> str:
    """A name in Spark's quotation marks."""
    return "`" + column.replace("`", "``") + "`"


def literal(told: dict[str, Any]) -> Value:
    """A constant of a plan."""
    kind, value = kind_of(told["type"]), told.get("value")
    if told["is_null"]:
        return Value("NULL" if kind.id == "NULL" else f"CAST(NULL AS {kind.name})", kind)
    match kind.id, value:
        case "BOOLEAN", bool():
            return Value(str(value).upper(), kind, value)
        case (("TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT"), int()):
            return Value(str(value) if kind.id == "INTEGER" else f"CAST({value} AS {kind.name})", kind, value)
        case "HUGEINT", dict():
            whole = int(value["upper"]) * 2**64 + int(value["lower"])
            return Value(f"CAST('{whole}' AS {kind.name})", kind, whole)
        case "DECIMAL", int():
            shown = f"{'-' if value < 0 else ''}{_point(abs(value), kind.scale)}"
            return Value(f"CAST('{shown}' AS {kind.name})", kind, shown)
        case "DOUBLE", float() | int():
            return double(float(value))
        case "VARCHAR", str():
            return Value(text(value), kind, value)
    raise Untranslated(f"a constant of type {kind.id}")


def double(value: float) -> Value:
    """A literal of a number with a floating point."""
    shown = "NaN" if math.isnan(value) else "Infinity" if value == math.inf else repr(value)
    return Value(f"CAST('{shown.replace('inf', 'Infinity')}' AS DOUBLE)", Kind("DOUBLE"), value)


def _point(value: int, scale: int) -> str:
    digits = str(value).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits


def cast(value: Value, to: Kind, *, trying: bool = False) -> Value:
    """A value as another type, with DuckDB's rounding; an overflow is an error on both engines."""
    if value.kind == to:
        return value
    if value.sql == "NULL" or value.sql.startswith("CAST(NULL AS"):
        return Value(f"CAST(NULL AS {to.name})", to)
    if value.kind.id == "VARCHAR" and isinstance(value.constant, str) and not trying:
        return _of_text(value.constant, to)
    if trying and not _always(value.kind, to):
        raise Untranslated(f"TRY_CAST from {value.kind.id} to {to.id}")
    found = next((c for froms, tos, c in CASTS if value.kind.id in froms and to.id in tos), None)
    if found is None:
        raise Untranslated(f"a cast from {value.kind.id} to {to.id}")
    constant = value.constant if to.id in WHOLE | {"DOUBLE"} and isinstance(value.constant, int) else None
    return Value(found(value, to), to, constant)


def _always(kind: Kind, to: Kind) -> bool:
    """Whether a cast never fails."""
    grown = kind.id in WHOLE and to.id in WHOLE and DIGITS[kind.id] <= DIGITS[to.id]
    return grown or to.id in ("DOUBLE", "VARCHAR")


def _of_text(said: str, to: Kind) -> Value:
    """A constant that the query wrote as text: DATE '2021-03-21' and its like."""
    try:
        match to.id:
            case "DATE" if DAY.fullmatch(said):
                date.fromisoformat(said)
                return Value(f"DATE'{said}'", to, said)
            case "TIMESTAMP" if MOMENT.fullmatch(said):
                datetime.fromisoformat(said)
                return Value(f"TIMESTAMP_NTZ'{said.replace('T', ' ')}'", to, said)
            case "BOOLEAN" if said.lower() in ("t", "f", "true", "false"):
                whether = said.lower().startswith("t")
                return Value(str(whether).upper(), to, whether)
            case "DOUBLE" if NUMBER.fullmatch(said) or said.lower() in ("nan", "inf", "infinity", "-inf", "-infinity"):
                return double(float(said))
            case "INTEGER" | "BIGINT" | "HUGEINT" if INTEGER.fullmatch(said):
                return Value(f"CAST({int(said)} AS {to.name})", to, int(said))
    except ValueError:
        pass
    raise Untranslated(f"a cast of text to {to.id}")


def _plainly(value: Value, to: Kind) -> str:
    return f"CAST({value.sql} AS {to.name})"


def _nearest_even(value: Value, to: Kind) -> str:
    """A floating point to the nearest whole number, halves to the even one."""
    down = f"CAST(floor({value.sql}) AS DOUBLE)"
    over = f"({value.sql} - {down})"
    odd = f"CAST(floor({value.sql}) AS BIGINT) % 2 <> 0"
    up = f"{over} > 0.5D OR ({over} = 0.5D AND {odd})"
    inside = f"{value.sql} > -9e18D AND {value.sql} < 9e18D"
    checked = f"CASE WHEN {inside} THEN CASE WHEN {up} THEN {down} + 1D ELSE {down} END ELSE {value.sql} END"
    return f"CAST(CASE WHEN isnan({value.sql}) THEN {failing('unconvertible')} ELSE {checked} END AS {to.name})"


def _nearest(value: Value, to: Kind) -> str:
    """A decimal to the nearest whole number, halves away from nought."""
    return f"CAST(round({value.sql}, 0) AS {to.name})"


def _rescaled(value: Value, to: Kind) -> str:
    if to.scale < value.kind.scale:
        return f"CAST(round({value.sql}, {to.scale}) AS {to.name})"
    return _plainly(value, to)


def failing(stop: str, to: Kind | None = None) -> str:
    """SQL that ends the query as one of `STOPS`, where DuckDB would end it with an error of its own."""
    return f"CAST(raise_error('{STOP}{stop}') AS {to.name if to else 'DOUBLE'})"


_DECIMAL = frozenset({"DECIMAL"})
_REAL = frozenset({"FLOAT", "DOUBLE"})

#: From, to, how. First match wins; what is not listed is refused (text of floating points and of decimals
#: is written differently, text is read differently).
CASTS: tuple[tuple[frozenset[str], frozenset[str], Callable[[Value, Kind], str]], ...] = (
    (WHOLE | {"BOOLEAN"}, WHOLE | _REAL, _plainly),
    (WHOLE, _DECIMAL, _plainly),
    (WHOLE | {"BOOLEAN", "DATE"}, frozenset({"VARCHAR"}), _plainly),
    (_DECIMAL, _DECIMAL, _rescaled),
    (_DECIMAL, WHOLE, _nearest),
    (_DECIMAL, frozenset({"DOUBLE"}), _plainly),
    (frozenset({"FLOAT"}), frozenset({"DOUBLE"}), _plainly),
    (frozenset({"DOUBLE"}), WHOLE - {"HUGEINT"}, _nearest_even),
    (frozenset({"DATE"}), frozenset({"TIMESTAMP"}), _plainly),
    (frozenset({"TIMESTAMP"}), frozenset({"DATE"}), _plainly),
)
