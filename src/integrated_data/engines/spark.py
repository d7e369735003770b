"""Spark behind the engine seam, through Spark Connect: Apache Spark, or a Sail server. Reads; does not write yet.

SQL comes in DuckDB's dialect and is never passed on: DuckDB's parser and binder read it over empty tables of
the same shape, and what they understood is written anew for Spark (`spark_relations.py`) with functions that
are known to give the same (`spark_functions.py`). Rows come back in the types that DuckDB would give.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from integrated_data.engine import Held, Source, Stored
from integrated_data.engines.binder import Binder
from integrated_data.engines.spark_ending import KILL, MASTER, REAPER, Planning, runs_on
from integrated_data.engines.spark_relations import Translation
from integrated_data.engines.spark_values import STOP, STOPS, Untranslated
from integrated_data.vocabulary.sql import name

#: What every session is set to: errors where a value does not fit, no time zone but UTC.
SETTINGS = {
    "spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "UTC", "spark.sql.caseSensitive": "false",
}  # fmt: skip

#: Tries at a server that does not answer, and seconds between them at most.
TRIES, PAUSE = 3, 2.0

#: Seconds that an interrupt waits at most for a query to be planned.
PLANNED = 60.0


class SparkFailure(Exception):  # noqa: N818 - the server's ending, kept apart from its words
    """Spark ended a statement without rows. `kind`: its class of error, which holds no value of the data."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Spark:
    """One session on a Spark Connect server; what is made in it goes when it is closed.

    `runs_on`: whether its server lets tasks run on that are cancelled (see `runs_on`).
    """

    name = "spark"

    def __init__(self, url: str) -> None:
        """`url`: as Spark Connect writes it, e.g. `sc://127.0.0.1:15002`. Raises SparkFailure where nobody answers."""
        self._binder, self._planning = Binder(), Planning()
        with _asking():
            self._session = SparkSession.builder.remote(url).create()
            tries = DefaultPolicy(max_retries=TRIES, max_backoff=int(PAUSE * 1000))
            self._session.client.set_retry_policies([tries])
            for setting, value in SETTINGS.items():
                self._session.conf.set(setting, value)
            master, reaper, kill = (self._session.conf.get(key, None) for key in (MASTER, REAPER, KILL))
            heard: Any = self._planning  # pyspark's type of it is a class to inherit
            self._session.registerProgressHandler(heard)
        self._plans_apart, self.runs_on = master is not None, runs_on(master, reaper=reaper, kill=kill)

    def load(self, table: str, source: Source) -> None:
        """See `engine.Reader.load`; of files only those that are not sealed, whose cipher is DuckDB's own."""
        match source:
            case Stored(sealed=False, row_column=None):
                shapes = [pq.read_schema(place) for place in source.places]
                self._binder.hold(table, pa.unify_schemas(shapes, promote_options="permissive").empty_table())
                with _asking():
                    reader = self._session.read
                    reader = reader.option("mergeSchema", "true") if len(shapes) > 1 else reader
                    frame = reader.parquet(*(str(place) for place in source.places))
                    frame.createOrReplaceTempView(table)
            case Held():
                self._binder.hold(table, source.table)
                with _asking():
                    self._session.createDataFrame(source.table).createOrReplaceTempView(table)
            case _:
                raise Untranslated("sealed files")

    def view(self, table: str, sql: str) -> None:
        """See `engine.Reader.view`."""
        shape, asked = self._binder.shape(sql), self.translated(sql)
        with _asking():
            renamed = self._session.sql(asked).toDF(*shape)
            renamed.createOrReplaceTempView(table)
        self._binder.declare(table, shape)

    def translated(self, sql: str, *, rows: int | None = None) -> str:
        """A SELECT as Spark is asked it; `rows`: at most so many. Raises Untranslated, or `binder.Unbound`."""
        return Translation(self._binder.tables).query(self._binder.plan(sql), rows=rows)

    def rows(self, sql: str) -> pa.Table:
        """See `engine.Reader.rows`."""
        schema = self._binder.result(sql)
        return pa.Table.from_batches(list(self.batches(sql)), schema=schema)

    def batches(self, sql: str, *, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT as they come, in DuckDB's types; `rows`: at most so many."""
        schema, asked = self._binder.result(sql), self.translated(sql, rows=rows)
        with _asking(), self._planning.until_rows():
            frame = self._session.sql(asked)
            plan = getattr(frame, "_plan").to_proto(self._session.client)  # noqa: B009 - a column may be called so
            for part in self._session.client.to_table_as_iterator(plan, {}):
                if isinstance(part, pa.Table):
                    self._planning.end()
                    yield from _as(part, schema).to_batches()

    def result(self, sql: str) -> pa.Schema:
        """The columns of a SELECT as DuckDB would give them."""
        return self._binder.result(sql)

    def columns(self, table: str) -> dict[str, str]:
        """See `engine.Reader.columns`."""
        return self._binder.shape(f"FROM {name(table)}")

    def drop(self, *tables: str) -> None:
        """See `engine.Reader.drop`."""
        for table in tables:
            with _asking():
                self._session.catalog.dropTempView(table)
            self._binder.drop(table)

    def interrupt(self) -> None:
        """Stop what runs in this session, from any thread; Apache Spark when it has planned it, or PLANNED is over."""
        until = time.monotonic() + PLANNED
        while self._plans_apart and not self._planning.over() and time.monotonic() < until:
            time.sleep(0.1)
        with contextlib.suppress(Exception):
            self._session.interruptAll()

    def close(self) -> None:
        """End the session, and with it all that runs or lies in it."""
        self.interrupt()
        with contextlib.suppress(Exception):
            self._session.stop()
        self._binder.close()


def _as(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows under the names and types that DuckDB gives; a value that does not fit is an error."""
    columns = [column.cast(field.type, safe=True) for column, field in zip(part.columns, schema, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Keep the server's words, which may quote values, out of what is raised."""
    try:
        yield
    except (PySparkException, grpc.RpcError, pa.ArrowException) as error:
        raise SparkFailure(_kind(error)) from None


def _kind(error: Exception) -> str:
    """A class of error: a stop of our own, Spark's condition, or the type of the exception."""
    said = str(error)
    stopped = next((stop for stop in sorted(STOPS) if STOP + stop in said), None)
    if stopped is not None:
        return STOP + stopped
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return str(condition or type(error).__name__)
