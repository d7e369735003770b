"""The release ledger: one new table compared with a thousand releases about five million people.

200 tables of random groupings, each of another share of the people, are kept under five names. The new
table is one of them with a single person left out: it must be found, and nothing else may be.
"""

import resource
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
from integrated_data.output.remembered import Added, Figure, Remembered, in_blocks, prints_of

PEOPLE, DISTINCT, NAMES, REPEATS = 5_000_000, 200, 5, 5

#: The marks: seconds and mebibytes for one comparison with all of them.
SECONDS, MEBIBYTES = 1.0, 1024

BELOW = 10


def run() -> bool:
    """Write the ledger, compare, and report."""
    dice = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), bytes(32))
        for number in range(DISTINCT):
            codes = _codes(dice)
            place = Path(folder) / "written" / "x"
            for name in range(NAMES):
                place = place.with_name(f"O-{number:03d}-{name}.0-0")
                ledger.write(place, _table(codes))
                ledger.adopt(place, index="person", name=place.name)
        codes[np.flatnonzero(codes)[0]] = 0
        new = _table(codes)
        left, seconds, found = ledger.requests(), [], []
        for _ in range(REPEATS):
            began = time.perf_counter()
            found = [
                kept.request for kept in ledger.tables("person", of=left) if any(leaks(new, kept.table, below=BELOW))
            ]
            seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
    table(
        "One table against the ledger",
        [{"people": PEOPLE, "releases": DISTINCT * NAMES, "seconds": median(seconds), "spread": spread, "MiB": peak}],
    )
    return marks(
        {
            f"at most {SECONDS:g} s": median(seconds) <= SECONDS,
            f"at most {MEBIBYTES} MiB": peak <= MEBIBYTES,
            "the table that differs by one person is found under each name, and no other":
                found == [f"O-{DISTINCT - 1:03d}-{name}" for name in range(NAMES)],
        }
    )  # fmt: skip


def _codes(dice: np.random.Generator) -> NDArray[np.uint32]:
    """For each person the cell of a random grouping, 0 for those whom the table is not about."""
    codes = dice.integers(1, int(dice.integers(10, 300)), PEOPLE).astype(np.uint32)
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
    membership = in_blocks(levels, codes, counted=np.arange(cells + 1) > 0)
    return Remembered(figures, ("count(*)",), (True,), prints_of(added, measures=1), membership, lambda: added)
