"""Writing a regrouping into a query: one key as a CASE over its values, everything else as it was."""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from integrated_data.model.output import View
from integrated_data.output.tree import is_grouped, parsed, text


def recoded(sql: str, key: str, *, names: Mapping[str, str], views: Mapping[str, View]) -> str | None:
    """The query with the key's values in `names` called by their group's name; None where it cannot be told how.

    `key`: the key's SQL as in `Shape.keys`. Only the last step is changed, in what it shows and groups by.
    """
    tree = parsed(sql, views)
    if not isinstance(tree, exp.Select) or not is_grouped(tree):
        return None
    places = [node for node in _outer(tree) if text(node) == key]
    if not places:
        return None
    for node in places:
        node.replace(_case(node, names))
    tree.set("order", None)
    return text(tree)


def _outer(select: exp.Select) -> Iterator[exp.Expr]:
    """Expressions shown or grouped by, and those inside levels of totals and `GROUPING`."""
    group = select.args.get("group")
    shown = [p.unalias() for p in select.expressions]
    yield from (node for node in shown if not isinstance(node, exp.Grouping | exp.GroupingId))
    for node in shown:
        if isinstance(node, exp.Grouping | exp.GroupingId):
            yield from node.expressions
    for part in group.expressions if group is not None else ():
        yield from _members(part)


def _members(part: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
        for inner in part.expressions:
            yield from _members(inner)
    elif isinstance(part, exp.Paren):
        yield from _members(part.this)
    else:
        yield part


def _case(key: exp.Expr, names: Mapping[str, str]) -> exp.Case:
    value = exp.cast(key.copy(), "varchar")
    groups: dict[str, list[exp.Expr]] = {}
    for held, called in names.items():
        groups.setdefault(called, []).append(exp.Literal.string(held))
    ifs = [
        exp.If(this=exp.In(this=value.copy(), expressions=held), true=exp.Literal.string(called))
        for called, held in groups.items()
    ]
    return exp.Case(ifs=ifs, default=value)
