"""The proven shape of a query: people's rows, grouped by keys, summed, counted or averaged.

Proven are one SELECT (steps in WITH allowed) that ends in GROUP BY over keys, with ROLLUP, CUBE or
GROUPING SETS, and figures that are arithmetic over the allowed aggregates; and one further SELECT
on top that only rearranges those figures. Everything else is for people to look at.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

from sqlglot import exp

from integrated_data.model.output import Outcome, OutputColumn, Role, View
from integrated_data.output.chosen import ANYBODY, Chosen, chosen
from integrated_data.output.measures import (
    EXTREMES,
    QUANTILES,
    Amounts,
    Measure,
    Quantile,
    check_together,
    measures_of,
    quantile_of,
)
from integrated_data.output.people import Groups, Joined, Known, Rows, Source, joined_of, named
from integrated_data.output.tree import (
    Unproven,
    aggregates,
    conjuncts,
    group_keys,
    is_grouped,
    own,
    text,
)

LEVEL = "__total_"

#: What may stand between aggregates in a figure.
ARITHMETIC = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Paren, exp.Neg, exp.Literal, exp.Round, exp.Cast,
    exp.Nullif, exp.Coalesce, exp.Sqrt, exp.DataType, exp.Interval,
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """A query that the check can vouch for.

    `keys`: SQL of each key over `rows`; `sets`: which keys each level keeps; `rows`: FROM, joins
    and WHERE of the people's rows, with the steps they need in `steps`; `units`: the unit of each
    class; `result`: the query as it is run for the output, a column `__total_<key>` (1: summed
    over) for each key added where there is more than one level; `parameters`: parameters
    estimated in each cell where the output states an interval, else 0; `sample`: whether the rows
    are a survey's, so that a zero is a zero of the sample; `chosen`: how it chooses rows and names groups;
    `quantiles`: those that it shows.
    """

    tables: tuple[str, ...]
    keys: tuple[str, ...]
    sets: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]
    columns: tuple[OutputColumn, ...]
    steps: str
    rows: str
    units: tuple[str, ...]
    unit_columns: tuple[str, ...]
    result: str
    parameters: int = 0
    sample: bool = False
    chosen: Chosen = ANYBODY
    quantiles: tuple[Quantile, ...] = ()

    @property
    def base(self) -> str:
        """Digest of the rows that the figures are computed from, so that tables over the same rows show."""
        return hashlib.sha256(f"{self.steps}\n{self.rows}".encode()).hexdigest()[:16]

    @property
    def subtractable(self) -> tuple[tuple[int, int], ...]:
        """Pairs of sums: two columns may be alike but for a few people, and their difference be about those."""
        sums = (n for n, measure in enumerate(self.measures) if measure.columns)
        return tuple(combinations(sums, 2))

    @property
    def counted(self) -> tuple[int, ...]:
        """Counts that a reader knows: stated, left over from a figure whose others are, or in a share."""
        figures = [set(c.measures) for c in self.columns if c.role is Role.FIGURE and c.quantile is None]
        counts = {n for n, m in enumerate(self.measures) if m.counts}
        told = {c.plain for c in self.columns if c.plain is not None}
        while more := {n for f in figures for n in f - told if len(f - told) == 1}:
            told |= more
        shares = {n for f in figures if len(f & counts) > 1 for n in f}
        return tuple(sorted(counts & (told | shares)))

    @property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """Measures that can be added and subtracted: the counts, then sums that share columns."""
        together: list[set[int]] = []
        for number, measure in enumerate(self.measures):
            if measure.columns:
                near = [f for f in together if any(self.measures[n].columns & measure.columns for n in f)]
                together = [f for f in together if f not in near] + [{number}.union(*near)]
        return (self.counted, *(tuple(sorted(family)) for family in together))

    @property
    def key_names(self) -> tuple[str, ...]:
        """What each key is called in the output."""
        called = {c.key: c.name for c in self.columns if c.key is not None}
        return tuple(called.get(number, key) for number, key in enumerate(self.keys))


@dataclass
class Figures:
    """Measures gathered while the columns of a grouped SELECT are read."""

    joined: Joined
    measures: list[Measure] = field(default_factory=list)
    quantiles: list[Quantile] = field(default_factory=list)

    def numbers(self, expression: exp.Expr) -> tuple[int, ...]:
        """Places of the measures behind an expression, added to the list where they are new."""
        found: list[int] = []
        for aggregate in expression.find_all(exp.AggFunc):
            if isinstance(aggregate, exp.Grouping | exp.GroupingId):
                continue
            for measure in measures_of(aggregate, self.joined):
                if measure not in self.measures:
                    self.measures.append(measure)
                found.append(self.measures.index(measure))
        return tuple(dict.fromkeys(found))


def prove(tree: exp.Query, views: Mapping[str, View]) -> Shape:
    """The shape of a qualified query, or `Unproven` with the reason. The tree is used up."""
    if not isinstance(tree, exp.Select):
        raise Unproven("It stacks or compares tables")
    result = tree.copy()
    if result.args.get("order"):
        result.set("order", None)  # the order of figures would tell where a withheld one stands
    tables = tuple(sorted({t.name for t in tree.find_all(exp.Table)} & set(views)))
    known = named(tree, Known(views))
    if is_grouped(tree):
        return _grouped(tree, known, result=result, tables=tables)
    return _rearranged(tree, known, result=result, tables=tables)


def _grouped(select: exp.Select, known: Known, *, result: exp.Select, tables: tuple[str, ...]) -> Shape:
    _check_extremes(select)
    joined = joined_of(select, known)
    if not joined.classes:
        raise Unproven("No person or business is behind its rows")
    if select.args.get("distinct") or select.args.get("qualify") or any(own(select, exp.Window)):
        raise Unproven("It picks among its own figures")
    _check_having(select, joined)
    keys, sets = _levels(select)
    for key in keys:
        if any(joined.is_key(column) for column in key.find_all(exp.Column)):
            raise Unproven(
                "A key of a person or business is a column of it", rule="identifiers", outcome=Outcome.REFUSE
            )
        if any(key.find_all(exp.Query)):
            raise Unproven("It groups by something that looks at other rows")
    figures = Figures(joined)
    columns = tuple(_column(p, [text(k) for k in keys], figures=figures) for p in select.expressions)
    if {c.key for c in columns if c.key is not None} != set(range(len(keys))):
        raise Unproven("It groups by something that it does not show")
    if len(sets) > 1:
        shown = [exp.alias_(exp.Grouping(expressions=[k.copy()]), f"{LEVEL}{n}") for n, k in enumerate(keys)]
        result.set("expressions", [*result.expressions, *shown])
    check_together(figures.measures)
    rows = exp.Select(**{part: select.args.get(part) for part in ("from_", "joins", "where")})
    classes = range(len(joined.classes))
    return Shape(
        tables=tables, keys=tuple(text(k) for k in keys), sets=sets, measures=tuple(figures.measures),
        columns=columns, steps=", ".join(text(body) for body in known.bodies),
        rows=text(rows).removeprefix("SELECT").strip(),
        units=tuple(text(joined.unit(n)) for n in classes),
        unit_columns=tuple(_unit_column(joined, n) for n in classes), result=text(result),
        chosen=chosen(select, keys, known=known), quantiles=tuple(figures.quantiles),
    )  # fmt: skip


def _unit_column(joined: Joined, number: int) -> str:
    """The column of the views whose values the unit of a class takes (person_key, business_key)."""
    member = joined.classes[number][0].find(exp.Column)
    assert member is not None
    source: Source | None = joined.sources[member.table]
    name = member.name
    while isinstance(source, Rows):
        definition = source.definitions.get(name)
        inner = definition.find(exp.Column) if definition is not None else None
        if inner is None:  # a stacked step shows the unit under its own name
            return name
        source, name = source.sources.get(inner.table), inner.name
    return name


def _check_extremes(select: exp.Select) -> None:
    for aggregate in aggregates(select):
        if isinstance(aggregate, EXTREMES) or _reaches_end(aggregate):
            raise Unproven(
                f"{aggregate.sql_name().lower()} shows what one person or a few are worth",
                rule="extremes", outcome=Outcome.REFUSE,
            )  # fmt: skip
        if isinstance(aggregate, QUANTILES) and any(c.name.endswith("_key") for c in aggregate.find_all(exp.Column)):
            raise Unproven("A quantile of it is somebody's key", rule="identifiers", outcome=Outcome.REFUSE)


def _reaches_end(aggregate: exp.AggFunc) -> bool:
    """Whether it is a quantile that is the smallest or the largest value, or has one among its shares."""
    if not isinstance(aggregate, QUANTILES):
        return False
    last = "this" if isinstance(aggregate.parent, exp.WithinGroup) else "expression"
    share = aggregate.args.get("quantile") or aggregate.args.get(last)
    literals = share.find_all(exp.Literal) if isinstance(share, exp.Expr) else ()
    return any(not literal.is_string and not 0 < float(literal.name) < 1 for literal in literals)


def _check_having(select: exp.Select, joined: Joined) -> None:
    """A condition on groups may only ask for enough rows or people: others would tell by who is missing."""
    for part in conjuncts(select.args.get("having")):
        compared = isinstance(part, exp.GT | exp.GTE) and isinstance(part.expression, exp.Literal)
        counted = compared and isinstance(part.this, exp.Count)
        if not counted or measures_of(part.this, joined)[0].kind not in (Amounts.ROWS, Amounts.PRESENT):
            raise Unproven("It drops groups by something other than how many people they have")


def _levels(select: exp.Select) -> tuple[list[exp.Expr], tuple[tuple[int, ...], ...]]:
    """The keys, and for each level of totals the keys that it keeps."""
    factors: list[list[list[exp.Expr]]] = []
    for part in group_keys(select):
        if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets):
            factors.append(_totals(part))
        else:
            factors.append([[part]])
    keys: list[exp.Expr] = []
    texts: list[str] = []
    levels: list[tuple[int, ...]] = []
    for some in product(*factors):
        level = set()
        for key in (k for group in some for k in group):
            if text(key) not in texts:
                keys.append(key)
                texts.append(text(key))
            level.add(texts.index(text(key)))
        levels.append(tuple(sorted(level)))
    if len(set(levels)) != len(levels):
        raise Unproven("It gives one total twice")
    return keys, tuple(levels)


def _totals(part: exp.Expr) -> list[list[exp.Expr]]:
    groups = [_members(e) for e in part.expressions]
    match part:
        case exp.Rollup():
            chosen = [groups[:n] for n in range(len(groups), -1, -1)]
        case exp.Cube():
            chosen = [list(c) for n in range(len(groups), -1, -1) for c in combinations(groups, n)]
        case _:
            if any(e.find(exp.Rollup, exp.Cube, exp.GroupingSets) for e in part.expressions):
                raise Unproven("It nests levels of totals")
            return groups
    return [[key for group in some for key in group] for some in chosen]


def _members(expression: exp.Expr) -> list[exp.Expr]:
    if isinstance(expression, exp.Tuple):
        return list(expression.expressions)
    return [expression.this] if isinstance(expression, exp.Paren) else [expression]


def _column(projection: exp.Expr, keys: list[str], *, figures: Figures) -> OutputColumn:
    name, value = projection.alias_or_name, projection.unalias()
    if text(value) in keys:
        return OutputColumn(name, Role.KEY, key=keys.index(text(value)))
    if isinstance(value, exp.Grouping | exp.GroupingId | exp.Null):
        return OutputColumn(name, Role.LABEL)
    if isinstance(value, exp.Literal | exp.Boolean):
        return OutputColumn(name, Role.LABEL, constant=True)
    _check_figure(value)
    numbers = figures.numbers(value)
    if not numbers:
        raise Unproven("A column of it is neither a key nor a figure")
    bare = value.this if isinstance(value, exp.Filter) else value
    if any(value.find_all(*QUANTILES)):
        return _quantile(name, bare, numbers=numbers, figures=figures)
    kinds = {figures.measures[n].kind for n in numbers}
    whole = isinstance(bare, exp.Count | exp.CountIf | exp.Sum)
    distinct = isinstance(bare, exp.Count) and isinstance(bare.this, exp.Distinct)
    return OutputColumn(
        name, Role.FIGURE, measures=numbers, plain=numbers[0] if whole and not distinct else None,
        count=whole and kinds <= {Amounts.ROWS, Amounts.PRESENT, Amounts.INDICATOR},
    )  # fmt: skip


def _quantile(name: str, bare: exp.Expr, *, numbers: tuple[int, ...], figures: Figures) -> OutputColumn:
    if not isinstance(bare, QUANTILES):
        raise Unproven("It computes with a quantile: round or scale the amounts inside it", rule="quantiles")
    assert isinstance(bare, exp.AggFunc)
    found = quantile_of(bare, figures.joined)
    if found not in figures.quantiles:
        figures.quantiles.append(found)
    return OutputColumn(name, Role.FIGURE, measures=numbers, quantile=figures.quantiles.index(found))


def _check_figure(node: exp.Expr) -> None:
    """Only arithmetic stands between aggregates, so that no figure can pick out a case."""
    inner = node.this if isinstance(node, exp.Filter) else node
    if isinstance(inner, exp.AggFunc):
        return
    if isinstance(node, exp.Cast) and not node.to.is_type(*exp.DataType.NUMERIC_TYPES):
        raise Unproven("A figure of it is turned into text")
    if not isinstance(node, ARITHMETIC):
        raise Unproven("A figure of it is more than arithmetic over sums and counts")
    for child in node.iter_expressions():
        _check_figure(child)


def _rearranged(select: exp.Select, known: Known, *, result: exp.Select, tables: tuple[str, ...]) -> Shape:
    """A last step that only renames, drops or computes with the figures of one grouped step."""
    inner = _only_source(select, known)
    if inner is None:
        raise Unproven("It shows rows of people, not figures", rule="microdata", outcome=Outcome.REFUSE)
    if any(select.args.get(part) for part in ("joins", "where", "distinct", "qualify")) or any(own(select, exp.Window)):
        raise Unproven("It picks among its own figures")
    shape = _inner_shape(inner, result=result, tables=tables)
    if len(shape.sets) > 1:
        raise Unproven("Its levels of totals are not in its last step")
    held = {c.name: c for c in shape.columns}
    columns = tuple(_again(projection, held) for projection in select.expressions)
    if {c.key for c in columns if c.key is not None} != set(range(len(shape.keys))):
        raise Unproven("It groups by something that it does not show")
    return Shape(**{**vars(shape), "columns": columns, "result": text(result)})


def _inner_shape(inner: Groups, *, result: exp.Select, tables: tuple[str, ...]) -> Shape:
    if not isinstance(inner.select, exp.Select):
        raise Unproven("It stacks or compares tables")
    known = named(inner.select, inner.known)
    step = _grouped if is_grouped(inner.select) else _rearranged
    return step(inner.select, known, result=result.copy(), tables=tables)


def _only_source(select: exp.Select, known: Known) -> Groups | None:
    from_ = select.args.get("from_")
    if from_ is None:
        return None
    source = from_.this
    if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Select):
        inner = source.this
        return Groups(inner, known) if is_grouped(inner) or _only_source(inner, named(inner, known)) else None
    relation = known.named.get(source.name) if isinstance(source, exp.Table) else None
    return relation if isinstance(relation, Groups) else None


def _again(projection: exp.Expr, held: Mapping[str, OutputColumn]) -> OutputColumn:
    name, value = projection.alias_or_name, projection.unalias()
    if isinstance(value, exp.Column) and value.name in held:
        return OutputColumn(**{**vars(held[value.name]), "name": name})
    if isinstance(value, exp.Literal):
        return OutputColumn(name, Role.LABEL, constant=True)
    behind = [held[c.name] for c in value.find_all(exp.Column) if c.name in held]
    if not behind or any(c.role is not Role.FIGURE for c in behind):
        raise Unproven("A column of it is neither a key nor a figure")
    if any(c.quantile is not None for c in behind):
        raise Unproven("It computes with a quantile: round or scale the amounts inside it", rule="quantiles")
    _check_rearranged(value)
    numbers = tuple(dict.fromkeys(n for c in behind for n in c.measures))
    return OutputColumn(name, Role.FIGURE, measures=numbers)


def _check_rearranged(node: exp.Expr) -> None:
    if isinstance(node, exp.Column):
        return
    if not isinstance(node, ARITHMETIC):
        raise Unproven("A figure of it is more than arithmetic over sums and counts")
    for child in node.iter_expressions():
        _check_rearranged(child)
