"""Where heavy statements of loads run: here, or as tasks of the Spark server that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from integrated_data.engine import Engine
from integrated_data.engines.cluster import Cluster, Spreading
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.query import EngineName
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from integrated_data.site.share_engine import open_share
from integrated_data.site.spark_server import check_server


@contextmanager
def loads_on(engine: DuckDB, settings: Settings, *, places: Places) -> Iterator[Engine]:
    """The engine that loads speak to: `engine` itself, or with the Spark server of the settings behind it.

    Refuses where loads are set to run on Spark and its server or its client is not there.
    """
    if settings.loading is not EngineName.SPARK:
        yield engine
        return
    url = check_server(settings.spark, production=settings.production)
    from integrated_data.engines.spark_tasks import SparkTasks

    home = Places(places.home.resolve())
    opener = partial(open_share, home.keyring, home.scratch, memory=settings.task_memory)
    tasks = SparkTasks(url, opener=opener, at_once=settings.tasks or settings.threads)
    cluster = Cluster(engine, Spreading(tasks, places.scratch, settings.spread))
    try:
        yield cluster
    finally:
        cluster.close()
