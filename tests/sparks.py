"""Spark Connect servers for tests: Sail in this process, Apache Spark as a process of its own on loopback."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pysail.spark import SparkConnectServer

#: Where tasks on Apache Spark find the package and what tests hand them.
ROOT = Path(__file__).parents[1]

warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")


@contextlib.contextmanager
def sail() -> Iterator[str]:
    """The address of a Sail server that ends with the context."""
    os.environ.setdefault("RUST_LOG", "error")
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    try:
        yield "sc://{}:{}".format(*server.listening_address)
    finally:
        server.stop()


def spark_home() -> Path:
    """Where Apache Spark is: SPARK_HOME, or what make test-spark installed; a skipped test where there is none."""
    beside = Path(__file__).parents[1] / ".venv" / "spark" / "pyspark"
    home = Path(os.environ.get("SPARK_HOME") or beside)
    if not (home / "bin" / "spark-submit").exists() or shutil.which("java") is None:
        pytest.skip("Apache Spark or Java is not here; make test-spark brings Spark")
    return home


@contextlib.contextmanager
def spark(folder: Path) -> Iterator[str]:
    """The address of an Apache Spark Connect server with two threads, which takes up to a minute to start."""
    home, port = spark_home(), _free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port,
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 2, "spark.sql.warehouse.dir": folder / "warehouse",
    }  # fmt: skip
    arguments = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    log = (folder / "spark.log").open("wb")
    process = subprocess.Popen(
        [str(home / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1g", *arguments,
         "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"],
        env={
            **os.environ, "SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.13", "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src"))),
        },
        stdout=log, stderr=log, cwd=folder,
    )  # fmt: skip
    try:
        _await(port, process)
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        log.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.3)
    pytest.fail("Apache Spark did not start")


def empty(columns: tuple[str, ...]) -> pa.Table:
    """A table of whole numbers without rows."""
    return pa.table({column: pa.array([], pa.int64()) for column in columns})
