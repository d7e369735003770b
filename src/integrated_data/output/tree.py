"""Reading a query as a tree whose every column names its source.

The tree, not the analyst's text, is what is proven, what is run for the output and what the
evidence is built from: whatever the two parsers might read differently cannot come between them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from integrated_data.model.output import Outcome, View

#: Parts of a SELECT whose meaning for the people behind a row is known; any other is unproven.
SELECT_PARTS = frozenset(
    {"expressions", "from_", "joins", "where", "group", "having", "qualify", "distinct", "order", "with_"}
)


#: How names begin that the check adds to a query itself: who is behind a row, which keys a total sums over.
OWN = "__"


class Unproven(Exception):  # noqa: N818 - not an error: the query takes another lane
    """The shape of a query is not one that the check can vouch for.

    `rule` and `outcome` say what follows; the reason never quotes a value of the query.
    """

    def __init__(self, reason: str, *, rule: str = "shape", outcome: Outcome = Outcome.REVIEW) -> None:
        self.reason, self.rule, self.outcome = reason, rule, outcome
        super().__init__(reason)


def parsed(sql: str, views: Mapping[str, View]) -> exp.Query:
    """One query, columns qualified, stars and positions expanded, unnamed figures named by their text."""
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        raise Unproven("The check cannot read this query") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise Unproven("It is not one SELECT")
    tree = statements[0]
    check_names(tree, OWN)
    _check_schemas(tree)
    if isinstance(tree, exp.Select):
        tree.set("expressions", [_named(projection) for projection in tree.expressions])
    schema: dict[str, object] = {view: dict.fromkeys(shape.columns, "UNKNOWN") for view, shape in views.items()}
    try:
        qualified = qualify(tree, dialect="duckdb", schema=schema)
    except SqlglotError:
        raise Unproven("The check cannot tell which table each column belongs to") from None
    assert isinstance(qualified, exp.Query)
    return qualified


def _check_schemas(tree: exp.Expr) -> None:
    """Refuse a table of another schema: it would be taken for the view of that name."""
    if any(table.db.lower() not in ("", "main") or table.catalog for table in tree.find_all(exp.Table)):
        raise Unproven("It reads a table whose making the check cannot follow")


def check_names(tree: exp.Expr, *beginnings: str) -> None:
    """Refuse a query that gives something a name which the check keeps for itself: it would stand in for it."""
    if any(node.name.lower().startswith(beginnings) for node in tree.find_all(exp.Identifier)):
        raise Unproven("It uses a name that the check keeps for itself")


def _named(projection: exp.Expr) -> exp.Expr:
    if isinstance(projection, exp.Alias | exp.Column | exp.Star | exp.Columns) or projection.is_star:
        return projection
    return exp.alias_(projection, projection.sql("duckdb").lower(), quoted=True)


def text(tree: exp.Expr) -> str:
    """The tree as SQL of DuckDB's dialect."""
    return tree.sql("duckdb")


def tables(sql: str) -> tuple[str, ...]:
    """Names of the views a query reads, sorted; refuses what cannot be read."""
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        raise Unproven("The check cannot read this query") from None
    trees = [s for s in statements if s is not None]
    for tree in trees:
        _check_schemas(tree)
    made = {cte.alias_or_name.lower() for tree in trees for cte in tree.find_all(exp.CTE)}
    read = {table.name.lower() for tree in trees for table in tree.find_all(exp.Table)}
    return tuple(sorted(read - made - {""}))


def is_own(query: exp.Query, column: str) -> bool:
    """Whether a column of a qualified query is one of a view's own, through every step as it is."""
    steps: dict[str, exp.Expr] = {}
    at: exp.Expr | None = query
    name = column.lower()
    while isinstance(at, exp.Select):
        steps |= {cte.alias: cte.this for cte in at.ctes}
        value = next((p.unalias() for p in at.expressions if p.alias_or_name.lower() == name), None)
        if not isinstance(value, exp.Column):
            return False
        sources = [at.args["from_"].this, *(join.this for join in at.args.get("joins") or [])]
        source = next((s for s in sources if s.alias_or_name == value.table), None)
        name = value.name.lower()
        if isinstance(source, exp.Subquery):
            at = source.this
        elif isinstance(source, exp.Table):
            if source.name not in steps:
                return True
            at = steps.pop(source.name)
        else:
            return False
    return False


def own(tree: exp.Expr, *kinds: type[Any]) -> Iterator[Any]:
    """Nodes of these kinds that belong to this SELECT itself, subqueries (not their insides) included."""
    for node in tree.walk(prune=lambda n: n is not tree and isinstance(n, exp.Query)):
        if node is not tree and isinstance(node, kinds):
            yield node


def check_parts(select: exp.Select) -> None:
    """Refuse a SELECT with a part that the check does not understand (a limit, a sample, a hint)."""
    strange = {part for part, value in select.args.items() if value} - SELECT_PARTS
    if strange:
        raise Unproven(f"It uses {', '.join(sorted(strange)).rstrip('_')}, so which rows count cannot be told")
    if any(own(select, exp.Star)) and any(not isinstance(s.parent, exp.Count) for s in own(select, exp.Star)):
        raise Unproven("It does not name its columns")
    recursive = select.args.get("with_")
    if recursive is not None and recursive.args.get("recursive"):
        raise Unproven("It is recursive")


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """The parts of a condition that must all hold."""
    if condition is None:
        return
    if isinstance(condition, exp.Where | exp.Paren | exp.Having):
        yield from conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from conjuncts(condition.this)
        yield from conjuncts(condition.expression)
    else:
        yield condition


def aggregates(select: exp.Select) -> list[exp.AggFunc]:
    """Aggregates of this SELECT itself, those used as windows left out."""
    return [a for a in own(select, exp.AggFunc) if not isinstance(a.parent, exp.Window) and not _filtered_window(a)]


def _filtered_window(aggregate: exp.AggFunc) -> bool:
    return isinstance(aggregate.parent, exp.Filter) and isinstance(aggregate.parent.parent, exp.Window)


def is_grouped(select: exp.Select) -> bool:
    """Whether its rows stand for groups."""
    return bool(select.args.get("group")) or bool(aggregates(select))


def group_keys(select: exp.Select) -> list[exp.Expr]:
    """What it groups by, GROUP BY ALL spelled out; grouping sets are not among them."""
    group = select.args.get("group")
    if group is None:
        return []
    if group.args.get("all"):
        counted = {id(node) for a in aggregates(select) for node in _ancestors(a, select)}
        bare = [p.unalias() for p in select.expressions if id(p) not in counted and id(p.unalias()) not in counted]
        return [p for p in bare if not isinstance(p, exp.Literal)]
    return list(group.expressions)


def _ancestors(node: exp.Expr, stop: exp.Expr) -> Iterator[exp.Expr]:
    current: exp.Expr | None = node
    while current is not None and current is not stop:
        yield current
        current = current.parent
