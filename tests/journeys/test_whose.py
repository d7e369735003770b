"""Whose data: people deliver, decide about and see their own organisation's, and a contract changes no owner."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperCommand
from typer.testing import CliRunner

from integrated_data import journey
from integrated_data.acquire import contracts
from integrated_data.acquire.feeds.definition import read
from integrated_data.approve.roles import EVERYWHERE
from integrated_data.cli.app import app
from integrated_data.control import deliveries, feeds, people, projects
from integrated_data.control.store import records
from integrated_data.journey import Handed
from integrated_data.model.access import Person
from integrated_data.model.contract import Column, Contract, Format, Layout, Thresholds
from integrated_data.model.errors import ContractRefusal, RoleRefusal
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.model.people import Organisation, Role
from integrated_data.site import agreeing, handing_over, loads, progressing, rolling
from integrated_data.site.loading import LoadingSite
from integrated_data.site.references import SourceOrder, load_reference
from tests.house.pages import walk
from tests.house.tree import holds
from tests.service import Service

#: Words by which commands are told of a dataset, or of what is one's.
OF_DATASET = {"dataset", "datasets", "delivery", "job", "[FEED]", "[INDEX|DATASET]"}

#: Commands that name a dataset and are not for its owner's people alone, and why.
OTHERS = {
    "audit uses": "tells of one's own organisation's data alone",
    "bench": "names a measurement", "contract infer": "needs no installation",
    "catalogue joinable": "the catalogue is everybody's", "catalogue request": "an application, which owners decide",
    "catalogue show": "the catalogue is everybody's", "release list": "what is public of it: tested below",
    "freeze dataset": "its own rule: approve/freezing.py", "thaw dataset": "its own rule: approve/freezing.py",
    "output import": "of a project, for its checkers", "output rules": "the rules of outputs",
    "reference quality": "of an index, whose records are many owners'", "feed run": "who runs the service",
    "review sample": "of an index, whose records are many owners'",
    "right ask": "a person's right, which goes through all datasets",
}  # fmt: skip
AGREEMENT = """
{id: AGR-DATASET, dataset: DATASET, owner: OWNER, gateway: dea-2017-research, columns: ["*"], purposes: [research],
 onward_to: [], starts: 2025-01-01, ends: 2099-12-31, index_by_default: false}
"""
FEED = """
id: pays
dataset: wages
drop: {kind: folder, place: /srv/pays}
files: "pay_{any}.csv"
schedule: {every: any}
"""
WHO = {
    "eve": ("Elsewhere", tuple(set(Role) - EVERYWHERE)), "sue": ("Department", (Role.STEWARD,)),
    "sam": ("Department", (Role.SUPPLIER,)), "ed": ("Elsewhere", (Role.ENGINEER,)),
    "al": ("Elsewhere", (Role.AUDITOR,)), "pat": ("Elsewhere", (Role.APPROVER,)),
}  # fmt: skip


def agreement(dataset: str, owner: str) -> str:
    return AGREEMENT.replace("DATASET", dataset).replace("OWNER", owner)


def promised(dataset: str, owner: str = "Department", **more: Any) -> Contract:
    columns = tuple(Column(n, n, Kind.INTEGER, m, handling_of(m)) for n, m in
                    (("ref", Meaning.RECORD_ID), ("pay", Meaning.MONEY)))  # fmt: skip
    return Contract(dataset, owner, Layout(Format.CSV), columns, thresholds=Thresholds(0.02, 0.9), **more)


def rows(*pay: object) -> list[dict[str, Any]]:
    return [{"ref": str(n), "pay": str(p)} for n, p in enumerate(pay)]


class Place(Service):
    """A service with people of two organisations, a published dataset of one of them and a held delivery of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with self.open() as site:
            self.store = site.store
            people.add_organisation(site.store, Organisation("Elsewhere"), by="office")
            for name, (organisation, roles) in WHO.items():
                projects.add_person(site.store, Person(name, name, organisation, roles=roles), by="office")
            self.delivery = self.deliver(site, promised("wages"), rows(1, 2, 3))["delivery"]
            self.held = self.deliver(site, promised("wages"), rows(*range(30), "x", "y"))["delivery"]
            feeds.put(site.store, read(FEED), by="office")
            agreeing.add(site.places, site.store, text=agreement("wages", "Department"), by="office")

    def by(self, site: LoadingSite, who: str, promised: Contract | None, *pay: object, dataset: str = "") -> Any:
        files, name = [self.file(rows(*pay))], dataset or (promised.dataset if promised else "")
        return loads.deliver_and_refresh(replace(site, actor=who), name, files=files, handed=Handed(promised))

    def owner(self, dataset: str) -> str | None:
        with self.store.read() as connection:
            return deliveries.owner(connection, dataset)

    def called(self, path: str, command: TyperCommand, *, who: str) -> tuple[BaseException | None, str]:
        """A command run to its end, on what is Department's."""
        given = {"dataset": "wages", "datasets": "wages", "delivery": self.held, "job": self.held, "reason": "mine",
                 "files": str(self.file(rows(1))), "name": "pay", "to": "1", "as_at": "1", "project": "P-1",
                 "out": str(self.folder / "out.csv")}  # fmt: skip
        words = path.removeprefix("ids ").split()
        for p in command.params:
            if p.param_type_name == "argument" and p.name in given:
                words.append(FEED.split()[1] if p.metavar == "[FEED]" else given[p.name])
        for p in command.params:
            if p.param_type_name == "option" and p.name in given and (p.required or p.name == "dataset"):
                words += [p.opts[0], given[p.name]]
        home = {"IDS_HOME": str(self.places.home), "IDS_MEMORY": "1GB", "IDS_THREADS": "1"}
        done = CliRunner().invoke(app, [*words, "--as", who], env=home)
        return done.exception, done.output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("whose"))


@pytest.fixture
def site(place: Place) -> Iterator[LoadingSite]:
    with place.open() as opened:
        yield opened


def test_every_command_about_a_dataset_refuses_people_of_another_organisation_or_is_known_not_to(place: Place) -> None:
    """A new command that takes a dataset, a delivery or a job asks `site/owning.py`, or is placed in `OTHERS`."""
    wrong, tried = [], set()
    for path, command in walk():
        words = path.removeprefix("ids ")
        if not OF_DATASET & {w for p in command.params for w in (p.name, p.metavar)} or words in OTHERS:
            continue
        tried.add(words)
        refusal, said = place.called(path, command, who="eve")
        if not isinstance(refusal, RoleRefusal):
            wrong.append(f"{words}: {refusal!r} {said[-200:]}")
    holds(wrong)
    assert {"deliver", "quarantine accept", "column release", "run cancel", "twin make", "release grant"} <= tried
    with place.store.read() as connection:
        assert deliveries.get(connection, place.held).state == "held"


def test_a_new_contract_takes_no_dataset_over_whoever_brings_it(place: Place, site: LoadingSite) -> None:
    stolen = promised("wages", "Elsewhere", version="1.1.0")
    with pytest.raises(RoleRefusal, match="It is Department's"):
        place.by(site, "eve", stolen, 9)
    with pytest.raises(RoleRefusal, match="It is Department's"):
        place.by(site, "eve", promised("wages"), 9)
    with pytest.raises(RoleRefusal, match="It is Department's"):  # under a source's name
        load_reference(replace(site, actor="eve"), SourceOrder("business", (place.file(rows(9)),), "wages"))
    for who in ("sam", "ed", "tester"):
        with pytest.raises(ContractRefusal, match="another owner of dataset wages than Department"):
            place.by(site, who, stolen, 9)
    arrived = journey.arrive(site.workshop, "wages", files=[place.file(rows(7))])
    with pytest.raises(ContractRefusal, match="another owner"):  # as a feed brings its contract
        loads.go_on(site, arrived.delivery.id, contract=stolen)
    assert place.owner("wages") == "Department"
    assert place.by(site, "sam", promised("wages"), 5, 6)["state"] == "published"
    assert place.by(site, "ed", None, 7, 8, dataset="wages")["state"] == "published"


def test_the_first_delivery_makes_a_dataset_the_deliverers(place: Place, site: LoadingSite) -> None:
    with pytest.raises(RoleRefusal, match="may not deliver what the contract calls Department's"):
        place.by(site, "eve", promised("rents"), 1)
    assert place.by(site, "sam", None, 1, 2, dataset="rents")["state"] == "published"
    assert place.owner("rents") == "Department"
    nameless = promised("fares", "unnamed")
    assert place.by(site, "sam", nameless, 1, 2)["state"] == "published"
    assert place.owner("fares") == "Department"
    assert place.by(site, "sam", nameless, 3, 4)["state"] == "published"
    assert place.by(site, "tester", promised("tolls", "unknown"), 1)["state"] == "published"
    with pytest.raises(RoleRefusal, match="on record for no organisation yet"):
        place.by(site, "sam", promised("tolls"), 2)
    assert place.by(site, "ed", promised("tolls", version="1.1.0"), 2)["state"] == "published"
    assert place.owner("tolls") == "Department"


def test_a_dataset_is_handed_over_on_record_and_its_old_contract_goes_on(place: Place, site: LoadingSite) -> None:
    assert place.by(site, "sam", promised("dues"), 1)["state"] == "published"
    told = handing_over.hand_over(site.store, "dues", to="Elsewhere", by="office", reason="reorganised")
    assert told == {"dataset": "dues", "was": "Department", "owner": "Elsewhere", "contract": "1.1.0"}
    with pytest.raises(RoleRefusal, match="It is Elsewhere's"):
        place.by(site, "sam", promised("dues"), 2)
    assert place.by(site, "eve", promised("dues"), 3, 4)["state"] == "published"
    with site.store.read() as connection:
        body = deliveries.contract_body(connection, "dues")
        assert [r.facts["was"] for r in records(connection) if r.action == "dataset.handed_over"] == ["Department"]
    assert body is not None
    assert (place.owner("dues"), contracts.parse(body).owner) == ("Elsewhere", "Elsewhere")


def test_lists_show_people_their_organisations_and_engineers_and_auditors_all(place: Place, site: LoadingSite) -> None:
    def shown(who: str) -> tuple[bool, bool, str]:
        jobs = [r for r in progressing.rows(site.store, running=False, by=who) if r["subject"] == "dataset/wages"]
        held = [r for r in loads.waiting(site.store, by=who) if r["dataset"] == "wages"]
        first = rolling.listed(site.store, "wages", by=who)[-1]
        return bool(jobs), bool(held), str(first["delivery"])

    assert shown("eve") == (False, False, "")
    assert shown("sam") == shown("sue") == shown("tester") == (True, True, place.delivery)
    assert shown("ed") == (True, True, place.delivery)
    assert shown("al")[2] == place.delivery
    assert progressing.lineage(site.store, None, by="eve") == []
    assert progressing.lineage(site.store, None, by="al")


def test_a_steward_writes_down_no_agreement_for_another_organisation(place: Place, site: LoadingSite) -> None:
    def added(who: str, dataset: str, owner: str) -> str:
        return str(agreeing.add(site.places, site.store, text=agreement(dataset, owner), by=who)["owner"])

    with pytest.raises(RoleRefusal, match="It is Department's"):
        added("eve", "wages", "Elsewhere")
    with pytest.raises(RoleRefusal, match="may not write down what Elsewhere agrees to"):
        added("sue", "wages", "Elsewhere")
    assert added("sue", "wages", "Department") == "Department"
    with pytest.raises(RoleRefusal, match="It is Department's"):
        added("eve", "wages", "Department")
    assert added("pat", "wages", "Department") == "Department"


def test_the_owners_steward_decides(place: Place, site: LoadingSite) -> None:
    assert loads.quarantine(site, place.held, by="sue", reason="to mend")
    assert loads.accept(replace(site, actor="sue"), place.held, reason="so it is")["state"] == "published"
    with site.store.read() as connection:
        assert deliveries.get(connection, place.held).state == "published"
