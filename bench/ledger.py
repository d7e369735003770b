"""The release ledger: one new table compared with a thousand releases about five million people.

50 tables under twenty names each: most of random groupings, each of another share of the people; every
tenth of everybody, so that its total is that of the new table; some with hundreds of small cells. The new
table is one of those of everybody with a single person moved from one cell to another: that must be found
under each of its names, and nothing else may be. What is timed reads from the sealed files, as they lie after a start.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.report import marks, table
from integrated_data.model.output import Cell
from integrated_data.output.differencing import Level
from integrated_data.output.history import leaks
from integrated_data.output.ledger import Ledger
from integrated_data.output.remembered import Added, Figure, Remembered, Told, in_blocks, prints_of

PEOPLE, DISTINCT, NAMES, REPEATS = 5_000_000, 50, 20, 5

#: Every so many tables one of everybody, and one with small cells.
EVERYBODY, SMALL_CELLS = 10, 8

#: The marks: seconds and mebibytes for one comparison with all of them.
SECONDS, MEBIBYTES = 1.0, 1024

BELOW = 10

NEW = "new"

NOTHING = Added(*(np.zeros(0, kind) for kind in (np.uint32, np.int32, np.bool_, np.int64)), {}, ())


def run() -> bool:
    """Write the ledger, compare in a process of its own, and report."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), bytes(32))
        last = _written(ledger, Path(folder))
        size = sum(file.stat().st_size for file in (Path(folder) / "tables").rglob("*") if file.is_file())
        told = subprocess.run(
            [sys.executable, "-m", "bench.ledger", folder], cwd=Path(__file__).parents[1],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
    seconds, cpu, peak = [float(s) for s in told[0].split(",")], float(told[1]), float(told[2])
    row = {
        "people": PEOPLE, "releases": DISTINCT * NAMES, "seconds": median(seconds),
        "spread": f"{min(seconds):.2f}-{max(seconds):.2f}", "CPU s": cpu, "MiB": peak, "GB on disk": size / 1e9,
    }  # fmt: skip
    table("One table against the ledger", [row])
    expected = sorted(f"O-{last:03d}-{name}" for name in range(NAMES))  # as the ledger orders them
    return marks(
        {
            f"at most {SECONDS:g} s": median(seconds) <= SECONDS,
            f"at most {MEBIBYTES} MiB": peak <= MEBIBYTES,
            "the table that differs by one person is found under each name, and no other": told[3:] == expected,
        }
    )


def compare(folder: Path) -> None:
    """Compare the new table with the ledger; prints seconds of each round, CPU seconds, MiB, and what was found."""
    ledger = Ledger(folder, bytes(32))
    new = ledger.read(folder / NEW)
    _ = new.told(), new.added(), new.membership.prints()
    whole = [new.membership.block(n) for n in range(new.membership.blocks)]
    held = in_blocks(new.membership.levels, np.concatenate(whole), counted=new.membership.counted, prints=new.prints)
    new, left = Remembered(held, new.told, new.added), ledger.requests()
    seconds, found, began_cpu = [], [], time.process_time()
    for _ in range(REPEATS):
        began = time.perf_counter()
        found = [k.request for k in ledger.tables("person", of=left) if any(leaks(new, k.table, below=BELOW))]
        seconds.append(time.perf_counter() - began)
    cpu = (time.process_time() - began_cpu) / REPEATS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(",".join(f"{s:.4f}" for s in seconds), f"{cpu:.3f}", f"{peak:.0f}", *found)


def _written(ledger: Ledger, folder: Path) -> int:
    """Write the tables, and the new one; returns the number of the table that it differs from by one person."""
    dice, last = np.random.default_rng(1), 0
    for number in range(DISTINCT):
        codes = _codes(dice, number)
        told = _table(codes)
        bare = Remembered(told.membership, told.told, lambda: NOTHING)
        for name in range(NAMES):
            place = folder / "written" / "x" / f"O-{number:03d}-{name}.0-0"
            ledger.write(place, told if not name else bare)  # to spare the disk: nothing here asks for it
            ledger.adopt(place, index="person", name=place.name)
        if number % EVERYBODY == 0:
            last, new = number, codes
    new[0] = new[0] % 9 + 1
    ledger.write(folder / NEW, _table(new))
    return last


def _codes(dice: np.random.Generator, number: int) -> NDArray[np.uint32]:
    """For each person the cell of a random grouping, 0 for those whom the table is not about."""
    if number % SMALL_CELLS == 1:
        codes = np.zeros(PEOPLE, np.uint32)
        some = dice.integers(0, PEOPLE, 60_000)
        codes[some] = dice.integers(1, 400, len(some))
        return codes
    codes = dice.integers(1, int(dice.integers(10, 300)), PEOPLE).astype(np.uint32)
    if number % EVERYBODY:
        codes[dice.random(PEOPLE) > dice.random()] = 0
    return codes


def _table(codes: NDArray[np.uint32]) -> Remembered:
    """A count by group, with its total."""
    cells = int(codes.max())
    members = csr_array(np.eye(cells + 1, dtype=np.int64)[1:])
    every = csr_array((np.arange(cells + 1) > 0).astype(np.int64)[None])
    who = np.flatnonzero(codes).astype(np.uint32)
    figures = (
        Figure(tuple(Cell((False,), (str(n),)) for n in range(cells)), (True,) * cells),
        Figure((Cell((True,), (None,)),), (True,)),
    )
    ones, inside = np.ones(len(who), np.int64), (csr_array(members[:, 1:]), csr_array(every[:, 1:]))
    added = Added(who, (codes[who] - 1).astype(np.int32), ones > 0, ones, {}, inside)
    levels = (Level(members, disjoint=True), Level(every, disjoint=True))
    told = Told(figures, ("count(*)",), (True,), prints_of(_in_order(added), measures=1))
    membership = in_blocks(levels, codes, counted=np.arange(cells + 1) > 0, prints=told.prints)
    return Remembered(membership, lambda: told, lambda: added)


def _in_order(added: Added) -> Added:
    """Entries by group, as a query gives them."""
    order = np.argsort(added.group, kind="stable")
    return Added(
        added.number[order], added.group[order], added.counted[order], added.rows[order], {}, added.inside
    )  # fmt: skip


if __name__ == "__main__":
    compare(Path(sys.argv[1]))
