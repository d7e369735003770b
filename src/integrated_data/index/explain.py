"""Why a link was made, or not: each comparison, what it weighs, the posterior, the alternatives."""

import math

from integrated_data.engine import Engine
from integrated_data.index.matching import score
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model
from integrated_data.vocabulary.sql import name, text

#: Candidates of a record that are explained.
ALTERNATIVES = 3

PRIOR, GUARD, CONTEXT = "before looking", "a rival instead", "household context"

#: What is left between a pair's weight and its comparisons, from which it is context (log2), and to
#: which (beyond it the record is known to be the entity).
LEAST, MOST = 1e-6, 100.0


def explained_sql(
    definition: MatchDefinition, model: Model, *, relations: score.Relations, among: int, present: float
) -> str:
    """Explanation rows: `record`, `entity`, `step`, `comparison`, `level`, `weight` (log2); no values.

    Over the best form of each pair in `relations.pairs`. Weights add up, step by step, to log2 of
    the odds that the pair is one entity before other candidates compete for it. `among`: entities
    of the index; `present`: share of records estimated to be in it.
    """
    weights = ", ".join(
        f"{score.told_weight_sql(c, model)} AS {name('weight_' + c.name)}" for c in definition.comparisons
    )
    scored = (
        f"SELECT *, {weights}, {score.weight_sql(definition, model)} AS alone, "
        f"{score.rival_weight_sql(definition, model)} AS rival "
        f"FROM ({score.compared_sql(definition, relations, tellers=model.told)})"
    )
    guarded = score.guarded_sql("0.0", "rival", rivals=model.rivals, among=among)
    order = f"PARTITION BY record, entity ORDER BY alone + {guarded} DESC, form"
    best = f"SELECT * FROM ({scored}) QUALIFY row_number() OVER ({order}) = 1"
    prior = math.log2(present / (1.0 - present) / max(among, 1))
    steps = [
        f"SELECT record, entity, 0 AS step, {text(PRIOR)} AS comparison, '' AS level, {prior!r} AS weight FROM best"
    ]
    for i, comparison in enumerate(definition.comparisons, start=1):
        labels = " ".join(f"WHEN {j} THEN {text(level.label)}" for j, level in enumerate(comparison.levels))
        steps.append(
            f"SELECT record, entity, {i}, {text(comparison.title)}, "
            f"CASE {score.level_column(comparison.name)} {labels} ELSE 'missing' END, "
            f"{name('weight_' + comparison.name)} FROM best"
        )
    if definition.rivals is not None:
        title = f"{GUARD}: {definition.rivals.name}"
        steps.append(f"SELECT record, entity, {len(steps)}, {text(title)}, '', {guarded} FROM best")
    rest = f"p.weight - (b.alone + {score.guarded_sql('0.0', 'b.rival', rivals=model.rivals, among=among)})"
    steps.append(
        f"SELECT b.record, b.entity, {len(steps)}, {text(CONTEXT)}, '', {rest} FROM best b "
        f"JOIN {name(relations.pairs)} p ON p.record = b.record AND p.entity = b.entity "
        f"WHERE abs({rest}) BETWEEN {LEAST} AND {MOST}"
    )
    return f"WITH best AS MATERIALIZED ({best}) {' UNION ALL '.join(steps)}"


def alternatives_sql(edges: str) -> str:
    """The likeliest candidates of each record: `record`, `entity`, `weight`, `probability`, `place` (1 is best)."""
    return (
        f"SELECT record, entity, weight, probability, row_number() OVER (PARTITION BY record "
        f"ORDER BY probability DESC, weight DESC, entity) AS place FROM {name(edges)} QUALIFY place <= {ALTERNATIVES}"
    )


def explain(
    engine: Engine, definition: MatchDefinition, *, model: Model, work: str, numbers: tuple[int, float], out: str
) -> None:
    """Make table `out`: record_id, candidate_id, place, probability, step, comparison, level, weight.

    Reads `<work>_edges` (record, entity, weight, probability), `<work>_records` and the index views
    `<work>_index_…`; `numbers`: entities of the index, share of records present.
    """
    engine.create(f"{work}_pairs", alternatives_sql(f"{work}_edges"))
    relations = score.Relations(f"{work}_pairs", f"{work}_records", f"{work}_index_forms")
    steps = explained_sql(definition, model, relations=relations, among=numbers[0], present=numbers[1])
    engine.create(
        out,
        f"SELECT l.record_id, e.entity_id AS candidate_id, p.place, p.probability, s.step, s.comparison, "
        f"s.level, s.weight "
        f"FROM ({steps}) s JOIN {name(f'{work}_pairs')} p ON p.record = s.record AND p.entity = s.entity "
        f"JOIN {name(f'{work}_records')} l ON l.record = s.record "
        f"JOIN {name(f'{work}_index_entities')} e ON e.entity = s.entity ORDER BY l.record, p.place, s.step",
    )
