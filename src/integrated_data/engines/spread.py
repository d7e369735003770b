"""Which statements may be run share by share: over each part of one relation's rows, and the results put together.

A statement is *spread* over one of the relations that it reads where f(A ∪ B) = f(A) ∪ f(B): on the way from that
relation to the result there are only projections, filters and joins that keep it whole on their outer side. Where rows
are grouped, counted in windows or made distinct on the way, the same holds if no group is torn apart, that is if the
relation is split by a column that each group shares. Everything else that the statement reads is read whole by every
share. This is decided from DuckDB's bound plan, before its optimiser, and what is not known is not spread.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Plan = dict[str, Any]

#: Joins that give every row of their left side by itself, whatever the other rows of that side are.
OUTER = frozenset({"INNER", "LEFT", "SEMI", "ANTI", "MARK", "SINGLE"})

_JOINS = frozenset({"LOGICAL_COMPARISON_JOIN", "LOGICAL_DELIM_JOIN", "LOGICAL_ANY_JOIN", "LOGICAL_CROSS_PRODUCT"})


@dataclass(frozen=True)
class Spread:
    """That a statement may be spread over `base`; `by`: columns of it of which one must split it (empty: as it comes,
    and then the results follow each other in the order of its rows)."""

    base: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Way:
    """A way up from the base: which of its columns each column is, and by which it may be split (None: by anything)."""

    columns: tuple[str | None, ...]
    by: frozenset[str] | None = None

    def at(self, index: int) -> str | None:
        return self.columns[index] if index < len(self.columns) else None

    def grouped(self, told: list[Plan]) -> "_Way | None":
        """The same where rows that share the values of some expressions must stay together."""
        shared = frozenset(c for c in map(self._of, told) if c is not None)
        by = shared if self.by is None else shared & self.by
        return _Way(self.columns, by) if by else None

    def _of(self, told: Plan) -> str | None:
        return self.at(int(told["index"])) if told["expression_class"] == "BOUND_REF" else None

    def shown(self, told: list[Plan]) -> tuple[str | None, ...]:
        return tuple(map(self._of, told))


def relations(plan: Plan) -> tuple[str, ...]:
    """Names of the relations that a bound plan reads, each once; a table function is not among them."""
    return tuple(dict.fromkeys(_read(plan)))


def spreads(plan: Plan) -> tuple[Spread, ...]:
    """Every way in which a bound plan may be spread."""
    found = []
    for base, times in Counter(_read(plan)).items():
        way = _way(plan, base) if times == 1 else None
        if way is not None:
            found.append(Spread(base, tuple(sorted(way.by or ()))))
    return tuple(found)


def _read(plan: Plan) -> Iterator[str]:
    if plan["type"] == "LOGICAL_GET":
        table = (plan.get("function_data") or {}).get("table")
        if table:
            yield str(table)
    for child in plan["children"]:
        yield from _read(child)


def _way(plan: Plan, base: str) -> _Way | None:
    kind = str(plan["type"])
    if kind == "LOGICAL_GET":
        return _start(plan, base)
    if kind in _JOINS:
        return _joined(plan, base)
    if len(plan["children"]) != 1:
        return None
    below = _way(plan["children"][0], base)
    if below is None:
        return None
    match kind:
        case "LOGICAL_PROJECTION":
            return _Way(below.shown(plan["expressions"]), below.by)
        case "LOGICAL_FILTER":
            return None if plan.get("projection_map") else below
        case "LOGICAL_UNNEST":
            return below
        case "LOGICAL_AGGREGATE_AND_GROUP_BY":
            return _aggregated(plan, below)
        case "LOGICAL_DISTINCT" if plan["distinct_type"] == "DISTINCT":
            return below.grouped(plan["distinct_targets"])
        case "LOGICAL_WINDOW":
            for told in plan["expressions"]:
                kept = below.grouped(told.get("partitions") or [])
                if kept is None:
                    return None
                below = kept
            return below
    return None


def _start(plan: Plan, base: str) -> _Way | None:
    if (plan.get("function_data") or {}).get("table") != base or plan["table_filters"]["filters"]:
        return None
    names, at = plan["names"], [int(c["index"]) for c in plan["column_indexes"]]
    return _Way(tuple(str(names[i]) if i < len(names) else None for i in at))


def _joined(plan: Plan, base: str) -> _Way | None:
    if plan.get("left_projection_map") or plan.get("right_projection_map") or plan.get("delim_flipped"):
        return None
    kind = "INNER" if plan["type"] == "LOGICAL_CROSS_PRODUCT" else str(plan["join_type"])
    left = _way(plan["children"][0], base)
    if left is not None:
        return left if kind in OUTER else None
    right = _way(plan["children"][1], base)
    if right is None or kind != "INNER" or plan["type"] == "LOGICAL_DELIM_JOIN":
        return None
    return _Way((), right.by)  # its columns are not followed further


def _aggregated(plan: Plan, below: _Way) -> _Way | None:
    if plan["grouping_functions"] or len(plan["grouping_sets"]) > 1:
        return None
    kept = below.grouped(plan["groups"])
    return _Way(kept.shown(plan["groups"]), kept.by) if kept is not None else None
