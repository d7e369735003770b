"""Two thousand small tables, one in a hundred broken, in one `ids batch` on two cores: seconds a table by the wall."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import report
from integrated_data.site.installation import create
from integrated_data.specimen import write_small_tables

TABLES, WORKERS, MARK = 2_000, 2, 0.35
_COMMAND = [sys.executable, "-c", "from integrated_data.cli import main; main()", "batch"]


def run() -> bool:
    """Print the table; true when every good table is published, every broken one is named, within the mark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = write_small_tables(folder, count=TABLES).to_pylist()
        home = create(folder / "home", actor="bench").home
        began, before = time.perf_counter(), os.times()
        order = [*_COMMAND, str(folder / "deliveries"), "--home", str(home), "--workers", str(WORKERS), "--json"]
        done = subprocess.run(order, capture_output=True, text=True, check=False)
        seconds, after = time.perf_counter() - began, os.times()
        told = json.loads(done.stdout)
    broken = {t["dataset"] for t in truth if t["broken"] is not None}
    named = {bad["dataset"] for bad in told["not_published"] if bad["reason"]}
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    row = {"tables": TABLES, "published": told["published"], "named": len(named), "seconds": seconds}
    report.table("Small tables, unattended", [row | {"a table": seconds / TABLES, "CPU, this process's children": cpu}])
    return report.marks(
        {
            f"at most {MARK} s a table": seconds / TABLES <= MARK,
            "every good one published": told["published"] == TABLES - len(broken),
            "every broken one named": named == broken,
        }
    )


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
