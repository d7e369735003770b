"""Precision and recall with intervals, by group, and calibration."""

import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.matching.quality import Rate, calibration, quality


def drawn(engine: DuckDB) -> None:
    engine.load("links", Held(pa.table({
        "record_id": ["a", "b", "c", "d"], "entity_id": pa.array([1, 2, 9, None], pa.int64()),
        "candidate_id": pa.array([None, None, None, 4], pa.int64()), "probability": [1.0, 0.95, 0.91, 0.4],
    })))  # fmt: skip
    engine.load("truth", Held(pa.table({
        "record_id": ["a", "b", "c", "d"], "entity_id": pa.array([1, 2, 3, 4], pa.int64()), "sex": ["F", "F", "M", "M"],
    })))  # fmt: skip


def test_everybody_and_each_group(engine: DuckDB) -> None:
    drawn(engine)
    found = {q.group: q for q in quality(engine, "links", truth="truth", by=("sex",))}
    assert (found[""].precision.value, found[""].recall.value) == (pytest.approx(2 / 3), 0.5)
    assert found["sex=F"].f1 == 1.0
    assert found["sex=M"].recall == Rate(0, 2)


def test_wilson_intervals_hold_the_share_and_never_leave_nought_to_one() -> None:
    low, high = Rate(95, 100).interval
    assert (low, high) == (pytest.approx(0.8882, abs=1e-3), pytest.approx(0.9785, abs=1e-3))
    assert Rate(0, 10).interval[0] == 0.0
    assert Rate(10, 10).interval[1] == pytest.approx(1.0)
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_calibration_sets_the_predicted_beside_the_true(engine: DuckDB) -> None:
    drawn(engine)
    assert calibration(engine, "links", truth="truth") == [
        (pytest.approx(0.4), 1.0, 1),
        (pytest.approx((1.0 + 0.95 + 0.91) / 3), pytest.approx(2 / 3), 3),
    ]
