"""Weights of linked records that make up for links that are missing.

A linked record counts for records like it that were not linked: first by the inverse of the share
linked in its cell (sex by age band by ethnic group …; response propensity cells, Little, "Survey
nonresponse adjustments for estimates of means", International Statistical Review 54, 1986), drawn
towards the whole where a cell is small; then raked until the weights add up to all records in every
category of every group (Deming and Stephan, Annals of Mathematical Statistics 11, 1940; Deville,
Särndal and Sautory, "Generalized raking procedures in survey sampling", Journal of the American
Statistical Association 88, 1993). They cannot mend what differs within a cell.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching.decide import Floats, Ints
from integrated_data.vocabulary.sql import name

#: Records for which the whole's share linked counts beside a cell's own.
PRIOR = 20.0

#: A category with fewer linked records is raked together with the other small ones.
FEWEST = 20

ROUNDS, CLOSE = 200, 1e-9

MISSING, SMALL = "missing", "small"


def weigh(engine: Engine, *, frame: str, by: Sequence[str], out: str) -> dict[str, Any]:
    """Make table `out` (`record`, `weight`) of the linked records of a frame; returns what the weights are like.

    `frame`: `record`, `linked` and the text columns `by`. Told: the smallest and largest weight and Kish's
    design effect, the factor by which unequal weights raise a variance.
    """
    columns = "".join(f", coalesce({name(c)}, '{MISSING}') AS {name(c)}" for c in by)
    engine.create(
        f"{out}_cells",
        f"SELECT count(*) AS units, count(*) FILTER (linked) AS linked{columns} FROM {name(frame)} "
        f"GROUP BY {', '.join(['ALL'] if by else ['()'])}",
    )
    cells = engine.rows(f"SELECT * FROM {name(f'{out}_cells')}")
    units: Floats = cells.column("units").to_numpy().astype(np.float64)
    linked: Floats = cells.column("linked").to_numpy().astype(np.float64)
    categories = [_categories(cells.column(c).to_pylist(), linked) for c in by]
    weight = raked(units, linked, categories=categories)
    engine.load(f"{out}_weights", Held(cells.append_column("weight", pa.array(weight))))
    same = " AND ".join(f"w.{name(c)} = coalesce(f.{name(c)}, '{MISSING}')" for c in by) or "TRUE"
    engine.create(
        out,
        f"SELECT f.record, w.weight::FLOAT AS weight FROM {name(frame)} f JOIN {name(f'{out}_weights')} w ON {same} "
        "WHERE f.linked",
    )
    engine.drop(f"{out}_weights", f"{out}_cells")
    return _told(linked, weight)


def raked(units: Floats, linked: Floats, *, categories: Sequence[Ints]) -> Floats:
    """Weight of a linked record in each cell. `categories`: per group, the number of each cell's category."""
    if not linked.sum():
        return np.ones(len(units))
    share = linked.sum() / units.sum()
    weight: Floats = (units + PRIOR) / (linked + PRIOR * share)
    groups = [np.zeros(len(units), dtype=np.int64), *categories]
    for _ in range(ROUNDS):
        furthest = 0.0
        for category in groups:
            wanted = np.bincount(category, weights=units)
            held = np.bincount(category, weights=linked * weight)
            factor = np.where(held > 0, wanted / np.maximum(held, 1e-300), 1.0)
            weight = weight * factor[category]
            furthest = max(furthest, float(np.abs(factor - 1.0).max()))
        if furthest < CLOSE:
            break
    return weight


def _categories(values: Sequence[str], linked: Floats) -> Ints:
    """Numbers of the values, small ones together; all together where those small ones hold no link."""
    counts: dict[str, float] = {}
    for value, n in zip(values, linked, strict=True):
        counts[value] = counts.get(value, 0.0) + float(n)
    kept = [v if counts[v] >= FEWEST else SMALL for v in values]
    if sum(n for v, n in counts.items() if n < FEWEST) < FEWEST:  # too few to stand alone: with the largest
        largest = max(counts, key=lambda v: counts[v])
        kept = [largest if v == SMALL else v for v in kept]
    numbers = {value: number for number, value in enumerate(dict.fromkeys(kept))}
    return np.array([numbers[v] for v in kept], dtype=np.int64)


def _told(linked: Floats, weight: Floats) -> dict[str, Any]:
    held = linked > 0
    if not held.any():
        return {"smallest": None, "largest": None, "design_effect": None}
    n, w = linked[held], weight[held]
    effect = n.sum() * (n * w * w).sum() / (n * w).sum() ** 2
    return {
        "smallest": round(float(w.min()), 4), "largest": round(float(w.max()), 4),
        "design_effect": round(float(effect), 4),
    }  # fmt: skip
