"""The gate: what a query is made of, checked against what it may be made of.

The engine's own parser reads the text, so gate and engine cannot disagree on what it says. Every node
of the tree must be of a kind listed here, every table a view of the project or a name the query gave
itself, every function one of `access/functions.py`. What is not known is refused.

The one name rule that safety rests on: a name that a query gives itself (WITH) may not be one that the
engine would read as a file or a table of its own, were it ever looked up outside the query.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from integrated_data.access.functions import AGGREGATES, FUNCTIONS, TABLE_FUNCTIONS, WINDOWS, words
from integrated_data.access.views import View, lower
from integrated_data.model.errors import QueryRefusal
from integrated_data.model.query import SCRATCH

LONGEST = 200_000  # characters

KEYS = words(
    """
    aggregate_handling aggregates alias aliases arg_orders case_checks cast_type catalog catalog_name
    child child_type child_types children class collation column_name_alias column_names columns
    comparison_type condition cte_map cte_name default_expr delim_flipped distinct distinct_on_targets
    else_expr end end_expr entries exclude_clause exclude_list expected_names expected_types
    export_state expr expression filter filter_expr first from_table function function_name
    group_expressions group_sets groups having id identifier ignore_nulls include_nulls index input
    is_null is_operator is_percentage join_type key key_targets left lhs limit lower map materialized
    method modifiers name node null_order offset offset_expr order_bys orders partitions pivot_enum
    pivot_expressions pivots qualified_exclude_list qualify query query_location ref_type relation_name
    rename_list replace_list right sample sample_size scale schema schema_name second seed select_list
    setop_all setop_type size source star_expr start start_expr subquery subquery_type table_name
    then_expr try_cast type type_info union_all unpivot_names upper user_type_modifiers using_columns
    value values when_expr where_clause width with_ordinality
    """
)

#: A literal: its type and its value; a mapping with these keys holds no query.
LITERAL = frozenset({"type", "is_null", "value"})

#: What the star of ORDER BY ALL is made of.
ALL = frozenset({"class", "type", "query_location", "columns"})

EXPRESSIONS = words(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR
    POSITIONAL_REFERENCE STAR SUBQUERY WINDOW
    """
)

OPERATORS = words(
    """
    ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR COMPARE_IN COMPARE_NOT_IN GROUPING_FUNCTION
    OPERATOR_COALESCE OPERATOR_IS_NOT_NULL OPERATOR_IS_NULL OPERATOR_NOT OPERATOR_NULLIF OPERATOR_TRY
    OPERATOR_UNPACK STRUCT_EXTRACT
    """
)

NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

PARTS = NODES | words(
    """
    BASE_TABLE EMPTY EXPRESSION_LIST JOIN PIVOT SUBQUERY TABLE_FUNCTION DISTINCT_MODIFIER LIMIT_MODIFIER
    LIMIT_PERCENT_MODIFIER ORDER_MODIFIER ASCENDING DESCENDING ORDER_DEFAULT ARRAY_TYPE_INFO
    DECIMAL_TYPE_INFO LIST_TYPE_INFO STRING_TYPE_INFO STRUCT_TYPE_INFO UNBOUND_TYPE_INFO
    """
)

#: What a construct is called by people, where the parser's word says little.
SPOKEN = {
    "SHOW_REF": "SHOW, DESCRIBE or SUMMARIZE", "named_param_map": "a parameter", "at_clause": "AT",
    "PARAMETER": "a parameter",
}  # fmt: skip

_OWN_NAME = re.compile(r"[^\W\d][\w ]{0,62}")
_ENGINE_NAME = re.compile(r"(duckdb|pg|sqlite|pragma)_|information_schema$|pg_catalog$")
_WORD = re.compile(r"[\w.$]{1,64}")


class Gate(StrEnum):
    """Why the gate refuses; the second line of a golden attack names one."""

    LENGTH = "length"
    SYNTAX = "syntax"
    NOT_SELECT = "not a select"
    STATEMENTS = "one statement"
    TABLE = "table"
    OWN_NAME = "own name"
    FUNCTION = "function"
    TABLE_FUNCTION = "table function"
    CONSTRUCT = "construct"
    DEPTH = "depth"


class Parser(Protocol):
    """The engine's parser, handed in by the wiring."""

    def parse(self, sql: str) -> dict[str, Any]:
        """The query as DuckDB's `json_serialize_sql` writes it, as parsed JSON.

        `error` true with `error_type` and `position`, or `statements`, each with its `node`.
        Raises RecursionError where the tree is too deep to read.
        """
        ...


@dataclass(frozen=True)
class Checked:
    """A query that may run, and what it may read: view name to columns.

    `columns` errs on the side of more: a star, a whole row or a renamed table counts every column.
    """

    sql: str
    columns: Mapping[str, tuple[str, ...]]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the views it reads."""
        return tuple(self.columns)


@dataclass(frozen=True)
class Objection:
    """Why a query may not run; `named` is a word of the query's own text, or empty."""

    gate: Gate
    what: str
    named: str = ""
    next_step: str = ""

    def refusal(self) -> QueryRefusal:
        """The same as an error to raise."""
        return QueryRefusal(self.what, next_step=self.next_step)


class _Stopped(Exception):  # noqa: N818 - not an error: it carries the objection out of the walk
    def __init__(self, objection: Objection) -> None:
        super().__init__(objection.what)
        self.objection = objection


def may_query(sql: str, views: Mapping[str, View], *, parser: Parser) -> Checked | Objection:
    """Whether a query may run over these views (by lower-case name), and what it reads."""
    try:
        return _examine(sql, views, parser=parser)
    except _Stopped as stopped:
        return stopped.objection
    except RecursionError:
        return Objection(Gate.DEPTH, "The query is nested too deeply", next_step="Break it up with WITH")


def check_query(sql: str, views: Mapping[str, View], *, parser: Parser) -> Checked:
    """The same, raising the objection as a refusal."""
    answer = may_query(sql, views, parser=parser)
    if isinstance(answer, Objection):
        raise answer.refusal()
    return answer


def _examine(sql: str, views: Mapping[str, View], *, parser: Parser) -> Checked:
    if len(sql) > LONGEST:
        raise _stop(Gate.LENGTH, f"The query is longer than {LONGEST:,} characters", next_step="Shorten it")
    if any((c < " " and c not in "\t\n\r") or "\ud800" <= c <= "\udfff" for c in sql):
        raise _stop(Gate.SYNTAX, "The query holds a character that is no text", next_step="Type it again as plain text")
    tree = parser.parse(sql)
    if tree.get("error"):
        raise _unreadable(tree, sql)
    statements = tree.get("statements", [])
    if len(statements) != 1:
        what = f"The text holds {len(statements)} statements, and a query is exactly one"
        raise _stop(Gate.STATEMENTS, what, next_step="Run one SELECT at a time")
    walk = _Walk(views)
    walk.look(statements, frozenset())
    return Checked(sql, walk.columns())


def _unreadable(tree: Mapping[str, Any], sql: str) -> _Stopped:
    message = str(tree.get("error_message", ""))
    if tree.get("error_type") == "not implemented" or "needs a SELECT" in message or "SELECT INTO" in message:
        next_step = "Write SELECT (for PIVOT name the values with IN), or to keep rows for a while: "
        next_step += f"CREATE TABLE {SCRATCH}.NAME AS SELECT …, later DROP TABLE {SCRATCH}.NAME"
        return _stop(Gate.NOT_SELECT, "Only SELECT statements may run", next_step=next_step)
    if "depth" in message or "memory exhausted" in message:
        return _stop(Gate.DEPTH, "The query is nested too deeply", next_step="Break it up with WITH")
    position = int(tree.get("position") or 0)
    word = _WORD.match(sql, position) if position < len(sql) else None
    near = f", near {word.group()}" if word else ""
    what = f"The query cannot be read as SQL at character {position + 1}{near}"
    return _stop(Gate.SYNTAX, what, next_step="Correct it there")


def _stop(gate: Gate, what: str, *, named: str = "", next_step: str = "") -> _Stopped:
    return _Stopped(Objection(gate, what, named, next_step))


def _is_order_by_all(modifier: dict[str, Any]) -> bool:
    orders = modifier.get("orders", [])
    star = orders[0].get("expression", {}) if len(orders) == 1 else {}
    return star.get("class") == "STAR" and star.keys() == ALL


def shown(name: str) -> str:
    """A name of a query's text as it may be said in a message; what is no plain word is not repeated."""
    return name if _WORD.fullmatch(name) else "of that name"


@dataclass
class _Walk:
    """One walk over a tree; collects the views and the names that occur in it."""

    views: Mapping[str, View]
    read: dict[str, View] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    alone: set[str] = field(default_factory=set)  # names that stand without a qualifier
    called: set[str] = field(default_factory=set)  # what the views are called in the query
    everything: bool = False

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Columns that may be read, by view."""
        whole = self.everything or not self.called.isdisjoint(self.alone)  # a table's name alone is its row
        return {
            view.name: view.columns if whole else tuple(c for c in view.columns if lower(c) in self.names)
            for view in self.read.values()
        }

    def look(self, part: Any, scope: frozenset[str]) -> None:
        """Check a part of the tree; `scope` holds the names the query has given itself so far."""
        if isinstance(part, list):
            for each in part:
                self.look(each, scope)
        elif isinstance(part, dict):
            self._look_at(part, scope)

    def _look_at(self, part: dict[str, Any], scope: frozenset[str]) -> None:
        kind = part.get("type")
        if isinstance(kind, dict):
            self._known(part, LITERAL)
            return
        if "class" not in part and kind is not None and kind not in PARTS:
            raise self._unknown(str(kind))
        inside = self._expression(part) if "class" in part else True
        self._known(part)
        if kind in NODES:
            self._node(part, scope)
        elif inside:
            self._part(part, scope)
            self._inside(part, scope)

    def _inside(self, part: dict[str, Any], scope: frozenset[str]) -> None:
        for each in part.values():
            if isinstance(each, dict | list):
                self.look(each, scope)

    def _known(self, part: dict[str, Any], keys: frozenset[str] = KEYS) -> None:
        if not part.keys() <= keys:
            raise self._unknown(min(part.keys() - keys))

    def _unknown(self, word: str) -> _Stopped:
        spoken = SPOKEN.get(word) or word.replace("_", " ").lower()
        what = f"The query uses a construct that is not allowed: {spoken}"
        return _stop(Gate.CONSTRUCT, what, named=word, next_step="Write it with plain SELECT, JOIN and WITH")

    def _node(self, part: dict[str, Any], scope: frozenset[str]) -> None:
        """A query node: each WITH sees those before it, the node itself sees them all."""
        if "cte_name" in part:
            scope = scope | {self._own_name(part["cte_name"])}
        given = part.get("cte_map", {})
        self._known(given)
        for entry in given.get("map", []):
            self._known(entry)
            name = self._own_name(entry["key"])
            self.look(entry["value"], scope)
            scope = scope | {name}
        for key, each in part.items():
            if key == "modifiers":
                self._modifiers(each, scope)
            elif key != "cte_map":
                self.look(each, scope)

    def _modifiers(self, modifiers: list[dict[str, Any]], scope: frozenset[str]) -> None:
        """ORDER BY and the like; the star of ORDER BY ALL reads no more than what is selected."""
        for modifier in modifiers:
            before = self.everything
            self.look(modifier, scope)
            if _is_order_by_all(modifier):
                self.everything = before

    def _own_name(self, name: str) -> str:
        plain = lower(name)
        if not _OWN_NAME.fullmatch(name) or _ENGINE_NAME.match(plain):
            what = f"The query may not give itself a name like {shown(name)}"
            raise _stop(Gate.OWN_NAME, what, named=name, next_step="Name it with letters, digits and underscores")
        return plain

    def _part(self, part: dict[str, Any], scope: frozenset[str]) -> None:
        match part.get("type"):
            case "BASE_TABLE":
                self._table(part, scope)
            case "JOIN":
                self.names.update(lower(c) for c in part.get("using_columns", []))
                self.everything |= part.get("ref_type") == "NATURAL"
            case "PIVOT":
                self.everything = True
                if part.get("pivot_enum") or any(p.get("pivot_enum") for p in part.get("pivots", [])):
                    raise self._unknown("PIVOT over a type")
            case "TABLE_FUNCTION":
                function = part["function"]
                if lower(str(function.get("function_name", ""))) not in TABLE_FUNCTIONS:
                    raise self._not_allowed(Gate.TABLE_FUNCTION, str(function.get("function_name", "")))

    def _table(self, part: dict[str, Any], scope: frozenset[str]) -> None:
        name = str(part.get("table_name", ""))
        plain, schema = lower(name), str(part.get("schema_name", ""))
        kept = lower(schema) == SCRATCH
        full = ".".join(str(part[k]) for k in ("catalog_name", "schema_name", "table_name") if part.get(k))
        if part.get("catalog_name") or not (kept or schema in ("", "main")) or not plain:
            raise self._no_table(full)
        if plain in scope and not schema:
            return
        view = self.views.get(f"{SCRATCH}.{plain}" if kept else plain)
        if view is None or lower(view.name).startswith(f"{SCRATCH}.") != kept:
            raise self._no_table(full if kept else name)
        self.read[lower(view.name)] = view
        self.called |= {plain, lower(str(part.get("alias") or plain))}
        self.everything |= bool(part.get("column_name_alias"))

    def _no_table(self, name: str) -> _Stopped:
        mine = ", ".join(v.name for v in self.views.values()) or "none"
        what = f"This project has no table {shown(name)}"
        return _stop(Gate.TABLE, what, named=name, next_step=f"Its tables are: {mine}")

    def _expression(self, part: dict[str, Any]) -> bool:
        """Check one expression; returns whether to look inside."""
        kind = part["class"]
        if kind not in EXPRESSIONS or (kind == "OPERATOR" and part.get("type") not in OPERATORS):
            raise self._unknown(str(kind if kind not in EXPRESSIONS else part.get("type")))
        match kind:
            case "CONSTANT":
                return False
            case "COLUMN_REF":
                parts = [lower(n) for n in part.get("column_names", [])]
                self.names.update(parts)
                if len(parts) == 1:
                    self.alone.update(parts)
            case "STAR" | "POSITIONAL_REFERENCE":
                self.everything = True
            case "FUNCTION" | "WINDOW":
                self._function(part)
        return True

    def _function(self, part: dict[str, Any]) -> None:
        name = lower(str(part.get("function_name", "")))
        allowed = (AGGREGATES | WINDOWS) if part["class"] == "WINDOW" else FUNCTIONS
        elsewhere = part.get("catalog") or part.get("schema", "main") != "main"
        if name not in allowed or elsewhere or part.get("export_state"):
            full = ".".join(str(part[k]) for k in ("catalog", "schema", "function_name") if part.get(k))
            raise self._not_allowed(Gate.FUNCTION, full if elsewhere else name)

    @staticmethod
    def _not_allowed(gate: Gate, name: str) -> _Stopped:
        what = f"The {gate.value} {shown(name)} is not allowed"
        return _stop(gate, what, named=name, next_step="Write it with another function; only pure ones are allowed")
