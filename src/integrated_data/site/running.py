"""Starting workers and reading their rows: the gateway's side of `site/worker.py`.

A worker writes its result to a file that only the gateway can name. When it has ended well, the file
is mapped and unlinked: rows are read where they lie, a large result takes no memory of its own, a
slow reader keeps no worker waiting, and what is no longer referred to is gone from the disk.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from integrated_data.access.running import Job, Progress, QueryFailure, Written
from integrated_data.model.query import SCRATCH, EngineName, Failure
from integrated_data.site.sandbox import Isolation, Launch

GRACE = 3.0  # seconds a worker has, past its own limit, to end by itself
MARK = b"ids-worker "
KEPT = f"{SCRATCH}."  # begins the name of a view that is a scratch table
SHARE = b"ids-share "  # begins a line that tells how far the engine is, in hundredths


@dataclass(frozen=True)
class ProcessWorker:
    """Runs every job in a process of its own. `projects`: folder of what was provisioned."""

    isolation: Isolation
    projects: Path
    scratch: Path
    engine: EngineName = EngineName.DUCKDB

    def start(self, job: Job) -> "Running":
        """See `access.running.Worker.start`."""
        files = tuple(self.projects / view.place for view in job.views)
        if not all(file.is_file() for file in files):
            raise QueryFailure(Failure.STOPPED)
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="query-", dir=self.scratch))
        try:
            (folder / "spill").mkdir()
            return Running(job, self.isolation.launch(files, folder / "spill", fits=job.fit is not None), folder=folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


class Running:
    """A worker at work: its rows, and its end. `folder`: its own, gone when it is closed."""

    def __init__(self, job: Job, launch: Launch, *, folder: Path) -> None:
        self._folder, self._result = folder, folder / "result"
        self._late = self._cancelled = self._closed = False
        self._rows: pa.RecordBatchReader | None = None
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        with self._result.open("xb") as result:
            self._process = subprocess.Popen(
                launch.arguments, env=launch.environment, stdin=subprocess.PIPE, stdout=result,
                stderr=self._errors, start_new_session=True, cwd="/",
            )  # fmt: skip
        self._clock = threading.Timer(job.limits.seconds + GRACE, self._stop_late)
        self._clock.daemon = True
        self._clock.start()
        with contextlib.suppress(OSError):  # it ended before it read: its ending tells
            self._send(job, launch)

    def _send(self, job: Job, launch: Launch) -> None:
        views = [
            {
                "name": view.name.removeprefix(KEPT), "scratch": view.name.startswith(KEPT), "columns": view.columns,
                "keys": view.keys, "files": [place],
            }
            for view, place in zip(job.views, launch.places, strict=True)
        ]  # fmt: skip
        body: dict[str, Any] = {"sql": job.sql, "views": views, "limits": asdict(job.limits), "scratch": launch.scratch}
        body["kept"] = asdict(job.kept) if job.kept is not None else None
        body["keep"] = job.keep
        if job.fit is not None:
            body["estimate"] = {"estimate": job.fit.estimate.told(), "unit": job.fit.unit, "few": job.fit.few}
        assert self._process.stdin is not None
        with self._process.stdin as inlet:
            inlet.write(json.dumps(body).encode())

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result; waits for the worker, and raises QueryFailure where it ended without one."""
        return self._whole().schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches, once over; waits for the worker, and raises QueryFailure where it ended without a result."""
        yield from self._whole()

    def write(self, place: Path) -> Written:
        """The file of a job that keeps its rows, moved to `place`; see `access.running.Rows.write`."""
        self._process.wait()
        ending = self._ending()
        if ending is not None:
            raise ending
        word = self._last_word()
        self._result.chmod(0o600)
        shutil.move(self._result, place)
        self.close()
        return Written(int(word["rows"]), tuple(word["columns"]))

    def progress(self) -> Progress:
        """See `access.running.Rows.progress`."""
        try:
            said = os.pread(self._errors.fileno(), 1 << 16, 0).splitlines()
            size = self._result.stat().st_size
        except (OSError, ValueError):  # closed meanwhile
            return Progress(1.0, 0)
        shares = [line for line in said if line.startswith(SHARE)]
        return Progress(min(1.0, float(shares[-1][len(SHARE) :]) / 100) if shares else 0.0, size)

    def _whole(self) -> pa.RecordBatchReader:
        """Wait for the worker's end; the rows of a whole result, mapped."""
        if self._rows is None:
            self._process.wait()
            ending = self._ending()
            try:
                if ending is None:
                    self._rows = pa.ipc.open_stream(pa.memory_map(str(self._result)))
            except (pa.ArrowInvalid, OSError):
                ending = QueryFailure(Failure.STOPPED)
            finally:
                self.close()
            if ending is not None:
                raise ending
        return self._rows

    def _ending(self) -> QueryFailure | None:
        """How an ended worker ended; None for a whole result."""
        ending = {} if self._closed else self._last_word()
        if self._late or self._cancelled or self._closed:
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
        """Stop the worker, whether it is done or not, and clear what it wrote but for rows being read."""
        if self._closed:
            return
        self._closed = True
        self._clock.cancel()
        self._process.kill()
        self._process.wait()
        self._errors.close()
        shutil.rmtree(self._folder, ignore_errors=True)
