"""A running query: what it may use, and how it may end without a result.

Apart from the words of access, so that a worker starts without them.
"""

from dataclasses import dataclass
from enum import StrEnum

#: The schema of a project's own tables, and its folder among the project's copies.
SCRATCH = "scratch"


@dataclass(frozen=True)
class QueryLimits:
    """What one query may use; bytes for `memory`, `scratch` and `result`."""

    seconds: float = 120.0
    memory: int = 4 * 2**30
    scratch: int = 8 * 2**30
    rows: int = 20_000_000
    result: int = 2 * 2**30
    threads: int = 2


class EngineName(StrEnum):
    """Where a query runs."""

    DUCKDB = "duckdb"  # a worker of the service's own, in a sandbox
    SPARK = "spark"  # a Spark Connect server


class Failure(StrEnum):
    """Why a worker ended without a result; all it ever says of the cause, beside a name from the query."""

    TIME = "time"
    MEMORY = "memory"
    SCRATCH = "scratch"
    ROWS = "rows"
    RESULT = "result"
    QUOTA = "quota"  # a scratch table takes more than is left for the project
    HEADINGS = "headings"  # columns of a scratch table without names of their own
    NAME = "name"  # a column, table or function that is not there
    GROUPING = "grouping"
    TYPE = "type"
    CONVERSION = "conversion"
    RANGE = "range"
    SYNTAX = "syntax"
    BARRED = "barred"  # it reached for what the worker has locked
    UNSUPPORTED = "unsupported"
    KIND = "kind"  # a model's column is no number
    VALUES = "values"  # a model's column holds values that the model cannot take
    CATEGORIES = "categories"  # a model's column has too many
    TOO_FEW = "too few"  # rows for a model
    SINGULAR = "singular"  # a model's columns tell each other
    UNCONVERGED = "unconverged"
    MODEL = "model"  # an estimator is asked for what it does not do
    ENGINE = "engine"  # what is asked is not known to be the same on the engine asked
    ABSENT = "absent"  # the engine asked does not answer
    RUNS_ON = "runs on"  # the engine asked goes on with what is stopped
    STOPPED = "stopped"  # the process ended without a word
    CANCELLED = "cancelled"
    OTHER = "other"


@dataclass(frozen=True)
class Kept:
    """Which links one run of a query keeps; the key of a record whose link is not kept is missing.

    `threshold`: links of at least this probability. `draw`: each link with its own probability, by a
    lot that `seed` and `draw` decide (None: no lot).
    """

    threshold: float = 0.0
    draw: int | None = None
    seed: int = 1
