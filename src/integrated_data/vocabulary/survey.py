"""Design-based estimates from a complex survey, as SQL text.

Weighted proportions and gaps by group, with 95 % intervals by Taylor linearisation and primary
sampling units treated as drawn with replacement within strata (Wolter, *Introduction to Variance
Estimation*, 2nd ed., 2007, chapter 6; Lumley, *Complex Surveys*, 2010; the Office for National
Statistics states Labour Force Survey intervals as the estimate ± 1.96 standard errors, *LFS User
Guide*, volume 1, background and methodology).

For a group with ratio estimate p = Σwy / Σw, the linearised value of primary sampling unit c of
stratum h is z_hc = Σ w (y − p) / Σw over the group's members in it, zero where it has none, and

    var(p) = Σ_h  n_h / (n_h − 1) · ( Σ_c z_hc² − (Σ_c z_hc)² / n_h )

with n_h the primary sampling units of stratum h **in the whole sample**: a group is a domain of
the sample, not a sample of its own, so the relation must hold every respondent, also those who are
in no group of interest. A stratum with one unit is centred at the sample's mean, which is zero
(survey package of R, `lonely.psu = "adjust"`). A gap is linearised as one statistic, so the
covariance of its two sides within a primary sampling unit is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.vocabulary.sql import name

#: Two-sided 95 % point of the standard normal distribution.
Z95 = "1.96"

#: Every name that the estimators add begins with this; a relation's own columns must not.
PREFIX = "survey_"


@dataclass(frozen=True)
class Design:
    """How a sample was drawn: SQL expressions over the relation's columns."""

    weight: str
    stratum: str
    cluster: str


def weighted_proportion_sql(
    relation: str, *, group: Sequence[str], indicator: str, weight: str, stratum: str, cluster: str
) -> str:
    """A weighted proportion (or mean) by group, with its 95 % interval.

    `relation`: a name, or a SELECT in parentheses, with one row per respondent (or per respondent
    and group). `group`: column names, none for the whole sample. `indicator`: SQL worth 1, 0 or
    NULL (not asked). Returns one row per group: the group columns, `respondents` (unweighted),
    `estimate`, `estimate_low`, `estimate_high`.
    """
    design = Design(weight, stratum, cluster)
    steps = _Steps(
        asked="survey_y IS NOT NULL AND survey_w IS NOT NULL",
        sums="count(*) AS survey_n, sum(survey_w) AS survey_w, sum(survey_w * survey_y) AS survey_wy",
        totals="sum(survey_n) AS survey_n, sum(survey_w) AS survey_w, sum(survey_wy) / sum(survey_w) AS survey_p",
        residual="(p.survey_wy - t.survey_p * p.survey_w) / t.survey_w",
        figures=(
            "CAST(t.survey_n AS BIGINT) AS respondents", "t.survey_p AS estimate", *_interval("t.survey_p", "estimate"),
        ),
    )  # fmt: skip
    return _with(group, _unit_sql(relation, group=group, values={"y": indicator}, design=design), steps=steps)


def weighted_gap_sql(relation: str, *, group: Sequence[str], indicator: str, split: str, design: Design) -> str:
    """The gap of a weighted proportion between those without and those with something, by group.

    `split`: SQL worth 1 (with) or 0 (without). An employment gap, as the Office for National
    Statistics defines it for disability, is the rate of those without less the rate of those with.
    Returns one row per group: the group columns, `respondents_with`, `respondents_without`,
    `estimate_with`, `estimate_without`, `gap`, `gap_low`, `gap_high`; a group where one side has
    no respondent has no gap (NULL).
    """
    about = "(p.survey_wy{0} - t.survey_p{0} * p.survey_w{0}) / t.survey_w{0}"
    steps = _Steps(
        asked="survey_y IS NOT NULL AND survey_w IS NOT NULL AND survey_s IS NOT NULL",
        sums=", ".join(_side_sums(side) for side in (1, 0)),
        totals=", ".join(_side_totals(side) for side in (1, 0)),
        residual=f"coalesce({about.format(0)}, 0) - coalesce({about.format(1)}, 0)",
        figures=(
            "CAST(t.survey_n1 AS BIGINT) AS respondents_with", "CAST(t.survey_n0 AS BIGINT) AS respondents_without",
            "t.survey_p1 AS estimate_with", "t.survey_p0 AS estimate_without",
            "t.survey_p0 - t.survey_p1 AS gap", *_interval("(t.survey_p0 - t.survey_p1)", "gap", low="-1"),
        ),
    )  # fmt: skip
    unit = _unit_sql(relation, group=group, values={"y": indicator, "s": split}, design=design)
    return _with(group, unit, steps=steps)


@dataclass(frozen=True)
class _Steps:
    """What differs between estimators: SQL over the steps of `_with`.

    `asked`: which respondents count; `sums`: of one primary sampling unit; `totals`: of a group;
    `residual`: the linearised value of a unit (p) about its group's totals (t); `figures`: what is shown.
    """

    asked: str
    sums: str
    totals: str
    residual: str
    figures: tuple[str, ...]


def _side_sums(side: int) -> str:
    held = f"CASE WHEN survey_s = {side} THEN {{}} ELSE 0 END"
    return (
        f"sum({held.format('1')}) AS survey_n{side}, sum({held.format('survey_w')}) AS survey_w{side}, "
        f"sum({held.format('survey_w * survey_y')}) AS survey_wy{side}"
    )


def _side_totals(side: int) -> str:
    return (
        f"sum(survey_n{side}) AS survey_n{side}, nullif(sum(survey_w{side}), 0) AS survey_w{side}, "
        f"sum(survey_wy{side}) / nullif(sum(survey_w{side}), 0) AS survey_p{side}"
    )


def _interval(estimate: str, called: str, *, low: str = "0") -> tuple[str, str]:
    error = f"{Z95} * sqrt(greatest(v.survey_v, 0))"
    there = f"CASE WHEN {estimate} IS NOT NULL THEN {{}} END"  # greatest and least pass over NULL
    return (
        there.format(f"greatest({low}, {estimate} - {error})") + f" AS {called}_low",
        there.format(f"least(1, {estimate} + {error})") + f" AS {called}_high",
    )


def _unit_sql(relation: str, *, group: Sequence[str], values: dict[str, str], design: Design) -> str:
    columns = [f"{name(g)} AS {name(g)}" for g in group]
    columns += [f"CAST({sql} AS DOUBLE) AS survey_{short}" for short, sql in values.items()]
    columns += [
        f"CAST({design.weight} AS DOUBLE) AS survey_w",
        f"{design.stratum} AS survey_stratum",
        f"{design.cluster} AS survey_cluster",
    ]
    return f"SELECT {', '.join(columns)} FROM {relation} AS survey_relation"


def _with(group: Sequence[str], unit: str, *, steps: _Steps) -> str:
    keys = [name(g) for g in group]
    listed = "".join(f"{k}, " for k in keys)

    def of(alias: str) -> str:
        return "".join(f"{alias}.{k}, " for k in keys)

    def same(left: str, right: str) -> str:
        return " AND ".join(f"{left}.{k} IS NOT DISTINCT FROM {right}.{k}" for k in keys) or "TRUE"

    by_group = f" GROUP BY {', '.join(keys)}" if keys else ""
    by_variance = f" GROUP BY {of('r')[:-2]}" if keys else ""
    order = f" ORDER BY {of('t')[:-2]}" if keys else ""
    spread = (
        "CASE WHEN d.survey_psus > 1 THEN d.survey_psus / (d.survey_psus - 1.0) "
        "* (r.survey_zz - r.survey_z * r.survey_z / d.survey_psus) ELSE r.survey_zz END"
    )
    return (
        f"WITH survey_unit AS ({unit}), "
        "survey_design AS (SELECT survey_stratum, count(DISTINCT survey_cluster) AS survey_psus "
        "FROM survey_unit GROUP BY survey_stratum), "
        f"survey_psu AS (SELECT {listed}survey_stratum, survey_cluster, {steps.sums} "
        f"FROM survey_unit WHERE {steps.asked} GROUP BY {listed}survey_stratum, survey_cluster), "
        f"survey_total AS (SELECT {listed}{steps.totals} FROM survey_psu{by_group}), "
        f"survey_residual AS (SELECT {of('p')}p.survey_stratum, sum({steps.residual}) AS survey_z, "
        f"sum(({steps.residual}) * ({steps.residual})) AS survey_zz FROM survey_psu AS p "
        f"JOIN survey_total AS t ON {same('p', 't')} GROUP BY {of('p')}p.survey_stratum), "
        f"survey_variance AS (SELECT {of('r')}sum({spread}) AS survey_v FROM survey_residual AS r "
        f"JOIN survey_design AS d ON r.survey_stratum IS NOT DISTINCT FROM d.survey_stratum{by_variance}) "
        f"SELECT {of('t')}{', '.join(steps.figures)} FROM survey_total AS t "
        f"JOIN survey_variance AS v ON {same('t', 'v')}{order}"
    )
