"""Matching records whose names were never seen: their filters against those of an index, made under one secret.

Pairs that share a signature are compared by the likeness of their filters. How alike different people are is seen
in the index itself (pairs of its own entities that share a signature); how alike the same person is follows from
the delivery: what the pairs hold beyond strangers. From there on all is as for names: a posterior that includes
"not in the index", a threshold by expected error, three bands.
"""

import numpy as np
import pyarrow as pa
from scipy.optimize import isotonic_regression

from integrated_data.engine import Engine, Held
from integrated_data.index import encoding
from integrated_data.index.link import Clock, LinkReport
from integrated_data.index.matching import decide
from integrated_data.index.matching.decide import Competing, Edges, Floats, Ints
from integrated_data.index.store import Version
from integrated_data.model.linkage import Band
from integrated_data.vocabulary.sql import name, text

#: Steps of likeness that are told apart, and entities of the index whose strangers are looked at.
STEPS, LOOKED_AT = 50, 20_000
#: A signature that more forms of the index share than this brings nobody together.
CROWDED = 100
#: Pairs of strangers below a likeness that must have been seen before their share is trusted.
TRUSTED = 0.05
METHOD, NOTHING = "keyed encoding", "nothing to match on"


def match_encoded(
    engine: Engine, secret: bytes, *, version: Version, records: str, out: str, one_to_one: bool
) -> LinkReport:
    """Match encoded records to an index version; makes table `out` with the columns of a link table.

    `records`: `<records>_ids` (record, record_id), `<records>_filters` and `<records>_signatures` as `encode` makes
    them under the same secret.
    """
    clock, work = Clock(), f"{out}_work"
    try:
        with clock.step("encode the index"):
            version.load(engine, f"{work}_index")
            forms = f"{work}_index_forms"
            encoding.encode_cleaned(engine, secret, cleaned=forms, number="form", out=f"{work}_known")
            engine.create(f"{work}_signatures", _uncrowded_sql(f"{work}_known_signatures"))
        with clock.step("compare"):
            engine.create(f"{work}_pairs", _pairs_sql(records, work=work))
            pairs = engine.rows(f"SELECT record, entity, dice FROM {name(f'{work}_pairs')} ORDER BY record, entity")
            strangers = engine.rows(_strangers_sql(work))["dice"].to_numpy()
        with clock.step("decide"):
            sizes = (_count(engine, f"{records}_filters"), version.about.entities)
            edges = _edges(pairs, strangers, sizes=sizes)
            nobody = np.zeros(0, dtype=np.int64)
            competing = None if one_to_one else Competing(nobody, nobody, np.zeros(0))
            found = decide.posterior(edges, sizes=(max(sizes[0], 1), sizes[1]), competing=competing)
            chosen = decide.best(edges, found.probability)
            probability = found.probability[chosen]
            accepted = decide.threshold(probability, version.definition.policy)
        with clock.step("write"):
            clerical = version.definition.policy.clerical
            bands = np.where(probability >= accepted, Band.ACCEPT, np.where(probability >= clerical, Band.CLERICAL, ""))
            best = {
                "record": edges.record[chosen], "entity": edges.entity[chosen], "probability": probability,
                "band": pa.array(bands.tolist(), pa.string()),
            }  # fmt: skip
            engine.load(f"{work}_best", Held(pa.table(best)))
            engine.create(out, _links_sql(records, work=work))
        sure = probability[bands == Band.ACCEPT]
        return LinkReport(
            records=_count(engine, f"{records}_ids"),
            accepted=len(sure),
            clerical=int((bands == Band.CLERICAL).sum()),
            entities=version.about.entities,
            present=found.present,
            threshold=accepted,
            expected_precision=float(sure.mean()) if len(sure) else 1.0,
            expected_recall=float(sure.sum() / max(found.probability.sum(), 1e-9)) if len(sure) else 0.0,
            methods={METHOD: len(sure)} if len(sure) else {},
            seconds=clock.seconds,
        )
    finally:
        engine.drop(*(f"{work}_{t}" for t in ("known_filters", "known_signatures", "signatures", "pairs", "best")))
        version.unload(engine, f"{work}_index")


def weights(pairs: Floats, strangers: Floats) -> tuple[Floats, float]:
    """log2 of how much likelier each step of likeness is for one person than for strangers, and the strangers' share.

    `pairs`, `strangers`: likeness, 0 to 1. The share of strangers among `pairs` is the largest that leaves no step
    with fewer pairs than strangers alone would give (Blanchard, Lee and Scott, 2010); what is beyond them is the
    same person's. More likeness never counts for less.
    """
    both = _histogram(pairs)
    apart = _histogram(strangers)
    below, told = np.cumsum(both), np.cumsum(apart)
    seen = told >= TRUSTED
    share = float(np.clip((below[seen] / told[seen]).min(initial=1.0), 0.0, 1.0)) if len(pairs) else 1.0
    same = np.maximum(both - share * apart, 0.0)
    floor = 0.5 / max(len(pairs) + len(strangers), 1)
    ratio = np.log2((same / max(same.sum(), floor) + floor) / (apart + floor))
    rising: Floats = isotonic_regression(ratio, weights=both + apart + floor).x
    return rising, share


def _histogram(dice: Floats) -> Floats:
    counted: Floats = np.bincount(_step(dice), minlength=STEPS).astype(np.float64)
    shares: Floats = counted / max(float(counted.sum()), 1.0)
    return shares


def _step(dice: Floats) -> Ints:
    return np.minimum((dice * STEPS).astype(np.int64), STEPS - 1)


def _edges(pairs: pa.Table, strangers: Floats, *, sizes: tuple[int, int]) -> Edges:
    """Candidate pairs with their weight against an entity of the index at random.

    Strangers were compared because they share a signature, which few do; that they do counts for the pair too.
    """
    dice = pairs["dice"].to_numpy().astype(np.float64)
    by_step, share = weights(dice, strangers)
    met = max(share * len(dice) / max(sizes[0], 1), 1.0 / max(sizes[1], 1))
    rare = np.log2(max(sizes[1] / max(met, 1e-9), 1.0))
    return Edges(
        pairs["record"].to_numpy().astype(np.int64), pairs["entity"].to_numpy().astype(np.int64),
        by_step[_step(dice)] + rare,
    )  # fmt: skip


def _uncrowded_sql(signatures: str) -> str:
    counted = f"SELECT *, count(*) OVER (PARTITION BY signature) AS crowd FROM {name(signatures)}"
    return f"SELECT record, signature FROM ({counted}) WHERE crowd <= {CROWDED}"


def _pairs_sql(records: str, *, work: str) -> str:
    """Records and entities that share a signature, each pair once, with the likeness of the entity's likest form."""
    shared = (
        f"SELECT DISTINCT d.record, s.record AS form FROM {name(f'{records}_signatures')} d "
        f"JOIN {name(f'{work}_signatures')} s USING (signature)"
    )
    return (
        f"SELECT p.record, e.entity, max({encoding.dice_sql('l', 'r')}) AS dice FROM ({shared}) p "
        f"JOIN {name(f'{records}_filters')} l ON l.record = p.record "
        f"JOIN {name(f'{work}_known_filters')} r ON r.record = p.form "
        f"JOIN {name(f'{work}_index_forms')} e ON e.form = p.form GROUP BY p.record, e.entity"
    )


def _strangers_sql(work: str) -> str:
    """Likeness of different entities of the index that share a signature, for some of its entities."""
    forms = name(f"{work}_index_forms")
    some = f"SELECT entity FROM (SELECT DISTINCT entity FROM {forms}) ORDER BY hash(entity) LIMIT {LOOKED_AT}"
    shared = (
        f"SELECT DISTINCT a.record AS one, b.record AS other FROM {name(f'{work}_signatures')} a "
        f"JOIN {name(f'{work}_signatures')} b USING (signature) JOIN {forms} f ON f.form = a.record "
        f"WHERE f.entity IN ({some})"
    )
    return (
        f"SELECT max({encoding.dice_sql('l', 'r')}) AS dice FROM ({shared}) p "
        f"JOIN {name(f'{work}_known_filters')} l ON l.record = p.one "
        f"JOIN {name(f'{work}_known_filters')} r ON r.record = p.other "
        f"JOIN {forms} a ON a.form = p.one JOIN {forms} b ON b.form = p.other "
        "WHERE a.entity <> b.entity GROUP BY a.entity, b.entity"
    )


def _links_sql(records: str, *, work: str) -> str:
    """One row per record, with the columns of a link table."""
    accept, clerical, none = text(Band.ACCEPT), text(Band.CLERICAL), text(Band.NONE)
    return (
        f"SELECT i.record_id, CASE WHEN b.band = {accept} THEN e.entity_id END AS entity_id, "
        f"CASE WHEN b.band = {clerical} THEN e.entity_id END AS candidate_id, "
        f"coalesce(b.probability, 0.0) AS probability, "
        f"CASE WHEN b.band IN ({accept}, {clerical}) THEN b.band ELSE {none} END AS band, "
        f"CASE WHEN f.record IS NULL THEN {text(NOTHING)} ELSE {text(METHOD)} END AS method "
        f"FROM {name(f'{records}_ids')} i LEFT JOIN {name(f'{records}_filters')} f ON f.record = i.record "
        f"LEFT JOIN {name(f'{work}_best')} b ON b.record = i.record "
        f"LEFT JOIN {name(f'{work}_index_entities')} e ON e.entity = b.entity ORDER BY i.record"
    )


def _count(engine: Engine, relation: str) -> int:
    return int(engine.rows(f"SELECT count(*) AS n FROM {name(relation)}")["n"][0].as_py())
