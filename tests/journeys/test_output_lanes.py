"""From a query to its release and a later check, from a file in a workspace to evidence: the lanes as wired."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integrated_data.access.asked import Question
from integrated_data.audit import chain
from integrated_data.control import lanes, outputs, projects
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import Person
from integrated_data.model.errors import AgreementRefusal, OutputRefusal
from integrated_data.model.lane import LaneRule
from integrated_data.model.output import Ask, Brought, Lane, OutputRequest, OutputState, Review, Vote
from integrated_data.model.people import Role
from integrated_data.output import lane
from integrated_data.site import lanes as laning
from integrated_data.site import outputs as control
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.places import Places
from tests.brought_files import CSV, made
from tests.journeys.test_gateway import TOKENS, Place, new_place

SQL = "SELECT region, count(DISTINCT person_key) AS people FROM census GROUP BY region"


@pytest.fixture
def site(store: Store, engine: DuckDB, tmp_path: Path) -> AnalysisSite:
    place: Place = new_place(store, engine, folder=tmp_path)
    place.approve()
    for name in ("rita", "rob"):
        projects.add_person(place.store, Person(name, name, "Service", roles=(Role.OUTPUT_CHECKER,)), by="desk")
    places, people = Places(tmp_path), np.arange(1, 101)
    keys, numbers = TOKENS.of("person", people), people.astype(np.uint32)
    with open_ledger(places) as ledger:
        ledger.put_numbers("person", "P-1", keys=keys, numbers=numbers)
    places.service_keys.mkdir(mode=0o700, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (places.service_keys / "signing.key").write_bytes(pem)  # what leaves is signed
    return AnalysisSite(places, place.store, place.gateway())


def query(site: AnalysisSite) -> str:
    return site.gateway.ask(Question("ada", "P-1", SQL)).query


def events(site: AnalysisSite, action: str) -> list[chain.Record]:
    with site.store.read() as connection:
        return [r for r in records(connection) if r.action == action]


def now(site: AnalysisSite, request: str) -> OutputRequest:
    with site.store.read() as connection:
        return outputs.get_request(connection, request)


def vote(site: AnalysisSite, asked: OutputRequest, reviewer: str, cast: Vote) -> OutputRequest:
    made = Review(asked.id, reviewer, cast, asked.sha256, "as read", site.store.now())
    return control.review(site.places, site.store, cast=made)


def test_a_bad_file_is_kept_sealed_and_its_event_says_why(site: AnalysisSite) -> None:
    name, content, _ = made("a very hidden sheet")
    files = (Brought(name, content), Brought("notes.csv", CSV))
    ask = Ask("P-1", "ada", (query(site),), "People by region", brought=files)
    with pytest.raises(OutputRefusal, match="1 of 2 files may not leave"):
        control.ask(site, ask)
    [event] = events(site, "output.request_refused")
    assert (event.actor, event.subject) == ("ada", "project/P-1")
    [bad, fine] = event.facts["files"]
    assert (bad["kind"], bad["rules"], fine["kind"]) == ("xlsx", ["hidden sheets"], "csv")
    again = control.refused_file(site.places, site.store, sha256=bad["sha256"], actor="audrey")
    assert again == content
    assert [e.actor for e in events(site, "output.evidence_seen")] == ["audrey"]
    assert not (site.places.outputs / "requests").exists()


def test_a_file_for_somebody_elses_project_is_refused_and_kept(site: AnalysisSite) -> None:
    ask = Ask("P-1", "mallory", (query(site),), "People by region")
    with pytest.raises(AgreementRefusal):
        control.ask(site, replace(ask, brought=(Brought("table.csv", CSV),)))
    with pytest.raises(AgreementRefusal):
        control.ask(site, ask)
    kept, asked = events(site, "output.request_refused")
    assert (kept.actor, asked.actor) == ("mallory", "mallory")
    assert control.refused_file(
        site.places, site.store, sha256=kept.facts["files"][0]["sha256"], actor="audrey"
    ) == CSV  # fmt: skip


def test_a_good_file_waits_for_two_people(site: AnalysisSite) -> None:
    files = (Brought("table.csv", CSV),)
    asked = control.ask(site, Ask("P-1", "ada", (query(site),), "People by region", brought=files))
    report = control.check(site, asked.id, actor="ada")
    assert (report.lane, now(site, asked.id).datasets) == (Lane.REVIEW, ("census",))
    vote(site, now(site, asked.id), "rita", Vote.APPROVE)
    assert vote(site, now(site, asked.id), "rob", Vote.APPROVE).state is OutputState.APPROVED
    folder = control.release(site.places, site.store, request=asked.id, actor="ada")
    assert (folder / "table.csv").read_bytes() == CSV


def test_a_release_that_two_would_refuse_is_revoked_and_stops_the_lane(site: AnalysisSite) -> None:
    lane.set_rule(site.store, replace(LaneRule(), share=1.0), by="rita", reason="every one, in this test")
    ask = Ask("P-1", "ada", (query(site),), "People by region")
    asked = control.ask(site, ask)
    report = control.check(site, asked.id, actor="ada")
    assert report.lane is Lane.AUTOMATIC
    control.release(site.places, site.store, request=asked.id, actor="ada")
    with site.store.read() as connection:
        [sample] = lanes.samples(connection)
    vote(site, now(site, sample.twin), "rita", Vote.REFUSE)
    vote(site, now(site, sample.twin), "rob", Vote.REFUSE)
    assert now(site, asked.id).state is OutputState.REVOKED
    with open_ledger(site.places) as ledger:
        told = laning.report(site.places, site.store, ledger=ledger)
    assert (told["open"], told["errors"], told["checked"]) == (False, 1, 1)
