"""What an index shows of rivals: entities that share a key (a dwelling) and are not one another."""

import numpy as np

from integrated_data.engine import Engine
from integrated_data.index.matching import prepare, score
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model, RivalCounts, Shares
from integrated_data.vocabulary.sql import name, names

SAMPLED_KEYS = 200_000  # pairs of rivals looked at, about
ROUNDS = 8
FEWEST = 50


def rival_counts(engine: Engine, definition: MatchDefinition, *, model: Model, work: str) -> RivalCounts | None:
    """Count levels of agreement among rivals; None where no key shows any.

    Reads `<work>_keys` (kind, key, entity) and `<work>_forms`. Some pairs are duplicates that were
    not found: each pattern of levels counts with the probability that it is not one.
    """
    if definition.rivals is None:
        return None
    kind = next(i for i, key in enumerate(definition.keys) if key.name == definition.rivals.key)
    keys = f"(SELECT key, entity FROM {name(f'{work}_keys')} WHERE kind = {kind})"
    shape = engine.rows(
        f"SELECT coalesce(sum(n * (n - 1)), 0)::DOUBLE AS pairs, coalesce(sum(n), 0)::DOUBLE AS held "
        f"FROM (SELECT count(*) AS n FROM {keys} GROUP BY key)"
    ).to_pylist()[0]
    if shape["pairs"] < FEWEST:
        return None
    share = min(1.0, SAMPLED_KEYS / shape["pairs"])
    engine.create(
        f"{work}_rivals",
        f"SELECT a.entity AS record, b.entity FROM {keys} a JOIN {keys} b ON b.key = a.key AND b.entity > a.entity "
        f"WHERE hash(a.key) % 1000000 < {int(share * 1_000_000)}",
    )
    told = [c for c in definition.comparisons if c.name in dict(definition.rivals.levels)]
    columns = ", ".join(score.level_column(c.name) for c in told)
    fields = names(prepare.kept(definition))
    engine.view(f"{work}_as_records", f"SELECT entity AS record, {fields} FROM {name(f'{work}_forms')}")
    compared = score.compared_sql(definition, score.Relations(f"{work}_rivals", f"{work}_as_records", f"{work}_forms"))
    table = engine.rows(f"SELECT {columns}, count(*) AS n FROM ({compared}) GROUP BY ALL ORDER BY ALL")
    engine.drop(f"{work}_rivals", f"{work}_as_records")
    n: Floats = table.column("n").to_numpy().astype(np.float64)
    levels = [table.column(f"level_{c.name}").to_numpy().astype(np.int64) for c in told]
    chance = _duplicates(levels, n, shares=[model.shares[c.name] for c in told])
    counts = {
        c.name: tuple(
            float(v)
            for v in np.bincount(level[level >= 0], weights=(n * (1 - chance))[level >= 0], minlength=len(c.levels))
        )
        for c, level in zip(told, levels, strict=True)
    }
    different = float((n * (1.0 - chance)).sum() / n.sum()) if len(n) else 1.0
    return RivalCounts(different * shape["pairs"] / shape["held"], counts)


def _duplicates(levels: list[Ints], n: Floats, *, shares: list[Shares]) -> Floats:
    """Probability that pairs of each pattern are duplicates. `levels` and `n`: patterns and their pairs.

    Only the rate of duplicates is estimated; were the rivals' shares free too, they would come to
    describe the duplicates where those abound.
    """
    ratios = [
        _log_share(np.array(s.m), level) - _log_share(np.array(s.rival), level)
        for s, level in zip(shares, levels, strict=True)
    ]
    ratio = np.exp(np.clip(sum(ratios, np.zeros(len(n))), -60, 60))
    rate, chance = 0.02, np.zeros(len(n))
    for _ in range(ROUNDS):
        odds = ratio * rate / (1.0 - rate)
        chance = odds / (1.0 + odds)
        rate = float(np.clip((n * chance).sum() / max(n.sum(), 1.0), 1e-4, 0.99))
    return chance


def _log_share(shares: Floats, level: Ints) -> Floats:
    return np.where(level >= 0, np.log(shares[np.maximum(level, 0)]), 0.0)
