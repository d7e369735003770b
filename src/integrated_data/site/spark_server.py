"""The Spark Connect server that an installation is set to use."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from integrated_data.access.running import Worker
from integrated_data.model.errors import InstallationRefusal

#: Names of this machine, to which a line need not be encrypted.
HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def spark_worker(url: str | None, projects: Path, *, production: bool) -> Worker:
    """What runs queries on the Spark server of the settings; refuses as `check_server` does, and in production, when it
    is asked, a server that does not stop what is past its limit."""
    named = check_server(url, production=production)
    from integrated_data.site.spark_running import SparkWorker

    return SparkWorker(named, projects, stopping=production)


def check_server(url: str | None, *, production: bool) -> str:
    """The address of the Spark server of the settings.

    Refuses where there is none, where its client is not installed, and in production where the line to another
    machine is not encrypted.
    """
    if not url:
        raise InstallationRefusal(
            "No Spark server is named", next_step="Set IDS_SPARK to its address, for instance sc://127.0.0.1:15002"
        )
    if find_spec("pyspark") is None:
        raise InstallationRefusal(
            "Spark's client is not installed", next_step="pip install 'integrated-data-service[spark]'"
        )
    if production and urlsplit(url).hostname not in HERE and "use_ssl=true" not in url.lower():
        raise InstallationRefusal(
            "The line to the Spark server is not encrypted",
            why="IDS_PRODUCTION is set and the server is on another machine",
            next_step="Add use_ssl=true to IDS_SPARK, for instance sc://spark.example:443/;use_ssl=true",
        )
    return url
