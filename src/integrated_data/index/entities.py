"""Which records are one entity after a delivery: only what the delivery touches is decided anew.

Scored pairs are kept with a version (`edges.parquet`: low, high, weight as log2 of the odds). A
delivery takes out the pairs of records that say something else now and puts in new ones; every
component that holds such a record is partitioned again, all others stay. What comes out is what a
partition of everything would give, because a component's partition depends on nothing outside it
but pairs of its own records.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching import pairs
from integrated_data.index.matching.basis import Basis
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.pairs import Compared
from integrated_data.index.matching.partition import (
    NO_PAIRS,
    Bonds,
    Bools,
    Sure,
    Weighed,
    components,
    grouped,
    log_odds,
    pieces,
    unweighed,
)
from integrated_data.model.linkage import LinkDecision
from integrated_data.vocabulary.sql import name

#: Pairs this far (log2) below even odds are not kept: no decision feels them.
WEAKEST = -4.0


@dataclass(frozen=True)
class _Records:
    """The records as they stand, in order of their numbers: `entity` of the version before (-1: none)."""

    number: Ints
    source: Ints
    entity: Ints
    touched: Bools

    def place(self, numbers: Ints) -> Ints:
        """Positions of records by number; -1 for those that are no longer there."""
        if len(self.number) == 0:
            return np.full(len(numbers), -1)
        found = np.minimum(np.searchsorted(self.number, numbers), len(self.number) - 1)
        return np.where(self.number[found] == numbers, found, -1).astype(np.int64)


@dataclass(frozen=True)
class _World:
    """What there is to decide: `affected` records are grouped anew."""

    records: _Records
    bonds: Bonds
    edges: Weighed
    affected: Bools


def regroup(engine: Engine, definition: MatchDefinition, *, basis: Basis, compared: Compared, work: str) -> None:
    """Make `<work>_grouped` (record, grp) and `<work>_edges` (low, high, weight).

    Reads `<work>_current` with `entity` (of the version before, or NULL), `<work>_touched`,
    `<work>_old_edges`, `<work>_decided` and `<work>_old_decided` (low, high, kind). A group that was
    not touched keeps its entity's number, others get higher ones.
    """
    records, bonds = _records(engine, single=basis.single, work=work)
    old = _placed(records, _old(engine, work))
    new = _placed(records, compared.judged(basis))
    lasting = (old.left >= 0) & (old.right >= 0)
    stands = lasting & ~records.touched[old.left] & ~records.touched[old.right]
    edges = old.of(stands).and_also(new.of(new.weight >= WEAKEST))
    dirty = records.touched | (records.entity < 0)
    gone = old.of(~stands)
    for end in (gone.left, gone.right, *_turned(engine, records, work=work)):
        dirty[end[end >= 0]] = True
    sure = _sure(definition)
    strong = old.of(lasting).and_also(edges)
    strong = strong.of(sure.of(strong, bonds)).and_also(bonds.must)
    part = components(strong, len(dirty))
    affected = np.bincount(part, weights=dirty, minlength=1)[part] > 0
    world = _World(records, bonds, edges, affected)
    group = _decided(engine, definition, basis=basis, world=world, work=work)
    engine.load(f"{work}_grouped", Held(pa.table({"record": records.number, "grp": group})))
    kept = {"low": records.number[edges.left], "high": records.number[edges.right], "weight": edges.weight}
    engine.load(f"{work}_edges", Held(pa.table(kept)))


def _sure(definition: MatchDefinition) -> Sure:
    """What the policy asks of two records of one source, and of two sources."""
    return Sure(log_odds(definition.policy.merge), log_odds(definition.policy.accept))


def _records(engine: Engine, *, single: frozenset[str], work: str) -> tuple[_Records, Bonds]:
    table = engine.rows(
        f"SELECT c.record, c.source, coalesce(c.entity, -1) AS entity, t.record IS NOT NULL AS touched "
        f"FROM {name(f'{work}_current')} c LEFT JOIN {name(f'{work}_touched')} t ON t.record = c.record "
        "ORDER BY c.record"
    )
    coded = table.column("source").combine_chunks().dictionary_encode()
    records = _Records(
        table.column("record").to_numpy().astype(np.int64),
        coded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        table.column("entity").to_numpy().astype(np.int64),
        table.column("touched").to_numpy(zero_copy_only=False).astype(bool),
    )
    named = coded.dictionary.to_pylist()
    decided = engine.rows(f"SELECT low, high, kind FROM {name(f'{work}_decided')} ORDER BY ALL")
    kinds = np.array(decided.column("kind").to_pylist())
    bound = _placed(records, _weighed(decided, weight=np.zeros(len(kinds))))
    here = (bound.left >= 0) & (bound.right >= 0)
    must, cannot = bound.of(here & (kinds == LinkDecision.MUST)), bound.of(here & (kinds == LinkDecision.CANNOT))
    return records, Bonds(records.source, np.array([s in single for s in named], dtype=bool), must, cannot)


def _turned(engine: Engine, records: _Records, *, work: str) -> tuple[Ints, Ints]:
    """Records about which people decided something that they had not, or withdrew it."""
    old, new = (f"SELECT low, high, kind FROM {name(f'{work}_{which}')}" for which in ("old_decided", "decided"))
    table = engine.rows(f"(({old}) EXCEPT ({new})) UNION ALL (({new}) EXCEPT ({old}))")
    pairs_turned = _placed(records, _weighed(table, weight=np.zeros(len(table))))
    return pairs_turned.left, pairs_turned.right


def _old(engine: Engine, work: str) -> Weighed:
    table = engine.rows(f"SELECT low, high, weight FROM {name(f'{work}_old_edges')}")
    return _weighed(table, weight=table.column("weight").to_numpy().astype(np.float64))


def _weighed(table: pa.Table, *, weight: Floats) -> Weighed:
    low, high = (table.column(end).to_numpy().astype(np.int64) for end in ("low", "high"))
    return Weighed(low, high, weight)


def _placed(records: _Records, pairs_of_numbers: Weighed) -> Weighed:
    left, right = records.place(pairs_of_numbers.left), records.place(pairs_of_numbers.right)
    return Weighed(left, right, pairs_of_numbers.weight)


def _decided(engine: Engine, definition: MatchDefinition, *, basis: Basis, world: _World, work: str) -> Ints:
    """Group of every record: of those affected a new number, of the others their entity's."""
    records, bonds, edges, affected = world.records, world.bonds, world.edges, world.affected
    sure = _sure(definition)
    near = edges.of(affected[edges.left] | affected[edges.right])
    inner = near.of(affected[near.left] & affected[near.right])
    piece = pieces(inner, bonds, sure=sure)
    extra = unweighed(inner, piece)
    weighed = NO_PAIRS
    if len(extra[0]):
        numbers = (records.number[extra[0]], records.number[extra[1]])
        found = pairs.compare_these(engine, definition, basis=basis, pairs=numbers, work=work)
        weighed = _placed(records, found.judged(basis))
    group = grouped(near.and_also(weighed), piece, bonds=bonds, sure=sure)
    first = int(records.entity.max(initial=-1)) + 1
    return np.where(affected, first + group, records.entity)
