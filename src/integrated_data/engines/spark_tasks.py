"""Shares of statements as tasks of a Spark Connect server: Apache Spark, or a Sail server.

Every share is a task of its own (`mapInArrow` over its number), so that the server schedules them over its workers,
does one again that was lost, and is told nothing but statements and the places of sealed files. Where its tasks run
there must be Python with this package, and the installation's folder under the same path.
"""

import contextlib
import uuid
from collections.abc import Sequence

import grpc
from pyspark.errors import PySparkException
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from integrated_data.engines.shares import ANSWER, Numbered, Opener, Share, Written
from integrated_data.model.errors import InstallationRefusal

#: Tries at a server that does not answer, and seconds between them at most.
TRIES, PAUSE = 3, 2.0


class SparkTasks:
    """A session on a Spark Connect server, opened when there is something to do. `at_once`: its cores."""

    def __init__(self, url: str, *, opener: Opener, at_once: int) -> None:
        self.at_once = at_once
        self._url, self._opener, self._name = url, opener, uuid.uuid4().hex
        self._session: SparkSession | None = None

    def run(self, shares: Sequence[Share]) -> list[Written]:
        """See `shares.Tasks.run`; refuses where the server does not answer."""
        try:
            if self._session is None:
                self._session = SparkSession.builder.remote(self._url).create()
                tries = DefaultPolicy(max_retries=TRIES, max_backoff=int(PAUSE * 1000))
                self._session.client.set_retry_policies([tries])
            numbers = self._session.range(0, len(shares), 1, len(shares))
            done = numbers.mapInArrow(Numbered(tuple(shares), self._opener, self._name), ANSWER).toArrow()
        except (PySparkException, grpc.RpcError) as error:
            condition = error.getCondition() if isinstance(error, PySparkException) else None
            raise InstallationRefusal(
                "The Spark server did not do its share of a load",
                why=f"It ended with {condition or type(error).__name__}",
                next_step="See its log; then deliver again, or without IDS_LOADING=spark",
            ) from None
        return sorted((Written(**row) for row in done.to_pylist()), key=lambda w: w.number)

    def interrupt(self) -> None:
        """See `shares.Tasks.interrupt`."""
        if self._session is not None:
            with contextlib.suppress(PySparkException, grpc.RpcError):
                self._session.interruptAll()

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.stop()
            self._session = None
