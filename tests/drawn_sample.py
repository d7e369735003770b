"""A drawn sample for tests of estimates: a stratified cluster sample with every kind of column."""

import numpy as np
import pyarrow as pa


def drawn_sample(size: int = 600, *, seed: int = 1) -> pa.Table:
    """One row per person; income is missing for one in twenty."""
    random = np.random.default_rng(seed)
    cluster = random.integers(0, 60, size)
    income = np.exp(random.normal(10, 0.5, size))
    return pa.table(
        {
            "person": np.arange(size),
            "region": random.choice(["North", "South", "East"], size),
            "sex": random.choice(["F", "M"], size),
            "age": random.integers(16, 80, size),
            "wave": random.integers(1, 4, size),
            "stratum": cluster // 10,
            "cluster": cluster,
            "weight": random.uniform(0.5, 4.0, size),
            "income": pa.array(income, mask=random.uniform(size=size) < 0.05),
            "works": (random.uniform(size=size) < 0.6).astype(int),
            "visits": random.poisson(2, size),
            "months": np.round(random.exponential(30, size) + 0.5, 1),
            "died": (random.uniform(size=size) < 0.7).astype(int),
        }
    )
