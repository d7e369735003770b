"""Laws of the clerical sample: its intervals cover the truth about as often as they say, in repeated draws."""

import numpy as np
import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.quality import design, estimate
from integrated_data.model.review import Draw

RECORDS = 6_000
DRAWS = 60

#: True precision of links and share of unlinked records that were missed, and how much surer the model is.
WORLDS = [("good links", 0.995, 0.10, 0.0), ("poor links", 0.93, 0.45, 0.0), ("a model too sure", 0.97, 0.3, 0.02)]


def world(engine: DuckDB, *, precision: float, missed: float, vain: float) -> tuple[float, float]:
    """Frame `frame`, truth `truth` (record, same, options); returns the true precision and recall."""
    dice = np.random.default_rng(7)
    linked = dice.random(RECORDS) < 0.9
    doubt = np.where(linked, dice.beta(0.25, 0.25 * precision / (1 - precision), RECORDS), 0.0)
    right = linked & (dice.random(RECORDS) > doubt)
    probability = np.where(linked, np.clip(1 - doubt * (1 - 10 * vain), 0, 1), dice.random(RECORDS) * 0.7)
    clerical = ~linked & (probability > 0.1)
    has = right | (dice.random(RECORDS) < np.where(linked, 0.5, np.where(clerical, 1.5 * missed, missed / 2)))
    ids = np.arange(RECORDS)
    band = np.where(linked, "accept", np.where(clerical, "clerical", "none"))
    links = pa.table({
        "record_id": ids, "entity_id": pa.array(ids * 2, mask=~linked),
        "candidate_id": pa.array(ids * 2 + 1, mask=~clerical),
        "probability": probability, "band": band, "method": np.where(ids % 3 == 0, "exact name", "model"),
    })  # fmt: skip
    engine.load("links", Held(links))
    engine.create("frame", design.frame_sql("links"))
    own = np.where(right, ids * 2, ids * 2 + 1)
    same = [[int(o)] if h else [] for o, h in zip(own, has, strict=True)]
    options = [[int(i) * 2, int(i) * 2 + 1] for i in ids]
    engine.load("truth", Held(pa.table({"record": ids, "same": same, "options": options})))
    engine.view("tested", "SELECT record, entity_id FROM frame WHERE linked")
    return float(right.sum() / linked.sum()), float(right.sum() / has.sum())


@pytest.mark.parametrize(("what", "precision", "missed", "vain"), WORLDS, ids=[w[0] for w in WORLDS])
def test_intervals_cover_the_truth_in_repeated_draws(
    engine: DuckDB, what: str, precision: float, missed: float, vain: float
) -> None:
    """About 95 of 100; 60 draws of 95 % cover at least 53 with probability .99 (binomial)."""
    truth = world(engine, precision=precision, missed=missed, vain=vain)
    cases = design.allocate(design.strata(engine, "frame"), 300)
    covered, errors = np.zeros(2), np.zeros((DRAWS, 2))
    for seed in range(DRAWS):
        design.draw(engine, "frame", cases=cases, how=Draw(300, seed), out="drawn")
        engine.create("judged", "SELECT t.* FROM truth t JOIN drawn d ON d.record = t.record")
        whole = estimate.quality(engine, frame="frame", tested="tested", judged="judged")[0]
        assert whole.precision is not None
        assert whole.recall is not None
        for i, (found, true) in enumerate(zip((whole.precision, whole.recall), truth, strict=True)):
            covered[i] += found.low <= true <= found.high
            errors[seed, i] = found.value - true
    assert (covered >= 53).all(), (what, covered)
    assert np.abs(errors.mean(axis=0)).max() < 0.006
