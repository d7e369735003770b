"""What the store knows of approvals: those an application needs, each a decision of its own with its clock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.approval import Approval, ApprovalState, Needed, Stage
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event


def ask(store: Store, project: str, *, needed: Sequence[Needed], by: str) -> None:
    """Open the approvals that an application needs and has not; let lapse those it needs no more.

    One that was given stands as long as what it is about stays the same. Nothing happens where nothing changed.
    """
    with store.read() as connection:
        if not _changes(of_project(connection, project), needed):
            return
    with store.change(Event("approval.asked", by, f"project/{project}")) as change:
        standing = of_project(change.connection, project)
        wanted = {(n.stage, n.organisation, n.scope): n for n in needed}
        for old in standing:
            if _about(old) not in wanted and old.state in (ApprovalState.OPEN, ApprovalState.GIVEN):
                _set(change, old.number, state=ApprovalState.LAPSED)
        kept = {_about(a) for a in standing if a.state in (ApprovalState.OPEN, ApprovalState.GIVEN)}
        opened = [n for about, n in wanted.items() if about not in kept]
        for one in opened:
            change.connection.execute(
                sa.insert(t.approval).values(
                    project=project, stage=one.stage.value, organisation=one.organisation, scope=one.scope,
                    days=one.days, why=one.why, asked_at=change.at, state=ApprovalState.OPEN.value,
                )
            )  # fmt: skip
        change.note(opened=[n.told for n in opened])


def _about(approval: Approval) -> tuple[Stage, str, str]:
    return approval.needed.stage, approval.needed.organisation, approval.needed.scope


def _changes(standing: Sequence[Approval], needed: Sequence[Needed]) -> bool:
    now = {_about(a) for a in standing if a.state in (ApprovalState.OPEN, ApprovalState.GIVEN)}
    return now != {(n.stage, n.organisation, n.scope) for n in needed}


def decide(store: Store, approval: Approval, *, given: bool, by: str, reason: str = "") -> None:
    """Give or refuse one open approval; refuses where somebody else has decided it meanwhile."""
    state = ApprovalState.GIVEN if given else ApprovalState.REFUSED
    facts = {"stage": approval.needed.stage.value, "organisation": approval.needed.organisation, "reason": reason}
    with store.change(Event(f"approval.{state.value}", by, f"project/{approval.project}", facts)) as change:
        now = _read(change.connection, sa.select(t.approval).where(t.approval.c.id == approval.number))[0]
        if now.state is not ApprovalState.OPEN:
            raise AgreementRefusal(
                f"The approval of the {now.needed.told} for project {now.project} is {now.state.value} already",
                why=f"{now.by} decided it" if now.by else "The application was amended",
                next_step=f"See where it stands: ids project show {now.project}",
            )
        _set(change, approval.number, state=state, by=by, reason=reason, decided_at=change.at)


def of_project(connection: sa.Connection, project: str) -> list[Approval]:
    """The approvals of a project, oldest first, lapsed ones among them."""
    return _read(connection, sa.select(t.approval).where(t.approval.c.project == project))


def open_approvals(connection: sa.Connection) -> list[Approval]:
    """Every approval that somebody is waiting for, oldest first."""
    return _read(connection, sa.select(t.approval).where(t.approval.c.state == ApprovalState.OPEN.value))


def _set(change: Change, number: int, *, state: ApprovalState, **values: str) -> None:
    found = sa.update(t.approval).where(t.approval.c.id == number)
    change.connection.execute(found.values(state=state.value, **values))


def _read(connection: sa.Connection, query: sa.Select[Any]) -> list[Approval]:
    return [
        Approval(
            r.id, r.project, Needed(Stage(r.stage), r.organisation, r.scope, r.days, r.why),
            datetime.fromisoformat(r.asked_at), ApprovalState(r.state), r.by or "", r.reason or "",
            datetime.fromisoformat(r.decided_at) if r.decided_at else None,
        )
        for r in connection.execute(query.order_by(t.approval.c.id))
    ]  # fmt: skip
