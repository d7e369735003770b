"""Running a checked query: the job a worker gets, and what its endings mean to the person who asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from integrated_data.access.views import View
from integrated_data.model.errors import QueryRefusal
from integrated_data.model.estimate import Fit
from integrated_data.model.query import EngineName, Failure, Kept, QueryLimits


@dataclass(frozen=True)
class Job:
    """One query to run: text that passed the gate, the views it reads, what it may use, which links of
    the views it keeps (None: all), and which model is fitted over its rows (None: the rows are given).

    `keep`: its rows are to be kept as a Parquet file of at most so many bytes (None: they are given).
    """

    sql: str
    views: tuple[View, ...]
    limits: QueryLimits
    kept: Kept | None = None
    fit: Fit | None = None
    keep: int | None = None


@dataclass(frozen=True)
class Written:
    """Rows that were written to a file: how many, and the names of their columns."""

    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a running query is.

    `share`: of its work, 0 to 1, as the engine estimates; 0 where it cannot. `bytes`: of its result so far.
    """

    share: float
    bytes: int


class Rows(Protocol):
    """Rows of a running query, once over. They are there when the worker has ended well."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result; waits for it, and raises QueryFailure where there is none."""
        ...

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches of the result; waits for it, and raises QueryFailure where there is none."""
        ...

    def write(self, place: Path) -> Written:
        """Rows of a job that keeps them, as a file; waits for it, and raises QueryFailure where there is none."""
        ...

    def progress(self) -> Progress:
        """How far it is, from any thread."""
        ...

    def cancel(self) -> None:
        """Stop the worker from another thread; whoever reads its rows is told."""
        ...

    def close(self) -> None:
        """Stop the worker, whether it is done or not."""
        ...


class Worker(Protocol):
    """Runs jobs apart from the analyst's process; handed in by the wiring."""

    @property
    def engine(self) -> EngineName:
        """What runs the queries; it is put on record with each."""
        ...

    def start(self, job: Job) -> Rows:
        """Start a job; raises QueryFailure where it cannot be started."""
        ...


class QueryFailure(Exception):  # noqa: N818 - carries a class of failure between the worker's side and the gateway
    """A worker's ending without a result. `named`: a word of the query's own text, or empty."""

    def __init__(self, failure: Failure, named: str = "") -> None:
        super().__init__(failure.value)
        self.failure, self.named = failure, named


def refusal(ending: QueryFailure, limits: QueryLimits) -> QueryRefusal:
    """What the person who asked is told of a failure: no value, no path, no text of the engine's."""
    what, next_step = _TOLD[ending.failure](ending.named, limits)
    return QueryRefusal(what, next_step=next_step)


def _size(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _name(name: str, _: QueryLimits) -> tuple[str, str]:
    what = f"The query names {name}, which is not there or not clear" if name else "The query names what is not there"
    return what, "Check the column and table names against: ids catalogue show DATASET"


def _grouping(name: str, _: QueryLimits) -> tuple[str, str]:
    which = name or "a column"
    return f"The query selects {which} beside an aggregate", f"Put {which} into GROUP BY, or aggregate it"


_Told = Callable[[str, QueryLimits], tuple[str, str]]

_TOLD: dict[Failure, _Told] = {
    Failure.NAME: _name,
    Failure.GROUPING: _grouping,
    Failure.TIME: lambda _, most: (
        f"The query ran longer than {most.seconds:g} seconds and was stopped",
        "Read fewer rows or columns, or aggregate before joining",
    ),
    Failure.MEMORY: lambda _, most: (
        f"The query needed more memory than {_size(most.memory)} and was stopped",
        "Aggregate before joining, or take fewer columns",
    ),
    Failure.SCRATCH: lambda _, most: (
        f"The query needed more scratch space than {_size(most.scratch)} and was stopped",
        "Aggregate before sorting or joining",
    ),
    Failure.ROWS: lambda _, most: (f"The result has more than {most.rows:,} rows", "Aggregate, or add LIMIT"),
    Failure.RESULT: lambda _, most: (
        f"The result is larger than {_size(most.result)}", "Aggregate, take fewer columns, or add LIMIT",
    ),
    Failure.QUOTA: lambda *_: (
        "The table is larger than the scratch space that is left for the project",
        "Keep fewer rows or columns, or drop a table: DROP TABLE scratch.NAME",
    ),
    Failure.HEADINGS: lambda *_: (
        "Each column of a scratch table needs a name of its own, of up to 128 characters, and a table has up to "
        "1,000 columns", "Name them: SELECT … AS NAME",
    ),
    Failure.TYPE: lambda *_: (
        "The query gives a function a value of a type it does not take", "Cast it, with TRY_CAST",
    ),
    Failure.CONVERSION: lambda *_: (
        "A value cannot be converted to the type asked for", "Use TRY_CAST, which gives NULL instead",
    ),
    Failure.RANGE: lambda *_: ("A value left the range of its type", "Cast to a wider type first"),
    Failure.SYNTAX: lambda *_: ("The query is not one SELECT that can be read", "Correct it"),
    Failure.BARRED: lambda *_: (
        "The query reached for something outside the project's tables", "Use the project's tables only",
    ),
    Failure.UNSUPPORTED: lambda *_: ("The query asks what the engine does not do", "Write it another way"),
    Failure.KIND: lambda name, _: (
        f"Column {name} is not a number, and the model needs one there", "Cast it in the query",
    ),
    Failure.VALUES: lambda name, _: (
        f"Column {name} holds values that the model cannot take",
        "Outcomes of logistic models and events are 0 or 1, counts are not below 0, logarithms, times and weights "
        "are of numbers above 0: leave the other rows out in the query",
    ),
    Failure.CATEGORIES: lambda name, _: (
        f"Column {name} has too many categories for a model", "Group them in the query",
    ),
    Failure.TOO_FEW: lambda *_: ("Too few rows have every column of the model", "Ask for a smaller model"),
    Failure.SINGULAR: lambda *_: (
        "Columns of the model tell each other, so it has no single answer",
        "Leave out a column that follows from the others, or merge small categories",
    ),
    Failure.UNCONVERGED: lambda *_: (
        "The model comes to no end: some of its columns tell the outcome outright, or it suits the data badly",
        "Merge categories in which everybody has the same outcome, or ask for a smaller model",
    ),
    Failure.MODEL: lambda *_: (
        "The estimator does not do what is asked of it",
        "Surv(time, event) is for kaplan-meier and cox, which take no design; offset() is for poisson; "
        "mean, total and kaplan-meier take groups: a + b",
    ),
    Failure.ENGINE: lambda name, _: (
        f"The query asks for {name}, which Spark is not known to answer as DuckDB does",
        "Write it another way (docs/spark.md lists what is answered), or leave out --engine spark",
    ),
    Failure.ABSENT: lambda *_: (
        "The Spark server does not answer", "Ask whoever runs it, or leave out --engine spark",
    ),
    Failure.RUNS_ON: lambda *_: (
        "The Spark server would go on with a query that is past its limit",
        "Have it set up with executors and a task reaper (docs/spark.md), or leave out --engine spark",
    ),
    Failure.STOPPED: lambda *_: ("The query's process ended early", "Try again, with a smaller query"),
    Failure.CANCELLED: lambda *_: ("The query was cancelled", "Run it again if it is still wanted"),
    Failure.OTHER: lambda *_: ("The query could not be run", "Write it another way"),
}  # fmt: skip
