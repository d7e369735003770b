"""The functions that are allowed on Spark, each with the SQL that gives what DuckDB gives.

Names and arguments are those that DuckDB's binder resolved, so that overloads are told apart by their
types. A function that is not here is refused. Each is held by `tests/spec/test_spark_functions.py`, which
runs it on both engines. Where Spark's own function of that name differs (whole numbers that wrap, halves,
NULLs, boundaries of dates), what stands here is written around it.
"""

from collections.abc import Callable, Mapping, Sequence

from integrated_data.engines.spark_values import WHOLE, WIDEST, Kind, Untranslated, Value, failing, text

Values = Sequence[Value]
Rule = Callable[[Values, Kind], str]

#: Every character that Unicode calls a space separator: what DuckDB's trim takes away.
SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

#: Decimal digits of 2⁵³ less one: powers of ten up to here are exact as floating points.
ROUNDED = 15


def _kinds(values: Values) -> tuple[str, ...]:
    return tuple(v.kind.id for v in values)


def _named(rule: str) -> Untranslated:
    return Untranslated(f"function {rule}")


def arithmetic(operator: str) -> Rule:
    """Add, subtract or multiply: whole numbers in a wider type, so that an overflow is an error everywhere."""

    def rule(values: Values, kind: Kind) -> str:
        if len(values) == 1 and operator == "-":
            return arithmetic("-")((Value(f"CAST(0 AS {kind.name})", kind), *values), kind)
        left, right = values
        match _kinds(values):
            case "DOUBLE", "DOUBLE":
                return f"({left.sql} {operator} {right.sql})"
            case "DATE", "INTEGER" if operator in "+-":
                return f"{'date_add' if operator == '+' else 'date_sub'}({left.sql}, {right.sql})"
            case "DATE", "DATE" if operator == "-":
                return f"CAST(datediff({left.sql}, {right.sql}) AS BIGINT)"
            case (("DATE" | "TIMESTAMP"), "INTERVAL") if operator in "+-":
                return f"(CAST({left.sql} AS TIMESTAMP_NTZ) {operator} {right.sql})"
            case "DECIMAL", "DECIMAL":
                _check_width(values, operator)
                return f"CAST(({left.sql} {operator} {right.sql}) AS {kind.name})"
            case a, b if a == b and a in WHOLE:
                wide = "DECIMAL(38, 0)" if a == "HUGEINT" else "DECIMAL(19, 0)" if a == "BIGINT" else "BIGINT"
                return f"CAST((CAST({left.sql} AS {wide}) {operator} CAST({right.sql} AS {wide})) AS {kind.name})"
        raise Untranslated(f"{operator} of {' and '.join(_kinds(values))}")

    return rule


def _check_width(values: Values, operator: str) -> None:
    """Refuse decimals so wide that Spark would cut their fractions."""
    (a, b) = (v.kind for v in values)
    scale = a.scale + b.scale if operator == "*" else max(a.scale, b.scale)
    whole = a.digits + b.digits if operator == "*" else max(a.digits, b.digits)
    if scale + whole + 1 > WIDEST:
        raise Untranslated(f"{operator} of decimals this wide")


def divide(values: Values, _kind: Kind) -> str:
    """By floating points, as DuckDB does for every pair of numbers; by nought is infinite."""
    left, right = values
    if _kinds(values) != ("DOUBLE", "DOUBLE"):
        raise Untranslated("/ of other than numbers")
    if isinstance(right.constant, int | float) and right.constant:
        return f"({left.sql} / {right.sql})"
    nought = f"{left.sql} * CAST('Infinity' AS DOUBLE)"
    return f"CASE WHEN {right.sql} = 0D THEN {nought} ELSE {left.sql} / nullif({right.sql}, 0D) END"


def whole_division(operator: str) -> Rule:
    """Quotient towards nought, or its remainder; by nought is NULL."""

    def rule(values: Values, kind: Kind) -> str:
        a, b = _kinds(values)
        if a != b or a not in WHOLE - {"HUGEINT"}:
            raise Untranslated(f"{'//' if operator == 'div' else '%'} of other than whole numbers")
        by = f"nullif({values[1].sql}, CAST(0 AS {values[1].kind.name}))"
        return f"CAST(({values[0].sql} {operator} {by}) AS {kind.name})"

    return rule


def rounded(values: Values, kind: Kind) -> str:
    """Halves away from nought; a floating point is scaled, rounded and scaled back, as DuckDB does."""
    value, places = values[0], values[1].constant if len(values) > 1 else 0
    if not isinstance(places, int) or not 0 <= places <= ROUNDED:
        raise _named("round to other than 0 to 15 places")
    if value.kind.id in WHOLE:
        return value.sql
    if value.kind.id == "DECIMAL":
        return f"CAST(round({value.sql}, {min(places, value.kind.scale)}) AS {kind.name})"
    if value.kind.id != "DOUBLE":
        raise _named("round")
    scaled = f"({value.sql} * {10.0**places!r}D)" if places else value.sql
    small = f"abs({scaled}) < 4503599627370496D"
    near = f"round({scaled}, 0)"
    return f"CASE WHEN {small} THEN {near} / {10.0**places!r}D ELSE {value.sql} END"


def towards(name: str) -> Rule:
    """floor, ceil: as a floating point, or as a decimal without a fraction; beyond 2⁵³ nothing changes."""

    def rule(values: Values, kind: Kind) -> str:
        value = values[0]
        if value.kind.id == "DECIMAL":
            return f"CAST({name}({value.sql}) AS {kind.name})"
        if value.kind.id != "DOUBLE":
            raise _named(name)
        small = f"abs({value.sql}) < 4503599627370496D"
        return f"CASE WHEN {small} THEN CAST({name}({value.sql}) AS DOUBLE) ELSE {value.sql} END"

    return rule


def absolute(values: Values, kind: Kind) -> str:
    """Without its sign."""
    value = values[0]
    if value.kind.id in ("DOUBLE", "DECIMAL"):
        return f"abs({value.sql})"
    if value.kind.id in WHOLE:
        return f"CASE WHEN {value.sql} < 0 THEN {arithmetic('-')(values, kind)} ELSE {value.sql} END"
    raise _named("abs")


def where_defined(name: str, condition: str) -> Rule:
    """A function of a floating point that DuckDB ends with an error outside where it is defined."""

    def rule(values: Values, _kind: Kind) -> str:
        if _kinds(values) != ("DOUBLE",):
            raise _named(name)
        value = values[0].sql
        fails = failing("undefined")
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {value} {condition} THEN {name}({value}) ELSE {fails} END"

    return rule


def plain(name: str, *kinds: str) -> Rule:
    """A function that Spark calls `name` and that does the same there for arguments of these types."""

    def rule(values: Values, _kind: Kind) -> str:
        if _kinds(values) != kinds:
            raise _named(name)
        return f"{name}({', '.join(v.sql for v in values)})"

    return rule


def not_a_number(values: Values, _kind: Kind) -> str:
    """isnan: of NULL it is NULL."""
    if _kinds(values) != ("DOUBLE",):
        raise _named("isnan")
    return f"CASE WHEN {values[0].sql} IS NOT NULL THEN isnan({values[0].sql}) END"


def same_types(name: str) -> Rule:
    """greatest and least: NULLs are passed over on both engines."""

    def rule(values: Values, kind: Kind) -> str:
        if len(set(_kinds(values))) != 1 or kind.id == "BOOLEAN":
            raise _named(name)
        return f"{name}({', '.join(v.sql for v in values)})" if len(values) > 1 else values[0].sql

    return rule


def cased(name: str) -> Rule:
    """upper, lower: of ASCII text; for other letters Unicode knows forms of several letters, and engines differ."""

    def rule(values: Values, kind: Kind) -> str:
        if _kinds(values) != ("VARCHAR",):
            raise _named(name)
        value, fails = values[0].sql, failing("letters", kind)
        ascii_only = f"octet_length({value}) = char_length({value})"
        return f"CASE WHEN {value} IS NULL THEN NULL WHEN {ascii_only} THEN {name}({value}) ELSE {fails} END"

    return rule


def trimmed(side: str) -> Rule:
    """trim and its like, of spaces as Unicode counts them."""

    def rule(values: Values, _kind: Kind) -> str:
        if _kinds(values) != ("VARCHAR",):
            raise _named(f"trim ({side.lower()}) of given characters")
        return f"trim({side} {text(SPACES)} FROM {values[0].sql})"

    return rule


def joined(values: Values, _kind: Kind) -> str:
    """concat: NULLs are passed over."""
    if set(_kinds(values)) != {"VARCHAR"}:
        raise _named("concat")
    return f"concat_ws('', {', '.join(v.sql for v in values)})"


def part(values: Values, _kind: Kind) -> str:
    """substring from a given place on; places before the first count differently and are refused."""
    start, length = values[1].constant, values[2].constant if len(values) > 2 else None
    if not isinstance(start, int) or start < 1 or not (length is None or (isinstance(length, int) and length >= 0)):
        raise _named("substring other than of given places from 1 on")
    if len(values) > 2 and length is None:
        raise _named("substring of a length that is not given")
    return f"substring({values[0].sql}, {start}{'' if length is None else f', {length}'})"


def end(side: str) -> Rule:
    """left and right, of a given number of characters."""

    def rule(values: Values, _kind: Kind) -> str:
        count = values[1].constant
        if not isinstance(count, int) or count < 0 or values[0].kind.id != "VARCHAR":
            raise _named(f"{side} of other than a given number of characters")
        return f"{side}({values[0].sql}, {count})" if count else f"substring({values[0].sql}, 1, 0)"

    return rule


def like(values: Values, _kind: Kind) -> str:
    """LIKE with a given pattern, in which no character stands for itself by a backslash."""
    pattern = values[1].constant
    if not isinstance(pattern, str) or "\\" in pattern:
        raise Untranslated("LIKE with a pattern that is not given, or holds a backslash")
    return f"({values[0].sql} LIKE {values[1].sql})"


def either(values: Values, _kind: Kind) -> str:
    """`||`: NULL where one is NULL."""
    if _kinds(values) != ("VARCHAR", "VARCHAR"):
        raise Untranslated("|| of other than text")
    return f"concat({values[0].sql}, {values[1].sql})"


#: Parts of a date, each of one date.
PARTS: Mapping[str, str] = {
    "year": "year({})", "month": "month({})", "day": "day({})", "quarter": "quarter({})",
    "dow": "(dayofweek({}) - 1)", "dayofweek": "(dayofweek({}) - 1)", "isodow": "(pmod(dayofweek({}) + 5, 7) + 1)",
    "doy": "dayofyear({})", "dayofyear": "dayofyear({})", "week": "weekofyear({})", "dayofmonth": "day({})",
}  # fmt: skip

TRUNCATED = {"year": "YEAR", "quarter": "QUARTER", "month": "MONTH", "week": "WEEK"}


def date_part(name: str) -> Rule:
    """A part of a date or a moment."""

    def rule(values: Values, kind: Kind) -> str:
        if values[-1].kind.id not in ("DATE", "TIMESTAMP"):
            raise _named(name)
        unit = str(values[0].constant).lower() if len(values) == 2 else name
        if unit not in PARTS:
            raise _named(f"{name} of other than {', '.join(PARTS)}")
        day = values[-1].sql if values[-1].kind.id == "DATE" else f"CAST({values[-1].sql} AS DATE)"
        return f"CAST({PARTS[unit].format(day)} AS {kind.name})"

    return rule


def truncated(values: Values, kind: Kind) -> str:
    """date_trunc of a date, which DuckDB gives as a moment."""
    unit = str(values[0].constant).lower()
    if values[1].kind.id != "DATE" or unit not in {*TRUNCATED, "day"}:
        raise _named("date_trunc other than of a date to a year, quarter, month, week or day")
    day = values[1].sql if unit == "day" else f"trunc({values[1].sql}, '{TRUNCATED[unit]}')"
    return f"CAST({day} AS {kind.name})"


def boundaries(values: Values, _kind: Kind) -> str:
    """date_diff: boundaries of a unit between two dates, not units that have passed; of weeks, whole ones."""
    unit, (start, end_) = str(values[0].constant).lower(), (v.sql for v in values[1:])
    if _kinds(values[1:]) != ("DATE", "DATE"):
        raise _named("date_diff of other than dates")
    months = f"((year({end_}) - year({start})) * 12 + month({end_}) - month({start}))"
    counted = {
        "day": f"datediff({end_}, {start})",
        "week": f"(datediff({end_}, {start}) div 7)",
        "month": months,
        "quarter": f"((year({end_}) - year({start})) * 4 + quarter({end_}) - quarter({start}))",
        "year": f"(year({end_}) - year({start}))",
    }
    if unit not in counted:
        raise _named("date_diff other than in days, weeks, months, quarters or years")
    return f"CAST({counted[unit]} AS BIGINT)"


def interval(unit: str, times: int = 1) -> Rule:
    """A given span of time."""

    def rule(values: Values, _kind: Kind) -> str:
        count = values[0].constant
        if isinstance(count, bool) or not isinstance(count, int | float) or count != int(count):
            raise Untranslated("an interval that is not given as a whole number")
        return f"INTERVAL '{int(count) * times}' {unit}"

    return rule


SCALARS: Mapping[str, Rule] = {
    **{operator: arithmetic(operator) for operator in "+-*"},
    "/": divide, "//": whole_division("div"), "%": whole_division("%"), "mod": whole_division("%"),
    "abs": absolute, "round": rounded, "floor": towards("floor"), "ceil": towards("ceil"), "ceiling": towards("ceil"),
    "sqrt": where_defined("sqrt", ">= 0D"), "ln": where_defined("ln", "> 0D"), "exp": plain("exp", "DOUBLE"),
    "isnan": not_a_number, "greatest": same_types("greatest"), "least": same_types("least"),
    "lower": cased("lower"), "lcase": cased("lower"), "upper": cased("upper"), "ucase": cased("upper"),
    "length": plain("char_length", "VARCHAR"), "len": plain("char_length", "VARCHAR"),
    "char_length": plain("char_length", "VARCHAR"), "character_length": plain("char_length", "VARCHAR"),
    "trim": trimmed("BOTH"), "ltrim": trimmed("LEADING"), "rtrim": trimmed("TRAILING"),
    "||": either, "concat": joined, "substring": part, "substr": part, "left": end("left"), "right": end("right"),
    "replace": plain("replace", "VARCHAR", "VARCHAR", "VARCHAR"), "contains": plain("contains", "VARCHAR", "VARCHAR"),
    "starts_with": plain("startswith", "VARCHAR", "VARCHAR"), "prefix": plain("startswith", "VARCHAR", "VARCHAR"),
    "ends_with": plain("endswith", "VARCHAR", "VARCHAR"), "suffix": plain("endswith", "VARCHAR", "VARCHAR"),
    "~~": like, "!~~": lambda values, kind: f"NOT {like(values, kind)}",
    **{name: date_part(name) for name in ("date_part", "datepart", *PARTS) if name not in ("dow", "doy")},
    "date_trunc": truncated, "datetrunc": truncated, "date_diff": boundaries, "datediff": boundaries,
    "last_day": plain("last_day", "DATE"), "to_days": interval("DAY"), "to_weeks": interval("DAY", 7),
    "to_months": interval("MONTH"), "to_years": interval("MONTH", 12),
}  # fmt: skip
