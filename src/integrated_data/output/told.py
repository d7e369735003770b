"""The text of a query as it may leave: what it does, without what its author wrote into it.

Values become `?`, comments go, and every name that is neither of the data nor a heading of the
output becomes `name1`, `name2`…: a query may not carry out what its author saw.
"""

from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from integrated_data.model.output import View

#: What stands where no text can be told.
UNREAD = "-- This query is not told: the check cannot read it"

#: Nodes that hold a value or a name as text of their own.
VALUES = (
    exp.Literal, exp.RawString, exp.National, exp.HexString, exp.BitString, exp.ByteString, exp.UnicodeString,
    exp.Placeholder, exp.Parameter, exp.SessionParameter, exp.JSONPath, exp.Heredoc,
)  # fmt: skip


def told(sql: str, views: Mapping[str, View], *, headings: Iterable[str]) -> str:
    """The query in DuckDB's dialect, one line for each clause, its values and its author's names left out."""
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        return UNREAD
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        return UNREAD
    columns = {column for view in views.values() for column in view.columns}
    known = {name.lower() for name in (*views, *columns, *headings)}
    tree = statements[0].transform(lambda node: exp.Placeholder() if isinstance(node, VALUES) else node)
    called: dict[str, str] = {}
    for identifier in tree.find_all(exp.Identifier):
        name = identifier.name.lower()
        if name not in known:
            identifier.set("this", called.setdefault(name, f"name{len(called) + 1}"))
            identifier.set("quoted", False)
    try:
        return tree.sql("duckdb", pretty=True, comments=False)
    except SqlglotError:
        return UNREAD
