"""How a query chooses the rows of its table and names its groups: what it may tell beside the figures.

A condition can make a group of people by itself, so that a table with one row says of each of them what
its key says; a condition on groups tells how large a withheld one is; a name that the query gives to a
group may carry anything.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from integrated_data.output.people import Known
from integrated_data.output.tree import conjuncts, text


@dataclass(frozen=True)
class Chosen:
    """What is known of it, keys by their place.

    `filtered`: a condition, a join or a step chooses rows; `everybody`: the rows without the condition, empty
    where that cannot be told; `pinned`: keys that the condition gives one value; `made`: keys that are computed;
    `stated`: texts that may name a group; `thresholded`: groups are left out by their size; `conditions`: what
    chooses its rows, see `_conditions`.
    """

    filtered: bool = False
    everybody: str = ""
    pinned: frozenset[int] = frozenset()
    made: frozenset[int] = frozenset()
    stated: frozenset[str] = frozenset()
    thresholded: bool = False
    conditions: tuple[tuple[str, ...], ...] = ()


#: Everybody, in groups that the data name.
ANYBODY = Chosen()


def chosen(select: exp.Select, keys: Sequence[exp.Expr], *, known: Known) -> Chosen:
    """What is known of a grouped SELECT."""
    where, joins = select.args.get("where"), select.args.get("joins")
    from_ = select.args["from_"]
    steps = bool(known.bodies) or not isinstance(from_.this, exp.Table)
    pins = {_pinned(part) for part in conjuncts(where)}
    trees = (select, *known.bodies)
    read = {table.name for tree in trees for table in tree.find_all(exp.Table) if not _in_figure(table)}
    peopled = sorted(name for name in read & set(known.views) if not known.views[name].public)
    return Chosen(
        filtered=bool(where or joins or steps),
        everybody="" if joins or steps else text(from_.copy()).strip(),
        pinned=frozenset(n for n, key in enumerate(keys) if text(key) in pins),
        made=frozenset(n for n, key in enumerate(keys) if not isinstance(key, exp.Column)),
        stated=frozenset(found for tree in trees for found in _stated(tree)),
        thresholded=select.args.get("having") is not None,
        conditions=_conditions(trees, peopled),
    )


def _pinned(part: exp.Expr) -> str:
    """What a condition gives one value: the text of it, or nothing."""
    if isinstance(part, exp.EQ) and isinstance(part.expression, exp.Literal | exp.Boolean):
        return text(part.this)
    if isinstance(part, exp.In) and len(part.expressions) == 1 and isinstance(part.expressions[0], exp.Literal):
        return text(part.this)
    return text(part)


def _stated(tree: exp.Expr) -> list[str]:
    """Texts of a query that can become values of it: results of conditions, defaults, rows of constants."""
    found = []
    for literal in tree.find_all(exp.Literal):
        parent = literal.parent
        chooses = isinstance(parent, exp.If) and parent.this is not literal
        falls = isinstance(parent, exp.Case) and parent.args.get("default") is literal
        if literal.is_string and (chooses or falls or isinstance(parent, exp.Coalesce | exp.Tuple | exp.DPipe)):
            found.append(literal.name)
    return found


def _conditions(trees: Sequence[exp.Expr], tables: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What chooses the rows of a query: of each condition a digest, the column that it gives one value, or "", and
    the columns that it names.

    `tables`: those with people behind them; being in another one is a condition too. Literals do not stay.
    """
    found: set[tuple[str, ...]] = {(f"in {table}", "") for table in tables}
    for tree in trees:
        for clause in (*tree.find_all(exp.Where), *tree.find_all(exp.Having)):
            if not _in_figure(clause):
                found.update(_condition(part) for part in conjuncts(clause))
    return tuple(sorted((hashlib.sha256(words.encode()).hexdigest()[:16], *names) for words, *names in found))


def _in_figure(node: exp.Expr) -> bool:
    """Whether something is asked within a figure: it chooses who adds to it, and no rows."""
    return node.find_ancestor(exp.AggFunc) is not None


def _condition(part: exp.Expr) -> tuple[str, ...]:
    plain = part.copy()
    for column in plain.find_all(exp.Column):  # whatever a query calls its tables
        column.set("table", None)
    pinned = isinstance(plain, exp.EQ) and isinstance(plain.this, exp.Column)
    of = plain.this.name.casefold() if pinned and isinstance(plain.expression, exp.Literal) else ""
    named = sorted({column.name.casefold() for column in plain.find_all(exp.Column)})
    return (text(plain).casefold(), of, *named)
