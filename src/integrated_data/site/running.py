"""Starting workers and reading their rows: the gateway's side of `site/worker.py`."""

import fcntl
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from integrated_data.access.running import Job, QueryFailure
from integrated_data.model.query import Failure
from integrated_data.site.sandbox import Isolation, Launch

GRACE = 3.0  # seconds a worker has, past its own limit, to end by itself
PIPE = 1 << 20  # bytes a pipe holds
MARK = b"ids-worker "


@dataclass(frozen=True)
class ProcessWorker:
    """Runs every job in a process of its own. `projects`: folder of what was provisioned."""

    isolation: Isolation
    projects: Path
    scratch: Path

    def start(self, job: Job) -> "Running":
        """See `access.running.Worker.start`."""
        files = tuple(self.projects / view.place for view in job.views)
        if not all(file.is_file() for file in files):
            raise QueryFailure(Failure.STOPPED)
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="query-", dir=self.scratch))
        try:
            return Running(job, self.isolation.launch(files, scratch), scratch=scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise


class Running:
    """A worker at work: its rows, and its end."""

    def __init__(self, job: Job, launch: Launch, *, scratch: Path) -> None:
        self._scratch = scratch
        self._late = self._cancelled = self._closed = False
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            launch.arguments, env=launch.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, start_new_session=True, cwd="/",
        )  # fmt: skip
        self._clock = threading.Timer(job.limits.seconds + GRACE, self._stop_late)
        self._clock.daemon = True
        self._clock.start()
        try:
            self._send(job, launch)
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._out, mode="r"))
        except (pa.ArrowInvalid, OSError):
            raise self._ending() or QueryFailure(Failure.STOPPED) from None

    @property
    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _send(self, job: Job, launch: Launch) -> None:
        views = [
            {"name": view.name, "columns": view.columns, "keys": view.keys, "files": [place]}
            for view, place in zip(job.views, launch.places, strict=True)
        ]
        body: dict[str, Any] = {"sql": job.sql, "views": views, "limits": asdict(job.limits), "scratch": launch.scratch}
        body["kept"] = asdict(job.kept) if job.kept is not None else None
        assert self._process.stdin is not None
        with self._process.stdin as inlet:
            inlet.write(json.dumps(body).encode())
        fcntl.fcntl(self._out.fileno(), fcntl.F_SETPIPE_SZ, PIPE)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result."""
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches as they come; raises QueryFailure where the worker ends without its last."""
        try:
            while True:
                try:
                    batch = self._reader.read_next_batch()
                except (StopIteration, pa.ArrowInvalid, OSError):
                    break
                yield batch
            ending = self._ending()
            if ending is not None:
                raise ending
        finally:
            self.close()

    def _ending(self) -> QueryFailure | None:
        """Wait for the worker and read how it ended; None for a whole result."""
        self._process.wait()
        ending = self._last_word()
        self.close()
        if self._late or self._cancelled:
            return QueryFailure(Failure.TIME if self._late else Failure.CANCELLED)
        return QueryFailure(Failure(ending["failure"]), ending["named"]) if "failure" in ending else None

    def _last_word(self) -> dict[str, Any]:
        """How the worker says it ended, or how it looks where it could not say."""
        self._errors.seek(0)
        said = self._errors.read(1 << 16)
        found = [line for line in said.splitlines() if line.startswith(MARK)]
        if found:
            word: dict[str, Any] = json.loads(found[-1][len(MARK) :])
            return word
        gone = Failure.MEMORY if b"alloc" in said else Failure.STOPPED
        return {"failure": gone.value, "named": ""}

    def _stop_late(self) -> None:
        self._late = True
        self._process.kill()

    def cancel(self) -> None:
        """Stop the worker from another thread; whoever reads its rows is told."""
        self._cancelled = True
        self._process.kill()

    def close(self) -> None:
        """Stop the worker, whether it is done or not, and clear its scratch."""
        if self._closed:
            return
        self._closed = True
        self._clock.cancel()
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._errors.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
