"""The aggregates and window functions that are allowed on Spark, as `spark_functions.py` does for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from integrated_data.engines.spark_functions import Values
from integrated_data.engines.spark_values import WHOLE, Kind, Untranslated, Value, literal

#: Aggregates for which DISTINCT means something.
DISTINCT = frozenset({"count", "sum", "avg", "mean", "min", "max"})

REAL = Kind("DOUBLE")


@dataclass(frozen=True)
class Call:
    """How an aggregate is called: over distinct values, over a window."""

    distinct: bool = False
    over: str = ""

    def __call__(self, name: str, *arguments: str) -> str:
        """The call as SQL."""
        return f"{name}({'DISTINCT ' if self.distinct else ''}{', '.join(arguments)}){self.over}"


class AggregateRule(Protocol):
    """An aggregate of arguments as SQL, in a type, called in a way."""

    def __call__(self, values: Values, kind: Kind, /, *, call: Call) -> str:
        """The aggregate as SQL; raises Untranslated."""
        ...


def total(values: Values, kind: Kind, *, call: Call) -> str:
    """sum: of whole numbers in a decimal that cannot overflow."""
    value = values[0]
    if value.kind.id == "BOOLEAN":
        return f"CAST({call('sum', f'CAST({value.sql} AS INT)')} AS {kind.name})"
    if value.kind.id in WHOLE:
        digits = min(value.kind.digits, 28)
        return f"CAST({call('sum', f'CAST({value.sql} AS DECIMAL({digits}, 0))')} AS {kind.name})"
    if value.kind.id in ("DECIMAL", "DOUBLE"):
        return f"CAST({call('sum', value.sql)} AS {kind.name})"
    raise Untranslated(f"sum of {value.kind.id}")


def mean(values: Values, kind: Kind, *, call: Call) -> str:
    """avg: as a floating point, also of decimals."""
    value = values[0]
    if value.kind.id == "DOUBLE":
        return call("avg", value.sql)
    if value.kind.id not in WHOLE | {"DECIMAL"} or kind != REAL:
        raise Untranslated(f"avg of {value.kind.id}")
    exact = total(values, Kind("DECIMAL", 38, value.kind.scale), call=call)
    return f"CAST({exact} AS DOUBLE) / nullif(CAST({call('count', value.sql)} AS DOUBLE), 0D)"


def plainly(name: str, *kinds: str) -> AggregateRule:
    """An aggregate that Spark calls `name`; `kinds`: the types it is allowed for, where not all."""

    def rule(values: Values, _kind: Kind, *, call: Call) -> str:
        if len(values) > 2 or (kinds and {v.kind.id for v in values} - set(kinds)):
            raise Untranslated(f"function {name} of {' and '.join(v.kind.id for v in values)}")
        return call(name, *(v.sql for v in values))

    return rule


def largest(values: Values, kind: Kind, *, call: Call) -> str:
    """max: NaN is the largest floating point, which Sail forgets in groups."""
    value = values[0].sql
    if len(values) != 1 or kind.id != "DOUBLE":
        return plainly("max")(values, kind, call=call)
    odd, real = (
        call("count", f"CASE WHEN isnan({value}) THEN 1 END"),
        call("max", f"CASE WHEN NOT isnan({value}) THEN {value} END"),
    )
    return f"CASE WHEN {odd} > 0 THEN CAST('NaN' AS DOUBLE) ELSE {real} END"


def smallest(values: Values, kind: Kind, *, call: Call) -> str:
    """min: NaN only where there is nothing else."""
    value = values[0].sql
    if len(values) != 1 or kind.id != "DOUBLE":
        return plainly("min")(values, kind, call=call)
    real, any_ = call("min", f"CASE WHEN NOT isnan({value}) THEN {value} END"), call("count", value)
    return f"coalesce({real}, CASE WHEN {any_} > 0 THEN CAST('NaN' AS DOUBLE) END)"


def how_many(values: Values, kind: Kind, *, call: Call) -> str:
    """count_if: a NULL does not count, and of NULLs alone there is no count."""
    value = values[0].sql
    return f"CAST({call('sum', f'CASE WHEN {value} THEN 1 WHEN NOT {value} THEN 0 END')} AS {kind.name})"


def at_extreme(name: str) -> AggregateRule:
    """arg_max and its like: rows in which either is NULL are passed over, as DuckDB does and Spark does not."""

    def rule(values: Values, _kind: Kind, *, call: Call) -> str:
        if len(values) != 2:
            raise Untranslated(f"function {name} of several rows")
        shown, by = values[0].sql, values[1].sql
        return call(name, shown, f"CASE WHEN {shown} IS NOT NULL THEN {by} END")

    return rule


_REAL = {name: plainly(spark, "DOUBLE") for name, spark in {
    "stddev": "stddev_samp", "stddev_samp": "stddev_samp", "stddev_pop": "stddev_pop", "variance": "var_samp",
    "var_samp": "var_samp", "var_pop": "var_pop", "covar_pop": "covar_pop", "covar_samp": "covar_samp",
}.items()}  # fmt: skip

AGGREGATES: Mapping[str, AggregateRule] = {
    "sum": total, "avg": mean, "mean": mean, "min": smallest, "max": largest, "count": plainly("count"),
    "bool_and": plainly("bool_and", "BOOLEAN"), "bool_or": plainly("bool_or", "BOOLEAN"),
    "count_if": how_many, "countif": how_many,
    "arg_max": at_extreme("max_by"), "argmax": at_extreme("max_by"), "max_by": at_extreme("max_by"),
    "arg_min": at_extreme("min_by"), "argmin": at_extreme("min_by"), "min_by": at_extreme("min_by"), **_REAL,
}  # fmt: skip

#: Given as the place in the order of values, not among the arguments.
QUANTILES = frozenset({"quantile_cont", "median"})


def aggregate(told: dict[str, Any], values: Values, *, kind: Kind, kept: str = "", over: str = "") -> Value:
    """An aggregate of a plan; `kept`: the condition of its FILTER; `over`: its window, both as SQL."""
    name, distinct = str(told["name"]), told["aggregate_type"] == "DISTINCT"
    call = Call(distinct, over)
    if told.get("order_bys"):
        raise Untranslated(f"{name} with ORDER BY inside")
    if distinct and name not in DISTINCT:
        raise Untranslated(f"{name} of DISTINCT values")
    if kept:
        values = tuple(Value(f"CASE WHEN {kept} THEN {v.sql} END", v.kind) for v in values)
    if name == "count_star" or (name == "count" and not values):
        return Value(call("count", f"CASE WHEN {kept} THEN 1 END" if kept else "1"), kind)
    if name in QUANTILES:
        return Value(_quantile(told, values, kind=kind), kind)
    if name not in AGGREGATES:
        raise Untranslated(f"function {name}")
    return Value(AGGREGATES[name](values, kind, call=call), kind)


def _quantile(told: dict[str, Any], values: Values, *, kind: Kind) -> str:
    data = told.get("function_data") or {}
    given = data.get("quantiles", [])
    if len(given) != 1 or data.get("desc") or kind != REAL or values[0].kind.id not in WHOLE | {"DOUBLE"}:
        raise Untranslated(f"function {told['name']} of several places, or of other than numbers")
    return f"percentile(CAST({values[0].sql} AS DOUBLE), {float(str(literal(given[0]).constant))!r}D)"


#: Window functions by the plan's name: Spark's, and whether their arguments are given on to it.
WINDOWS: Mapping[str, tuple[str, bool]] = {
    "WINDOW_ROW_NUMBER": ("row_number", False), "WINDOW_RANK": ("rank", False),
    "WINDOW_RANK_DENSE": ("dense_rank", False), "WINDOW_PERCENT_RANK": ("percent_rank", False),
    "WINDOW_CUME_DIST": ("cume_dist", False), "WINDOW_LAG": ("lag", True), "WINDOW_LEAD": ("lead", True),
    "WINDOW_FIRST_VALUE": ("first_value", True), "WINDOW_LAST_VALUE": ("last_value", True),
}  # fmt: skip

#: Aggregates that are allowed over a window.
OVER = frozenset({"sum", "avg", "mean", "min", "max", "count", "count_star", "bool_and", "bool_or"})
