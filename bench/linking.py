"""What the linkage benchmarks share: the anchor (Splink 5), an engine of the identified zone, quality.

Not a benchmark of its own.
"""

import base64
import logging
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from integrated_data.index.matching.train import Estimates, Task

RUNS = 5
THREADS = 2

TRAINED_ON = (("born",), ("given", "family"))


class NoTrainer:
    """For indexes that learn their own weights: nobody asks it."""

    def train(self, task: Task) -> Estimates:
        raise AssertionError(task)


@dataclass(frozen=True)
class Timed:
    """Seconds of each run, wall and processor, the highest memory in MiB, and what the last run gave."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    memory: float
    result: Any

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return statistics.median(self.wall)


def repeated(work: Callable[..., Any], *given: Any, runs: int = RUNS) -> Timed:
    """Run `work` several times, each in a process of its own: cold, and with its own peak of memory."""
    wall, cpu, memory, result = [], [], 0.0, None
    for _ in range(runs):
        with multiprocessing.get_context("spawn").Pool(1) as apart:
            seconds, used, peak, result = apart.apply(_measured, (work, given))
        wall.append(seconds)
        cpu.append(used)
        memory = max(memory, peak)
    return Timed(tuple(wall), tuple(cpu), memory, result)


def _measured(work: Callable[..., Any], given: tuple[Any, ...]) -> tuple[float, float, float, Any]:
    start, used = time.perf_counter(), time.process_time()
    result = work(*given)
    taken = time.perf_counter() - start, time.process_time() - used
    return *taken, _peak(), result


def _peak() -> float:
    """Highest memory of this process in MiB; `ru_maxrss` would remember its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def engine(folder: Path, memory: str = "4GB") -> DuckDB:
    """An engine as the loading side has it: sealed files, encrypted Parquet."""
    key = base64.b64encode(b"p" * 32).decode()
    limits = Limits(threads=THREADS, memory=memory, scratch=folder / "spill")
    return DuckDB(limits, sealer=FileSealer(b"s" * 32), parquet_key=key)


def anchor_settings(blocks: Sequence[tuple[str, ...]], *, address: bool) -> SettingsCreator:
    """Splink's settings as its tutorials advise: names, date of birth, sex, postcode, perhaps the address."""
    comparisons = [
        cl.ForenameSurnameComparison("given", "family", forename_surname_concat_col_name="both_names"),
        cl.DateOfBirthComparison("born", input_is_string=True),
        cl.ExactMatch("sex"),
        cl.PostcodeComparison("code"),
    ]
    if address:
        comparisons.append(cl.JaroWinklerAtThresholds("address", [0.95, 0.85]))
    return SettingsCreator(
        link_type="link_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on(*b) for b in blocks],
        unique_id_column_name="record_id",
        retain_matching_columns=False,
    )


def anchor(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], settings: Any) -> Linker:
    """A Splink linker on two tables of one connection."""
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    api = DuckDBAPI(connection=connection)
    return Linker([api.register(t, dataset_display_name=f"{t}_side") for t in tables], settings, log_level=None)


def train_anchor(linker: Linker) -> None:
    """Train Splink as its tutorials do."""
    linker.training.estimate_probability_two_random_records_match(
        [block_on("given", "family", "born"), block_on("family", "born", "code")], recall=0.8
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    for block in TRAINED_ON:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*block))


def best_of_each(linker: Linker, *, left: str, at: float, mutual: bool = False, weighed: bool = False) -> str:
    """SQL of pairs (a: id on the left, b: the other): each left record's best above a probability.

    `mutual`: and it must be the best of the other side's record too. `weighed`: with w, log2 of its odds.
    """
    found = linker.inference.predict(threshold_match_probability=at)
    ours = f"CASE WHEN source_dataset_l = '{left}_side' THEN record_id_l ELSE record_id_r END"
    other = f"CASE WHEN source_dataset_l = '{left}_side' THEN record_id_r ELSE record_id_l END"
    columns = "a, b, w" if weighed else "a, b"
    back = "AND row_number() OVER (PARTITION BY b ORDER BY w DESC, a) = 1" if mutual else ""
    return (
        f"SELECT {columns} FROM (SELECT {ours} AS a, {other} AS b, match_weight AS w FROM {found.physical_name}) "
        f"QUALIFY row_number() OVER (PARTITION BY a ORDER BY w DESC, b) = 1 {back}"
    )


def f1(found: set[Any], true: set[Any]) -> dict[str, float]:
    """Precision, recall and F1 of pairs."""
    both = len(found & true)
    p, r = both / max(len(found), 1), both / max(len(true), 1)
    return {"precision": p, "recall": r, "F1": 2 * p * r / max(p + r, 1e-9)}
