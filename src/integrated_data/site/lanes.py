"""The lanes of outputs for people: who sees which request, how the automatic lane stands, who opts out of it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrated_data.control import lanes, outputs, projects
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal, RoleRefusal
from integrated_data.model.lane import Comment, Side, Step
from integrated_data.model.output import Lane, OutputRequest, OutputState
from integrated_data.model.people import Role
from integrated_data.output import lane, sample
from integrated_data.output import review as reviewing
from integrated_data.output.ledger import Ledger
from integrated_data.site.acting import Acting
from integrated_data.site.places import Places

#: Who sees requests of projects that they are not on.
SEE_ALL = (Role.OUTPUT_CHECKER, Role.AUDITOR)


@dataclass(frozen=True)
class Looking:
    """How somebody may look at a request: whether as a reviewer, who must not learn what would bias a vote."""

    request: OutputRequest
    blind: bool


def look(store: Store, request: str, *, acting: Acting) -> Looking:
    """One request for who asks; refuses one that is not there or not for them, and somebody who is not on record."""
    acting.check_known()
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    found = visible(store, [known], acting=acting)
    if found:
        return found[0]
    with store.read() as connection:
        team = projects.get_project(connection, known.project).team
    acting.check_team(team, others=SEE_ALL)
    raise OutputRefusal(f"There is no output request {request}", next_step="See what there is with: ids output list")


def visible(store: Store, known: Sequence[OutputRequest], *, acting: Acting) -> list[Looking]:
    """The requests that somebody sees.

    A team sees its own, and not those that check a release afterwards; reviewers see these, and not the
    release that one is of while it is open. An auditor sees everything, and so does a trial's account.
    """
    with store.read() as connection:
        teams = {p.id: p.team for p in projects.projects(connection)}
        drawn = lanes.samples(connection)
    twins, hidden = sample.twins(drawn), sample.hidden(drawn)
    found = []
    for request in known:
        team = acting.signed_in is not None and acting.actor in teams[request.project]
        if request.id not in twins if team else _sees_everything(acting):
            found.append(Looking(request, blind=False))
        elif not team and acting.sees((), others=(Role.OUTPUT_CHECKER,)) and request.id not in hidden:
            found.append(Looking(request, blind=True))
    return found


def told(store: Store, looking: Looking, *, acting: Acting) -> dict[str, Any]:
    """Everything about a request that who looks may know: its facts, votes, comments, how long it was in each state."""
    known = looking.request
    with store.read() as connection:
        rule = lanes.rule(connection).rule
        votes = outputs.reviews(connection, known)
        said = lanes.comments(connection, known.id)
        steps = lanes.steps(connection, known.id)
        fetched = lanes.fetched(connection, known.id)
    waiting = known.state in reviewing.WAITING
    shown = reviewing.shown(votes)
    decided = bool(shown) or not waiting if looking.blind else not waiting
    reviewed = looking.blind and known.lane is Lane.REVIEW
    findings = lane.for_reviewers(known.findings) if reviewed else known.findings
    ends = _review_due(steps, days=rule.days)
    now = store.now()
    return {
        "findings": [{**vars(f), "outcome": f.outcome.value} for f in findings],
        "votes": [{"reviewer": v.reviewer, "vote": v.vote.value, "reason": v.reason} for v in shown if decided],
        "comments": [_comment(c) for c in reviewing.readable(said, person=acting.actor, decided=decided)],
        "states": [
            {
                "state": s.state.value.replace("_", " "), "since": _moment(s.since),
                "days": round(((s.until or now) - s.since).total_seconds() / 86_400, 2),
            }
            for s in steps
        ],
        "review_due": _moment(ends) if waiting and ends else None,
        "overdue": bool(waiting and ends and now > ends),
        "fetched": [{"person": who, "at": _moment(at)} for who, at in fetched],
    }  # fmt: skip


def due(store: Store, requests: Iterable[OutputRequest]) -> dict[str, str]:
    """When the review of each request that waits for one is due; those that are late say so."""
    waiting = [r.id for r in requests if r.state in reviewing.WAITING]
    with store.read() as connection:
        days = lanes.rule(connection).rule.days
        steps = {request: lanes.steps(connection, request) for request in waiting}
    ends = {request: _review_due(found, days=days) for request, found in steps.items()}
    now = store.now()
    return {r: f"{end:%Y-%m-%d}{' late' if now > end else ''}" for r, end in ends.items() if end is not None}


def _review_due(steps: Sequence[Step], *, days: int) -> datetime | None:
    """When a review is due: a dispute is part of the review that it came from."""
    began = None
    for step in steps:
        if step.state is OutputState.IN_REVIEW:
            began = step.since
    return None if began is None else reviewing.due(began, days=days)


def side_of(store: Store, request: OutputRequest, *, acting: Acting) -> Side:
    """On whose side somebody speaks of a request: its project's team, else the reviewers."""
    with store.read() as connection:
        team = projects.get_project(connection, request.project).team
    return Side.AUTHOR if acting.actor in {*team, request.person} else Side.REVIEWER


def opt_out(store: Store, dataset: str, *, out: bool, reason: str, acting: Acting) -> None:
    """Take a dataset out of the automatic lane, or let it in again; a steward of its owner does."""
    if not reason.strip():
        raise OutputRefusal("An opt-out is for a reason", next_step="Give a reason")
    with store.read() as connection:
        owners = {a.owner for a in projects.agreements(connection, dataset)}
    if not owners:
        raise OutputRefusal(f"No agreement is about dataset {dataset}", next_step="See them with: ids agreement list")
    _check_steward(store, owners, acting=acting)
    lanes.put_opt_out(store, dataset, out=out, by=acting.actor, reason=reason.strip())


def report(places: Places, store: Store, *, ledger: Ledger) -> dict[str, Any]:
    """How the automatic lane stands and how often it erred; opens later checks that are due and acts on errors."""
    sample.take(store, ledger, folder=places.outputs)
    sample.settle(store, folder=places.outputs)
    with store.read() as connection:
        ruled, out = lanes.rule(connection), lanes.opted_out(connection)
    return {
        **vars(ruled.rule), "by": ruled.by, "reason": ruled.reason, "at": _moment(ruled.at) if ruled.at else "",
        "opted_out": sorted(out), **errors(store).told(),
    }  # fmt: skip


def errors(store: Store) -> lane.LaneErrors:
    """The error rate of the automatic lane, as its sample tells."""
    with store.read() as connection:
        left = [r.request for r in outputs.releases(connection)]
        lane_of = {r.id: r.lane for r in outputs.requests(connection)}
        drawn = lanes.samples(connection)
    return lane.errors(drawn, released=sum(1 for request in left if lane_of[request] is Lane.AUTOMATIC))


def _sees_everything(acting: Acting) -> bool:
    return acting.signed_in is None or Role.AUDITOR in acting.signed_in.roles


def _check_steward(store: Store, owners: Collection[str], *, acting: Acting) -> None:
    if acting.signed_in is None:
        return
    with store.read() as connection:
        organisation = projects.get_person(connection, acting.actor).organisation
    if Role.STEWARD not in acting.signed_in.roles or organisation not in owners:
        raise RoleRefusal(
            f"{acting.actor} may not decide for the owner of this dataset",
            why="A steward of the organisation that owns it does",
            next_step="Ask one",
        )


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "by": comment.person, "side": comment.side.value, "at": _moment(comment.at), "text": comment.text,
        "sha256": comment.sha256,
    }  # fmt: skip


def _moment(at: Any) -> str:
    return str(at.isoformat(timespec="minutes"))
