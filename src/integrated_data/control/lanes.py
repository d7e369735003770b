"""What the store knows of the lanes: the automatic lane's rule, owners who opt out, the sample, comments, clocks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies
from integrated_data.control import tables as t
from integrated_data.control.outputs import get_request
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.event import Event
from integrated_data.model.lane import VERDICTS, Comment, LaneRule, OptOut, Ruled, Sample, Side, Step, Verdict
from integrated_data.model.output import Lane, OutputRequest, OutputState

#: The subject of settings of the lane itself; every other subject is a dataset.
LANE = "*"

#: Where a check puts a request, by the lane in its event.
_CHECKED = {
    Lane.AUTOMATIC.value: OutputState.RELEASABLE,
    Lane.REVIEW.value: OutputState.IN_REVIEW,
    Lane.REFUSED.value: OutputState.REFUSED,
}

#: Where other events put it; a vote's own fact says where it left the request.
_MOVED = {
    "output.requested": (OutputState.REQUESTED,),
    "output.sampled": (OutputState.REQUESTED, OutputState.IN_REVIEW),
    "output.released": (OutputState.RELEASED,),
    "output.revoked": (OutputState.REVOKED,),
    "output.withdrawn": (OutputState.WITHDRAWN,),
    "output.stopped": (OutputState.STOPPED,),
}


def rule(connection: sa.Connection) -> Ruled:
    """The rule of the automatic lane that is in force."""
    row = connection.execute(_newest(LANE)).first()
    if row is None:
        return Ruled(LaneRule())
    return Ruled(bodies.read(LaneRule, row.body, what="lane"), row.by, row.reason, datetime.fromisoformat(row.at))


def put_rule(store: Store, made: LaneRule, *, by: str, reason: str) -> None:
    """Put another rule in force; that it stops or starts the lane is told by its event."""
    with store.read() as connection:
        before = rule(connection).rule
    action = "lane.set" if before.open == made.open else "lane.started" if made.open else "lane.stopped"
    with store.change(Event(action, by, "lane", {"reason": reason, **bodies.write(made)})) as change:
        change.connection.execute(
            sa.insert(t.lane_setting).values(subject=LANE, body=bodies.write(made), by=by, reason=reason, at=change.at)
        )


def opted_out(connection: sa.Connection) -> dict[str, OptOut]:
    """Datasets that their owner's steward took out of the automatic lane."""
    newest = sa.select(sa.func.max(t.lane_setting.c.id)).group_by(t.lane_setting.c.subject)
    rows = connection.execute(
        sa.select(t.lane_setting).where(t.lane_setting.c.id.in_(newest), t.lane_setting.c.subject != LANE)
    )
    found = [r for r in rows if not r.body["open"]]
    return {r.subject: OptOut(r.subject, r.by, r.reason, datetime.fromisoformat(r.at)) for r in found}


def put_opt_out(store: Store, dataset: str, *, out: bool, by: str, reason: str) -> None:
    """Take a dataset out of the automatic lane, or let it in again."""
    action = "lane.opted_out" if out else "lane.opted_in"
    with store.change(Event(action, by, f"dataset/{dataset}", {"reason": reason})) as change:
        change.connection.execute(
            sa.insert(t.lane_setting).values(
                subject=dataset, body={"open": not out}, by=by, reason=reason, at=change.at
            )
        )


def put_sample(store: Store, twin: OutputRequest, *, of: str, share: float) -> None:
    """Open the later check of a release: `twin` is the request that people see. A release has one at most."""
    body = bodies.write(twin)
    own = {"id", "project", "person", "state", "sha256", "at", "seen"}
    with store.change(Event("output.sampled", "service", f"output/{twin.id}", {"of": of, "share": share})) as change:
        change.connection.execute(
            sa.insert(t.output_sample).values(twin=twin.id, request=of, share=share, at=change.at)
        )
        change.connection.execute(
            sa.insert(t.output_request).values(
                id=twin.id, project=twin.project, person=twin.person, state=twin.state.value, sha256=twin.sha256,
                body={name: held for name, held in body.items() if name not in own}, at=change.at,
            )
        )  # fmt: skip


def samples(connection: sa.Connection) -> list[Sample]:
    """Releases that people check afterwards, with the verdict so far; oldest first."""
    s, r = t.output_sample.c, t.output_request.c
    rows = connection.execute(
        sa.select(s.twin, s.request, s.share, s.at, r.state)
        .join(t.output_request, r.id == s.twin)
        .order_by(s.at, s.twin)
    )
    return [
        Sample(
            row.twin, row.request, row.share, datetime.fromisoformat(row.at),
            VERDICTS.get(OutputState(row.state), Verdict.OPEN),
        )
        for row in rows
    ]  # fmt: skip


def put_comment(store: Store, comment: Comment) -> None:
    """Write down what somebody says of a request; its text is in no event."""
    facts = {"side": comment.side.value, "sha256": comment.sha256}
    with store.change(Event("output.commented", comment.person, f"output/{comment.request}", facts)) as change:
        now = get_request(change.connection, comment.request)
        change.note(project=now.project, datasets=list(now.datasets))
        if now.sha256 != comment.sha256:
            raise OutputRefusal(f"Request {now.id} has changed since it was read", next_step="Read it again first")
        change.connection.execute(
            sa.insert(t.output_comment).values(
                request=comment.request, person=comment.person, side=comment.side.value, sha256=comment.sha256,
                text=comment.text, at=change.at,
            )
        )  # fmt: skip


def comments(connection: sa.Connection, request: str) -> list[Comment]:
    """Everything that was said of a request, on any of its files, oldest first."""
    c = t.output_comment.c
    rows = connection.execute(sa.select(t.output_comment).where(c.request == request).order_by(c.id))
    return [Comment(r.request, r.person, Side(r.side), r.sha256, r.text, datetime.fromisoformat(r.at)) for r in rows]


def steps(connection: sa.Connection, request: str) -> list[Step]:
    """The states that a request was in and since when, from the audit chain; the last one is where it stands."""
    moves: list[tuple[OutputState, datetime]] = []
    for row in _events(connection, request):
        for state in _states(row.action, row.facts):
            if not moves or moves[-1][0] is not state:
                moves.append((state, datetime.fromisoformat(row.at)))
    until = [at for _, at in moves[1:]]
    return [Step(state, at, after) for (state, at), after in zip(moves, [*until, None], strict=True)]


def put_fetched(store: Store, request: str, *, actor: str, sha256: str) -> None:
    """Write down that somebody copied the released files."""
    store.record(Event("output.fetched", actor, f"output/{request}", {"sha256": sha256}))


def fetched(connection: sa.Connection, request: str) -> list[tuple[str, datetime]]:
    """Who copied the released files out of the service, and when, as far as that is known."""
    rows = [row for row in _events(connection, request) if row.action == "output.fetched"]
    return [(row.actor, datetime.fromisoformat(row.at)) for row in rows]


def _newest(subject: str) -> sa.Select[Any]:
    c = t.lane_setting.c
    return sa.select(t.lane_setting).where(c.subject == subject).order_by(c.id.desc()).limit(1)


def _events(connection: sa.Connection, request: str) -> Sequence[Any]:
    c = t.audit_event.c
    return connection.execute(
        sa.select(c.at, c.action, c.actor, c.facts).where(c.subject == f"output/{request}").order_by(c.number)
    ).all()


def _states(action: str, facts: dict[str, object]) -> tuple[OutputState, ...]:
    if action == "output.checked":
        return (_CHECKED[str(facts["lane"])],)
    if action == "output.reviewed" and "state" in facts:
        return (OutputState(str(facts["state"])),)
    return _MOVED.get(action, ())
