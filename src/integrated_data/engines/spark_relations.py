"""A bound plan as Spark SQL: one SELECT, made of relations whose columns have names of our own.

Every operator of the plan is written anew as a query over the one below it; nothing of the text that was
asked is left in it but the names of views and columns, quoted. What is not known is refused.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from integrated_data.engines.spark_aggregates import aggregate
from integrated_data.engines.spark_expressions import Plan, compared, order, value, windowed
from integrated_data.engines.spark_values import MARK, Kind, Untranslated, Value, kind_of, name

JOINS = {"INNER": "INNER JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL OUTER JOIN",
         "SEMI": "LEFT SEMI JOIN", "ANTI": "LEFT ANTI JOIN", "SINGLE": "LEFT JOIN"}  # fmt: skip

SETS = {"LOGICAL_UNION": "UNION", "LOGICAL_EXCEPT": "EXCEPT", "LOGICAL_INTERSECT": "INTERSECT"}

#: What DuckDB reads where a query needs no column of a table.
NO_COLUMN = 2**64 - 1


@dataclass(frozen=True)
class Relation:
    """Rows: what is selected from what, in which order, how many. `columns`: as expressions over `source`.

    A projection and an order can be put on top of each other in one SELECT, which keeps the order.
    `named`: the source is one relation, and the columns are names of it, so that anything can be read from it.
    """

    source: str
    columns: tuple[Value, ...]
    named: bool = False
    order: str = ""
    limit: int | None = None
    offset: int = 0

    @property
    def whole(self) -> bool:
        """Whether all rows are there, in no order."""
        return not self.order and self.limit is None and not self.offset

    def select(self, columns: str) -> str:
        """The SELECT of columns given as SQL."""
        parts = [f"SELECT {columns} FROM {self.source}"]
        if self.order:
            parts.append(f"ORDER BY {self.order}")
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        if self.offset:
            parts.append(f"OFFSET {self.offset}")
        return " ".join(parts)


@dataclass
class Translation:
    """One translation. `views`: what a query may read."""

    views: Collection[str]
    shared: dict[int, Relation] = field(default_factory=dict)
    hoisted: list[str] = field(default_factory=list)
    delimited: list[Relation] = field(default_factory=list)
    made: int = 0

    def query(self, plan: Plan, *, rows: int | None = None) -> str:
        """The whole SELECT, its columns named c0, c1, …; `rows`: at most so many."""
        found = self.relation(plan)
        if rows is not None:
            found = replace(found, limit=rows if found.limit is None else min(rows, found.limit))
        before = f"WITH {', '.join(self.hoisted)} " if self.hoisted else ""
        return before + found.select(", ".join(f"{v.sql} AS c{i}" for i, v in enumerate(found.columns)))

    def relation(self, plan: Plan) -> Relation:
        """An operator of a plan, with all below it."""
        kind = str(plan["type"])
        if kind in SETS:
            return self._set(plan, SETS[kind])
        operator = _OPERATORS.get(kind)
        if operator is None:
            raise Untranslated(SPOKEN.get(kind, kind.removeprefix("LOGICAL_").replace("_", " ")))
        return operator(self, plan)

    def _name(self) -> str:
        self.made += 1
        return f"t{self.made}"

    def _called(self, columns: Sequence[Value]) -> tuple[str, str, tuple[Value, ...]]:
        """A new name, the list to select under it, and the columns as they are read from it."""
        called = self._name()
        select = ", ".join(f"{v.sql} AS {called}_{i}" for i, v in enumerate(columns)) or "1 AS one"
        return called, select, tuple(Value(f"{called}.{called}_{i}", v.kind, v.constant) for i, v in enumerate(columns))

    def _wrapped(self, found: Relation, more: str = "", *, distinct: bool = False) -> Relation:
        """The rows of a relation as one that is named; `more`: what follows its source."""
        called, select, columns = self._called(found.columns)
        inside = replace(found, source=found.source + more).select(("DISTINCT " if distinct else "") + select)
        return Relation(f"({inside}) {called}", columns, named=True)

    def _under(self, plan: Plan, child: int = 0) -> Relation:
        found = self.relation(plan["children"][child])
        return found if found.named and found.whole else self._wrapped(found)

    def _get(self, plan: Plan) -> Relation:
        table = str((plan.get("function_data") or {}).get("table", ""))
        if plan["name"] != "seq_scan" or table not in self.views or plan["table_filters"]["filters"]:
            raise Untranslated(f"a table function ({plan['name']})")
        called, columns = self._name(), []
        for told in plan["column_indexes"]:
            at = int(told["index"])
            if at == NO_COLUMN:
                columns.append(Value("1", Kind("BIGINT"), 1))
                continue
            kind = kind_of(plan["returned_types"][at])
            _ = kind.name
            columns.append(Value(f"{called}.{name(plan['names'][at])}", kind))
        return Relation(f"{name(table)} {called}", tuple(columns))

    def _projection(self, plan: Plan) -> Relation:
        below = self.relation(_guarded(plan))
        if below.whole and not below.named:
            below = self._wrapped(below)
        columns = tuple(value(e, below.columns) for e in plan["expressions"])
        return replace(below, columns=columns, named=False)

    def _filter(self, plan: Plan) -> Relation:
        if plan.get("projection_map"):
            raise Untranslated("a filter of this kind")
        if plan["children"][0].get("join_type") == "MARK":
            return self._marked(plan)
        below = self._under(plan)
        return self._where(below, plan["expressions"])

    def _where(self, below: Relation, expressions: Sequence[Plan]) -> Relation:
        conditions = [value(e, below.columns).sql for e in expressions]
        return self._wrapped(below, f" WHERE {' AND '.join(conditions)}") if conditions else below

    def _marked(self, plan: Plan) -> Relation:
        """IN and EXISTS: rows for which there is a match, or none, by joins that leave the other side out."""
        joins, at = [], plan["children"][0]
        while at.get("join_type") == "MARK":
            joins.append(at)
            at = at["children"][0]
        below, rest = self._under(joins[-1]), list(plan["expressions"])
        for join in reversed(joins):
            mark = len(below.columns)
            mine = [e for e in rest if _marks(e, mark)]
            if len(mine) != 1:
                raise Untranslated("a subquery beside OR or inside an expression")
            rest.remove(mine[0])
            never = mine[0]["type"] == "OPERATOR_NOT"
            if never and any(c["comparison"] != "COMPARE_NOT_DISTINCT_FROM" for c in join["conditions"]):
                raise Untranslated("NOT IN of a subquery")
            joined = self._wrapped(self._join({**join, "join_type": "ANTI" if never else "SEMI"}, below))
            below = replace(joined, columns=(*joined.columns, Value("NULL", MARK)))
        width = len(below.columns) - len(joins)
        kept = self._where(replace(below, columns=below.columns[:width]), rest)
        return replace(kept, columns=(*kept.columns, *[Value("NULL", MARK)] * len(joins)))

    def _join(self, plan: Plan, left: Relation | None = None) -> Relation:
        kind = str(plan["join_type"])
        if kind not in JOINS or plan.get("predicate") or plan["left_projection_map"] or plan["right_projection_map"]:
            raise Untranslated(f"a join of the kind {kind}")
        if kind == "SINGLE" and not _one_for_each(plan["children"][1], len(plan["duplicate_eliminated_columns"])):
            raise Untranslated("a correlated subquery for one value that does not aggregate")
        left = left or self._under(plan)
        if plan["type"] == "LOGICAL_DELIM_JOIN":
            left = self._delimit(plan, left)
        right = self._under(plan, 1)
        if plan["type"] == "LOGICAL_DELIM_JOIN":
            self.delimited.pop()
        on = [
            compared(c["comparison"], value(c["left"], left.columns), right=value(c["right"], right.columns))
            for c in plan["conditions"]
        ]
        columns = left.columns if kind in ("SEMI", "ANTI") else (*left.columns, *right.columns)
        return Relation(f"{left.source} {JOINS[kind]} {right.source} ON {' AND '.join(on) or 'TRUE'}", columns)

    def _delimit(self, plan: Plan, left: Relation) -> Relation:
        """The outer rows of a correlated subquery, named, and the distinct values that it is asked for."""
        if plan.get("delim_flipped") or self.delimited:
            raise Untranslated("a correlated subquery inside another")
        outer = self._again(self._hoisted(left))
        asked = tuple(value(e, outer.columns) for e in plan["duplicate_eliminated_columns"])
        self.delimited.append(self._hoisted(replace(outer, columns=asked), distinct=True))
        return outer

    def _hoisted(self, found: Relation, *, distinct: bool = False) -> Relation:
        """A relation under a name, before the query, so that it can be read from in several places."""
        called, select, columns = self._called(found.columns)
        self.hoisted.append(f"{called} AS ({found.select(('DISTINCT ' if distinct else '') + select)})")
        return Relation(called, columns, named=True)

    def _again(self, held: Relation) -> Relation:
        """What was hoisted, read under another name."""
        called = self._name()
        columns = tuple(replace(v, sql=f"{called}.{v.sql.rpartition('.')[2]}") for v in held.columns)
        return Relation(f"{held.source} {called}", columns, named=True)

    def _delim_get(self, _plan: Plan) -> Relation:
        if not self.delimited:
            raise Untranslated("a correlated subquery of this kind")
        return self._again(self.delimited[-1])

    def _cte(self, plan: Plan) -> Relation:
        if self.delimited:
            raise Untranslated("WITH inside a correlated subquery")
        self.shared[int(plan["table_index"])] = self._hoisted(self.relation(plan["children"][0]))
        return self.relation(plan["children"][1])

    def _cte_ref(self, plan: Plan) -> Relation:
        held = self.shared.get(int(plan["cte_index"]))
        if held is None:
            raise Untranslated("WITH RECURSIVE")
        return self._again(held)

    def _cross(self, plan: Plan) -> Relation:
        left, right = self._under(plan), self._under(plan, 1)
        return Relation(f"{left.source} CROSS JOIN {right.source}", (*left.columns, *right.columns))

    def _any(self, plan: Plan) -> Relation:
        kind = str(plan["join_type"])
        if kind not in JOINS or kind == "SINGLE":
            raise Untranslated(f"a join of the kind {kind}")
        left, right = self._under(plan), self._under(plan, 1)
        columns = (*left.columns, *right.columns)
        on = value(plan["condition"], columns).sql
        shown = left.columns if kind in ("SEMI", "ANTI") else columns
        return Relation(f"{left.source} {JOINS[kind]} {right.source} ON {on}", shown)

    def _aggregate(self, plan: Plan) -> Relation:
        below = self._under(plan)
        if not plan["grouping_functions"] and len(plan["grouping_sets"]) <= 1:
            return self._grouped(plan, below, kept=range(len(plan["groups"])))
        below = self._hoisted(below)  # a set of its own for each: over no rows, the total is one row
        parts = [self._grouped(plan, self._again(below), kept=kept) for kept in plan["grouping_sets"]]
        return self._put_together(parts, "UNION ALL")

    def _grouped(self, plan: Plan, below: Relation, *, kept: Collection[int]) -> Relation:
        """One grouping; `kept`: which groups, the others being NULL."""
        groups = [value(g, below.columns) for g in plan["groups"]]
        shown = [g if i in kept else Value(f"CAST(NULL AS {g.kind.name})", g.kind) for i, g in enumerate(groups)]
        figures = [self._figure(plan, told, below=below) for told in plan["expressions"]]
        bits = [
            sum((i not in kept) << (len(which) - 1 - place) for place, i in enumerate(which))
            for which in plan["grouping_functions"]
        ]
        told = [Value(f"CAST({bit} AS BIGINT)", Kind("BIGINT")) for bit in bits]
        by = ", ".join(g.sql for i, g in enumerate(groups) if i in kept)
        return self._wrapped(replace(below, columns=(*shown, *figures, *told)), f" GROUP BY {by}" if by else "")

    def _figure(self, plan: Plan, told: Plan, *, below: Relation) -> Value:
        values, kind = [value(c, below.columns) for c in told["children"]], kind_of(told["return_type"])
        if told["name"] == "first" and plan.get("guarded"):
            return Value(f"first({values[0].sql})", kind)
        where = value(told["filter"], below.columns).sql if told.get("filter") else ""
        return aggregate(told, values, kind=kind, kept=where)

    def _put_together(self, parts: Sequence[Relation], word: str) -> Relation:
        called, selects, columns = self._name(), [], parts[0].columns
        for found in parts:
            select = ", ".join(f"{v.sql} AS {called}_{i}" for i, v in enumerate(found.columns))
            selects.append(f"({found.select(select)})")
        named = tuple(Value(f"{called}.{called}_{i}", v.kind) for i, v in enumerate(columns))
        return Relation(f"({f' {word} '.join(selects)}) {called}", named, named=True)

    def _set(self, plan: Plan, word: str) -> Relation:
        parts = [self.relation(c) for c in plan["children"]]
        if len({tuple(v.kind for v in p.columns) for p in parts}) != 1:
            raise Untranslated(f"{word} of columns of other types")
        return self._put_together(parts, word + (" ALL" if plan["setop_all"] else ""))

    def _distinct(self, plan: Plan) -> Relation:
        if plan["distinct_type"] != "DISTINCT":
            raise Untranslated("DISTINCT ON")
        return self._wrapped(self._under(plan), distinct=True)

    def _window(self, plan: Plan) -> Relation:
        below = self._under(plan)
        over = tuple(windowed(e, below.columns) for e in plan["expressions"])
        return self._wrapped(replace(below, columns=(*below.columns, *over)))

    def _order(self, plan: Plan) -> Relation:
        below = self._under(plan)
        return replace(below, order=", ".join(order(o, below.columns) for o in plan["orders"]))

    def _limit(self, plan: Plan) -> Relation:
        below = self.relation(plan["children"][0])
        if below.limit is not None or below.offset:
            below = self._wrapped(below)
        return replace(below, limit=_count(plan["limit_val"]), offset=_count(plan["offset_val"]) or 0)

    def _one_row(self, _plan: Plan) -> Relation:
        return Relation(f"(SELECT 1 AS one) {self._name()}", (), named=True)

    def _values(self, plan: Plan) -> Relation:
        rows = [tuple(value(e, ()) for e in row) for row in plan["expressions"]]
        return self._put_together([replace(self._one_row(plan), columns=row) for row in rows], "UNION ALL")


def _count(told: Plan) -> int | None:
    if told["type"] == "UNSET":
        return None
    if told["type"] != "CONSTANT_VALUE":
        raise Untranslated("LIMIT or OFFSET that is not given as a whole number")
    return int(told["constant_integer"])


def _marks(told: Plan, mark: int) -> bool:
    """Whether a condition is the mark of a subquery, or that it is not there."""
    inner = told["children"][0] if told.get("type") == "OPERATOR_NOT" else told
    return bool(inner.get("expression_class") == "BOUND_REF" and int(inner["index"]) == mark)


def _guarded(plan: Plan) -> Plan:
    """What a projection reads; told so where the binder has put a check above that it is one row.

    That is how a subquery stands for one value: first(x) beside count(*), without groups.
    """
    below: Plan = plan["children"][0]
    first = plan["expressions"][0]
    if below["type"] != "LOGICAL_AGGREGATE_AND_GROUP_BY" or first["expression_class"] != "BOUND_CASE":
        return below
    shaped = not below["groups"] and [e["name"] for e in below["expressions"]] == ["first", "count_star"]
    checked = first["case_checks"][0]["then_expr"].get("name") == "error"
    return {**below, "guarded": True} if shaped and checked else below


def _one_for_each(plan: Plan, width: int) -> bool:
    """Whether a correlated subquery gives one row for each of `width` outer values: it aggregates by them alone."""
    while plan["type"] in ("LOGICAL_PROJECTION", "LOGICAL_FILTER"):
        (plan,) = plan["children"]
    if plan["type"] == "LOGICAL_COMPARISON_JOIN" and plan["join_type"] in ("LEFT", "INNER"):
        return plan["children"][0]["type"] == "LOGICAL_DELIM_GET" and _one_for_each(plan["children"][1], width)
    aggregates = plan["type"] == "LOGICAL_AGGREGATE_AND_GROUP_BY"
    return bool(aggregates and len(plan["groups"]) == width and len(plan["grouping_sets"]) <= 1)


#: What a person calls an operator that is refused.
SPOKEN = {
    "LOGICAL_RECURSIVE_CTE": "WITH RECURSIVE", "LOGICAL_UNNEST": "unnest", "LOGICAL_SAMPLE": "USING SAMPLE",
    "LOGICAL_ASOF_JOIN": "an ASOF join", "LOGICAL_PIVOT": "PIVOT",
}  # fmt: skip

_OPERATORS = {
    "LOGICAL_GET": Translation._get, "LOGICAL_PROJECTION": Translation._projection,
    "LOGICAL_FILTER": Translation._filter, "LOGICAL_COMPARISON_JOIN": Translation._join,
    "LOGICAL_DELIM_JOIN": Translation._join, "LOGICAL_DELIM_GET": Translation._delim_get,
    "LOGICAL_CROSS_PRODUCT": Translation._cross, "LOGICAL_ANY_JOIN": Translation._any,
    "LOGICAL_AGGREGATE_AND_GROUP_BY": Translation._aggregate, "LOGICAL_DISTINCT": Translation._distinct,
    "LOGICAL_WINDOW": Translation._window, "LOGICAL_ORDER_BY": Translation._order,
    "LOGICAL_LIMIT": Translation._limit, "LOGICAL_DUMMY_SCAN": Translation._one_row,
    "LOGICAL_EXPRESSION_GET": Translation._values, "LOGICAL_MATERIALIZED_CTE": Translation._cte,
    "LOGICAL_CTE_REF": Translation._cte_ref,
}  # fmt: skip
