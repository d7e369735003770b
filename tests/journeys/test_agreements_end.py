"""When an agreement ends, loads and views stop by themselves; when it holds again, they go on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integrated_data.approve import accredit, apply
from integrated_data.control import deliveries, grants, outputs, projects, releases, tables
from integrated_data.control.store import Store, records
from integrated_data.journey import Handed
from integrated_data.journey.going import Progress
from integrated_data.model.contract import Thresholds
from integrated_data.model.delivery import Completes
from integrated_data.model.errors import AgreementRefusal, DeliveryRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.model.output import Ask
from integrated_data.site import concerned, loads
from integrated_data.site.acting import Acting
from integrated_data.site.agreeing import add, law_of, set_law
from integrated_data.site.loading import LoadingSite
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.projects import decide_and_provision
from tests.journeys.test_redelivery import Row, drawn, promised
from tests.service import Service, contract

FRAMEWORK = """
id: F-1
owner: Department
gateway: dea-2017-research
purposes: [research]
onward_to: [University]
starts: 2026-01-01
ends: {ends}
"""
ANNEX = """
id: A-1
framework: F-1
dataset: sites
"""
PERSON = """
id: ada
name: Ada
organisation: University
accreditation: {level: full, starts: 2025-01-01, ends: 2029-12-31}
trained_until: 2028-01-01
"""
PROJECT = """
id: P-1
title: Sites
purpose: research
organisation: University
lead: ada
team: [ada]
datasets: [{dataset: sites, columns: [kind]}]
starts: 2026-01-01
ends: 2027-12-31
public_benefit: Much
ethics: E-1
"""
EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass
class Day:
    """A service whose day can be set."""

    service: Service
    site: LoadingSite
    now: datetime

    def agree(self, text: str) -> dict[str, Any]:
        return add(self.service.places, self.site.store, text=text, by="owner")

    def deliver(self, *kinds: str, progress: Progress | None = None) -> dict[str, Any]:
        rows: list[Any] = [{"record_id": str(n), "kind": kind} for n, kind in enumerate(kinds)]
        meanings = {"record_id": Meaning.RECORD_ID, "kind": Meaning.CODE}
        given = contract("sites", meanings)
        files = [self.service.file(rows)]
        return deliver_and_refresh(self.site, "sites", files=files, handed=Handed(given), progress=progress)

    def granted(self) -> int:
        with self.site.store.read() as connection:
            return len(grants.active(connection))

    def told(self, action: str) -> list[dict[str, Any]]:
        with self.site.store.read() as connection:
            return [r.facts for r in records(connection) if r.action == action]


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    service = Service(tmp_path)
    with service.open() as opened:
        made = Day(service, opened, datetime(2026, 6, 1, tzinfo=UTC))
        made.site = replace(opened, store=Store(opened.store.engine, clock=lambda: made.now))
        yield made


def test_loads_and_views_stop_when_a_framework_ends_and_go_on_when_it_is_extended(day: Day) -> None:
    day.agree(FRAMEWORK.format(ends="2026-06-30"))
    assert day.agree(ANNEX)["kind"] == "annex"
    assert day.deliver("a", "b")["state"] == "published"
    projects.add_person(day.site.store, accredit.read_person(PERSON), by="desk")
    projects.add_project(day.site.store, apply.read_project(PROJECT), by="ada")
    assert decide_and_provision(day.site, "P-1", by="panel")[0].allowed
    assert day.granted() == 1

    day.now = datetime(2026, 7, 1, tzinfo=UTC)
    landed = sorted(day.service.places.landed.iterdir())
    with pytest.raises(DeliveryRefusal, match=r"Agreement A-1 ended on 2026-06-30\. Ask its owner"):
        day.deliver("c")
    assert sorted(day.service.places.landed.iterdir()) == landed, "nothing of it was taken"
    assert day.granted() == 0
    assert not list(day.service.places.projects.rglob("*.parquet"))
    assert [e["reason"] for e in day.told("grant.revoked")] == ["no agreement covers its use any more"]
    assert [e["reason"] for e in day.told("delivery.stopped")] == ["Agreement A-1 ended on 2026-06-30"]
    assert not decide_and_provision(day.site, "P-1", by="panel")[0].allowed

    day.agree(FRAMEWORK.format(ends="2027-06-30"))
    assert day.deliver("c")["state"] == "published"
    assert decide_and_provision(day.site, "P-1", by="panel")[0].allowed
    assert day.granted() == 1


def test_what_completes_a_delivery_is_refused_once_the_agreement_has_ended(day: Day) -> None:
    day.agree(FRAMEWORK.format(ends="2026-06-30"))
    day.agree(ANNEX)

    def deliver(rows: list[Row], **handed: Any) -> dict[str, Any]:
        return deliver_and_refresh(day.site, "sites", files=[day.service.file(rows)], handed=Handed(**handed))

    def state(done: dict[str, Any]) -> str:
        with day.site.store.read() as connection:
            return str(deliveries.get(connection, done["delivery"]).state)

    strict = promised("sites", thresholds=Thresholds(accept=0.2, hold=0.9))
    first = deliver(drawn(a=1, b="x", c="y", d=4), contract=strict)
    completes = Completes(first["delivery"])
    waiting = deliver(drawn(b=2, q=9), completes=completes)
    assert (first["state"], waiting["state"]) == ("held", "held")

    day.now = datetime(2026, 7, 1, tzinfo=UTC)
    landed = sorted(day.service.places.landed.iterdir())
    with pytest.raises(DeliveryRefusal, match=r"Agreement A-1 ended on 2026-06-30\. Ask its owner"):
        deliver(drawn(b=2, c=3), completes=completes)
    with pytest.raises(DeliveryRefusal, match="Agreement A-1 ended on 2026-06-30"):
        loads.accept(day.site, waiting["delivery"], reason="q was meant")
    assert sorted(day.service.places.landed.iterdir()) == landed, "nothing of it was taken"
    assert (state(first), state(waiting)) == ("held", "held")
    with day.site.store.read() as connection:
        assert releases.current(connection, "sites") is None

    day.agree(FRAMEWORK.format(ends="2027-06-30"))
    assert deliver(drawn(b=2, c=3), completes=completes)["completes"]["published"] == 4


def test_when_an_agreement_ends_the_outputs_that_used_its_dataset_are_named_once(day: Day) -> None:
    day.agree(FRAMEWORK.format(ends="2026-06-30"))
    day.agree(ANNEX)
    day.deliver("a", "b")
    for request, read in (("O-1", "sites"), ("O-2", "other"), ("O-3", "of_sites")):
        asked = Ask("P-1", "ada", ("q",), "Sites by kind")
        outputs.put_request(day.site.store, request, ask=asked, sha256="0" * 64, datasets=[read])
    with day.site.store.engine.begin() as connection:
        release = dict(connection.execute(sa.select(tables.release)).mappings().one())
        made = release | {"id": 90, "dataset": "of_sites", "delivery": "D-90", "entry": {"derived_from": ["sites"]}}
        connection.execute(sa.insert(tables.release).values(made))
    assert concerned.tell(day.site.store, by="operator") == []
    day.now = datetime(2026, 7, 1, tzinfo=UTC)
    (told,) = concerned.tell(day.site.store, by="operator")
    assert (told["dataset"], told["outputs"]) == ("sites", ["O-1", "O-3"])
    assert told["reason"] == "agreement A-1 ended on 2026-06-30"
    assert concerned.tell(day.site.store, by="operator") == [], "once"
    assert [e["outputs"] for e in day.told("dataset.use_ended")] == [["O-1", "O-3"]]
    listed = concerned.using(day.site.store, "sites", acting=Acting("owner", None, production=False))
    assert [(o["request"], o["through"]) for o in listed] == [("O-1", ["sites"]), ("O-3", ["of_sites"])]


def test_what_a_new_paper_changes_is_said(day: Day) -> None:
    day.agree(FRAMEWORK.format(ends="2026-06-30"))
    day.agree(ANNEX)
    second = ANNEX.replace("A-1", "A-2") + "columns: [kind]\n"
    assert day.agree(second)["notes"] == ["It differs from agreement A-1 in columns: the stricter of the two holds"]
    day.now = datetime(2026, 7, 1, tzinfo=UTC)
    assert "ended on 2026-06-30" in day.agree(ANNEX)["notes"][0]


def test_an_installation_works_under_its_own_countrys_law(day: Day) -> None:
    assert law_of(day.service.places).country == "United Kingdom"
    text = (EXAMPLES / "law_finland.yaml").read_text(encoding="utf-8")
    assert set_law(day.service.places, day.site.store, text=text, by="operator")["country"] == "Finland"
    there = FRAMEWORK.format(ends="2026-12-31")
    with pytest.raises(AgreementRefusal, match="law on file does not know"):
        day.agree(there)
    day.agree(there.replace("dea-2017-research", "act-552-2019-scientific-research"))
    day.agree(ANNEX)
    with pytest.raises(AgreementRefusal, match="on which agreements rest"):
        set_law(day.service.places, day.site.store, text=text.replace("scientific-research", "research"), by="operator")
    assert law_of(day.service.places).gateway("act-552-2019-scientific-research") is not None
