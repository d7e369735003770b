"""Running a checked query on Spark: the place of the worker where the data or the work is too large for one machine.

Each query has a session of its own on the Spark Connect server, with the project's views in it and nothing
else, and it goes with the query. There is no sandbox around Spark: what keeps a query inside is that the
analyst's text never reaches it (`engines/spark.py`), so the server must be one that only this service uses.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from integrated_data.access.running import Job, Progress, QueryFailure, Written
from integrated_data.engine import Stored
from integrated_data.engines.binder import Unbound
from integrated_data.engines.spark import Spark, SparkFailure
from integrated_data.engines.spark_values import STOP, Untranslated
from integrated_data.model.query import EngineName, Failure

GRACE = 5.0  # seconds a session has, past a query's limit, to end by itself

#: How Spark and Sail call what went wrong, and what it is here; what is not listed is told as OTHER.
FAILURES = {
    STOP + "unconvertible": Failure.CONVERSION, STOP + "undefined": Failure.RANGE,
    "CAST_OVERFLOW": Failure.CONVERSION, "CAST_INVALID_INPUT": Failure.CONVERSION,
    "NumberFormatException": Failure.CONVERSION, "ArrowInvalid": Failure.CONVERSION,
    "ARITHMETIC_OVERFLOW": Failure.RANGE, "NUMERIC_VALUE_OUT_OF_RANGE": Failure.RANGE,
    "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION": Failure.RANGE, "ArithmeticException": Failure.RANGE,
    "NUMERIC_VALUE_OUT_OF_RANGE.WITHOUT_SUGGESTION": Failure.RANGE, "OPERATION_CANCELED": Failure.CANCELLED,
}  # fmt: skip

#: Stops of our own that DuckDB would answer, or would end in words of its own.
SPOKEN = {STOP + "letters": "upper or lower of other than ASCII text", STOP + "rows": "a subquery of several rows"}


@dataclass(frozen=True)
class SparkWorker:
    """Runs every job in a session of its own on a Spark Connect server. `projects`: folder of what was provisioned,
    which the server must see under the same path. `stopping`: refuse a server on which what is stopped runs on.
    """

    url: str = field(repr=False)
    projects: Path
    engine: EngineName = EngineName.SPARK
    stopping: bool = False

    def start(self, job: Job) -> "SparkRows":
        """See `access.running.Worker.start`."""
        for unfit, named in (
            (job.fit is not None, "a model"), (job.kept is not None, "a sensitivity run"),
            (job.keep is not None or any(not view.dataset for view in job.views), "a scratch table"),
        ):  # fmt: skip
            if unfit:
                raise QueryFailure(Failure.ENGINE, named)
        if not all((self.projects / view.place).is_file() for view in job.views):
            raise QueryFailure(Failure.STOPPED)
        return SparkRows(job, self)

    def opened(self, job: Job) -> Spark:
        """A session that holds the job's views."""
        spark = Spark(self.url)
        try:
            if self.stopping and spark.runs_on:
                raise QueryFailure(Failure.RUNS_ON)
            for view in job.views:
                spark.load(view.name, Stored((self.projects / view.place,), sealed=False))
                if tuple(spark.columns(view.name)) != view.columns:
                    raise QueryFailure(Failure.STOPPED)
        except BaseException:
            spark.close()
            raise
        return spark


class SparkRows:
    """A query at work on Spark: its rows, and its end. It runs in a thread of its own, which ends with its session."""

    def __init__(self, job: Job, worker: SparkWorker) -> None:
        self._job, self._worker = job, worker
        self._spark: Spark | None = None
        self._schema: pa.Schema | None = None
        self._batches: list[pa.RecordBatch] = []
        self._ending: QueryFailure | None = None
        self._size, self._until = 0, time.monotonic() + job.limits.seconds
        self._told, self._closed = threading.Event(), False
        self._stopping: threading.Thread | None = None
        self._clock = threading.Timer(job.limits.seconds, lambda: self._end(Failure.TIME))
        self._clock.daemon = True
        self._clock.start()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            spark = self._worker.opened(self._job)
            self._spark = spark
            if self._ending is None:
                self._read(spark)
        except Exception as error:
            self._ending = self._ending or _ending(error)
        finally:
            self._told.set()
            if self._spark is not None:
                self._spark.close()

    def _read(self, spark: Spark) -> None:
        rows, most = 0, self._job.limits
        self._schema = spark.result(self._job.sql)
        for batch in spark.batches(self._job.sql, rows=most.rows + 1):
            rows, self._size = rows + batch.num_rows, self._size + batch.nbytes
            if rows > most.rows or self._size > most.result:
                raise QueryFailure(Failure.ROWS if rows > most.rows else Failure.RESULT)
            self._batches.append(batch)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result; waits for it, and raises QueryFailure where there is none."""
        self._wait()
        assert self._schema is not None
        return self._schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches, once over; waits for the end, and raises QueryFailure where there is no result."""
        self._wait()
        while self._batches:
            yield self._batches.pop(0)

    def _wait(self) -> None:
        """Wait for the end, which comes in time also where the server says nothing more."""
        if not self._told.wait(max(0.0, self._until - time.monotonic()) + GRACE):
            self._end(Failure.TIME)
        self._clock.cancel()
        if self._ending is not None:
            self._batches.clear()
            raise self._ending

    def write(self, place: Path) -> Written:  # noqa: ARG002 - jobs that keep their rows are refused before
        """See `access.running.Rows.write`; refused."""
        raise QueryFailure(Failure.ENGINE, "a scratch table")

    def progress(self) -> Progress:
        """See `access.running.Rows.progress`; Spark's own estimate of its share is not told here."""
        return Progress(1.0 if self._told.is_set() else 0.0, self._size)

    def _end(self, failure: Failure) -> None:
        if self._told.is_set():
            return
        self._ending = self._ending or QueryFailure(failure)
        if self._spark is not None:  # apart, since a server that hangs does not answer this either
            self._stopping = threading.Thread(target=self._spark.interrupt, daemon=True)
            self._stopping.start()
        self._told.set()

    def cancel(self) -> None:
        """Stop the query from another thread; whoever reads its rows is told."""
        self._end(Failure.CANCELLED)

    def close(self) -> None:
        """Stop the query, whether it is done or not."""
        if not self._closed:
            self._closed = True
            self._clock.cancel()
            self._end(Failure.CANCELLED)
            if self._stopping is not None:  # whose process may end with its answer, and the word to the server with it
                self._stopping.join(GRACE)


def _ending(error: Exception) -> QueryFailure:
    """What an error means to who asked; nothing of its words is kept."""
    match error:
        case QueryFailure():
            return error
        case Untranslated():
            return QueryFailure(Failure.ENGINE, error.named)
        case SparkFailure() if error.kind in SPOKEN:
            return QueryFailure(Failure.ENGINE, SPOKEN[error.kind])
        case SparkFailure() if "Grpc" in error.kind or "Retries" in error.kind or "CONNECT" in error.kind:
            return QueryFailure(Failure.ABSENT)
        case SparkFailure():
            return QueryFailure(FAILURES.get(error.kind, Failure.OTHER))
        case Unbound():
            return QueryFailure(Failure.GROUPING if "GROUP BY" in error.message else Failure.NAME)
    return QueryFailure(Failure.OTHER)
