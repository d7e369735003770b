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

MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"

#: Workers of a cluster, by the folders that they work in.
WORKERS = ("one", "two")

#: What docs/spark.md asks of a server for queries: an executor that goes on with what was cancelled is ended.
REAPER = {
    "spark.task.reaper.enabled": "true", "spark.task.reaper.killTimeout": "5s",
    "spark.task.reaper.pollingInterval": "1s",
}  # fmt: skip

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


def spark_with_iceberg() -> tuple[Path, Path]:
    """Where a Spark that Iceberg has a jar for is, and the jar, or a skipped test: Iceberg is behind Spark by versions.

    `IDS_SPARK_ICEBERG` names a folder of both, as `make test-spark` makes it.
    """
    beside = ROOT / ".venv" / "spark-iceberg"
    folder = Path(os.environ.get("IDS_SPARK_ICEBERG") or beside)
    jars = sorted(folder.glob("snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar"))
    if not jars or shutil.which("java") is None:
        pytest.skip("A Spark with Iceberg's jar, or Java, is not here; make test-spark brings both")
    return folder / "pyspark", jars[0]


@contextlib.contextmanager
def spark(folder: Path) -> Iterator[str]:
    """The address of an Apache Spark Connect server with two threads, which takes up to a minute to start."""
    with _connect(folder, "--master", "local[2]", "--driver-memory", "1g") as url:
        yield url


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a Spark Connect server before a standalone cluster: a master and two workers, on loopback."""
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    at = ["--host", "127.0.0.1"]
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(_process(folder, "master", ["spark-class", MASTER, *at, "--port", str(port)]))
        _await(port, started)
        for name in WORKERS:
            limits = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / name)]
            stack.enter_context(_process(folder, name, ["spark-class", WORKER, *at, *limits, master]))
        told = [part for name, value in REAPER.items() for part in ("--conf", f"{name}={value}")]
        memory = ("--driver-memory", "1g", "--executor-memory", "800m")
        yield stack.enter_context(_connect(folder, "--master", master, *memory, *told))


def executors(folder: Path) -> float:
    """Seconds of a processor that the executors of the cluster of this folder, as far as they live, have taken."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            at = (process / "cwd").resolve()
            if any(at.is_relative_to(folder / name) for name in WORKERS):
                spent = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(spent[11]) + int(spent[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _connect(folder: Path, *arguments: str) -> Iterator[str]:
    port = _free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port,
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": 2, "spark.sql.warehouse.dir": folder / "warehouse",
    }  # fmt: skip
    told = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    command = ["spark-submit", *arguments, *told, "--class", CONNECT]
    with _process(folder, "connect", command) as process:
        _await(port, process)
        yield f"sc://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(folder: Path, name: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Spark's `bin`, stopped with the context; its words are in `<name>.log`."""
    home = spark_home()
    told = environment(home, scala="2.13")
    if command[0] == "spark-class":
        told["SPARK_DAEMON_MEMORY"] = "256m"
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(home / "bin" / command[0]), *command[1:]], env=told, stdout=log, stderr=log, cwd=folder
        )
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def environment(home: Path, *, scala: str) -> dict[str, str]:
    """What a process of Spark gets: its tasks find this Python, the package, and what tests hand them."""
    return {
        **os.environ, "SPARK_HOME": str(home), "SPARK_SCALA_VERSION": scala, "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src"))),
    }  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.3)
    pytest.fail("Apache Spark did not start")


def empty(columns: tuple[str, ...]) -> pa.Table:
    """A table of whole numbers without rows."""
    return pa.table({column: pa.array([], pa.int64()) for column in columns})


def rounded(table: pa.Table) -> list[tuple[object, ...]]:
    """Rows, floating points to ten digits: engines take sums in another order."""
    return [
        tuple(f"{v:.10g}" if isinstance(v, float) else v for v in row)
        for row in zip(*(c.to_pylist() for c in table.columns), strict=True)
    ]
