"""Who is alive and resident: derived from a register and deliveries, granted, asked as at a day, and right."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from integrated_data import specimen
from integrated_data.access.asked import Question
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import indexes, projects, releases
from integrated_data.engine import Stored
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.site import loads
from integrated_data.site import projects as provisioning
from integrated_data.site.analysis import open_analysis
from integrated_data.site.loading import LoadingSite
from integrated_data.site.references import SourceOrder, load_reference
from tests.people import Row
from tests.service import LISTED, PERSON, SETTINGS, Service, contract, named

REGISTER = PERSON | {
    "registered_on": Meaning.REGISTERED_FROM, "removed_on": Meaning.REGISTERED_TO,
    "died_on": Meaning.DATE_OF_DEATH, "last_seen_on": Meaning.LAST_CONTACT,
}  # fmt: skip
VISITS = contract("visits", {**PERSON, "visited_on": Meaning.EVENT_DATE, "ward": Meaning.CODE}, "demographic")

FLAGS = ["valid_from", "valid_to", "alive", "resident", "evidence"]
ASKED = """
    SELECT evidence, alive, resident, count(DISTINCT person_key) AS people FROM person_presence
    WHERE valid_from <= DATE '2020-06-30' AND (valid_to IS NULL OR valid_to >= DATE '2020-06-30')
    GROUP BY ALL ORDER BY people DESC
"""


def registered() -> list[Row]:
    """Forty died in 2019, twenty moved away in 2019, the rest were last seen in 2018."""
    days: list[Row] = []
    for i in range(len(LISTED)):
        died, removed = ("2019-03-01" if i < 40 else None), ("2019-05-01" if 40 <= i < 60 else None)
        days.append({"registered_on": "2010-01-01", "removed_on": removed, "died_on": died,
                     "last_seen_on": "2018-02-01"})  # fmt: skip
    return [row | day for row, day in zip(LISTED, days, strict=True)]


def visits(*people: Row) -> list[Row]:
    return [row | {"visited_on": "2020-02-02", "ward": "1"} for row in named(list(people), "V")]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def approved(site: LoadingSite) -> None:
    """Project P-1 is granted the flags, by key."""
    today, law = date.today(), agree.united_kingdom()
    soon = today + timedelta(days=9)
    for dataset in ("visits", "person_presence"):
        agreement = {
            "id": f"A-{dataset}", "dataset": dataset, "owner": "Department", "gateway": "dea-2017-research",
            "purposes": ["research"], "columns": ["*"], "onward_to": ["University"], "index_by_default": True,
            "starts": today, "ends": soon,
        }  # fmt: skip
        projects.add_agreement(site.store, agree.read_agreement(yaml.safe_dump(agreement), law), by="owner")
    person = {
        "id": "ada", "name": "Ada", "organisation": "University", "trained_until": soon,
        "accreditation": {"level": "full", "starts": today, "ends": soon},
    }  # fmt: skip
    project = {
        "id": "P-1", "title": "Work", "purpose": "research", "organisation": "University", "lead": "ada",
        "team": ["ada"], "public_benefit": "Much", "ethics": "E-1", "starts": today, "ends": soon,
        "datasets": [{"dataset": "person_presence", "columns": FLAGS, "keys": ["person"]}],
    }  # fmt: skip
    projects.add_person(site.store, accredit.read_person(yaml.safe_dump(person)), by="accreditor")
    projects.add_project(site.store, apply.read_project(yaml.safe_dump(project)), by="ada")
    decision, _ = provisioning.decide_and_provision(site, "P-1", by="approver")
    assert decision.allowed, decision.reasons_against


def test_flags_of_a_day_through_the_gate(service: Service) -> None:
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=registered(), meanings=REGISTER)
        service.deliver(site, VISITS, visits(*LISTED[50:60], *LISTED[100:200]))
        approved(site)
        with pytest.raises(UsageRefusal, match="derived by the service"):
            service.deliver(site, contract("person_presence", PERSON, "demographic"), LISTED)
    with open_analysis(service.places, SETTINGS) as analysis:
        answer = analysis.gateway.ask(Question("ada", "P-1", ASKED))
    assert answer.refusal is None
    assert answer.table is not None
    assert [tuple(row.values()) for row in answer.table.to_pylist()] == [
        ("on record", True, True, 140), ("active", True, True, 110), ("died", False, False, 40),
        ("moved away", None, False, 10),
    ]  # fmt: skip


def test_flags_on_the_country_are_right(service: Service, tmp_path: Path) -> None:
    country = specimen.write(
        tmp_path / "country", people=3_000, seed=5, departments=["health_register", "hospital_episodes"]
    )
    register = country.file("health_register.csv")
    with service.open() as site:
        load_reference(site, SourceOrder("demographic", (register.path,), "health_register", "register_id"))
        loads.deliver_and_refresh(site, "hospital_episodes", files=[f.path for f in country.of("hospital_episodes")])
        with site.store.read() as connection:
            release = releases.get(connection, "person_presence")
            version = indexes.get(connection, "demographic").version
        assert set(release.entry["derived_from"]) == {"hospital_episodes"}
        site.engine.load("spans", Stored(site.lake.files("person_presence", release.snapshot), sealed=False))
        folder = version_folder(site.places.indexes, "demographic", version=version)
        site.seats.of("demographic").members(site.engine, folder=folder, relation="members")
        rows = site.engine.rows(
            f"SELECT s.alive, s.resident, t.status FROM spans s JOIN members m ON m.entity_id = s.person_entity "
            f"JOIN read_parquet('{register.truth}') h ON h.record_id = m.record_id "
            f"JOIN read_parquet('{country.truth['people']}') t ON t.person_id = h.person_id "
            "WHERE valid_from <= DATE '2021-03-20' AND (valid_to IS NULL OR valid_to >= DATE '2021-03-20')"
        ).to_pylist()
    alive = Counter((r["alive"], r["status"] != "dead") for r in rows)
    resident = Counter((r["resident"], r["status"] == "resident") for r in rows)
    assert alive[True, True] / (alive[True, True] + alive[True, False]) >= 0.995
    assert alive[False, False] / (alive[False, False] + alive[False, True]) >= 0.97
    assert resident[True, True] / (resident[True, True] + resident[True, False]) >= 0.97
    assert resident[False, False] / (resident[False, False] + resident[False, True]) >= 0.85
