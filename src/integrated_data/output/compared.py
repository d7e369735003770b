"""The comparison of a request with everything that has left, across projects, and of its tables with each other."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integrated_data.model.output import Cell, Finding, Outcome, Release, Signature
from integrated_data.output.check import Checked
from integrated_data.output.history import Leak, leaks
from integrated_data.output.ledger import Kept, Ledger
from integrated_data.output.members import Members
from integrated_data.output.remembered import NOBODY, Remembered, remember

#: Where a request's tables lie until they leave, under its folder: `ledger/<index>/<request>.<number>`.
FOLDER = "ledger"


@dataclass(frozen=True)
class Given:
    """What a table gives away together with another one: `request` it left with, its cells and the leak."""

    request: str
    index: str
    cell: Cell
    union: tuple[Cell, ...]
    leak: Leak


@dataclass(frozen=True)
class Compared:
    """What the comparison found. `seen`: the releases that the request was compared with."""

    given: tuple[Given, ...]
    unnumbered: tuple[str, ...]
    seen: tuple[str, ...]

    def findings(self, project: str, left: "Left", *, request: str) -> list[Finding]:
        """What the check says; releases of other projects are not named: their reviewers know them."""
        of = {release.request: release.project for release in left.releases}
        found = []
        for other, several in dict.fromkeys((g.request, g.leak.reveals > 1) for g in self.given):
            cells = {(g.index, g.cell) for g in self.given if (g.request, g.leak.reveals > 1) == (other, several)}
            what = f"release {other}" if of.get(other) == project else "a release of another project"
            what = "another table of this request" if other == request else what
            tells, outcome = "tells of too few people", Outcome.REFUSE
            if several:
                tells, outcome = "tells the sum of withheld cells", Outcome.REVIEW
            reason = (
                f"Together with {what} it {tells}: ask for the same people as there, or for groups that differ by more"
            )
            found.append(Finding("difference between releases", outcome, reason, len(cells)))
        if self.unnumbered:
            reason = f"The {', '.join(self.unnumbered)} keys of this project are older than the ledger: rotate them"
            found.append(Finding("not in the ledger", Outcome.REVIEW, reason))
        return found

    def told(self) -> list[dict[str, Any]]:
        """Everything found, for the reviewers inside."""
        return [asdict(given) for given in self.given]


@dataclass(frozen=True)
class Left:
    """What has left, of every project. `below`: the fewest people that a difference may be about.

    `with_each`: the same for a difference from one release, the strictest of both tables' datasets.
    """

    releases: tuple[Release, ...]
    below: int
    with_each: Mapping[str, int]


def compare(
    ledger: Ledger, project: str, *, request: str, tables: Sequence[tuple[Checked, Signature]], place: Path, left: Left
) -> Compared:
    """Compare a request's proven tables with the ledger, and write them beside the request for the day they leave."""
    shutil.rmtree(place / FOLDER, ignore_errors=True)
    mine: dict[str, list[tuple[Signature, Remembered]]] = {}
    unnumbered = []
    for number, (one, signature) in enumerate(tables):
        for unit, members in enumerate(one.members):
            assert one.shape is not None
            index = one.shape.unit_columns[unit].removesuffix("_key")
            numbers = _numbers(ledger, project, index=index, members=members)
            if numbers is None:
                unnumbered.append(index)
                continue
            published = frozenset(row.cell for row in one.table.rows) - one.withheld
            table = remember(members, one.shape, numbers=numbers, people=ledger.people(index), published=published)
            ledger.write(place / FOLDER / index / f"{request}.{number}-{unit}", table)
            mine.setdefault(index, []).append((signature, table))
    left_with = {release.request for release in left.releases} - {request}
    given = [
        *_among(mine, request=request, below=left.below),
        *(g for index in mine for kept in ledger.tables(index, of=left_with)
          for _, table in mine[index] for g in _between(table, kept, below=left.with_each[kept.request])),
    ]  # fmt: skip
    return Compared(tuple(given), tuple(dict.fromkeys(unnumbered)), tuple(sorted(left_with)))


def adopt(ledger: Ledger, *, request: str, place: Path) -> int:
    """Take a request's tables into the ledger, just before it leaves; returns how many."""
    tables = [table for folder in _folders(place) for table in sorted(folder.glob(f"{request}.*"))]
    for table in tables:
        ledger.adopt(table, index=table.parent.name, name=table.name)
    return len(tables)


def since(ledger: Ledger, *, request: str, place: Path, left: Left) -> tuple[str, ...]:
    """Releases that a checked request gives something away with; `left`: those that left after its check."""
    unseen = {release.request for release in left.releases} - {request}
    found = set()
    for folder in _folders(place) if unseen else []:
        tables = [ledger.read(table) for table in sorted(folder.glob(f"{request}.*"))]
        for kept in ledger.tables(folder.name, of=unseen):
            if any(any(_between(table, kept, below=left.with_each[kept.request])) for table in tables):
                found.add(kept.request)
    return tuple(sorted(found))


def _folders(place: Path) -> list[Path]:
    folder = place / FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _numbers(ledger: Ledger, project: str, *, index: str, members: Members) -> NDArray[np.uint32] | None:
    """The ledger number of each entry's person; None where the ledger does not know one of them."""
    linked = ledger.numbers(index, project, keys=members.unit[members.linked])
    if linked is None:
        return None
    numbers = np.full(len(members.unit), NOBODY, np.uint32)
    numbers[members.linked] = linked
    return numbers


def _between(table: Remembered, kept: Kept, *, below: int) -> Iterator[Given]:
    """What a table gives away together with one of the ledger, whichever of the two is the finer."""
    mine, theirs = leaks(table, kept.table, below=below)
    for leak in mine:
        cells, union = table.figures[leak.mine].cells, kept.table.figures[leak.theirs].cells
        yield Given(kept.request, kept.index, cells[leak.cell], tuple(union[u] for u in leak.union), leak)
    for leak in theirs:
        cells, union = kept.table.figures[leak.mine].cells, table.figures[leak.theirs].cells
        yield Given(kept.request, kept.index, cells[leak.cell], tuple(union[u] for u in leak.union), leak)


def _among(
    tables: Mapping[str, Sequence[tuple[Signature, Remembered]]], *, request: str, below: int
) -> Iterator[Given]:
    """The same between tables of one request, but for those that are protected together: sums of each other."""
    for index, held in tables.items():
        for (signature, one), (other_signature, other) in combinations(held, 2):
            if not summed(signature, other_signature):
                yield from _between(one, Kept(request, index, Path(), other), below=below)


def summed(one: Signature, other: Signature) -> bool:
    """Whether two tables are of the same figures of the same rows, one's keys among the other's."""
    alike = one.base == other.base != "" and set(one.measures) == set(other.measures)
    return alike and (set(one.keys) <= set(other.keys) or set(other.keys) <= set(one.keys))
