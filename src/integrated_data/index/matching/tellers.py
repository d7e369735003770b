"""How far each source of an index can be relied on, learnt from a delivery's own sure links.

What one department writes agrees with the delivery more often than what another does: an address kept
for years is out of date more often than one of last month. On every comparison, each source's share of
sure links at each level, against all sources' share, scales what the model expects of a match. A weak
source's word then counts less, for a link and against one. Where several sources say the same of an
entity, the most reliable one speaks.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from integrated_data.engine import Engine
from integrated_data.index.matching import score
from integrated_data.index.matching.decide import Floats
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import PRIOR_PAIRS, Model, normalised
from integrated_data.vocabulary.sql import name

#: Sure links that a source must have a part in, to be told from others.
FEWEST = 200

#: Sure links looked at, about.
SAMPLED = 100_000


def with_tellers(engine: Engine, definition: MatchDefinition, *, model: Model, sure: str, work: str) -> Model:
    """The model with what each source's forms are expected to show of a match; as it was for one source alone.

    `sure`: relation of `record` and `entity`; reads `<work>_records` and `<work>_index_forms`.
    """
    counts = _counts(engine, definition, model=model, sure=sure, work=work)
    if len(counts) < 2:
        return replace(model, told={})
    told: dict[str, dict[str, tuple[float, ...]]] = {}
    agreed: dict[str, float] = {}
    for source, seen in counts.items():
        told[source] = {}
        for comparison in definition.comparisons:
            everyone = sum((each[comparison.name] for each in counts.values()), np.zeros(len(comparison.levels)))
            m = model.shares[comparison.name].m
            told[source][comparison.name] = _scaled(m, seen[comparison.name], everyone=everyone)
        agreed[source] = sum(m[0] for m in told[source].values())
    ordered = sorted(told, key=lambda source: (-agreed[source], source))
    return replace(model, told={source: told[source] for source in ordered})


def _scaled(m: tuple[float, ...], seen: Floats, *, everyone: Floats) -> tuple[float, ...]:
    """Shares of matches on each level for one source, in proportion to what its links show beside all links."""
    overall = (everyone + PRIOR_PAIRS * np.array(m)) / (everyone.sum() + PRIOR_PAIRS)
    own = (seen + PRIOR_PAIRS * overall) / (seen.sum() + PRIOR_PAIRS)
    return normalised((np.array(m) * own / overall).tolist())


def _counts(
    engine: Engine, definition: MatchDefinition, *, model: Model, sure: str, work: str
) -> Mapping[str, Mapping[str, Floats]]:
    """Sure links by source, comparison and level; of a source's forms of one entity the best counts."""
    forms = f"{work}_index_forms"
    sampled = f"{work}_sampled"
    total = int(engine.rows(f"SELECT count(*) AS n FROM {name(sure)}").column("n")[0].as_py())
    share = min(1.0, SAMPLED / max(total, 1))
    engine.create(
        sampled, f"SELECT record, entity FROM {name(sure)} WHERE hash(record) % 1000000 < {int(share * 1_000_000)}"
    )
    compared = score.compared_sql(definition, score.Relations(sampled, f"{work}_records", forms))
    weight = score.weight_sql(definition, replace(model, told={}))
    levels = ", ".join(score.level_column(c.name) for c in definition.comparisons)
    table = engine.rows(
        f"SELECT source, {levels}, count(*) AS n FROM (SELECT s.source, {levels} FROM "
        f"(SELECT *, {weight} AS weight FROM ({compared})) p "
        f"JOIN (SELECT form, unnest(sources) AS source FROM {name(forms)}) s ON s.form = p.form "
        "QUALIFY row_number() OVER (PARTITION BY p.record, p.entity, s.source ORDER BY p.weight DESC, p.form) = 1) "
        "GROUP BY ALL ORDER BY ALL"
    )
    engine.drop(sampled)
    found: dict[str, dict[str, Floats]] = {}
    sources, n = np.array(table.column("source").to_pylist()), table.column("n").to_numpy().astype(np.float64)
    for source in sorted(set(sources.tolist())):
        own = sources == source
        if n[own].sum() < FEWEST:
            continue
        found[source] = {}
        for comparison in definition.comparisons:
            level = table.column(f"level_{comparison.name}").to_numpy().astype(np.int64)
            held = own & (level >= 0)
            found[source][comparison.name] = np.bincount(
                level[held], weights=n[held], minlength=len(comparison.levels)
            ).astype(np.float64)
    return found
