"""What is summed or counted: the aggregates that the check can follow, and what each adds per row.

Allowed are count, count of distinct people, sum and avg, with FILTER, of: one column, a number, their
product, sum or difference, a survey weight times an amount, and conditions that keep or drop a value
(CASE WHEN … THEN x ELSE 0 END). A condition may not choose between two amounts or be added to one,
and no arithmetic may stand in for it (whole division, remainders, rounding, division by a column):
two such sums over the same people differ by what a few of them are worth, and no count of people
would show it. A count of other distinct values tells whether one person's is among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from sqlglot import exp

from integrated_data.model.output import Outcome
from integrated_data.output.people import Base, Joined, Source
from integrated_data.output.tree import Unproven, text

#: Aggregates that show the value of one person or of a few (see rule `extremes`).
EXTREMES = (
    exp.Min, exp.Max, exp.Mode, exp.ArgMax, exp.ArgMin, exp.First, exp.Last, exp.FirstValue, exp.LastValue,
    exp.AnyValue, exp.ArrayAgg, exp.GroupConcat, exp.ArrayConcatAgg, exp.ApproxTopK, exp.NthValue,
)  # fmt: skip

#: Medians and other quantiles, which `output/quantiles.py` looks behind.
QUANTILES = (exp.Median, exp.Quantile, exp.PercentileCont, exp.PercentileDisc)

#: What may be done to an amount before its rows are put in order: it stays one amount of one row.
ROUNDED = (exp.Round, exp.Floor, exp.Ceil, exp.Paren, exp.Neg, exp.Cast)
SCALED = (exp.Mul, exp.Div, exp.IntDiv, exp.Add, exp.Sub)

PREDICATES = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean)
PASSED_THROUGH = (exp.Paren, exp.Neg)

#: The column that counts of one person's own rows are about.
OWN_ROWS = "own rows"


class Amounts(StrEnum):
    """What kind of quantity a measure adds per row."""

    ROWS = "rows"  # one for each row
    PRESENT = "present"  # one where a value is there
    INDICATOR = "indicator"  # one where a condition holds
    WEIGHT = "weight"  # a survey weight: equal for many people by design
    AMOUNT = "amount"


@dataclass(frozen=True)
class Measure:
    """One quantity. `sql`: what a row adds; `columns`: the columns whose amounts it sums, none for a count.

    `words`: the quantity without its source's alias, to recognise it in an earlier release.
    `made`: how its amounts were computed where they are no multiple of their columns (x + 1).
    """

    sql: str
    kind: Amounts
    words: str
    columns: frozenset[str] = frozenset()
    made: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it counts rows or people, rather than summing amounts."""
        return not self.columns


ROW = Measure("1", Amounts.ROWS, "count(*)")


@dataclass(frozen=True)
class Quantile:
    """One quantile. `sql`: the value that a row is put in order by, null where it is left out; `share`: 0 < p < 1."""

    sql: str
    share: float
    discrete: bool = False


@dataclass(frozen=True)
class _Traced:
    """What an argument is made of: base columns, whether a condition keeps or drops it, see `Measure.made`."""

    columns: tuple[str, ...] = ()
    conditional: bool = False
    made: tuple[str, ...] = ()


def check_together(measures: Sequence[Measure]) -> None:
    """Refuse sums of one column computed in several ways: x + 1, x and a count are three figures of two."""
    for one, other in combinations(measures, 2):
        if one.columns & other.columns and one.made != other.made:
            raise Unproven("It sums one column computed in two ways")


def measures_of(aggregate: exp.AggFunc, joined: Joined) -> tuple[Measure, ...]:
    """The quantities behind one aggregate: one, or for a mean its sum and its base."""
    if isinstance(aggregate, EXTREMES):
        raise Unproven(
            f"{aggregate.sql_name().lower()} shows what one person or a few are worth",
            rule="extremes", outcome=Outcome.REFUSE,
        )  # fmt: skip
    kept = aggregate.parent.args["expression"].this if isinstance(aggregate.parent, exp.Filter) else None
    match aggregate:
        case exp.Count():
            return (_count(aggregate, joined, kept=kept),)
        case exp.CountIf():
            return (_measure(_where(exp.Literal.number(1), aggregate.this), joined, kept=kept),)
        case exp.Sum():
            return (_measure(aggregate.this, joined, kept=kept),)
        case exp.Avg():
            base = _present([aggregate.this], kept)
            return (_measure(aggregate.this, joined, kept=kept), base)
        case exp.Median() | exp.Quantile() | exp.PercentileCont() | exp.PercentileDisc():
            quantile_of(aggregate, joined)
            return (_present([aggregate.this], kept),)
    raise Unproven(f"{aggregate.sql_name().lower()} is not a sum, a count or a mean")


def quantile_of(aggregate: exp.AggFunc, joined: Joined) -> Quantile:
    """The quantile that an aggregate is, of one amount as it is or rounded row by row; else `Unproven`."""
    if type(aggregate) not in QUANTILES:  # an approximate one is a kind of quantile to the parser
        raise Unproven("A quantile of it is approximate, so who is behind it cannot be told", rule="quantiles")
    share = exp.Literal.number("0.5") if isinstance(aggregate, exp.Median) else (
        aggregate.args.get("quantile") or aggregate.args.get("expression")
    )  # fmt: skip
    if not isinstance(share, exp.Literal) or share.is_string or not 0 < float(share.name) < 1:
        raise Unproven("The share of a quantile of it is no number between 0 and 1", rule="quantiles")
    if len(set(_trace(_unrounded(aggregate.this), joined.sources).columns)) != 1:
        raise Unproven("A quantile of it is not of one column", rule="quantiles")
    kept = aggregate.parent.args["expression"].this if isinstance(aggregate.parent, exp.Filter) else None
    value = aggregate.this if kept is None else _where(aggregate.this, kept)
    return Quantile(text(value), float(share.name), isinstance(aggregate, exp.Quantile | exp.PercentileDisc))


def _unrounded(node: exp.Expr) -> exp.Expr:
    """The amount below what rounds or scales it by stated numbers."""
    while True:
        if isinstance(node, SCALED) and isinstance(node.expression, exp.Literal):
            node = node.this
        elif isinstance(node, SCALED) and isinstance(node.this, exp.Literal):
            node = node.expression
        elif isinstance(node, ROUNDED) and not any(
            part.find(exp.Column) for name, part in node.args.items() if name != "this" and isinstance(part, exp.Expr)
        ):
            node = node.this
        else:
            return node


def _count(count: exp.Count, joined: Joined, *, kept: exp.Expr | None) -> Measure:
    counted = count.this
    if counted is None or isinstance(counted, exp.Star | exp.Literal):
        return ROW if kept is None else _measure(exp.Literal.number(1), joined, kept=kept)
    if count.expressions:
        raise Unproven("It counts several columns at once")
    columns = counted.expressions if isinstance(counted, exp.Distinct) else [counted]
    if isinstance(counted, exp.Distinct):
        if len(columns) != 1 or joined.class_of(columns[0]) is None:
            raise Unproven("It counts distinct values of something other than people")
        return replace(_present(columns, kept), words="count(distinct unit)")
    return _present(columns, kept)


def _present(columns: list[exp.Expr], kept: exp.Expr | None) -> Measure:
    there: exp.Expr = exp.and_(*(c.copy().is_(exp.Null()).not_() for c in columns))
    if kept is not None:
        there = exp.and_(there, kept.copy())
    words = "count(" + ", ".join(_words(c) for c in columns) + ")" + _kept_words(kept)
    return Measure(text(_where(exp.Literal.number(1), there)), Amounts.PRESENT, words)


def _measure(argument: exp.Expr, joined: Joined, *, kept: exp.Expr | None) -> Measure:
    traced = _trace(argument, joined.sources)
    conditional = traced.conditional or kept is not None
    value = _number(argument)
    sql = text(value if kept is None else _where(value, kept))
    words = f"sum({_words(argument)}){_kept_words(kept)}"
    if not traced.columns:
        if not conditional and isinstance(argument, exp.Literal) and argument.name == "1":
            return ROW
        return Measure(sql, Amounts.INDICATOR if conditional else Amounts.AMOUNT, words)
    weight = len(traced.columns) == 1 and not conditional and traced.columns[0].endswith("weight")
    kind = Amounts.WEIGHT if weight else Amounts.AMOUNT
    return Measure(sql, kind, words, frozenset(traced.columns), tuple(sorted(set(traced.made))))


def _where(value: exp.Expr, condition: exp.Expr) -> exp.Case:
    return exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())])


def _number(argument: exp.Expr) -> exp.Expr:
    """A condition as 1 or 0; anything else as it is."""
    inner = argument
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, PREDICATES):
        return exp.cast(argument.copy(), "int")
    return argument


def _trace(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    for kinds, follow in _FOLLOWED:
        if isinstance(node, kinds):
            return follow(node, sources)
    raise Unproven("It sums a value that is computed in a way that the check cannot follow")


def _trace_literal(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:  # noqa: ARG001 - one shape
    if isinstance(node, exp.Literal) and node.is_string:
        raise Unproven("It sums text")
    return _Traced()


def _trace_product(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    left, right = _trace(node.this, sources), _trace(node.expression, sources)
    columns = left.columns + right.columns
    if left.columns and right.columns and (len(columns) > 2 or not any(c.endswith("weight") for c in columns)):
        raise Unproven("It multiplies two columns of which neither is a weight")
    return _Traced(columns, left.conditional or right.conditional, left.made + right.made)


def _trace_quotient(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    if not isinstance(node.expression, exp.Literal) or node.expression.is_string:
        raise Unproven("It divides by something other than a number")
    return _trace(node.this, sources)


def _trace_sum(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    left, right = _trace(node.this, sources), _trace(node.expression, sources)
    if left.conditional or right.conditional:
        raise Unproven("It adds to a value that a condition keeps or drops")
    if left.columns and right.columns:
        raise Unproven("It adds two columns")
    return _Traced(left.columns + right.columns, made=(*left.made, *right.made, _words(node)))


def _trace_cast(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    """A number of double precision is the same amount; any other may be rounded, or fall away."""
    traced = _trace(node.this, sources)
    if not traced.columns or node.args["to"].is_type("double"):
        return traced
    if not isinstance(node.this, exp.Column):
        raise Unproven("It rounds what it computes")
    return _Traced(traced.columns, traced.conditional or isinstance(node, exp.TryCast), (*traced.made, _words(node)))


def _trace_if(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    return _trace_choice([node.args.get("true"), node.args.get("false")], sources)


def _trace_coalesce(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    if len(node.expressions) != 1 or not _is_nothing(node.expressions[0]):
        raise Unproven("It sums one of several amounts")
    return _trace(node.this, sources)


def _trace_inside(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    return _trace(node.this, sources)


def _trace_filter(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    return replace(_trace(node.this, sources), conditional=True)


def _trace_condition(node: exp.Expr, sources: Mapping[str, Source]) -> _Traced:  # noqa: ARG001 - one shape
    return _Traced(conditional=True)


def _trace_column(column: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    assert isinstance(column, exp.Column)
    source = sources.get(column.table)
    if source is None:
        raise Unproven("It sums a column whose table the check does not know")
    if isinstance(source, Base):
        if column.name.endswith("_key") or column.name == source.view.unit:
            raise Unproven("It sums a key", rule="identifiers", outcome=Outcome.REFUSE)
        return _Traced((f"{source.name}.{column.name}",))
    if column.name in source.keys or column.name in source.plain:
        raise Unproven("It sums a key", rule="identifiers", outcome=Outcome.REFUSE)
    definition = source.definitions.get(column.name)
    if definition is None:  # a list of constants can give one person another factor than the others
        raise Unproven("It sums a column of a stacked step or of a list of constants")
    return _trace(definition, source.sources)


def _trace_person_level(aggregate: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    """An aggregate over one person's own rows: what goes into it is followed, how it is made is kept."""
    inner, made = aggregate.this, (_words(aggregate),)
    if inner is None or isinstance(inner, exp.Star):
        return _Traced((OWN_ROWS,), made=made)
    if isinstance(inner, exp.Distinct):
        raise Unproven("It sums counts of distinct values")
    if isinstance(aggregate, exp.Count | exp.CountIf):
        return _Traced((OWN_ROWS,), conditional=True, made=made)
    traced = _trace(inner, sources)
    return _Traced(traced.columns or (OWN_ROWS,), traced.conditional, (*traced.made, *made))


def _trace_case(case: exp.Expr, sources: Mapping[str, Source]) -> _Traced:
    if case.this is not None or len(case.args["ifs"]) != 1:
        raise Unproven("A condition in it chooses between several amounts")
    return _trace_choice([case.args["ifs"][0].args.get("true"), case.args.get("default")], sources)


def _trace_choice(branches: list[exp.Expr | None], sources: Mapping[str, Source]) -> _Traced:
    kept = [branch for branch in branches if branch is not None and not _is_nothing(branch)]
    if len(kept) > 1:
        raise Unproven("A condition in it chooses between several amounts")
    traced = _trace(kept[0], sources) if kept else _Traced()
    return replace(traced, conditional=True)


def _is_nothing(node: exp.Expr) -> bool:
    return isinstance(node, exp.Null) or (
        isinstance(node, exp.Literal) and not node.is_string and float(node.name) == 0
    )


def _words(expression: exp.Expr) -> str:
    plain = expression.copy()
    for column in list(plain.find_all(exp.Column)):
        column.set("table", None)
    return text(plain)


def _kept_words(kept: exp.Expr | None) -> str:
    return "" if kept is None else f" where {_words(kept)}"


#: How each kind of node is followed; the first kind that fits counts, any other is unproven.
_FOLLOWED: tuple[tuple[tuple[type[exp.Expr], ...], Callable[[exp.Expr, Mapping[str, Source]], _Traced]], ...] = (
    ((exp.Column,), _trace_column),
    ((exp.Literal, exp.Null), _trace_literal),
    ((exp.Mul,), _trace_product),
    ((exp.Div,), _trace_quotient),
    ((exp.Add, exp.Sub), _trace_sum),
    ((exp.Cast, exp.TryCast), _trace_cast),
    ((exp.Case,), _trace_case),
    ((exp.If,), _trace_if),
    ((exp.Coalesce,), _trace_coalesce),
    ((exp.Filter,), _trace_filter),
    ((exp.Sum, exp.Count, exp.Avg, exp.Min, exp.Max, exp.CountIf), _trace_person_level),
    (PASSED_THROUGH, _trace_inside),
    (PREDICATES, _trace_condition),
)
