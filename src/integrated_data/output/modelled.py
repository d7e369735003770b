"""A fitted model as the check sees it: the plain table of the people behind it, and its own rules.

The plain table counts and sums, over the rows that the model uses: the outcome, covariates with many values, in all
and for each category and combination that a term names, and for a curve in each of its steps. So the rules of
cells and the release ledger know who is behind a model as they know it of a table.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from integrated_data.model.errors import QueryRefusal
from integrated_data.model.estimate import METADATA, Estimate, Estimator, Fit
from integrated_data.model.evidence import CellEvidence
from integrated_data.model.output import Cell, OutputColumn, ReleaseLimits, Role, View
from integrated_data.output import members as membership
from integrated_data.output.check import Checked, Run, check_proven, check_same_data, unproven
from integrated_data.output.evidence import evidence
from integrated_data.output.model_rules import DESIGN_RULES, Model, model_findings
from integrated_data.output.requested import Asked
from integrated_data.output.shape import Shape, prove
from integrated_data.output.table import Row, Table, of_result, value
from integrated_data.output.table_rules import Drawn, table_findings
from integrated_data.output.tree import OWN, Unproven, check_names, is_own, parsed, text
from integrated_data.vocabulary import formula as formulas
from integrated_data.vocabulary.formula import Formula
from integrated_data.vocabulary.sql import name

DATA, ROWS, STEP, UNIT = "estimate_data", "estimate_rows", "estimate_step", "estimate_unit"

#: Columns that say what a row is about, not a figure.
LABELS = frozenset({"term", "time"})

#: Columns that count rows, and are rounded where counts are.
COUNTS = frozenset({"n", "events", "at_risk", "censored"})


def runnable(sql: str, estimate: Estimate, *, views: Mapping[str, View]) -> str:
    """What is run for a model: the columns it needs, from the tree that is proven; or `Unproven`."""
    formula = formulas.read(estimate.formula)
    shape = _proven(sql, estimate, views=views, told={})
    wanted = dict.fromkeys((*formula.columns, *estimate.design))
    return f"WITH {shape.steps} SELECT {', '.join(f'{name(c)} AS {name(c)}' for c in wanted)} FROM {DATA}"


def check_model(asked: Asked, *, views: Mapping[str, View], run: Run, limits: ReleaseLimits) -> Checked:
    """Check the table of a model against the evidence of the rows that it was fitted over."""
    estimate, told = asked.estimate, json.loads((asked.result.schema.metadata or {}).get(METADATA, b"{}"))
    assert estimate is not None
    try:
        shape = _proven(asked.sql, estimate, views=views, told=told)
    except Unproven as broke:
        return unproven(asked.query, Drawn(of_result(asked.result)), limits=limits, unproven=broke)
    if estimate.estimator.grouped:
        shape = _of_groups(shape, asked.result, estimate=estimate)
        checked = check_proven(asked.query, shape, result=asked.result, views=views, run=run, limits=limits)
        nobody = Model(CellEvidence(0, 0, 0), {}, {}, 0, **_design(asked, views=views))
        findings = model_findings(nobody, limits, rules=DESIGN_RULES)
        return replace(checked, estimate=estimate, findings=(*checked.findings, *findings))
    try:
        return _checked(asked, shape, views=views, run=run, limits=limits)
    except QueryRefusal:
        unknown = Unproven("Its evidence could not be computed")
        return unproven(asked.query, Drawn(of_result(asked.result)), limits=limits, unproven=unknown)


def _checked(
    asked: Asked, shape: Shape, *, views: Mapping[str, View], run: Run, limits: ReleaseLimits
) -> Checked:  # fmt: skip
    estimate, told = asked.estimate, json.loads(asked.result.schema.metadata[METADATA])
    assert estimate is not None
    table = _table(asked.result, keys=len(shape.keys))
    shape = replace(shape, columns=table.columns, sample=bool(estimate.design))
    behind, held, findings = [], [], []
    for unit in range(len(shape.units)):
        members = membership.read(run(membership.members_sql(shape, unit=unit, views=views)), shape)
        known = evidence(members, shape, limits=limits)
        held.append(members)
        behind.append(known)
        check_same_data(table, [known])
        model = replace(_model(known, estimate, told=told), **_design(asked, views=views))
        if estimate.estimator is not Estimator.KAPLAN_MEIER:
            few = limits.minimum_people - 1
            (influence,) = run(_influence_sql(shape, estimate, unit=unit), Fit(estimate, UNIT, few)).to_pylist()
            model = replace(model, leverage=influence["leverage"], share=influence["share"])
        findings += model_findings(model, limits)
    findings += table_findings(Drawn(table, tuple(behind), sample=shape.sample), limits)
    cells = frozenset(cell for known in behind for cell in known)
    return Checked(
        asked.query, table, shape, tuple(dict.fromkeys(findings)), tuple(behind), {}, members=tuple(held),
        told=cells, estimate=estimate,
    )  # fmt: skip


def _proven(sql: str, estimate: Estimate, *, views: Mapping[str, View], told: Mapping[str, Any]) -> Shape:
    """The shape of the plain table behind a model. `told`: what the fit says of its columns, see `METADATA`."""
    plain = plain_sql(sql, estimate, told=told)
    return prove(parsed(plain, views), views)


def plain_sql(sql: str, estimate: Estimate, *, told: Mapping[str, Any]) -> str:
    """The plain table behind a model, as SQL."""
    formula = formulas.read(estimate.formula)
    names = [f.column for f in formula.factors]
    grouped = estimate.estimator.grouped or estimate.estimator is Estimator.KAPLAN_MEIER
    sets = [tuple(names)] * bool(names) if grouped and told else [tuple(s) for s in told.get("sets", [])]
    edges = [float(edge) for edge in told.get("edges", [])]
    if edges:
        sets.append((*(names if grouped else ()), STEP))
    keys = list(dict.fromkeys(key for chosen in sets for key in chosen))
    figures = ["count(*) AS estimate_n", *_sums(formula, estimate, told=told)]
    body = f"SELECT {', '.join([*map(name, keys), *figures])} FROM {ROWS if edges else DATA}"
    steps = [f"{DATA} AS ({_text(sql)})"]
    complete = _complete(formula, estimate)
    if edges:
        steps.append(f"{ROWS} AS ({_stepped(formula, names, edges=edges)} WHERE {complete})")
    else:
        body += f" WHERE {complete}"
    if keys and estimate.estimator.grouped:
        body += f" GROUP BY {', '.join(map(name, keys))}"
    elif keys:
        listed = ", ".join(f"({', '.join(map(name, chosen))})" for chosen in [(), *dict.fromkeys(sets)])
        body += f" GROUP BY GROUPING SETS ({listed})"
    return f"WITH {', '.join(steps)} {body}"


def _text(sql: str) -> str:
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        raise Unproven("The check cannot read this query") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise Unproven("It is not one SELECT")
    tree = statements[0]
    check_names(tree, OWN, "estimate_")
    if isinstance(tree, exp.Select) and tree.args.get("order") and not tree.args.get("limit"):
        tree.set("order", None)
    return text(tree)


def _sums(formula: Formula, estimate: Estimate, *, told: Mapping[str, Any]) -> list[str]:
    """The outcome's sums, weighted where the model is, then those of covariates with many values."""
    outcome = name(formula.outcome[-1].column)
    first = [f"sum({outcome}) AS estimate_y"]
    if estimate.weights:
        weight = name(estimate.weights)
        outcome = f"CAST({outcome} AS DOUBLE)" if told.get("flag") else outcome  # true or false cannot be multiplied
        first = [f"sum({weight}) AS estimate_w", f"sum({weight} * {outcome}) AS estimate_wy"]
    rest = [f"sum({name(column)}) AS estimate_x{n}" for n, column in enumerate(told.get("numbers", []))]
    return [*first, *rest]


def _complete(formula: Formula, estimate: Estimate) -> str:
    columns = dict.fromkeys((*formula.columns, *estimate.design))
    return " AND ".join(f"{name(column)} IS NOT NULL" for column in columns)


def _stepped(formula: Formula, names: Sequence[str], *, edges: Sequence[float]) -> str:
    """The rows of a curve with the number of their step."""
    time, event = (name(f.column) for f in formula.outcome)
    within = " ".join(f"WHEN {time} <= {edge!r} THEN {n}" for n, edge in enumerate(edges[:-1]))
    step = f"CASE {within} ELSE {len(edges) - 1} END" if within else "0"
    return f"SELECT {', '.join([*map(name, names), time, event])}, {step} AS {STEP} FROM {DATA}"


def _of_groups(shape: Shape, result: pa.Table, *, estimate: Estimate) -> Shape:
    """The shape of a table of means or totals: its keys, how many rows, and figures of everything."""
    everything = tuple(range(len(shape.measures)))
    names = [f.column for f in formulas.read(estimate.formula).factors]
    place = {key_name: number for number, key_name in enumerate(shape.key_names)}
    columns = [OutputColumn(n, Role.KEY, key=place[n]) for n in names]
    for figure in result.column_names[len(names) :]:
        rows = figure == "n"
        columns.append(OutputColumn(figure, Role.FIGURE, measures=everything, plain=0 if rows else None, count=rows))
    return replace(shape, columns=tuple(columns), parameters=1, sample=bool(estimate.design))


def _table(result: pa.Table, *, keys: int) -> Table:
    """The table of a model: every row is about everybody in it."""
    everybody = Cell((True,) * keys, (None,) * keys)
    columns = []
    for field in result.schema:
        if field.name in LABELS or not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            columns.append(OutputColumn(field.name, Role.LABEL))
            continue
        plain, count = 0 if field.name == "n" else None, field.name in COUNTS
        columns.append(OutputColumn(field.name, Role.FIGURE, measures=(0,), plain=plain, count=count))
    rows_ = tuple(Row(everybody, tuple(value(v) for v in row.values())) for row in result.to_pylist())
    return Table(tuple(columns), rows_)


def _model(known: Mapping[Cell, CellEvidence], estimate: Estimate, *, told: Mapping[str, Any]) -> Model:
    """What the rules of a model read. The step of a curve is the last key."""
    curve = bool(told.get("edges"))
    whole = next(cell for cell in known if all(cell.total))
    steps = {c: e for c, e in known.items() if curve and not c.total[-1]}
    categories = {c: e for c, e in known.items() if c is not whole and c not in steps}
    return Model(
        known[whole], categories, steps, outcomes=3 if estimate.weights else 2,
        parameters=int(told.get("parameters", 0)), saturated=bool(told.get("saturated", False)),
    )  # fmt: skip


def _design(asked: Asked, *, views: Mapping[str, View]) -> dict[str, Any]:
    """What the rules of a design read; nothing where there is none."""
    estimate, left = asked.estimate, {"freedom", "residual_freedom"}
    assert estimate is not None
    if not estimate.design:
        return {}
    freedom = min(n for c in left & set(asked.result.column_names) for n in asked.result.column(c).to_pylist())
    tree = parsed(asked.sql, views)
    return {"freedom": freedom, "computed": sum(1 for column in estimate.design if not is_own(tree, column))}


def _influence_sql(shape: Shape, estimate: Estimate, *, unit: int) -> str:
    columns = dict.fromkeys((*formulas.read(estimate.formula).columns, *estimate.design))
    listed = ", ".join(f"{DATA}.{name(c)} AS {name(c)}" for c in columns)
    return f"WITH {shape.steps} SELECT {listed}, {shape.units[unit]} AS {UNIT} {shape.rows}"
