"""Matching a delivery to an index: from records to one link per record."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index import candidates, context, strangers
from integrated_data.index.candidates import SETTLED, Scored, count
from integrated_data.index.explain import explain
from integrated_data.index.matching import absence, decide, prepare, score, tellers, train
from integrated_data.index.matching.decide import Competing, Edges, Floats, Ints, Posterior
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model, assumed, check, with_rivals
from integrated_data.index.store import Version
from integrated_data.model.linkage import Band
from integrated_data.vocabulary.sql import name, text

#: The strongest claims to an entity that any other claim is held against.
CLAIMANTS = 50

NO_FLOOR = 1e6  # a floor that drops nothing

#: Tables made on the way.
TABLES = ("records", "edges", "rivalling", "best", "own")

NO_EVIDENCE = "nothing to match on"
SAME_RECORD = "the same record"
BY_MODEL = "model"


@dataclass(frozen=True)
class Request:
    """What to match. `records`: relation with `record_id` and meaning columns; `out`: table to make.

    `one_to_one`: no two records are one entity. Otherwise only records that are duplicates of each
    other share one. `model`: a stored model; None means train one. `cleaned`: `records` was made by
    `clean`. `explain`: table to make with the reasons (see `explain.explain`). `telling`, `without`:
    see `seat.Matching`. `context`: see `index.context`. `learns`: a model that does not know how far each source
    of the index can be relied on, or how often strangers resemble a record, is told by this delivery, trained
    now or stored.
    """

    records: str
    out: str
    one_to_one: bool = False
    model: Model | None = None
    cleaned: bool = False
    explain: str | None = None
    telling: str | None = None
    without: str | None = None
    context: bool = True
    learns: bool = True


@dataclass(frozen=True)
class LinkReport:
    """What became of a delivery's records; holds no personal data."""

    records: int
    accepted: int
    clerical: int
    entities: int  # of the index
    present: float  # share of records estimated to be in the index
    threshold: float  # probability from which a link was accepted
    expected_precision: float  # of accepted links, from their probabilities
    expected_recall: float  # of those estimated to be present
    methods: dict[str, int]  # accepted links by method
    seconds: dict[str, float] = field(default_factory=dict)
    model: Model | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without the model."""
        return {k: v for k, v in asdict(self).items() if k != "model"}


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, step: str) -> Iterator[None]:
        """Time one step; steps of one name add up."""
        start = time.perf_counter()
        yield
        self.seconds[step] = round(self.seconds.get(step, 0.0) + time.perf_counter() - start, 4)


def match(engine: Engine, trainer: train.Trainer, *, version: Version, request: Request) -> LinkReport:
    """Match records to an index version; makes table `request.out` with the columns of a link table."""
    clock, work = Clock(), f"{request.out}_work"
    definition = version.definition
    try:
        with clock.step("prepare"):
            version.load(engine, f"{work}_index", without=request.without)
            if request.cleaned:
                engine.view(f"{work}_records", f"SELECT * FROM {name(request.records)}")
            else:
                clean(engine, definition, records=request.records, out=f"{work}_records")
        with clock.step("train"):
            model = request.model or _train(engine, trainer, version=version, work=work)
            check(model, definition)
            model = with_rivals(model, definition, counts=version.about.rivals)
        with clock.step("score"):
            scored = candidates.scored(engine, version, model=model, work=work)
        with clock.step("decide"):
            found = _decided(engine, version, model=model, scored=scored, request=request)
        if request.learns and not model.told and len(version.about.sources) > 1:
            with clock.step("sources"):
                model = _with_tellers(engine, version, model=model, pass_one=(scored, found), work=work)
                if model.told:
                    scored = candidates.scored(engine, version, model=model, work=work)
                    found = _decided(engine, version, model=model, scored=scored, request=request)
        if request.learns and model.strangers is None:
            with clock.step("strangers"):
                model = _with_strangers(engine, version, model=model, pass_one=(scored, found), request=request)
        if request.context:
            with clock.step("context"):
                scored, found = _in_context(engine, version, model=model, pass_one=(scored, found), request=request)
        found = absence.adjusted(scored.edges, found, records=scored.evidence, strangers=model.strangers)
        if request.explain is not None:
            with clock.step("explain"):
                _hold(engine, scored.edges, probability=found.probability, table=f"{work}_edges")
                numbers = (version.about.entities, found.present)
                explain(engine, definition, model=model, work=work, numbers=numbers, out=request.explain)
        with clock.step("write"):
            report = _write(engine, definition, scored=scored, found=found, work=work, out=request.out)
            if request.telling is not None:
                engine.create(request.telling, _telling_sql(definition, work))
        return replace(report, entities=version.about.entities, seconds=clock.seconds, model=model)
    finally:
        engine.drop(*(f"{work}_{table}" for table in (*TABLES, *candidates.TABLES, *context.TABLES, *strangers.TABLES)))
        version.unload(engine, f"{work}_index")


def _in_context(
    engine: Engine, version: Version, *, model: Model, pass_one: tuple[Scored, Posterior], request: Request
) -> tuple[Scored, Posterior]:
    """The candidates and their posterior with what households say of records that were not surely found."""
    (scored, found), work, definition = pass_one, f"{request.out}_work", version.definition
    among = version.about.entities
    seen = context.Seen(scored.edges, scored.rule, found.probability)
    again = context.with_context(engine, definition, model=model, seen=seen, among=among, work=work)
    if again is None:
        return pass_one
    scored = replace(scored, edges=again.edges, rule=again.rule)
    return scored, _decided(engine, version, model=model, scored=scored, request=request)


def _with_strangers(
    engine: Engine, version: Version, *, model: Model, pass_one: tuple[Scored, Posterior], request: Request
) -> Model:
    """The model with what some records that were surely found are taken for without their entity."""
    (scored, found), work = pass_one, f"{request.out}_work"
    sure = (found.probability >= version.definition.policy.sure) & (scored.rule != SETTLED)
    taken = strangers.taken(engine, scored.edges, sure=sure, work=work)
    if taken is None:
        return model
    instead = candidates.apart(engine, version, model=model, taken=f"{work}_taken", work=work)
    rest = replace(scored, edges=strangers.without(scored.edges, taken, found=instead))
    chance = _decided(engine, version, model=model, scored=rest, request=request, given=found)
    seen = absence.counted(strangers.chances(rest.edges, chance.probability, records=taken))
    return replace(model, strangers=seen)


def _decided(
    engine: Engine,
    version: Version,
    *,
    model: Model,
    scored: Scored,
    request: Request,
    given: Posterior | None = None,
) -> Posterior:
    """Probability that each candidate is the record, sharing out candidates between records."""
    competing = None
    if not request.one_to_one:
        competing = _competing(engine, version.definition, model=model, scored=scored, work=f"{request.out}_work")
    sizes = (max(scored.evidence, 1), version.about.entities)
    return decide.posterior(scored.edges, sizes=sizes, competing=competing, given=given)


def _with_tellers(
    engine: Engine, version: Version, *, model: Model, pass_one: tuple[Scored, Posterior], work: str
) -> Model:
    """The model with how far each source of the index can be relied on (see `tellers`)."""
    scored, found = pass_one
    sure = (found.probability >= version.definition.policy.sure) & (scored.rule != SETTLED)
    pairs = {"record": scored.edges.record[sure], "entity": scored.edges.entity[sure]}
    engine.load(f"{work}_sure", Held(pa.table(pairs)))
    model = tellers.with_tellers(engine, version.definition, model=model, sure=f"{work}_sure", work=work)
    engine.drop(f"{work}_sure")
    return model


def clean(engine: Engine, definition: MatchDefinition, *, records: str, out: str) -> None:
    """Make table `out`: `record` (0, 1, …), `record_id` and the cleaned fields of a records relation."""
    prepare.load_lookups(engine, definition)
    engine.view(f"{out}_numbered", f"SELECT row_number() OVER () - 1 AS record, * FROM {name(records)}")
    columns, carried = engine.columns(records), ("record", "record_id")
    engine.create(out, prepare.cleaned_sql(definition, f"{out}_numbered", columns=columns, carried=carried))
    engine.drop(f"{out}_numbered")


def _train(engine: Engine, trainer: train.Trainer, *, version: Version, work: str) -> Model:
    sides = train.Sides(
        f"{work}_records", f"{work}_index_forms", (count(engine, f"{work}_records"), version.about.forms)
    )
    return train.trained(engine, trainer, start=assumed(version.definition), definition=version.definition, sides=sides)


def _competing(engine: Engine, definition: MatchDefinition, *, model: Model, scored: Scored, work: str) -> Competing:
    """Which records want one entity, and how likely it is that they are duplicates of each other."""
    contested = _contested(scored.edges)
    if len(contested) == 0:
        return Competing(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    _hold(engine, scored.edges, probability=scored.edges.weight, table=f"{work}_edges", only=contested)
    claimants = (
        f"SELECT * FROM {name(f'{work}_edges')} QUALIFY row_number() OVER "
        f"(PARTITION BY entity ORDER BY weight DESC, record) <= {CLAIMANTS}"
    )
    both = f"{name(f'{work}_edges')} a JOIN ({claimants}) b ON b.entity = a.entity AND b.record <> a.record"
    ends = ("least(a.record, b.record)", "greatest(a.record, b.record)")
    engine.create(f"{work}_rivalling", f"SELECT DISTINCT {ends[0]} AS record, {ends[1]} AS entity FROM {both}")
    frequencies = "".join(
        f", NULL::DOUBLE AS {score.frequency_column(f.name)}" for f in definition.fields if f.frequency
    )
    engine.view(
        f"{work}_own", f"SELECT *, record AS form, record AS entity{frequencies} FROM {name(f'{work}_records')}"
    )
    compared = score.compared_sql(definition, score.Relations(f"{work}_rivalling", f"{work}_records", f"{work}_own"))
    alone = replace(model, told={})
    weights = engine.rows(score.scored_sql(definition, alone, compared=compared, among=scored.records, floor=-NO_FLOOR))
    alike = decide.duplicates(weights.column("weight").to_numpy(), scored.records)
    engine.load(
        f"{work}_best",
        Held(pa.table({"record": weights.column("record"), "other": weights.column("entity"), "same": alike})),
    )
    table = engine.rows(
        f"SELECT a.edge, b.edge AS other, coalesce(s.same, 0.0) AS same FROM {both} LEFT JOIN "
        f"{name(f'{work}_best')} s "
        f"ON s.record = {ends[0]} AND s.other = {ends[1]}"
    )
    return Competing(
        table.column("edge").to_numpy().astype(np.int64),
        table.column("other").to_numpy().astype(np.int64),
        table.column("same").to_numpy().astype(np.float64),
    )


def _contested(edges: Edges) -> Ints:
    """Positions of edges whose entity another record wants too."""
    _, group, wanted = np.unique(edges.entity, return_inverse=True, return_counts=True)
    return np.flatnonzero(wanted[group] > 1).astype(np.int64)


def _hold(engine: Engine, edges: Edges, *, probability: Floats, table: str, only: Ints | None = None) -> None:
    """Hand the edges, or those at some positions, to the engine: edge (its position), record, entity, weight,
    probability."""
    chosen = np.arange(len(edges)) if only is None else only
    columns = {
        "edge": chosen, "record": edges.record[chosen], "entity": edges.entity[chosen],
        "weight": edges.weight[chosen], "probability": probability[chosen],
    }  # fmt: skip
    engine.load(table, Held(pa.table(columns)))


def _write(
    engine: Engine, definition: MatchDefinition, *, scored: Scored, found: Posterior, work: str, out: str
) -> LinkReport:
    """Make the link table, one row per record, and count what is in it."""
    chosen = decide.best(scored.edges, found.probability)
    probability = found.probability[chosen]
    accepted_from = decide.threshold(probability, definition.policy)
    bands = np.where(probability >= accepted_from, 0, np.where(probability >= definition.policy.clerical, 1, 2))
    table = pa.table(
        {
            "record": scored.edges.record[chosen], "entity": scored.edges.entity[chosen],
            "probability": probability, "band": bands, "rule": scored.rule[chosen],
        }
    )  # fmt: skip
    engine.load(f"{work}_best", Held(table))
    engine.create(out, _links_sql(definition, work))
    sure = probability[bands == 0]
    return LinkReport(
        records=scored.records,
        accepted=len(sure),
        clerical=int((bands == 1).sum()),
        entities=0,
        present=found.present,
        threshold=accepted_from,
        expected_precision=float(sure.mean()) if len(sure) else 1.0,
        expected_recall=float(sure.sum() / max(found.probability.sum(), 1e-9)) if len(sure) else 0.0,
        methods={r["method"]: r["n"] for r in engine.rows(_methods_sql(out)).to_pylist()},
    )


def _links_sql(definition: MatchDefinition, work: str) -> str:
    rules = " ".join(f"WHEN {i} THEN {text(rule.name)}" for i, rule in enumerate(definition.rules))
    method = (
        f"CASE WHEN NOT {prepare.has_evidence_sql(definition)} THEN {text(NO_EVIDENCE)} "
        f"ELSE CASE b.rule WHEN {SETTLED} THEN {text(SAME_RECORD)} "
        f"WHEN {context.CONTEXT} THEN {text(context.BY_CONTEXT)} {rules} ELSE {text(BY_MODEL)} END END"
    )
    entities = f"JOIN {name(f'{work}_index_entities')} e ON e.entity = b.entity"
    best = f"SELECT b.*, e.entity_id FROM {name(f'{work}_best')} b {entities}"
    return (
        "SELECT l.record_id, CASE WHEN b.band = 0 THEN b.entity_id END AS entity_id, "
        "CASE WHEN b.band = 1 THEN b.entity_id END AS candidate_id, coalesce(b.probability, 0.0) AS probability, "
        f"CASE b.band WHEN 0 THEN {text(Band.ACCEPT)} WHEN 1 THEN {text(Band.CLERICAL)} ELSE {text(Band.NONE)} "
        f"END AS band, "
        f"{method} AS method FROM {name(f'{work}_records')} l LEFT JOIN ({best}) b ON b.record = l.record "
        "ORDER BY l.record"
    )


def _telling_sql(definition: MatchDefinition, work: str) -> str:
    """Records that say enough to be told apart."""
    return f"SELECT record_id FROM {name(f'{work}_records')} WHERE {definition.enough}"


def _methods_sql(out: str) -> str:
    accepted = f"SELECT method FROM {name(out)} WHERE band = {text(Band.ACCEPT)}"
    return f"SELECT method, count(*) AS n FROM ({accepted}) GROUP BY method ORDER BY n DESC, method"
