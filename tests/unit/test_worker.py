"""Workers as the gateway sees them: rows, endings, and what a sandbox shows of the machine."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pytest
from structlog.testing import capture_logs

from integrated_data.access.running import Job, QueryFailure, refusal
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.query import Failure, QueryLimits
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import Bubblewrap, Isolation, PlainProcess, choose
from tests.access_side import VIEWS, write_views

LIMITS = QueryLimits(seconds=20, memory=2**29)


def sandbox() -> Bubblewrap:
    """Bubblewrap, or a skipped test where the machine has none."""
    with capture_logs():
        found = choose(production=False)
    if not isinstance(found, Bubblewrap):
        pytest.skip("bubblewrap does not run on this machine")
    return found


@pytest.fixture(params=["bubblewrap", "process"])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> ProcessWorker:
    write_views(tmp_path / "projects")
    isolation: Isolation = sandbox() if request.param == "bubblewrap" else PlainProcess()
    return ProcessWorker(isolation, tmp_path / "projects", tmp_path / "scratch")


def run(worker: ProcessWorker, sql: str, *, limits: QueryLimits = LIMITS) -> pa.Table:
    rows = worker.start(Job(sql, (VIEWS["census"],), limits))
    return pa.Table.from_batches(list(rows), schema=rows.schema)


def test_rows_come_back(worker: ProcessWorker) -> None:
    table = run(worker, "SELECT region, count(*)::INT AS n FROM census GROUP BY region ORDER BY region")
    assert table.to_pydict() == {"region": ["North", "South"], "n": [4, 4]}
    none = run(worker, "SELECT region FROM census WHERE false")
    assert none.schema.names == ["region"]
    assert none.num_rows == 0


def test_an_ending_says_its_class_and_no_value(worker: ProcessWorker) -> None:
    with pytest.raises(QueryFailure) as caught:
        run(worker, "SELECT region::INT FROM census")
    assert (caught.value.failure, caught.value.named) == (Failure.CONVERSION, "")
    assert "North" not in str(refusal(caught.value, LIMITS))


def test_a_cancelled_query_says_so(worker: ProcessWorker) -> None:
    rows = worker.start(Job("SELECT * FROM range(10000000000)", (), LIMITS))
    threading.Timer(0.1, rows.cancel).start()
    with pytest.raises(QueryFailure) as caught:
        list(rows)
    assert caught.value.failure is Failure.CANCELLED


def test_a_worker_that_dies_is_told_of(worker: ProcessWorker) -> None:
    rows = worker.start(Job("SELECT * FROM range(10000000000)", (), LIMITS))
    threading.Timer(0.1, rows._process.kill).start()
    with pytest.raises(QueryFailure) as caught:
        list(rows)
    assert caught.value.failure is Failure.STOPPED


def test_a_file_that_is_gone_is_told_of(worker: ProcessWorker) -> None:
    (worker.projects / VIEWS["census"].place).unlink()
    with pytest.raises(QueryFailure) as caught:
        run(worker, "SELECT 1")
    assert caught.value.failure is Failure.STOPPED


def test_rows_stay_readable_when_nothing_of_them_is_left_on_the_disk(worker: ProcessWorker) -> None:
    before = pa.total_allocated_bytes()
    table = run(worker, "SELECT range AS n FROM range(3000000)")
    assert list(worker.scratch.iterdir()) == []
    assert pa.compute.sum(table["n"]).as_py() == 2_999_999 * 1_500_000
    assert pa.total_allocated_bytes() - before < table.nbytes / 10, "rows are mapped, not copied"


def test_a_running_query_tells_how_far_it_is(worker: ProcessWorker) -> None:
    place = worker.projects / VIEWS["census"].place
    pa.parquet.write_table(
        pa.table({c: range(1_000_000) for c in VIEWS["census"].columns}), place, row_group_size=10_000
    )
    slow = "SELECT max(sha256(repeat(person_key::VARCHAR, 120))) FROM census"
    rows = worker.start(Job(slow, (VIEWS["census"],), LIMITS))
    until = time.monotonic() + 15
    while not (share := rows.progress().share) and time.monotonic() < until:
        time.sleep(0.1)
    assert 0 < share < 1
    rows.close()
    assert rows.progress().share == 1.0


def test_rows_left_unread_leave_no_process(worker: ProcessWorker) -> None:
    rows = worker.start(Job("SELECT * FROM range(10000000000)", (), LIMITS))
    rows.close()
    assert rows._process.poll() is not None
    assert list(worker.scratch.iterdir()) == []


LOOK = """
import json, os, socket, sys
def tried(what):
    try:
        what()
    except BaseException as error:
        return type(error).__name__
    return "done"
listener = socket.socket()
print(json.dumps({
    "root": sorted(os.listdir("/")), "project": os.listdir("/project"), "user": os.getuid(),
    "processes": len([p for p in os.listdir("/proc") if p.isdigit()]) if os.path.isdir("/proc") else 0,
    "environment": sorted(os.environ), "host": socket.gethostname(),
    "passwd": tried(lambda: open("/etc/passwd")), "home": tried(lambda: os.listdir(sys.argv[1])),
    "write project": tried(lambda: open("/project/0.parquet", "ab")),
    "write root": tried(lambda: open("/x", "wb")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[2])), 1)),
    "outside": tried(lambda: os.chroot("/")),
}))
"""


def test_a_sandbox_shows_the_files_of_the_job_and_nothing_else(tmp_path: Path) -> None:
    write_views(tmp_path)
    (tmp_path / "scratch").mkdir()
    launch = sandbox().launch((tmp_path / VIEWS["census"].place,), tmp_path / "scratch")
    start = [*launch.arguments[: launch.arguments.index("--") + 1], sys.executable, "-S", "-c", LOOK]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            [*start, str(tmp_path), str(port)], env={}, capture_output=True, check=True, timeout=30, text=True
        )
    seen = json.loads(done.stdout)
    assert seen["project"] == ["0.parquet"]
    named = {Path(argument).parts[1] for argument in launch.arguments if argument.startswith("/") and argument != "/"}
    assert set(seen["root"]) <= named
    assert seen["user"] == 65534
    assert seen["processes"] == 0
    assert set(seen["environment"]) <= {"LC_ALL", "PYTHONPATH", "PWD"}
    assert seen["host"] == "worker"
    assert seen["passwd"] == seen["home"] == "FileNotFoundError"
    assert seen["write project"] == seen["write root"] == "OSError"
    assert seen["network"] in ("ConnectionRefusedError", "OSError")
    assert seen["outside"] == "PermissionError"


def test_without_a_sandbox_a_trial_is_warned_and_production_stops() -> None:
    with capture_logs() as logs:
        assert choose(production=False, program="/bin/false") == PlainProcess()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    with pytest.raises(InstallationRefusal, match="may not make a namespace"):
        choose(production=True, program="/bin/false")
    with pytest.raises(InstallationRefusal, match="does not start"):
        choose(production=True, program="/nonexistent/bwrap")


def test_an_installation_among_the_interpreters_folders_is_refused(tmp_path: Path) -> None:
    inside = Path(os.__file__)
    with pytest.raises(InstallationRefusal, match="lies inside"):
        sandbox().launch((inside,), tmp_path)


MODEL = Estimate(Estimator.LINEAR, "income ~ hours")


def test_a_model_is_fitted_where_the_rows_are(worker: ProcessWorker) -> None:
    sql = "SELECT income + wave AS income, person_key % 3 AS hours FROM lfs"
    rows = worker.start(Job(sql, (VIEWS["lfs"],), LIMITS, fit=Fit(MODEL)))
    table = pa.Table.from_batches(list(rows), schema=rows.schema)
    assert table["term"].to_pylist() == ["(Intercept)", "hours"]
    assert b"estimate" in table.schema.metadata
    whose = sql.replace(" FROM", ", person_key FROM")
    telling = worker.start(Job(whose, (VIEWS["lfs"],), LIMITS, fit=Fit(MODEL, "person_key", 2)))
    (told,) = pa.Table.from_batches(list(telling), schema=telling.schema).to_pylist()
    assert told.keys() == {"leverage", "share"}


def test_a_model_that_cannot_be_fitted_ends_with_a_word_of_its_own_formula(worker: ProcessWorker) -> None:
    for sql, said in (
        ("SELECT 1.0 AS income", (Failure.NAME, "hours")),
        ("SELECT income, hours FROM lfs", (Failure.SINGULAR, "")),
        ("SELECT status AS income, wave AS hours FROM lfs", (Failure.KIND, "income")),
        ("SELECT income, hours FROM lfs WHERE hours < 0", (Failure.TOO_FEW, "")),
    ):
        with pytest.raises(QueryFailure) as caught:
            list(worker.start(Job(sql, (VIEWS["lfs"],), LIMITS, fit=Fit(MODEL))))
        assert (caught.value.failure, caught.value.named) == said
        assert str(refusal(caught.value, LIMITS))
