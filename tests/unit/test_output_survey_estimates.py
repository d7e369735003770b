"""Survey estimates: a table worked by hand, and the same from numpy on drawn samples."""

import math

import numpy as np
import pyarrow as pa
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.vocabulary.survey import Design, weighted_gap_sql, weighted_proportion_sql

#: Two strata with two primary sampling units each; the north alone is asked for in the hand-worked sum.
DRAWN = pa.table(
    {
        "region": ["N", "N", "N", "S", "N", "S"],
        "stratum": [1, 1, 1, 1, 2, 2],
        "cluster": ["a", "a", "b", "b", "c", "d"],
        "w": [1.0, 1.0, 2.0, 1.0, 4.0, 1.0],
        "works": [1, 0, 1, 1, 0, 1],
    }
)


def estimates(engine: DuckDB, table: pa.Table, sql: str) -> list[dict[str, float]]:
    engine.load("sample", Held(table))
    rows: list[dict[str, float]] = engine.rows(sql).to_pylist()
    return rows


def proportion(**changes: str) -> str:
    words = {"indicator": "works", "weight": "w", "stratum": "stratum", "cluster": "cluster"} | changes
    return weighted_proportion_sql("sample", group=["region"], **words)


def test_a_proportion_worked_by_hand(engine: DuckDB) -> None:
    """North: W = 8, p = 3/8. z of a: (1 − 6/8)/8 = 1/32; of b: (2 − 6/8)/8 = 5/32; of c: −12/64 = −6/32.

    Stratum 1: 2/1 · (1 + 25 − 36/2)/1024 = 16/1024. Stratum 2 (d has nobody in the north, z = 0):
    2/1 · (36 − 36/2)/1024 = 36/1024. So the variance is 52/1024.
    """
    north = estimates(engine, DRAWN, proportion())[0]
    error = 1.96 * math.sqrt(52 / 1024)
    assert north == {
        "region": "N",
        "respondents": 4,
        "estimate": pytest.approx(3 / 8),
        "estimate_low": pytest.approx(max(0.0, 3 / 8 - error)),
        "estimate_high": pytest.approx(3 / 8 + error),
    }


def test_people_who_were_not_asked_leave_the_estimate_but_their_unit_stays_in_the_sample(
    engine: DuckDB,
) -> None:
    unasked = DRAWN.set_column(4, "works", pa.array([1, 0, 1, 1, None, 1]))
    north = estimates(engine, unasked, proportion())[0]
    # stratum 2 gives nothing; stratum 1: W = 4, p = 3/4, z = (1 − 6/4)/4 = −1/8 and (2 − 6/4)/4 = 1/8
    assert (north["respondents"], north["estimate"]) == (3, pytest.approx(3 / 4))
    assert north["estimate_low"] == pytest.approx(3 / 4 - 1.96 * math.sqrt(2 * (2 / 64 - 0)))


def test_a_stratum_of_one_unit_is_centred_at_the_mean_of_the_sample(engine: DuckDB) -> None:
    one = estimates(engine, DRAWN, proportion(stratum="cluster"))[0]
    error = 1.96 * math.sqrt((1 + 25 + 36) / 1024)
    assert one["estimate_high"] == pytest.approx(3 / 8 + error)


def linearised(z: np.ndarray, stratum: np.ndarray, cluster: np.ndarray) -> float:
    """The same variance, the plain way: unit totals, then deviations within each stratum."""
    total = 0.0
    for h in np.unique(stratum):
        units = np.unique(cluster[stratum == h])
        sums = np.array([z[(stratum == h) & (cluster == c)].sum() for c in units])
        n = len(units)
        total += n / (n - 1) * ((sums - sums.mean()) ** 2).sum() if n > 1 else (sums**2).sum()
    return total


def drawn_sample(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    n = 400
    cluster = random.integers(0, 40, n)
    return {
        "region": random.choice(["N", "M", "S"], n),
        "stratum": cluster // 6,
        "cluster": cluster,
        "w": random.uniform(0.5, 4.0, n),
        "works": (random.uniform(size=n) < 0.3 + 0.01 * cluster).astype(float),
        "ill": (random.uniform(size=n) < 0.3).astype(int),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_proportions_agree_with_numpy(engine: DuckDB, seed: int) -> None:
    s = drawn_sample(seed)
    rows = {r["region"]: r for r in estimates(engine, pa.table(s), proportion())}
    for region in ("N", "M", "S"):
        member = s["region"] == region
        weights = s["w"] * member
        p = (weights * s["works"]).sum() / weights.sum()
        error = 1.96 * math.sqrt(linearised(weights * (s["works"] - p) / weights.sum(), s["stratum"], s["cluster"]))
        assert rows[region]["estimate"] == pytest.approx(p)
        assert rows[region]["estimate_low"] == pytest.approx(p - error)
        assert rows[region]["estimate_high"] == pytest.approx(p + error)


@pytest.mark.parametrize("seed", [4, 5])
def test_gaps_agree_with_numpy(engine: DuckDB, seed: int) -> None:
    s = drawn_sample(seed)
    design = Design("w", "stratum", "cluster")
    sql = weighted_gap_sql("sample", group=["region"], indicator="works", split="ill", design=design)
    rows = {r["region"]: r for r in estimates(engine, pa.table(s), sql)}
    for region in ("N", "M", "S"):
        z = np.zeros(len(s["w"]))
        p = {}
        for side in (0, 1):
            weights = s["w"] * ((s["region"] == region) & (s["ill"] == side))
            p[side] = (weights * s["works"]).sum() / weights.sum()
            z += (1 if side == 0 else -1) * weights * (s["works"] - p[side]) / weights.sum()
        error = 1.96 * math.sqrt(linearised(z, s["stratum"], s["cluster"]))
        gap = p[0] - p[1]
        assert rows[region]["gap"] == pytest.approx(gap)
        assert rows[region]["gap_low"] == pytest.approx(gap - error)
        assert rows[region]["gap_high"] == pytest.approx(gap + error)
        assert rows[region]["estimate_with"] == pytest.approx(p[1])


def test_a_group_without_one_side_has_no_gap(engine: DuckDB) -> None:
    well = DRAWN.append_column("ill", pa.array([0, 1, 0, 0, 0, 0]))
    design = Design("w", "stratum", "cluster")
    sql = weighted_gap_sql("sample", group=["region"], indicator="works", split="ill", design=design)
    south = estimates(engine, well, sql)[1]
    assert (south["respondents_with"], south["estimate_with"], south["gap"]) == (0, None, None)
    assert (south["gap_low"], south["gap_high"]) == (None, None)


def test_a_proportion_of_everybody(engine: DuckDB) -> None:
    sql = weighted_proportion_sql(
        "(SELECT * FROM sample WHERE w > 0)", group=[], indicator="works", weight="w",
        stratum="stratum", cluster="cluster",
    )  # fmt: skip
    (row,) = estimates(engine, DRAWN, sql)
    assert (row["respondents"], row["estimate"]) == (6, pytest.approx(0.5))
