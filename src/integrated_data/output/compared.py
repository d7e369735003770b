"""The comparison of a request with everything that has left, across projects, and of its tables with each other."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integrated_data.model.output import ELSEWHERE, Cell, Finding, Lane, Outcome, OutputRequest, Release, Signature
from integrated_data.output.check import Checked
from integrated_data.output.history import Leak, leaks
from integrated_data.output.ledger import Kept, Ledger, number_of
from integrated_data.output.members import Members
from integrated_data.output.narrowed import otherwise, same_people
from integrated_data.output.programs import BeyondBudgetError
from integrated_data.output.remembered import NOBODY, Remembered, remember
from integrated_data.output.rowwise import tells_by_rows
from integrated_data.output.together import NAMED, Joint, together

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
class Alike:
    """Cells of the request that are of the same people as cells that left with `request` under other conditions."""

    request: str
    index: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Compared:
    """What the comparison found: with one release each, `joint` with several, and `alike` under other conditions.

    `seen`: the releases that the request was compared with; `beyond`: more than the attacker can solve in time.
    """

    given: tuple[Given, ...]
    joint: tuple[Joint, ...]
    beyond: bool
    unnumbered: tuple[str, ...]
    seen: tuple[str, ...]
    alike: tuple[Alike, ...] = ()

    def findings(self, project: str, left: "Left", *, request: str) -> list[Finding]:
        """What the check says; releases of other projects are not named: their reviewers know them."""
        names = _Names({r.request: r.project for r in left.releases}, project, request)
        found = []
        for other, several in dict.fromkeys((g.request, g.leak.reveals > 1) for g in self.given):
            cells = {(g.index, g.cell) for g in self.given if (g.request, g.leak.reveals > 1) == (other, several)}
            tells, outcome = "tells of too few people", Outcome.REFUSE
            if several:
                tells, outcome = "tells the sum of withheld cells", Outcome.REVIEW
            reason = (
                f"Together with {names.of((other,))} it {tells}: ask for the same people as there, or for groups that "
                "differ by more"
            )
            found.append(Finding("difference between releases", outcome, reason, len(cells)))
        found += [names.finding(joint) for joint in self.joint]
        for alike in self.alike:
            reason = (
                f"The same people are in {names.of((alike.request,))} under other conditions, so that the two tell of "
                "all of them that they meet both: people look"
            )
            found.append(Finding("class between releases", Outcome.REVIEW, reason, len(alike.cells)))
        if self.beyond:
            reason = (
                "With this, more is known of these people than the attacker can clear them of, by its own time or by "
                "rows of which some have several: people look"
            )
            found.append(Finding("several releases", Outcome.REVIEW, reason))
        if self.unnumbered:
            reason = f"The {', '.join(self.unnumbered)} keys of this project are older than the ledger: rotate them"
            found.append(Finding("not in the ledger", Outcome.REVIEW, reason))
        return list(dict.fromkeys(found))

    def told(self) -> list[dict[str, Any]]:
        """Everything found, for the reviewers inside."""
        found: tuple[Given | Joint | Alike, ...] = (*self.given, *self.joint, *self.alike)
        return [asdict(one) for one in found]


@dataclass(frozen=True)
class _Names:
    """What an author may know of releases. `of_project`: whose each is; `project` and `request` are the author's."""

    of_project: Mapping[str, str]
    project: str
    request: str

    def of(self, requests: Sequence[str]) -> str:
        """Some releases in words."""
        own = [f"release {r}" for r in requests if self.of_project.get(r) == self.project and r != self.request]
        own += [f"table {r}, published elsewhere" for r in requests if self.of_project.get(r) == ELSEWHERE]
        known = {self.project, ELSEWHERE}
        others = [r for r in requests if r != self.request and self.of_project.get(r) not in known]
        if others:
            own.append("a release of another project" if len(others) == 1 else "releases of other projects")
        return " and ".join(own) or "another table of this request"

    def finding(self, joint: Joint) -> Finding:
        """What the check says of tables that give something away together, and what would make it safe."""
        cells = list(dict.fromkeys(cell.words() for cell in joint.cells if cell.request == self.request))
        named = "; ".join(cells[:NAMED]) + ("" if len(cells) <= NAMED else f" and {len(cells) - NAMED} more")
        tells = "tells of too few people" if joint.withheld is None else "tells a cell that was held back"
        reason = (
            f"Added to and taken from {self.of(joint.requests)} it {tells}. Without these cells, or with each of them "
            f"put together with another, it does not: {named}"
        )
        return Finding("difference between releases", Outcome.REFUSE, reason, len(cells))


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
        published = frozenset(row.cell for row in one.table.rows) - one.withheld
        for index, unit, table in remembered_of(ledger, project, one=one, published=published):
            if table is None:
                unnumbered.append(index)
                continue
            ledger.write(place / FOLDER / index / f"{request}.{number}-{unit}", table, lasting=False)
            mine.setdefault(index, []).append((replace(signature, keys=one.tells or signature.keys), table))
    left_with = {release.request for release in left.releases} - {request}
    kept = [kept for index in mine for kept in ledger.tables(index, of=left_with)]
    given = [
        *_among(mine, request=request, below=left.below),
        *(g for k in kept for _, table in mine[k.index] for g in _between(table, k, below=left.with_each[k.request])),
    ]
    alike = tuple(_alike(mine, kept, request=request, chose=_chose(left)))
    joint: list[Joint] = []
    beyond = False
    if all(g.leak.reveals > 1 for g in given):  # else it does not leave anyway
        new = {index: [table for _, table in held] for index, held in mine.items()}
        joint, beyond = _jointly(new, kept, request=request, left=left)
    numberless = tuple(dict.fromkeys(unnumbered))
    return Compared(tuple(given), tuple(joint), beyond, numberless, tuple(sorted(left_with)), alike)


def remembered_of(
    ledger: Ledger, project: str, *, one: Checked, published: frozenset[Cell]
) -> Iterator[tuple[str, int, Remembered | None]]:
    """What the ledger remembers of a proven table of a project, by index and unit; None where it lacks somebody."""
    for unit, members in enumerate(one.members):
        assert one.shape is not None
        index = one.shape.unit_columns[unit].removesuffix("_key")
        numbers = _numbers(ledger, project, index=index, members=members)
        if numbers is None:
            yield index, unit, None
        else:
            people = ledger.people(index)
            yield index, unit, remember(members, one.shape, numbers=numbers, people=people, published=published)


def _jointly(
    new: Mapping[str, Sequence[Remembered]], kept: Sequence[Kept], *, request: str, left: "Left"
) -> tuple[list[Joint], bool]:
    """What a request's tables give away with several releases, and whether it is beyond the attacker."""
    found: list[Joint] = []
    least = {**left.with_each, request: left.below}
    beyond = False
    order = {release.request: number for number, release in enumerate(left.releases)}
    for index, tables in new.items():
        of_index = sorted((k for k in kept if k.index == index), key=lambda k: order.get(k.request, -1))
        earlier = [(k.request, k.table) for k in of_index]
        try:
            given = together([(request, table) for table in tables], earlier, index=index, least=least)
            found += given
            told = [*(table for _, table in earlier), *tables]
            beyond |= not given and tells_by_rows(told, new=len(tables), below=max(least.values()))
        except BeyondBudgetError:
            beyond = True
    return found, beyond


def adopt(ledger: Ledger, *, request: str, place: Path) -> int:
    """Take a request's tables into the ledger, just before it leaves; returns how many."""
    tables = [table for folder in _folders(place) for table in sorted(folder.glob(f"{request}.*"))]
    for table in tables:
        ledger.adopt(table, index=table.parent.name, name=table.name)
    return len(tables)


def since(ledger: Ledger, *, request: OutputRequest, place: Path, left: Left) -> tuple[tuple[str, ...], bool]:
    """Releases that a checked request gives something away with, of those that left after its check.

    Also whether that is beyond the attacker.
    """
    seen, signatures = request.seen, dict(enumerate(request.signatures))
    unseen = {release.request for release in left.releases} - {request.id, *seen}
    if not unseen:
        return (), False
    signed = {
        folder.name: [
            (signatures[number_of(table)], ledger.read(table)) for table in sorted(folder.glob(f"{request.id}.*"))
        ]
        for folder in _folders(place)
    }
    mine = {index: [table for _, table in held] for index, held in signed.items()}
    kept = [k for index in mine for k in ledger.tables(index, of={*seen, *unseen} - {request.id})]
    found = {
        k.request
        for k in kept
        if k.request in unseen
        and any(any(_between(table, k, below=left.with_each[k.request])) for table in mine[k.index])
    }
    if request.lane is Lane.AUTOMATIC:  # else people have looked
        new = [k for k in kept if k.request in unseen]
        found |= {a.request for a in _alike(signed, new, request=request.id, chose=_chose(left))} - {request.id}
    joint, beyond = _jointly(mine, kept, request=request.id, left=left)
    found |= {other for one in joint for other in one.requests if unseen & set(one.requests)} & unseen
    return tuple(sorted(found)), beyond


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


def _chose(left: Left) -> dict[tuple[str, int], Signature]:
    """The signature of each table that has left, by request and number."""
    return {(release.request, n): s for release in left.releases for n, s in enumerate(release.signatures)}


def _alike(
    tables: Mapping[str, Sequence[tuple[Signature, Remembered]]],
    kept: Sequence[Kept],
    *,
    request: str,
    chose: Mapping[tuple[str, int], Signature],
) -> Iterator[Alike]:
    """Cells of the same people as before, or as in another table of the request, chosen by other conditions.

    `chose`: the signature of each table that has left, by request and number.
    """
    for index, held in tables.items():
        own = [(request, signature, table) for signature, table in held]
        earlier = [(k.request, chose[k.request, k.number], k.table) for k in kept if k.index == index]
        pairs = [(one, other) for one in own for other in earlier]
        for (_, signature, table), (source, other_signature, other) in [*pairs, *combinations(own, 2)]:
            if otherwise(signature, other_signature) and (cells := same_people(table, other)):
                yield Alike(source, index, tuple(cells))


def summed(one: Signature, other: Signature) -> bool:
    """Whether two tables are of the same figures of the same rows, one's keys among the other's."""
    alike = one.base == other.base != "" and set(one.measures) == set(other.measures)
    return alike and (set(one.keys) <= set(other.keys) or set(other.keys) <= set(one.keys))
