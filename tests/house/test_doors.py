"""Deliveries and decisions about them enter the journey where it is asked whose the data are, and nowhere else."""

import re

from tests.house.tree import ROOT, holds

ENTRY = re.compile(r"\bjourney\.(deliver|arrive|resume|accept_held|recheck_held|reject_held)\(")
#: Modules that let something in: each asks `site/owning.py`, or says why not.
DOORS = {
    "site/loads.py": "asks", "site/references.py": "asks", "site/feeding/taking.py": "after loads.check",
    "site/rights/rectifying.py": "a person's right, into a source of the service's own",
}  # fmt: skip


def test_nothing_enters_the_journey_but_by_a_door_that_asks_whose_it_is() -> None:
    source = ROOT / "src" / "integrated_data"
    found = {
        file.relative_to(source).as_posix() for file in source.rglob("*.py") if ENTRY.search(file.read_text("utf-8"))
    }
    holds(sorted(f"{name}: lets deliveries in, and is not known to" for name in found - set(DOORS)))
    holds(sorted(f"{name}: lets nothing in any more" for name in set(DOORS) - found))
    silent = [n for n, how in DOORS.items() if how == "asks" and "owning.check" not in (source / n).read_text("utf-8")]
    holds([f"{name}: does not ask" for name in silent])
