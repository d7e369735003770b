"""Which tables of several installations can be put together, and how: sums and counts add up, means by their parts.

A mean is asked for as a sum and a count, since means do not add up. Counts of distinct people add up only where
nobody is at two installations, which whoever asks must vouch for. Everything else is shown by installation.
What comes in was released by each installation's own output control: nothing here can tell more than they did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlglot
from sqlglot import exp

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.federation import WITHHELD, Answered, Combined

Number = int | float


class Kind(StrEnum):
    """What a column is, and so how it is put together."""

    KEY = "key"
    SUM = "sum"
    MEAN = "mean"
    APART = "apart"


@dataclass(frozen=True)
class Figure:
    """A column as it was asked for. `parts`: the columns that are sent in its place, of a mean its sum and count."""

    name: str
    kind: Kind
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is sent to every installation, and how the answers are put together."""

    sql: str
    figures: tuple[Figure, ...]
    sent: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys."""
        return tuple(f.name for f in self.figures if f.kind is Kind.KEY)


def plan(sql: str, *, disjoint: bool = False) -> Plan:
    """The plan of a question: one SELECT of keys and named aggregates; refuses others, saying why."""
    tree = _parsed(sql)
    figures, projections, more = [], [], []
    for one in tree.expressions:
        figure, first, second = _read(one, disjoint=disjoint)
        figures.append(figure)
        projections.append(first)
        more += second
    tree.set("expressions", [*projections, *more])
    tree.set("order", None)
    sent = tuple(e.alias_or_name for e in tree.expressions)
    if len(set(sent)) != len(sent):
        raise _unfit("Two of its columns have one name", "Give every column its own name with AS")
    return Plan(tree.sql(dialect="duckdb"), tuple(figures), sent)


def _parsed(sql: str) -> exp.Select:
    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        raise _unfit("It cannot be read", "Ask one installation alone, which says where") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        raise _unfit("It is not one SELECT", "Ask one SELECT of keys and aggregates")
    tree = trees[0]
    for part, word in (("having", "HAVING"), ("limit", "LIMIT"), ("offset", "OFFSET"), ("qualify", "QUALIFY"),
                       ("distinct", "DISTINCT")):  # fmt: skip
        if tree.args.get(part) is not None:
            raise _unfit(
                f"{word} leaves out rows at one installation that others keep",
                f"Leave {word} out and choose afterwards",
            )
    if any(isinstance(e, exp.Star) or e.is_star for e in tree.expressions) or tree.find(exp.Window):
        raise _unfit("It names rows, not aggregates", "Ask for keys and aggregates, each by its name")
    if not any(e.find(exp.AggFunc) for e in tree.expressions):
        raise _unfit("It has no aggregate", "Count or sum what you ask for: rows do not leave an installation")
    return tree


def _unfit(why: str, next_step: str) -> QueryRefusal:
    return QueryRefusal("This question cannot be asked of several installations", why=why, next_step=next_step)


def _read(one: exp.Expr, *, disjoint: bool) -> tuple[Figure, exp.Expr, list[exp.Expr]]:
    """A column as asked for, as it is sent, and what is sent beside it."""
    name, inner = one.alias_or_name, one.unalias()
    if inner.find(exp.AggFunc) is None:
        return Figure(name, Kind.KEY, (name,)), one, []
    if not isinstance(one, exp.Alias):
        raise _unfit("A figure has no name", "Name every figure with AS")
    bare = inner
    while isinstance(bare, exp.Cast | exp.Paren):
        bare = bare.this
    if isinstance(bare, exp.Avg) and not isinstance(bare.this, exp.Distinct):
        of, parts = bare.this, (f"{name}__sum", f"{name}__count")
        total = exp.alias_(exp.Sum(this=of.copy()), parts[0])
        count = exp.alias_(exp.Count(this=of.copy()), parts[1])
        return Figure(name, Kind.MEAN, parts), total, [count]
    distinct = isinstance(bare, exp.Count | exp.Sum) and isinstance(bare.this, exp.Distinct)
    adds = isinstance(bare, exp.Count | exp.Sum | exp.CountIf) and (not distinct or (disjoint and bare.key == "count"))
    return Figure(name, Kind.SUM if adds else Kind.APART, (name,)), one, []


def fits(plan: Plan, answer: Answered) -> bool:
    """Whether an answer has the shape that was asked for."""
    return answer.columns == plan.sent and all(len(row) == len(plan.sent) for row in answer.rows)


def combine(plan: Plan, answers: Sequence[Answered]) -> Combined:
    """The tables of those that answered as one, in order of the keys. `answers`: of the shape of the plan."""
    places = [plan.sent.index(key) for key in plan.keys]
    of: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {
        a.peer: {tuple(row[p] for p in places): row for row in a.rows} for a in answers
    }
    figures = [f for f in plan.figures if f.kind in (Kind.SUM, Kind.MEAN)]
    alone = [(f, peer) for f in plan.figures if f.kind is Kind.APART for peer in of]
    groups = sorted({key for rows in of.values() for key in rows})
    rows, incomplete = [], {}
    for number, group in enumerate(groups):
        values: list[str | int | float | None] = list(group)
        for figure in figures:
            given, missing = _gathered(plan, figure, rows={peer: rows.get(group) for peer, rows in of.items()})
            values.append(_together(figure, given))
            if missing:
                incomplete[number, figure.name] = missing
        for figure, peer in alone:
            row = of[peer].get(group)
            values.append(None if row is None else row[plan.sent.index(figure.name)])
        rows.append(tuple(values))
    apart = tuple(f"{figure.name} ({peer})" for figure, peer in alone)
    columns = (*plan.keys, *(f.name for f in figures), *apart)
    return Combined(columns, tuple(rows), incomplete, apart)


def _gathered(
    plan: Plan, figure: Figure, *, rows: dict[str, tuple[str, ...] | None]
) -> tuple[list[tuple[Number, ...]], tuple[str, ...]]:
    """The parts of a figure that each installation gave, and those that held one back; nobody is no part."""
    given, missing = [], []
    for peer, row in rows.items():
        if row is None:
            continue
        told = tuple(_number(row[plan.sent.index(part)]) for part in figure.parts)
        whole = tuple(part for part in told if part is not None)
        if len(whole) == len(told):
            given.append(whole)
        elif any(row[plan.sent.index(part)] in WITHHELD for part in figure.parts):
            missing.append(peer)
    return given, tuple(missing)


def _together(figure: Figure, given: list[tuple[Number, ...]]) -> Number | None:
    if not given:
        return None
    if figure.kind is Kind.SUM:
        return sum(parts[0] for parts in given)
    count = sum(parts[1] for parts in given)
    return sum(parts[0] for parts in given) / count if count else None


def _number(cell: str) -> Number | None:
    """A released figure; None for one that was held back, or is missing."""
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        return float(cell)
    except ValueError:
        return None


def label(answers: Sequence[Answered], *, asked: int) -> str:
    """How much of what was asked the result covers, in one sentence."""
    told = [a for a in answers if a.state == "answered"]
    without = [f"{a.peer} ({a.state.value})" for a in answers if a.state != "answered"]
    held = [a.peer for a in told if a.withheld]
    text = f"Complete: all {asked} installations answered"
    if without:
        text = f"PARTIAL: {len(told)} of {asked} installations answered; without {', '.join(without)}"
    return text + (f"; cells withheld at {', '.join(held)}" if held else "")
