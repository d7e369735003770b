"""Whose each row is: relations in which every row belongs to units of protection that can be named.

A *class* is one unit of protection that a row belongs to. Tables joined on the unit's key share
one; tables joined otherwise keep theirs, and a cell must then be safe for each of them. The tree
is changed as it is read: plain SELECTs get a column `__unit_<class>` that carries the unit along.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from integrated_data.model.output import View
from integrated_data.output.tree import Unproven, check_parts, conjuncts, group_keys, is_grouped, own

UNIT = "__unit_"

#: Functions whose value does not depend on the row alone: the evidence would see other rows.
UNSTABLE = frozenset({"random", "rand", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "setseed"})


class AboutMany(Unproven):
    """A relation whose rows are about groups of people: fit for the end of a query, not for joining back."""


@dataclass(frozen=True)
class Base:
    """A view of the project."""

    name: str
    view: View


@dataclass(frozen=True)
class Rows:
    """A relation whose rows belong to units. `units`: output column of each class's unit.

    `plain`: output columns that are a unit, with its class; `keys`: output columns that hold any
    key; `definitions` and `sources`: what each output column was computed from.
    """

    units: tuple[str, ...]
    plain: Mapping[str, int]
    keys: frozenset[str] = frozenset()
    definitions: Mapping[str, exp.Expr] = field(default_factory=dict)
    sources: Mapping[str, "Base | Rows"] = field(default_factory=dict)


@dataclass(frozen=True)
class Groups:
    """A relation about groups, kept as it is written until the end of the query asks for it."""

    select: exp.Query
    known: "Known"


Source = Base | Rows


@dataclass(frozen=True)
class Known:
    """Views, and relations that WITH has named so far, in order."""

    views: Mapping[str, View]
    named: Mapping[str, Rows | Groups] = field(default_factory=dict)
    bodies: tuple[exp.CTE, ...] = ()


class Joined:
    """The sources of one SELECT and the classes that its joins leave apart."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self._up: dict[tuple[str, str], tuple[str, str]] = {}
        for alias, source in sources.items():
            units = source.units if isinstance(source, Rows) else filter(None, [source.view.unit])
            self._up.update({(alias, unit): (alias, unit) for unit in units})

    def merge(self, left: exp.Expr, right: exp.Expr) -> None:
        """Make one class of two expressions that a join makes equal, if both are units."""
        one, other = self._member(left), self._member(right)
        if one is not None and other is not None:
            self._up[self._root(other)] = self._root(one)

    @property
    def classes(self) -> list[list[exp.Expr]]:
        """Members of each class, in order of the sources."""
        found: dict[tuple[str, str], list[exp.Expr]] = {}
        for alias, unit in self._up:
            member = exp.column(unit, alias, quoted=True)
            found.setdefault(self._root((alias, unit)), []).append(member)
        return list(found.values())

    def class_of(self, expression: exp.Expr) -> int | None:
        """The class whose unit an expression is, or None."""
        member = self._member(expression)
        if member is None:
            return None
        roots = list(dict.fromkeys(self._root(m) for m in self._up))
        return roots.index(self._root(member))

    def unit(self, number: int) -> exp.Expr:
        """An expression for the unit of a class: the first of its members that is there."""
        members = self.classes[number]
        return members[0].copy() if len(members) == 1 else exp.Coalesce(
            this=members[0].copy(), expressions=[m.copy() for m in members[1:]]
        )  # fmt: skip

    def is_key(self, expression: exp.Expr) -> bool:
        """Whether an expression is a key, of a unit or of anything else."""
        if isinstance(expression, exp.Coalesce):
            return any(self.is_key(part) for part in (expression.this, *expression.expressions))
        if not isinstance(expression, exp.Column):
            return False
        source = self.sources.get(expression.table)
        if isinstance(source, Rows):
            return expression.name in source.keys or expression.name in source.plain
        return source is not None and (expression.name.endswith("_key") or expression.name == source.view.unit)

    def _member(self, expression: exp.Expr) -> tuple[str, str] | None:
        while isinstance(expression, exp.Paren):
            expression = expression.this
        if isinstance(expression, exp.Coalesce):
            parts = [self._member(part) for part in (expression.this, *expression.expressions)]
            roots = {self._root(part) for part in parts if part is not None}
            return parts[0] if None not in parts and len(roots) == 1 else None
        if not isinstance(expression, exp.Column):
            return None
        source = self.sources.get(expression.table)
        if isinstance(source, Rows):
            place = source.plain.get(expression.name)
            return None if place is None else (expression.table, source.units[place])
        held = (expression.table, expression.name)
        return held if held in self._up else None

    def _root(self, member: tuple[str, str]) -> tuple[str, str]:
        while self._up[member] != member:
            member = self._up[member]
        return member


def rows_of(query: exp.Query, known: Known, *, carry: bool = True) -> Rows:
    """The relation of a query whose rows belong to units; refuses any other.

    `carry`: add the units as columns where that does not change the rows.
    """
    if isinstance(query, exp.Subquery):
        return rows_of(query.this, known, carry=carry)
    if isinstance(query, exp.Union):
        return _union(query, known)
    if not isinstance(query, exp.Select):
        raise Unproven("It compares sets of rows, so whose rows are left cannot be told")
    known = named(query, known)
    joined = joined_of(query, known)
    projections = {p.alias_or_name: p.unalias() for p in query.expressions}
    plain = {n: c for n, c in ((n, joined.class_of(p)) for n, p in projections.items()) if c is not None}
    grouped, count = is_grouped(query), len(joined.classes)
    if grouped:
        _check_grouped(query, joined)
    if carry and not grouped and not query.args.get("distinct"):
        units = tuple(f"{UNIT}{number}" for number in range(count))
        for number, unit in enumerate(units):
            if unit not in projections:  # a step may be read twice
                query.append("expressions", exp.alias_(joined.unit(number), unit, quoted=True))
        plain |= {unit: number for number, unit in enumerate(units)}
    else:
        units = _projected(plain, count)
    keys = frozenset(n for n, p in projections.items() if joined.is_key(p))
    carried = {unit: joined.unit(number) for number, unit in enumerate(units)}
    return Rows(units, plain, keys=keys, definitions={**carried, **projections}, sources=joined.sources)


def _projected(plain: Mapping[str, int], count: int) -> tuple[str, ...]:
    """Which output column shows each class; refuses when a class is not shown."""
    shown = {number: column for column, number in reversed(list(plain.items()))}
    if set(shown) != set(range(count)):
        raise AboutMany("A step in it drops the key, so whose rows are left cannot be told")
    return tuple(shown[number] for number in range(count))


def _check_grouped(select: exp.Select, joined: Joined) -> None:
    group = select.args.get("group")
    if group is not None and any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets")):
        raise AboutMany("A step in it has totals over people")
    by = {joined.class_of(key) for key in group_keys(select)}
    if not set(range(len(joined.classes))) <= by:
        raise AboutMany("Figures about groups are joined back to people")


def _union(query: exp.Union, known: Known) -> Rows:
    known = named(query, known)
    left, right = (rows_of(side, known, carry=False) for side in (query.this, query.expression))
    if len(left.units) != 1 or len(right.units) != 1:
        raise Unproven("It stacks rows of different units")
    columns = [p.alias_or_name for p in query.selects]
    others = dict(zip(columns, (p.alias_or_name for p in query.expression.selects), strict=False))
    plain = {c: 0 for c in columns if c in left.plain and others.get(c) in right.plain}
    keys = frozenset(c for c in columns if c in left.keys or others.get(c) in right.keys)
    return Rows(_projected(plain, 1), plain, keys=keys)


def named(query: exp.Query, known: Known) -> Known:
    """What is known once the query's own WITH has been read."""
    with_ = query.args.get("with_")
    if with_ is None:
        return known
    if with_.args.get("recursive"):
        raise Unproven("It is recursive")
    for cte in with_.expressions:
        if cte.alias in known.named or cte.args["alias"].args.get("columns"):
            raise Unproven("It gives two steps one name, or renames a step's columns")
        try:
            relation: Rows | Groups = rows_of(cte.this, known)
            bodies = (*known.bodies, cte)
        except AboutMany:
            relation, bodies = Groups(cte.this, known), known.bodies
        known = Known(known.views, {**known.named, cte.alias: relation}, bodies)
    return known


def joined_of(select: exp.Select, known: Known) -> Joined:
    """The sources of a SELECT with their classes, once its parts, joins and use of keys have been checked."""
    check_parts(select)
    from_ = select.args.get("from_")
    if from_ is None:
        raise Unproven("A step in it reads no table")
    joins = select.args.get("joins") or []
    sources = dict(_source(node, known) for node in (from_.this, *(join.this for join in joins)))
    if len(sources) != 1 + len(joins):
        raise Unproven("It gives two tables one name")
    joined = Joined(sources)
    for join in joins:
        _check_join(join, joined)
    for part in conjuncts(select.args.get("where")):
        if isinstance(part, exp.EQ):
            joined.merge(part.this, part.expression)
    _check_subqueries(select, joined, known=known)
    _check_windows(select, joined)
    _check_keys(select, joined)
    _check_functions(select)
    return joined


def _check_join(join: exp.Join, joined: Joined) -> None:
    if join.args.get("method") or join.args.get("using") or join.args.get("pivots"):
        raise Unproven("It joins by nearness or position")
    before = len(joined.classes)
    for part in conjuncts(join.args.get("on")):
        if isinstance(part, exp.EQ):
            joined.merge(part.this, part.expression)
    if join.kind.upper() in ("SEMI", "ANTI") and len(joined.classes) == before:
        raise Unproven("It keeps rows by what another person's rows say")


def _source(node: exp.Expr, known: Known) -> tuple[str, Source]:
    if isinstance(node, exp.Table):
        strange = {part for part, value in node.args.items() if value} - {"this", "alias"}
        if strange or not isinstance(node.this, exp.Identifier):
            raise Unproven("It reads something other than a view")
        _check_alias(node)
        relation = known.named.get(node.name)
        if isinstance(relation, Groups):
            raise AboutMany("Figures about groups are joined back to people")
        if relation is not None:
            return node.alias_or_name, relation
        return node.alias_or_name, _base(node.name, known)
    if isinstance(node, exp.Subquery):
        if {part for part, value in node.args.items() if value} - {"this", "alias"}:
            raise Unproven("It reshapes a step in a way that the check does not know")
        _check_alias(node)
        return node.alias_or_name, rows_of(node.this, known)
    if isinstance(node, exp.Values | exp.Unnest) and not any(node.find_all(exp.Column, exp.Query)):
        return node.alias_or_name, Rows((), {})  # constants: nobody is in them
    raise Unproven("It reads something other than a view")


def _check_alias(node: exp.Expr) -> None:
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise Unproven("It renames the columns of a table")


def _base(view: str, known: Known) -> Base:
    shape = known.views.get(view)
    if shape is None:
        raise Unproven(f"The check does not know the view {view}")
    if shape.unit is None and not shape.public:
        raise Unproven(f"The view {view} has no key of a person or business, so who is in a cell cannot be counted")
    return Base(view, shape)


def _check_subqueries(select: exp.Select, joined: Joined, *, known: Known) -> None:
    """Only `unit IN (SELECT unit …)` may look at other rows: it asks something of the same person."""
    for query in own(select, exp.Query):
        if isinstance(query.parent, exp.From | exp.Join | exp.CTE):
            continue
        asked = query.parent
        if not isinstance(asked, exp.In) or joined.class_of(asked.this) is None:
            raise Unproven("A condition in it looks at other people's rows")
        inner = query.copy()
        relation = rows_of(inner, known, carry=False)
        if len(inner.selects) != 1 or inner.selects[0].alias_or_name not in relation.plain:
            raise Unproven("A condition in it looks at other people's rows")


def _check_windows(select: exp.Select, joined: Joined) -> None:
    everybody = set(range(len(joined.classes)))
    for window in own(select, exp.Window):
        within = {joined.class_of(part) for part in window.args.get("partition_by") or []}
        if not everybody <= within:
            raise Unproven("A window in it runs over more than one person")
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        on = distinct.args["on"]
        if not everybody <= {joined.class_of(part) for part in (on.expressions or [on])}:
            raise Unproven("It keeps one row of several people")


def _check_keys(select: exp.Select, joined: Joined) -> None:
    """A key joins, groups, is counted or passed on; compared with a constant it would pick a person."""
    for column in own(select, exp.Column):
        if joined.is_key(column) and not _well_used(column, joined):
            raise Unproven("It uses a key other than to join, group, count or pass it on")


def _well_used(column: exp.Column, joined: Joined) -> bool:
    node: exp.Expr = column
    while isinstance(node.parent, exp.Paren) or (isinstance(node.parent, exp.Coalesce) and joined.is_key(node.parent)):
        node = node.parent
    match parent := node.parent:
        case exp.EQ() | exp.NullSafeEQ():
            well = all(joined.is_key(_bare(side)) for side in (parent.this, parent.expression))
        case exp.Is():
            well = isinstance(parent.expression, exp.Null)
        case exp.In():
            well = parent.args.get("query") is not None
        case exp.Distinct() | exp.Tuple():
            well = isinstance(parent.parent, exp.Count | exp.Distinct | exp.Select)
        case exp.Window():
            well = any(node is part for part in parent.args.get("partition_by") or [])
        case _:
            well = isinstance(parent, exp.Alias | exp.Select | exp.Group | exp.Count)
    return well


def _bare(expression: exp.Expr) -> exp.Expr:
    while isinstance(expression, exp.Paren):
        expression = expression.this
    return expression


def _check_functions(select: exp.Select) -> None:
    for node in own(select, exp.Func):
        called = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if called.lower() in UNSTABLE:
            raise Unproven("It draws at random, so its evidence would be about other rows")
