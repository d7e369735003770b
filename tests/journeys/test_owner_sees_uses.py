"""What the owner of data sees: who, what SQL, which columns, how many rows, when, under which decision."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from integrated_data.approve import accredit
from integrated_data.audit import questions
from integrated_data.control import projects
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import AbsentRefusal, RoleRefusal, UsageRefusal
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.site.acting import Acting
from integrated_data.site.auditing import OwnerQuestion, uses_of_owner
from tests.journeys.test_gateway import JOINED, PERSON, Place, new_place
from tests.unit.test_output_questions import chain

SYSTEM = Acting("system:desk", None, production=False)


def acting(place: Place, *roles: Role, organisation: str) -> Acting:
    """Somebody of an organisation who signed in."""
    text = PERSON.format(id="sam").replace("University", organisation)
    projects.add_person(place.store, accredit.read_person(text), by="desk")
    until = datetime(2026, 6, 16, tzinfo=UTC)
    return Acting("sam", SignedIn("sam", roles, SignInMethod.TOKEN, until, "t", None, None), production=True)


def test_an_owner_sees_what_was_asked_and_what_came_out(store: Store, engine: DuckDB, tmp_path: Path) -> None:
    place = new_place(store, engine, folder=tmp_path)
    place.approve()
    place.ask(JOINED)
    place.now += timedelta(days=1)
    place.ask("SELECT sex FROM census LIMIT 3")
    place.ask("SELECT region FROM nosuch")
    steward = acting(place, Role.STEWARD, organisation="Department")
    first, second = uses_of_owner(place.store, OwnerQuestion(), acting=steward)
    assert (first["actor"], first["project"], first["action"], first["rows"]) == ("ada", "P-1", "query.done", 4)
    assert first["columns"] == ("census.person_key", "census.region", "pay.income", "pay.person_key")
    assert (first["sql"], first["agreements"]) == ([JOINED], ("A-census", "A-pay"))
    assert (second["columns"], second["rows"]) == (("census.sex",), 3)
    with place.store.read() as connection:
        chained = {r.number: r.action for r in records(connection)}
    assert chained[first["decision"]] == "project.approved"
    assert list(chained.values())[-1] == "audit.asked"

    pay = OwnerQuestion(dataset="pay", since=date(2026, 6, 15), until=date(2026, 6, 15))
    (only,) = uses_of_owner(place.store, pay, acting=steward)
    assert only["columns"] == ("pay.income", "pay.person_key")
    assert not uses_of_owner(place.store, OwnerQuestion(since=date(2026, 6, 17)), acting=steward)

    other = acting(place, Role.STEWARD, organisation="Ministry")
    with pytest.raises(RoleRefusal, match="may not see"):
        uses_of_owner(place.store, OwnerQuestion("Department"), acting=other)
    with pytest.raises(AbsentRefusal, match="Ministry owns no dataset"):
        uses_of_owner(place.store, OwnerQuestion(), acting=other)
    auditor = acting(place, Role.AUDITOR, organisation="Ministry")
    assert len(uses_of_owner(place.store, OwnerQuestion("Department"), acting=auditor)) == 2
    with pytest.raises(UsageRefusal, match="whose data"):
        uses_of_owner(place.store, OwnerQuestion(), acting=SYSTEM)


READ = {"query": "q1", "tables": ["pay"], "columns": {"pay": ["income"]}, "decision": {"agreements": ["A-1"]}}
EVENTS = chain(
    ("project.approved", "panel", "project/P-1", {}),
    ("query.started", "ada", "project/P-1", READ),
    ("query.done", "ada", "project/P-1", {**READ, "rows": 9}),
    ("query.started", "ada", "project/P-1", {**READ, "query": "q2"}),
    ("query.started", "ada", "project/P-1", {"query": "q3", "tables": ["tax"], "columns": {"tax": ["paid"]}}),
    ("output.requested", "ada", "output/O-1", {"project": "P-1", "datasets": ["pay", "tax"], "queries": ["q1", "q3"]}),
    ("output.released", "ada", "output/O-1", {"project": "P-1", "datasets": ["pay", "tax"], "queries": ["q1", "q3"]}),
    ("output.fetched", "ben", "output/O-1", {"sha256": "a"}),
)


def test_queries_without_an_end_and_files_copied_out_are_uses_too() -> None:
    seen = questions.seen_by_owner(EVENTS, ["pay"])
    assert [(s.number, s.action, s.rows, s.queries) for s in seen] == [
        (3, "query.done", 9, ("q1",)),
        (4, "query.started", None, ("q2",)),
        (6, "output.requested", None, ("q1", "q3")),
        (7, "output.released", None, ("q1", "q3")),
        (8, "output.fetched", None, ("q1", "q3")),
    ]
    assert {(s.datasets, s.columns, s.project, s.decision, s.agreements) for s in seen} == {
        (("pay",), ("pay.income",), "P-1", 1, ("A-1",))
    }
    assert [s.number for s in questions.seen_by_owner(EVENTS, ["pay"], since=date(2026, 6, 7))] == [7, 8]
