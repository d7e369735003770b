"""Weights for missed links: they add up, they are larger where links are missed, and they mend a drawn bias."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.quality.weights import raked, weigh


def country(engine: DuckDB) -> None:
    """A thousand records: young men are linked half of the time, everybody else nine times of ten; one has no sex."""
    rows = range(1000)
    sex = [None if i == 999 else "FM"[i % 2] for i in rows]
    age = ["16–24" if i % 10 < 2 else "25–64" for i in rows]
    young_man = [s == "M" and a == "16–24" for s, a in zip(sex, age, strict=True)]
    linked = [i // 10 % 2 == 0 if y else i // 10 % 10 != 3 for i, y in zip(rows, young_man, strict=True)]
    income = [100.0 if y else 300.0 for y in young_man]
    engine.load("frame", Held(pa.table({
        "record": list(rows), "linked": linked, "sex": sex, "age_band": age, "income": income,
    })))  # fmt: skip


def test_weights_add_up_to_everybody_in_every_group(engine: DuckDB) -> None:
    country(engine)
    told = weigh(engine, frame="frame", by=("sex", "age_band"), out="weights")
    for column in ("sex", "age_band"):
        sums = engine.rows(
            f"SELECT f.{column} AS c, count(*) AS n, sum(w.weight) AS w FROM frame f "
            f"LEFT JOIN weights w USING (record) WHERE f.{column} IS NOT NULL GROUP BY 1"
        ).to_pylist()
        assert all(r["w"] == pytest.approx(r["n"], rel=0.003) for r in sums), sums
    assert engine.rows("SELECT sum(weight) AS s FROM weights").to_pylist()[0]["s"] == pytest.approx(1000, rel=1e-4)
    assert 1.0 <= told["smallest"] < told["largest"] < 2.1
    assert 1.0 < told["design_effect"] < 1.2


def test_weights_mend_a_bias_that_groups_explain(engine: DuckDB) -> None:
    """The mean income of all is 280; of the linked it is more, because the poor are missed; weighted it is near."""
    country(engine)
    weigh(engine, frame="frame", by=("sex", "age_band"), out="weights")
    found = engine.rows(
        "SELECT avg(income) AS everybody, avg(income) FILTER (linked) AS linked, "
        "sum(income * weight) / sum(weight) AS weighted FROM frame LEFT JOIN weights USING (record)"
    ).to_pylist()[0]
    assert found["linked"] - found["everybody"] > 7
    assert abs(found["weighted"] - found["everybody"]) < 2.5


@pytest.mark.parametrize("linked", [True, False])
def test_everybody_or_nobody_linked(engine: DuckDB, linked: bool) -> None:
    engine.load("frame", Held(pa.table({"record": [0, 1, 2], "linked": [linked] * 3, "sex": ["F", "M", None]})))
    told = weigh(engine, frame="frame", by=("sex",), out="weights")
    rows = engine.rows("SELECT weight FROM weights").column("weight").to_pylist()
    assert rows == ([pytest.approx(1.0)] * 3 if linked else [])
    assert (told["largest"] is None) is not linked


def test_without_groups_everybody_counts_alike(engine: DuckDB) -> None:
    engine.load("frame", Held(pa.table({"record": [0, 1, 2, 3], "linked": [True, True, True, False]})))
    weigh(engine, frame="frame", by=(), out="weights")
    assert engine.rows("SELECT weight FROM weights").column("weight").to_pylist() == [pytest.approx(4 / 3)] * 3


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.3, 1.0)), min_size=6, max_size=6))
def test_raking_meets_every_margin(cells: list[tuple[int, float]]) -> None:
    units = np.array([float(n) for n, _ in cells])
    linked = np.maximum(1.0, np.floor([n * share for n, share in cells]))
    categories = [np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])]
    weight = raked(units, linked, categories=categories)
    assert (weight > 0).all()
    for category in categories:
        held, wanted = np.bincount(category, weights=linked * weight), np.bincount(category, weights=units)
        assert held == pytest.approx(wanted, rel=1e-4)
