"""How good a set of links is against the truth: for tests and benchmarks, never for a stage."""

import math
from dataclasses import dataclass

from integrated_data.engine import Engine
from integrated_data.vocabulary.sql import name

Z = 1.959964  # two-sided 95 %


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval (Wilson, 1927)."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing is 0."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        if not self.whole:
            return (0.0, 1.0)
        n, p = self.whole, self.value
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return (max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True)
class Quality:
    """Precision of the accepted links and recall of the true ones; `group` "" is everybody."""

    group: str
    precision: Rate
    recall: Rate

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        p, r = self.precision.value, self.recall.value
        return 2 * p * r / (p + r) if p + r else 0.0


def quality(engine: Engine, links: str, *, truth: str, by: tuple[str, ...] = ()) -> list[Quality]:
    """Quality of a link table against `truth` (record_id, entity_id or NULL, and the columns `by`).

    Everybody first, then each group of each column in `by`, named `column=value`.
    """
    told = [("''", "")] + [(f"coalesce({name(c)}::VARCHAR, 'missing')", f"{c}=") for c in by]
    found: list[Quality] = []
    for expression, prefix in told:
        table = engine.rows(
            f"SELECT {expression} AS part_of, count(l.entity_id) AS linked, count(t.entity_id) AS matches, "
            "count(*) FILTER (l.entity_id = t.entity_id) AS correct "
            f"FROM {name(truth)} t LEFT JOIN {name(links)} l ON l.record_id = t.record_id GROUP BY 1 ORDER BY 1"
        )
        found += [
            Quality(prefix + r["part_of"], Rate(r["correct"], r["linked"]), Rate(r["correct"], r["matches"]))
            for r in table.to_pylist()
        ]
    return found


def calibration(engine: Engine, links: str, *, truth: str, bins: int = 10) -> list[tuple[float, float, int]]:
    """Predicted against true: for each tenth of the probability the mean predicted, the true share and links.

    The candidate of every record that has one counts, accepted or not.
    """
    table = engine.rows(
        f"SELECT least(floor(l.probability * {bins}), {bins - 1}) AS bin, avg(l.probability) AS predicted, "
        "avg((coalesce(l.entity_id, l.candidate_id) IS NOT DISTINCT FROM t.entity_id)::INTEGER) AS seen, "
        "count(*) AS links "
        f"FROM {name(links)} l JOIN {name(truth)} t ON t.record_id = l.record_id "
        "WHERE coalesce(l.entity_id, l.candidate_id) IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return [(r["predicted"], r["seen"], r["links"]) for r in table.to_pylist()]
