"""Reviews: two output checkers, neither the author nor on the project's team, decide what no rule can.

A vote is about the files with one hash; a change makes other files, and earlier votes are about
those no more. Two equal votes decide; a split waits for a third reviewer. One vote to return the
request sends it back at once. Until two have voted no vote is shown, and no reviewer's comment to another, so
that they are made apart. People count, not accounts: one under two ids has one vote, and none on their own request.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from integrated_data.control import lanes, outputs, projects
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.lane import Comment, Side
from integrated_data.model.output import OutputRequest, OutputState, Review, Vote
from integrated_data.model.people import Role
from integrated_data.output import apart, requested

#: Equal votes that decide.
NEEDED = 2

#: States in which a request waits for reviewers.
WAITING = (OutputState.IN_REVIEW, OutputState.DISPUTED)

#: Longest comment, in characters.
LONGEST = 4_000

DECIDES = {Vote.APPROVE: OutputState.APPROVED, Vote.REFUSE: OutputState.REFUSED}


def check_review(store: Store, request: OutputRequest, *, reviewer: str) -> None:
    """Refuse somebody who is no output checker, wrote the request, is on its project's team, or is late."""
    if request.state not in WAITING:
        raise OutputRefusal(
            f"Request {request.id} is {request.state.value.replace('_', ' ')}, not in review",
            next_step="See what waits for review with: ids output list",
        )
    with store.read() as connection:
        team = projects.get_project(connection, request.project).team
        people = projects.people(connection)
        votes = outputs.reviews(connection, request)
    if apart.is_one_of(people, reviewer, among={request.person, *team}):
        raise OutputRefusal(
            f"{reviewer} cannot review request {request.id}",
            why="A reviewer is neither the author nor on the project's team, under whatever account or role",
            next_step="Ask another reviewer",
        )
    check_checker(store, reviewer)
    if apart.is_one_of(people, reviewer, among={v.reviewer for v in votes}):
        raise OutputRefusal(
            f"{reviewer} has voted on request {request.id} already",
            why="One human being has one vote, under whatever account",
            next_step="A vote stands until the request changes",
        )


def check_checker(store: Store, reviewer: str) -> None:
    """Refuse somebody who is not on record, is suspended, or is not an output checker."""
    with store.read() as connection:
        known = next((p for p in projects.people(connection) if p.id == reviewer), None)
    if known is None or known.suspended or Role.OUTPUT_CHECKER not in known.roles:
        raise OutputRefusal(
            f"{reviewer} is not an output checker",
            why=f"Reviewers are people on record, not suspended, with the role {Role.OUTPUT_CHECKER.value}",
            next_step="Ask an output checker, or record the role with: ids person add",
        )


def look_at_withheld(store: Store, *, request: str, reviewer: str) -> None:
    """Let an output checker see which rules hold cells back, and write it down; its team and author may not.

    Which rule holds a cell back narrows down what it hides.
    """
    with store.read() as connection:
        known = outputs.get_request(connection, request)
        team = projects.get_project(connection, known.project).team
        people = projects.people(connection)
    if apart.is_one_of(people, reviewer, among={known.person, *team}):
        raise OutputRefusal(
            f"{reviewer} cannot see why cells of request {request} are held back",
            why="The reason narrows down what a cell hides from its author and their team",
            next_step="Ask an output checker",
        )
    check_checker(store, reviewer)
    store.record(Event("output.reasons_seen", reviewer, f"output/{request}", {"project": known.project}))


def may_review(store: Store, request: OutputRequest, *, reviewer: str) -> bool:
    """Whether somebody may review a request now."""
    try:
        check_review(store, request, reviewer=reviewer)
    except OutputRefusal:
        return False
    return True


def review(store: Store, *, request: str, reviewer: str, vote: Vote, sha256: str, reason: str = "") -> OutputRequest:
    """Vote on the files with the hash `sha256`, which the reviewer has read; returns the request after it."""
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    try:
        check_review(store, known, reviewer=reviewer)
    except OutputRefusal as refusal:
        facts = {"project": known.project, "sha256": known.sha256, "reason": refusal.what}
        store.record(Event("output.review_refused", reviewer, f"output/{request}", facts))
        raise
    if vote is not Vote.APPROVE and not reason.strip():
        raise OutputRefusal("A vote to refuse or return says why", next_step="Give a reason")
    requested.check_hash(sha256, shown_by=f"ids output show {request}")
    cast = Review(request, reviewer, vote, sha256, reason, store.now())
    outputs.put_review(store, cast, outcome=outcome)
    with store.read() as connection:
        return outputs.get_request(connection, request)


def outcome(votes: Sequence[Vote]) -> OutputState | None:
    """What votes on the same files decide, or None while they decide nothing."""
    if Vote.RETURN in votes:
        return OutputState.RETURNED
    decided = next((state for vote, state in DECIDES.items() if votes.count(vote) >= NEEDED), None)
    return decided or (OutputState.DISPUTED if len(votes) >= NEEDED else None)


def shown(votes: Sequence[Review]) -> Sequence[Review]:
    """The votes that may be shown: none until two have voted."""
    return votes if len(votes) >= NEEDED else ()


def files(folder: Path, request: OutputRequest) -> dict[str, bytes]:
    """What a reviewer reads: exactly the files that would leave."""
    return requested.package(requested.place(folder, request.id), request.sha256)


def comment(store: Store, request: OutputRequest, *, person: str, side: Side, text: str) -> Comment:
    """Say something of a request as it is now; its author's team and its reviewers may."""
    if side is Side.REVIEWER:
        check_commenter(store, request, reviewer=person)
    if not text.strip():
        raise OutputRefusal("The comment is empty", next_step="Say what there is to say of the request")
    if len(text) > LONGEST:
        raise OutputRefusal(f"A comment is a text of 1 to {LONGEST:,} characters", next_step="Say it in fewer words")
    made = Comment(request.id, person, side, request.sha256, text.strip(), store.now())
    lanes.put_comment(store, made)
    return made


def check_commenter(store: Store, request: OutputRequest, *, reviewer: str) -> None:
    """Refuse a comment of somebody who could not have reviewed the request."""
    with store.read() as connection:
        team = projects.get_project(connection, request.project).team
        people = projects.people(connection)
    if apart.is_one_of(people, reviewer, among={request.person, *team}):
        raise OutputRefusal(
            f"{reviewer} cannot comment on request {request.id} as a reviewer", next_step="Ask another reviewer"
        )
    check_checker(store, reviewer)


def readable(comments: Sequence[Comment], *, person: str, decided: bool) -> tuple[Comment, ...]:
    """The comments that somebody may read: a reviewer's only once votes are `decided`, so that they are made apart."""
    return tuple(c for c in comments if decided or c.person == person or c.side is Side.AUTHOR)


def due(since: datetime, *, days: int) -> datetime:
    """When a review is due that began then: after so many working days, Monday to Friday."""
    at = since
    while days:
        at += timedelta(days=1)
        days -= at.weekday() < 5
    return at
