"""Splink 5 behind `index.matching.train.Trainer`.

Splink brings an engine of its own, so it gets Arrow tables and gives numbers; rooms never import it.
Pairs at random are all pairs of two samples (nothing is drawn by Splink, so a run can be repeated);
m is trained by `estimate_parameters_using_expectation_maximisation`, block by block.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.index.matching.definition import Comparison
from integrated_data.index.matching.model import Shares
from integrated_data.index.matching.train import Estimates, Task

ByLevel = dict[str, tuple[float | None, ...]]

ALL_PAIRS = 1e12
ENOUGH_CHANGE = 0.001  # expectation–maximisation stops when no share moves by more


class SplinkTrainer:
    """Trains with Splink in a DuckDB of its own, within limits: records of people are in it while it trains."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def engine(self) -> DuckDB:
        """An engine for one training; what does not fit its memory goes to disk encrypted, as in every other."""
        return DuckDB(self._limits)

    def train(self, task: Task) -> Estimates:
        """See `index.matching.train.Trainer.train`."""
        from splink import block_on
        from splink.internals.exceptions import EMTrainingException

        with _quiet():
            at_random = self._linker(task, task.random[0], right=task.random[1])
            at_random.training.estimate_u_using_random_sampling(
                max_pairs=ALL_PAIRS, min_count_per_level=None, num_chunks=1
            )
            u = _found(at_random, "u_probability")
            linker = self._linker(task, task.records, right=task.others, u=u)
            for block in task.blocks:
                with contextlib.suppress(EMTrainingException, ValueError):  # too few pairs agree: nothing to learn
                    linker.training.estimate_parameters_using_expectation_maximisation(
                        block_on(*block), estimate_without_term_frequencies=True
                    )
            return Estimates(m=_found(linker, "m_probability"), u=u)

    def _linker(self, task: Task, left: pa.Table, *, right: pa.Table | None, u: ByLevel | None = None) -> Any:
        from splink import DuckDBAPI, Linker

        api = DuckDBAPI(connection=self.engine().connection)
        tables = [api.register(_sourced(left, "records"), dataset_display_name="records")]
        if right is not None:
            tables.append(api.register(_sourced(right, "others"), dataset_display_name="others"))
        kind = "dedupe_only" if right is None else "link_only"
        settings = splink_settings(task.comparisons, task.start.shares, link_type=kind)
        for comparison in settings["comparisons"]:
            _start_from(comparison, None if u is None else u[comparison["output_column_name"]])
        return Linker(tables, settings, log_level=None, validate_settings=False)


def splink_settings(
    comparisons: tuple[Comparison, ...], shares: dict[str, Shares], *, link_type: str
) -> dict[str, Any]:
    """Splink's settings for the same comparisons: its first level is the missing one, its last is ELSE."""
    return {
        "link_type": link_type,
        "unique_id_column_name": "number",
        "source_dataset_column_name": "source",
        "retain_matching_columns": False,
        "em_convergence": ENOUGH_CHANGE,
        "blocking_rules_to_generate_predictions": [],
        "comparisons": [_comparison(c, shares[c.name]) for c in comparisons],
    }


def _comparison(comparison: Comparison, shares: Shares) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": _columns(comparison.missing), "label_for_charts": "missing", "is_null_level": True}
    ]
    last = len(comparison.levels) - 1
    for i, level in enumerate(comparison.levels):
        described: dict[str, Any] = {
            "sql_condition": "ELSE" if i == last else _columns(level.when),
            "label_for_charts": level.label, "m_probability": shares.m[i], "u_probability": shares.u[i],
        }  # fmt: skip
        if level.frequency is not None:
            described |= {"tf_adjustment_column": level.frequency, "disable_tf_exact_match_detection": True}
        levels.append(described)
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _columns(condition: str) -> str:
    """`l.given = r.given` as Splink writes it: `"given_l" = "given_r"`."""
    return re.sub(r'\b([lr])\."?(\w+)"?', r'"\2_\1"', condition)


def _start_from(comparison: dict[str, Any], u: tuple[float | None, ...] | None) -> None:
    """Drop term frequencies (training does without) and put in the u that was found."""
    for i, level in enumerate(comparison["comparison_levels"][1:]):
        level.pop("tf_adjustment_column", None)
        level.pop("disable_tf_exact_match_detection", None)
        if u is not None and u[i]:
            level["u_probability"] = u[i]


def _found(linker: Any, which: str) -> ByLevel:
    """Shares by comparison; None for a level of which no pair was seen, the start where none was trained."""
    found: dict[str, tuple[float | None, ...]] = {}
    for comparison in linker.misc.save_model_to_json()["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        found[comparison["output_column_name"]] = tuple(level.get(which) for level in levels)
    return found


def _sourced(table: pa.Table, source: str) -> pa.Table:
    return table.append_column("source", pa.array([source] * table.num_rows, pa.string()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
