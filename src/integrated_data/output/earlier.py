"""What has left before and the ledger cannot compare: people look at what resembles it.

The ledger compares proven tables person by person, two at a time (`compared.py`): where more than two of a
project are about one dataset, a sum of some of them may tell what no two do. Of a table whose shape is not
proven nobody knows who is behind it, so anything about a dataset that the project has released such a
table from, other than the very same table, goes to review; and so does an unproven table itself.
Revoked releases count: they have been read.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations
from pathlib import Path

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Finding, Lane, Outcome, OutputRequest, Release, Signature
from integrated_data.output.compared import Left, since, summed
from integrated_data.output.ledger import Ledger

#: The measure of a table whose quantities are not known.
UNKNOWN = "*"  # remembered for people who compare; no rule reads it


#: Tables about one dataset that the ledger compares all of: two at a time.
MOST = 2


def similar(
    signatures: Sequence[Signature],
    project: str,
    *,
    request: str,
    releases: Iterable[Release],
    remembered: frozenset[str],
) -> tuple[str, ...]:
    """Ids of the project's earlier releases with another table about the same datasets, not compared by the ledger.

    `remembered`: requests whose tables it holds.
    """
    return tuple(
        release.request
        for release in releases
        if release.project == project
        and release.request != request
        and any(
            _resembles(one, other) and not (one.base and other.base and release.request in remembered)
            for one in signatures
            for other in release.signatures
        )
    )


def several(
    signatures: Sequence[Signature], project: str, *, request: str, releases: Iterable[Release]
) -> Finding | None:
    """What the check says where more than two tables could be added and subtracted."""
    others = (o for r in releases if r.project == project and r.request != request for o in r.signatures)
    left = {o for o in others if any(_resembles(s, o) for s in signatures)}
    loose = {o for s, o in permutations(signatures, 2) if _resembles(s, o) and not summed(s, o)}
    tables = len(left) + max(1, len(loose))
    if tables <= MOST:
        return None
    reason = "With this, more than two tables of the project are about one dataset; sums of several are for people"
    return Finding("several releases", Outcome.REVIEW, reason, tables)


def finding(found: Sequence[str]) -> Finding | None:
    """What the check says of similar releases."""
    if not found:
        return None
    reason = (
        f"Earlier releases of this project are about the same figures: {', '.join(found)}. "
        "The difference between two such tables may be about a few people, so reviewers compare them"
    )
    return Finding("earlier releases", Outcome.REVIEW, reason, len(found))


def within(signatures: Sequence[Signature]) -> Finding | None:
    """What the check says of tables of one request of which one is not proven."""
    pairs = [
        (one, other)
        for one, other in combinations(signatures, 2)
        if _resembles(one, other) and not (one.base and other.base)
    ]
    if not pairs:
        return None
    reason = "Tables of this request are about the same figures of different rows or differently cut groups"
    return Finding("difference between tables", Outcome.REVIEW, reason, len(pairs))


def guard(
    request: OutputRequest,
    releases: Sequence[Release],
    *,
    ledger: Ledger,
    place: Path,
    left_of: Callable[[Sequence[Release]], Left],
) -> None:
    """Refuse to release what a release that its check has not seen resembles or gives something away with."""
    new = [release for release in releases if release.request not in request.seen]
    remembered = ledger.requests()
    unseen = sorted({
        *similar(request.signatures, request.project, request=request.id, releases=new, remembered=remembered),
        *since(ledger, request=request.id, place=place, left=left_of(new)),
    })  # fmt: skip
    if not unseen and request.lane is Lane.AUTOMATIC:
        added = several(request.signatures, request.project, request=request.id, releases=releases)
        known = [release for release in releases if release.request in request.seen]
        if added and not several(request.signatures, request.project, request=request.id, releases=known):
            unseen = [release.request for release in new if release.project == request.project]
    if unseen:
        own = {release.request for release in releases if release.project == request.project}
        named = [release for release in unseen if release in own] or ["a release of another project"]
        raise OutputRefusal(
            f"Request {request.id} was checked before {', '.join(named)} left",
            why="Both are about the same figures, and the check has not compared them",
            next_step="Ask for it again, so that it is checked against what has left since",
        )


def _resembles(one: Signature, other: Signature) -> bool:
    if not set(one.datasets) & set(other.datasets):
        return False
    return (one.base, one.keys, one.content) != (other.base, other.keys, other.content)
