"""Who worked for whom at a date: edges between indexes, derived, granted and joined by keys through the gate."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrated_data.access.asked import Question
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import projects, releases
from integrated_data.engine import Stored
from integrated_data.model.access import ProjectState
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.linkage import LinkDecision
from integrated_data.model.meanings import Meaning
from integrated_data.site import identity
from integrated_data.site import projects as provisioning
from integrated_data.site.analysis import open_analysis
from integrated_data.site.loading import LoadingSite
from integrated_data.site.places import Places
from tests.people import Row
from tests.service import FIRMS, LISTED, PERSON, SETTINGS, Service, contract, named


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


JOBS = contract(
    "pay",
    {**PERSON, "employer": Meaning.ORGANISATION_NAME, "paye": Meaning.ORGANISATION_REFERENCE,
     "started_on": Meaning.EFFECTIVE_FROM, "ended_on": Meaning.EFFECTIVE_TO, "pay": Meaning.CODE},
    "demographic", "business",
)  # fmt: skip
FIRM = {
    "record_id": Meaning.RECORD_ID, "organisation_name": Meaning.ORGANISATION_NAME,
    "organisation_reference": Meaning.ORGANISATION_REFERENCE,
}  # fmt: skip

NEWCOMER = {"record_id": "F9", "organisation_name": "Elderflower Press Ltd", "organisation_reference": "120/AB9"}


def jobs(*, until: str | None) -> list[Row]:
    """Everybody has worked for the first firm since 2019; on some day they all went to the second."""
    rows = [_job(row, firm=0, start="2019-01-01", end=until) for row in LISTED]
    moved = str(date.fromisoformat(until) + timedelta(days=1)) if until else None
    return rows + ([_job(row, firm=1, start=moved) for row in named(LISTED, "N")] if moved else [])


def _job(row: Row, *, firm: int, start: str | None, end: str | None = None) -> Row:
    one = FIRMS[firm]
    return row | {
        "employer": one["organisation_name"], "paye": one["organisation_reference"], "started_on": start,
        "ended_on": end, "pay": "1",
    }  # fmt: skip


def agreed(dataset: str, **other: Any) -> str:
    today = date.today()
    body = {
        "id": f"A-{dataset}", "dataset": dataset, "owner": "Department", "gateway": "dea-2017-research",
        "purposes": ["research"], "columns": ["*"], "onward_to": ["University"], "index_by_default": True,
        "starts": today - timedelta(days=9), "ends": today + timedelta(days=99), **other,
    }  # fmt: skip
    return yaml.safe_dump(body)


def approved(site: LoadingSite, *datasets: str) -> None:
    today, law = date.today(), agree.united_kingdom()
    for dataset in datasets:
        projects.add_agreement(site.store, agree.read_agreement(agreed(dataset), law), by="owner")
    person = {
        "id": "ada", "name": "Ada", "organisation": "University", "trained_until": today + timedelta(days=99),
        "accreditation": {"level": "full", "starts": today - timedelta(days=9), "ends": today + timedelta(days=99)},
    }  # fmt: skip
    project = {
        "id": "P-1", "title": "Work", "purpose": "research", "organisation": "University", "lead": "ada",
        "team": ["ada"], "public_benefit": "Much", "ethics": "E-1", "starts": today, "ends": today + timedelta(days=9),
        "datasets": [
            {"dataset": "pay", "columns": ["pay"], "keys": ["person"]},
            {"dataset": "association_person_business", "columns": ["valid_from", "valid_to", "source"],
             "keys": ["person", "business"]},
        ],
    }  # fmt: skip
    projects.add_person(site.store, accredit.read_person(yaml.safe_dump(person)), by="accreditor")
    projects.add_project(site.store, apply.read_project(yaml.safe_dump(project)), by="ada")


def apply_pinned(site: LoadingSite) -> None:
    """The same project again, with its keys of businesses pinned."""
    with site.store.read() as connection:
        same = projects.get_project(connection, "P-1")
    pinned = replace(same, id="P-pinned", index_versions={"business": 1}, state=ProjectState.PROPOSED)
    projects.add_project(site.store, pinned, by="ada")
    assert provisioning.decide_and_provision(site, "P-pinned", by="approver")[0].allowed


WORKED = """
    SELECT a.business_key, count(DISTINCT a.person_key) AS people
    FROM association_person_business AS a JOIN pay AS p ON p.person_key = a.person_key
    WHERE a.valid_from <= DATE '{day}' AND (a.valid_to IS NULL OR a.valid_to >= DATE '{day}') GROUP BY 1
"""


def worked(places: Places, *days: str) -> list[list[dict[str, Any]]]:
    with open_analysis(places, SETTINGS) as analysis:
        answers = [analysis.gateway.ask(Question("ada", "P-1", WORKED.format(day=day))) for day in days]
    for answer in answers:
        if answer.refusal:
            raise answer.refusal
    return [answer.table.to_pylist() for answer in answers if answer.table is not None]


def test_who_worked_for_whom_at_a_date_by_keys_through_the_gate(service: Service) -> None:
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        service.feed(site, "business", source="firms", rows=FIRMS, meanings=FIRM)
        service.deliver(site, JOBS, jobs(until=None))
        approved(site, "pay", "association_person_business")
        decision, made = provisioning.decide_and_provision(site, "P-1", by="approver")
        assert decision.allowed, decision.reasons_against
        assert {m["dataset"]: m["release"] for m in made}.keys() == {"pay", "association_person_business"}
    none, before, now = worked(service.places, "2018-12-31", "2019-01-01", str(date.today()))
    assert none == []
    assert [row["people"] for row in before] == [300]
    assert now == before

    with service.open() as site:
        renewed = service.deliver(site, JOBS, jobs(until="2020-06-30"))["projects_refreshed"]
        assert {r["dataset"] for r in renewed} == {"pay", "association_person_business"}
        with site.store.read() as connection:
            entry = releases.get(connection, "association_person_business").entry
        assert entry["owner"] == "Integrated Data Service"
        assert entry["derived_from"] == {"pay": releases_of(site, "pay")[-1]}
        assert entry["rows"] == 600
    last, first = worked(service.places, "2020-06-30", "2020-07-01")
    assert last == before
    assert [row["people"] for row in first] == [300]
    assert first[0]["business_key"] != last[0]["business_key"]


def test_edges_follow_a_provisional_person_who_turns_out_to_be_known(service: Service) -> None:
    """Two sources know one person under different names; a third knows both."""
    old, meanings = LISTED[0], PERSON | {"nhs_number": Meaning.NHS_NUMBER}
    new = old | {"given_name": "Zelda", "family_name": "Quillfeather", "address": "9 Far Lane", "postcode": "ZZ9 9ZZ"}
    both = new | {"record_id": "T0", "given_name": f"{old['given_name']} Zelda"}
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=_numbered(LISTED), meanings=meanings)
        service.feed(site, "business", source="firms", rows=FIRMS, meanings=FIRM)
        service.deliver(site, JOBS, [_job(row, firm=0, start="2019-01-01") for row in (*LISTED[1:200], new)])
        approved(site, "pay", "association_person_business")
        assert provisioning.decide_and_provision(site, "P-1", by="approver")[0].allowed
        before = people_in(site)
        fed = service.feed(
            site, "demographic", source="tax", rows=_numbered([both, *named(LISTED[1:], "T")]), meanings=meanings
        )
        assert {r for f in fed["refreshed"] for r in f["projects"]} == {"P-1"}
        after = people_in(site)
    assert (len(before), len(after), len(before & after)) == (200, 200, 199)
    (found,) = worked(service.places, "2019-01-01")
    assert [row["people"] for row in found] == [200]


def _numbered(rows: list[Row]) -> list[Row]:
    return [row | {"nhs_number": str(4_000_000_000 + 7 * i)} for i, row in enumerate(rows)]


def people_in(site: LoadingSite) -> set[int]:
    """Entity ids of people in the published edges."""
    with site.store.read() as connection:
        release = releases.get(connection, "association_person_business")
    site.engine.load("edges", Stored(site.lake.files(release.dataset, release.snapshot), sealed=False))
    return set(site.engine.rows("SELECT person_entity FROM edges")["person_entity"].to_pylist())


def test_edges_follow_a_merge_of_the_firms_they_join(service: Service) -> None:
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        service.feed(site, "business", source="firms", rows=FIRMS, meanings=FIRM)
        service.deliver(site, JOBS, jobs(until="2020-06-30"))
        approved(site, "pay", "association_person_business")
        provisioning.decide_and_provision(site, "P-1", by="approver")
        apply_pinned(site)
    before, after = worked(service.places, "2020-06-30", "2020-07-01")
    assert before[0]["business_key"] != after[0]["business_key"]

    with service.open() as site:
        identity.decide(
            site, "business", kind=LinkDecision.MUST, sides=("firms:F0", "firms:F1"), by="steward", reason="one firm"
        )
        told = service.feed(site, "business", source="firms", rows=[*FIRMS, NEWCOMER], meanings=FIRM)
        (done,) = told["refreshed"]
        assert {g["dataset"] for g in done["grants"]} == {"association_person_business"}, "pay has no key of firms"
        with site.store.read() as connection:
            entry = releases.get(connection, "association_person_business").entry
        assert entry["rows"] == 300, "two spells that follow each other with one firm are one"
        (pinned,) = (site.places.projects / "P-pinned").rglob("association*/*.parquet")
        site.engine.load("pinned", Stored((pinned,), sealed=False))
        keys = site.engine.rows("SELECT count(DISTINCT business_key) AS n FROM pinned")["n"][0].as_py()
        assert keys == 2, "the pinned project keeps the edges it was granted"
        told = service.deliver(site, JOBS, jobs(until="2020-07-31"))["projects_refreshed"]
        kept = {r["dataset"] for r in told if r["project"] == "P-pinned" and "kept" in r}
        assert kept == {"association_person_business"}
    before, after = worked(service.places, "2020-06-30", "2020-07-01")
    assert before == after
    assert [row["people"] for row in after] == [300]


def releases_of(site: LoadingSite, dataset: str) -> list[int]:
    with site.store.read() as connection:
        return [r.id for r in releases.of_dataset(connection, dataset)]


def test_an_association_is_refused_where_one_of_its_sources_is_not_agreed(service: Service) -> None:
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        service.feed(site, "business", source="firms", rows=FIRMS, meanings=FIRM)
        service.deliver(site, JOBS, jobs(until=None))
        approved(site, "pay", "association_person_business")
        lapsed = agree.read_agreement(agreed("pay", index_by_default=False), agree.united_kingdom())
        projects.add_agreement(site.store, lapsed, by="owner")
        decision, made = provisioning.decide_and_provision(site, "P-1", by="approver")
        assert not decision.allowed
        assert made == []
        with pytest.raises(UsageRefusal, match="derived by the service"):
            service.deliver(site, replace(JOBS, dataset="association_x"), jobs(until=None))
