"""From agreement to answer: the analyst's side with a real store, real keys, real files and a real worker."""

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from integrated_data.access import receipts
from integrated_data.access.asked import Question
from integrated_data.access.digests import digest
from integrated_data.access.gateway import Answer, Gateway
from integrated_data.approve import accredit, agree, apply
from integrated_data.approve.decide import decide
from integrated_data.approve.provision import Order, provision, revoke
from integrated_data.audit import chain
from integrated_data.control import grants, projects, queries
from integrated_data.control.store import Store, records
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest, Grant
from integrated_data.model.errors import AgreementRefusal, AuditRefusal, QueryRefusal
from integrated_data.model.query import QueryLimits
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose

LAW = agree.united_kingdom()
PARSER = DuckDBParser()
TOKENS = ProjectTokens(b"k" * 32)

AGREEMENT = """
id: A-{dataset}
dataset: {dataset}
owner: Department
gateway: dea-2017-research
purposes: [research]
columns: ["*"]
onward_to: [University]
starts: 2026-01-01
ends: 2026-12-31
index_by_default: true
"""
PERSON = """
id: {id}
name: Somebody
organisation: University
accreditation: {{level: full, starts: 2025-01-01, ends: 2029-12-31}}
trained_until: 2028-01-01
"""
PROJECT = """
id: {id}
title: Health and work
purpose: research
organisation: University
lead: ada
team: [ada]
datasets:
  - {{dataset: census, columns: [sex, region], keys: [person]}}
  - {{dataset: pay, columns: [income], keys: [person]}}
starts: 2026-02-01
ends: 2026-11-30
public_benefit: Much
ethics: E-1
"""


@dataclass
class Place:
    """One installation in small. `now` is the moment it believes to be in."""

    store: Store
    engine: DuckDB
    folder: Path
    key: Ed25519PrivateKey
    now: datetime

    def write(self) -> None:
        for dataset in ("census", "pay"):
            projects.add_agreement(self.store, agree.read_agreement(AGREEMENT.format(dataset=dataset), LAW), by="owner")
        for person in ("ada", "ben"):
            projects.add_person(self.store, accredit.read_person(PERSON.format(id=person)), by="desk")
        projects.add_project(self.store, apply.read_project(PROJECT.format(id="P-1")), by="ada")

    def publish(self) -> None:
        people = np.arange(1, 101)
        link = {
            "person_entity": people,
            "person_link_probability": [0.99] * 100,
            "person_link_method": ["exact"] * 100,
        }
        census = {"sex": ["F", "M"] * 50, "region": ["North", "South", "East", "West"] * 25}
        pq.write_table(pa.table({**link, **census}), self.folder / "census.parquet")
        pq.write_table(pa.table({**link, "income": people * 100}), self.folder / "pay.parquet")

    def approve(self, project: str = "P-1") -> list[Grant]:
        assert apply.decide(self.store, project, law=LAW, by="panel").allowed
        with self.store.read() as connection:
            asked = projects.get_project(connection, project).datasets
        return [self.provision(project, request) for request in asked]

    def provision(self, project: str, request: DatasetRequest) -> Grant:
        order = Order(project, request, 1, (self.folder / f"{request.dataset}.parquet",))
        folder = self.folder / "projects"
        return provision(self.engine, TOKENS, order=order, folder=folder, store=self.store, by="loader")

    def gateway(self, limits: QueryLimits | None = None) -> Gateway:
        with capture_logs():
            isolation = choose(production=False)
        worker = ProcessWorker(isolation, self.folder / "projects", self.folder / "scratch")
        most = limits or QueryLimits(seconds=20, memory=2**29)
        return Gateway(self.store, LAW, decide, PARSER, worker, self.key, most)

    def ask(self, sql: str, *, person: str = "ada", project: str = "P-1") -> Answer:
        return self.gateway().ask(Question(person, project, sql))


@pytest.fixture
def place(store: Store, engine: DuckDB, tmp_path: Path) -> Place:
    return new_place(store, engine, folder=tmp_path)


def new_place(store: Store, engine: DuckDB, *, folder: Path) -> Place:
    """An installation in small, with its paper written and its tables published."""
    made = Place(store, engine, folder, Ed25519PrivateKey.generate(), datetime(2026, 6, 15, 12, tzinfo=UTC))
    made.store = Store(store.engine, clock=lambda: made.now)
    made.write()
    made.publish()
    return made


JOINED = """
    SELECT c.region, count(DISTINCT person_key)::INT AS people, sum(p.income)::INT AS income
    FROM census c JOIN pay p USING (person_key) GROUP BY c.region ORDER BY c.region
"""


def test_from_agreement_to_answer(place: Place) -> None:
    place.approve()
    table = place.gateway().query(Question("ada", "P-1", JOINED))
    assert table.to_pylist() == [
        {"region": "East", "people": 25, "income": 127500},
        {"region": "North", "people": 25, "income": 122500},
        {"region": "South", "people": 25, "income": 125000},
        {"region": "West", "people": 25, "income": 130000},
    ]


def test_a_query_is_written_down_with_what_it_read_and_under_which_decision(place: Place) -> None:
    place.approve()
    answer = place.ask(JOINED)
    with place.store.read() as connection:
        kept = queries.get(connection, answer.query)
        chain.verify(records(connection))
        events = [r for r in records(connection) if r.action.startswith("query.")]
    body = kept["body"]
    assert (kept["person"], kept["project"], kept["state"]) == ("ada", "P-1", "done")
    assert body["sql"] == JOINED
    assert body["columns"] == {"census": ["person_key", "region"], "pay": ["person_key", "income"]}
    assert (body["rows"], body["result_sha256"]) == (4, digest(answer.table))
    assert body["decision"]["allowed"]
    assert body["decision"]["agreements"] == ["A-census", "A-pay"]
    assert [e.action for e in events] == ["query.started", "query.done"]
    assert events[1].facts["rows"] == 4
    assert "SELECT" not in str(events), "the chain holds the digest of the text; the text is kept apart"


def test_an_answer_is_signed(place: Place) -> None:
    place.approve()
    for answer in (place.ask(JOINED), place.ask("SELECT * FROM nosuch"), place.ask("SELECT 1", person="eve")):
        public = place.key.public_key()
        receipts.check(answer.told, answer.signature, key=public)
        with pytest.raises(AuditRefusal):
            receipts.check({**answer.told, "state": "done", "reason": "x"}, answer.signature, key=public)
        with pytest.raises(AuditRefusal):
            receipts.check(answer.told, "00", key=public)


def test_a_digest_does_not_depend_on_batches() -> None:
    table = pa.table({"n": range(300_000)})
    parts = [table.slice(at, 70_001) for at in range(0, 300_000, 70_001)]
    assert digest(pa.concat_tables(parts)) == digest(table)
    assert digest(table.slice(1)) != digest(table)


def test_what_was_let_through_is_asked_about_again(place: Place) -> None:
    place.approve()
    gateway, question = place.gateway(), Question("ada", "P-1", JOINED)
    assert gateway.still(question) is None
    assert [view.name for view in gateway.tables("ada", "P-1")] == ["census", "pay"]
    revoke(place.store, "P-1", folder=place.folder / "projects", dataset="pay", by="owner", reason="asked back")
    assert "no table pay" in str(gateway.still(question))
    assert [view.name for view in gateway.tables("ada", "P-1")] == ["census"]
    with pytest.raises(AgreementRefusal, match="not on the team"):
        gateway.tables("ben", "P-1")
    with place.store.read() as connection:
        assert not [r for r in records(connection) if r.action.startswith("query.")], "asking whether is no query"


def refused(answer: Answer, place: Place) -> str:
    """The refusal's text, after making sure that it was written down and nothing came back."""
    assert answer.table is None
    with place.store.read() as connection:
        kept = queries.get(connection, answer.query)
    assert kept["state"] == "refused"
    assert kept["body"]["reason"] == str(answer.refusal)
    return str(answer.refusal)


def test_an_ended_agreement_tells_on_the_next_query(place: Place) -> None:
    place.approve()
    assert place.ask("SELECT count(*) FROM census").refusal is None
    with place.store.read() as connection:
        agreement = projects.get_agreement(connection, "A-census")
    projects.add_agreement(place.store, replace(agreement, ends=date(2026, 6, 1)), by="owner")
    text = refused(place.ask("SELECT count(*) FROM census"), place)
    assert text == (
        "Project P-1 may not be queried like this. Agreement A-census ended on 2026-06-01. Ask Department to extend it."
    )
    assert place.ask("SELECT count(*) FROM pay").refusal is None, "the other agreement still holds"


def test_time_ends_a_project(place: Place) -> None:
    place.approve()
    place.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert "The project ended on 2026-11-30. Extend" in refused(place.ask("SELECT 1"), place)
    place.now = datetime(2026, 11, 1, tzinfo=UTC)
    assert "The project ended on 2026-11-30. Extend" in refused(place.ask("SELECT 1"), place), "a clock that goes back"


def test_people_who_may_not(place: Place) -> None:
    place.approve()
    text = refused(place.ask("SELECT 1", person="ben"), place)
    assert "not on the team of project P-1. Ask the lead, ada" in text
    assert "not on record" in refused(place.ask("SELECT 1", person="eve"), place)
    assert "There is no project P-9" in refused(place.ask("SELECT 1", project="P-9"), place)
    assert "of that name" in refused(place.ask("SELECT 1", project="P'; --"), place)
    with place.store.read() as connection:
        ada = projects.get_person(connection, "ada")
    projects.add_person(place.store, replace(ada, suspended=True), by="desk")
    assert "access is suspended" in refused(place.ask("SELECT 1"), place)


def test_a_person_whose_training_ends(place: Place) -> None:
    place.approve()
    with place.store.read() as connection:
        ada = projects.get_person(connection, "ada")
    projects.add_person(place.store, replace(ada, trained_until=date(2026, 6, 14)), by="desk")
    assert "Renew the training" in refused(place.ask("SELECT count(*) FROM pay"), place)


def test_a_project_not_decided_or_not_provisioned(place: Place) -> None:
    assert "The project is proposed, not approved" in refused(place.ask("SELECT 1"), place)
    assert apply.decide(place.store, "P-1", law=LAW, by="panel").allowed
    assert "Nothing is provisioned" in refused(place.ask("SELECT 1"), place)


def test_a_query_that_names_what_it_may_not(place: Place) -> None:
    place.approve()
    answer = place.ask("SELECT * FROM benefits WHERE name = 'marked'")
    assert refused(answer, place) == "This project has no table benefits. Its tables are: census, pay."
    with pytest.raises(QueryRefusal, match="no table benefits"):
        place.gateway().query(Question("ada", "P-1", "SELECT * FROM benefits"))
    with place.store.read() as connection:
        assert queries.get(connection, answer.query)["body"]["rule"] == "table"


def test_another_projects_tables_are_not_there(place: Place) -> None:
    place.approve()
    only_pay = PROJECT.format(id="P-2").replace("  - {dataset: census, columns: [sex, region], keys: [person]}\n", "")
    projects.add_project(place.store, apply.read_project(only_pay), by="ada")
    place.approve("P-2")
    assert "no table census" in refused(place.ask("SELECT * FROM census", project="P-2"), place)


def test_a_column_the_owner_took_back_is_refused_and_the_rest_goes_on(place: Place) -> None:
    place.approve()
    with place.store.read() as connection:
        agreement = projects.get_agreement(connection, "A-census")
    projects.add_agreement(place.store, replace(agreement, columns=("sex",)), by="owner")
    assert "does not permit use of region" in refused(place.ask("SELECT region FROM census"), place)
    assert "does not permit use of region" in refused(place.ask("SELECT * FROM census"), place)
    assert place.ask("SELECT sex, count(*) FROM census GROUP BY sex").refusal is None


def test_a_revoked_grant_is_gone_at_once(place: Place) -> None:
    place.approve()
    revoke(place.store, "P-1", folder=place.folder / "projects", dataset="pay", by="owner", reason="asked back")
    assert "Its tables are: census" in refused(place.ask("SELECT * FROM pay"), place)
    with place.store.read() as connection:
        assert [g.dataset for g in grants.active(connection)] == ["census"]


def test_a_query_that_fails_is_told_without_a_value(place: Place) -> None:
    place.approve()
    answer = place.ask("SELECT region::INT FROM census")
    assert str(answer.refusal) == (
        "A value cannot be converted to the type asked for. Use TRY_CAST, which gives NULL instead."
    )
    with place.store.read() as connection:
        kept = queries.get(connection, answer.query)
    assert (kept["state"], kept["body"]["rule"]) == ("failed", "conversion")
    assert "North" not in str(kept)
    assert isinstance(place.ask("SELECT nosuch FROM census").refusal, QueryRefusal)
    assert "no text" in refused(place.ask("SELECT '\ud800\0'"), place)


def test_limits_are_the_gateways(place: Place) -> None:
    place.approve()
    with pytest.raises(QueryRefusal, match="more than 3 rows"):
        place.gateway(QueryLimits(rows=3)).query(Question("ada", "P-1", "SELECT * FROM census"))


def test_keys_join_inside_the_project_and_are_not_entities(place: Place) -> None:
    place.approve()
    table = place.gateway().query(Question("ada", "P-1", "SELECT person_key FROM census JOIN pay USING (person_key)"))
    keys = table.column("person_key").to_numpy()
    assert len(keys) == 100
    assert not np.intersect1d(keys, np.arange(1, 101)).size


def test_a_person_of_no_organisation_named_gets_no_project(place: Place) -> None:
    with place.store.read() as connection:
        ada = projects.get_person(connection, "ada")
    projects.add_person(place.store, replace(ada, organisation="Elsewhere"), by="desk")
    decision = apply.decide(place.store, "P-1", law=LAW, by="panel")
    assert not decision.allowed
    with pytest.raises(AgreementRefusal):
        place.gateway().query(Question("ada", "P-1", "SELECT 1"))


def test_the_analysts_side_loads_nothing_that_sees_identifiers() -> None:
    look = (
        "import sys, integrated_data.access.gateway;"
        "import integrated_data.site.running, integrated_data.site.parser;"
        "print(*[m for m in sys.modules if m.startswith(('integrated_data.', 'splink', 'pandas'))])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    rooms = ("acquire", "standardise", "validate", "index", "deidentify", "publish", "vault", "engines")
    assert not [m for m in loaded if m.split(".")[1:2] and m.split(".")[1] in rooms]
    assert not [m for m in loaded if m.startswith(("splink", "pandas"))]
