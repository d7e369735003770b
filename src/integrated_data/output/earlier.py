"""What has left before and the ledger cannot compare: people look at what resembles it.

The ledger compares proven tables person by person, with each release and with all of them at once
(`compared.py`). Of a table whose shape is not proven nobody knows who is behind it, so anything about a
dataset that the project has released such a table from, other than the very same table, goes to review;
and so does an unproven table itself. Revoked releases count: they have been read.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import ELSEWHERE, Finding, Lane, Outcome, OutputRequest, Release, Signature
from integrated_data.output.compared import Left, since
from integrated_data.output.ledger import Ledger

#: How a measure is marked whose counts left rounded.
ROUNDED = ", rounded to "

#: The measure of a table whose quantities are not known.
UNKNOWN = "*"  # remembered for people who compare; no rule reads it


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
        if release.project in (project, ELSEWHERE)
        and release.request != request
        and any(
            _resembles(one, other) and not (one.base and other.base and release.request in remembered)
            for one in signatures
            for other in release.signatures
        )
    )


def rounded(signatures: Sequence[Signature], *, request: str, releases: Iterable[Release]) -> Finding | None:
    """What the check says where counts are rounded, and others of the same data have left rounded another way.

    Each rounding tells what the other leaves open; several of them together may tell a count.
    """
    left = [o for r in releases if r.request != request for o in r.signatures if _is_rounded(o)]
    met = sum(1 for s in signatures if _is_rounded(s) and any(_resembles(s, o) for o in left))
    if not met:
        return None
    reason = "Other counts of these data have left rounded; several roundings together may tell one"
    return Finding("rounded releases", Outcome.REVIEW, reason, met)


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
    similar_to = similar(
        request.signatures, request.project, request=request.id, releases=new, remembered=ledger.requests()
    )
    told, beyond = since(ledger, request=request, place=place, left=left_of(releases))
    unseen = sorted({*similar_to, *told})
    if beyond and not unseen and request.lane is Lane.AUTOMATIC:
        unseen = [release.request for release in new]
    if unseen:
        own = {release.request for release in releases if release.project == request.project}
        named = [release for release in unseen if release in own] or ["a release of another project"]
        raise OutputRefusal(
            f"Request {request.id} was checked before {', '.join(named)} left",
            why="Both are about the same figures, and the check has not compared them",
            next_step="Ask for it again, so that it is checked against what has left since",
        )


def _is_rounded(signature: Signature) -> bool:
    return any(ROUNDED in measure for measure in signature.measures)


def _resembles(one: Signature, other: Signature) -> bool:
    if not set(one.datasets) & set(other.datasets):
        return False
    return (one.base, one.keys, one.content) != (other.base, other.keys, other.content)
