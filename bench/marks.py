"""Planted marks: people whose names, birth dates and numbers occur nowhere else, and where a full run leaves them.

Every kind of delivery (well formed, rejected rows, UTF-16, gzip, zip, workbook, no headings, broken), each command
in a process of its own with its own folder for temporary files, both doors served, an engine forced to write to
disk. All that was printed, answered or ever lay on disk is searched, packed files opened; then the sealed files of
the identified zone are opened, where the same search must find them.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.marked_deliveries import MORE
from tests.marked_run import Run, spill, training_spill, unsealed, whole
from tests.marks import searched

from bench import report

PEOPLE = 600
KINDS = {"name", "birth date", "number"}


def run() -> bool:
    """Print where marks are found; true when that is in sealed files alone."""
    with tempfile.TemporaryDirectory(prefix="ids-marks-") as name:
        made = Run(Path(name), PEOPLE, everything=True)
        made.working.mkdir()
        os.chdir(made.working)  # before the first call: each begins where this process is
        whole(made)
        rows, hits = [], {}
        for what, folder in (
            ("the installation", made.home), ("temporary files", made.temporary),
            ("the folder that commands are called in", made.working),
            ("printed, answered, exported, removed again", made.kept),
        ):  # fmt: skip
            some, size = searched(folder)
            hits |= some
            files = sum(p.is_file() for p in folder.rglob("*"))
            rows.append({"searched": what, "files": files, "bytes": size, "found in": len(some)})
        given, size = searched(made.folder / "given")
        rows.append({"searched": "what was delivered", "files": len(MORE) + 8, "bytes": size, "found in": len(given)})
        opened = unsealed(made)
        training = training_spill(made, folder=made.folder / "training")
        plain = spill(made, encrypted=False, folder=made.folder / "plain")
    report.table("Marks in clear bytes", rows)
    report.table(
        "Marks in sealed files, opened with the vault's keys",
        [{"file": name, "kinds": ", ".join(sorted(kinds))} for name, kinds in sorted(opened.items()) if kinds],
    )
    if hits:
        report.table("Found where they must not be", [{"file": f, "kinds": ", ".join(k)} for f, k in hits.items()])
    return report.marks(
        {
            "no mark in any file, temporary or removed file, log, error, answer or export": not hits,
            "the same search finds each kind in sealed files once they are opened": set().union(*opened.values())
            >= KINDS,
            "no mark in what training writes to disk for lack of memory": not training,
            "and in what an engine writes to disk where that is not encrypted": "name" in plain,
        }
    )


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
