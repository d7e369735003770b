"""What has left before: a request that resembles an earlier release is looked at by people.

Two tables of the same people, cut differently, of other rows or with other conditions in their
figures, can be subtracted; and a table asked for again with another pattern of withheld cells shows
what the first withheld. What a figure is about can be spelt in many ways, so its words are not
compared. Until the contributors of every released cell are remembered, anything about a dataset
that the project has released from, other than the very same table, goes to review. Revoked releases
count: they have been read.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Finding, Outcome, OutputRequest, Release, Signature

#: The measure of a table whose quantities are not known.
UNKNOWN = "*"  # remembered for people who compare; no rule reads it


def similar(
    signatures: Sequence[Signature], project: str, *, request: str, releases: Iterable[Release]
) -> tuple[str, ...]:
    """Ids of the project's earlier releases with another table about the same datasets."""
    return tuple(
        release.request
        for release in releases
        if release.project == project
        and release.request != request
        and any(_resembles(one, other) for one in signatures for other in release.signatures)
    )


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
    """What the check says of tables of one request that the attacker cannot compare.

    It knows the sums between tables of the same figures over the same rows, of which one groups by
    some of the other's keys.
    """
    pairs = [
        (one, other) for one, other in combinations(signatures, 2) if _resembles(one, other) and not _summed(one, other)
    ]
    if not pairs:
        return None
    reason = "Tables of this request are about the same figures of different rows or differently cut groups"
    return Finding("difference between tables", Outcome.REVIEW, reason, len(pairs))


def _summed(one: Signature, other: Signature) -> bool:
    alike = one.base == other.base != "" and set(one.measures) == set(other.measures)
    return alike and (set(one.keys) <= set(other.keys) or set(other.keys) <= set(one.keys))


def guard(request: OutputRequest, releases: Sequence[Release]) -> None:
    """Refuse to release what resembles a release that its check has not seen."""
    now = similar(request.signatures, request.project, request=request.id, releases=releases)
    unseen = [release for release in now if release not in request.similar]
    if unseen:
        raise OutputRefusal(
            f"Request {request.id} was checked before {', '.join(unseen)} left",
            why="Both are about the same figures, and the check has not compared them",
            next_step="Ask for it again, so that it is checked against what has left since",
        )


def _resembles(one: Signature, other: Signature) -> bool:
    if not set(one.datasets) & set(other.datasets):
        return False
    return (one.base, one.keys, one.content) != (other.base, other.keys, other.content)
