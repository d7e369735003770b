"""Reviews: two output checkers, neither the author nor on the project's team, decide what no rule can.

A vote is about the files with one hash; a change makes other files, and earlier votes are about
those no more. Two equal votes decide; a split waits for a third reviewer. One vote to return the
request sends it back at once. Until two have voted no vote is shown, so that they are made apart.
"""

from collections.abc import Sequence
from pathlib import Path

from integrated_data.control import outputs, projects
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.output import OutputRequest, OutputState, Review, Vote
from integrated_data.model.people import Role
from integrated_data.output import requested

#: Equal votes that decide.
NEEDED = 2

DECIDES = {Vote.APPROVE: OutputState.APPROVED, Vote.REFUSE: OutputState.REFUSED}


def check_review(store: Store, request: OutputRequest, *, reviewer: str) -> None:
    """Refuse somebody who is no output checker, wrote the request, is on its project's team, or is late."""
    if request.state is not OutputState.IN_REVIEW:
        raise OutputRefusal(
            f"Request {request.id} is {request.state.value.replace('_', ' ')}, not in review",
            next_step="See what waits for review with: ids output list",
        )
    with store.read() as connection:
        team = projects.get_project(connection, request.project).team
    if reviewer == request.person or reviewer in team:
        raise OutputRefusal(
            f"{reviewer} cannot review request {request.id}",
            why="A reviewer is neither the author nor on the project's team",
            next_step="Ask another reviewer",
        )
    check_checker(store, reviewer)


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
    if reviewer == known.person or reviewer in team:
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
        votes = outputs.reviews(connection, known)
    check_review(store, known, reviewer=reviewer)
    if vote is not Vote.APPROVE and not reason.strip():
        raise OutputRefusal("A vote to refuse or return says why", next_step="Give a reason")
    cast = Review(request, reviewer, vote, sha256, reason, store.now())
    outputs.put_review(store, cast, to=outcome([*(v.vote for v in votes), vote]))
    with store.read() as connection:
        return outputs.get_request(connection, request)


def outcome(votes: Sequence[Vote]) -> OutputState | None:
    """What votes on the same files decide, or None while they decide nothing."""
    if Vote.RETURN in votes:
        return OutputState.RETURNED
    return next((state for vote, state in DECIDES.items() if votes.count(vote) >= NEEDED), None)


def shown(votes: Sequence[Review]) -> Sequence[Review]:
    """The votes that may be shown: none until two have voted."""
    return votes if len(votes) >= NEEDED else ()


def files(folder: Path, request: OutputRequest) -> dict[str, bytes]:
    """What a reviewer reads: exactly the files that would leave."""
    return requested.package(requested.place(folder, request.id), request.sha256)
