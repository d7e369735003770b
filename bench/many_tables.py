"""Two thousand small tables, one in a hundred broken in twenty ways, in one `ids batch` on two cores, killed half-way.

The run is killed (SIGKILL) when half of it is done, and started again: seconds a table are those of both runs by the
wall. What a table costs is then compared between an installation without tables and this one with all of them.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import report
from integrated_data.control import releases
from integrated_data.control.store import Store
from integrated_data.control.tables import job_step
from integrated_data.site.installation import create
from integrated_data.site.places import Places, open_store
from integrated_data.specimen import write_small_tables

TABLES, WORKERS, MARK = 2_000, 2, 0.35
#: Tables that come to an empty and to a full installation, and how much dearer they may be there.
MORE, FLAT = 100, 1.15
_COMMAND = [sys.executable, "-c", "from integrated_data.cli import main; main()", "batch"]


def run() -> bool:
    """Print the tables; true when every good table is published, every broken one is named, within the marks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = write_small_tables(folder, count=TABLES).to_pylist()
        broken = {t["dataset"]: t["broken"] for t in truth if t["broken"] is not None}
        good = {t["dataset"]: t["rows"] for t in truth if t["broken"] is None}
        home = create(folder / "home", actor="bench").home
        killed_at, first = _killed(folder, home)
        second = _ran(folder, home)
        published, seconds = _published(home), first + second["seconds"]
        told = {bad["dataset"]: bad for bad in second["told"]["not_published"]}
        named = [{"broken": broken.get(d, "it was not"), "state": t["state"], "reason": t["reason"]}
                 for d, t in told.items()]  # fmt: skip
        row = {"tables": TABLES, "done when killed": killed_at, "published": len(published), "named": len(told)}
        after = {"seconds": seconds, "a table": seconds / TABLES, "left again": second["told"]["repeated"]}
        report.table("Small tables, unattended, killed once and started again", [row | after])
        report.table("What was broken, and what was said", sorted(named, key=lambda n: str(n["broken"])))
        grown = _grown(folder, home)
    return report.marks(
        {
            f"at most {MARK} s a table": seconds / TABLES <= MARK,
            "every good one published, once, with its rows": published == good,
            "every broken one named, and no other": set(told) == set(broken),
            "with a reason that somebody foresaw": all(t["reason"] and t["state"] != "failed" for t in told.values()),
            "the second run took up where the first was killed": second["told"]["repeated"] >= killed_at,
            f"CPU of a table with {TABLES:,} there at most {FLAT} times that with none": grown <= FLAT,
        }
    )


def _order(folder: Path, home: Path, workers: int) -> list[str]:
    return [*_COMMAND, str(folder / "deliveries"), "--home", str(home), "--workers", str(workers), "--json"]


def _killed(folder: Path, home: Path) -> tuple[int, float]:
    """Run until half is done, and kill it without a word; returns how many were, and the seconds that it took."""
    store, began = open_store(Places(home)), time.perf_counter()
    with subprocess.Popen(
        _order(folder, home, WORKERS), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while (done := _done(store)) < TABLES // 2 and process.poll() is None:
            time.sleep(0.5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    seconds = time.perf_counter() - began
    time.sleep(1.0)  # its loading processes see that they are alone, and end
    return done, seconds


def _ran(folder: Path, home: Path, *, workers: int = WORKERS) -> dict[str, Any]:
    """One run to its end: what it told, seconds by the wall, CPU-seconds of all its processes."""
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(_order(folder, home, workers), capture_output=True, text=True, check=False)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"told": json.loads(done.stdout), "seconds": time.perf_counter() - began, "cpu": cpu}


def _done(store: Store) -> int:
    """How many deliveries the batch has written down."""
    steps = sa.select(sa.func.count()).where(job_step.c.job.startswith("batch/"))
    with store.read() as connection:
        return int(connection.execute(steps).scalar_one())


def _published(home: Path) -> dict[str, int]:
    """Rows of every dataset that has just one release."""
    with open_store(Places(home)).read() as connection:
        every = releases.all_current(connection)
        many = Counter(r.dataset for r in every for _ in releases.of_dataset(connection, r.dataset))
    return {r.dataset: r.rows for r in every if many[r.dataset] == 1}


def _grown(folder: Path, home: Path) -> float:
    """How much dearer the same tables are where thousands are, than where none is."""
    more, empty = folder / "more", create(folder / "empty", actor="bench").home
    write_small_tables(more, count=MORE, seed=2, share=0.0)
    for file in (more / "deliveries").iterdir():
        file.rename(file.with_name(f"more_{file.name}"))
    rows = []
    for where, there in ((empty, 0), (home, TABLES)):
        ran = _ran(more, where, workers=1)
        rows.append({"tables there": there, "tables that come": MORE, "CPU a table": ran["cpu"] / MORE,
                     "seconds a table": ran["seconds"] / MORE})  # fmt: skip
    report.table("What a table costs as they become many (one process, its start among it)", rows)
    return float(rows[1]["CPU a table"] / rows[0]["CPU a table"])


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
