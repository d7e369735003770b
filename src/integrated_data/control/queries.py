"""What the store knows of queries: who asked what, under which decision, and what became of it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Store
from integrated_data.model.access import QueryState
from integrated_data.model.errors import QueryRefusal
from integrated_data.model.event import Event

#: Body fields that go into the audit chain as well; the text itself stays in the query table.
AUDITED = (
    "sql_sha256",
    "tables",
    "columns",
    "decision",
    "rows",
    "seconds",
    "rule",
    "result_sha256",
    "runs",
    "estimate",
    "as_at",
    "releases",
    "made",
    "dropped",
)


def begin(store: Store, query: str, *, project: str, person: str, state: QueryState, body: dict[str, Any]) -> None:
    """Write a query down: as running, or as refused before anything ran."""
    facts = {k: body[k] for k in AUDITED if k in body}
    action = "query.refused" if state is QueryState.REFUSED else "query.started"
    with store.change(Event(action, person, f"project/{project}", {"query": query, **facts})) as change:
        change.connection.execute(
            sa.insert(t.query).values(
                id=query, project=project, person=person, state=state.value, body=body, at=change.at
            )
        )


def end(store: Store, query: str, *, state: QueryState, body: dict[str, Any]) -> None:
    """Write down how a running query ended; `body` is added to what was known."""
    with store.read() as connection:
        known = get(connection, query)
    facts = {"query": query, **{k: body[k] for k in AUDITED if k in body}}
    event = Event(f"query.{state.value}", known["person"], f"project/{known['project']}", facts)
    with store.change(event) as change:
        change.connection.execute(
            sa.update(t.query)
            .where(t.query.c.id == query, t.query.c.state == QueryState.RUNNING.value)
            .values(state=state.value, body={**known["body"], **body})
        )


def running(connection: sa.Connection) -> list[dict[str, Any]]:
    """Queries that run now, oldest first; one whose gateway died is among them."""
    found = sa.select(t.query).where(t.query.c.state == QueryState.RUNNING.value).order_by(t.query.c.at)
    return [dict(row) for row in connection.execute(found).mappings()]


def texts(connection: sa.Connection, wanted: Iterable[str]) -> dict[str, str]:
    """The SQL of queries, by their ids; those that are not on record are left out."""
    found = sa.select(t.query.c.id, t.query.c.body["sql"].as_string().label("sql"))
    ids = sorted(set(wanted))
    parts = [ids[at : at + 500] for at in range(0, len(ids), 500)]
    return {row.id: row.sql for part in parts for row in connection.execute(found.where(t.query.c.id.in_(part)))}


def get(connection: sa.Connection, query: str) -> dict[str, Any]:
    """One query: id, project, person, state, body, at; refuses when there is none."""
    row = connection.execute(sa.select(t.query).where(t.query.c.id == query)).mappings().first()
    if row is None:
        raise QueryRefusal(f"There is no query {query}", next_step="Use the id that the answer named")
    return dict(row)
