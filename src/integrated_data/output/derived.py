"""A query over scratch tables as the query over the project's views alone that it is.

A scratch table is its SELECT: put in its place as a step of WITH, the check follows people through it like
through any step, and what leaves is computed from the copies that are granted, never from kept rows.
What cannot be put together stays as it was asked; the check cannot follow it, so people decide.
"""

from collections.abc import Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.query import SCRATCH
from integrated_data.output.tree import Unproven


def text_of(body: Mapping[str, Any], *, query: str) -> str:
    """The text of a logged query over views alone, where it can be told; refuses one that only made a table."""
    if "made" in body or "dropped" in body:
        raise OutputRefusal(
            f"Query {query} made or dropped a scratch table and has no result",
            next_step="Query the table, and ask for the result of that",
        )
    try:
        return over_views(str(body["sql"]), body.get("scratch", {}))
    except Unproven:
        return str(body["sql"])


def over_views(sql: str, made: Mapping[str, Any]) -> str:
    """A query with each scratch table in it put in as it was made. `made`: see `access.scratch.Table.made`."""
    if not made:
        return sql
    trees = {"": _read(sql)}
    _gather(made, trees)
    taken = {i.name.lower() for tree in trees.values() for i in tree.find_all(exp.Identifier)}
    steps: list[exp.CTE] = []
    whole = _put_in(_read(sql), made, steps=steps, taken=taken)
    return _with(whole, steps).sql("duckdb")


def _read(sql: str) -> exp.Query:
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        raise Unproven("The check cannot read this query") from None
    found = [s for s in statements if s is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise Unproven("It is not one SELECT")
    return found[0]


def _gather(made: Mapping[str, Any], trees: dict[str, exp.Query]) -> None:
    """Every definition, its own included, as trees."""
    for definition in made.values():
        if definition is None:
            raise Unproven("It reads a table whose making is too long to follow")
        if definition["sql"] not in trees:
            trees[definition["sql"]] = _read(definition["sql"])
        _gather(definition["of"], trees)


def _put_in(tree: exp.Query, made: Mapping[str, Any], *, steps: list[exp.CTE], taken: set[str]) -> exp.Query:
    """The tree with a step's name for each scratch table; the steps are added in the order they need each other."""
    names: dict[str, str] = {}
    for table in list(tree.find_all(exp.Table)):
        if table.db.lower() != SCRATCH:
            continue
        called = table.name.lower()
        if called not in made:
            raise Unproven("It reads a table whose making is not on record")
        if called not in names:
            body = _put_in(_read(made[called]["sql"]), made[called]["of"], steps=steps, taken=taken)
            names[called] = _new(f"{SCRATCH}_{called}", taken)
            alias = exp.TableAlias(this=exp.to_identifier(names[called]))
            steps.append(exp.CTE(this=body, alias=alias))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        table.set("db", None)
        table.set("this", exp.to_identifier(names[called]))
    for column in tree.find_all(exp.Column):
        if column.args.get("db") is not None and column.db.lower() == SCRATCH:
            column.set("db", None)
    return tree


def _new(name: str, taken: set[str]) -> str:
    """A name that no query among them uses."""
    found = next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    taken.add(found)
    return found


def _with(tree: exp.Query, steps: list[exp.CTE]) -> exp.Query:
    """The tree with these steps before its own."""
    own = tree.args.get("with_")
    if own is None:
        tree.set("with_", exp.With(expressions=steps))
    else:
        own.set("expressions", [*steps, *own.expressions])
    return tree
