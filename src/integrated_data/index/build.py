"""Building an index: a new immutable version from the one before and what one source says now.

Who is one entity follows from the records as they stand, what they are judged by (`matching.basis`)
and what people decided; only what a delivery touches is decided anew (`entities`), and ids continue
through `life`. Nothing of an entity is forgotten: what a source no longer says is closed, not deleted.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from integrated_data.engine import Engine
from integrated_data.index import candidates, entities, link, renumber, settle, write
from integrated_data.index.matching import block, decide, pairs, prepare, rivals, train
from integrated_data.index.matching.basis import Basis, Learnt, frequencies_sql
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import assumed
from integrated_data.index.matching.pairs import Compared
from integrated_data.index.sources import LoadReport, Source
from integrated_data.index.store import FILES, Version, probe
from integrated_data.model.errors import IndexRefusal
from integrated_data.vocabulary.sql import name, names, text

__all__ = ["LoadReport", "Source", "add_source"]

WORK = write.WORK

#: Training on duplicates needs this share of records to have one, and at least this many pairs.
DUPLICATED, FEWEST_PAIRS = 0.05, 300

#: A source numbers its records by an identifier of which a smaller share than this is there again.
SHARED = 0.001


def add_source(
    engine: Engine, trainer: train.Trainer, *, definition: MatchDefinition, previous: Version | None,
    source: Source, folder: Path,
) -> tuple[Version, LoadReport]:  # fmt: skip
    """Write the version in `folder` (made by this call) that follows `previous` and holds `source` too."""
    clock = link.Clock()
    folder.mkdir(mode=0o700, parents=True)
    try:
        with clock.step("prepare"):
            if source.numbered and previous is not None and source.name in previous.basis().sources:
                source = renumber.renumbered(engine, trainer, definition=definition, previous=previous, source=source)
            link.clean(engine, definition, records=source.records, out=f"{WORK}_records")
            _refuse_repeated_ids(engine, source)
            write.load_previous(engine, definition, previous=previous, work=WORK)
            _stated(engine, definition, source=source)
        with clock.step("compare"):
            basis, compared = _compared(engine, trainer, definition=definition, previous=previous, source=source)
            if source.settled is not None:
                compared = settle.among_new(engine, compared, settled=source.settled, work=WORK)
                compared = compared.of(np.full(len(compared.left), not source.one_to_one))
        with clock.step("group"):
            _decisions(engine, source)
            entities.regroup(engine, definition, basis=basis, compared=compared, work=WORK)
            pairs.drop(engine, definition, work=WORK)
        with clock.step("write"):
            version, events = write.version(engine, definition, previous=previous, source=source, made=(basis, folder))
        return version, replace(
            _report(engine, source), entities=version.about.entities, events=events, seconds=clock.seconds
        )
    finally:
        _drop(engine, definition, previous=previous)
        engine.drop(renumber.RENUMBERED, renumber.MET)


def _refuse_repeated_ids(engine: Engine, source: Source) -> None:
    counts = engine.rows(
        f"SELECT count(*) AS n, count(record_id) AS held, count(DISTINCT record_id) AS ids FROM {WORK}_records"
    ).to_pylist()[0]
    if counts["n"] != counts["ids"] or counts["held"] != counts["n"]:
        raise IndexRefusal(
            f"Source {source.name} was not loaded",
            why="Its record ids are not unique, or some are missing",
            next_step="Name the column that numbers its records, or none: then rows are numbered",
        )


def number_sql(source: str, record_id: str) -> str:
    """The number of a record: a hash of its source and id, the same in every version."""
    return f"(hash({source}, {record_id}) >> 1)::BIGINT"


def _stated(engine: Engine, definition: MatchDefinition, *, source: Source) -> None:
    """Tables of what records say: see `matching.pairs`; `<work>_current` has `record_id` and `entity` too."""
    own = text(source.name)
    fields = names(prepare.kept(definition))
    engine.create(
        f"{WORK}_told",
        f"SELECT {number_sql(own, 'record_id::VARCHAR')} AS record, record_id::VARCHAR AS record_id, "
        f"-1 - record AS spot, {prepare.print_sql(definition)} AS print FROM {WORK}_records",
    )
    engine.view(
        f"{WORK}_content",
        f"SELECT form AS spot, print, {fields} FROM {WORK}_old_forms UNION ALL "
        f"SELECT -1 - record, {prepare.print_sql(definition)}, {fields} FROM {WORK}_records",
    )
    engine.create(
        f"{WORK}_mine",
        f"SELECT {number_sql('o.source', 'o.record_id')} AS record, o.record_id, o.entity, o.form, f.print "
        f"FROM {WORK}_old_records o JOIN {WORK}_old_forms f ON f.form = o.form WHERE o.source = {own}",
    )
    engine.create(
        f"{WORK}_stands",
        f"SELECT {number_sql('source', 'record_id')} AS record, source, record_id, form AS spot, entity "
        f"FROM {WORK}_old_records WHERE source <> {own} UNION ALL "
        f"SELECT t.record, {own}, t.record_id, t.spot, m.entity FROM {WORK}_told t "
        f"LEFT JOIN {WORK}_mine m ON m.record = t.record",
    )
    engine.create(
        f"{WORK}_moved",
        f"SELECT coalesce(t.record, m.record) AS record, m.form AS was, t.spot AS now FROM {WORK}_told t "
        f"FULL JOIN {WORK}_mine m ON m.record = t.record WHERE t.print IS DISTINCT FROM m.print",
    )


def _compared(
    engine: Engine, trainer: train.Trainer, *, definition: MatchDefinition, previous: Version | None, source: Source
) -> tuple[Basis, Compared]:
    """What records are judged by, and the pairs of those that the delivery touches."""
    kept = source.basis or previous
    basis = kept.basis() if kept else Basis()
    held = candidates.count(engine, f"{WORK}_stands")
    counted = source.basis is None and basis.outgrown(held)
    told = candidates.count(engine, f"{WORK}_records") > 0  # nothing is learnt from a source that says nothing
    new = source.basis is None and source.name not in basis.sources and told
    if kept:
        engine.load(f"{WORK}_frequencies", kept.frequencies())
    if new:
        basis = _begun(engine, trainer, definition=definition, basis=basis, source=source)
    current = " ".join(f"WHEN {text(each)} THEN {turn}" for turn, each in enumerate(basis.sources))
    turned = f"CASE source {current} ELSE -1 END" if current else "-1"
    engine.create(f"{WORK}_current", f"SELECT *, {turned} AS turn FROM {WORK}_stands")
    if counted:
        basis = _counted(engine, definition, basis=basis)
    everything = counted or source.anew or previous is None or previous.about.probe != probe(engine)
    pairs.touch(engine, definition, source=None if everything else source.name, work=WORK)
    if counted:
        basis = _with_rivals(engine, definition, basis=basis)
    compared = pairs.compare(engine, definition, basis=basis, work=WORK)
    if everything:
        engine.view(
            f"{WORK}_old_edges", "SELECT 0::BIGINT AS low, 0::BIGINT AS high, 0.0::DOUBLE AS weight WHERE FALSE"
        )
    return (
        _learnt(engine, trainer, definition=definition, world=(basis, compared), source=source)
        if new
        else (basis, compared)
    )


def _begun(
    engine: Engine, trainer: train.Trainer, *, definition: MatchDefinition, basis: Basis, source: Source
) -> Basis:
    """The basis with a new source, its model trained on its records against those of others."""
    own, others = candidates.count(engine, f"{WORK}_records"), candidates.count(engine, f"{WORK}_old_forms")
    model = assumed(definition)
    if others:
        sides = train.Sides(f"{WORK}_records", f"{WORK}_old_forms", (own, others))
        model = train.trained(engine, trainer, start=model, definition=definition, sides=sides)
    learnt = Learnt(model, single=source.one_to_one, numbering=_numbering(engine, definition))
    return replace(basis, sources={**basis.sources, source.name: learnt}, counts={**basis.counts, source.name: own})


def _numbering(engine: Engine, definition: MatchDefinition) -> tuple[str, ...]:
    """Comparisons of numbers that hardly any two records of the source share: it numbers its records by them."""
    told = definition.rivals.told if definition.rivals else ()
    found = []
    for comparison in told:
        field = name(definition.comparison(comparison).fields[0])
        counts = engine.rows(f"SELECT count({field}) AS held, count(DISTINCT {field}) AS values FROM {WORK}_records")
        held, values = (counts.column(c)[0].as_py() for c in ("held", "values"))
        if held >= train.FEWEST and held - values < SHARED * held:
            found.append(comparison)
    return tuple(found)


def _counted(engine: Engine, definition: MatchDefinition, *, basis: Basis) -> Basis:
    """The basis with frequencies of the records as they stand, and how many each source has."""
    fields = names(f.name for f in definition.fields if f.frequency)
    engine.create(
        f"{WORK}_valued",
        f"SELECT {fields or 's.spot'} FROM {WORK}_current c JOIN {WORK}_content s ON s.spot = c.spot",
    )
    engine.create(f"{WORK}_frequencies", frequencies_sql(definition, f"{WORK}_valued"))
    engine.drop(f"{WORK}_valued")
    sizes = engine.rows(f"SELECT source, count(*) AS n FROM {WORK}_current GROUP BY source ORDER BY source").to_pylist()
    counts = {row["source"]: row["n"] for row in sizes}
    return replace(basis, counts=counts, counted=max(sum(counts.values()), 1))


def _with_rivals(engine: Engine, definition: MatchDefinition, *, basis: Basis) -> Basis:
    """The basis with what the records as they stand show of rivals."""
    seen = f"{WORK}_seen"
    engine.view(f"{seen}_keys", f"SELECT kind, key, record AS entity FROM {WORK}_held")
    engine.view(f"{seen}_forms", f"SELECT * FROM {WORK}_weighing")
    last = basis.model(len(basis.sources) - 1, definition)
    counts = rivals.rival_counts(engine, definition, model=last, work=seen)
    engine.drop(f"{seen}_keys", f"{seen}_forms")
    return replace(basis, rivals=counts)


def _learnt(
    engine: Engine,
    trainer: train.Trainer,
    *,
    definition: MatchDefinition,
    world: tuple[Basis, Compared],
    source: Source,
) -> tuple[Basis, Compared]:
    """The basis with how often a new source's records are in others, and repeat one another.

    Where they repeat one another often and there is nothing else to train on, they train the model.
    """
    basis, compared = world
    learnt, own = basis.sources[source.name], basis.counts[source.name]
    within, across = _parts(compared, basis.turn(source.name))
    alike = decide.duplicates(within.weight, own)
    if learnt.model.origin == "assumed" and alike.sum() > max(FEWEST_PAIRS, DUPLICATED * own):
        sides = train.Sides(f"{WORK}_records", None, (own, own))
        model = train.trained(engine, trainer, start=learnt.model, definition=definition, sides=sides)
        learnt = replace(learnt, model=model)
        basis = replace(basis, sources={**basis.sources, source.name: learnt})
        compared = pairs.compare(engine, definition, basis=basis, work=WORK)
        within, across = _parts(compared, basis.turn(source.name))
        alike = decide.duplicates(within.weight, own)
    repeated = decide.rate(alike, own)
    if len(across.weight):
        records = engine.rows(f"SELECT record FROM {WORK}_told ORDER BY record").column("record").to_numpy()
        mine = np.isin(across.left, records)
        left, right = (
            np.unique(np.where(one, across.left, across.right), return_inverse=True)[1].astype(np.int64)
            for one in (mine, ~mine)
        )
        edges = decide.Edges(left, right, across.weight)
        found = decide.posterior(edges, sizes=(own, max(basis.among - own, 1)))
        learnt = replace(learnt, present=found.present, claimed=found.claimed)
    learnt = replace(learnt, repeated=repeated)
    return replace(basis, sources={**basis.sources, source.name: learnt}), compared


def _parts(compared: Compared, turn: int) -> tuple[Compared, Compared]:
    """Pairs within the source of that turn, and its pairs with others."""
    own = compared.turn == turn
    return compared.of(own & (compared.within == 1)), compared.of(own & (compared.within == 0))


def _decisions(engine: Engine, source: Source) -> None:
    """Table `<work>_decided`: low, high (numbers of records), kind."""
    decisions = source.decisions
    if source.settled is not None:
        engine.create(f"{WORK}_decided", settle.bonds_sql(source.settled, work=WORK))
        return
    if decisions is None:
        engine.create(f"{WORK}_decided", "SELECT 0::BIGINT AS low, 0::BIGINT AS high, '' AS kind WHERE FALSE")
        return
    left, right = (number_sql(f"{side}_source", f"{side}_record") for side in ("left", "right"))
    engine.create(f"{WORK}_decided", f"SELECT {left} AS low, {right} AS high, kind FROM {name(decisions)}")


def _report(engine: Engine, source: Source) -> LoadReport:
    counts = engine.rows(
        f"SELECT count(*) AS records, count(s.entity) AS known, "
        "count(*) FILTER (s.entity IS NULL AND NOT coalesce(e.fresh, FALSE)) AS matched, "
        "count(DISTINCT e.entity_id) FILTER (e.fresh) AS created, "
        "count(*) FILTER (e.fresh AND s.entity IS NULL) AS fresh "
        f"FROM {WORK}_stands s JOIN {WORK}_said m ON m.record = s.record "
        f"LEFT JOIN {WORK}_entities e ON e.entity = m.entity WHERE s.source = {text(source.name)}"
    ).to_pylist()[0]
    return LoadReport(
        source=source.name, records=counts["records"], known=counts["known"], matched=counts["matched"],
        created=counts["created"], merged=max(counts["fresh"] - counts["created"], 0), entities=0,
    )  # fmt: skip


def _drop(engine: Engine, definition: MatchDefinition, *, previous: Version | None) -> None:
    own = (
        "records", "told", "content", "mine", "stands", "moved", "current", "frequencies", "decided", "grouped",
        "edges", *write.TABLES,
    )  # fmt: skip
    pairs.drop(engine, definition, work=WORK)
    engine.drop(*(f"{WORK}_{table}" for table in own), *block.key_tables(definition, f"{WORK}_keys"))
    if previous is not None:
        previous.unload(engine, f"{WORK}_old")
    engine.drop(*(f"{WORK}_old_{file}" for file in FILES))
