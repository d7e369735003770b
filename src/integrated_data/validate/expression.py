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


def expression_sql(expression: str, columns: Collection[str], *, rule: str) -> str:
    """The expression, parsed, checked and written anew; column names are those of the contract.

    Raises ContractRefusal that names the rule when it does not parse, names another column, or uses
    what is not allowed (a subquery, a function beyond the list).
    """
    try:
        tree = sqlglot.parse_one(f"SELECT {expression}", dialect="duckdb")
    except SqlglotError:
        raise _refusal(rule, "It does not parse as one SQL expression") from None
    if not isinstance(tree, exp.Select) or set(_filled(tree)) != {"expressions"} or len(tree.expressions) != 1:
        raise _refusal(rule, "It must be one SQL expression over one row")
    known = {c.lower() for c in columns}
    condition = tree.expressions[0]
    for node in condition.walk():
        if not isinstance(node, ALLOWED):
            raise _refusal(rule, f"It uses {type(node).__name__}, which is not allowed in a rule")
        if isinstance(node, exp.Column) and (node.table or node.name.lower() not in known):
            raise _refusal(rule, "It names a column that the contract lacks")
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            raise _refusal(rule, "It uses a subquery")
    for identifier in condition.find_all(exp.Identifier):
        identifier.set("quoted", True)
    return str(condition.sql(dialect="duckdb"))


def _filled(tree: exp.Expression) -> list[str]:
    return [key for key, value in tree.args.items() if value]


def _refusal(rule: str, why: str) -> ContractRefusal:
    return ContractRefusal(
        f"The expression of rule {rule} cannot be used",
        why=why,
        next_step="Write a comparison over columns of the contract, such as end_date >= start_date",
    )
