"""Freezing at once: a running query stops in a real worker, nothing new begins or leaves, until it is thawed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import StaticTable

from integrated_data.approve import accredit, apply
from integrated_data.approve.freezing import check_may_freeze, check_may_thaw
from integrated_data.control import freezes, projects, queries
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import Person, ProjectState
from integrated_data.model.agreement import Conditions
from integrated_data.model.errors import AgreementRefusal, DeliveryRefusal, OutputRefusal, RoleRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.output import release
from integrated_data.site import verifying
from integrated_data.site.acting import Acting
from integrated_data.site.freezing import freeze, thaw
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from tests.journeys.test_agreements_end import ANNEX, FRAMEWORK, PERSON, PROJECT, Day
from tests.journeys.test_gateway import new_place
from tests.output_world import World, repeated
from tests.served import SLOW, House, furnish, house, open_http
from tests.service import Service

LONG = f"SELECT count(*) FROM pay, ({SLOW}) AS s"
DESK = Acting("system:desk", None, production=False)


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as opened:
        yield opened


def running(made: House, ada: Any) -> str:
    """A long query of ada's, once its worker is at work."""
    query = ada.post("/v1/queries", json={"sql": LONG}, headers={"prefer": "respond-async"}).json()["query"]
    scratch, until = made.place.folder / "scratch", time.monotonic() + 30
    while not (scratch.exists() and any(scratch.iterdir())):
        assert time.monotonic() < until
        time.sleep(0.02)
    return str(query)


@pytest.mark.parametrize(("kind", "name"), [(Frozen.DATASET, "pay"), (Frozen.PERSON, "ada")])
def test_what_runs_stops_and_who_and_what_is_affected_is_on_record(made: House, kind: Frozen, name: str) -> None:
    store = made.place.store
    with open_http(made) as url, made.client(url) as ada:
        query = running(made, ada)
        told = freeze(store, kind, name=name, reason="A leak is suspected", acting=DESK)
        with store.read() as connection:
            kept = queries.get(connection, query)
            events = list(records(connection))
    assert told["running_queries"] == [{"query": query, "project": "P-1", "person": "ada"}]
    assert told["still_running"] == []
    assert kept["state"] == "failed"
    assert "leak" not in kept["body"]["reason"], "why is not told to who is refused"
    projects_hit = ["P-1", "P-2"] if kind is Frozen.DATASET else ["P-1"]
    assert [p["project"] for p in told["projects"]] == projects_hit
    (event,) = (e for e in events if e.action == f"{kind.value}.frozen")
    assert (event.subject, event.facts["reason"]) == (f"{kind.value}/{name}", "A leak is suspected")
    assert event.facts["affected"]["running_queries"] == told["running_queries"]


def test_a_frozen_dataset_is_refused_and_others_are_not_until_it_is_thawed(made: House) -> None:
    place = made.place
    freeze(place.store, Frozen.DATASET, name="pay", reason="Wrong year", acting=DESK)
    refused = place.ask("SELECT sum(income) AS n FROM pay").refusal
    assert "Dataset pay is frozen since 2026-06-15 12:00 UTC (freeze 1)" in str(refused)
    assert "ids thaw dataset pay" in str(refused)
    assert place.ask("SELECT count(*) AS n FROM census").refusal is None
    with place.store.read() as connection:
        (_, pay) = projects.get_project(connection, "P-1").datasets
    with pytest.raises(AgreementRefusal, match="Nothing is provisioned for project P-1"):
        place.provision("P-1", pay)
    with pytest.raises(AgreementRefusal, match="frozen already"):
        freeze(place.store, Frozen.DATASET, name="pay", reason="Again", acting=DESK)
    thaw(place.store, Frozen.DATASET, name="pay", reason="Right after all", acting=DESK)
    assert place.ask("SELECT sum(income) AS n FROM pay").refusal is None
    with place.store.read() as connection:
        (past,) = freezes.history(connection)
    assert (past["thawed_by"], past["thaw_reason"]) == ("system:desk", "Right after all")
    with pytest.raises(AgreementRefusal, match="is not frozen"):
        thaw(place.store, Frozen.DATASET, name="pay", reason="Again", acting=DESK)


def test_a_frozen_person_is_out_under_every_account_and_comes_in_again(made: House) -> None:
    store = made.place.store
    with store.read() as connection:
        ben = projects.get_person(connection, "ben")
    projects.add_person(store, ben.__class__(**{**vars(ben), "accounts": ("ada",)}), by="desk")
    with open_http(made) as url, made.client(url) as ada, made.client(url, "ben", project="P-2") as other:
        asked = {"sql": "SELECT count(*) AS n FROM pay"}
        assert ada.post("/v1/queries", json=asked).status_code == 200
        told = freeze(store, Frozen.PERSON, name="ada", reason="Account lost", acting=DESK)
        assert told["accounts"] == ["ada", "ben"]
        assert {who.post("/v1/queries", json=asked).status_code for who in (ada, other)} == {401}
        assert "access of ada is frozen" in str(made.place.ask("SELECT 1 AS n FROM pay").refusal)
        thaw(store, Frozen.PERSON, name="ada", reason="Account safe", acting=DESK)
        assert {who.post("/v1/queries", json=asked).status_code for who in (ada, other)} == {200}


def test_freezing_the_last_who_may_thaw_says_so(made: House) -> None:
    store = made.place.store
    for name in ("pat", "sam"):
        projects.add_person(store, Person(name, name.title(), "Panel", roles=(Role.APPROVER,)), by="desk")
    assert "warning" not in freeze(store, Frozen.PERSON, name="pat", reason="Account lost", acting=DESK)
    told = freeze(store, Frozen.PERSON, name="sam", reason="Account lost", acting=DESK)
    assert "nobody may thaw" in told["warning"]
    assert "ids person add" in told["warning"]


@pytest.mark.parametrize(("kind", "what"), [(Frozen.DATASET, "dataset"), (Frozen.PERSON, "person")])
def test_a_slip_in_the_name_does_not_look_like_a_freeze(made: House, kind: Frozen, what: str) -> None:
    with pytest.raises(AgreementRefusal, match=f"There is no {what} nobody"):
        freeze(made.place.store, kind, name="nobody", reason="Haste", acting=DESK)
    with pytest.raises(AgreementRefusal, match="No reason"):
        freeze(made.place.store, Frozen.DATASET, name="pay", reason=" ", acting=DESK)


def test_loads_and_decisions_are_refused_and_nothing_is_taken_away(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        day = Day(service, site, site.store.now())
        day.agree(FRAMEWORK.format(ends="2099-12-31"))
        day.agree(ANNEX)
        assert day.deliver("a", "b")["state"] == "published"
        until = (site.store.now() + timedelta(days=400)).date().isoformat()
        person = PERSON.replace("2029-12-31", until).replace("2028-01-01", until)
        projects.add_person(site.store, accredit.read_person(person), by="desk")
        project = PROJECT.replace("ends: 2027-12-31", f"ends: {until}")
        projects.add_project(site.store, apply.read_project(project), by="ada")
        assert decide_and_provision(site, "P-1", by="panel")[0].allowed
        freeze(site.store, Frozen.DATASET, name="sites", reason="Wrong year", acting=DESK)
        landed = sorted(service.places.landed.iterdir())
        with pytest.raises(DeliveryRefusal, match="Dataset sites is frozen"):
            day.deliver("c")
        assert sorted(service.places.landed.iterdir()) == landed
        with pytest.raises(AgreementRefusal, match="is not decided now"):
            decide_and_provision(site, "P-1", by="panel")
        with site.store.read() as connection:
            assert projects.get_project(connection, "P-1").state is ProjectState.APPROVED
        assert day.granted() == 1
        thaw(site.store, Frozen.DATASET, name="sites", reason="Right after all", acting=DESK)
        assert day.deliver("c")["state"] == "published"


def test_what_is_frozen_at_the_last_moment_is_in_the_lake_for_nobody(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        day = Day(service, site, site.store.now())
        day.agree(FRAMEWORK.format(ends="2099-12-31"))
        day.agree(ANNEX)

        def deliver(*kinds: str, frozen: bool = True) -> Any:
            """A delivery that is frozen while it is published."""

            def step(name: str) -> None:
                if frozen and name.startswith("publish"):
                    freeze(site.store, Frozen.DATASET, name="sites", reason="Wrong year", acting=DESK)

            return day.deliver(*kinds, progress=step)

        def thawed() -> None:
            thaw(site.store, Frozen.DATASET, name="sites", reason="Right after all", acting=DESK)

        def there() -> int:
            """Rows that another engine finds."""
            found = StaticTable.from_metadata(site.lake.located("sites").metadata).scan().to_arrow()
            return int(found.num_rows)

        with pytest.raises(DeliveryRefusal, match="is not published"):
            deliver("a", "b")
        with pytest.raises(NoSuchTableError):
            site.lake.located("sites")
        thawed()
        assert (deliver("a", "b", frozen=False)["state"], there()) == ("published", 2)
        with pytest.raises(DeliveryRefusal, match="is not published"):
            deliver("a", "b", "c")
        assert there() == 2
        thawed()
        assert (deliver("a", "b", "c", frozen=False)["state"], there()) == ("published", 3)


def test_outputs_do_not_leave_nor_are_they_copied_out(engine: DuckDB, store: Store, tmp_path: Path) -> None:
    parser = DuckDBParser()
    lfs = repeated((20, ("N", 100)), (25, ("N", 90)), (30, ("S", 120)), (25, ("S", 20)), columns="region pay")
    world = World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    world.agree("lfs", Conditions())
    first = world.checked("SELECT region, count(*) AS people FROM lfs GROUP BY region")
    world.leave(first)
    release.fetch(store, request=first.request, actor="ada", folder=world.folder)
    second = world.checked("SELECT region, count(*) AS people FROM lfs WHERE pay > 50 GROUP BY region")
    told = freeze(store, Frozen.DATASET, name="lfs", reason="Wrong year", acting=DESK)
    assert [o["output"] for o in told["pending_outputs"]] == [second.request]
    (left,) = told["released_outputs"]
    assert (left["output"], left["copied_out_by"]) == (first.request, ["ada"])
    with pytest.raises(OutputRefusal, match="Dataset lfs is frozen"):
        world.leave(second)
    with pytest.raises(OutputRefusal, match="not copied out now"):
        release.fetch(store, request=first.request, actor="ada", folder=world.folder)
    with pytest.raises(OutputRefusal, match="not copied out now"):
        verifying.crate(Places(tmp_path), store, request=first.request)
    with pytest.raises(OutputRefusal, match="Nothing of request"):
        world.ask("SELECT region, count(*) AS people FROM lfs GROUP BY region")
    parser.close()


def somebody(*roles: Role) -> SignedIn:
    return SignedIn("sam", roles, SignInMethod.TOKEN, datetime(2026, 6, 15, tzinfo=UTC), "t", None, None)


@pytest.mark.parametrize(
    ("role", "organisation", "freezes_it", "thaws"),
    [
        (Role.STEWARD, "Department", True, {Frozen.DATASET}),
        (Role.STEWARD, "Ministry", False, set()),
        (Role.AUDITOR, "Ministry", True, set()),
        (Role.APPROVER, "Ministry", True, {Frozen.DATASET, Frozen.PERSON}),
    ],
)
def test_more_people_may_stop_than_let_go_on(
    role: Role, *, organisation: str, freezes_it: bool, thaws: set[Frozen]
) -> None:
    def may(check: Any, **more: Any) -> bool:
        try:
            check(somebody(role), organisation, owners={"Department"}, **more)
        except RoleRefusal:
            return False
        return True

    assert may(check_may_freeze) is freezes_it
    assert {kind for kind in Frozen if may(check_may_thaw, kind=kind)} == thaws
