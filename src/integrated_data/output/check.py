"""The check of one table: its shape, the evidence behind its cells, the rules, what is withheld."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from integrated_data.model.errors import OutputRefusal, QueryRefusal
from integrated_data.model.estimate import Estimate, Fit
from integrated_data.model.evidence import CellEvidence, MeasureEvidence
from integrated_data.model.output import Cell, Finding, ReleaseLimits, View
from integrated_data.output import members as membership
from integrated_data.output import table as tabular
from integrated_data.output.estimators import prove_estimate, recognise
from integrated_data.output.evidence import evidence
from integrated_data.output.members import Members
from integrated_data.output.quantiles import with_quantiles
from integrated_data.output.rules import Rule, broken
from integrated_data.output.shape import Shape, prove
from integrated_data.output.table import Table
from integrated_data.output.table_rules import Drawn, table_findings, told
from integrated_data.output.tree import Unproven, parsed, tables

Evidence = Mapping[Cell, CellEvidence]


class Run(Protocol):
    """Runs one SELECT for a request's author, or fits a model over its rows."""

    def __call__(self, sql: str, fit: Fit | None = None, /) -> pa.Table:
        """The rows, or what is asked of the model."""
        ...


@dataclass(frozen=True)
class Checked:
    """One table after the check. `evidence`: for each unit of protection, what is behind each cell.

    `members`: whose rows they are. `broken`: the rules that cells break; `withheld`: those cells and
    what hides them; `rounded`: the base that its counts leave rounded to instead. `tells`: SQL of
    its keys and of those of other tables of the request that they tell, once it is protected together with
    them. A table without a shape has no evidence: people decide about all of it. `estimate`: the model that it
    is of; `told`: the cells that such a model tells of, though it shows none of them.
    """

    query: str
    table: Table
    shape: Shape | None
    findings: tuple[Finding, ...]
    evidence: tuple[Mapping[Cell, CellEvidence], ...] = ()
    broken: Mapping[Cell, tuple[Rule, ...]] | None = None
    withheld: frozenset[Cell] = frozenset()
    rounded: int = 0
    tells: tuple[str, ...] = ()
    members: tuple[Members, ...] = ()
    estimate: Estimate | None = None
    told: frozenset[Cell] = frozenset()

    @property
    def published(self) -> frozenset[Cell]:
        """The cells that a reader knows something of exactly: none of a rounded table."""
        if self.rounded:
            return frozenset()
        return (self.told or frozenset(row.cell for row in self.table.rows)) - self.withheld


def shape_of(sql: str, views: Mapping[str, View]) -> Shape:
    """The proven shape of a query's text, or `Unproven`."""
    estimate = recognise(sql)
    if estimate is not None:
        return prove_estimate(estimate, views)
    return prove(parsed(sql, views), views)


def check_table(
    query: str, sql: str, *, result: pa.Table, views: Mapping[str, View], run: Run, limits: ReleaseLimits
) -> Checked:
    """Check one result against the evidence of its query; `result` is that of `Shape.result`."""
    try:
        shape = shape_of(sql, views)
    except Unproven as broke:
        drawn = Drawn(tabular.of_result(result), rows=_fewest(sql, views))
        return unproven(query, drawn, limits=limits, unproven=broke)
    return check_proven(query, shape, result=result, views=views, run=run, limits=limits)


def check_proven(
    query: str, shape: Shape, *, result: pa.Table, views: Mapping[str, View], run: Run, limits: ReleaseLimits
) -> Checked:
    """The same for a result whose shape is known."""
    table, held, behind = tabular.of_shape(result, shape), [], []
    for unit in range(len(shape.units)):
        try:
            members = membership.read(run(membership.members_sql(shape, unit=unit, views=views)), shape)
            known = with_quantiles(
                evidence(members, shape, limits=limits), table, shape=shape, unit=unit, views=views, run=run
            )
        except QueryRefusal:
            drawn, broke = Drawn(tabular.of_result(result)), Unproven("Its evidence could not be computed")
            return unproven(query, drawn, limits=limits, unproven=broke)
        except Unproven as broke:
            return unproven(query, Drawn(tabular.of_result(result)), limits=limits, unproven=broke)
        held.append(members)
        behind.append(_with_empty(known, table, shape=shape))
    check_same_data(table, behind)
    drawn = Drawn(table, tuple(behind), sample=shape.sample, chosen=shape.chosen)
    drawn = replace(drawn, hierarchy=_hierarchy(shape, told(drawn), run=run))
    return judge(query, drawn, shape=shape, members=held, limits=limits)


def judge(query: str, drawn: Drawn, *, shape: Shape, members: Sequence[Members], limits: ReleaseLimits) -> Checked:
    """What the rules say of a table with what is behind it, for each unit of protection."""
    failing = _failing(drawn.table, drawn.evidence, limits=limits, parameters=shape.parameters)
    findings = [*_cell_findings(failing), *table_findings(drawn, limits)]
    return Checked(query, drawn.table, shape, tuple(findings), tuple(drawn.evidence), failing, members=tuple(members))


def _hierarchy(shape: Shape, pairs: frozenset[tuple[int, int]], *, run: Run) -> frozenset[tuple[int, int]]:
    """Which keys that tell another in this table do so for everybody, whom the query chooses or not."""
    if not shape.chosen.filtered or not shape.chosen.everybody:
        return frozenset()
    found = set()
    for one, other in sorted(pairs):
        several = f"count(DISTINCT coalesce(CAST({shape.keys[other]} AS VARCHAR), '')) > 1"
        sql = f"SELECT {shape.keys[one]} AS one {shape.chosen.everybody} GROUP BY {shape.keys[one]} HAVING {several}"
        if not run(f"SELECT count(*) AS n FROM ({sql}) AS many").column("n")[0].as_py():
            found.add((one, other))
    return frozenset(found)


def _with_empty(known: dict[Cell, CellEvidence], table: Table, *, shape: Shape) -> dict[Cell, CellEvidence]:
    """A total over no rows is one row of the result, with nobody behind it."""
    nothing = CellEvidence(0, 0, 0, tuple(MeasureEvidence(0) for _ in shape.measures))
    empty = {row.cell: nothing for row in table.rows if all(row.cell.total) and row.cell not in known}
    return known | empty


def unproven(query: str, drawn: Drawn, *, limits: ReleaseLimits, unproven: Unproven) -> Checked:
    """A table that nobody can vouch for."""
    first = Finding(unproven.rule, unproven.outcome, unproven.reason, len(drawn.table.rows))
    return Checked(query, drawn.table, None, (first, *table_findings(drawn, limits)))


def _fewest(sql: str, views: Mapping[str, View]) -> int:
    """Rows of the smallest view that a query reads; 0 where that cannot be told."""
    try:
        return min((views[table].rows for table in tables(sql) if table in views), default=0)
    except Unproven:
        return 0


def _failing(
    table: Table, evidence: Sequence[Mapping[Cell, CellEvidence]], *, limits: ReleaseLimits, parameters: int
) -> dict[Cell, tuple[Rule, ...]]:
    """Rules broken by each cell of the evidence, shown or not, for any unit of protection."""
    cells = list(dict.fromkeys([row.cell for row in table.rows] + [cell for e in evidence for cell in e]))
    found = {}
    for cell in cells:
        rules = [r for e in evidence for r in broken(e[cell], limits, parameters=parameters)]
        if rules:
            found[cell] = tuple(dict.fromkeys(rules))
    return found


def check_same_data(table: Table, evidence: Sequence[Mapping[Cell, CellEvidence]]) -> None:
    """Refuse when the evidence is not about the cells and figures of the result."""
    changed = OutputRefusal(
        "The data behind this request have changed since it was made",
        why="A new delivery or another version of the view was provisioned meanwhile",
        next_step="Run the query again and ask for its result",
    )
    stated = [(place, c.plain) for place, c in enumerate(table.columns) if c.plain is not None]
    for known in evidence:
        for row in table.rows:
            if row.cell not in known:
                raise changed
            for place, measure in stated:
                held, net = row.values[place], known[row.cell].measures[measure].net
                if isinstance(held, str) or abs((held or 0) - net) > 1e-6 * max(1.0, abs(net)):
                    raise changed


def _cell_findings(failing: Mapping[Cell, Sequence[Rule]]) -> list[Finding]:
    by_rule: dict[Rule, int] = {}
    for rules in failing.values():
        for rule in rules:
            by_rule[rule] = by_rule.get(rule, 0) + 1
    return [Finding(rule.name, rule.outcome, rule.argument, count) for rule, count in by_rule.items()]
