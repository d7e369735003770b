"""Benchmarks: modules of the checkout's `bench/` folder, each with a `run()` that prints its table."""

import importlib
import sys
from pathlib import Path

from integrated_data.model.errors import InstallationRefusal, UsageRefusal

FOLDER = Path(__file__).parents[3] / "bench"


def names() -> list[str]:
    """Names of the benchmarks that this checkout has."""
    if not FOLDER.is_dir():
        raise InstallationRefusal(
            "There are no benchmarks in this installation",
            why="They belong to a checkout of the source",
            next_step="Clone the repository and run: make bench",
        )
    hidden = {"report", "linking", "scale_page", "__init__"}
    return sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in hidden)


def run(name: str | None) -> int:
    """Run one benchmark, or all; returns how many missed their mark."""
    known = names()
    if name is not None and name not in known:
        raise UsageRefusal(f"There is no benchmark {name}", next_step=f"Choose from: {', '.join(known)}")
    sys.path.insert(0, str(FOLDER.parent))
    missed = 0
    for each in [name] if name else known:
        sys.stdout.write(f"== {each}\n")
        sys.stdout.flush()
        missed += int(not importlib.import_module(f"bench.{each}").run())
    return missed
