"""Seeded draws over whole columns: every random number of the country comes from here."""

from zlib import crc32

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def stream(seed: int, name: str) -> np.random.Generator:
    """Return a generator for a named part of the country, so that parts do not disturb each other."""
    return np.random.default_rng([seed, crc32(name.encode())])


def happens(rng: np.random.Generator, chance: Floats | float, *, rows: int) -> Bools:
    """Return, for each of `rows` rows, whether an event of this chance (one, or one a row) happens."""
    drawn: Bools = rng.random(rows) < chance
    return drawn


def pick(rng: np.random.Generator, weights: Floats, *, rows: int) -> Ints:
    """Draw `rows` positions in `weights`, each in proportion to its weight."""
    edges = np.cumsum(weights, dtype=np.float64)
    drawn: Ints = np.searchsorted(edges, rng.random(rows) * edges[-1], side="right").astype(np.int64)
    return drawn


def pick_by_group(rng: np.random.Generator, table: Floats, *, group: Ints) -> Ints:
    """Draw one column of `table` (groups × options, any positive weights) for each row's group."""
    edges = np.cumsum(table, axis=1)
    edges = edges / edges[:, -1:] + np.arange(len(table))[:, None]
    place = np.searchsorted(edges.ravel(), group + rng.random(len(group)), side="right")
    drawn: Ints = (place - group * table.shape[1]).clip(0, table.shape[1] - 1).astype(np.int64)
    return drawn


def ranked_weights(size: int, *, shift: float = 3.0, power: float = 1.0) -> Floats:
    """Return Zipf–Mandelbrot weights 1 / (rank + shift) ** power that sum to one."""
    weights = 1.0 / (np.arange(size) + 1.0 + shift) ** power
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def opaque(rng: np.random.Generator, rows: int, *, low: int, high: int) -> Ints:
    """Return `rows` different whole numbers from [low, high) in random order; they carry no truth."""
    found = np.unique(rng.integers(low, high, int(rows * 1.02) + 16))
    while len(found) < rows:
        found = np.unique(np.concatenate([found, rng.integers(low, high, rows)]))
    return rng.permutation(found)[:rows].astype(np.int64)
