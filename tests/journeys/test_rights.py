"""The rights of people whom data are about, on a real installation: found, shown, left out, taken out, with proof.

Two registers, a delivery of pay, two projects. Zebedee Quillfeather is paid twice, once under a married name.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from integrated_data import journey
from integrated_data.approve import accredit, agree, apply
from integrated_data.audit.chain import verify as verify_chain
from integrated_data.control import projects
from integrated_data.control.store import records
from integrated_data.model.errors import AbsentRefusal, AuditRefusal, RoleRefusal
from integrated_data.model.rights import Right, Scope
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places, signing_key
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.rights import access, asking, doing, proof
from integrated_data.site.settings import Settings
from tests.journeys.installation import made
from tests.journeys.test_keys_follow import AGREEMENT, BLANK, PERSON, PROJECT, woman, write
from tests.people import people

CROWD = [BLANK | row for row in people(30)]
MAIDEN, MARRIED, BOTH = woman("zebedee", "Zebedee", "Quillfeather", born=date(1971, 5, 9), husband="Oxenstierna")
SAYS = {"given_name": "Zebedee", "family_name": "Quillfeather", "date_of_birth": "1971-05-09", "postcode": "AB1 2CD"}


@dataclass
class House:
    """An installation in which somebody may ask."""

    site: LoadingSite
    folder: Path

    def ask(self, right: Right, *, scope: Scope | None = None) -> str:
        told = asking.ask(self.site, asking.Wish(right, SAYS, "case 1", scope=scope or Scope()), by="ann")
        assert told["found"], told
        return str(told["request"])


@contextmanager
def house(folder: Path) -> Iterator[House]:
    home = folder / "home"
    if not home.exists():
        made(folder)
    with open_loading(Places(home), Settings(home, 2, "2GB", production=False, actor="tester")) as site:
        yield House(site, folder)


def furnish(h: House) -> None:
    for source, rows in (("register", [*CROWD, MAIDEN]), ("tax", [BOTH, CROWD[0] | {"record_id": "t1"}])):
        file = write(h.folder / f"{source}.csv", list(rows))
        journey.deliver(h.site.workshop, source, files=[file], feed=journey.Feed("demographic", "person_ref"))
    refresh_index(h.site, "demographic")
    paid = [row | {"record_id": f"D{i:04d}"} for i, row in enumerate([MAIDEN, BOTH, *CROWD[:20]])]
    deliver_and_refresh(h.site, "pay", files=[write(h.folder / "pay.csv", paid, incomes=True)])
    projects.add_agreement(h.site.store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
    projects.add_person(h.site.store, accredit.read_person(PERSON), by="desk")
    for project, keys in (("P-keyed", "person"), ("P-plain", "")):
        application = apply.read_project(PROJECT.format(id=project, keys=keys, more=""))
        projects.add_project(h.site.store, application, by="ada")
        decide_and_provision(h.site, project, by="panel")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with house(folder) as h:
        furnish(h)
    return folder


@pytest.fixture
def h(before: Path, tmp_path: Path) -> Iterator[House]:
    """The furnished house, each test its own copy at the same place: the lake names its files by path."""
    kept = tmp_path / "kept"
    shutil.copytree(before, kept, symlinks=True)
    with house(before) as found:
        yield found
    shutil.rmtree(before)
    shutil.copytree(kept, before, symlinks=True)


def answer(h: House, request: str, *, by: str = "bob") -> dict[str, object]:
    out = h.folder / "answer.json"
    return doing.do(
        h.site, request, right=Right.ACCESS, by=by, work=lambda s, asked: access.access(h.site, s, asked=asked, out=out)
    )


def test_access_gives_everything_to_the_second_officer_and_proves_it_without_a_value(h: House) -> None:
    request = h.ask(Right.ACCESS)
    with pytest.raises(RoleRefusal, match="Another officer"):
        answer(h, request, by="ann")
    told = answer(h, request)
    found = json.loads((h.folder / "answer.json").read_text())
    held = {d["dataset"]: len(d["rows"]) for d in found["deliveries"]}
    assert held == {"register": 1, "tax": 1, "pay": 2}
    assert {r["income"] for d in found["deliveries"] for r in d["rows"] if "income" in r} == {1000, 1001}
    assert {p["family_name"] for p in found["index"][0]["periods"]} == {"QUILLFEATHER", "OXENSTIERNA"}
    assert len(found["recipients"]) == 2
    place = Path(str(told["proof"]))
    assert "Quillfeather" not in place.read_text()
    assert proof.verify(place, key=signing_key(h.site.places).public_key())["right"] == "access"
    changed = h.folder / "changed.json"
    changed.write_text(place.read_text().replace('"rows": 2', '"rows": 1'))
    with pytest.raises(AuditRefusal, match="statement was changed"):
        proof.verify(changed, key=signing_key(h.site.places).public_key())
    with h.site.store.read() as connection:
        chain = list(records(connection))
    assert verify_chain(chain) is not None
    assert sum(r.action == "subject.seen" for r in chain) == 4
    assert not any("uillfeather" in str(r.facts) for r in chain)
    assert not list(h.site.places.requests.glob("*")), "what she said of herself is destroyed"


def test_nobody_is_shown_whom_the_service_does_not_know(h: House) -> None:
    stranger = {"given_name": "Nobody", "family_name": "Atall", "date_of_birth": "1900-01-01"}
    told = asking.ask(h.site, asking.Wish(Right.ACCESS, stranger, "case 2"), by="ann")
    assert not told["found"]
    with pytest.raises(AbsentRefusal, match="nobody whom the service knows"):
        answer(h, str(told["request"]))
