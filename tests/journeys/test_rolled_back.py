"""A table taken back to an earlier release, and forward again: whoever reads from then on reads that one."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import StaticTable

from integrated_data import journey
from integrated_data.access import views
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import catalogue, freezes, grants, projects, releases
from integrated_data.control.store import records
from integrated_data.engine import Stored
from integrated_data.journey import Handed, branching, derived
from integrated_data.lake import Step
from integrated_data.model.access import Person
from integrated_data.model.catalogue import Wanted
from integrated_data.model.contract import Changes, Column, Contract, Format, Layout, Mode
from integrated_data.model.errors import AgreementRefusal, DeliveryRefusal, RoleRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.model.people import Role
from integrated_data.publish import presence
from integrated_data.site import loads, rolling, tables
from integrated_data.site.acting import Acting
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from tests.journeys.installation import COMMAND, environment
from tests.journeys.test_keys_follow import AGREEMENT, PERSON, PROJECT
from tests.service import SETTINGS, Service

DESK = Acting("system:desk", None, production=False)


def contract(dataset: str, mode: Mode) -> Contract:
    columns = (
        Column("id", "id", Kind.STRING, Meaning.PERSON_REFERENCE, Handling.IDENTIFIER, key=True),
        Column("op", "op", Kind.STRING, Meaning.CODE, Handling.IDENTIFIER),
        Column("income", "income", Kind.INTEGER, Meaning.MEASURE, Handling.PAYLOAD),
    )
    how = Changes("op", ("D",)) if mode is Mode.CHANGES else None
    version = f"1.{list(Mode).index(mode)}.0"
    return Contract(dataset, "Department", Layout(Format.CSV), columns, version=version, mode=mode, changes=how)


def row(key: str, income: int, op: str = "I") -> dict[str, str | int]:
    return {"id": key, "op": op, "income": income}


class Table:
    """One dataset of a service."""

    def __init__(self, service: Service, site: LoadingSite, *, name: str, mode: Mode = Mode.APPEND) -> None:
        self.service, self.site, self.name, self.mode = service, site, name, mode

    def deliver(self, *rows: dict[str, str | int], mode: Mode | None = None) -> int:
        told = self.service.deliver(self.site, contract(self.name, mode or self.mode), list(rows))
        assert told["state"] == "published", told
        with self.site.store.read() as connection:
            return releases.get(connection, self.name).id

    def roll(
        self, to: int | None = None, *, back: bool = True, reason: str = "Wrong year", acting: Acting = DESK
    ) -> dict[str, object]:
        return rolling.roll(self.site, self.name, to=to, back=back, reason=reason, acting=acting)

    def read(self) -> list[int]:
        with self.site.store.read() as connection:
            release = releases.get(connection, self.name)
        values = self.of(release)
        assert release.rows == len(values)
        return values

    def of(self, release: releases.Release) -> list[int]:
        self.site.engine.load("held", Stored(self.site.lake.files(self.name, release.snapshot), sealed=False))
        return [int(v) for v in self.site.engine.rows("SELECT income FROM held ORDER BY 1")["income"].to_pylist()]

    def states(self) -> dict[int, str]:
        return {int(r["release"]): str(r["state"]) for r in rolling.listed(self.site.store, self.name, by="tester")}

    def every(self) -> list[list[int]]:
        with self.site.store.read() as connection:
            return [self.of(r) for r in releases.of_dataset(connection, self.name)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(tmp_path_factory.mktemp("rolled"))


@pytest.fixture
def site(service: Service) -> Iterator[LoadingSite]:
    with service.open() as site:
        yield site


def test_a_table_of_deliveries_goes_back_takes_another_and_goes_forward(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="added")
    first, second, third = (pay.deliver(row("a", n)) for n in (1, 2, 3))
    pay.roll(first)
    assert pay.read() == [1]
    assert pay.states() == {third: "withdrawn", second: "withdrawn", first: "read"}
    fourth = pay.deliver(row("d", 4))
    assert pay.read() == [1, 4], "the next delivery builds on what is read, not on what was withdrawn"
    assert pay.every() == [[1], [1, 2], [1, 2, 3], [1, 4]], "every release stays as it was"
    pay.roll(third, back=False)
    assert pay.read() == [1, 2, 3]
    assert pay.states() == {fourth: "withdrawn", third: "read", second: "standing", first: "standing"}
    tables.register(site)  # every release anew, each on the one that it was built on
    assert pay.every() == [[1], [1, 2], [1, 2, 3], [1, 4]]
    assert pay.read() == [1, 2, 3]
    pay.roll()
    assert pay.read() == [1, 2], "without a number, to the nearest"
    pay.roll(back=False)
    assert pay.read() == [1, 4], "the one that was withdrawn last"
    with site.store.read() as connection:
        rolled = [r for r in records(connection) if r.action.startswith("release.")]
    assert [(r.action.partition(".")[2], r.facts["to"]) for r in rolled] == [
        ("rolled_back", first), ("rolled_forward", third), ("rolled_back", second), ("rolled_forward", fourth),
    ]  # fmt: skip
    assert rolled[0].facts == {
        "from": third, "to": first, "reason": "Wrong year", "withdrawn": [second, third], "stands_again": [],
    }  # fmt: skip


def test_a_file_that_was_withdrawn_is_a_new_delivery_on_top_of_what_stands(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="again")
    first, second = pay.deliver(row("a", 1)), pay.deliver(row("b", 2))
    pay.roll(first)
    pay.deliver(row("c", 3))
    pay.deliver(row("b", 2))
    assert pay.read() == [1, 2, 3]
    told = service.deliver(site, contract("again", Mode.APPEND), [row("b", 2)])
    assert (told["repeated"], pay.read()) == (True, [1, 2, 3]), "it stands, under whichever delivery"
    pay.roll(second, back=False)
    assert service.deliver(site, contract("again", Mode.APPEND), [row("b", 2)])["repeated"]
    assert pay.read() == [1, 2]
    pay.roll(first)
    pay.deliver(row("b", 2))
    assert pay.every()[-1] == [1, 2], "for the third time"
    tables.register(site)
    assert pay.read() == [1, 2]


def test_a_file_that_comes_again_is_not_published_beside_the_delivery_that_stands_again(
    service: Service, site: LoadingSite
) -> None:
    pay = Table(service, site, name="meanwhile")
    first, second = pay.deliver(row("a", 1)), pay.deliver(row("b", 2))
    pay.roll(first)
    arrived = journey.arrive(
        site.workshop,
        "meanwhile",
        files=[service.file([row("b", 2)])],
        handed=Handed(contract("meanwhile", Mode.APPEND)),
    )
    pay.roll(second, back=False)
    with pytest.raises(DeliveryRefusal, match="its rows would be there twice"):
        loads.go_on(site, arrived.delivery.id, contract=None)
    assert pay.read() == [1, 2]
    pay.roll(first)
    assert not service.deliver(site, contract("meanwhile", Mode.APPEND), [row("b", 2)])["repeated"]
    assert pay.read() == [1, 2], "it went on where it stood"


@pytest.mark.long
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([1, 2, 3, "back", "forward"]), min_size=4, max_size=9))
def test_whatever_comes_and_goes_the_table_is_the_union_of_what_stands(
    service: Service, site: LoadingSite, walk: list[int | str]
) -> None:
    service.files += 1
    pay = Table(service, site, name=f"walk_{service.files}")
    made = {pay.deliver(row("z", 9)): [9]}  # what each release holds
    for step in walk:
        read = made[next(n for n, state in pay.states().items() if state == "read")]
        if isinstance(step, int):
            told = service.deliver(site, contract(pay.name, Mode.APPEND), [row("a", step)])
            assert (told["state"], told["repeated"]) == ("published", step in read)
            if step not in read:
                made[max(pay.states())] = sorted([*read, step])
        elif any(state == ("standing" if step == "back" else "withdrawn") for state in pay.states().values()):
            pay.roll(back=step == "back")
        assert pay.read() == made[next(n for n, state in pay.states().items() if state == "read")]
    assert pay.every() == [made[n] for n in sorted(made)]


def test_a_table_that_each_delivery_replaces(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="replaced", mode=Mode.REPLACE)
    first, _ = pay.deliver(row("a", 1), row("b", 2)), pay.deliver(row("a", 3))
    pay.roll(first)
    assert pay.read() == [1, 2]
    with site.store.read() as connection:
        (found,) = catalogue.search(connection, Wanted("replaced"), day=site.store.now().date())
    assert found["rows"] == 2, "the catalogue tells of what is read"
    pay.deliver(row("a", 5))
    assert pay.every() == [[1, 2], [3], [5]]


def test_changes_that_were_withdrawn_change_nothing_any_more(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="changed", mode=Mode.CHANGES)
    whole = pay.deliver(row("a", 1), row("b", 2), row("c", 3), mode=Mode.REPLACE)
    pay.deliver(row("a", 0, "D"), row("b", 20, "U"))
    assert pay.read() == [3, 20]
    pay.roll(whole)
    pay.deliver(row("c", 30, "U"), row("e", 5))
    assert pay.read() == [1, 2, 5, 30]
    tables.register(site)
    assert pay.every() == [[1, 2, 3], [3, 20], [1, 2, 5, 30]]


def test_copies_of_projects_follow_and_until_then_no_query_begins_on_what_was_withdrawn(
    service: Service, site: LoadingSite
) -> None:
    pay = Table(service, site, name="pay", mode=Mode.REPLACE)
    first, second = pay.deliver(row("a", 1)), pay.deliver(row("a", 2))
    projects.add_agreement(site.store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
    projects.add_person(site.store, accredit.read_person(PERSON), by="desk")
    projects.add_project(site.store, apply.read_project(PROJECT.format(id="P-1", keys="", more="")), by="ada")
    decide_and_provision(site, "P-1", by="panel")
    with site.store.read() as connection:
        (held,) = grants.active(connection, project="P-1")
        target = next(r for r in releases.of_dataset(connection, "pay") if r.id == first)
        read = releases.get(connection, "pay")
    assert held.release == second
    rolling._stand(site, target, read=read, reason="Wrong year", by="desk")  # and killed before copies follow
    assert "of a release that was withdrawn" in str(views.left(site.store, [*views.of_grants([held]).values()]))
    told = pay.roll(first)
    assert [g["release"] for g in told["projects_refreshed"]] == [first]  # type: ignore[index, attr-defined]
    with site.store.read() as connection:
        (held,) = grants.active(connection, project="P-1")
    assert held.release == first
    assert views.left(site.store, [*views.of_grants([held]).values()]) is None
    (place,) = (site.places.projects / "P-1").rglob("*.parquet")
    site.engine.load("held", Stored((place,), sealed=False))
    assert site.engine.rows("SELECT income FROM held")["income"].to_pylist() == [1]


def snapshots(site: LoadingSite, dataset: str) -> list[int]:
    """Every snapshot that the lake's table has."""
    return [int(s.snapshot_id) for s in StaticTable.from_metadata(site.lake.located(dataset).metadata).snapshots()]


def branch(site: LoadingSite, dataset: str) -> int:
    """The snapshot that an engine sees which asks the lake itself."""
    found = StaticTable.from_metadata(site.lake.located(dataset).metadata).current_snapshot()
    assert found is not None
    return int(found.snapshot_id)


def killed_late(places: Places, dataset: str, snapshot: int) -> None:
    """Put a delivery into the lake, and end before its release is named."""
    with open_loading(places, SETTINGS) as site, branching.adding(site.workshop, dataset):
        shutil.copyfile(site.lake.files(dataset, snapshot)[0], site.lake.place(dataset, "f" * 16))
        site.lake.commit(dataset, Step("f" * 16), base=snapshot)
        os._exit(9)


def test_what_a_killed_publication_left_in_the_lake_is_taken_back(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="killed_late")
    pay.deliver(row("a", 1))
    with site.store.read() as connection:
        read = releases.get(connection, pay.name).snapshot
    child = multiprocessing.get_context("spawn").Process(target=killed_late, args=(service.places, pay.name, read))
    child.start()
    child.join(60)
    assert (child.exitcode, branch(site, pay.name) == read) == (9, False)
    with site.lake.alone(pay.name), service.open():
        assert branch(site, pay.name) != read  # somebody is at it, and nobody waits
    with service.open():
        assert branch(site, pay.name) == read
    assert list((site.places.scratch / "branches").iterdir()) == []


def test_what_the_service_derives_waits_for_who_adds_to_it(site: LoadingSite) -> None:
    promised, began = presence.contract(), threading.Event()

    def publish() -> None:
        began.set()
        with suppress(Exception):  # there is nothing at its place: it is refused once it is its turn
            derived.publish(site.workshop, promised, delivery="e" * 16, made={})

    with site.lake.alone(promised.dataset):
        other = threading.Thread(target=publish)
        other.start()
        began.wait(10)
        other.join(0.5)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()


def test_what_the_service_derives_is_in_the_lake_only_once_it_is_named(site: LoadingSite) -> None:
    promised = presence.contract()
    nothing = ", ".join(f"NULL AS {column.name}" for column in promised.columns)

    def derive(delivery: str, **facts: object) -> None:
        site.engine.create("spans", f"SELECT 1 AS person_entity, {nothing}")
        site.engine.save("SELECT * FROM spans", site.lake.place(promised.dataset, delivery), sealed=False)
        made = derived.entry_of(site.workshop, promised, relation="spans", rows=1) | facts
        derived.publish(site.workshop, promised, delivery=delivery, made=made)

    with pytest.raises(KeyError):
        derive("a" * 16)  # it does not say of what
    with pytest.raises(NoSuchTableError):
        site.lake.located(promised.dataset)
    for _ in range(2):
        derive("b" * 16, derived_from={})
    with site.store.read() as connection:
        read = releases.get(connection, promised.dataset).snapshot
    assert snapshots(site, promised.dataset) == [read]
    with pytest.raises(KeyError):
        derive("c" * 16)
    assert branch(site, promised.dataset) == read
    assert list((site.places.scratch / "branches").iterdir()) == []


def test_the_branch_of_the_lake_stays_where_the_change_is_refused(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="refused_late")
    first = pay.deliver(row("a", 1))
    pay.deliver(row("b", 2))
    with site.store.read() as connection:
        read, target = releases.get(connection, pay.name), releases.of_dataset(connection, pay.name)[0]
    freezes.put(site.store, Frozen.DATASET, subjects=[pay.name], by="desk", reason="A case", affected=lambda _: {})
    with pytest.raises(AgreementRefusal, match="is frozen since"):  # it was thawed when the command was checked
        rolling._stand(site, target, read=read, reason="Wrong year", by="desk")
    assert (branch(site, pay.name), pay.states()[first]) == (read.snapshot, "standing")
    assert list((site.places.scratch / "branches").iterdir()) == []


@pytest.mark.long
def test_a_kill_between_the_stores_change_and_the_lakes_branch_is_made_up_for_by_the_next_command(
    service: Service,
) -> None:
    with service.open() as site:
        pay = Table(service, site, name="killed")
        first = pay.deliver(row("a", 1))
        pay.deliver(row("b", 2))
        with site.store.read() as connection:
            read, target = releases.get(connection, "killed"), releases.of_dataset(connection, "killed")[0]
    holding = sqlite3.connect(service.places.lake / "catalogue.sqlite", isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")  # whoever would write to the lake waits
    order = [*COMMAND, "release", "back", "killed", "--reason", "Wrong year"]
    with subprocess.Popen(order, env=environment(service.places.home), stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while pay.states()[first] != "read" and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert (process.returncode, pay.states()[first]) == (-signal.SIGKILL, "read")
    holding.rollback()
    holding.close()
    assert branch(site, "killed") == read.snapshot, "the process died before the branch followed"
    with service.open() as site:
        assert branch(site, "killed") == target.snapshot
        assert list((site.places.scratch / "branches").iterdir()) == []


def test_who_may_and_what_is_refused(service: Service, site: LoadingSite) -> None:
    pay = Table(service, site, name="refused")
    first = pay.deliver(row("a", 1))
    with pytest.raises(AgreementRefusal, match="no earlier release"):
        pay.roll()
    second = pay.deliver(row("b", 2))
    with pytest.raises(AgreementRefusal, match="No reason was given"):
        pay.roll(first, reason=" ")
    with pytest.raises(AgreementRefusal, match="has no release 999"):
        pay.roll(999)
    with pytest.raises(AgreementRefusal, match=f"Release {first} of dataset refused is standing"):
        pay.roll(first, back=False)
    freezes.put(site.store, Frozen.DATASET, subjects=["refused"], by="desk", reason="A case", affected=lambda _: {})
    with pytest.raises(AgreementRefusal, match="is frozen since"):
        pay.roll(first)
    freezes.lift(site.store, Frozen.DATASET, subjects=["refused"], by="desk", reason="Over")
    projects.add_person(site.store, Person("eve", "Eve", "Another department", roles=(Role.STEWARD,)), by="desk")
    with pytest.raises(RoleRefusal, match="eve may not take a table to another release where dataset refused"):
        pay.roll(first, acting=Acting("eve", None, production=False))
    assert pay.states() == {second: "read", first: "standing"}
    assert loads.check(site, "refused") is None
