"""Scoring pairs: levels of agreement, their weights and the exact rules they satisfy, as SQL.

A pair's weight is the sum over comparisons of log2(m/u), the Fellegi–Sunter score (1969), with
term-frequency adjustment as Splink makes it. Beside it stands the weight of the rival view: that
the candidate is not the record itself but, say, a member of its household.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from integrated_data.engine import Engine
from integrated_data.index.matching import prepare
from integrated_data.index.matching.definition import Comparison, MatchDefinition
from integrated_data.index.matching.model import Model, Shares
from integrated_data.vocabulary.sql import name, text

MISSING = -1


@dataclass(frozen=True)
class Relations:
    """What scoring reads. `pairs`: record, entity; `records`: cleaned with `record`; `forms`: cleaned
    with `form`, `entity` and `tf_<field>`."""

    pairs: str
    records: str
    forms: str


def level_sql(comparison: Comparison) -> str:
    """The level that a pair (`l`, `r`) reaches: 0 for the closest, -1 where a side is missing."""
    cases = " ".join(f"WHEN {level.when} THEN {i}" for i, level in enumerate(comparison.levels[:-1]))
    last = len(comparison.levels) - 1
    return f"(CASE WHEN {comparison.missing} THEN {MISSING} {cases} ELSE {last} END)::TINYINT"


def silent(engine: Engine, definition: MatchDefinition, *, records: str) -> tuple[str, ...]:
    """Comparisons for which a cleaned relation holds nothing: `compared_sql` passes over them."""
    held = prepare.held(engine, definition, relation=records)
    return tuple(c.name for c in definition.comparisons if not held.intersection(c.fields))


def compared_sql(
    definition: MatchDefinition, relations: Relations, *, silent: Collection[str] = (), tellers: Collection[str] = ()
) -> str:
    """Levels of every pair: `record`, `entity`, `form`, `level_<comparison>`, `tf_<field>` of the form's values.

    An entity with several forms gives a row for each. `silent`: comparisons for which the records
    hold nothing; they are passed over, and what they read of the index is not fetched. `tellers`:
    sources of forms, the most reliable first; then `teller` is the place of the first that says the
    form, or -1.
    """
    nothing = f"({MISSING})::TINYINT"
    levels = ", ".join(
        f"{nothing if c.name in silent else level_sql(c)} AS {level_column(c.name)}" for c in definition.comparisons
    )
    shares = ", ".join(f"r.{frequency_column(f.name)}" for f in definition.fields if f.frequency)
    return (
        f"SELECT p.record, p.entity, r.form, "
        f"{', '.join(part for part in (levels, shares, _teller_sql(tellers)) if part)} "
        f"FROM {name(relations.pairs)} p JOIN {name(relations.records)} l ON l.record = p.record "
        f"JOIN {name(relations.forms)} r ON r.entity = p.entity"
    )


def _teller_sql(tellers: Collection[str]) -> str:
    if not tellers:
        return ""
    cases = " ".join(f"WHEN list_contains(r.sources, {text(source)}) THEN {i}" for i, source in enumerate(tellers))
    return f"(CASE {cases} ELSE -1 END)::TINYINT AS teller"


def level_column(comparison: str) -> str:
    """Name of the column with a comparison's level."""
    return name("level_" + comparison)


def frequency_column(field: str) -> str:
    """Name of the column with the frequency of a field's value."""
    return name("tf_" + field)


def weight_sql(definition: MatchDefinition, model: Model) -> str:
    """log2 of how much likelier a pair's levels are for a match than for two entities at random."""
    return " + ".join(told_weight_sql(c, model) for c in definition.comparisons)


def told_weight_sql(comparison: Comparison, model: Model) -> str:
    """What one comparison adds to a pair's weight, by the source that says the form where it can be told."""
    shares = model.shares[comparison.name]
    whole = comparison_weight_sql(comparison, shares)
    if not model.told:
        return whole
    cases = " ".join(
        f"WHEN {i} THEN {comparison_weight_sql(comparison, replace(shares, m=of[comparison.name]))}"
        for i, of in enumerate(model.told.values())
    )
    return f"(CASE teller {cases} ELSE {whole} END)"


def rival_weight_sql(definition: MatchDefinition, model: Model) -> str:
    """log2 of how much likelier a pair's levels are for rivals (one household) than at random."""
    return " + ".join(comparison_weight_sql(c, model.shares[c.name], rival=True) for c in definition.comparisons)


def comparison_weight_sql(comparison: Comparison, shares: Shares, *, rival: bool = False) -> str:
    """What one comparison adds to a pair's weight, from its level column; 0 where a side is missing."""
    tops = shares.rival if rival else shares.m
    cases = []
    for i, level in enumerate(comparison.levels):
        if level.frequency is None:
            value = repr(math.log2(tops[i] / shares.u[i]))
        else:
            share = f"coalesce({frequency_column(level.frequency)}, {shares.u[i]!r})"
            value = f"{math.log2(tops[i])!r} - log2({share})"
        cases.append(f"WHEN {i} THEN {value}")
    return f"(CASE {level_column(comparison.name)} {' '.join(cases)} ELSE 0.0 END)"


def rule_sql(definition: MatchDefinition) -> str:
    """Number of the first exact rule that a compared pair satisfies; -1 where only the model speaks."""
    cases = []
    for number, rule in enumerate(definition.rules):
        needs = []
        for comparison_name, labels in rule.needs:
            levels = definition.comparison(comparison_name).levels
            wanted = [str(i) for i, level in enumerate(levels) if level.label in labels]
            needs.append(f"{level_column(comparison_name)} IN ({', '.join(wanted)})")
        cases.append(f"WHEN {' AND '.join(needs)} THEN {number}")
    return f"(CASE {' '.join(cases)} ELSE -1 END)::TINYINT" if cases else "(-1)::TINYINT"


def guarded_sql(weight: str, rival: str, *, rivals: float, among: int) -> str:
    """A pair's weight against both a stranger and a rival, of which each has `rivals` among `among`."""
    odds = rivals / max(among, 1)
    return f"({weight} - log2(1.0 + {odds!r} * pow(2.0, {rival})))" if odds > 0 else weight


def scored_sql(definition: MatchDefinition, model: Model, *, compared: str, among: int, floor: float) -> str:
    """The best form of each pair: `record`, `entity`, `weight`, `rule`; pairs below `floor` are dropped.

    `compared` is SQL as `compared_sql` makes it; `among`: entities of the index. `weight` is log2 of
    how much likelier the pair is one entity than a rival or a stranger.
    """
    guarded = guarded_sql("alone", "rival", rivals=model.rivals, among=among)
    return (
        "SELECT record, entity, max(weight) AS weight, arg_max(rule, weight) AS rule FROM ("
        f"SELECT record, entity, rule, {guarded} AS weight FROM ("
        f"SELECT record, entity, {weight_sql(definition, model)} AS alone, "
        f"{rival_weight_sql(definition, model)} AS rival, {rule_sql(definition)} AS rule FROM ({compared}))) "
        f"WHERE weight >= {floor!r} GROUP BY record, entity"
    )
