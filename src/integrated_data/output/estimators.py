"""Estimators that the check knows by heart: a query is one of them when its tree is exactly theirs.

The figures of a survey estimate pass through several steps that no general rule could vouch for;
but the text of `vocabulary/survey.py` is fixed, so a query whose tree equals what the builder
writes for the same columns is that estimator and nothing else. Its evidence is the evidence of the
sums it is made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from integrated_data.model.output import OutputColumn, Role, View
from integrated_data.output.measures import Amounts, Measure
from integrated_data.output.shape import Shape, prove
from integrated_data.output.tree import parsed, text
from integrated_data.vocabulary.sql import name
from integrated_data.vocabulary.survey import PREFIX, Design, weighted_gap_sql, weighted_proportion_sql

UNIT_STEP = "survey_unit"

GAP_FIGURES = (
    "respondents_with", "respondents_without", "estimate_with", "estimate_without",
    "gap", "gap_low", "gap_high",
)  # fmt: skip
PROPORTION_FIGURES = ("respondents", "estimate", "estimate_low", "estimate_high")


@dataclass(frozen=True)
class Estimate:
    """A recognised estimator: the sums it is made of as a plain query, and its own columns.

    `stated`: for a figure that states a count outright, the place of that count in the plain query.
    """

    plain: str
    group: tuple[str, ...]
    figures: tuple[str, ...]
    stated: Mapping[str, int]
    parameters: int
    tree: exp.Select


def recognise(sql: str) -> Estimate | None:
    """The estimator that a query is, or None."""
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError:
        return None
    tree = statements[0] if len(statements) == 1 else None
    if not isinstance(tree, exp.Select) or tree.args.get("with_") is None or tree.ctes[0].alias != UNIT_STEP:
        return None
    unit = tree.ctes[0].this
    source = unit.args.get("from_") if isinstance(unit, exp.Select) else None
    if source is None or source.this.alias != "survey_relation":
        return None
    held = {p.alias: p.unalias() for p in unit.expressions}
    group = tuple(column for column in held if not column.startswith(PREFIX))
    if not {"survey_y", "survey_w", "survey_stratum", "survey_cluster"} <= set(held):
        return None
    rebuilt = _rebuilt(_relation(source.this), group, held=held)
    if sqlglot.parse_one(rebuilt, read="duckdb") != tree:
        return None
    return _gap(tree, unit, group=group) if "survey_s" in held else _proportion(tree, unit, group=group)


def prove_estimate(found: Estimate, views: Mapping[str, View]) -> Shape:
    """The shape of a recognised estimator: the evidence of its sums under its own columns."""
    shape = prove(parsed(found.plain, views), views)
    measures = tuple(replace(m, kind=Amounts.WEIGHT) if _is_weight(m) else m for m in shape.measures)
    everything = tuple(range(len(measures)))
    columns = [OutputColumn(g, Role.KEY, key=shape.keys.index(f'"survey_unit"."{g}"')) for g in found.group]
    for figure in found.figures:
        place = found.stated.get(figure)
        columns.append(OutputColumn(figure, Role.FIGURE, measures=everything, plain=place, count=place is not None))
    result = found.tree.copy()
    result.set("order", None)
    return replace(
        shape, measures=measures, columns=tuple(columns), result=text(result),
        parameters=found.parameters, sample=True,
    )  # fmt: skip


def _is_weight(measure: Measure) -> bool:
    return "survey_w" in measure.words and "survey_y" not in measure.words


def _relation(source: exp.Expr) -> str:
    bare = source.copy()
    bare.set("alias", None)
    return text(bare)


def _rebuilt(relation: str, group: Sequence[str], *, held: Mapping[str, exp.Expr]) -> str:
    def inside(column: str) -> str:
        value = held[column]
        return text(value.this) if isinstance(value, exp.Cast) else text(value)

    design = Design(inside("survey_w"), text(held["survey_stratum"]), text(held["survey_cluster"]))
    if "survey_s" in held:
        return weighted_gap_sql(
            relation, group=group, indicator=inside("survey_y"), split=inside("survey_s"), design=design
        )
    return weighted_proportion_sql(
        relation, group=group, indicator=inside("survey_y"),
        weight=design.weight, stratum=design.stratum, cluster=design.cluster,
    )  # fmt: skip


def _proportion(tree: exp.Select, unit: exp.Select, *, group: tuple[str, ...]) -> Estimate:
    sums = (
        "count(*)", "sum(survey_w)", "sum(survey_w * survey_y)",
        "sum(CASE WHEN survey_y = 1 THEN 1 ELSE 0 END)",
    )  # fmt: skip
    plain = _plain(unit, group, sums=sums, asked="survey_y IS NOT NULL AND survey_w IS NOT NULL")
    return Estimate(plain, group, PROPORTION_FIGURES, {"respondents": 0}, 1, tree)


def _gap(tree: exp.Select, unit: exp.Select, *, group: tuple[str, ...]) -> Estimate:
    sums = tuple(
        f"sum(CASE WHEN survey_s = {side}{and_also} THEN {value} ELSE 0 END)"
        for side in (1, 0)
        for and_also, value in (
            ("", "1"), (" AND survey_y = 1", "1"), ("", "survey_w"), ("", "survey_w * survey_y")
        )
    )  # fmt: skip
    asked = "survey_y IS NOT NULL AND survey_w IS NOT NULL AND survey_s IS NOT NULL"
    plain = _plain(unit, group, sums=sums, asked=asked)
    return Estimate(plain, group, GAP_FIGURES, {"respondents_with": 0, "respondents_without": 4}, 2, tree)


def _plain(unit: exp.Select, group: tuple[str, ...], *, sums: Sequence[str], asked: str) -> str:
    keys = ", ".join(name(g) for g in group)
    shown = ", ".join([*([keys] if keys else []), *(f"{s} AS sum_{n}" for n, s in enumerate(sums))])
    by = f" GROUP BY {keys}" if keys else ""
    return f"WITH {UNIT_STEP} AS ({text(unit)}) SELECT {shown} FROM {UNIT_STEP} WHERE {asked}{by}"
