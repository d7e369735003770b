"""A person decides on records that are published already: the next index version carries it to the projects."""

from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from integrated_data.approve import accredit, agree, apply
from integrated_data.control import projects
from integrated_data.model.linkage import LinkDecision
from integrated_data.model.meanings import Meaning
from integrated_data.site import identity
from integrated_data.site.loading import LoadingSite
from integrated_data.site.projects import decide_and_provision
from tests.service import LISTED, PERSON, UNLISTED, Service, contract, named

pytestmark = pytest.mark.long

PAY = contract("pay", {**PERSON, "pay": Meaning.CODE}, "demographic")


def approve(site: LoadingSite) -> None:
    today = date.today()
    span = {"starts": today - timedelta(days=9), "ends": today + timedelta(days=99)}
    agreement = {
        "id": "A-pay", "dataset": "pay", "owner": "Department", "gateway": "dea-2017-research", "columns": ["*"],
        "purposes": ["research"], "onward_to": ["University"], "index_by_default": True, **span,
    }  # fmt: skip
    person = {
        "id": "ada", "name": "Ada", "organisation": "University", "trained_until": span["ends"],
        "accreditation": {"level": "full", **span},
    }  # fmt: skip
    project = {
        "id": "P-1", "title": "Work", "purpose": "research", "organisation": "University", "lead": "ada",
        "team": ["ada"], "public_benefit": "Much", "ethics": "E-1", **span,
        "datasets": [{"dataset": "pay", "columns": ["pay"], "keys": ["person"]}],
    }  # fmt: skip
    projects.add_agreement(
        site.store, agree.read_agreement(yaml.safe_dump(agreement), agree.united_kingdom()), by="owner"
    )
    projects.add_person(site.store, accredit.read_person(yaml.safe_dump(person)), by="desk")
    projects.add_project(site.store, apply.read_project(yaml.safe_dump(project)), by="ada")
    assert decide_and_provision(site, "P-1", by="panel")[0].allowed


def keys(site: LoadingSite) -> dict[str, Any]:
    """What each row carries: its link's key and method, by what it is paid."""
    (place,) = (site.places.projects / "P-1").rglob("*.parquet")
    return {r["pay"]: (r["person_key"], r["person_link_method"]) for r in pq.read_table(place).to_pylist()}


def test_a_decision_on_a_published_record_reaches_the_project_with_the_next_version(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        paid = [row | {"record_id": f"D{i}", "pay": f"p{i}"} for i, row in enumerate(LISTED[:40])]
        service.deliver(site, PAY, paid)
        approve(site)
        before = keys(site)
        (published,) = site.places.lake.glob("files/pay/*.parquet")
        checksum = sha256(published.read_bytes()).hexdigest()

        first, _, third = (str(row["record_id"]) for row in LISTED[:3])
        for kind, sides in (
            (LinkDecision.CANNOT, ("pay:D0", f"register:{first}")),
            (LinkDecision.MUST, ("pay:D1", f"register:{third}")),
        ):
            told = identity.decide(site, "demographic", kind=kind, sides=sides, by="steward", reason="seen")
            assert "next version of the index" in told["takes_effect"]
        assert keys(site) == before
        (done,) = service.feed(site, "demographic", source="tax", rows=UNLISTED, meanings=PERSON)["refreshed"]
        assert (done["records_matched_again"], done["projects"]) == (2, ["P-1"])
        after = keys(site)
        assert after["p0"][0] not in {None, *(key for key, _ in before.values())}, "a person of their own"
        assert after["p0"][1] == "provisional: other"
        assert after["p1"] == (before["p2"][0], "other")
        assert {p: k[0] for p, k in after.items() if p not in ("p0", "p1")} == {
            p: k[0] for p, k in before.items() if p not in ("p0", "p1")
        }
        assert sha256(published.read_bytes()).hexdigest() == checksum

        (again,) = service.feed(site, "demographic", source="school", rows=named(UNLISTED, "S"), meanings=PERSON)[
            "refreshed"
        ]
        assert (again["records_matched_again"], again["projects"]) == (0, []), "all is as decided"


def test_a_record_that_a_decision_frees_is_a_person_of_its_own_at_once_and_later(tmp_path: Path) -> None:
    """Freed after it was published, and freed in a delivery: both get a provisional entity, which stays."""
    service = Service(tmp_path)
    paid = [row | {"record_id": f"D{i}", "pay": f"p{i}"} for i, row in enumerate(LISTED[:40])]
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        delivery = service.deliver(site, PAY, paid)["delivery"]
        approve(site)
        before = keys(site)
        side = f"register:{LISTED[0]['record_id']}"
        identity.decide(
            site, "demographic", kind=LinkDecision.CANNOT, sides=("pay:D0", side), by="steward", reason="seen"
        )
        service.feed(site, "demographic", source="tax", rows=UNLISTED, meanings=PERSON)
        freed = keys(site)
        assert freed["p0"][0] not in {None, *(key for key, _ in before.values())}
        assert freed["p0"][1] == "provisional: other"
        again = service.deliver(site, PAY, paid[::-1])
        assert again["delivery"] != delivery
        assert again["links"]["demographic"]["provisional"] == 1
        assert keys(site)["p0"][0] == freed["p0"][0], "the same person as before"
