"""What the store knows of grants: what was provisioned for a project of a release."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa

from integrated_data.control import bodies, freezes
from integrated_data.control import tables as t
from integrated_data.control.store import Store, recorded
from integrated_data.model.access import Grant, GrantState
from integrated_data.model.event import Event


def activate(store: Store, first: Grant, *more: Grant, by: str) -> tuple[Grant, ...]:
    """Make grants of one project those that are opened for their datasets, all at once; returns those they replace."""
    with store.change(Event("grant.provisioned", by, f"project/{first.project}", _facts(first))) as change:
        if more:
            change.note(with_it=[_facts(grant) for grant in more])
        datasets = [grant.dataset for grant in (first, *more)]
        freezes.check(change.connection, f"Nothing is provisioned for project {first.project}", datasets=datasets)
        replaced: list[Grant] = []
        for grant in (first, *more):
            old = _active(change.connection, project=grant.project, dataset=grant.dataset)
            past = _of(change.connection, GrantState.EARLIER, project=grant.project, dataset=grant.dataset)
            old += [(number, earlier) for number, earlier in past if not _goes_with(earlier, grant)]
            _set(change.connection, (number for number, _ in old), state=GrantState.SUPERSEDED)
            change.connection.execute(
                sa.insert(t.grant).values(
                    project=grant.project, dataset=grant.dataset, release=grant.release,
                    state=GrantState.ACTIVE.value, body=bodies.write(grant), at=change.at,
                )
            )  # fmt: skip
            replaced += [earlier for _, earlier in old]
    return tuple(replaced)


def _goes_with(earlier: Grant, grant: Grant) -> bool:
    """Whether a copy of an earlier release was made as the new one was: same columns, keys, links, and people left out.

    The name of a copy's file tells all of that (see `approve.provision`).
    """
    return PurePath(earlier.place).name == PurePath(grant.place).name and earlier.release != grant.release


def keep(store: Store, grant: Grant, *, by: str) -> None:
    """Keep a copy of an earlier release beside the one that is opened, for questions as at a day."""
    with store.change(Event("grant.earlier_provisioned", by, f"project/{grant.project}", _facts(grant))) as change:
        freezes.check(
            change.connection, f"Nothing is provisioned for project {grant.project}", datasets=[grant.dataset]
        )
        change.connection.execute(
            sa.insert(t.grant).values(
                project=grant.project, dataset=grant.dataset, release=grant.release,
                state=GrantState.EARLIER.value, body=bodies.write(grant), at=change.at,
            )
        )  # fmt: skip


def _facts(grant: Grant) -> dict[str, Any]:
    return {
        "dataset": grant.dataset, "release": grant.release, "rows": grant.rows, "bytes": grant.bytes,
        "columns": list(grant.columns), "versions": dict(grant.versions),
    }  # fmt: skip


def revoke(store: Store, project: str, *, dataset: str | None = None, by: str, reason: str) -> tuple[Grant, ...]:
    """Stop a project's grants, of one dataset or of all; returns them, so that their files can go."""
    facts = {"dataset": dataset, "reason": reason}
    with store.change(Event("grant.revoked", by, f"project/{project}", facts)) as change:
        found = _active(change.connection, project=project, dataset=dataset)
        found += _of(change.connection, GrantState.EARLIER, project=project, dataset=dataset)
        _set(change.connection, (number for number, _ in found), state=GrantState.REVOKED)
        change.note(grants=len(found))
    return tuple(grant for _, grant in found)


def revoked_for(connection: sa.Connection, reason: str) -> tuple[tuple[str, str], ...]:
    """Project and dataset of every grant that was stopped for a reason, by the words of it."""
    found = recorded(connection, "grant.revoked")
    told = [(r.subject.partition("/")[2], r.facts) for r in found if r.facts.get("reason") == reason]
    return tuple((project, facts["dataset"]) for project, facts in told if facts.get("dataset") and facts.get("grants"))


def active(connection: sa.Connection, *, project: str | None = None, dataset: str | None = None) -> tuple[Grant, ...]:
    """Active grants of a project, of a dataset, or all, by project and view."""
    return tuple(grant for _, grant in _active(connection, project=project, dataset=dataset))


def earlier(connection: sa.Connection, *, project: str | None = None) -> tuple[Grant, ...]:
    """Copies of earlier releases that are kept for questions as at a day."""
    return tuple(grant for _, grant in _of(connection, GrantState.EARLIER, project=project, dataset=None))


def stale(connection: sa.Connection, dataset: str, *, release: int) -> tuple[Grant, ...]:
    """Active grants of a dataset that were made from another release."""
    return tuple(g for g in active(connection, dataset=dataset) if g.release != release)


def _active(connection: sa.Connection, *, project: str | None, dataset: str | None) -> list[tuple[int, Grant]]:
    return _of(connection, GrantState.ACTIVE, project=project, dataset=dataset)


def _of(
    connection: sa.Connection, state: GrantState, *, project: str | None, dataset: str | None
) -> list[tuple[int, Grant]]:
    query = sa.select(t.grant.c.id, t.grant.c.body).where(t.grant.c.state == state.value)
    if project is not None:
        query = query.where(t.grant.c.project == project)
    if dataset is not None:
        query = query.where(t.grant.c.dataset == dataset)
    rows: Any = connection.execute(query.order_by(t.grant.c.project, t.grant.c.dataset))
    return [(row.id, bodies.read(Grant, row.body, what="grant")) for row in rows]


def _set(connection: sa.Connection, numbers: Iterable[int], *, state: GrantState) -> None:
    connection.execute(sa.update(t.grant).where(t.grant.c.id.in_(list(numbers))).values(state=state.value))
