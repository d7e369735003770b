"""One record against a version held open: candidates, how likely each is, and why, in milliseconds.

The same keys, weights and posterior as for a delivery (`index.link`), for a delivery of one record that
teaches nothing: no model is trained on it, no household is seen beside it, and how many records are in
the index is as assumed before a delivery is seen. Forms stay in the engine; keys stay in memory, sorted,
some twenty bytes for each (about thirteen an entity for people).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine
from integrated_data.index import explain, link
from integrated_data.index.candidates import FLOOR
from integrated_data.index.matching import block, decide, prepare, score
from integrated_data.index.matching.decide import Edges, Floats, Ints
from integrated_data.index.matching.definition import Field, MatchDefinition
from integrated_data.index.matching.model import Model, check, with_rivals
from integrated_data.index.store import Version
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import Band
from integrated_data.vocabulary.sql import name, names

RAW, RECORD, PAIRS = "one_raw", "one_record", "one_pairs"

Ask = Callable[[Sequence[object]], pa.Table]


@dataclass(frozen=True)
class Reason:
    """One step of why: a comparison, the level it reached and its weight in log2 of the odds."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True)
class Candidate:
    """An entity that may be the record. The weights of `reasons` add up to log2 of the odds that it is,
    before other candidates compete; `probability` is against them and "not in the index" together."""

    entity_id: int
    probability: float
    method: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Answer:
    """What became of a record. `entity_id`: of the first candidate, in band accept only; `candidates`: the
    likeliest first; `model`: whose weights decided."""

    band: Band
    entity_id: int | None
    probability: float
    method: str
    candidates: tuple[Candidate, ...]
    model: str


class Answering(Protocol):
    """An index version held open for one record after another."""

    def match(self, record: Mapping[str, object], *, alternatives: int = explain.ALTERNATIVES) -> Answer:
        """Candidates for a record of values by meaning, the likeliest first."""
        ...


@dataclass(frozen=True)
class Weighing:
    """A model to decide with, and where it is from, for people."""

    model: Model
    origin: str


@dataclass(frozen=True)
class _Prepared:
    """Two queries: from raw values to cleaned ones and keys; from those and candidates to scores."""

    columns: tuple[str, ...]
    fields: tuple[str, ...]
    clean: Ask
    score: Ask
    origin: str


@dataclass
class Matcher:
    """An index version held open; `open_matcher` makes one. One record at a time: it is not for threads.

    `weighing`: which model decides for records with those columns.
    """

    engine: Engine
    version: Version
    weighing: Callable[[frozenset[str]], Weighing]
    work: str
    keys: tuple[Ints, Ints, Ints]  # kind, key (sorted) and entity
    ids: Ints  # entity id by entity number
    _prepared: dict[frozenset[str], _Prepared] = field(default_factory=dict)

    def match(self, record: Mapping[str, object], *, alternatives: int = explain.ALTERNATIVES) -> Answer:
        """Candidates for a record: values by meaning (`given_name`, `date_of_birth`, …); None and '' are missing.

        Refuses columns that the index does not read, and a date or number that is none.
        """
        given = {c: v for c, v in record.items() if v is not None and str(v).strip()}
        self._check_columns(frozenset(record))
        if not given:
            return Answer(Band.NONE, None, 0.0, link.NO_EVIDENCE, (), self.weighing(frozenset(record)).origin)
        ready = self._ready(frozenset(record))
        row = ready.clean([_checked(c, given.get(c)) for c in ready.columns]).to_pylist()[0]
        if not row["evidence"]:
            return Answer(Band.NONE, None, 0.0, link.NO_EVIDENCE, (), ready.origin)
        wanted = self._candidates(row["keys"])
        scored = ready.score([wanted.tolist(), *(row[f] for f in ready.fields)])
        return self._answer(scored, ready=ready, alternatives=alternatives)

    def close(self) -> None:
        """Let go of what is held in the engine."""
        lookups = (f"lookup_{each.name}" for each in self.version.definition.lookups)
        self.engine.drop(f"{self.work}_forms", *lookups)
        self._prepared.clear()

    def _candidates(self, keys: Sequence[Sequence[int]]) -> Ints:
        """Entities worth comparing, as `block.candidates_sql` chooses them for deliveries."""
        first, narrow, wide = block.turns(self.version.definition)
        entities, shares = self._shared(keys, kinds=first)
        if first and len(entities) and shares.max() == len(first):
            return entities[np.flatnonzero(2 * shares >= len(first))]
        entities, shares = self._shared(keys, kinds=(*first, *narrow))
        if len(entities) and shares.max() >= self.version.definition.policy.settled:
            return entities[np.flatnonzero(2 * shares > shares.max())]
        return np.union1d(entities, self._sharing(keys, kinds=wide)).astype(np.int64)

    def _shared(self, keys: Sequence[Sequence[int]], *, kinds: Sequence[int]) -> tuple[Ints, Ints]:
        """Entities that share keys of those kinds, and how many each."""
        entities, shares = np.unique(self._sharing(keys, kinds=kinds), return_counts=True)
        return entities.astype(np.int64), shares.astype(np.int64)

    def _sharing(self, keys: Sequence[Sequence[int]], *, kinds: Sequence[int]) -> Ints:
        kind, key, entity = self.keys
        wanted = np.unique([k for i in kinds for k in keys[i]]).astype(np.int64)
        spans = zip(np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right"), strict=True)
        parts = [entity[a:b][np.isin(kind[a:b], kinds)] for a, b in spans]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def _ready(self, columns: frozenset[str]) -> _Prepared:
        if columns not in self._prepared:
            self._prepared[columns] = self._prepare(columns)
        return self._prepared[columns]

    def _check_columns(self, columns: frozenset[str]) -> None:
        definition = self.version.definition
        known = sorted({column for each in definition.fields for column in each.reads})
        if not columns <= set(known):
            raise IndexRefusal(
                f"The record cannot be matched to the {definition.index.name} index",
                why="It has a column that the index does not read",
                next_step=f"Name its values by what they mean: {', '.join(known)}",
            )

    def _prepare(self, columns: frozenset[str]) -> _Prepared:
        definition = self.version.definition
        weighing, ordered = self.weighing(columns), tuple(sorted(columns))
        check(weighing.model, definition)
        model = with_rivals(weighing.model, definition, counts=self.version.about.rivals)
        cleaned = _cleaned_sql(definition, ordered)
        self.engine.view(f"{self.work}_shape", _cleaned_sql(definition, ()))
        types = {k: v for k, v in self.engine.columns(f"{self.work}_shape").items() if k != "record_id"}
        self.engine.drop(f"{self.work}_shape")
        asked = (
            f"WITH {RECORD} AS MATERIALIZED ({cleaned}) SELECT {names(types)}, "
            f"{prepare.has_evidence_sql(definition)} AS evidence, {block.row_keys_sql(definition)} AS keys "
            f"FROM {RECORD}"
        )
        scored = _scored_sql(definition, model, types=types, work=self.work, among=self.version.about.entities)
        raw = self.engine.prepare(asked, [prepare.TYPES.get(c, "VARCHAR") for c in ordered])
        scores = self.engine.prepare(scored, ["BIGINT[]", *types.values()])
        return _Prepared(ordered, tuple(types), raw, scores, weighing.origin)

    def _answer(self, scored: pa.Table, *, ready: _Prepared, alternatives: int) -> Answer:
        definition, among = self.version.definition, self.version.about.entities
        weight: Floats = scored.column("weight").to_numpy().astype(np.float64)
        scored = scored.filter(pa.array(weight >= math.log2(max(among, 1)) - FLOOR))
        entity = scored.column("entity").to_numpy().astype(np.int64)
        weight = scored.column("weight").to_numpy().astype(np.float64)
        edges = Edges(np.zeros(len(entity), dtype=np.int64), entity, weight)
        found = decide.posterior(edges, sizes=(1, among))
        order = np.lexsort((entity, -weight, -found.probability))[:alternatives]
        odds = found.present / ((1.0 - found.present) * (1.0 - found.claimed) * max(among, 1))
        prior = Reason(explain.PRIOR, "", math.log2(odds))
        rows = scored.take(pa.array(order)).to_pylist()
        candidates = tuple(
            Candidate(
                int(self.ids[row["entity"]]), float(found.probability[at]), _method(definition, row["rule"]),
                (prior, *_reasons(definition, row)),
            )
            for at, row in zip(order, rows, strict=True)
        )  # fmt: skip
        if not candidates:
            return Answer(Band.NONE, None, 0.0, link.BY_MODEL, (), ready.origin)
        best, policy = candidates[0], definition.policy
        accepted = best.probability >= decide.threshold(np.array([best.probability]), policy)
        band = Band.ACCEPT if accepted else Band.CLERICAL if best.probability >= policy.clerical else Band.NONE
        entity_id = best.entity_id if accepted else None
        return Answer(band, entity_id, best.probability, best.method, candidates, ready.origin)


def open_matcher(
    engine: Engine, version: Version, *, weighing: Callable[[frozenset[str]], Weighing], work: str
) -> Matcher:
    """Hold a version open: its forms as a table of the engine, its keys sorted in memory; seconds.

    An engine of its own with one thread answers soonest: for one record, sharing out work costs more than the work.
    """
    prepare.load_lookups(engine, version.definition)
    for lookup in (
        f"lookup_{each.name}" for each in version.definition.lookups
    ):  # tables: what is held is planned anew
        engine.create(f"{work}_{lookup}", f"SELECT * FROM {name(lookup)}")
        engine.drop(lookup)
        engine.create(lookup, f"SELECT * FROM {name(f'{work}_{lookup}')}")
        engine.drop(f"{work}_{lookup}")
    version.load(engine, work)
    engine.create(f"{work}_held", f"SELECT * FROM {name(f'{work}_forms')} ORDER BY entity, form")
    keys = engine.rows(f"SELECT kind::BIGINT AS kind, key, entity FROM {name(f'{work}_keys')} ORDER BY key")
    ids = engine.rows(f"SELECT entity, entity_id FROM {name(f'{work}_entities')} ORDER BY entity")
    version.unload(engine, work)
    engine.create(f"{work}_forms", f"SELECT * FROM {name(f'{work}_held')}")
    engine.drop(f"{work}_held")
    numbers = ids.column("entity").to_numpy().astype(np.int64)
    by_number = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=np.int64)
    by_number[numbers] = ids.column("entity_id").to_numpy().astype(np.int64)
    kind, key, entity = (keys.column(c).to_numpy().astype(np.int64) for c in ("kind", "key", "entity"))
    return Matcher(engine, version, weighing, work, (kind, key, entity), by_number)


def _cleaned_sql(definition: MatchDefinition, columns: Sequence[str]) -> str:
    """The cleaned record, over `$1`, `$2`, … in the order of `columns`."""
    values = "".join(f", ${i}::{prepare.TYPES.get(c, 'VARCHAR')} AS {name(c)}" for i, c in enumerate(columns, start=1))
    raw = f"SELECT '' AS record_id{values}"
    fields = tuple(_alone(f) for f in definition.fields)  # of one record no value is met twice
    definition = replace(definition, fields=fields)
    return f"WITH {RAW} AS ({raw}) SELECT * FROM ({prepare.cleaned_sql(definition, RAW, columns=columns)})"


def _alone(each: Field) -> Field:
    if each.lookup is None:
        return replace(each, of=None)
    stands = f"(SELECT max(stands) FROM {name(f'lookup_{each.lookup}')} WHERE word = {each.sql})"
    return replace(each, of=None, lookup=None, sql=f"coalesce({stands}, {each.sql})")


def _scored_sql(definition: MatchDefinition, model: Model, *, types: Mapping[str, str], work: str, among: int) -> str:
    """The best form of each entity in `$1` for the cleaned record in `$2`, …: entity, weight, rule, guard, and
    the level and the weight of every comparison."""
    fields = ", ".join(f"${i}::{kind} AS {name(f)}" for i, (f, kind) in enumerate(types.items(), start=2))
    relations = score.Relations(PAIRS, RECORD, f"{work}_forms")
    told = ", ".join(f"{score.told_weight_sql(c, model)} AS {name('weight_' + c.name)}" for c in definition.comparisons)
    guard = score.guarded_sql("0.0", "rival", rivals=model.rivals, among=among)
    return (
        f"WITH {RECORD} AS (SELECT 0::BIGINT AS record, {fields}), "
        f"{PAIRS} AS (SELECT 0::BIGINT AS record, unnest($1::BIGINT[]) AS entity), "
        f"scored AS (SELECT *, {told}, {score.weight_sql(definition, model)} AS alone, "
        f"{score.rival_weight_sql(definition, model)} AS rival, {score.rule_sql(definition)} AS rule "
        f"FROM ({score.compared_sql(definition, relations, tellers=model.told)})) "
        f"SELECT *, {guard} AS guard, alone + {guard} AS weight FROM scored "
        "QUALIFY row_number() OVER (PARTITION BY entity ORDER BY weight DESC, form) = 1"
    )


def _reasons(definition: MatchDefinition, row: Mapping[str, Any]) -> tuple[Reason, ...]:
    reasons = []
    for comparison in definition.comparisons:
        level = row[f"level_{comparison.name}"]
        label = comparison.levels[level].label if level >= 0 else "missing"
        reasons.append(Reason(comparison.title, label, float(row[f"weight_{comparison.name}"])))
    if definition.rivals is not None:
        reasons.append(Reason(f"{explain.GUARD}: {definition.rivals.name}", "", float(row["guard"])))
    return tuple(reasons)


def _method(definition: MatchDefinition, rule: int) -> str:
    return definition.rules[rule].name if rule >= 0 else link.BY_MODEL


def _checked(column: str, value: object) -> object:
    """The value as the index reads it; refuses a date or number that is none, without showing it."""
    kind = prepare.TYPES.get(column)
    if value is None or kind is None:
        return None if value is None else str(value)
    try:
        if kind == "INTEGER":
            return int(str(value))
        return (value.date() if isinstance(value, datetime) else date.fromisoformat(str(value))).isoformat()
    except ValueError:
        raise IndexRefusal(
            f"The record's {column} cannot be read",
            why="It is no whole number" if kind == "INTEGER" else "It is no date",
            next_step="Write it as a number" if kind == "INTEGER" else "Write it as YYYY-MM-DD",
        ) from None
