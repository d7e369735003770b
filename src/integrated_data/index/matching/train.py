"""Training: m and u of a model from a delivery and an index, without any known links.

u comes from pairs at random, m from expectation–maximisation in blocks (pairs that agree on some
fields), once per source and on a sample of its whole, never on what an earlier step left over.
The estimates are Splink's, handed in as a `Trainer`; what it could not see stays as assumed.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from integrated_data.engine import Engine
from integrated_data.index.matching import prepare
from integrated_data.index.matching.definition import Comparison, MatchDefinition
from integrated_data.index.matching.model import PRIOR_PAIRS, Model, Shares, normalised
from integrated_data.vocabulary.sql import name, names

#: Fewer records than this say too little: the assumed model is kept.
FEWEST = 200

RANDOM_RECORDS = 500  # of each side: their product is the number of pairs at random
SAMPLED_RECORDS = 20_000
BLOCK_BUDGET = 4_000_000_000  # sampled records times index entities, so that blocks stay small


@dataclass(frozen=True)
class Task:
    """What a trainer works on. Every table has `number` and the cleaned fields.

    `comparisons`: those with values on both sides. `blocks`: fields that agree, each with pairs in
    it. `random`: two small samples whose every pair is compared for u. `records` and `others`: for
    m; `others` None means pairs within `records`.
    """

    definition: MatchDefinition
    start: Model
    comparisons: tuple[Comparison, ...]
    blocks: tuple[tuple[str, ...], ...]
    random: tuple[pa.Table, pa.Table] = field(compare=False)
    records: pa.Table = field(compare=False)
    others: pa.Table | None = field(compare=False)


@dataclass(frozen=True)
class Estimates:
    """Shares by comparison and level; None where the trainer saw no such pair."""

    m: dict[str, tuple[float | None, ...]]
    u: dict[str, tuple[float | None, ...]]


class Trainer(Protocol):
    """Estimates m and u (see `site.splink_training`)."""

    def train(self, task: Task) -> Estimates:
        """Shares of matching and of random pairs on every level."""
        ...


@dataclass(frozen=True)
class Sides:
    """Relations to train on: `records` cleaned with `record`; `forms` cleaned with `form`, or None for
    pairs within `records`; and how many rows each has."""

    records: str
    forms: str | None
    sizes: tuple[int, int]


def trained(engine: Engine, trainer: Trainer, *, start: Model, definition: MatchDefinition, sides: Sides) -> Model:
    """A model trained on `sides`, or `start` where they say too little."""
    task = _task(engine, definition, start=start, sides=sides)
    if min(sides.sizes) < FEWEST or not task.blocks or not task.comparisons:
        return start
    estimates = trainer.train(task)
    shares = dict(start.shares)
    pairs = task.random[0].num_rows * task.random[1].num_rows
    for comparison in task.comparisons:
        shares[comparison.name] = _shares(
            comparison, start.shares[comparison.name], estimates=estimates, seen=(task.records.num_rows, pairs)
        )
    return replace(start, shares=shares, origin="trained")


def _shares(comparison: Comparison, start: Shares, *, estimates: Estimates, seen: tuple[int, int]) -> Shares:
    m = _smoothed(estimates.m.get(comparison.name, ()), start.m, seen=seen[0])
    u = _seen_or_rare(estimates.u.get(comparison.name, ()), start.u, pairs=seen[1])
    if m[0] / u[0] <= m[-1] / u[-1]:  # the closest level must speak for a match: else nothing was learnt
        return start
    return replace(start, m=m, u=u)


def _smoothed(found: tuple[float | None, ...], start: tuple[float, ...], *, seen: int) -> tuple[float, ...]:
    if not found:
        return start
    values = [
        s if f is None else (f * seen + PRIOR_PAIRS * s) / (seen + PRIOR_PAIRS)
        for f, s in zip(found, start, strict=True)
    ]
    return normalised(values)


def _seen_or_rare(found: tuple[float | None, ...], start: tuple[float, ...], *, pairs: int) -> tuple[float, ...]:
    if not found:
        return start
    return normalised([f if f else min(s, 0.5 / pairs) for f, s in zip(found, start, strict=True)])


def _task(engine: Engine, definition: MatchDefinition, *, start: Model, sides: Sides) -> Task:
    fields = names(prepare.kept(definition))
    limit = max(2_000, min(SAMPLED_RECORDS, BLOCK_BUDGET // max(sides.sizes[1], 1)))
    records = _sample_sql(sides.records, "record", fields=fields, share=limit / max(sides.sizes[0], 1))
    left = _sample_sql(sides.records, "record", fields=fields, share=RANDOM_RECORDS / max(sides.sizes[0], 1))
    forms, number = (sides.records, "record") if sides.forms is None else (sides.forms, "form")
    right = _sample_sql(forms, number, fields=fields, share=RANDOM_RECORDS / max(sides.sizes[1], 1), turn=7)
    sample = engine.rows(records)
    held = prepare.held(engine, definition, relation=sides.records) & prepare.held(engine, definition, relation=forms)
    blocks = tuple(block for block in definition.training if all(f in held for f in block))
    others = None
    if sides.forms is not None:
        others = engine.rows(_in_blocks_sql(records, forms, fields=fields, blocks=blocks))
    return Task(
        definition, start,
        tuple(c for c in definition.comparisons if any(f in held for f in c.fields)),
        blocks, (engine.rows(left), engine.rows(right)), sample, others,
    )  # fmt: skip


def _sample_sql(relation: str, number: str, *, fields: str, share: float, turn: int = 0) -> str:
    within = "" if share >= 1.0 else f" WHERE hash({name(number)}, {turn}) % 1000000 < {int(share * 1_000_000)}"
    return f"SELECT {name(number)} AS number, {fields} FROM {name(relation)}{within}"


def _in_blocks_sql(records: str, forms: str, *, fields: str, blocks: tuple[tuple[str, ...], ...]) -> str:
    """Forms that share a block with a sampled record: the only ones that training can pair with it."""
    together = " OR ".join(
        f"({', '.join(f'f.{name(b)}' for b in block)}) IN (SELECT ({names(block)}) FROM sampled)"
        if len(block) > 1
        else f"f.{name(block[0])} IN (SELECT {name(block[0])} FROM sampled)"
        for block in blocks
    )
    chosen = f"SELECT form AS number, {fields} FROM {name(forms)} f WHERE {together or 'FALSE'}"
    return f"WITH sampled AS MATERIALIZED ({records}) {chosen}"
