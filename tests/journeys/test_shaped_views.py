"""What a project sees of a dataset: its rows, its window, values as coarse as agreed; and new keys when they rotate."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from integrated_data.access.asked import Question
from integrated_data.approve import accredit, apply, provision
from integrated_data.control import grants, projects
from integrated_data.control.store import records
from integrated_data.model.agreement import Agreement, Purpose
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.model.shaping import Coarsening, Period
from integrated_data.site import projects as provisioning
from integrated_data.site.analysis import open_analysis
from integrated_data.site.loading import LoadingSite
from tests.service import LISTED, PERSON, SETTINGS, Service, contract

TODAY = date.today()
AGREEMENT = Agreement(
    "A-1", "visits", "Department", "dea-2017-research", (Purpose.RESEARCH,), ("*",), ("University",),
    TODAY, TODAY + timedelta(days=90), index_by_default=True, coarsen={"seen_on": Coarsening(period=Period.YEAR)},
)  # fmt: skip
ADA = f"""
id: ada
name: Ada
organisation: University
accreditation: {{level: full, starts: {TODAY}, ends: {TODAY + timedelta(days=90)}}}
trained_until: {TODAY + timedelta(days=90)}
"""
PROJECT = f"""
id: P-1
title: Visits
purpose: research
organisation: University
lead: ada
team: [ada]
datasets:
  - dataset: visits
    columns: [kind, seen_on]
    keys: [person]
    rows: [{{column: kind, values: [x, z]}}]
    window: {{column: seen_on, starts: 2021-01-01, ends: 2021-12-31}}
starts: {TODAY}
ends: {TODAY + timedelta(days=60)}
public_benefit: Much
ethics: E-1
"""
MEANINGS = PERSON | {"kind": Meaning.CODE, "seen_on": Meaning.EVENT_DATE}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LoadingSite]:
    service = Service(tmp_path)
    visits = [
        row | {"record_id": f"V{n}", "kind": "xyz"[n % 3], "seen_on": f"202{n % 2}-06-{n % 28 + 1:02}"}
        for n, row in enumerate(LISTED[:60])
    ]
    with service.open() as opened:
        service.feed(opened, "demographic", source="register", rows=LISTED, meanings=PERSON)
        service.deliver(opened, contract("visits", MEANINGS, "demographic"), visits)
        projects.add_agreement(opened.store, AGREEMENT, by="owner")
        projects.add_person(opened.store, accredit.read_person(ADA), by="desk")
        projects.add_project(opened.store, apply.read_project(PROJECT), by="ada")
        assert provisioning.decide_and_provision(opened, "P-1", by="panel")[0].allowed
        yield opened


def copy(site: LoadingSite) -> list[dict[str, Any]]:
    with site.store.read() as connection:
        (grant,) = grants.active(connection, project="P-1")
    rows: list[dict[str, Any]] = pq.read_table(site.places.projects / grant.place).to_pylist()
    return rows


def asked(site: LoadingSite, sql: str) -> list[dict[str, Any]]:
    with open_analysis(site.places, SETTINGS) as analysis:
        rows: list[dict[str, Any]] = analysis.gateway.query(Question("ada", "P-1", sql)).to_pylist()
    return rows


def test_a_view_holds_the_rows_and_the_window_applied_for_as_coarse_as_agreed(site: LoadingSite) -> None:
    rows = copy(site)
    assert len(rows) == 20  # every second of x and z
    assert {r["kind"] for r in rows} == {"x", "z"}
    assert {r["seen_on"] for r in rows} == {date(2021, 1, 1)}
    assert asked(site, "SELECT count(DISTINCT person_key) AS n FROM visits") == [{"n": 20}]


def agree(site: LoadingSite, coarsen: dict[str, Coarsening]) -> None:
    projects.add_agreement(site.store, replace(AGREEMENT, coarsen=coarsen), by="owner")


def test_a_view_that_is_finer_than_agreed_now_answers_nothing_until_it_is_made_anew(site: LoadingSite) -> None:
    agree(site, {})
    assert len(asked(site, "SELECT seen_on FROM visits")) == 20, "coarser than agreed is no harm"
    assert provisioning.reshape(site, by="loader")[0]["project"] == "P-1"
    assert len({r["seen_on"] for r in copy(site)}) > 1
    assert provisioning.reshape(site, by="loader") == []
    agree(site, {"seen_on": Coarsening(period=Period.YEAR)})
    with pytest.raises(AgreementRefusal, match="View visits is finer than its agreements let it be now"):
        asked(site, "SELECT count(*) AS n FROM visits")
    provisioning.reshape(site, by="loader")
    assert asked(site, "SELECT DISTINCT seen_on FROM visits") == [{"seen_on": date(2021, 1, 1)}]
    agree(site, {"seen_on": Coarsening(withheld=True)})
    with pytest.raises(AgreementRefusal, match="seen_on in ways that cannot be held together"):
        asked(site, "SELECT seen_on FROM visits")


def test_rotated_keys_have_nothing_in_common_with_the_old_ones(site: LoadingSite) -> None:
    before = copy(site)
    rotated = provisioning.rotate_keys(site, "P-1", by="operator")
    after = copy(site)
    assert len(after) == len(before)
    assert not {r["person_key"] for r in before} & {r["person_key"] for r in after}
    assert rotated["old"] != rotated["new"] == site.vault.project_fingerprint("P-1", generation=2)
    assert site.vault.project_fingerprint("P-1") == "", "the old key is gone"
    assert len(list((site.places.projects / "P-1").rglob("*.parquet"))) == 1
    assert provisioning.rotate_keys(site, "P-1", by="operator")["old"] == rotated["new"]


def test_closing_leaves_no_file_and_no_key_and_proves_which(site: LoadingSite) -> None:
    fingerprint = site.vault.project_fingerprint("P-1")
    closed = provisioning.close(site, "P-1", by="ada")
    assert closed == {
        "project": "P-1",
        "fingerprint": fingerprint,
        "grants_removed": 1,
        "scratch_tables_removed": 0,
        "files_left": 0,
    }
    assert not list(site.places.keyring.rglob("P-1*"))
    with site.store.read() as connection:
        told = [r.facts["fingerprint"] for r in records(connection) if r.action == "project.key_destroyed"]
    assert told == [fingerprint]


def test_closing_destroys_every_key_also_after_a_rotation_and_without_a_copy(site: LoadingSite) -> None:
    rotated = provisioning.rotate_keys(site, "P-1", by="operator")
    provision.revoke(site.store, "P-1", folder=site.places.projects, by="owner", reason="agreement ended")
    assert provisioning.generation_of(site, "P-1") == 2
    site.vault.project_key("P-1", generation=3)  # what a rotation that was killed leaves
    provisioning.close(site, "P-1", by="ada")
    assert site.vault.generations("P-1") == ()
    assert not list(site.places.keyring.rglob("P-1*"))
    with site.store.read() as connection:
        told = [r.facts for r in records(connection) if r.action == "project.key_rotated"]
    assert told == [{"old": rotated["old"], "new": rotated["new"], "grants": 1}]
