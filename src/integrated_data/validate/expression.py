"""Expressions in rules: one row in, true or false out, from a short list of allowed words.

A contract is written by people outside the service, so the text of an expression is parsed, every
node of the tree is held against the list, and what runs is written anew from the tree.
"""

from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from integrated_data.model.errors import ContractRefusal

#: Nodes of the syntax tree that an expression may be made of.
ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not,
    exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between, exp.Like,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Case, exp.If, exp.Tuple,
    exp.Cast, exp.TryCast, exp.DataType, exp.CurrentDate, exp.Upper, exp.Lower, exp.Length, exp.Trim,
    exp.Substring, exp.Left, exp.Right, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Coalesce, exp.Nullif,
    exp.Greatest, exp.Least, exp.Year, exp.Month, exp.Day, exp.DateDiff, exp.Interval, exp.Var, exp.StartsWith,
    exp.Contains, exp.RegexpFullMatch, exp.Date, exp.Concat, exp.DPipe,
)  # fmt: skip

#: What an expression over a whole table may hold besides: each column stands inside one of these.
AGGREGATES: tuple[type[exp.Expression], ...] = (exp.Sum, exp.Count, exp.CountIf, exp.Avg, exp.Min, exp.Max)
_AROUND: tuple[type[exp.Expression], ...] = (exp.Filter, exp.Where, exp.Distinct, exp.Star)


def table_expression_sql(expression: str, columns: Collection[str], *, rule: str) -> str:
    """An expression of sums, counts and the like over all rows, checked and written as `expression_sql` does."""
    condition = _condition(expression, columns, rule=rule, allowed=(*ALLOWED, *AGGREGATES, *_AROUND))
    for node in condition.find_all(exp.Column, exp.Star):
        if node.find_ancestor(*AGGREGATES, exp.Filter) is None:
            raise _refusal(rule, "Over a whole table, each column stands inside sum, count, avg, min or max")
    for node in condition.find_all(*AGGREGATES):
        if node.find_ancestor(*AGGREGATES) is not None:
            raise _refusal(rule, "One of sum, count, avg, min and max stands inside another")
    return str(condition.sql(dialect="duckdb"))


def expression_sql(expression: str, columns: Collection[str], *, rule: str) -> str:
    """The expression, parsed, checked and written anew; column names are those of the contract.

    Raises ContractRefusal that names the rule when it does not parse, names another column, or uses
    what is not allowed (a subquery, a function beyond the list).
    """
    return str(_condition(expression, columns, rule=rule, allowed=ALLOWED).sql(dialect="duckdb"))


def _condition(
    expression: str, columns: Collection[str], *, rule: str, allowed: tuple[type[exp.Expression], ...]
) -> exp.Expression:
    """The tree of an expression that holds allowed nodes alone, its names quoted."""
    try:
        tree = sqlglot.parse_one(f"SELECT {expression}", dialect="duckdb")
    except SqlglotError:
        raise _refusal(rule, "It does not parse as one SQL expression") from None
    if not isinstance(tree, exp.Select) or set(_filled(tree)) != {"expressions"} or len(tree.expressions) != 1:
        raise _refusal(rule, "It must be one SQL expression over one row")
    known = {c.lower() for c in columns}
    condition: exp.Expression = tree.expressions[0]
    for node in condition.walk():
        if not isinstance(node, allowed):
            raise _refusal(rule, f"It uses {type(node).__name__}, which is not allowed in a rule")
        if isinstance(node, exp.Column) and (node.table or node.name.lower() not in known):
            raise _refusal(rule, "It names a column that the contract lacks")
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            raise _refusal(rule, "It uses a subquery")
    for identifier in condition.find_all(exp.Identifier):
        identifier.set("quoted", True)
    return condition


def _filled(tree: exp.Expression) -> list[str]:
    return [key for key, value in tree.args.items() if value]


def _refusal(rule: str, why: str) -> ContractRefusal:
    return ContractRefusal(
        f"The expression of rule {rule} cannot be used",
        why=why,
        next_step="Write a comparison over columns of the contract, such as end_date >= start_date",
    )
