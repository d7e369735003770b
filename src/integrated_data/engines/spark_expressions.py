"""Expressions of a bound plan as Spark SQL; what is not known is refused."""

from collections.abc import Sequence
from typing import Any

from integrated_data.engines.spark_aggregates import OVER, WINDOWS, aggregate
from integrated_data.engines.spark_functions import SCALARS
from integrated_data.engines.spark_values import MARK, Kind, Untranslated, Value, cast, failing, kind_of, literal

COMPARISONS = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_NOT_DISTINCT_FROM": "<=>", "COMPARE_DISTINCT_FROM": "!<=>",
}  # fmt: skip

TRUTH = Kind("BOOLEAN")

FRAMES = {
    "UNBOUNDED_PRECEDING": "UNBOUNDED PRECEDING", "UNBOUNDED_FOLLOWING": "UNBOUNDED FOLLOWING",
    "CURRENT_ROW_RANGE": "CURRENT ROW", "CURRENT_ROW_ROWS": "CURRENT ROW", "EXPR_PRECEDING_ROWS": "{} PRECEDING",
    "EXPR_FOLLOWING_ROWS": "{} FOLLOWING",
}  # fmt: skip

Plan = dict[str, Any]


def value(told: Plan, columns: Sequence[Value]) -> Value:
    """An expression over the columns of what it is read from."""
    match told["expression_class"]:
        case "BOUND_REF":
            found = columns[int(told["index"])]
            if found.kind == MARK:
                raise Untranslated("a subquery beside OR or inside an expression")
            return found
        case "BOUND_CONSTANT":
            return literal(told["value"])
        case "BOUND_CAST":
            return cast(value(told["child"], columns), kind_of(told["return_type"]), trying=bool(told["try_cast"]))
        case "BOUND_COMPARISON":
            left, right = value(told["left"], columns), value(told["right"], columns)
            return Value(compared(told["type"], left, right=right), TRUTH)
        case "BOUND_CONJUNCTION":
            word = {"CONJUNCTION_AND": " AND ", "CONJUNCTION_OR": " OR "}[told["type"]]
            return Value(f"({word.join(value(c, columns).sql for c in told['children'])})", TRUTH)
        case "BOUND_OPERATOR":
            return _operator(told, [value(c, columns) for c in told["children"]])
        case "BOUND_CASE":
            return _case(told, columns)
        case "BOUND_BETWEEN":
            return _between(told, columns)
        case "BOUND_FUNCTION":
            return _function(told, [value(c, columns) for c in told["children"]])
    raise Untranslated(f"an expression of the kind {told['expression_class'].removeprefix('BOUND_').lower()}")


def compared(comparison: str, left: Value, *, right: Value) -> str:
    """Two values of one type compared; NaN is equal to itself and the largest on every engine."""
    if comparison not in COMPARISONS or left.kind.id != right.kind.id:
        raise Untranslated("a comparison of two types")
    if left.kind.id not in ("NULL",):
        _ = left.kind.name
    sign = COMPARISONS[comparison]
    return f"(NOT ({left.sql} <=> {right.sql}))" if sign == "!<=>" else f"({left.sql} {sign} {right.sql})"


def _operator(told: Plan, parts: list[Value]) -> Value:
    first = parts[0].sql
    match told["type"]:
        case "OPERATOR_NOT":
            return Value(f"(NOT {first})", TRUTH)
        case "OPERATOR_IS_NULL":
            return Value(f"({first} IS NULL)", TRUTH)
        case "OPERATOR_IS_NOT_NULL":
            return Value(f"({first} IS NOT NULL)", TRUTH)
        case "OPERATOR_COALESCE":
            return Value(f"coalesce({', '.join(p.sql for p in parts)})", kind_of(told["return_type"]))
        case ("COMPARE_IN" | "COMPARE_NOT_IN") as which:
            rest = ", ".join(p.sql for p in parts[1:])
            return Value(f"({first} {'IN' if which == 'COMPARE_IN' else 'NOT IN'} ({rest}))", TRUTH)
    raise Untranslated(f"the operator {told['type'].removeprefix('OPERATOR_').lower()}")


def _case(told: Plan, columns: Sequence[Value]) -> Value:
    kind = kind_of(told["return_type"])
    whens = "".join(
        f" WHEN {value(c['when_expr'], columns).sql} THEN {value(c['then_expr'], columns).sql}"
        for c in told["case_checks"]
    )
    return Value(f"CASE{whens} ELSE {value(told['else_expr'], columns).sql} END", kind)


def _between(told: Plan, columns: Sequence[Value]) -> Value:
    one, low, high = (value(told[k], columns) for k in ("input", "lower", "upper"))
    above = compared(
        "COMPARE_GREATERTHANOREQUALTO" if told["lower_inclusive"] else "COMPARE_GREATERTHAN", one, right=low
    )
    below = compared("COMPARE_LESSTHANOREQUALTO" if told["upper_inclusive"] else "COMPARE_LESSTHAN", one, right=high)
    return Value(f"({above} AND {below})", TRUTH)


def _function(told: Plan, values: list[Value]) -> Value:
    name, kind = str(told["name"]), kind_of(told["return_type"])
    if name == "error":  # the binder's own: a subquery for one value that gives several
        return Value(failing("rows", kind), kind)
    if name == "trunc" and isinstance(values[0].constant, int):
        return values[0]
    if name not in SCALARS:
        raise Untranslated(f"function {name}")
    return Value(SCALARS[name](values, kind), kind)


def order(told: Plan, columns: Sequence[Value]) -> str:
    """One key of an order, with the place of NULLs spelt out."""
    way = {"ASCENDING": "ASC", "DESCENDING": "DESC"}.get(told["type"])
    if way is None or told["null_order"] not in ("NULLS FIRST", "NULLS LAST"):
        raise Untranslated("an order of this kind")
    return f"{value(told['expression'], columns).sql} {way} {told['null_order']}"


def windowed(told: Plan, columns: Sequence[Value]) -> Value:
    """A window function."""
    kind, named = kind_of(told["return_type"]), str(told["type"])
    given = [value(c, columns) for c in told.get("children") or []]
    if told.get("filters") or told.get("distinct") or told.get("arg_orders") or told.get("ignore_nulls"):
        raise Untranslated("a window function with FILTER, DISTINCT, ORDER BY or IGNORE NULLS inside")
    if told.get("exclude_clause") != "NO_OTHER":
        raise Untranslated("a window with EXCLUDE")
    order_by = ", ".join(order(o, columns) for o in told.get("orders") or [])
    partition_by = ", ".join(value(p, columns).sql for p in told.get("partitions") or [])
    over = f"{f'PARTITION BY {partition_by}' if partition_by else ''}{f' ORDER BY {order_by}' if order_by else ''}"
    if named == "WINDOW_AGGREGATE":
        if told["name"] not in OVER:
            raise Untranslated(f"function {told['name']} over a window")
        inner = {"name": told["name"], "aggregate_type": "NON_DISTINCT"}
        return aggregate(inner, given, kind=kind, over=f" OVER ({over}{_frame(told) if order_by else ''})")
    if named not in WINDOWS or not order_by:
        raise Untranslated(f"{named.removeprefix('WINDOW_').lower()} over a window, or without an order")
    called_name, takes = WINDOWS[named]
    frame = _frame(told) if called_name.endswith("_value") else ""
    arguments = ", ".join([v.sql for v in given] + _beyond(told, columns)) if takes else ""
    return Value(f"CAST({called_name}({arguments}) OVER ({over}{frame}) AS {kind.name})", kind)


def _beyond(told: Plan, columns: Sequence[Value]) -> list[str]:
    """How far lag and lead look, and what stands where there is no row."""
    if not told.get("offset_expr"):
        return []
    offset = value(told["offset_expr"], columns).constant
    if not isinstance(offset, int):
        raise Untranslated("lag or lead by other than a given number of rows")
    return [str(offset)] + ([value(told["default_expr"], columns).sql] if told.get("default_expr") else [])


def _frame(told: Plan) -> str:
    start, end = str(told["start"]), str(told["end"])
    if start not in FRAMES or end not in FRAMES:
        raise Untranslated("a window over a range of values")
    rows = "ROWS" in start or "ROWS" in end
    ends = []
    for which, key in ((start, "start_expr"), (end, "end_expr")):
        if "{}" in FRAMES[which]:
            count = value(told[key], ()).constant if told.get(key) else None
            if not isinstance(count, int):
                raise Untranslated("a window whose size is not given as a whole number")
            ends.append(FRAMES[which].format(count))
        else:
            ends.append(FRAMES[which])
    return f" {'ROWS' if rows else 'RANGE'} BETWEEN {ends[0]} AND {ends[1]}"
